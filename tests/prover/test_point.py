"""The composition at zeta by the constraint machine, against the same definition on plain integers."""

import random

import pytest

from circuits.statement import shape, system
from prover import field
from prover.air.air import MAX_DEGREE, Rows
from prover.air.composition import Row, compose
from prover.air.expression import Space
from prover.air.logup import LookupChallenges
from prover.domains import periodic_coefficients, point_inverse
from prover.field import DEGREE, P
from prover.layout import Layout, TreeName
from prover.machine import LookupValues
from prover.params import PRESETS
from prover.point import failing_heights, missing_quotients
from prover.shape import Shape
from tests.oracles.kb6_algebra import Kb6Algebra
from tests.small_system import SYSTEM, SYSTEM_LOGS

LAYOUTS = {
    "small system": Layout(SYSTEM, Shape.of(SYSTEM, SYSTEM_LOGS), PRESETS["fast"]),
    "statement": Layout(system(), shape("small"), PRESETS["fast"]),
}


def _element(rng):
    return field.to_kb6(rng.choice([0, P - 1, rng.randrange(P)]) for _ in range(DEGREE))


def _extension(values):
    return field.horner(values, (0, 1, 0, 0, 0, 0))


def _composition(layout, table, log, at, lookup, alphas, sums, zeta):
    """By kind of rows, on plain integers."""
    air = layout.system.airs[table]

    def variable(space, index, offset):
        if space is Space.PERIODIC:
            values = list(air.periodic.values())[index]
            coefficients = [field.lift(c) for c in periodic_coefficients(values)]
            return field.horner(coefficients, field.power(zeta, (1 << log) // len(values)))
        tree = TreeName.MAIN if space is Space.MAIN else TreeName.PREPROCESSED
        return at[offset][layout.column_start(tree, table) + index]

    start, groups = layout.column_start(TreeName.INTERACTION, table), len(air.record.fraction_groups())
    columns = [[_extension(points[start + DEGREE * g :][:DEGREE]) for g in range(groups)] for points in at]
    row = Row(
        variable,
        columns[0],
        columns[1][-1] if groups else None,
        field.scale(sums[table], field.inverse(1 << log)) if groups else None,
    )
    challenges = LookupChallenges(lookup.alpha, lookup.betas)
    begin, end = layout.constraint_starts[table : table + 2]
    return compose(Kb6Algebra(), air, row, challenges, alphas[begin:end])


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_a_quotient_misses_is_what_plain_integers_say(name):
    layout, rng = LAYOUTS[name], random.Random(name)
    at = [[_element(rng) for _ in range(layout.num_columns)] for _ in range(2)]
    lookup = LookupValues(_element(rng), tuple(field.powers(_element(rng), layout.max_tuple + 1)[1:]))
    alphas = field.powers(_element(rng), layout.constraint_starts[-1])
    sums = {i: _element(rng) for i in layout.looking_tables}
    zeta = (3, 1, 4, 1, 5, P - 9)
    got = missing_quotients(layout, *at, lookup, alphas, sums, zeta)
    assert list(got) == list(layout.distinct)
    for log in layout.distinct:
        power = field.power(zeta, 1 << log)
        vanishing, last = field.sub(power, field.ONE), field.lift(point_inverse(log))
        selectors = {
            Rows.ALL: field.ONE,
            Rows.TRANSITION: field.sub(zeta, last),
            Rows.FIRST: field.mul(vanishing, field.inv(field.sub(zeta, field.ONE))),
            Rows.LAST: field.mul(vanishing, field.inv(field.sub(zeta, last))),
        }
        total = field.ZERO
        for i in (i for i, height in enumerate(layout.log_heights) if height == log):
            for rows, value in _composition(layout, i, log, at, lookup, alphas, sums, zeta).items():
                total = field.add(total, field.mul(value, selectors[rows]))
        start = layout.quotient_start(log)
        low, high = (_extension(at[0][k : k + DEGREE]) for k in (start, start + DEGREE))
        quotient = field.add(low, field.mul(power, high))
        assert got[log] == field.sub(field.mul(total, field.inv(vanishing)), quotient)
    # And a height whose quotient makes up for it does not fail.
    mended = layout.distinct[-1]
    at[0][layout.quotient_start(mended)] = field.add(at[0][layout.quotient_start(mended)], got[mended])
    assert failing_heights(layout, *at, lookup, alphas, sums, zeta) == list(layout.distinct[:-1])


def test_some_constraint_has_the_highest_degree():
    """So that the test above needs every point at which the machine evaluates."""
    for layout in LAYOUTS.values():
        assert max(c.degree for air in layout.system.airs for c in air.record.constraints) == MAX_DEGREE
