"""The composition in pieces is the composition: every table of the machine, and what its pieces may read."""

import random
from array import array

import pytest

from circuits.statement import system
from prover import field
from prover.air.affine import AffineForms
from prover.air.air import Air, Relation, Rows
from prover.air.columns import Columns, columns
from prover.air.composition import Row, compose, num_constraints
from prover.air.expression import Op
from prover.air.graph import air_graph, evaluate
from prover.air.logup import LookupChallenges
from prover.field import DEGREE, P
from tests.oracles.integers import IntegerRing
from tests.oracles.kb6_algebra import Kb6Algebra
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
    check(air)


def check(air, start=7):
    rng = random.Random(air.name)
    values, columns, selectors = _Known(rng), _Known(rng), _Known(rng)
    alpha, lookup, beta, share = (_element(rng) for _ in range(4))
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


# Tables that the machine does not have

THREE, ONE = Relation("three", 1, 3), Relation("one", 2, 1)


class Wide(Columns):
    x = columns(40)


class Empty(Air):
    """Data that others do not even look up."""

    name = "empty"
    Main = Wide

    def eval(self, builder, local, following):
        pass


class Degenerate(Air):
    """Constraints that are nothing, or a constant; tuples of zeros; constant multiplicities; a period of one."""

    name = "degenerate"
    Main = Wide
    periodic = {"one": (7,), "two": (1, 2)}  # noqa: RUF012

    def eval(self, builder, local, following):
        x, one = local.x, builder.periodic.one
        builder.assert_zero(x[0] - x[0], "nothing")
        builder.when_first_row().assert_zero(0, "zero")
        builder.when_last_row().assert_zero(5, "five")
        builder.assert_zero(one * one, "constants alone")
        builder.assert_zero(one * 3 + builder.periodic.two * x[0], "periods")
        builder.send(ONE, [0], 1, "zero alone")
        builder.send(THREE, [0, 0, 0], x[1], "zeros")
        builder.send(THREE, [x[2], 0, 0], -3, "zeros at the end")
        builder.send(THREE, [x[2] * x[3], 0, x[2]], x[1] * x[4], "products")


class Drawn(Air):
    """Constraints of every kind of rows drawn from a few products, short and long, many of them repeated."""

    Main = Wide

    def __init__(self, seed, constraints, lookups):
        self.name = f"{constraints} constraints, {lookups} lookups"
        self.seed, self.constraints, self.lookups = seed, constraints, lookups

    def eval(self, builder, local, following):
        rng, cells = random.Random(self.seed), [*local.x, *following.x]
        products = [rng.choice(cells) * rng.choice(cells) for _ in range(12)]
        views = [builder.when_first_row(), builder.when_last_row(), builder.when_transition(), *[builder] * 2]

        def linear():
            total = rng.choice(cells) * rng.randrange(1, 99) + rng.choice([0, 0, 1])
            for _ in range(rng.randrange(14)):
                total = total + rng.choice(cells) * rng.choice([1, -1, 5])
            return total

        for k in range(self.constraints):
            value = linear()
            for _ in range(rng.choice([0, 0, 1, 2, 12])):
                value = value + rng.choice(products) * rng.choice([1, -1, 3])
            if rng.random() < 0.3:
                value = value + linear() * linear()
            rng.choice(views).assert_zero(value, f"constraint {k}")
        for k in range(self.lookups):
            values = [rng.choice([0, rng.choice(cells), linear(), rng.choice(products)]) for _ in range(3)]
            multiplicity = rng.choice([0, 1, -1, rng.choice(cells), linear()])
            builder.send(THREE, values, multiplicity, f"lookup {k}")


SIZES = [(1, 0), (7, 1), (8, 0), (9, 2), (33, 3), (64, 0), (257, 4), (300, 9), (300, 0), (0, 1)]


@pytest.mark.parametrize(
    "air",
    [Empty(), Degenerate(), *(Drawn(seed, *size) for seed, size in enumerate(SIZES))],
    ids=lambda air: air.name,
)
@pytest.mark.parametrize("start", [0, 1, 7])
def test_pieces_of_any_table_add_up(air, start):
    check(air, start)
