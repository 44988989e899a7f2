"""What single changed cells do to a valid trace, without checking the rest of it again.

A cell (column, row) is read by the constraints and tuples of its own row and of the row before (as
`following`), nowhere else; `LocalCheck` evaluates those two rows for many changes at once. A full check of a
sample of changes must say the same (test_every_column).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prover.air.air import Air, Rows
from prover.air.check import U32, _ArrayRing
from prover.air.expression import Space
from prover.air.graph import InteractionNodes, air_graph, evaluate
from prover.field import P

CHUNK = 1024
Change = tuple[int, int, int]
"""Column, row, new value."""


@dataclass
class Effects:
    """The effects of changes of one table, each change alone.

    Attributes:
        labels: one set a change: the constraints that it violates.
        touched: one set a change: interactions (labels) whose tuple or multiplicity it changes.
        relations: one set a change: the relations that it unbalances.
    """

    labels: list[set[str]]
    touched: list[set[str]]
    relations: list[set[str]]

    def survives(self, k: int) -> bool:
        """Whether change k breaks nothing."""
        return not self.labels[k] and not self.relations[k]


class LocalCheck:
    """A table of a valid trace."""

    def __init__(self, air: Air, main: U32, fixed: U32 | None) -> None:
        self.air, self.main, self.fixed = air, main.astype(np.int64), fixed
        self.height = main.shape[1]
        self.periods = [np.asarray(values, np.int64) for values in air.periodic.values()]

    @cached_property
    def items(self) -> list[InteractionNodes]:
        """All interactions."""
        return [item for group in air_graph(self.air).groups for item in group]

    def effects(self, changes: Sequence[Change]) -> Effects:
        """Effects of each change."""
        result = Effects([], [], [])
        for start in range(0, len(changes), CHUNK):
            self._chunk(np.array(changes[start : start + CHUNK], dtype=np.int64), result)
        return result

    def _values(self, changes: np.ndarray, changed: bool, roots: list[int]) -> dict[int, np.ndarray]:
        """Graph values: first every change's own row, then every change's row before."""
        column, row, value = changes.T
        count = len(changes)
        rows = np.concatenate([row, (row - 1) % self.height])

        def variable(space: Space, index: int, offset: int) -> np.ndarray:
            if space is Space.PERIODIC:
                return self.periods[index][rows % len(self.periods[index])]
            if space is Space.PREPROCESSED:
                return self.fixed[index, (rows + offset) % self.height].astype(np.int64)
            values = self.main[index, (rows + offset) % self.height]
            if changed:
                half = values[:count] if offset == 0 else values[count:]
                half[column == index] = value[column == index]
            return values

        found = evaluate(air_graph(self.air).graph, _ArrayRing(), variable, roots)
        return {node: np.broadcast_to(found[node], rows.shape) for node in roots}

    def _chunk(self, changes: np.ndarray, result: Effects) -> None:
        graph, count = air_graph(self.air), len(changes)
        rows = np.concatenate([changes[:, 1], (changes[:, 1] - 1) % self.height])
        allowed = {
            Rows.ALL: np.ones(2 * count, bool),
            Rows.FIRST: rows == 0,
            Rows.LAST: rows == self.height - 1,
            Rows.TRANSITION: rows != self.height - 1,
        }
        after = self._values(changes, True, graph.roots())
        nodes = [n for item in self.items for n in (*item.values, item.multiplicity)]
        before = self._values(changes, False, nodes)

        base = len(result.labels)
        for into in (result.labels, result.touched, result.relations):
            into.extend(set() for _ in range(count))
        for constraint, node in graph.constraints:
            for at in np.flatnonzero((after[node] != 0) & allowed[constraint.rows]):
                result.labels[base + at % count].add(constraint.label)
        suspects: dict[int, list[tuple[InteractionNodes, int]]] = defaultdict(list)
        for item in self.items:
            m0, m1 = before[item.multiplicity], after[item.multiplicity]
            other = m0 != m1
            for node in item.values:
                other = other | ((m1 != 0) & (before[node] != after[node]))
            for at in np.flatnonzero(other):
                result.touched[base + at % count].add(item.interaction.label)
                suspects[int(at % count)].append((item, int(at)))
        for k, parts in suspects.items():
            balance: dict[tuple[str, tuple[int, ...]], int] = defaultdict(int)
            for item, at in parts:
                for values, sign in ((after, 1), (before, -1)):
                    key = (item.interaction.relation.name, tuple(int(values[n][at]) for n in item.values))
                    balance[key] += sign * int(values[item.multiplicity][at])
            result.relations[base + k] |= {name for (name, _), total in balance.items() if total % P}
