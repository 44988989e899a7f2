"""A system of the size of the real one: seven tables of six heights, about a thousand opened columns."""

from __future__ import annotations

import numpy as np

from prover.air.air import Air, AirSystem, Relation
from prover.air.columns import Columns, columns
from prover.field import P

LOGS = {"t0": 13, "t1": 12, "t2": 10, "t3": 10, "t4": 8, "t5": 7, "t6": 5}
WIDTHS = {"t0": 240, "t1": 160, "t2": 120, "t3": 90, "t4": 60, "t5": 40, "t6": 20}
RING = Relation("ring", 1, 4)


def _make(name: str, width: int) -> Air:
    class Layout(Columns):
        x = columns(width)

    class Table(Air):
        Main = Layout

        def eval(self, builder, local, following):
            x, last = local.x, width - 1
            for i in range(last):
                builder.assert_eq(x[i + 1], x[i] * x[i] * x[i] + i, f"cube {i}")
            builder.when_transition().assert_eq(following.x[0], x[0] + 1, "counter")
            for i in range(6):
                builder.send(RING, x[i : i + 4], 1, f"send {i}")
                builder.receive(RING, x[i : i + 4], 1, f"receive {i}")

    Table.name = name
    return Table()


SYSTEM = AirSystem(tuple(_make(name, width) for name, width in WIDTHS.items()))


def make_tables():
    out = {}
    for name, width in WIDTHS.items():
        n = 1 << LOGS[name]
        table = np.zeros((width, n), np.int64)
        table[0] = np.arange(n)
        for i in range(width - 1):
            table[i + 1] = (table[i] * table[i] % P * table[i] + i) % P
        out[name] = np.ascontiguousarray(table, dtype=np.uint32)
    return out
