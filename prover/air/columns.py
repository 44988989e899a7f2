"""Named columns: a table's columns are the fields of one class, in order.

A table declares a subclass of `Columns`; each `column()` is one column and each `columns(k)` a tuple of k.
An instance is a *view* of one row: it wraps any flat sequence (symbolic variables, integers, arrays) and
gives its items by name, so that one constraint definition serves every evaluator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class Column:
    """A field of a `Columns` class: `width` base-field columns starting at `start` (set by the class)."""

    def __init__(self, width: int, scalar: bool) -> None:
        self.width = width
        self.scalar = scalar
        self.name = ""
        self.start = 0

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, row: Columns | None, owner: type) -> Any:
        if row is None:
            return self
        return (
            row.values[self.start] if self.scalar else tuple(row.values[self.start : self.start + self.width])
        )


def column() -> Any:
    """One column; on a row it reads as one value."""
    return Column(1, True)


def columns(width: int) -> Any:
    """`width` neighbouring columns; on a row they read as a tuple."""
    return Column(width, False)


class Columns:
    """Base of every table's column layout.

    Attributes:
        values: the row, one item a column, in declaration order.
    """

    fields: ClassVar[tuple[Column, ...]] = ()
    width: ClassVar[int] = 0
    names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        fields = [*cls.fields, *(value for value in vars(cls).values() if isinstance(value, Column))]
        start, names = 0, []
        for field in fields:
            field.start = start
            start += field.width
            names += [field.name] if field.scalar else [f"{field.name}[{i}]" for i in range(field.width)]
        cls.fields, cls.width, cls.names = tuple(fields), start, tuple(names)

    def __init__(self, values: Sequence[Any]) -> None:
        if len(values) != self.width:
            raise ValueError(f"{type(self).__name__} has {self.width} columns, got {len(values)} values")
        self.values = values
