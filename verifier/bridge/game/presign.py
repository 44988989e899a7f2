"""What the committee signs at set-up, in the order that keeps every member safe (rule 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from verifier.bitcoin.encoding import tagged_hash
from verifier.bitcoin.keys import verify_schnorr
from verifier.bitcoin.musig import Tweak
from verifier.bitcoin.taproot import TaprootOutput
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import ROOT, SlotGraph
from verifier.bridge.game.template import Coin, Signer, Template
from verifier.bridge.game.vault import Deposit
from verifier.bridge.tree import Node, runs

NO_LEAF: Final = -1
PART_SIGNATURES: Final = 1_000
"""About as many are signed in one session of a large slot."""


class Signatures(Protocol):
    """Signatures by where they belong: a dictionary, or what makes them when they are asked for."""

    def get(self, slot: Slot, /) -> bytes | None:
        """A signature, if set-up left one."""

    def __contains__(self, slot: object, /) -> bool:
        """Whether it left one."""


class Phase(IntEnum):
    """Each is complete at every member before a share of the next is released."""

    PROTECT = 1
    """Penalties: time-outs and disproofs."""
    ANSWER = 2
    """The operator's assertion, reveals and closes."""
    PAY = 3
    """Takes, and the peg-in of the vault that they spend."""


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """Where a signature belongs: an input of a template, and the leaf where several may be used."""

    template: str
    index: int
    leaf: int = NO_LEAF


@dataclass(frozen=True, slots=True)
class Request:
    """A signature of the committee.

    Attributes:
        slot: where it belongs.
        message: the sighash.
        key: the output whose key path is signed; None for a leaf, which names P itself.
    """

    slot: Slot
    message: bytes
    key: TaprootOutput | None

    @property
    def tweaks(self) -> tuple[Tweak, ...]:
        """What turns P into the key that signs."""
        if self.key is None:
            return ()
        root = b"" if self.key.tree is None else self.key.tree.root
        return (Tweak(tagged_hash("TapTweak", self.key.internal_key + root)),)

    def holds(self, committee: bytes, signature: bytes) -> bool:
        """Whether a signature answers it."""
        return verify_schnorr(self.key.key if self.key else committee, self.message, signature)


def requests_of(template: Template, chosen: tuple[bytes, ...] = ()) -> Iterator[Request]:
    """The committee's inputs of a template; `chosen`: leaf hashes where the leaf is chosen later."""
    for index, each in enumerate(template.inputs):
        if each.signer is not Signer.COMMITTEE:
            continue
        if each.leaf == NO_LEAF:
            for number, leaf in enumerate(chosen):
                yield Request(Slot(template.name, index, number), template.message(index, leaf), None)
        else:
            key = each.coin.output if each.leaf is None else None
            yield Request(Slot(template.name, index), template.message(index), key)


def protect_requests(graph: SlotGraph, nodes: Sequence[Node] | None = None) -> Iterator[Request]:
    """The penalties of some nodes, or of all."""
    for node in graph.nodes if nodes is None else nodes:
        if node.index == ROOT:
            yield from requests_of(graph.assert_timeout())
        else:
            yield from requests_of(graph.open_timeout(node.index))
        if node.num_leaves:
            yield from requests_of(graph.disprove(node.index), graph.scripts[node.index].leaves)


def answer_requests(graph: SlotGraph, nodes: Sequence[Node] | None = None) -> Iterator[Request]:
    """What the operator needs to survive in some nodes, or in all."""
    for node in graph.nodes if nodes is None else nodes:
        if node.index == ROOT:
            yield from requests_of(graph.assertion())
        else:
            yield from requests_of(graph.reveal(node.index))
            yield from requests_of(graph.close(node.index))


def answer_slots(graph: SlotGraph, node: int) -> Iterator[Slot]:
    """Where the signatures of `answer_requests` belong, found without making a transaction."""
    groups = graph.groups(node)
    if node == ROOT:
        yield from (Slot("assert", index) for index in range(groups + 1))
    else:
        yield from (Slot(f"reveal/{node}", index) for index in range(groups))
        yield Slot(f"close/{node}", 1)


def parts(graph: SlotGraph, phase: Phase) -> list[tuple[int, int]]:
    """A phase cut into runs of nodes that are signed one by one, so that a cut costs one of them; PAY is not cut."""
    if phase is Phase.PAY:
        return [(0, 0)]
    if phase is Phase.PROTECT:
        weights = [3 + node.num_leaves for node in graph.nodes]
    else:
        weights = [1 + graph.groups(node.index) for node in graph.nodes]
    return runs(weights, PART_SIGNATURES)


def pay_requests(graph: SlotGraph, vault: Coin) -> Iterator[Request]:
    """Both takes of a vault."""
    yield from requests_of(graph.take1(vault))
    yield from requests_of(graph.take2(vault))


def pegin_requests(deposit: Deposit) -> Iterator[Request]:
    """Moving a deposit into its vault."""
    yield from requests_of(deposit.pegin())


def check_complete(requests: Iterator[Request], signatures: Signatures, committee: bytes, what: str) -> None:
    """Verifies that every request is answered.

    Raises:
        BridgeError: ORDER where one is missing, SIGNATURE where one does not hold.
    """
    for request in requests:
        signature = signatures.get(request.slot)
        if signature is None:
            raise BridgeError(BridgeReason.ORDER, f"{what}: {request.slot} is not signed yet")
        if not request.holds(committee, signature):
            raise BridgeError(BridgeReason.SIGNATURE, f"{what}: {request.slot}")
