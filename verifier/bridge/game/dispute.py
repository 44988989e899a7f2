"""A dispute over a proof file, without a chain: it is right, a leaf convicts it, or it is no proof of this slot at all.

A file that cannot be cut into the words of this key's proofs has no wires: nobody can replay it, and its operator has
nothing to commit. To the game it is a proof that was not published. Whoever watches challenges the kickoff; then the
operator asserts some words, which are judged as any are, or says nothing, and is convicted by time-out.
An element that is not below p is no such case: it is a word like others, and the leaf that checks it convicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from prover.key import VerifyingKey
from prover.proof import ProofFormatError, split
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import leaf_hash
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.bridge.chunks.accuse import accuse
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.bisect import Bisection, Conviction
from verifier.bridge.game.scripts import leaves_output
from verifier.fast.verify import verify
from verifier.script.script import encode_number
from verifier.script.winternitz import public_keys, sign
from verifier.stark.reasons import RejectReason, VerificationError


class Outcome(StrEnum):
    """How a dispute over a file ends."""

    RIGHT = "right"
    CONVICTED = "convicted"
    NO_PROOF = "no proof"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of a file.

    Attributes:
        outcome: how a dispute over it ends.
        refusal: the verifier's, None where it accepts.
        conviction: the leaf and the way to it, where one convicts.
    """

    outcome: Outcome
    refusal: VerificationError | None = None
    conviction: Conviction | None = None


class Court:
    """Judges proof files against one key, as a slot has it. The tree is made when a file is worth it.

    Args:
        key: of the slot.
        known: what set-up knows of the statement (`statement.known_state`).
    """

    def __init__(self, key: VerifyingKey, known: Mapping[int, int] | None = None) -> None:
        self.key, self._known = key, known
        self._bisection: Bisection | None = None

    @cached_property
    def tree(self) -> ChunkTree:
        """Of the key, and of what is known."""
        return ChunkTree.of(self.key, self._known)

    def judge(self, data: bytes) -> Judgement:
        """Verifies a file, and finds the leaf that convicts it if it is false.

        Raises:
            BridgeError: NO_FAULT where the verifier refuses and no leaf convicts, which would be a defect.
        """
        try:
            public_values, words = split(data, self.key.layout)
        except ProofFormatError as error:
            reason = RejectReason[error.reason.name]
            refused = VerificationError(reason, error.where, error.expected, error.got)
            return Judgement(Outcome.NO_PROOF, refused)
        refusal: VerificationError | None = None
        try:
            verify(self.key, data, public_values, min_bits=0)
        except VerificationError as error:
            refusal = error
        conviction = self.bisection(Replay(self.tree, words, public_values)).convict()
        if conviction is not None:
            return Judgement(Outcome.CONVICTED, refusal, conviction)
        if refusal is not None:
            raise BridgeError(BridgeReason.NO_FAULT, f"yet the verifier refuses the proof: {refusal}")
        return Judgement(Outcome.RIGHT)

    def bisection(self, replay: Replay) -> Bisection:
        """Over a run of any proof; all share the index of the tree's leaves."""
        if self._bisection is None:
            self._bisection = Bisection(self.tree, replay)
        return self._bisection.of(replay)


def disproof(tree: ChunkTree, found: Conviction, seed: bytes) -> Spending:
    """The output of the node's leaves, spent by the leaf that convicts, under one-time keys of a seed.

    In a slot the committee signs for the leaf too, and the stake is a second input (`Moves.disprove`).
    """
    index, leaf = found.node.index, tree.leaves[found.node.index][found.number]
    read = {name: None for each in tree.leaves[index] for name in tree.wire_names(each)}
    labels = [(name.encode(), len(found.committed[name])) for name in read]
    keys = dict(zip(read, public_keys(seed, labels), strict=True))
    output = leaves_output(
        leaf_hash(tree.leaf(index, number, keys)) for number in range(found.node.num_leaves)
    )
    hints = accuse(tree, leaf, found.committed) or []
    items = [encode_number(hint) for hint in reversed(hints)]
    for name in reversed(tree.wire_names(leaf)):
        items += sign(seed, name.encode(), found.committed[name])
    code = tree.leaf(index, found.number, keys)
    witness = (*items, code, output.control_block(found.number))
    tx = Transaction(2, (TxIn(OutPoint(bytes(32), 0), 1, witness=witness),), (TxOut(330, output.script),), 0)
    return Spending(tx, (TxOut(1_000, output.script),))
