"""memory: every access of registers and cells, sorted by address and time; reads return the last write."""

from __future__ import annotations

from typing import Any

from circuits.relations import MEMORY, RANGE16
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns

KIND_READ, KIND_WRITE, KIND_SEED = 0, 1, 2
FRAME = 256
"""Register key = 256 hi + lo: 256 registers a frame."""
MAX_DISTANCE = 1 << 18
"""Of a row from the one before: in time within a run (drains have time 2^18), in keys between register runs."""


class MemoryColumns(Columns):
    """One access. Real rows come first, then padding.

    Derived, no columns: same' (the following row continues this one's address) = real' - first_register' -
    is_seed'; kind = is_write + 2 is_seed; distance = 1 + diff_low + 2^16 diff_high[0] + 2^17 diff_high[1].
    """

    segment = column()
    """0 registers, 1 cells, 1 + s the shadow opened at clk s. Range: the sender's (<= 2^16)."""
    hi = column()
    """Frame of a register, index of a cell. Ranges are the sender's: tuples balance."""
    lo = column()
    """Register number, or word number of a cell."""
    ts = column()
    """Time: 4 clk + 0..3; seeds 4 s + 2, drains 2^18. At most 2^18: each sender's is (`cpu`, `cells`)."""
    value = columns(4)
    """The word read or written."""
    is_write = column()
    """The access sets the word; boolean."""
    is_seed = column()
    """First row of a cell word's run, its word before the batch (in a shadow: when it was opened); boolean."""
    first_register = column()
    """First row of a register's run; boolean."""
    real = column()
    """The row is an access; boolean, never rises."""
    diff_low = column()
    """Low 16 bits of distance - 1. Range: RANGE16 on every row."""
    diff_high = columns(2)
    """The two bits above; boolean."""


class MemoryAir(Air):
    """Receives MEMORY, one real row a tuple. Degree 3.

    Rows. real never rises, so the real rows are one block from row 0. Nothing but the ranges of a row reaches
    from the last row over to row 0.

    Runs. `same'` is boolean and same' + first_register' + is_seed' = real': a real row continues the address
    (segment, hi, lo) of the row before it, or starts a register run, or starts a cell run, exactly one of the
    three; row 0 starts one.

    Segments. A register run starts in segment 0. A cell run starts with a seed, and its segment is that of a
    seed that `cells` sends: 1 + s with 0 <= s < 2^16, never 0. The rest of a run has the same segment. So
    register accesses have their place in register runs only, cell accesses in cell runs only.

    Time. Within a run ts' = ts + distance with 1 <= distance <= 2^18. Every ts is one that a sender chose, in [0,
    2^18]; a step back would need a distance of p - 2^18 at least. So times strictly rise within a run.

    One run an address. Registers: a register run is first, or follows a row of segment 0, that is of a register
    run, and key' = key + distance; keys are 256 frame + register with frame <= 2^16 (`cpu` counts frames one a
    row) and register a byte (from `rom` or `code`), so below 2^25: they do not wrap, and strictly rise from run
    to run. Hence **a frame that no earlier step has used starts with zeros**. Cells: a run starts with a seed
    and holds no other (seeds start runs); `cells` sends one seed for each (segment, index, word); so there is
    one run for each, and an access of an untouched cell, or of a shadow that was not seeded, has no place.

    Reads. In a run a row that is not a write carries the value of the row before it. A register's first
    access reads 0 unless it writes; a cell's run starts with the seed's value. (A row that is seed and write
    has kind 3, which nobody sends.) So a read returns the last write, else the start. A drain is a read at time
    2^18, later than every write.
    """

    name = "memory"
    Main = MemoryColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Flags, runs, order, values."""
        row, nxt = local, following
        same = nxt.real - nxt.first_register - nxt.is_seed
        transition = builder.when_transition()

        for name in ("is_write", "is_seed", "first_register", "real"):
            builder.assert_bool(getattr(row, name), f"memory.{name}_bool")
        for i, bit in enumerate(row.diff_high):
            builder.assert_bool(bit, f"memory.diff_high_bool[{i}]")
        transition.assert_bool(same, "memory.same_bool")
        transition.assert_zero(nxt.real * (1 - row.real), "memory.real_rows_first")
        builder.when_first_row().assert_eq(row.first_register + row.is_seed, 1, "memory.first_row_starts_run")

        # within a run: same address, later time, same value unless written
        distance = 1 + row.diff_low + 65536 * row.diff_high[0] + 131072 * row.diff_high[1]
        run = transition.when(same)
        run.assert_eq(nxt.segment, row.segment, "memory.same_segment")
        run.assert_eq(nxt.hi, row.hi, "memory.same_hi")
        run.assert_eq(nxt.lo, row.lo, "memory.same_lo")
        run.assert_eq(nxt.ts, row.ts + distance, "memory.time_rises")
        run.when(1 - nxt.is_write).assert_all_eq(nxt.value, row.value, "memory.read_returns_value")

        # a register's run: in segment 0, after registers only, of a higher key, zero before the first write
        builder.when(row.first_register).assert_zero(row.segment, "memory.register_segment")
        register = transition.when(nxt.first_register)
        register.assert_zero(row.segment, "memory.registers_first")
        register.assert_eq(
            FRAME * nxt.hi + nxt.lo, FRAME * row.hi + row.lo + distance, "memory.register_key_rises"
        )
        unwritten = builder.when(row.first_register * (1 - row.is_write))
        unwritten.assert_all_eq(row.value, (0, 0, 0, 0), "memory.register_starts_zero")

        kind = KIND_WRITE * row.is_write + KIND_SEED * row.is_seed
        builder.receive(
            MEMORY, [row.segment, row.hi, row.lo, row.ts, *row.value, kind], row.real, "memory.access"
        )
        builder.send(RANGE16, [row.diff_low], 1, "memory.diff_low_range")
