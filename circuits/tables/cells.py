"""cells: a row a word of a touched cell; seeds memory with the word before, drains the word after."""

from __future__ import annotations

from typing import Any

from circuits.machine.isa import MEMORY_DRAIN_TS
from circuits.relations import CELL_WORD, MEMORY
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns

SEGMENT_CELLS = 1
KIND_SEED, KIND_DRAIN = 2, 3


class CellsColumns(Columns):
    """One cell word. Ranges are p24's: index < 2^30 by the tree's depth, word in 0..4 by what p24 sends."""

    index = column()
    """Cell index."""
    word = column()
    """Word number in the cell."""
    before = columns(4)
    """The word before the batch."""
    after = columns(4)
    """The word after the batch."""
    real = column()
    """1 on rows in use; boolean. Padding is zeros."""


class CellsAir(Air):
    """Turns CELL_WORD(index, word, before, after) into a seed and a drain of memory.

    The tree gives every touched index once, p24 sends each of its words once, so (index, word) has one seed
    and one
    drain: what `memory` needs to know that each cell word has a single run. Degree 2.
    """

    name = "cells"
    Main = CellsColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """One receipt, one seed, one drain a real row."""
        builder.assert_bool(local.real, "cells.real_bool")
        address = (SEGMENT_CELLS, local.index, local.word)
        builder.receive(
            CELL_WORD, [local.index, local.word, *local.before, *local.after], local.real, "cells.cell_word"
        )
        builder.send(MEMORY, [*address, 0, *local.before, KIND_SEED], local.real, "cells.seed")
        builder.send(MEMORY, [*address, MEMORY_DRAIN_TS, *local.after, KIND_DRAIN], local.real, "cells.drain")
