"""A table that is too small for a batch: the typed refusal, and the heights that a run needs."""

from __future__ import annotations


class CapacityError(ValueError):
    """A run needs more rows than the shape gives a table.

    Attributes:
        table: the table's name.
        rows: rows needed, closing rows included.
        capacity: rows that the shape has.
    """

    def __init__(self, table: str, rows: int, capacity: int) -> None:
        super().__init__(
            f"table {table} is full: {rows:,} rows needed, {capacity:,} in this shape; split the batch"
        )
        self.table, self.rows, self.capacity = table, rows, capacity


def check_capacity(table: str, rows: int, capacity: int) -> None:
    """Refuses a table that does not fit.

    Raises:
        CapacityError: `rows` > `capacity`.
    """
    if rows > capacity:
        raise CapacityError(table, rows, capacity)
