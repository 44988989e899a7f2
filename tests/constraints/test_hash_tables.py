"""Every column of p16, p24 and chain, on a row of each kind: a changed cell breaks a constraint or a
relation.

The survivors are listed with the reason why each is harmless; the test fails when the list is too long as
well.
"""

import numpy as np
import pytest

from prover.air.expression import Space
from prover.air.graph import air_graph, evaluate
from prover.field import P
from tests.circuits.tables.graphcheck import ColumnRing
from tests.circuits.tables.sample import AIRS, make_sample

CHAIN_STEPS = 3 * 153
P24_SIGNATURE = 5 + 2 * 3
ROWS = {
    "p16": {
        "first chain row": 0,
        "middle chain row": 1,
        "tree before-row": CHAIN_STEPS,
        "tree after-row": CHAIN_STEPS + 1,
        "padding": 1000,
        "last row of the table": 1023,
    },
    "p24": {
        "hash": 0,
        "cell before-row": 5,
        "cell after-row": 6,
        "first sponge row": P24_SIGNATURE,
        "middle sponge row": P24_SIGNATURE + 17,
        "last sponge row": P24_SIGNATURE + 34,
        "first path row": P24_SIGNATURE + 35,
        "middle path row": P24_SIGNATURE + 39,
        "last path row": P24_SIGNATURE + 42,
        "owner row": P24_SIGNATURE + 43,
        "message row": P24_SIGNATURE + 44,
        "first sponge row of the next signature": P24_SIGNATURE + 45,
        "padding": 250,
    },
    "chain": {
        **{f"row {row} of signature 1": 64 + row for row in (0, 1, 7, 8, 9, 15, 16, 30, 31, 32, 62, 63)},
        **{f"row {row} of a block that is not active": 192 + row for row in (0, 1, 8, 31, 40, 62, 63)},
    },
}

NOTHING_READS_IT = (
    "no constraint and no relation reads the cell on this kind of row: any value means the same"
)
SURVIVORS = {
    "p16": {
        "padding": {"key": NOTHING_READS_IT},
        "last row of the table": {"key": NOTHING_READS_IT},
    },
    "p24": {
        "hash": {name: NOTHING_READS_IT for name in ("sig_id", "step", "bit")},
        "cell before-row": {name: NOTHING_READS_IT for name in ("step", "bit")},
        "cell after-row": {name: NOTHING_READS_IT for name in ("sig_id", "step", "bit")},
        "first sponge row": {"bit": NOTHING_READS_IT},
        "middle sponge row": {"bit": NOTHING_READS_IT},
        "last sponge row": {"bit": NOTHING_READS_IT},
        "owner row": {"bit": NOTHING_READS_IT},
        "message row": {name: NOTHING_READS_IT for name in ("sig_id", "step", "bit")},
        "first sponge row of the next signature": {"bit": NOTHING_READS_IT},
        "padding": {name: NOTHING_READS_IT for name in ("sig_id", "step", "bit")},
    },
    "chain": {},
}


def evaluate_pairs(air, local, following, periodic):
    """Values of all nodes on explicit (row, following row) pairs; arrays (width, m)."""
    nodes = air_graph(air)

    def variable(space, index, offset):
        if space is Space.PERIODIC:
            return periodic[index]
        return (following if offset else local)[index]

    return nodes, evaluate(nodes.graph, ColumnRing(), variable, nodes.roots())


def observe(air, table, row, mutated):
    """What the pair (row, row + 1) shows: failed constraints and tuples, one lane a mutation.

    `mutated` is (offset of the mutated row in the pair, its variants (width, m)).
    """
    height = table.shape[1]
    lanes = mutated[1].shape[1]
    pair = [np.repeat(table[:, [(row + k) % height]].astype(np.int64), lanes, axis=1) for k in range(2)]
    pair[mutated[0]] = mutated[1]
    periodic = [np.full(lanes, values[row % len(values)], dtype=np.int64) for values in air.periodic.values()]
    nodes, values = evaluate_pairs(air, pair[0], pair[1], periodic)
    failed = np.zeros((len(nodes.constraints), lanes), dtype=bool)
    for k, (constraint, node) in enumerate(nodes.constraints):
        if constraint.rows == "transition" and row % height == height - 1:
            continue
        failed[k] = values[node] != 0
    tuples = [
        np.stack(
            [np.broadcast_to(values[item.multiplicity], lanes)]
            + [np.broadcast_to(values[v] * (values[item.multiplicity] != 0), lanes) for v in item.values]
        )
        for group in nodes.groups
        for item in group
    ]
    return failed, tuples


def survivors(air, table, row, change):
    """Columns whose cell on `row` can be changed unnoticed."""
    column = table[:, row].astype(np.int64)
    variants = np.repeat(column[:, None], len(column) + 1, axis=1)  # the last lane is unchanged
    which = np.arange(len(column))
    variants[which, which] = change(column)
    noticed = np.zeros(len(column) + 1, dtype=bool)
    for pair_row, offset in ((row - 1, 1), (row, 0)):
        failed, tuples = observe(air, table, pair_row, (offset, variants))
        noticed |= failed.any(axis=0)
        for values in tuples:
            noticed |= (values != values[:, -1:]).any(axis=0)
    assert not noticed[-1]
    return {air.Main.names[i] for i in np.flatnonzero(~noticed[:-1])}


@pytest.fixture(scope="module")
def sample():
    return make_sample()


@pytest.mark.parametrize("table", AIRS)
@pytest.mark.parametrize(
    "change",
    [lambda x: (x + 1) % P, lambda x: 1 - np.minimum(x, 1), lambda x: (x + P - 1) % P],
    ids=["plus one", "zero or one", "minus one"],
)
def test_a_changed_cell_is_noticed(sample, table, change):
    air, cells = AIRS[table], sample.tables[table]
    for kind, row in ROWS[table].items():
        assert survivors(air, cells, row, change) == set(SURVIVORS[table].get(kind, {})), kind


def test_rows_are_of_the_kind_that_is_claimed(sample):
    p16, p24 = sample.tables["p16"], sample.tables["p24"]
    names16, names24 = AIRS["p16"].Main.names, AIRS["p24"].Main.names
    flags16 = {name: p16[names16.index(name)] for name in ("cont", "last", "is_tree")}
    rows = ROWS["p16"]
    assert flags16["cont"][rows["middle chain row"]] + flags16["last"][rows["middle chain row"]] == 1
    assert flags16["is_tree"][rows["tree before-row"]] == 1
    flags24 = {name: p24[names24.index(name)] for name in names24 if name.startswith("is_")}
    for kind, row in ROWS["p24"].items():
        set_flags = {name for name, column in flags24.items() if column[row]}
        expected = {f"is_{word}" for word in ("hash", "sponge", "path", "owner") if word in kind.split()}
        expected |= {"is_cell"} if kind == "cell before-row" else set()
        assert set_flags == expected, kind
