"""Multiplicities of the range table."""

from __future__ import annotations

import numpy as np

from circuits.tables.range import LOG_HEIGHT, RangeColumns
from circuits.trace.execution import I64, U32, finish

HEIGHT = 1 << LOG_HEIGHT


def generate(values: I64, pairs: I64) -> U32:
    """The table.

    Args:
        values: every RANGE16 value that is sent.
        pairs: 256 hi + lo of every PAIR that is sent.
    """
    rows = np.zeros((RangeColumns.width, HEIGHT), dtype=np.int64)
    rows[0] = _count(values)
    rows[1] = _count(pairs)
    return finish(rows)


def _count(values: I64) -> I64:
    # anything else has no provider: the relation will not balance
    inside = values[(values >= 0) & (values < HEIGHT)]
    return np.bincount(inside, minlength=HEIGHT)
