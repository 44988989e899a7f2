"""Rows of the cells table: five a touched cell, one a word in a shadow."""

from __future__ import annotations

import numpy as np

from circuits.tables.cells import CellsColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.execution import U32, Execution, finish

WORDS = 5


def rows_needed(run: Execution) -> int:
    """Words of touched cells, and words in shadows."""
    return int(WORDS * run.cell_indices.size + run.shadows.space.size)


def generate(run: Execution, height: int) -> U32:
    """The table.

    Raises:
        CapacityError: more words than rows.
    """
    rows = np.zeros((CellsColumns.width, height), dtype=np.int64)
    table = CellsColumns(list(rows))  # views of rows, by name
    m, shadows = WORDS * run.cell_indices.size, run.shadows
    end = rows_needed(run)
    check_capacity("cells", end, height)
    table.index[:m] = np.repeat(run.cell_indices, WORDS)
    table.word[:m] = np.tile(np.arange(WORDS), run.cell_indices.size)
    table.is_cell[:m] = 1
    table.index[m:end], table.word[m:end], table.space[m:end] = shadows.cell, shadows.word, shadows.space
    table.is_shadow[m:end] = 1
    for i in range(4):
        table.before[i][:m] = run.cells_before.reshape(m, 4)[:, i]
        table.after[i][:m] = run.cells_after.reshape(m, 4)[:, i]
        table.before[i][m:end] = table.after[i][m:end] = shadows.seed[:, i]
    return finish(rows)
