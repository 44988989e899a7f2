"""Rows of the memory table: all accesses, sorted by address and time."""

from __future__ import annotations

import numpy as np

from circuits.machine.isa import (
    MEMORY_DRAIN_TS,
    READS_A,
    READS_B,
    READS_D,
    USER_A,
    USER_D,
    WRITES_D,
    Opcode,
)
from circuits.tables.cells import SEED_OFFSET, SEGMENT_CELLS
from circuits.tables.memory import FRAME, KIND_READ, KIND_SEED, KIND_WRITE, MAX_DISTANCE, MemoryColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.cells import WORDS
from circuits.trace.execution import I64, U32, Execution, Steps
from prover.field import P


def collect(steps: Steps, run: Execution) -> I64:
    """(9, m) MEMORY tuples: segment, hi, lo, ts, value4, kind; unsorted."""
    d, a, b, imm0 = steps.instruction[1:5]
    ts = 4 * np.arange(1, steps.pc.size + 1)
    zero = np.zeros_like(ts)
    index = steps.va[0] + 65536 * steps.va[1]
    store = (steps.op == Opcode.STORE).astype(np.int64)
    written = np.isin(steps.op, [int(op) for op in WRITES_D]).astype(np.int64)

    def tuples(segment: I64, hi: I64, lo: I64, time: I64, value: I64, kind: I64, at: I64) -> I64:
        return np.stack([segment, hi, lo, time, *value, kind])[:, at]

    file_a, file_d = steps.file_of(USER_A), steps.file_of(USER_D)
    cells = SEGMENT_CELLS + steps.space
    return np.concatenate(
        [
            tuples(zero, file_a, a, ts, steps.va, zero, steps.where(*READS_A)),
            tuples(zero, file_a, b, ts + 1, steps.vb, zero, steps.where(*READS_B)),
            tuples(cells, index, imm0, ts + 2, steps.vc, store, steps.where(Opcode.LOAD, Opcode.STORE)),
            tuples(zero, file_d, d, ts + 3, steps.vc, written, steps.where(*READS_D, *WRITES_D)),
            _cells(run),
            _shadows(run),
        ],
        axis=1,
    )


def _cells(run: Execution) -> I64:
    """A seed and a drain of each word of a touched cell."""
    count = WORDS * run.cell_indices.size
    rows = np.zeros((2, 9, count), dtype=np.int64)
    rows[:, 0], rows[:, 1] = SEGMENT_CELLS, np.repeat(run.cell_indices, WORDS)
    rows[:, 2] = np.tile(np.arange(WORDS), run.cell_indices.size)
    rows[0, 3], rows[1, 3] = SEED_OFFSET, MEMORY_DRAIN_TS
    rows[0, 4:8], rows[1, 4:8] = run.cells_before.reshape(count, 4).T, run.cells_after.reshape(count, 4).T
    rows[0, 8], rows[1, 8] = KIND_SEED, KIND_READ
    return np.concatenate(list(rows), axis=1)


def _shadows(run: Execution) -> I64:
    """A read in the ledger and a seed of each word in a shadow."""
    shadows = run.shadows
    space = shadows.space.astype(np.int64)
    rows = np.zeros((2, 9, space.size), dtype=np.int64)
    rows[0, 0], rows[1, 0] = SEGMENT_CELLS, SEGMENT_CELLS + space
    rows[:, 1], rows[:, 2], rows[:, 3] = shadows.cell, shadows.word, 4 * space + SEED_OFFSET
    rows[:, 4:8] = shadows.seed.T
    rows[0, 8], rows[1, 8] = KIND_READ, KIND_SEED
    return np.concatenate(list(rows), axis=1)


def generate(accesses: I64, height: int) -> U32:
    """The table.

    Raises:
        CapacityError: no room for the accesses.
        ValueError: a register or word number of 256 or more.
    """
    m = accesses.shape[1]
    check_capacity("memory", m, height)
    segment, hi, lo, ts = accesses[:4]
    if m and int(lo.max()) >= FRAME:
        raise ValueError(f"memory: register or word number {int(lo.max())}")
    address = segment << 39 | hi << 8 | lo  # 18 + 31 + 8 bits
    order = np.lexsort((ts, address))
    segment, hi, lo, ts = accesses[:4, order]
    address, kind = address[order], accesses[8, order]

    rows = np.zeros((MemoryColumns.width, height), dtype=np.uint32)
    table = MemoryColumns(list(rows))  # views of rows, by name
    starts = np.ones(m, dtype=bool)
    starts[1:] = address[1:] != address[:-1]
    table.segment[:m], table.hi[:m], table.lo[:m], table.ts[:m] = segment, hi, lo, ts
    rows[MemoryColumns.value.start : MemoryColumns.value.start + 4, :m] = accesses[4:8, order]
    table.is_write[:m] = kind == KIND_WRITE
    table.is_seed[:m] = kind == KIND_SEED
    table.first_register[:m] = starts & (segment == 0)
    table.first_register[0] |= m == 0  # row 0 starts a run, of no access
    table.real[:m] = 1

    key = FRAME * hi + lo
    difference = np.where(starts[1:], np.diff(key), np.diff(ts)) - 1
    difference[starts[1:] & (segment[1:] != 0)] = 0
    # what is out of range is left so: the constraints will not hold
    between = slice(difference.size)
    table.diff_low[between] = np.where(difference < MAX_DISTANCE, difference & 0xFFFF, difference % P)
    for i, bit in enumerate(table.diff_high):
        bit[between] = np.where(difference < MAX_DISTANCE, difference >> 16 + i & 1, 0)
    return rows
