"""Evaluates tables on chosen rows: which labelled constraints fail there, and which tuples the rows add."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from prover.air.air import Air, Rows
from prover.air.expression import Space
from prover.air.graph import AirGraph, air_graph, evaluate
from prover.field import P


class ColumnRing:
    """F_p on int64 arrays; products are below 2^62."""

    def constant(self, value):
        return np.int64(value)

    def add(self, a, b):
        return (a + b) % P

    def sub(self, a, b):
        return (a - b) % P

    def mul(self, a, b):
        return a * b % P

    scale = mul


class RowCheck:
    """A table under test.

    Attributes:
        air: the table's definition.
        table: (width, height); may be changed between calls.
    """

    def __init__(self, air: Air, table: np.ndarray) -> None:
        self.air, self.table = air, table
        self.height = table.shape[1]
        self.nodes: AirGraph = air_graph(air)
        self.periodic = [np.resize(values, self.height) for values in air.periodic.values()]

    def _values(self, rows):
        def variable(space, index, offset):
            column = self.table[index] if space is Space.MAIN else self.periodic[index]
            return column[(rows + offset) % self.height].astype(np.int64)

        return evaluate(self.nodes.graph, ColumnRing(), variable, self.nodes.roots())

    def look(self, rows: Iterable[int] | None = None) -> tuple[dict[str, list[int]], Counter]:
        """(label -> rows where it fails, (relation, tuple) -> signed count) of the given rows, or of all."""
        rows = np.arange(self.height) if rows is None else np.unique(np.array(list(rows)) % self.height)
        values = self._values(rows)
        failed = {}
        for constraint, node in self.nodes.constraints:
            bad = np.broadcast_to(values[node] != 0, rows.shape)
            if constraint.rows is Rows.TRANSITION:
                bad = bad & (rows != self.height - 1)
            if bad.any():
                failed[constraint.label] = rows[bad].tolist()
        tuples: Counter = Counter()
        for group in self.nodes.groups:
            for item in group:
                count = np.broadcast_to(values[item.multiplicity], rows.shape)
                at = np.flatnonzero(count)
                columns = [np.broadcast_to(values[v], rows.shape)[at].tolist() for v in item.values]
                for m, value in zip(count[at].tolist(), zip(*columns, strict=True), strict=True):
                    tuples[item.interaction.relation.name, value] += m if m < P // 2 else m - P
        return failed, Counter({key: m for key, m in tuples.items() if m})


def unbalanced(*parts: Counter) -> dict[tuple, int]:
    """What is left of the sum of all parts."""
    total: Counter = Counter()
    for part in parts:
        for key, m in part.items():
            total[key] += m
    return {key: m for key, m in total.items() if m % P}


def relations(left: dict[tuple, int]) -> set[str]:
    """Names of the relations in a remainder."""
    return {name for name, _ in left}
