"""Rows of the memory table: all accesses, sorted by address and time, behind a header row."""

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
from circuits.tables.memory import FRAME, KIND_DRAIN, KIND_READ, KIND_SEED, KIND_WRITE, MemoryColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.cells import WORDS
from circuits.trace.execution import I64, U32, Execution, Steps


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
    rows[0, 8], rows[1, 8] = KIND_SEED, KIND_DRAIN
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
        CapacityError: no room for the header and the accesses.
        ValueError: a register or word number of 256 or more.
    """
    m = accesses.shape[1]
    check_capacity("memory", m + 1, height)
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
    is_register = segment == 0
    real = slice(1, m + 1)
    table.hi[real], table.lo[real], table.ts[real] = hi, lo, ts
    rows[MemoryColumns.value.start : MemoryColumns.value.start + 4, real] = accesses[4:8, order]
    table.space[real] = np.where(is_register, 0, segment - SEGMENT_CELLS)
    table.is_write[real] = kind == KIND_WRITE
    table.is_seed[real] = kind == KIND_SEED
    table.is_drain[real] = kind == KIND_DRAIN
    table.is_register[0] = 1
    table.is_register[real] = is_register
    table.real[real] = 1
    table.first_register[real] = starts & is_register

    key = np.concatenate([[0], FRAME * hi + lo])
    before = np.concatenate([[0], ts[:-1]]) if m else ts
    difference = np.where(starts, key[1:] - key[:-1], ts - before) - 1
    difference[starts & ~is_register] = 0
    table.diff_lo[:m], table.diff_hi[:m] = difference & 0xFFFF, difference >> 16
    return rows
