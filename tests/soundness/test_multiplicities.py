"""What LogUp rests on: which multiplicities are free, who provides what, and that no row is special by place.

A tuple that is sent (multiplicity 0 or 1 each time, fewer than p times in all) must be received. So relations
whose receiver counts with a free column are safe if, and only if, every row of that table is a true fact
whatever its count is: a negative count would *send* the row's tuple, which is then a true one as well.
"""

from __future__ import annotations

import numpy as np
import pytest

from circuits.rollup.signatures import claims
from circuits.statement import system
from prover.air.air import Air, Interaction
from prover.air.expression import Expression, Op, Space
from prover.field import P
from tests.constraints.kinds import LAYOUTS, kinds
from tests.constraints.test_every_column import field_of, local
from tests.soundness.scene import CHAIN_ID, attack, deposit, sign, transfer
from tests.whole import check_all, honest

FREE = {
    "rom.fetch": "mult",
    "add.add": "mult_add",
    "add.less": "mult_less",
    "muldiv.muldiv": "mult",
    "word.bytes": "mult_bytes",
    "word.limbs": "mult_limbs",
    "range.range16": "mult16",
    "range.pair": "mult_pair",
    "code.fetch": "mult",
    "code.program": "mult",
}
"""Interactions that count with a column that may hold any element, times bits."""

INTERACTIONS = [(air, item) for air in system().airs for item in air.record.interactions]
IDS = [f"{air.name}-{item.label}" for air, item in INTERACTIONS]


def main_columns(expression: Expression) -> set[int]:
    """Main columns that an expression reads (on either row)."""
    if expression.left is None or expression.right is None:
        is_main = expression.op is Op.VARIABLE and expression.space is Space.MAIN
        return {expression.index} if is_main else set()
    return main_columns(expression.left) | main_columns(expression.right)


def row_of_every_kind(name: str) -> list[int]:
    return [int(rows[0]) for rows in kinds(name, honest().tables).values() if len(rows)]


@pytest.mark.parametrize(("air", "item"), INTERACTIONS, ids=IDS)
def test_multiplicity_is_made_of_bits_unless_it_is_listed(air: Air, item: Interaction):
    """Every column in it is refused by a constraint, not only by a relation, when it holds 2."""
    columns = main_columns(item.multiplicity)
    if item.label in FREE:
        free = {c for c in columns if field_of(air.name, c)[0] == FREE[item.label]}
        assert len(free) == 1
        columns -= free
    changes = [(c, row, 2) for c in columns for row in row_of_every_kind(air.name)]
    effects = local(air.name).effects(changes)
    assert [change for change, labels in zip(changes, effects.labels, strict=True) if not labels] == []


@pytest.mark.parametrize("name", [air.name for air in system().airs])
def test_multiplicities_of_the_honest_trace_are_0_or_1_unless_listed(name):
    for item in local(name).items:
        if item.interaction.label not in FREE:
            rows = np.arange(min(local(name).height, 4096))
            changes = np.stack([0 * rows, rows, 0 * rows], axis=1)
            values = local(name)._values(changes, False, [item.multiplicity])[item.multiplicity]
            assert set(np.unique(values).tolist()) <= {0, 1} or set(np.unique(values).tolist()) <= {0, P - 1}


def test_free_counts_are_alone_on_the_receiving_side_of_their_relation():
    """Nobody else takes from the relation, and its provider never sends to it."""
    for air, item in INTERACTIONS:
        if item.label not in FREE:
            continue
        others = [(a, i) for a, i in INTERACTIONS if i.relation == item.relation and i.label != item.label]
        assert all(a.name != air.name for a, _ in others)
        for a, other in others:
            rows = row_of_every_kind(a.name)
            changes = np.array([(0, row, 0) for row in rows])
            node = next(i.multiplicity for i in local(a.name).items if i.interaction.label == other.label)
            values = local(a.name)._values(changes, False, [node])[node]
            assert set(values.tolist()) <= {0, 1}  # sends only


FALSE_FACTS = {
    "1 + 1 = 3": ("add", {"x[0]": 1, "y[0]": 1, "z[0]": 3}),
    "a sum above 2^64 without a carry": ("add", {f"{w}[{i}]": 65535 for w in "xy" for i in range(4)}),
    "a limb of 65536": ("add", {"y[0]": 65536, "z[0]": 65536}),
    "1 * 1 / 1 = 2": ("muldiv", {"a[0]": 1, "b[0]": 1, "q[0]": 2}),
    "0 / 0": ("muldiv", {"c[0]": 0}),
    "a byte of 256": ("word", {"byte[0]": 256}),
    "a byte of -1": ("word", {"byte[3]": P - 1}),
}


@pytest.mark.parametrize("count", [0, P - 1], ids=["0", "-1"])
@pytest.mark.parametrize("fact", FALSE_FACTS)
def test_false_row_is_refused_whatever_its_count(fact, count):
    """In the last row, padding, of the provider's table."""
    name, values = FALSE_FACTS[fact]
    tables = honest().copy()
    names = list(LAYOUTS[name].names)
    for column, value in values.items():
        tables[name][names.index(column), -1] = value
    for column in ("mult", "mult_add", "mult_less", "mult_bytes", "mult_limbs"):
        if column in names:
            tables[name][names.index(column), -1] = count
    assert check_all(tables, honest().public_values)


def test_a_count_may_be_split_over_equal_rows_even_with_signs():
    """Free counts are not unique, and need not be: two equal rows with counts m + 5 and -5 provide m."""
    tables = honest().copy()
    word = tables["word"]
    last = word.shape[1] - 1
    names = list(LAYOUTS["word"].names)
    zeros = int(np.flatnonzero((word[:8] == 0).all(axis=0))[0])
    assert zeros != last
    assert (word[:8, last] == 0).all()
    column = names.index("mult_limbs")
    word[column, zeros] = (int(word[column, zeros]) + 5) % P
    word[column, last] = (int(word[column, last]) - 5) % P
    assert not check_all(tables, honest().public_values)


@pytest.mark.parametrize("name", ["p16", "p24"])
def test_rings_have_no_special_row(name):
    """Rolled by any number of rows, chains, nodes and signatures lying across the end, the trace is as good."""
    tables = honest().copy()
    tables[name] = np.ascontiguousarray(np.roll(tables[name], 101, axis=1))
    assert not check_all(tables, honest().public_values)
    tables[name] = np.ascontiguousarray(np.roll(honest().tables[name], -101, axis=1))
    assert not check_all(tables, honest().public_values)


def test_one_request_is_answered_by_one_signature_not_by_two():
    """Shown twice, a signature's SIG tuple is received once too often."""
    tx = sign(transfer())
    made = attack([tx], [deposit()], shown=claims(CHAIN_ID, [tx]) * 2)
    assert made.broken() == (set(), {"sig"})
