"""What can be claimed over a tree: what a proof file says, whether it is true, and what a dispute about it opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from prover.field import P
from prover.key import VerifyingKey
from prover.proof import ProofFormatError, split
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.chunks.statement import claim_of, known_state
from verifier.bridge.chunks.steps import Kind
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.bisect import Bisection
from verifier.bridge.game.params import PRICED_QUERIES
from verifier.bridge.game.plans import Plan, by_lot, ways_to, whole, within_reach
from verifier.bridge.game.search import Search, investigate
from verifier.bridge.toy import ToyExecution, ToyTree, claim_of_digests
from verifier.bridge.tree import Digits, Execution, values_of
from verifier.pipeline import identify, verify_proof
from verifier.stark.reasons import VerificationError

Statement = tuple[int, ...]
"""What a proof says, as integers in a row: public values, of the toy the bytes of its digests."""


class Claims(Protocol):
    """Proofs and statements of one tree."""

    @property
    def statement_nodes(self) -> Sequence[int]:
        """The nodes whose leaves tie the claim to the statement, and the statement to what set-up knows."""

    def claim(self, statement: Statement) -> Digits:
        """What the root commits to for a statement.

        Raises:
            BridgeError: MESSAGE where these are no public values of the tree's system.
        """

    def is_known(self, statement: Statement) -> bool:
        """Whether it starts from what set-up knows of the L2 state."""

    def statement(self, proof: bytes) -> Statement:
        """What a proof file says, true or not.

        Raises:
            BridgeError: PROOF where it is of another shape, or malformed.
        """

    def check(self, proof: bytes) -> None:
        """Accepts a proof that verifies and starts from the known state: nothing convicts who asserts it.

        Raises:
            BridgeError: PROOF.
        """

    def execution(self, proof: bytes) -> Execution:
        """The wires of a proof, true or not.

        Raises:
            BridgeError: PROOF where it is of another shape, or malformed.
        """

    def plan(self, proof: bytes | None, lot: bytes) -> Plan:
        """What a watcher opens, whichever proof is asserted.

        Args:
            proof: that it has, true or not; None if it has none.
            lot: its secret, which draws what it opens without the asserted proof's data.
        """


@dataclass(frozen=True)
class VerifierClaims:
    """`Claims` over the tree of a verifying key.

    Attributes:
        tree: of the key and of what is known.
        key: of the proofs.
        form: preset and shape.
        ledger: the state root from which the batch must start; empty where set-up knows none.
    """

    tree: ChunkTree
    key: VerifyingKey
    form: tuple[str, str]
    ledger: Sequence[int]

    @cached_property
    def statement_nodes(self) -> Sequence[int]:
        """See `Claims.statement_nodes`."""
        lowered = self.tree.lowered
        start, length = self.tree.program.public
        found = []
        for node, leaves in enumerate(self.tree.leaves):
            for leaf in leaves:
                makes = any(run.words == lowered.claim for run in leaf.chunk.writes)
                compares = any(
                    step.kind is Kind.EQUAL and start <= step.args[0][0] < start + length
                    for step in leaf.chunk.steps
                )
                if makes or compares:
                    found.append(node)
        return tuple(dict.fromkeys(found))

    def claim(self, statement: Statement) -> Digits:
        """See `Claims.claim`."""
        _, length = self.tree.program.public
        if len(statement) != length or not all(0 <= value < P for value in statement):
            raise BridgeError(BridgeReason.MESSAGE, f"a statement has {length} elements below p")
        return claim_of(self.key, statement)

    def is_known(self, statement: Statement) -> bool:
        """See `Claims.is_known`."""
        return all(statement[place] == value for place, value in known_state(self.ledger).items())

    def statement(self, proof: bytes) -> Statement:
        """See `Claims.statement`."""
        try:
            file = identify(proof)
            if (file.preset, file.shape) != self.form:
                raise BridgeError(
                    BridgeReason.PROOF,
                    f"it is of preset {file.preset}, shape {file.shape}; "
                    f"this slot takes preset {self.form[0]}, shape {self.form[1]}",
                )
            return tuple(file.public_elements)
        except VerificationError as error:
            raise BridgeError(BridgeReason.PROOF, str(error)) from error

    def check(self, proof: bytes) -> None:
        """See `Claims.check`."""
        if not self.is_known(self.statement(proof)):
            raise BridgeError(
                BridgeReason.PROOF, "its batch does not start from the ledger that set-up knows"
            )
        try:
            verify_proof(identify(proof))
        except VerificationError as error:
            raise BridgeError(BridgeReason.PROOF, str(error)) from error

    def execution(self, proof: bytes) -> Replay:
        """See `Claims.execution`. A word that is not below p can be asserted, so it is replayed: a leaf convicts."""
        self.statement(proof)
        try:
            public_values, words = split(proof, self.key.layout)
        except ProofFormatError as error:
            raise BridgeError(BridgeReason.PROOF, str(error)) from error
        return Replay(self.tree, words, public_values)

    def plan(self, proof: bytes | None, lot: bytes) -> Plan:
        """See `Claims.plan`: bisection where the proof fits, else search."""
        bisection = None if proof is None else Bisection(self.tree, self.execution(proof))
        return investigate(Search(self.tree, lot, index=bisection), bisection)


@dataclass(frozen=True)
class ToyClaims:
    """`Claims` over the small tree: a proof is the blocks behind its digests, and set-up knows nothing."""

    tree: ToyTree

    @property
    def statement_nodes(self) -> Sequence[int]:
        """The root."""
        return (0,)

    def claim(self, statement: Statement) -> Digits:
        """See `Claims.claim`."""
        try:
            return claim_of_digests(self.tree, bytes(statement))
        except ValueError as error:
            raise BridgeError(BridgeReason.MESSAGE, str(error)) from error

    def is_known(self, statement: Statement) -> bool:
        """Always: it starts from nowhere."""
        return True

    def statement(self, proof: bytes) -> Statement:
        """See `Claims.statement`."""
        return tuple(b"".join(self.execution(proof).digests))

    def check(self, proof: bytes) -> None:
        """See `Claims.check`."""
        fault = self.execution(proof).fault()
        if fault is not None:
            raise BridgeError(BridgeReason.PROOF, f"it is false at {self.tree.nodes[fault].name}")

    def execution(self, proof: bytes) -> ToyExecution:
        """See `Claims.execution`."""
        try:
            return ToyExecution.decode(self.tree, proof)
        except ValueError as error:
            raise BridgeError(BridgeReason.PROOF, str(error)) from error

    def plan(self, proof: bytes | None, lot: bytes) -> Plan:
        """See `Claims.plan`: to the node that is wrong where the proof fits, else whole queries by lot."""
        drawn = whole(self.tree.nodes, by_lot(self.tree.nodes, lot, PRICED_QUERIES))
        execution = None if proof is None else self.execution(proof)

        def plan(revealed: Sequence[int], committed: Mapping[str, Digits]) -> tuple[list[int], list[int]]:
            nodes = self.tree.nodes
            if execution is None or any(
                committed[name] != value for name, value in values_of(nodes[0], execution).items()
            ):
                return within_reach(nodes, drawn, revealed), []
            fault = execution.fault()
            return within_reach(nodes, ways_to(nodes, [] if fault is None else [fault]), revealed), []

        return plan
