"""AIRs: a table's columns, constraints and lookups, written once.

`Air.eval` runs once, on symbolic rows, and leaves an `AirRecord`: labelled constraints and interactions as
expressions. Every evaluator works from that record.

Relations (LogUp) tie tables: a tuple that is sent must be received as often, over all tables and the public
values together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar

from prover.air.columns import Columns
from prover.air.expression import Expression, Space, constant, lift, variable

MAX_DEGREE = 3
"""Highest degree of a constraint, selectors included (rollup.md, Tables)."""


class AirError(ValueError):
    """A table's definition breaks a rule of the framework (degree, arity, duplicate label)."""


class Rows(StrEnum):
    """The rows on which a constraint holds. FIRST and LAST cost one degree (a Lagrange selector)."""

    ALL = "all"
    FIRST = "first"
    LAST = "last"
    TRANSITION = "transition"


@dataclass(frozen=True)
class Relation:
    """A bus. `id` separates the domains of different relations; `arity` is the length of its tuples."""

    name: str
    id: int
    arity: int


@dataclass(frozen=True)
class Constraint:
    """`expression` is zero on `rows`."""

    label: str
    expression: Expression
    rows: Rows

    @property
    def degree(self) -> int:
        """Degree with the row selector."""
        return self.expression.degree + (self.rows in (Rows.FIRST, Rows.LAST))


@dataclass(frozen=True)
class Interaction:
    """Each row adds the tuple `values` `multiplicity` times (negative: takes it away)."""

    label: str
    relation: Relation
    values: tuple[Expression, ...]
    multiplicity: Expression

    @property
    def degree(self) -> int:
        """Degree of the tuple's fingerprint."""
        return max((value.degree for value in self.values), default=0)


@dataclass(frozen=True)
class PublicTuple:
    """A tuple that the verifier itself adds from the public values.

    Attributes:
        relation: the bus.
        values: ("public", index into the flat public values) or ("constant", value), one per item.
        multiplicity: +1 sends, -1 receives.
    """

    relation: Relation
    values: tuple[tuple[str, int], ...]
    multiplicity: int


class AirBuilder:
    """Records what `Air.eval` states. A view (`when`, `when_first_row`, ...) multiplies or restricts it."""

    def __init__(
        self,
        record: AirRecord,
        fixed: Any,
        periodic: Any,
        guard: Expression | None = None,
        rows: Rows = Rows.ALL,
    ) -> None:
        self.record, self.fixed, self.periodic = record, fixed, periodic
        self._guard, self._rows = guard, rows

    def _view(self, guard: Expression | None, rows: Rows) -> AirBuilder:
        return AirBuilder(self.record, self.fixed, self.periodic, guard, rows)

    def when(self, selector: Expression) -> AirBuilder:
        """Constraints hold where `selector` is not zero (it multiplies them)."""
        return self._view(selector if self._guard is None else self._guard * selector, self._rows)

    def _only(self, rows: Rows) -> AirBuilder:
        if self._rows is not Rows.ALL:
            raise AirError(f"rows are already restricted to {self._rows}")
        return self._view(self._guard, rows)

    def when_first_row(self) -> AirBuilder:
        """On the first row only."""
        return self._only(Rows.FIRST)

    def when_last_row(self) -> AirBuilder:
        """On the last row only."""
        return self._only(Rows.LAST)

    def when_transition(self) -> AirBuilder:
        """On every row but the last, whose following row wraps round to the first."""
        return self._only(Rows.TRANSITION)

    def assert_zero(self, value: Expression | int, label: str) -> None:
        """`value` = 0."""
        expression = lift(value)
        if self._guard is not None:
            expression = self._guard * expression
        self.record.add_constraint(Constraint(label, expression, self._rows))

    def assert_eq(self, left: Expression | int, right: Expression | int, label: str) -> None:
        """`left` = `right`."""
        self.assert_zero(lift(left) - right, label)

    def assert_all_eq(self, left: Sequence[Any], right: Sequence[Any], label: str) -> None:
        """Item by item; the label gets the index.

        Raises:
            AirError: unequal lengths.
        """
        if len(left) != len(right):
            raise AirError(f"{label}: {len(left)} values against {len(right)}")
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            self.assert_eq(a, b, f"{label}[{i}]")

    def assert_bool(self, value: Expression, label: str) -> None:
        """`value` is 0 or 1."""
        self.assert_zero(value * (value - 1), label)

    def send(
        self,
        relation: Relation,
        values: Sequence[Expression | int],
        multiplicity: Expression | int,
        label: str,
    ) -> None:
        """Adds a tuple to the relation `multiplicity` times on every row (`when` does not apply)."""
        if self._guard is not None or self._rows is not Rows.ALL:
            raise AirError(f"{label}: put the selector into the multiplicity")
        if len(values) != relation.arity:
            raise AirError(f"{label}: {relation.name} has arity {relation.arity}, got {len(values)}")
        self.record.add_interaction(
            Interaction(label, relation, tuple(lift(v) for v in values), lift(multiplicity))
        )

    def receive(
        self,
        relation: Relation,
        values: Sequence[Expression | int],
        multiplicity: Expression | int,
        label: str,
    ) -> None:
        """Takes a tuple from the relation `multiplicity` times."""
        self.send(relation, values, constant(0) - lift(multiplicity), label)


@dataclass
class AirRecord:
    """What a table states: its constraints and interactions, in order of statement."""

    constraints: list[Constraint] = field(default_factory=list)
    interactions: list[Interaction] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)

    def _label(self, label: str) -> None:
        if label in self.labels:
            raise AirError(f"label {label!r} is used twice")
        self.labels.add(label)

    def add_constraint(self, constraint: Constraint) -> None:
        """Appends, after the degree rule.

        Raises:
            AirError: degree above MAX_DEGREE, or a label used twice.
        """
        if constraint.degree > MAX_DEGREE:
            raise AirError(f"{constraint.label}: degree {constraint.degree} > {MAX_DEGREE}")
        self._label(constraint.label)
        self.constraints.append(constraint)

    def add_interaction(self, interaction: Interaction) -> None:
        """Appends, after the degree rule: a fingerprint times an interaction column stays <= MAX_DEGREE.

        Raises:
            AirError: fingerprint or multiplicity above degree 2, or a label used twice.
        """
        if interaction.degree > MAX_DEGREE - 1 or interaction.multiplicity.degree > MAX_DEGREE - 1:
            raise AirError(
                f"{interaction.label}: degrees {interaction.degree} and {interaction.multiplicity.degree}"
            )
        self._label(interaction.label)
        self.interactions.append(interaction)

    def fraction_groups(self) -> list[tuple[Interaction, ...]]:
        """Interactions grouped by interaction column.

        Two share a column when both fingerprints have degree <= 1; one of degree 2 stands alone. Each opened value
        that a constraint reads costs on chain, so the longest tuples are paired with the shortest, and the group with
        the fewest values comes last, where the accumulator is read on two rows. Deterministic: equal lengths keep
        the order of statement.
        """

        def values(group: Sequence[Interaction]) -> int:
            return sum(len(i.values) for i in group)

        linear = sorted((i for i in self.interactions if i.degree <= 1), key=lambda i: -len(i.values))
        pairs = [(linear[k], linear[-1 - k]) for k in range(len(linear) // 2)]
        groups: list[tuple[Interaction, ...]] = [
            *pairs,
            *((i,) for i in linear[len(pairs) : len(linear) - len(pairs)]),
        ]
        groups += [(i,) for i in self.interactions if i.degree > 1]
        return sorted(groups, key=lambda group: -values(group))


class Air:
    """A table. Subclasses set the layout and define `eval`.

    Attributes:
        name: the table's name in reports.
        Main, Fixed: layouts of main and preprocessed columns.
        periodic: name -> one period of values (its length a power of two, at most the table's height).
    """

    name: ClassVar[str]
    Main: ClassVar[type[Columns]]
    Fixed: ClassVar[type[Columns]] = Columns
    periodic: ClassVar[dict[str, tuple[int, ...]]] = {}

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """States the constraints on a row and the following one."""
        raise NotImplementedError

    def check_height(self, log_height: int) -> None:
        """Refuses a height that the table's argument does not cover; by default none.

        Raises:
            AirError: such a height.
        """

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """The preprocessed columns' values for a height, column by column; empty without any."""
        if self.Fixed.width:
            raise AirError(f"{self.name} declares preprocessed columns and gives no values")
        return []

    @cached_property
    def record(self) -> AirRecord:
        """The table's constraints and interactions, recorded once."""
        record = AirRecord()
        local, following = (
            self.Main([variable(Space.MAIN, i, offset) for i in range(self.Main.width)]) for offset in (0, 1)
        )
        fixed = self.Fixed([variable(Space.PREPROCESSED, i, 0) for i in range(self.Fixed.width)])
        periodic = _Periodic({name: variable(Space.PERIODIC, i, 0) for i, name in enumerate(self.periodic)})
        self.eval(AirBuilder(record, fixed, periodic), local, following)
        return record


class _Periodic:
    """Periodic columns by name."""

    def __init__(self, columns: dict[str, Expression]) -> None:
        self._columns = columns

    def __getattr__(self, name: str) -> Expression:
        return self._columns[name]


@dataclass(frozen=True)
class AirSystem:
    """The tables of one statement, in protocol order, and what the verifier adds from the public values.

    Attributes:
        airs: the tables; their order numbers columns, challenges' powers and proof parts.
        num_public_values: length of the flat public values (base-field elements).
        public_tuples: tuples that the verifier adds to the relations.
    """

    airs: tuple[Air, ...]
    num_public_values: int = 0
    public_tuples: tuple[PublicTuple, ...] = ()
