"""Rows of the memory table: all accesses, sorted by address and time, behind a header row."""

from __future__ import annotations

import numpy as np

from circuits.machine.isa import MEMORY_DRAIN_TS, READS_A, READS_B, READS_D, WRITES_D, Opcode
from circuits.tables.memory import FRAME, MemoryColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.cells import WORDS
from circuits.trace.execution import I64, U32, Execution, Steps

SEED, DRAIN = 2, 3


def collect(steps: Steps, run: Execution) -> I64:
    """(9, m) MEMORY tuples: segment, hi, lo, ts, value4, kind; unsorted."""
    d, a, b, imm0 = steps.instruction[1:5]
    ts = 4 * np.arange(1, steps.pc.size + 1)
    zero = np.zeros_like(ts)
    index = steps.va[0] + 65536 * steps.va[1]
    store = (steps.op == Opcode.STORE).astype(np.int64)
    written = np.isin(steps.op, [int(op) for op in WRITES_D]).astype(np.int64)

    def tuples(segment: int, hi: I64, lo: I64, time: I64, value: I64, kind: I64) -> I64:
        return np.stack([zero + segment, hi, lo, time, *value, kind])

    parts = [
        tuples(0, zero, a, ts, steps.va, zero)[:, steps.where(*READS_A)],
        tuples(0, zero, b, ts + 1, steps.vb, zero)[:, steps.where(*READS_B)],
        tuples(1, index, imm0, ts + 2, steps.vc, store)[:, steps.where(Opcode.LOAD, Opcode.STORE)],
        tuples(0, zero, d, ts + 3, steps.vc, written)[:, steps.where(*READS_D, *WRITES_D)],
    ]
    cells = run.cell_indices.size
    count = WORDS * cells
    index_column = np.repeat(run.cell_indices.astype(np.int64), WORDS)
    word = np.tile(np.arange(WORDS), cells)
    for time, values, kind in ((0, run.cells_before, SEED), (MEMORY_DRAIN_TS, run.cells_after, DRAIN)):
        part = np.zeros((9, count), dtype=np.int64)
        part[0], part[1], part[2], part[3], part[8] = 1, index_column, word, time, kind
        part[4:8] = values.reshape(count, 4).T
        parts.append(part)
    return np.concatenate(parts, axis=1)


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
    address = segment << 39 | hi << 8 | lo
    order = np.argsort(address << 23 | ts)  # 1 + 31 + 8 + 23 bits
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
    table.is_write[real] = kind == 1
    table.is_seed[real] = kind == SEED
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
