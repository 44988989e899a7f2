"""LogUp: the lookup constraints of a table, generated from its interactions.

Fractions m / d come in groups of one or two (`AirRecord.fraction_groups`), d the fingerprint alpha + relation_id +
sum_j beta^(j+1) v_j. With phi the group's sum: phi * d = m, or phi * d1 * d2 = m1 * d2 + m2 * d1. The columns hold
sums along the row: c_g = phi_0 + .. + phi_g, so phi_g = c_g - c_(g-1) and a constraint reads two columns only. The
last group has no such column; its phi is A(wx) - A(x) + S/n - c_(last - 1), A the accumulator (last column), S the
table's sum: cyclic, so no selector.

Written once over `LookupAlgebra`; the interaction trace, the quotient and the verifier all call it.

Source: Habock, "Multivariate lookups based on logarithmic derivatives", eprint 2022/1530.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from prover.air.expression import CONST
from prover.air.graph import AirGraph, InteractionNodes

B = TypeVar("B", contravariant=True)
E = TypeVar("E")
V = TypeVar("V")


class LookupAlgebra(Protocol[B, E]):
    """Arithmetic over base values B and extension values E (the same type at an out-of-domain point)."""

    def embed(self, a: B) -> E:
        """A base value as an extension value."""

    def ext_offset(self, a: E, value: int) -> E:
        """A plus a base-field constant."""

    def ext_add(self, a: E, b: E) -> E:
        """A + b."""

    def ext_sub(self, a: E, b: E) -> E:
        """A - b."""

    def ext_mul(self, a: E, b: E) -> E:
        """A * b."""

    def ext_scale(self, a: E, b: B) -> E:
        """A * b."""


class Fingerprints(Protocol[V, E]):
    """The challenges, as an interaction's fingerprint asks for them."""

    def fingerprint(
        self, algebra: LookupAlgebra[V, E], table: AirGraph, item: InteractionNodes, values: Mapping[int, V]
    ) -> E:
        """D of one interaction."""


@dataclass
class LookupChallenges(Generic[E]):
    """alpha_lu and the powers of beta_lu.

    Attributes:
        alpha: alpha_lu.
        betas: beta_lu^1, beta_lu^2, ... as many as the longest tuple.
        offsets: relation id -> alpha_lu + id, filled as used.
    """

    alpha: E
    betas: Sequence[E]
    offsets: dict[int, E] = field(default_factory=dict)

    def fingerprint(
        self, algebra: LookupAlgebra[B, E], table: AirGraph, item: InteractionNodes, values: Mapping[int, B]
    ) -> E:
        """As a sum of powers times values."""
        relation = item.interaction.relation.id
        if relation not in self.offsets:
            self.offsets[relation] = algebra.ext_offset(self.alpha, relation)
        total = self.offsets[relation]
        for beta, node in zip(self.betas, item.values, strict=False):
            if not (table.graph.op[node] is CONST and table.graph.left[node] == 0):
                total = algebra.ext_add(total, algebra.ext_scale(beta, values[node]))
        return total


def fraction(
    algebra: LookupAlgebra[V, E],
    table: AirGraph,
    group: tuple[InteractionNodes, ...],
    values: Mapping[int, V],
    challenges: Fingerprints[V, E],
) -> tuple[E, E]:
    """Numerator and denominator of a group's sum of fractions."""

    def times_multiplicity(item: InteractionNodes, a: E) -> E:
        node = item.multiplicity
        if table.graph.op[node] is CONST and table.graph.left[node] == 1:
            return a
        return algebra.ext_scale(a, values[node])

    denominators = [challenges.fingerprint(algebra, table, item, values) for item in group]
    if len(group) == 1:
        return algebra.embed(values[group[0].multiplicity]), denominators[0]
    first, second = group
    numerator = algebra.ext_add(
        times_multiplicity(first, denominators[1]), times_multiplicity(second, denominators[0])
    )
    return numerator, algebra.ext_mul(denominators[0], denominators[1])


def group_constraints(
    algebra: LookupAlgebra[V, E],
    table: AirGraph,
    values: Mapping[int, V],
    challenges: Fingerprints[V, E],
    local: Sequence[E],
    following: E,
    share: E,
) -> list[E]:
    """One value a group, zero where the lookup constraints hold.

    Args:
        algebra: the arithmetic.
        table: the table's graph.
        values: its nodes' values on the row.
        challenges: alpha_lu and beta_lu.
        local: the interaction columns on this row; the last is the accumulator.
        following: the accumulator on the following row.
        share: S/n.
    """
    if not table.groups:
        return []
    ends = [*local[:-1], algebra.ext_add(algebra.ext_sub(following, local[-1]), share)]
    out = []
    for g, (group, end) in enumerate(zip(table.groups, ends, strict=True)):
        phi = algebra.ext_sub(end, local[g - 1]) if g else end
        numerator, denominator = fraction(algebra, table, group, values, challenges)
        out.append(algebra.ext_sub(algebra.ext_mul(phi, denominator), numerator))
    return out
