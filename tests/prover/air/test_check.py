import numpy as np
import pytest

from prover.air.check import check
from prover.field import P
from tests.small_system import SYSTEM, make_tables


def test_a_good_trace_has_no_violation():
    tables, public = make_tables()
    found = check(SYSTEM, tables, public)
    assert not found and str(found) == "no violation"


def test_a_wrong_cell_is_named_with_row_label_and_values():
    tables, public = make_tables()
    row = 100
    tables["chain"][2, row] += 1
    found = check(SYSTEM, tables, public)
    first = found.constraints[0]
    assert (first.table, first.row, first.label, first.value) == ("chain", row, "square", 1)
    assert first.reads == {"y": int(tables["chain"][1, row]), "square": int(tables["chain"][2, row])}
    assert found.num_constraints == 1
    assert {(t.relation, t.surplus) for t in found.tuples} == {("squares", 1), ("squares", -1)}
    added = next(t for t in found.tuples if t.surplus == 1)
    assert added.origins == (("chain", row, "look up square", 1),)
    assert "look up square: +1" in str(found)


@pytest.mark.parametrize(
    ("table", "column", "row", "label"),
    [
        ("chain", 0, 0, "start"),
        ("chain", 3, 255, "last is not real"),
        ("chain", 0, 17, "step"),
        ("sink", 3, 0, "first total"),
        ("sink", 3, 300, "total"),
        ("sink", 2, 3, "used"),
    ],
)
def test_each_kind_of_row_is_checked(table, column, row, label):
    tables, public = make_tables()
    tables[table][column, row] = (int(tables[table][column, row]) + 5) % P
    assert label in {violation.label for violation in check(SYSTEM, tables, public).constraints}


def test_transition_constraints_do_not_bind_the_last_row():
    tables, public = make_tables()
    found = check(SYSTEM, tables, public)
    assert not any(v.row == 511 and v.label == "total" for v in found.constraints)


def test_a_wrong_public_value_unbalances_its_tuple():
    tables, public = make_tables()
    found = check(SYSTEM, tables, [public[0] + 1, public[1]])
    assert not found.constraints
    assert {(t.relation, t.surplus, t.origins[0][0]) for t in found.tuples} == {
        ("ends", 1, "sink"),
        ("ends", -1, "public values"),
    }


def test_every_violation_is_counted_and_the_list_is_bounded():
    tables, public = make_tables()
    tables["chain"][2] = (tables["chain"][2].astype(np.int64) + 1) % P
    found = check(SYSTEM, tables, public, limit=3)
    assert found.num_constraints == 256
    assert len(found.constraints) == len(found.tuples) == 3 < found.num_tuples


def test_tables_of_another_width_are_refused():
    tables, public = make_tables()
    with pytest.raises(ValueError, match="sink"):
        check(SYSTEM, {**tables, "sink": tables["sink"][:2]}, public)
