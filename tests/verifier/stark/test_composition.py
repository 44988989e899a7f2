"""The composition in pieces is the composition: every table of the machine, and what its pieces may read."""

import random
from array import array

import pytest

from circuits.statement import system
from prover import field
from prover.air.affine import AffineForms
from prover.air.air import Rows
from prover.air.composition import Row, compose, num_constraints
from prover.air.expression import Op
from prover.air.graph import IntegerRing, air_graph, evaluate
from prover.air.logup import LookupChallenges
from prover.air.point import Kb6Algebra
from prover.field import DEGREE, P
from verifier.stark.composition import MAX_WINDOW, Composer, HornerFingerprints, Place, plan
from verifier.stark.reference import ReferenceOps
from verifier.stark.steps import PointAlgebra

AIRS = pytest.mark.parametrize("air", system().airs, ids=lambda air: air.name)


def _element(rng):
    return field.to_kb6(rng.randrange(P) for _ in range(DEGREE))


class _Known(dict):
    """A random element for whatever is asked, always the same."""

    def __init__(self, rng):
        self._rng = rng

    def __missing__(self, key):
        self[key] = _element(self._rng)
        return self[key]


@AIRS
def test_pieces_add_up_to_the_composition(air):
    rng = random.Random(air.name)
    values, columns, selectors = _Known(rng), _Known(rng), _Known(rng)
    alpha, lookup, beta, share = (_element(rng) for _ in range(4))
    start = 7
    place = Place(
        lambda *variable: values[variable],
        lambda number, offset: columns[number, offset],
        lambda rows: selectors[rows],
        lambda: share,
        lambda space, index, offset: (offset, index // 4),
    )
    ops = ReferenceOps(array("I"), ())
    composer = Composer(ops, PointAlgebra(ops), air, place, HornerFingerprints(lookup, beta), alpha)
    got = composer.compose(start)

    table = air_graph(air)
    groups = len(table.groups)
    row = Row(
        lambda *variable: values[variable],
        [columns[g, 0] for g in range(groups)],
        columns[groups - 1, 1] if groups else None,
        share if groups else None,
    )
    longest = max((i.relation.arity for i in air.record.interactions), default=0)
    challenges = LookupChallenges(lookup, field.powers(beta, longest + 1)[1:])
    alphas = field.powers(alpha, start + num_constraints(air))[start:]
    expected = field.ZERO
    for rows, part in compose(Kb6Algebra(), air, row, challenges, alphas).items():
        expected = field.add(expected, part if rows is Rows.ALL else field.mul(part, selectors[rows]))
    assert got == expected


@AIRS
def test_windows_cover_every_constraint_once(air):
    made = plan(air)
    assert [w.start for w in made.windows[1:]] == [w.end for w in made.windows[:-1]]
    assert (made.windows[0].start, made.windows[-1].end) == (0, num_constraints(air))
    assert all(w.end - w.start <= MAX_WINDOW for w in made.windows)
    for window in made.windows:
        for product, places in window.shared.items():
            assert len(places) > 1
            assert all(window.start <= k < window.end for k, _ in places)
            assert all(product not in made.own[k].terms for k, _ in places)


def test_a_round_of_a_permutation_shares_its_cubes():
    """24 cubes, each read by the 24 constraints of its round, are each one term of the round's window."""
    p24 = next(air for air in system().airs if air.name == "p24")
    window = plan(p24).windows[1]
    assert (window.start, window.end) == (24, 48)
    assert [len(places) for places in window.shared.values()] == [24] * 24


@AIRS
def test_affine_forms_have_their_nodes_values(air):
    rng = random.Random(air.name)
    table = air_graph(air)
    forms, variables = AffineForms(table.graph), {}
    roots = table.roots()

    def variable(*key):
        return variables.setdefault(key, rng.randrange(P))

    values = evaluate(table.graph, IntegerRing(), variable, roots)
    for node in roots:
        form = forms(node)
        assert all(table.graph.op[n] in (Op.VARIABLE, Op.MUL) for n in form.terms)
        assert (form.constant + sum(f * values[n] for n, f in form.terms.items())) % P == values[node]
