"""Multiplicities wrap round p only where a shape is refused: constants count with their weight."""

import pytest

from prover.air.air import Air, AirError, AirSystem, PublicTuple, Relation
from prover.air.columns import Columns, column
from prover.air.digest import check_system
from prover.field import P
from prover.shape import Shape, ShapeError

BUS = Relation("bus", 1, 1)


class _One(Columns):
    x = column()


def _sender(multiplicity):
    class Sender(Air):
        name, Main = "sender", _One

        def eval(self, builder, local, following):
            builder.send(BUS, [local.x], multiplicity, "send")

    return Sender()


def test_a_constant_multiplicity_counts_as_often_as_it_sends():
    """2^8 rows that each send 127 * 2^16 times send p - 1 times; with one tuple more they would send none."""
    weight = 127 << 16
    Shape.of(AirSystem((_sender(weight),)), {"sender": 8})
    for heavy in (weight, -weight, P - weight):
        with pytest.raises(ShapeError, match="wrap"):
            Shape.of(AirSystem((_sender(heavy),)), {"sender": 9})
    Shape.of(AirSystem((_sender(-1),)), {"sender": 20})


def test_a_public_tuple_is_sent_or_received_once():
    for multiplicity in (1, -1):
        check_system(AirSystem((_sender(1),), 0, (PublicTuple(BUS, (("constant", 5),), multiplicity),)))
    for multiplicity in (0, 2, P, P - 1):
        system = AirSystem((_sender(1),), 0, (PublicTuple(BUS, (("constant", 5),), multiplicity),))
        with pytest.raises(AirError, match="multiplicity"):
            check_system(system)
