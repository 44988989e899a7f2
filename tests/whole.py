"""The whole statement over small real batches: transfers and the like, and one with everything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from circuits.rollup.batch import Batch
from circuits.rollup.execute import execute_batch
from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import build_sample
from circuits.rollup.transition import Transition
from circuits.statement import heights, system
from circuits.witness import Witness, witness
from prover.air.check import Violations, check
from prover.prove import prove
from tests.examples.signed import signed_batch
from verifier.fast.verify import fast_verifier
from verifier.pipeline import proving_key
from verifier.stark.verify import verify

U32 = NDArray[np.uint32]
SHAPE = "small"


@dataclass(frozen=True)
class Whole:
    """A batch, executed, with its tables."""

    ledger: Ledger
    batch: Batch
    transition: Transition
    witness: Witness
    tables: dict[str, U32]
    public_values: tuple[int, ...]

    def copy(self) -> dict[str, U32]:
        """Tables to tamper with."""
        return {name: table.copy() for name, table in self.tables.items()}


def whole(ledger: Ledger, batch: Batch) -> Whole:
    """Executes and fills the tables of a batch."""
    transition = execute_batch(ledger, batch).transition
    done = witness(transition)
    return Whole(ledger, batch, transition, done, done.tables(SHAPE), done.public_values)


@cache
def honest() -> Whole:
    """Six transfers, a withdrawal, a deposit into a new purse."""
    cells, batch = build_sample(6, 1)
    return whole(Ledger.of_cells(cells), batch)


@cache
def everything() -> Whole:
    """A batch with every kind of transaction and event, and with programs that use every instruction."""
    cells, batch = signed_batch()
    return whole(Ledger.of_cells(cells), batch)


def prove_and_verify(done: Whole, preset: str = "fast") -> bytes:
    """The proof of a batch, accepted by both verifiers."""
    key = proving_key(preset, SHAPE)
    data = prove(key, done.tables, done.public_values).encode()
    verify(key.verifying_key, data, done.public_values)
    fast_verifier(key.verifying_key).verify(data, done.public_values)
    return data


@cache
def fixed_columns() -> dict[str, U32]:
    """Preprocessed columns of the shape, made once."""
    logs = {name: height.bit_length() - 1 for name, height in heights(SHAPE).items()}
    return {
        air.name: np.asarray(air.fixed_columns(logs[air.name]), np.uint32)
        for air in system().airs
        if air.Fixed.width
    }


def check_all(tables: dict[str, U32], public_values: tuple[int, ...]) -> Violations:
    """`prover.air.check.check` on the whole statement, everything named."""
    return check(system(), tables, public_values, fixed=fixed_columns(), limit=1000)
