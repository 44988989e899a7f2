"""What roles do when things are missing, beyond the scenarios."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace

import pytest

from tests.bridge.test_scenarios import CASE, setup  # noqa: F401
from verifier.bitcoin.encoding import hash160
from verifier.bridge.chunks.chunk import ChunkError
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import PURSE_VBYTES
from verifier.bridge.game.params import MARGINS
from verifier.bridge.game.plans import open_by, within_reach
from verifier.bridge.game.roles import Operator, all_wires, open_towards
from verifier.bridge.game.vault import MAX_SLOT_NAME, payout_outputs
from verifier.bridge.game.view import Confirmed, SlotView
from verifier.bridge.simulate import silence
from verifier.bridge.simulate.setup import SetUp, open_node
from verifier.bridge.simulate.stage import Stage
from verifier.bridge.tree import Accuser, Digits, Spend
from verifier.chain.wallet import Wallet
from verifier.script.script import encode_number
from verifier.script.winternitz import LAST, WinternitzKey, read


@pytest.fixture
def stage(setup: SetUp) -> Iterator[Stage]:  # noqa: F811
    with open_node(setup) as node:
        made = Stage(setup, CASE, node)
        yield made
        made.close()


def test_a_watcher_with_an_empty_purse_still_sends_the_penalty(stage: Stage) -> None:
    silence._start(stage, silent_from=1)
    stage.play(until=lambda: any(name.startswith("open/") for name in stage.names))
    watcher = stage.watchers["watcher"]
    watcher.wallet = Wallet(b"\x44" * 32, stage.node)
    watcher.guide = lambda view, node: view.graph.nodes[node].children
    assert stage.play() == "penalised"
    assert any("insufficient fee funds" in reason for _, who, reason in stage.refusals if who == "watcher")


def test_an_operator_does_not_start_before_its_wires_are_durable(stage: Stage) -> None:
    stage.pegin()
    operator = stage.open_operator()
    with pytest.raises(BridgeError) as error:
        operator.kickoff(stage.node)
    assert error.value.reason is BridgeReason.ORDER
    assert stage.node.mempool() == ()


def unbuildable(node: int, number: int) -> bytes:
    raise ChunkError("too large")


@pytest.mark.parametrize("leaf", ["refused", "not built"])
def test_a_disproof_that_fails_keeps_nothing_back_and_is_tried_again(stage: Stage, leaf: str) -> None:
    """Here the root is true, and the watcher takes a leaf for spendable that is not."""
    silence._start(stage, silent_from=1)
    watcher = stage.watch(challenge=True, guide=open_towards(5), accuser=WrongAccuser())
    if leaf == "not built":
        graph = copy(stage.graph)
        graph.disprove_leaf = unbuildable  # type: ignore[method-assign]
        watcher.moves = replace(watcher.moves, graph=graph)
    assert stage.play_to("open_timeout/1") == "penalised"
    assert "open/1" in stage.names
    failed = [reason for name, who, reason in stage.refusals if (name, who) == ("disprove/0", "watcher")]
    assert len(failed) > 3, "at every step after the assertion"
    assert all((reason == "too large") == (leaf == "not built") for reason in failed)


def test_what_is_opened_only_if_need_be_waits_until_an_opening_may_still_be_late(stage: Stage) -> None:
    """The operator's time runs meanwhile, so that no level takes longer for it."""
    nodes, windows = stage.graph.nodes, stage.graph.terms.windows
    stage.kickoff(CASE.honest)
    plan = open_by(nodes, lambda revealed, committed: ([], within_reach(nodes, {1, 2}, revealed)))
    watcher = stage.watch(challenge=True, guide=plan)
    stage.play(until=lambda: "assert" in stage.names)
    stage.mine(windows.close - MARGINS.lateness - 1 - stage.view.age("R1.0"))
    assert watcher.due(stage.node) == []
    assert stage.view.next_event() == stage.view.height + 1
    stage.mine()
    assert watcher.due(stage.node) == ["open/1", "open/2"]


class WrongAccuser:
    def disproofs(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Iterator[Spend]:
        if node == 0:
            yield Spend(0, ())

    def disprove(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Spend | None:
        return next(self.disproofs(node, signatures), None)


class Eager(WrongAccuser):
    """Takes a leaf of the false node for spendable that is not, before the one that is."""

    def __init__(self, inner: Accuser, node: int) -> None:
        self.inner, self.node = inner, node
        self.offered: list[int] = []

    def disproofs(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Iterator[Spend]:
        right = list(self.inner.disproofs(node, signatures))
        wrong = [Spend(1 - spend.leaf, spend.items) for spend in right]
        for spend in (*wrong, *right):
            self.offered.append(spend.leaf)
            yield spend


@pytest.mark.parametrize("leaf", ["refused", "not built"])
def test_where_a_disproof_is_refused_the_next_leaf_is_sent(stage: Stage, leaf: str) -> None:
    """In the same step: no block goes by, and no memory is needed after a restart."""
    execution, fault = CASE.false
    stage.kickoff(execution)
    watcher = stage.watch(challenge=True, guide=open_towards(fault))
    accuser = watcher.accuser = Eager(CASE.accuser(stage.moves), fault)
    if leaf == "not built":
        graph, build = copy(stage.graph), stage.graph.disprove_leaf
        graph.disprove_leaf = (  # type: ignore[method-assign]
            lambda node, number: unbuildable(node, number) if number == 0 else build(node, number)
        )
        watcher.moves = replace(watcher.moves, graph=graph)
    stage.play(until=lambda: stage.view.commitment(fault) is not None)
    accuser.offered.clear()
    (sent,) = watcher.step(stage.node)
    assert (sent.name, sent.refusal) == (f"disprove/{fault}", None)
    assert accuser.offered[-2:] == [0, 1], "the first one failed"
    stage.mine()
    assert stage.view.penalised


def test_nothing_is_opened_beside_a_disproof_that_waits_for_a_miner(stage: Stage) -> None:
    execution, fault = CASE.false
    stage.kickoff(execution)
    watcher = stage.watch(challenge=True, guide=open_towards(fault))
    stage.play(until=lambda: stage.view.commitment(fault) is not None)
    watcher.guide = lambda view, node: view.graph.nodes[node].children
    first, *others = watcher.due(stage.node)
    assert first == f"disprove/{fault}"
    assert others and all(name.startswith("open/") for name in others)
    other = stage.watch("other", guide=watcher.guide)
    for each in (watcher, other, watcher):
        assert [sent.name for sent in each.step(stage.node)] == [first]


def test_a_watcher_looks_at_the_same_wires_once(stage: Stage) -> None:
    stage.kickoff(CASE.honest)
    watcher = stage.watch(challenge=True, guide=open_towards(5))
    looked: list[int] = []
    inner = watcher.accuser.disproofs
    object.__setattr__(watcher.accuser, "disproofs", lambda n, s: looked.append(n) or inner(n, s))
    stage.play(until=lambda: stage.view.commitment(5) is not None)
    for _ in range(3):
        watcher.step(stage.node)
    assert looked == [0, 3, 5]


def test_what_waits_in_a_mempool_has_not_happened(stage: Stage) -> None:
    operator = stage.kickoff(CASE.honest)
    watcher = stage.watch(challenge=True)
    (sent,) = watcher.step(stage.node)
    assert sent.refusal is None and len(stage.node.mempool()) == 1
    most = stage.graph.challenge().max_vbytes + PURSE_VBYTES
    assert most - 1 <= sent.spending.tx.vbytes <= most, "what set-up reckons with"
    assert stage.view.spent("K0") is None and stage.view.unspent("K0")
    assert operator.due(stage.node) == []
    assert watcher.due(stage.node) == ["challenge"]
    assert watcher.step(stage.node) == [], "it is sent once"
    stage.mine()
    assert operator.due(stage.node) == ["assert"]


def test_the_operator_has_144_blocks_for_its_answer_when_it_stops_waiting(stage: Stage) -> None:
    """Blocks that may hold the answer and not yet the penalty; a block earlier it still waits for the cheap one."""
    windows, lateness = stage.graph.terms.windows, MARGINS.lateness
    operator = stage.kickoff(CASE.honest)

    def left(coin: str, deadline: int) -> int:
        return deadline - stage.view.age(coin)

    def wait_until(blocks: int, coin: str, deadline: int) -> list[str]:
        stage.mine(left(coin, deadline) - blocks)
        return operator.due(stage.node)

    assert wait_until(lateness + 1, "K1.0", windows.assert_timeout) == [f"take1/{stage.vault.name}"]
    assert stage.view.next_event() == stage.view.height + 1
    assert wait_until(lateness, "K1.0", windows.assert_timeout) == ["assert"]
    operator.step(stage.node)
    stage.mine()
    assert wait_until(lateness + 1, "R1.0", windows.reveal_timeout) == ["close/1", "close/2"]
    assert stage.view.next_event() == stage.view.height + 1
    assert wait_until(lateness, "R1.0", windows.reveal_timeout) == ["reveal/1", "reveal/2"]
    watcher = stage.watch()
    stage.mine(lateness - 1)
    assert watcher.due(stage.node) == [], "the last of 144 blocks"
    stage.mine()
    assert watcher.due(stage.node) == ["open_timeout/1", "open_timeout/2"]


def claim_in(stage: Stage, operator: Operator) -> Digits:
    return operator.store.wires(stage.graph.terms.slot)[stage.graph.tree.claim.name]


def test_a_kickoff_is_challenged_unless_it_is_announced_as_the_statement_that_is_known(stage: Stage) -> None:
    operator = stage.kickoff(CASE.honest)
    watcher = stage.watch()
    assert watcher.due(stage.node) == []
    watcher.claim = claim_in(stage, operator)
    assert watcher.due(stage.node) == ["challenge"]
    watcher.hear(operator.announce())
    assert watcher.due(stage.node) == []
    stage.play(until=lambda: stage.outcome == "paid")
    assert "challenge" not in stage.names


def test_another_statement_is_challenged_and_so_are_two(stage: Stage) -> None:
    operator, watcher = stage.kickoff(CASE.other), stage.watch()
    other = stage.open_operator("liar")
    other.commit(CASE.honest)
    watcher.claim = claim_in(stage, other)
    assert watcher.claim != claim_in(stage, operator)
    watcher.hear(operator.announce())
    assert watcher.due(stage.node) == ["challenge"]
    watcher.hear(other.announce())
    assert watcher.due(stage.node) == ["challenge"]


def test_an_announcement_is_the_same_signature_as_the_roots(stage: Stage) -> None:
    operator = stage.open_operator()
    with pytest.raises(BridgeError) as error:
        operator.announce()
    assert error.value.reason is BridgeReason.ORDER
    operator.commit(CASE.honest)
    items = operator.announce()
    assert read(stage.graph.keys["claim"], items) == all_wires(stage.moves, CASE.honest)["claim"]
    witness = [item for txin in operator.sign("assert").tx.inputs for item in txin.witness]
    assert any(tuple(witness[i : i + len(items)]) == items for i in range(len(witness)))


def test_what_is_no_signature_of_the_claim_or_could_not_be_relayed_is_not_kept(stage: Stage) -> None:
    watcher, operator = stage.watch(), stage.open_operator()
    operator.commit(CASE.honest)
    items = operator.announce()
    long = bytes(81)
    key = stage.graph.keys["claim"]
    place = next(i for i, digit in enumerate(claim_in(stage, operator)) if digit == 0)
    last = long
    for _ in range(LAST):
        last = hash160(last)
    links = (*key.links[:place], last, *key.links[place + 1 :])
    graph = copy(stage.graph)
    graph.keys = {**graph.keys, "claim": WinternitzKey(links, key.digits)}
    stretched = (*items[: 2 * place], long, *items[2 * place + 1 :])
    assert read(graph.keys["claim"], stretched) is None
    trusting = stage.watch("trusting")
    trusting.moves = replace(stage.moves, graph=graph)
    for role, announced in ((watcher, items[2:]), (watcher, stretched), (trusting, stretched)):
        with pytest.raises(BridgeError) as error:
            role.hear(announced)
        assert error.value.reason is BridgeReason.SIGNATURE
        assert role.store.seen(stage.graph.terms.slot) == {}


def odd(items: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    """The same value in other encodings, which consensus accepts: a digit not minimal, one above 15."""
    fifteen = next(i for i in range(1, len(items), 2) if items[i] == encode_number(LAST))
    return [
        (*items[:fifteen], item, *items[fifteen + 1 :])
        for item in (encode_number(LAST + 1), encode_number(LAST) + b"\0")
    ]


def test_an_announcement_is_kept_once_a_value_and_as_it_relays(stage: Stage) -> None:
    """Encodings of one statement without end leave room for the statement that was announced."""
    operator, watcher = stage.open_operator(), stage.watch()
    operator.commit(CASE.other)
    liar = stage.open_operator("liar")
    liar.commit(CASE.honest)
    key, slot = stage.graph.keys["claim"], stage.graph.terms.slot
    for items in odd(operator.announce()):
        assert read(key, items) == claim_in(stage, operator)
        watcher.hear(items)
        assert watcher.store.seen(slot) == {"claim": [operator.announce()]}
    watcher.hear(liar.announce())
    assert sorted(watcher.store.seen(slot)["claim"]) == sorted([operator.announce(), liar.announce()])


def test_a_node_revealed_in_odd_encodings_is_read_as_it_relays(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a miner has let pass convicts in a transaction that needs no miner's favour."""
    operator = stage.kickoff(CASE.honest)
    assertion, view = operator.sign("assert").tx, SlotView(stage.node, stage.graph)
    monkeypatch.setattr(SlotView, "commitment", lambda *_: Confirmed(assertion, 1))
    signed = view.wire_signatures(0)
    assert signed["claim"] == operator.announce()
    loose = assertion
    for index, txin in enumerate(assertion.inputs):
        items = txin.witness[:-3][::-1]  # digit, link, digit, link ..
        items = tuple(item + b"\0" if i % 2 == 0 and item else item for i, item in enumerate(items))[::-1]
        loose = loose.with_witness(index, (*items, *txin.witness[-3:]))
    assert loose.inputs[0].witness != assertion.inputs[0].witness
    monkeypatch.setattr(SlotView, "commitment", lambda *_: Confirmed(loose, 1))
    assert view.wire_signatures(0) == signed


def test_a_payout_names_withdrawal_statement_and_slot() -> None:
    claim = (1, 2) * 32
    _, note = payout_outputs(b"\x51", 1_000, 7, claim, "s" * MAX_SLOT_NAME)
    assert len(note.script) == 83  # what nodes relay by default
    assert note.value == 0
    others = [
        payout_outputs(b"\x51", 1_000, 8, claim, "s" * MAX_SLOT_NAME),
        payout_outputs(b"\x51", 1_000, 7, (2, 1) * 32, "s" * MAX_SLOT_NAME),
        payout_outputs(b"\x51", 1_000, 7, claim, "s" * (MAX_SLOT_NAME - 1)),
    ]
    assert len({note.script, *(each[1].script for each in others)}) == 4
    with pytest.raises(BridgeError) as error:
        payout_outputs(b"\x51", 1_000, 7, claim, "s" * (MAX_SLOT_NAME + 1))
    assert error.value.reason is BridgeReason.SHAPE
