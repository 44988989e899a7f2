"""Rows of the cells table: five a touched cell."""

from __future__ import annotations

import numpy as np

from circuits.tables.cells import CellsColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.execution import U32, Execution, finish

WORDS = 5


def generate(run: Execution, height: int) -> U32:
    """The table.

    Raises:
        CapacityError: more words than rows.
    """
    k = run.cell_indices.size
    m = WORDS * k
    check_capacity("cells", m, height)
    rows = np.zeros((CellsColumns.width, height), dtype=np.int64)
    rows[0, :m] = np.repeat(run.cell_indices, WORDS)
    rows[1, :m] = np.tile(np.arange(WORDS), k)
    rows[2:6, :m] = run.cells_before.reshape(m, 4).T
    rows[6:10, :m] = run.cells_after.reshape(m, 4).T
    rows[10, :m] = 1
    return finish(rows)
