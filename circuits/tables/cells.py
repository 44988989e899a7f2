"""cells: a row a word of a touched cell, which seeds memory and reads the word after; and a row a shadow's word."""

from __future__ import annotations

from typing import Any

from circuits.machine.isa import MEMORY_DRAIN_TS
from circuits.relations import CELL_WORD, MEMORY, RANGE16
from circuits.tables.memory import KIND_READ, KIND_SEED
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns

SEGMENT_CELLS = 1
SEED_OFFSET = 2
"""Seeds have time 4 space + 2, when SPACE at clk = space would access a cell; 2, before all, in segment 1."""


class CellsColumns(Columns):
    """One cell word, or one cell word in one shadow. Padding: neither, zeros.

    Ranges of index and word are p24's (index < 2^30 by the tree's depth, word in 0..4 by what it sends), in
    shadow rows too: they read a word that has a cell row.
    """

    index = column()
    """Cell index."""
    word = column()
    """Word number in the cell."""
    before = columns(4)
    """The word before the batch; of a shadow, when it was opened."""
    after = columns(4)
    """The word after the batch; of a shadow, `before` again."""
    is_cell = column()
    """A word of a touched cell; boolean."""
    is_shadow = column()
    """A word in a shadow; boolean, excludes is_cell."""
    space = column()
    """0, or the clk of the SPACE that opened the shadow. Range: RANGE16 on every row."""


class CellsAir(Air):
    """Turns CELL_WORD(index, word, before, after) into a seed and a drain; gives shadows their seeds. Degree 3.

    Cells. The tree gives every touched index once, p24 sends each of its words once, so (1, index, word) has
    one seed, and one drain: a read at time 2^18, after all writes.

    Shadows. A shadow row (s, index, word) reads the word in segment 1 at time 4 s + 2 and seeds segment 1 + s
    with what it read: the ledger's value when the SPACE instruction of clk s ran. Nothing drains it, so what
    is written there is lost. Why no other seed of a segment 1 + s > 1 can be had:

      - of one (s, index, word) there is one seed: two would read one address twice at one time, and times
        strictly rise in a run;
      - its value is not stale, nor one from later: the read is a row in the word's one run, at its time;
      - s = 0 opens no second run in segment 1: its read would stand at time 2 after a seed of time 2;
      - s < 2^16, so that times stay in [0, 2^18 + 2] (`memory`, Time) and 1 + s is no register segment;
      - a row for an s at which no SPACE ran reads, and seeds a segment that no access ever names. (If the step
        of clk s itself accesses that word, the two stand at one time: there is no such trace.)

    `cpu` accesses segment 1 + s only in steps after clk s, whose times are above 4 s + 2.
    """

    name = "cells"
    Main = CellsColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """One receipt, one seed, one read a row: a cell's drain, or of the word that a shadow copies."""
        row, in_use = local, local.is_cell + local.is_shadow
        builder.assert_bool(row.is_cell, "cells.is_cell_bool")
        builder.assert_bool(row.is_shadow, "cells.is_shadow_bool")
        builder.assert_zero(row.is_cell * row.is_shadow, "cells.kinds_exclusive")
        builder.assert_zero(row.is_cell * row.space, "cells.cell_has_no_space")
        builder.when(row.is_shadow).assert_all_eq(row.after, row.before, "cells.shadow_copies")

        builder.receive(
            CELL_WORD, [row.index, row.word, *row.before, *row.after], row.is_cell, "cells.cell_word"
        )
        opened = 4 * row.space + SEED_OFFSET
        seeded = (SEGMENT_CELLS + row.space, row.index, row.word, opened, *row.before, KIND_SEED)
        builder.send(MEMORY, seeded, in_use, "cells.seed")
        time = opened + (MEMORY_DRAIN_TS - SEED_OFFSET) * row.is_cell
        read = (SEGMENT_CELLS, row.index, row.word, time, *row.after, KIND_READ)
        builder.send(MEMORY, read, in_use, "cells.drain_or_copy")
        builder.send(RANGE16, [row.space], 1, "cells.space_range")
