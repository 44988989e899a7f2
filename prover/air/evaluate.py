"""Counting: degrees, columns, and what each constraint reads."""

from __future__ import annotations

from dataclasses import dataclass

from prover.air.air import Air
from prover.air.expression import Op, Space
from prover.air.graph import air_graph


@dataclass(frozen=True)
class ConstraintCount:
    """One constraint.

    Attributes:
        label: its label; a lookup group's is its interactions' joined by " + ".
        degree: with selectors, and with the interaction column for lookups.
        reads: column openings it reads (base columns; an interaction column counts six).
    """

    label: str
    degree: int
    reads: int


@dataclass(frozen=True)
class AirCount:
    """A table in numbers.

    Attributes:
        name: the table.
        main, preprocessed, periodic, interaction: base columns of each kind.
        constraints: stated constraints, then the lookups'.
        nodes: distinct subexpressions.
    """

    name: str
    main: int
    preprocessed: int
    periodic: int
    interaction: int
    constraints: tuple[ConstraintCount, ...]
    nodes: int

    @property
    def max_degree(self) -> int:
        """Highest degree of a constraint."""
        return max((c.degree for c in self.constraints), default=0)

    @property
    def max_reads(self) -> int:
        """Most openings a single constraint reads."""
        return max((c.reads for c in self.constraints), default=0)


def count(air: Air) -> AirCount:
    """Counts a table."""
    table = air_graph(air)
    graph = table.graph

    def reads(*roots: int) -> int:
        leaves = (n for n in graph.reachable(roots) if graph.op[n] is Op.VARIABLE)
        return sum(graph.variables[graph.left[n]][0] is not Space.PERIODIC for n in leaves)

    counts = [ConstraintCount(c.label, c.degree, reads(node)) for c, node in table.constraints]
    last = len(table.groups) - 1
    for i, group in enumerate(table.groups):
        denominator = sum(max(item.interaction.degree, 0) for item in group)
        others = [sum(o.interaction.degree for o in group if o is not item) for item in group]
        numerators = [item.interaction.multiplicity.degree + o for item, o in zip(group, others, strict=True)]
        roots = [n for item in group for n in (*item.values, item.multiplicity)]
        # Sums along the row up to this group and the one before; the last reads the accumulator on two rows.
        columns = 6 * (1 + (i > 0) + (i == last))
        label = " + ".join(item.interaction.label for item in group)
        counts.append(ConstraintCount(label, max(1 + denominator, *numerators), reads(*roots) + columns))
    return AirCount(
        air.name,
        air.Main.width,
        air.Fixed.width,
        len(air.periodic),
        6 * len(table.groups),
        tuple(counts),
        len(graph.op),
    )
