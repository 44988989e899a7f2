"""Compositions at an out-of-domain point on plain integers: the prover's check of its own proof."""

from __future__ import annotations

from collections.abc import Sequence

from prover import field
from prover.air.air import Rows
from prover.air.composition import Row, compose
from prover.air.expression import Space
from prover.air.logup import LookupChallenges
from prover.domains import periodic_coefficients, point_inverse
from prover.field import DEGREE, Kb6, lift
from prover.layout import Layout, TreeName


class Kb6Algebra:
    """`composition.Algebra` where base values too are KB6 elements."""

    add = ext_add = staticmethod(field.add)
    sub = ext_sub = staticmethod(field.sub)
    mul = ext_mul = ext_scale = staticmethod(field.mul)
    scale = staticmethod(field.scale)
    constant = staticmethod(field.lift)

    def embed(self, a: Kb6) -> Kb6:
        """Already in KB6."""
        return a

    def ext_offset(self, a: Kb6, value: int) -> Kb6:
        """Plus a base constant."""
        return field.add(a, lift(value))


def _extension(values: Sequence[Kb6]) -> Kb6:
    """Sum of X^i v_i."""
    total = field.ZERO
    for i, value in enumerate(values):
        unit = field.to_kb6(int(i == j) for j in range(DEGREE))
        total = field.add(total, field.mul(unit, value))
    return total


def failing_heights(
    layout: Layout,
    at_zeta: Sequence[Kb6],
    at_next: Sequence[Kb6],
    lookup: LookupChallenges[Kb6],
    alphas: Sequence[Kb6],
    sums: dict[int, Kb6],
    zeta: Kb6,
) -> list[int]:
    """Log heights whose composition at zeta is not Z_H times their quotient."""
    missing = missing_quotients(layout, at_zeta, at_next, lookup, alphas, sums, zeta)
    return [log for log, value in missing.items() if value != field.ZERO]


def missing_quotients(
    layout: Layout,
    at_zeta: Sequence[Kb6],
    at_next: Sequence[Kb6],
    lookup: LookupChallenges[Kb6],
    alphas: Sequence[Kb6],
    sums: dict[int, Kb6],
    zeta: Kb6,
) -> dict[int, Kb6]:
    """By log height: composition / Z_H - quotient at zeta; zero where the identity holds."""
    algebra, missing = Kb6Algebra(), {}
    for log in layout.distinct:
        power = field.power(zeta, 1 << log)
        vanishing, to_first = field.sub(power, field.ONE), field.sub(zeta, field.ONE)
        to_last = field.sub(zeta, lift(point_inverse(log)))
        selector = {
            Rows.ALL: field.ONE,
            Rows.TRANSITION: to_last,
            Rows.FIRST: field.mul(vanishing, field.inv(to_first)),
            Rows.LAST: field.mul(vanishing, field.inv(to_last)),
        }
        total = field.ZERO
        for i, air in enumerate(layout.system.airs):
            if layout.log_heights[i] != log:
                continue
            starts = {
                Space.MAIN: layout.column_start(TreeName.MAIN, i),
                Space.PREPROCESSED: layout.column_start(TreeName.PREPROCESSED, i),
            }
            periods = list(air.periodic.values())

            def variable(
                space: Space,
                index: int,
                offset: int,
                starts: dict[Space, int] = starts,
                periods: list[tuple[int, ...]] = periods,
                log: int = log,
            ) -> Kb6:
                if space is Space.PERIODIC:
                    at = field.power(zeta, (1 << log) // len(periods[index]))
                    return field.horner([lift(c) for c in periodic_coefficients(periods[index])], at)
                return (at_next if offset else at_zeta)[starts[space] + index]

            columns: list[Kb6] = []
            following = share = None
            if i in sums:
                start = layout.column_start(TreeName.INTERACTION, i)
                groups = len(air.record.fraction_groups())
                begins = [start + DEGREE * g for g in range(groups)]
                columns = [_extension(at_zeta[b : b + DEGREE]) for b in begins]
                following = _extension(at_next[begins[-1] : begins[-1] + DEGREE])
                share = field.scale(sums[i], field.inverse(1 << log))
            powers = alphas[layout.constraint_starts[i] : layout.constraint_starts[i + 1]]
            row = Row(variable, columns, following, share)
            for rows, value in compose(algebra, air, row, lookup, powers).items():
                total = field.add(total, field.mul(value, selector[rows]))
        start = layout.quotient_start(log)
        low = _extension(at_zeta[start : start + DEGREE])
        high = _extension(at_zeta[start + DEGREE : start + 2 * DEGREE])
        quotient = field.add(low, field.mul(power, high))
        missing[log] = field.sub(field.mul(total, field.inv(vanishing)), quotient)
    return missing
