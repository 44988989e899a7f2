"""memory: every access of registers and cells, sorted by address and time; reads return the last write."""

from __future__ import annotations

from typing import Any

from circuits.relations import MEMORY, PAIR, RANGE16
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns

KIND_READ, KIND_WRITE, KIND_SEED, KIND_DRAIN = 0, 1, 2, 4
"""What a row is, in three bits of which senders set at most one: a sum of flags is read in one way only."""
FRAME = 256
"""Register key = 256 hi + lo: 256 registers a frame."""


class MemoryColumns(Columns):
    """One access. Row 0 is a header (not real); real rows follow without a gap; then padding.

    Derived, no columns: segment = real - is_register + space; same' (the following row continues this one's
    address) = real' - first_register' - is_seed'; kind = is_write + 2 is_seed + 4 is_drain.
    """

    hi = column()
    """Frame of a register, index of a cell. Ranges are the sender's: tuples balance."""
    lo = column()
    """Register number, or word number of a cell."""
    ts = column()
    """Time: 4 clk + 0..3; seeds 4 s + 2, drains 2^22. At most 2^22: each sender's is (`cpu`, `cells`)."""
    value = columns(4)
    """The word read or written."""
    space = column()
    """Cell access: 0, or s in the shadow segment 1 + s. 0 for registers. Range: the sender's (< 2^16)."""
    is_write = column()
    """The access sets the word; boolean."""
    is_seed = column()
    """First row of a cell word's run, its word before the batch (in a shadow: when it was opened); boolean."""
    is_drain = column()
    """Last row of a cell word's run in segment 1; boolean."""
    is_register = column()
    """Register access (and the header); boolean, never rises."""
    real = column()
    """The row is an access; boolean. Header and padding: 0."""
    first_register = column()
    """First row of a register's run; boolean."""
    diff_lo = column()
    """Low 16 bits of the distance to the following row (time within a run, key between register runs), minus
    1. Range: RANGE16 on every row."""
    diff_hi = column()
    """High 8 bits of it. Range: PAIR(0, diff_hi) on every row."""


class MemoryAir(Air):
    """Receives MEMORY, one real row a tuple. Degree 3.

    Runs. `same'` is boolean and same' + first_register' + is_seed' = real': a real row continues the address
    (segment, hi, lo) of the row before it, or starts a register run, or starts a cell run, exactly one of the
    three. A run continues only from a real row, so neither header nor padding is part of one, and cyclic wrap
    starts none: the header has real = first_register = is_seed = 0, so the last row's same' is 0.

    Order. Row 0 is a header with is_register = 1, hi = lo = 0; is_register never rises and is 0 on every
    other row that is not real; a real row follows only a real row or the header. So the real rows are one
    block: registers, then cells.

    Segments. A register run starts with is_register = 1, hence space = 0 and segment 0; a cell run starts with
    a seed, hence is_register = 0, and its segment is that of a seed that `cells` sends: 1 + s with 0 <= s <
    2^16, never 0. The rest of the run has the same segment. So a register access has its place in register
    runs only, a cell access in cell runs only.

    Time. Within a run ts' = ts + 1 + diff with diff in [0, 2^24). Every ts is one that a sender chose, in [0,
    2^22]; a step back would need diff >= p - 2^22 - 1 > 2^24. So times strictly rise within a run.

    One run an address. Registers: a register run follows the header or a register row, and key' = key + 1 +
    diff; keys are 256 frame + register with frame <= 2^16 (`cpu` counts frames one a row) and register a byte
    (from `rom` or `code`), so below 2^25: they do not wrap, and strictly rise from the header's 0 (register 0
    of frame 0 has no run). Hence **a frame that no earlier row has used starts with zeros**, and a frame left
    behind is read by nobody who does not name it. Cells: a run starts with a seed and holds no other (seeds
    start runs); `cells` sends one seed for each (segment, index, word); so there is one run for each, and an
    access of an untouched cell, or of a shadow that was not seeded, has no place.

    Reads. In a run a row that is not a write carries the value of the row before it. A register's first
    access reads 0 unless it writes; a cell's run starts with the seed's value. So a read returns the last
    write, else the start.

    Drain. is_drain is set on last rows of runs only. A drain that `cells` sends is received by a row with kind
    4, which is no write (kind 5 has no sender): the last row of the one run of its address, with the value
    last written. Which last rows are drains is the table's to say: a shadow's run needs none, and a tuple of
    kind 4 that nobody sent does not balance.
    """

    name = "memory"
    Main = MemoryColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Flags, runs, order, values."""
        row, nxt = local, following
        same = nxt.real - nxt.first_register - nxt.is_seed
        transition = builder.when_transition()

        for name in ("is_write", "is_seed", "is_drain", "is_register", "real", "first_register"):
            builder.assert_bool(getattr(row, name), f"memory.{name}_bool")
        transition.assert_bool(same, "memory.same_bool")

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
        builder.assert_zero(row.is_register * row.space, "memory.register_has_no_space")
        builder.assert_zero(row.is_drain * same, "memory.drain_ends_run")

        # within a run: same address, later time, same value unless written
        distance = 1 + row.diff_lo + 65536 * row.diff_hi
        run = transition.when(same)
        run.assert_eq(nxt.space - nxt.is_register, row.space - row.is_register, "memory.same_segment")
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

        segment = row.real - row.is_register + row.space
        kind = KIND_WRITE * row.is_write + KIND_SEED * row.is_seed + KIND_DRAIN * row.is_drain
        builder.receive(
            MEMORY, [segment, row.hi, row.lo, row.ts, *row.value, kind], row.real, "memory.access"
        )
        builder.send(RANGE16, [row.diff_lo], 1, "memory.diff_lo_range")
        builder.send(PAIR, [0, row.diff_hi], 1, "memory.diff_hi_range")
