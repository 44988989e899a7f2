"""Machine code against the same definitions on plain integers, row by row."""

import numpy as np
import pytest

from prover import field
from prover.air.air import Rows
from prover.air.compile import compiled
from prover.air.composition import Row, compose, num_constraints
from prover.air.expression import Space
from prover.air.graph import air_graph, evaluate
from prover.air.logup import LookupChallenges, fraction
from prover.field import DEGREE, P
from prover.machine import LookupValues, looked_columns, periodic_columns, run
from tests.oracles.integers import IntegerRing
from tests.poseidon_system import Poseidon
from tests.small_system import Chain, Sink, Squares

RNG = np.random.default_rng(7)
ROWS = 64


def _random(*shape):
    return RNG.integers(0, P, shape, dtype=np.uint32)


class _RowAlgebra(IntegerRing):
    """Base values are integers, extension values 6-tuples."""

    embed = staticmethod(field.lift)
    ext_add, ext_sub, ext_mul = (staticmethod(f) for f in (field.add, field.sub, field.mul))
    ext_scale = staticmethod(field.scale)

    def ext_offset(self, a, value):
        return field.add(a, field.lift(value))


def _setting(air):
    table = air_graph(air)
    matrices = {
        Space.MAIN: _random(air.Main.width, ROWS),
        Space.PREPROCESSED: _random(air.Fixed.width, ROWS),
        Space.PERIODIC: np.array([np.resize(v, ROWS) for v in air.periodic.values()], np.uint32).reshape(
            -1, ROWS
        ),
    }
    columns = [matrices[Space.MAIN]]
    if air.Fixed.width:
        columns.append(matrices[Space.PREPROCESSED])
    columns += periodic_columns(air)
    beta = field.to_kb6(_random(6).tolist())
    lookup = LookupValues(field.to_kb6(_random(6).tolist()), tuple(field.powers(beta, 5)[1:]))
    return table, matrices, columns, lookup


def _reader(matrices, row):
    return lambda space, index, offset: int(matrices[space][index, (row + offset) % ROWS])


@pytest.mark.parametrize("air", [Chain(), Squares(), Sink()])
def test_fractions(air):
    table, matrices, columns, lookup = _setting(air)
    code = compiled(air).fractions
    looked = looked_columns(air, matrices[Space.MAIN])
    got = run(code, lookup.symbols(), [looked, *columns[1:]], ROWS)
    for row in range(ROWS):
        values = evaluate(table.graph, IntegerRing(), _reader(matrices, row), table.roots())
        challenges = LookupChallenges(lookup.alpha, lookup.betas)
        expected = []
        for group in table.groups:
            expected += fraction(_RowAlgebra(), table, group, values, challenges)
        assert [int(w) for w in got[:, row]] == [w for value in expected for w in value]


@pytest.mark.parametrize("air", [Chain(), Squares(), Sink(), Poseidon()])
def test_quotient_sums(air):
    table, matrices, columns, lookup = _setting(air)
    groups = len(table.groups)
    interaction = _random(DEGREE * groups, ROWS)
    alphas = field.powers(field.to_kb6(_random(6).tolist()), num_constraints(air))
    share = field.to_kb6(_random(6).tolist())
    symbols = {**lookup.symbols(), "alpha": alphas, "share": [share]}
    code = compiled(air)
    inputs = [*columns, interaction] if groups else columns
    got = run(code.quotient, symbols, inputs, ROWS)

    def ext(index, row):
        words = interaction[DEGREE * index : DEGREE * (index + 1), row % ROWS]
        return field.to_kb6(int(w) for w in words)

    for row in range(0, ROWS, 7):
        where = Row(
            _reader(matrices, row),
            [ext(g, row) for g in range(groups)],
            ext(groups - 1, row + 1) if groups else None,
            share if groups else None,
        )
        challenges = LookupChallenges(lookup.alpha, lookup.betas)
        expected = compose(_RowAlgebra(), air, where, challenges, alphas)
        assert tuple(expected) == code.rows
        assert [int(w) for w in got[:, row]] == [w for rows in code.rows for w in expected[rows]]


def test_slots_stay_few():
    code = compiled(Poseidon()).quotient
    assert code.base_slots < 120
    assert Rows.ALL in compiled(Poseidon()).rows
