"""The composition of a table's constraints with powers of alpha: one definition for quotient and verifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from prover.air.air import Air, Rows
from prover.air.expression import Space
from prover.air.graph import Ring, air_graph, evaluate
from prover.air.logup import LookupAlgebra, LookupChallenges, group_constraints

B = TypeVar("B")
E = TypeVar("E")


class Algebra(Ring[B], LookupAlgebra[B, E], Protocol[B, E]):
    """Everything a composition needs."""


@dataclass(frozen=True)
class Row(Generic[B, E]):
    """A table's values where it is composed: on a row, or at an out-of-domain point.

    Attributes:
        variable: (space, index, offset) -> value.
        interaction: the interaction columns on this row.
        following: the accumulator on the following row (None without interactions).
        share: S/n (None without interactions).
    """

    variable: Callable[[Space, int, int], B]
    interaction: Sequence[E]
    following: E | None
    share: E | None


def num_constraints(air: Air) -> int:
    """Powers of alpha that a table takes: its constraints, then one a fraction group."""
    table = air_graph(air)
    return len(table.constraints) + len(table.groups)


def compose(
    algebra: Algebra[B, E],
    air: Air,
    row: Row[B, E],
    challenges: LookupChallenges[E],
    alphas: Sequence[E],
) -> dict[Rows, E]:
    """The sums of alpha_k C_k, apart for each kind of rows (the caller applies the selectors).

    Args:
        algebra: the arithmetic.
        air: the table.
        row: where.
        challenges: alpha_lu and beta_lu.
        alphas: this table's powers of alpha, `num_constraints(air)` of them.
    """
    table = air_graph(air)
    values = evaluate(table.graph, algebra, row.variable, table.roots())
    totals: dict[Rows, E] = {}

    def accumulate(rows: Rows, term: E) -> None:
        totals[rows] = algebra.ext_add(totals[rows], term) if rows in totals else term

    for (constraint, node), alpha in zip(table.constraints, alphas, strict=False):
        accumulate(constraint.rows, algebra.ext_scale(alpha, values[node]))
    if row.following is not None and row.share is not None:
        lookups = group_constraints(
            algebra, table, values, challenges, row.interaction, row.following, row.share
        )
        for value, alpha in zip(lookups, alphas[len(table.constraints) :], strict=True):
            accumulate(Rows.ALL, algebra.ext_mul(alpha, value))
    return totals
