"""memory: every access of registers and cells, sorted by address and time; reads return the last write."""

from __future__ import annotations

from typing import Any

from circuits.relations import MEMORY, PAIR, RANGE16
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns

SEGMENT_REGISTERS = 0
KIND_READ, KIND_WRITE = 0, 1
FRAME = 256
"""Register key = 256 hi + lo: 256 registers a frame."""


class MemoryColumns(Columns):
    """One access. Row 0 is a header (not real); real rows follow without a gap; then padding.

    Derived, no columns: segment = real - is_register; same' (the following row continues this one's address)
    = real' - first_register' - is_seed'; drain = segment * (1 - same'); kind = is_write + 2 is_seed + 3
    drain.
    """

    hi = column()
    """Frame (0) of a register, index of a cell. Ranges are the sender's: tuples balance."""
    lo = column()
    """Register number, or word number of a cell."""
    ts = column()
    """Time: 4 clk + 0..3; seeds 0, drains 2^22. At most 2^22: each sender's is (cpu height <= 2^20)."""
    value = columns(4)
    """The word read or written."""
    is_write = column()
    """The access sets the word; boolean."""
    is_seed = column()
    """First row of a cell word's run, its word before the batch; boolean."""
    is_register = column()
    """Register access (and the header); boolean, never rises."""
    real = column()
    """The row is an access; boolean. Header and padding: 0."""
    first_register = column()
    """First row of a register's run; boolean."""
    diff_lo = column()
    """Low 16 bits of the distance to the following row (time within a run, key between register runs), minus
    1.
    Range: RANGE16 on every row."""
    diff_hi = column()
    """High 8 bits of it. Range: PAIR(0, diff_hi) on every row."""


class MemoryAir(Air):
    """Receives MEMORY, one real row a tuple. Degree 3 (the tuple's kind has degree 2).

    Runs. `same'` is boolean and same' + first_register' + is_seed' = real': a real row continues the address
    of the row before it, or starts a register run, or starts a cell run, exactly one of the three. A run
    continues only from a real row, so neither header nor padding is part of one, and cyclic wrap starts none:
    the header has real = first_register = is_seed = 0, so the last row's same' is 0.

    Order. Row 0 is a header with is_register = 1, hi = lo = 0; is_register never rises and is 0 on every
    other row that is not real; a real row follows only a real row or the header. So the real rows are one
    block: registers, then cells.

    Time. Within a run ts' = ts + 1 + diff with diff in [0, 2^24). Every ts is one that a sender chose, in [0,
    2^22]; a step back would need diff >= p - 2^22 - 1 > 2^24. So times strictly rise within a run.

    One run an address. Registers: a register run follows the header or a register row, and key' = key + 1 +
    diff; keys are in [0, 2^16) (bytes, from rom), so they strictly rise from the header's 0 (and r0 has no
    run). Cells: a run starts with a seed and holds no other (seeds start runs); `cells` sends one seed for
    each (index, word); so there is one run for each, and an access of an untouched cell has no place.

    Reads. In a run a row that is not a write carries the value of the row before it. A register's first
    access reads 0 unless it writes; a cell's run starts with the seed's value. So a read returns the last
    write, else the start.

    Drain. The last row of a cell run, and no other, has drain = 1 and so kind 3, plus 1 or 2 if it were a
    write or a seed as well: kinds 4 and 5, which nobody sends. So each run ends with the drain that `cells`
    sends, whose value, not being a write, is the last one written; nothing else has kind 3, because is_write
    and is_seed exclude each other.
    """

    name = "memory"
    Main = MemoryColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Flags, runs, order, values."""
        row, nxt = local, following
        same = nxt.real - nxt.first_register - nxt.is_seed
        segment = row.real - row.is_register
        transition = builder.when_transition()

        for name in ("is_write", "is_seed", "is_register", "real", "first_register"):
            builder.assert_bool(getattr(row, name), f"memory.{name}_bool")
        transition.assert_bool(same, "memory.same_bool")
        builder.assert_zero(row.is_write * row.is_seed, "memory.seed_is_no_write")

        first = builder.when_first_row()
        for name in ("real", "hi", "lo", "first_register", "is_seed"):
            first.assert_zero(getattr(row, name), f"memory.header_{name}")
        first.assert_eq(row.is_register, 1, "memory.header_is_register")

        transition.assert_zero(nxt.is_register * (1 - row.is_register), "memory.registers_first")
        transition.assert_zero(nxt.is_register * (1 - nxt.real), "memory.register_is_real")
        transition.assert_zero(
            nxt.real * (1 - row.real) * (1 - row.is_register), "memory.real_rows_contiguous"
        )
        transition.assert_zero(same * (1 - row.real), "memory.run_continues_real_row")
        builder.assert_zero(row.is_seed * row.is_register, "memory.seed_is_cell")
        builder.assert_zero(row.first_register * (1 - row.is_register), "memory.first_register_is_register")

        # within a run: same address, later time, same value unless written
        distance = 1 + row.diff_lo + 65536 * row.diff_hi
        run = transition.when(same)
        run.assert_eq(nxt.is_register, row.is_register, "memory.same_segment")
        run.assert_eq(nxt.hi, row.hi, "memory.same_hi")
        run.assert_eq(nxt.lo, row.lo, "memory.same_lo")
        run.assert_eq(nxt.ts, row.ts + distance, "memory.time_rises")
        run.when(1 - nxt.is_write).assert_all_eq(nxt.value, row.value, "memory.read_returns_value")

        # a register's run: higher key than the one before, zero before the first write
        transition.when(nxt.first_register).assert_eq(
            FRAME * nxt.hi + nxt.lo, FRAME * row.hi + row.lo + distance, "memory.register_key_rises"
        )
        unwritten = builder.when(row.first_register * (1 - row.is_write))
        unwritten.assert_all_eq(row.value, (0, 0, 0, 0), "memory.register_starts_zero")

        kind = row.is_write + 2 * row.is_seed + 3 * segment * (1 - same)
        builder.receive(
            MEMORY, [segment, row.hi, row.lo, row.ts, *row.value, kind], row.real, "memory.access"
        )
        builder.send(RANGE16, [row.diff_lo], 1, "memory.diff_lo_range")
        builder.send(PAIR, [0, row.diff_hi], 1, "memory.diff_hi_range")
