"""Mutations of the constraints themselves: with a constraint taken away, something false is accepted.

For a constraint c, `Search.forge` looks for a *forgery of c alone*: a row of a valid trace, changed so that every
other constraint of the table still holds on it and on its neighbours, and (if pinned) every tuple that it
exchanges with the other tables is what it was, or, in the relations of ranges, sums and comparisons, another true
fact, for which the providers have a row. So with c the forgery is refused, by c; without c it is accepted. If not
pinned, the row tells the other tables something else, which c alone kept it from.

How: a cell that c reads gets another value; each constraint that breaks is repaired by solving for one of its other
cells in which it is affine; depth first, with few branches. Only one row is changed, so what holds from row to row
along a whole run (clk, frames, ..) is out of reach: for those the forgeries of whole runs count.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from prover.air.air import Air, Rows
from prover.air.expression import Expression, Op, Space
from prover.field import P

Place = tuple[Space, int, int]
Evaluate = Callable[[Callable[[Place], int]], int]
LIMB, BYTE = 1 << 16, 256
FACTS = {"limbs": LIMB, "range16": LIMB, "bytes": BYTE, "pair": BYTE}
"""Relations that any values below a bound may be looked up in."""
MAX_NODES, BRANCHES, BUDGET, MAX_WAYS = 250, 6, 1200, 40
"""Cells changed in one attempt, ways tried at each, cells changed for one constraint in all, first changes tried
besides those that break next to nothing."""


@dataclass(frozen=True)
class Term:
    """An expression as a function of the cells of two rows."""

    reads: tuple[Place, ...]
    evaluate: Callable[..., int]

    def __call__(self, cell: Callable[[Place], int]) -> int:
        return int(self.evaluate(*[cell(place) for place in self.reads]))


def compile_term(root: Expression) -> Term:
    """Plain Python of an expression; equal objects are computed once."""
    names: dict[int, str] = {}
    reads: dict[Place, str] = {}
    lines: list[str] = []
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in names:
            stack.pop()
        elif node.op is Op.CONST:
            names[id(node)] = str(node.value)
        elif node.op is Op.VARIABLE:
            place = (node.space, node.index, node.offset)
            names[id(node)] = reads.setdefault(place, f"x{len(reads)}")
        else:
            waiting = [child for child in (node.left, node.right) if id(child) not in names]
            if waiting:
                stack += waiting
                continue
            sign = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*"}[node.op]
            names[id(node)] = f"t{len(lines)}"
            lines.append(f"    t{len(lines)} = ({names[id(node.left)]} {sign} {names[id(node.right)]}) % {P}")
    text = (
        f"def term({', '.join(reads.values())}):\n"
        + "\n".join(lines)
        + f"\n    return {names[id(root)]} % {P}"
    )
    scope: dict[str, Callable[..., int]] = {}
    exec(text, scope)
    return Term(tuple(reads), scope["term"])


@dataclass(frozen=True)
class Tuple:
    """An interaction's tuple and multiplicity."""

    label: str
    relation: str
    values: tuple[Term, ...]
    multiplicity: Term


@dataclass(frozen=True)
class Forgery:
    """A changed row that one constraint alone refuses.

    Attributes:
        label: the constraint.
        row: where.
        cells: column -> new value.
    """

    label: str
    row: int
    cells: Mapping[int, int]


@dataclass
class Search:
    """Forgeries of the constraints of one table.

    Attributes:
        air: the table.
        main, fixed: a valid trace.
    """

    air: Air
    main: np.ndarray
    fixed: np.ndarray
    _scenes: dict[tuple[int, bool], Scene] = field(default_factory=dict, init=False)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {c.label: number for number, c in enumerate(self.air.record.constraints)}

    @cached_property
    def constraints(self) -> list[tuple[str, Rows, Term]]:
        return [(c.label, c.rows, compile_term(c.expression)) for c in self.air.record.constraints]

    @cached_property
    def tuples(self) -> list[Tuple]:
        return [
            Tuple(i.label, i.relation.name, tuple(map(compile_term, i.values)), compile_term(i.multiplicity))
            for i in self.air.record.interactions
        ]

    @property
    def height(self) -> int:
        return int(self.main.shape[1])

    def reader(self, row: int, at: int, cells: Mapping[int, int]) -> Callable[[Place], int]:
        """Cells of the pair (at, at + 1), where `row` is changed."""
        periods = list(self.air.periodic.values())

        def cell(place: Place) -> int:
            space, index, offset = place
            r = (at + offset) % self.height
            if space is Space.PERIODIC:
                return periods[index][r % len(periods[index])]
            if space is Space.PREPROCESSED:
                return int(self.fixed[index, r])
            if r == row and index in cells:
                return cells[index]
            return int(self.main[index, r])

        return cell

    def applies(self, rows: Rows, at: int) -> bool:
        """Whether a constraint holds on the pair that starts there."""
        at %= self.height
        return {
            Rows.ALL: True,
            Rows.FIRST: at == 0,
            Rows.LAST: at == self.height - 1,
            Rows.TRANSITION: at != self.height - 1,
        }[rows]

    def forge(self, label: str, rows: Sequence[int], rng: random.Random, *, pinned: bool) -> Forgery | None:
        """A forgery of a constraint alone on one of the rows, if one is found.

        Args:
            label: the constraint.
            rows: where to try.
            rng: for values.
            pinned: the tuples that the table exchanges stay what they were; else they may say something false.
        """
        number, spent = self._numbers[label], 0
        ways: list[tuple[int, int, int, int]] = []
        for place, row in enumerate(rows):
            scene = self._scene(row, pinned)
            for start, value in scene.starts(number, rng):
                broken = len(scene.broken_by(number, start, {start: value}))
                if broken == 0 or (spent < BUDGET // 3 and (broken == 1 or place == 0)):
                    found = scene.repair(number, start, value)
                    spent += scene.nodes
                    if found is not None:
                        return Forgery(label, row, found)
                elif scene.refuses(number, {start: value}):
                    ways.append((broken, row, start, value))
        turn: Counter[int] = Counter()
        order = []
        for way in sorted(ways):  # each cell has its turn: what breaks least need not be what can be repaired
            turn[way[2]] += 1
            order.append((turn[way[2]], *way))
        for _, _, row, start, value in sorted(order)[:MAX_WAYS]:
            scene = self._scene(row, pinned)
            found = scene.repair(number, start, value)
            spent += scene.nodes
            if found is not None:
                return Forgery(label, row, found)
            if spent > BUDGET:
                return None
        return None

    def _scene(self, row: int, pinned: bool) -> Scene:
        if (row, pinned) not in self._scenes:
            self._scenes[row, pinned] = Scene(self, row, pinned)
        return self._scenes[row, pinned]


class Scene:
    """One row of the trace, and everything that it takes part in."""

    def __init__(self, search: Search, row: int, pinned: bool) -> None:
        self.search, self.row = search, row
        self.checks: list[tuple[int, Term, int, int]] = []  # constraint (-1: a pin), term, pair, wanted value
        self.facts: list[tuple[Tuple, int]] = []
        self.nodes = 0
        for number, (_, rows, term) in enumerate(search.constraints):
            for at in (row, row - 1):
                if search.applies(rows, at) and self._touches(term, at):
                    self.checks.append((number, term, at, 0))
        for item in search.tuples if pinned else ():
            for at in (row, row - 1):
                self._pin(item, at)
        self.reads: dict[int, list[int]] = {}
        self.slots: list[list[tuple[int, int]]] = []
        for k, (_, term, at, _) in enumerate(self.checks):
            honest = search.reader(row, at, {})
            columns = set(self._columns(term, at))
            here = [self._column(place, at) for place in term.reads]
            self.slots.append([(c, honest(place)) for c, place in zip(here, term.reads, strict=True)])
            for column in columns:
                self.reads.setdefault(column, []).append(k)

    def _column(self, place: Place, at: int) -> int:
        """Column of the changed row that a place is; -1 if it is elsewhere."""
        space, index, offset = place
        return index if space is Space.MAIN and (at + offset - self.row) % self.search.height == 0 else -1

    def _columns(self, term: Term, at: int) -> list[int]:
        return [column for place in term.reads if (column := self._column(place, at)) >= 0]

    def _touches(self, term: Term, at: int) -> bool:
        return bool(self._columns(term, at))

    def _pin(self, item: Tuple, at: int) -> None:
        terms = (item.multiplicity, *item.values)
        if not any(self._touches(term, at) for term in terms):
            return
        honest = self.search.reader(self.row, at, {})
        times = item.multiplicity(honest)
        if self._touches(item.multiplicity, at):
            self.checks.append((-1, item.multiplicity, at, times))
        if times == 0:
            return
        if item.relation in FACTS or item.relation in ("less", "add"):
            self.facts.append((item, at))
            return
        for term in item.values:
            if self._touches(term, at):
                self.checks.append((-1, term, at, term(honest)))

    def starts(self, number: int, rng: random.Random) -> Iterator[tuple[int, int]]:
        """First changes: a cell that the constraint reads, what is computed first, and its value."""
        columns = {c for n, term, at, _ in self.checks if n == number for c in self._columns(term, at)}
        for column in sorted(columns, reverse=True):
            value = int(self.search.main[column, self.row])
            wanted = [(value + 1) % P, 1 - value if value in (0, 1) else 0, P - 1, rng.randrange(P)]
            for new in dict.fromkeys(wanted):
                if new != value:
                    yield column, new

    def value(self, k: int, cells: Mapping[int, int]) -> int:
        """How far a check is from what it should be."""
        _, term, _, wanted = self.checks[k]
        values = [cells.get(c, honest) for c, honest in self.slots[k]]
        return (int(term.evaluate(*values)) - wanted) % P

    def repair(self, number: int, start: int, value: int) -> dict[int, int] | None:
        """Repairs all that breaks but constraint `number`; None if that leads nowhere."""
        self.nodes = 0
        return self._descend(number, {start: value}, self.broken_by(number, start, {start: value}))

    def refuses(self, number: int, cells: dict[int, int]) -> bool:
        """Whether the constraint itself does not hold."""
        return any(self.value(k, cells) for k, (n, _, _, _) in enumerate(self.checks) if n == number)

    def broken_by(self, number: int, column: int, cells: dict[int, int]) -> set[int]:
        """Checks that read a column and do not hold."""
        return {k for k in self.reads.get(column, ()) if self.checks[k][0] != number and self.value(k, cells)}

    def _descend(self, number: int, cells: dict[int, int], broken: set[int]) -> dict[int, int] | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            return None
        if not broken:
            refused = any(self.value(k, cells) for k, (n, _, _, _) in enumerate(self.checks) if n == number)
            return cells if refused and self._facts_hold(cells) else None
        ways = min((self._ways(k, cells) for k in sorted(broken)[:3]), key=len)
        for column, new in ways[:BRANCHES]:
            changed = {**cells, column: new}
            rest = broken.difference(self.reads[column]) | self.broken_by(number, column, changed)
            found = self._descend(number, changed, rest)
            if found is not None:
                return found
        return None

    def _ways(self, k: int, cells: dict[int, int]) -> list[tuple[int, int]]:
        """Cells that repair a check, later columns (what is computed) before earlier ones."""
        _, term, at, _ = self.checks[k]
        here, ways = self.value(k, cells), []
        for column in sorted(set(self._columns(term, at)) - set(cells), reverse=True):
            old = int(self.search.main[column, self.row])
            slope = (self.value(k, {**cells, column: (old + 1) % P}) - here) % P
            if slope and (self.value(k, {**cells, column: (old + 2) % P}) - here - 2 * slope) % P == 0:
                ways.append((column, (old - here * pow(slope, -1, P)) % P))
            elif slope:
                tried = [(column, new) for new in (0, 1, 2, P - 1) if new != old]
                ways += [way for way in tried if not self.value(k, {**cells, way[0]: way[1]})]
            if len(ways) >= BRANCHES:
                break
        return ways

    def _facts_hold(self, cells: Mapping[int, int]) -> bool:
        """Tuples of the relations of facts are true ones."""
        for item, at in self.facts:
            cell = self.search.reader(self.row, at, cells)
            values = [term(cell) for term in item.values]
            if item.relation in FACTS:
                if any(value >= FACTS[item.relation] for value in values):
                    return False
            elif not _is_true(item.relation, values):
                return False
        return True


def _is_true(relation: str, values: Sequence[int]) -> bool:
    """Whether a sum or a comparison holds."""
    words = [values[i : i + 4] for i in range(0, len(values) - 1, 4)]
    if any(limb >= LIMB for word in words for limb in word):
        return False
    numbers = [sum(limb << 16 * i for i, limb in enumerate(word)) for word in words]
    if relation == "less":
        return values[-1] == (numbers[0] < numbers[1])
    return numbers[0] + numbers[1] == numbers[2] + (values[-1] << 64) and values[-1] in (0, 1)
