"""A small complete system: three tables, three heights, lookups (one with degree-2 fingerprints), fixed
and periodic columns, every kind of row, public tuples."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from prover.air.air import Air, AirSystem, PublicTuple, Relation
from prover.air.columns import Columns, column, columns
from prover.field import P

SQUARES = Relation("squares", 1, 2)
STEPS = Relation("steps", 2, 3)
ENDS = Relation("ends", 3, 2)


class ChainColumns(Columns):
    x = column()
    y = column()
    square = column()
    real = column()


class Chain(Air):
    """x goes to x + y + round constant; each x mod 16 is looked up, each real step is sent."""

    name = "chain"
    Main = ChainColumns
    periodic: ClassVar = {"constant": (1, 2, 3, 4), "flag": (1, 0)}

    def eval(self, builder, local, following):
        builder.when_first_row().assert_eq(local.x, 5, "start")
        builder.assert_bool(local.real, "real")
        builder.when(local.real).when_transition().assert_eq(
            following.x, local.x + local.y + builder.periodic.constant, "step"
        )
        builder.assert_eq(local.square, local.y * local.y, "square")
        builder.when_last_row().assert_zero(local.real, "last is not real")
        builder.assert_bool(builder.periodic.flag, "flag")
        builder.send(SQUARES, [local.y, local.square], 1, "look up square")
        builder.send(STEPS, [local.x, local.y, 7], local.real, "send step")
        builder.receive(STEPS, [following.x - local.y * local.real, local.y, local.y * local.y], 0, "unused")


class SquareColumns(Columns):
    count = column()


class SquareFixed(Columns):
    y = column()
    square = column()


class Squares(Air):
    """The preprocessed table of squares."""

    name = "squares"
    Main = SquareColumns
    Fixed = SquareFixed

    def eval(self, builder, local, following):
        builder.receive(SQUARES, [builder.fixed.y, builder.fixed.square], local.count, "square")

    def fixed_columns(self, log_height):
        return [list(range(1 << log_height)), [i * i for i in range(1 << log_height)]]


class SinkFixed(Columns):
    last = column()


class SinkColumns(Columns):
    pair = columns(2)
    used = column()
    total = column()


class Sink(Air):
    """Receives steps (x as a product, so that the fingerprint has degree 2), sums y, shows first and last."""

    name = "sink"
    Main = SinkColumns
    Fixed = SinkFixed

    def eval(self, builder, local, following):
        x, y = local.pair
        builder.assert_bool(local.used, "used")
        builder.when_first_row().assert_eq(local.total, y * local.used, "first total")
        builder.when_transition().assert_eq(
            following.total, local.total + following.pair[1] * following.used, "total"
        )
        builder.receive(STEPS, [x * local.used, y, 7], local.used, "receive step")
        builder.receive(SQUARES, [y, y * y], 0, "never")
        builder.send(ENDS, [local.total, 9], builder.fixed.last, "ends")

    def fixed_columns(self, log_height):
        return [[0] * ((1 << log_height) - 1) + [1]]


SYSTEM_LOGS = {"chain": 8, "squares": 5, "sink": 9}
SYSTEM = AirSystem(
    (Chain(), Squares(), Sink()),
    2,
    (
        PublicTuple(ENDS, (("public", 0), ("constant", 9)), -1),
        PublicTuple(SQUARES, (("constant", 3), ("public", 1)), 1),
    ),
)


def make_tables(logs=None, shift=0):
    logs = logs or SYSTEM_LOGS
    n, m, k = (1 << logs[name] for name in ("chain", "squares", "sink"))
    chain = np.zeros((4, n), np.int64)
    x = 5
    for i in range(n):
        y = (7 * i + i * i + shift) % min(m, 1 << 5)
        real = int(i < min(n - 1, k))
        chain[:, i] = x, y, y * y, real
        if real:
            x = (x + y + (i % 4) + 1) % P
    squares = np.bincount(chain[1], minlength=m)[None, :]
    squares[0, 3] += 1
    sink = np.zeros((4, k), np.int64)
    total = 0
    for i in range(k):
        if i < n and chain[3, i]:
            sink[:3, i] = chain[0, i], chain[1, i], 1
            total += int(chain[1, i])
        sink[3, i] = total
    tables = {"chain": chain, "squares": squares, "sink": sink}
    public = [total, 9]
    arrays = {name: np.ascontiguousarray(t, dtype=np.uint32) for name, t in tables.items()}
    return arrays, public
