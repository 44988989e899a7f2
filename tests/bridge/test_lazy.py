"""A graph made where somebody looks is the graph: every coin, amount, script and txid, whatever is asked for first."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest

from tests.bridge.chunks import KEYS
from tests.bridge.chunks import tree as chunk_tree
from tests.bridge.slot import TREE, one_time_keys, terms
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import SlotGraph
from verifier.bridge.game.lazy import LazyGraph
from verifier.bridge.game.params import Windows
from verifier.bridge.game.presign import (
    Slot,
    answer_requests,
    check_complete,
    pay_requests,
    pegin_requests,
    protect_requests,
)
from verifier.bridge.setup.committee import check_openings
from verifier.bridge.simulate.on_demand import lazy_graph, lazy_setup
from verifier.bridge.simulate.setup import all_signatures, make_setup
from verifier.bridge.tree import OpeningTree, depth
from verifier.script.winternitz import WinternitzKey

Keys = dict[str, WinternitzKey]


class Asked(Mapping[str, WinternitzKey]):
    """Keys, and which were asked for."""

    def __init__(self, keys: Keys) -> None:
        self.keys_of, self.asked = keys, set[str]()

    def __getitem__(self, name: str) -> WinternitzKey:
        self.asked.add(name)
        return self.keys_of[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys_of)

    def __len__(self) -> int:
        return len(self.keys_of)


def both(tree: OpeningTree, keys: Keys) -> tuple[SlotGraph, LazyGraph]:
    its = terms(windows=Windows.for_tree(depth(tree.nodes)))
    return SlotGraph(its, tree, keys), LazyGraph(its, tree, Asked(keys))


def same(whole: SlotGraph, lazy: LazyGraph, rng: Random) -> None:
    names = sorted(whole.coins)
    rng.shuffle(names)
    assert {name: lazy.coins[name] for name in names} == whole.coins
    for template in whole.templates():
        assert lazy.template(template.name) == template
    assert [lazy.scripts[n.index] for n in whole.nodes] == list(whole.scripts)
    assert (lazy.stake_sats, lazy.funding_sats) == (whole.stake_sats, whole.funding_sats)
    assert lazy.widest_level_vbytes == whole.widest_level_vbytes
    assert lazy.largest_disprove_vbytes == whole.largest_disprove_vbytes
    assert lazy.largest_leaf_bytes == whole.largest_leaf_bytes
    assert lazy.too_wide == ()


@pytest.mark.parametrize("seed", range(3))
def test_over_the_small_tree(seed: int) -> None:
    whole, lazy = both(TREE, one_time_keys("slot"))
    same(whole, lazy, Random(seed))
    there = OutPoint(b"\x55" * 32, 3)
    same(whole.at(there), lazy.at(there), Random(seed))


@pytest.mark.slow
def test_over_a_verifiers_tree() -> None:
    keys = {w.name: KEYS[w.name] for n in chunk_tree().nodes for g in n.wires for w in g}
    same(*both(chunk_tree(), keys), Random(4))


def test_only_what_is_touched_is_made() -> None:
    _, lazy = both(TREE, one_time_keys("slot"))
    assert lazy.keys.asked == {wire.name for group in TREE.nodes[0].wires for wire in group}
    assert lazy.coins["R4.0"].value > 330
    assert "query 1 block" in lazy.keys.asked and "path 1 block" not in lazy.keys.asked
    assert "R99.0" not in lazy.coins and "D1" not in lazy.coins and "" not in lazy.coins
    with pytest.raises(KeyError):
        lazy.coins["R99.0"]


def test_other_windows_are_checked() -> None:
    _, lazy = both(TREE, one_time_keys("slot"))
    there = OutPoint(b"\x55" * 32, 3)
    assert lazy.at(there, Windows(take1=400)).terms.windows.take1 == 400
    with pytest.raises(BridgeError) as caught:
        lazy.at(there, Windows(take1=3))
    assert caught.value.reason is BridgeReason.WINDOWS


def test_a_slot_on_demand_is_the_slot_that_a_committee_makes(tmp_path: Path) -> None:
    """The same coins and txids, and a signature that holds wherever the committee has left one."""
    made, lazy = make_setup(tmp_path, TREE), lazy_setup(lazy_graph(TREE))
    graph = made.moves.graph
    assert lazy.moves.graph.terms == graph.terms
    assert lazy.moves.graph.digest == graph.digest
    assert (lazy.bank, lazy.deposits, lazy.deposit_txs) == (made.bank, made.deposits, made.deposit_txs)
    requests = [*protect_requests(graph), *answer_requests(graph)]
    for deposit in made.deposits:
        requests += [*pay_requests(graph, deposit.vault), *pegin_requests(deposit)]
    check_complete(iter(requests), lazy.moves.signatures, graph.terms.committee, "on demand")
    check_openings(graph, lazy.moves.signatures)
    assert {request.slot for request in requests} < set(all_signatures(made))


def test_what_set_up_does_not_sign_is_not_signed_on_demand() -> None:
    signatures = lazy_setup(lazy_graph(TREE)).moves.signatures
    for name, index, leaf in (
        *(("open/1", 1, -1), ("burn/6", 0, -1), ("take1/vault 7", 0, -1), ("disprove/6", 1, 99)),
        *(("disprove/99", 0, -1), ("refund/vault 0", 0, -1), ("assert", 0, 3), ("disprove/6", 0, 0)),
    ):
        assert signatures.get(Slot(name, index, leaf)) is None, name
    assert Slot("burn/6", 0) not in signatures
