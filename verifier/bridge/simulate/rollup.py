"""The rollup's own proof as a case: a real batch at shape small, all queries, 128 bits, over the verifier's whole tree.

A batch of transfers and a withdrawal is executed, proven and replayed once; a lie is proven and replayed when somebody
tells it. Whatever the game commits to, it commits to with the values of these proofs.
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from functools import cached_property
from typing import Final

from circuits.rollup.batch import Batch
from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import build_sample
from circuits.rollup.transition import apply
from circuits.witness import witness
from prover.prove import prove
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.chunks.statement import known_state
from verifier.bridge.simulate.cases import ProofCase
from verifier.bridge.simulate.lies import Lie, prove_falsely
from verifier.bridge.tree import Execution
from verifier.pipeline import DEFAULT_PRESET, proving_key

SHAPE: Final = "small"
TRANSFERS: Final = 6
SEED: Final = 1


def rollup_proof(kind: str) -> bytes:
    """A proof file of the sample batch: honest, false, withheld, or of its shorter self (`other`)."""
    cells, batch = build_sample(TRANSFERS, SEED)
    if kind == "other":
        batch = _shorter(batch)
    made = witness(apply(Ledger.of_cells(cells), batch))
    proof = prove(proving_key(DEFAULT_PRESET, SHAPE), made.tables(SHAPE), made.public_values)
    words = array("I", proof.words)
    if kind == "false":
        words[-1] ^= 1
    if kind == "withheld":
        words[:8] = array("I", [0x5A5A5A5A] * 8)
    return replace(proof, words=words).encode()


def _shorter(batch: Batch) -> Batch:
    return replace(batch, transactions=batch.transactions[:-1])


class RollupCase(ProofCase):
    """A batch, proven; and false proofs of the same batch.

    Args:
        tree: of the shape; made when None.
    """

    def __init__(self, tree: ChunkTree | None = None) -> None:
        self.key = proving_key(DEFAULT_PRESET, SHAPE)
        cells, self.batch = build_sample(TRANSFERS, SEED)
        self.ledger = Ledger.of_cells(cells)
        made = witness(apply(self.ledger, self.batch))
        proof = prove(self.key, made.tables(SHAPE), made.public_values)
        bits = self.key.verifying_key.security().proven_bits
        tree = tree or ChunkTree.of(self.key.verifying_key, known_state(made.public_values[:8]))
        super().__init__(tree, proof.words, proof.public_values, bits)
        self._told: dict[str, tuple[Replay, int]] = {}

    @cached_property
    def other(self) -> Execution:
        """The batch without its last transaction, from the same ledger: true as well, and not what was announced."""
        made = witness(apply(self.ledger, _shorter(self.batch)))
        proof = prove(self.key, made.tables(SHAPE), made.public_values)
        return Replay(self.tree, proof.words, proof.public_values)

    def told(self, lie: Lie) -> tuple[Replay, int]:
        """The run of a proof of a lie, and the node that convicts it."""
        if lie.name not in self._told:
            proof = prove_falsely(self.key, lie.tell(self.ledger, self.batch, SHAPE))
            replay = Replay(self.tree, proof.words, proof.public_values)
            self._told[lie.name] = replay, self.fault_of(replay)
        return self._told[lie.name]
