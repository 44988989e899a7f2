"""range: every 16-bit value and every pair of bytes, once; all range arguments end here. 2^16 rows."""

from __future__ import annotations

from typing import Any

from circuits.relations import PAIR, RANGE16
from prover.air.air import Air, AirBuilder, AirError
from prover.air.columns import Columns, column

LOG_HEIGHT = 16


class RangeColumns(Columns):
    """How often each row is looked up. Any field element will do: a row offers true facts only."""

    mult16 = column()
    """Times RANGE16(n) is sent by other tables."""
    mult_pair = column()
    """Times PAIR(hi, lo) is sent by other tables."""


class RangeFixed(Columns):
    """Row n, fixed at set-up: n = 256 hi + lo."""

    n = column()
    """0 .. 2^16 - 1, the row number."""
    hi = column()
    """n div 256."""
    lo = column()
    """n mod 256."""


class RangeAir(Air):
    """Provides RANGE16 and PAIR. No constraint: its facts are preprocessed. Degree 3 (paired fractions)."""

    name = "range"
    Main = RangeColumns
    Fixed = RangeFixed

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Row n provides RANGE16(n) and PAIR(hi, lo)."""
        fixed = builder.fixed
        builder.receive(RANGE16, [fixed.n], local.mult16, "range.range16")
        builder.receive(PAIR, [fixed.hi, fixed.lo], local.mult_pair, "range.pair")

    def check_height(self, log_height: int) -> None:
        """2^16 rows: no value is missing, and none beyond 2^16 is offered.

        Raises:
            AirError: another height.
        """
        if log_height != LOG_HEIGHT:
            raise AirError(f"range has height 2^{LOG_HEIGHT}, asked for 2^{log_height}")

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """n, hi, lo.

        Raises:
            AirError: the height is not 2^16.
        """
        self.check_height(log_height)
        numbers = range(1 << LOG_HEIGHT)
        return [list(numbers), [n >> 8 for n in numbers], [n & 255 for n in numbers]]
