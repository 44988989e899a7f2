"""From a batch to the tables: execute, run the kernel, fill every table of a shape."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from circuits.machine.executor import CellArrays, MachineRun, run
from circuits.machine.isa import EXIT_LEVEL, Opcode
from circuits.machine.kernel import kernel
from circuits.rollup.cells import words_of
from circuits.rollup.transition import Transition
from circuits.statement import SHAPES, heights
from circuits.trace import chain, machine, p16, p24
from circuits.trace.capacity import CapacityError
from circuits.trace.p24 import CellUpdates
from circuits.trace.signatures import SignatureBatch

U32 = NDArray[np.uint32]


class WitnessError(ValueError):
    """The kernel and the specification disagree on a batch: a defect of pegproof, never of the batch."""


@dataclass(frozen=True)
class Witness:
    """A batch, run by the kernel, ready to be laid out.

    Attributes:
        transition: what the specification says the batch does.
        run: the kernel's steps.
        signatures: the signatures, walked.
        rows: rows needed of each table.
        seconds: by step.
    """

    transition: Transition
    run: MachineRun
    signatures: SignatureBatch
    rows: Mapping[str, int]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def public_values(self) -> tuple[int, ...]:
        """The flat public values of the statement."""
        return self.transition.public_values.elements()

    def smallest_shape(self) -> str:
        """The first shape that holds the batch.

        Raises:
            CapacityError: not even the largest one does; names the fullest table.
        """
        for name in SHAPES:
            if all(rows <= heights(name)[table] for table, rows in self.rows.items()):
                return name
        largest = heights(SHAPES[-1])
        table = max(self.rows, key=lambda name: self.rows[name] / largest[name])
        raise CapacityError(table, self.rows[table], largest[table])

    def tables(self, shape: str) -> dict[str, U32]:
        """Every table of the statement, filled; name -> (width, height).

        Raises:
            CapacityError: a table of the shape is too small.
        """
        height = heights(shape)
        traces = machine.generate(self.run, kernel().rom_columns(), height)
        cells = CellUpdates(self.run.cell_indices, self.run.cells_before, self.run.cells_after)
        return {
            "p16": p16.generate(self.signatures, _trees(self.transition), height["p16"]),
            "p24": p24.generate(traces.hashes[:21], cells, self.signatures, height["p24"]),
            "chain": chain.generate(self.signatures, height["chain"]),
            **traces.tables,
        }


def _trees(transition: Transition) -> p16.Trees:
    return ((0, transition.state_update), (EXIT_LEVEL, transition.exit_update))


def witness(transition: Transition) -> Witness:
    """Runs the kernel on a batch and checks that it agrees with the specification.

    Raises:
        WitnessError: it does not.
        MachineError: the kernel refuses a batch that the specification accepts.
    """
    start = time.perf_counter()
    cells = {index: words_of(cell) for index, cell in transition.cells_before.items() if cell is not None}
    done = run(kernel(), CellArrays.from_mapping(cells), transition.tape, programs=transition.programs)
    _check(transition, done)
    ran = time.perf_counter()
    signatures = SignatureBatch.from_claims(transition.signatures)
    walked = time.perf_counter()
    updates = CellUpdates(done.cell_indices, done.cells_before, done.cells_after)
    rows = machine.rows_needed(done, kernel().rom_columns())
    hashes = np.zeros((21, _count_hashes(done)), dtype=np.uint32)
    rows |= {
        "p16": p16.rows_needed(signatures, _trees(transition)),
        "p24": p24.rows_needed(hashes, updates, signatures),
        "chain": chain.rows_needed(signatures),
    }
    return Witness(
        transition, done, signatures, rows, {"kernel": ran - start, "signature chains": walked - ran}
    )


def _count_hashes(done: MachineRun) -> int:
    return int((done.instruction[0] == Opcode.HASH).sum()) + sum(len(x.code) for x in done.programs)


def _check(transition: Transition, done: MachineRun) -> None:
    """Public words, exits and cells of both sides are equal."""
    words = transition.public_values.words()
    _same("public words", words, done.public.tolist())
    exits = sorted(transition.exits.items())
    _same("exits", [digest for _, digest in exits], done.exit_leaves.tolist())
    after = transition.cells_after
    _same("touched cells", sorted(after), done.cell_indices.tolist())
    for index, got in zip(done.cell_indices.tolist(), done.cells_after.tolist(), strict=True):
        expected = words_of(after[index])
        if expected != tuple(map(tuple, got)):  # most are equal, and this is the faster way to see it
            _same(f"cell {index}", expected, got)


def _same(what: str, expected: Sequence[Sequence[int]] | Sequence[int], got: Sequence[object]) -> None:
    def plain(item: object) -> object:
        return tuple(plain(part) for part in item) if isinstance(item, Sequence) else int(item)  # type: ignore[call-overload]

    if plain(expected) != plain(got):
        raise WitnessError(f"{what}: the specification has {plain(expected)}, the kernel {plain(got)}")
