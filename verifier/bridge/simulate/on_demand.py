"""A slot for a large tree, of which a simulation makes what it touches: one-time keys, scripts, signatures.

Everything has the bytes that a finished set-up would have: keys follow from the seed, a MuSig2 session of the same
members signs the same messages. What a simulation leaves out is set-up itself, its order and its refusals: those are
scenario 19's, over the small tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from verifier.bitcoin.keys import public_key, sign_schnorr, xonly_key
from verifier.bitcoin.musig import Aggregate
from verifier.bitcoin.musig_session import Batch, Job, Member, combine
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.errors import BridgeError
from verifier.bridge.game.graph import SlotGraph, Terms
from verifier.bridge.game.lazy import LazyGraph
from verifier.bridge.game.moves import Moves, wire_label
from verifier.bridge.game.params import Amounts, Windows
from verifier.bridge.game.presign import NO_LEAF, Request, Slot, requests_of
from verifier.bridge.game.template import Signer, Template
from verifier.bridge.game.vault import Deposit
from verifier.bridge.simulate.setup import (
    COMMITTEE_SIZE,
    SLOT,
    BankCoin,
    SetUp,
    committee_secrets,
    place,
    script_of,
    secret_of,
)
from verifier.bridge.tree import OpeningTree, Wire, depth
from verifier.script.winternitz import WinternitzKey, public_keys


class NodeKeys(Mapping[str, WinternitzKey]):
    """One-time public keys of a tree's wires, a node's all at once when one of them is asked for.

    Args:
        tree: whose wires.
        slot: part of every label.
        seed: the operator's.
    """

    def __init__(self, tree: OpeningTree, slot: str, seed: bytes) -> None:
        self._slot, self._seed = slot, seed
        self._wires: dict[str, Sequence[Wire]] = {}
        for node in tree.nodes:
            wires = [wire for group in node.wires for wire in group]
            self._wires.update((wire.name, wires) for wire in wires)
        self._made: dict[str, WinternitzKey] = {}

    def __getitem__(self, name: str) -> WinternitzKey:
        if name not in self._made:
            wires = self._wires[name]
            keys = public_keys(self._seed, [(wire_label(self._slot, w.name), w.digits) for w in wires])
            self._made.update((wire.name, key) for wire, key in zip(wires, keys, strict=True))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._wires)

    def __len__(self) -> int:
        return len(self._wires)


class Signatures:
    """The committee's and the operator's signatures of set-up, each made in a session of its own when asked for.

    Args:
        graph: of the slot.
        deposits: whose vaults are taken.
        secrets: the committee's.
    """

    def __init__(self, graph: SlotGraph, deposits: Sequence[Deposit], secrets: Sequence[bytes]) -> None:
        self._graph, self._secrets = graph, list(secrets)
        self._vaults = {deposit.vault.name: deposit.vault for deposit in deposits}
        self._pegins = {deposit.pegin().name: deposit.pegin() for deposit in deposits}
        self._keys = [public_key(secret) for secret in secrets]
        self._made: dict[Slot, bytes] = {}

    def get(self, slot: Slot, /) -> bytes | None:
        """A signature; None where set-up makes none."""
        if slot not in self._made:
            template = self._template(slot.template)
            if template is None or not 0 <= slot.index < len(template.inputs):
                return None
            signer = template.inputs[slot.index].signer
            if signer is Signer.OPERATOR:
                self._made[slot] = sign_schnorr(
                    secret_of("operator"), template.message(slot.index), bytes(32)
                )
            elif signer is Signer.COMMITTEE:
                self._made.update(self._session(list(self._requests(template, slot))))
        return self._made.get(slot)

    def __contains__(self, slot: object, /) -> bool:
        """Whether set-up would make it; makes nothing."""
        return isinstance(slot, Slot) and slot.template.partition("/")[0] in _KINDS

    def _template(self, name: str) -> Template | None:
        kind, _, rest = name.partition("/")
        if name in self._pegins:
            return self._pegins[name]
        if kind in ("take1", "take2"):
            vault = self._vaults.get(rest)
            if vault is None:
                return None
            return self._graph.take1(vault) if kind == "take1" else self._graph.take2(vault)
        try:
            return self._graph.template(name)
        except BridgeError:
            return None

    def _requests(self, template: Template, slot: Slot) -> Iterator[Request]:
        """All of a template; of a disproof's leaves only the one that is asked for."""
        if slot.leaf == NO_LEAF:
            yield from requests_of(template)
        elif template.kind == "disprove" and template.inputs[slot.index].leaf == NO_LEAF:
            hashes = self._graph.scripts[int(template.name.partition("/")[2])].leaves
            if 0 <= slot.leaf < len(hashes):
                yield Request(slot, template.message(slot.index, hashes[slot.leaf]), None)

    def _session(self, requests: Sequence[Request]) -> dict[Slot, bytes]:
        """Both rounds among all members."""
        if not requests:
            return {}
        jobs = Batch(self._keys, [Job(request.message, request.tweaks) for request in requests])
        members = [Member(jobs, secret) for secret in self._secrets]
        nonces = [member.nonces for member in members]
        made = combine(jobs, nonces, [member.sign(nonces) for member in members])
        return {request.slot: raw for request, raw in zip(requests, made, strict=True)}


_KINDS: Final = frozenset(
    ("assert", "assert_timeout", "challenge", "close", "disprove", "open", "open_timeout", "reveal")
)


def lazy_graph(
    tree: OpeningTree, progress: Callable[[str, float], None] = lambda step, share: None
) -> LazyGraph:
    """A slot's graph before its outpoint is known: everything measured, nothing made."""
    committee = Aggregate([public_key(secret) for secret in committee_secrets(COMMITTEE_SIZE)]).key
    nowhere, operator = OutPoint(bytes(32), 0), xonly_key(secret_of("operator"))
    windows = Windows.longest(depth(tree.nodes))
    terms = Terms(SLOT, committee, operator, nowhere, script_of("pot"), windows, Amounts())
    keys = NodeKeys(tree, SLOT, secret_of("one-time keys"))
    graph = LazyGraph(terms, tree, keys, progress=lambda share: progress("scripts", share))
    return graph.at(nowhere, Windows.for_tree(depth(tree.nodes), graph.widest_level_vbytes))


def lazy_setup(graph: LazyGraph, coin: BankCoin | None = None) -> SetUp:
    """A slot over a large tree: coins and deposits at once, everything of a node when it is touched.

    Args:
        graph: serves any number of slots, one after another.
        coin: see `make_setup`.
    """
    placed, bank, deposits, deposit_txs = place(graph, coin)
    moves = Moves(placed, Signatures(placed, deposits, committee_secrets(COMMITTEE_SIZE)))
    return SetUp(graph.tree, moves, deposits, deposit_txs, bank)
