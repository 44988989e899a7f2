"""Every column of every table, in every kind of row and in padding: a changed cell breaks something by name.

The whole statement over a real batch with everything in it. What survives a change is listed in SURVIVORS with
the reason why the cell carries no meaning; the test fails when a cell survives that is not listed, and when a
listed one no longer does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from circuits.machine.isa import Opcode
from circuits.statement import system
from prover.field import P
from tests.constraints.kinds import LAYOUTS, kinds
from tests.constraints.local import Change, Effects, LocalCheck
from tests.whole import check_all, everything, fixed_columns

TABLES = tuple(air.name for air in system().airs)
AIRS = {air.name: air for air in system().airs}
ROWS_A_KIND = 4


@dataclass(frozen=True)
class Survivor:
    """Cells that may hold anything.

    Attributes:
        table: the table.
        kinds: the kinds of row; empty: all but those in `except_`.
        columns: fields of the layout.
        reason: why the cell has no meaning there.
        where: (row, index within the field) -> free; by default always.
        except_: kinds of row where the cell is bound.
    """

    table: str
    kinds: tuple[str, ...]
    columns: tuple[str, ...]
    reason: str
    where: Callable[[int, int], bool] = lambda row, item: True
    except_: tuple[str, ...] = ()

    def applies(self, kind: str, field: str, row: int, item: int) -> bool:
        """Whether the cell is one of these."""
        of_kind = kind in self.kinds if self.kinds else kind not in self.except_
        return of_kind and field in self.columns and self.where(row, item)


def _limb_equal(row: int, item: int) -> bool:
    cpu = LAYOUTS["cpu"](list(everything().tables["cpu"]))
    return bool(cpu.va[item][row] == cpu.vb[item][row])


def _before_a_cell_run(row: int, item: int) -> bool:
    memory = LAYOUTS["memory"](list(everything().tables["memory"]))
    return row + 1 == len(memory.real) or bool(memory.is_seed[row + 1]) or not memory.real[row + 1]


SURVIVORS = (
    Survivor("p16", ("padding",), ("key",), "no kind flag: the row sends, receives and continues nothing"),
    Survivor(
        "p24",
        ("hash", "cell after", "message", "padding"),
        ("sig_id",),
        "read on before-rows of cells (the index) and on signature rows up to the owner row (the id) only",
    ),
    Survivor(
        "p24",
        ("hash", "cell before", "cell after", "message", "padding"),
        ("step",),
        "read on signature rows up to the owner row only",
    ),
    Survivor(
        "p24",
        (),
        ("bit",),
        "read on path rows only",
        except_=("first path", "path", "last path"),
    ),
    Survivor(
        "cpu",
        ("padding", Opcode.TRAP.name),
        ("d", "a", "b", "imm0", "imm1"),
        "PAD and TRAP fetch nothing; all uses of the operands have multiplicity or guard 0",
    ),
    Survivor(
        "cpu",
        (Opcode.JEQ.name, Opcode.JNE.name),
        ("vc",),
        "witness x_i of inequality where limb i is equal: x_i (va_i - vb_i) = 0 for any x_i; no register",
        _limb_equal,
    ),
    Survivor(
        "memory",
        ("padding",),
        ("segment", "hi", "lo", "ts", "value", "is_write"),
        "padding is no access (real = 0) and belongs to no run",
    ),
    Survivor(
        "memory",
        ("register read", "drain", "shadow write", "shadow read", "padding"),
        ("diff_high",),
        "a boolean: the distance to the first row of a cell's run, or to padding, is not read",
        _before_a_cell_run,
    ),
    Survivor(
        "cells",
        ("padding",),
        ("index", "word", "before", "after"),
        "every tuple but the range of space has multiplicity is_cell + is_shadow = 0",
    ),
    Survivor(
        "code",
        ("end", "padding"),
        ("op", "d", "a", "b", "imm0", "imm1"),
        "no instruction: every tuple that reads them has multiplicity 0",
    ),
)


def field_of(name: str, column: int) -> tuple[str, int]:
    """Field and item of a column."""
    for field in LAYOUTS[name].fields:
        if field.start <= column < field.start + field.width:
            return field.name, column - field.start
    raise IndexError(column)


@dataclass
class Cell:
    """A sampled cell: what it is, and whether some change of it survives."""

    kind: str
    field: str
    item: int
    row: int
    survives: bool


@cache
def local(name: str) -> LocalCheck:
    return LocalCheck(AIRS[name], everything().tables[name], fixed_columns().get(name))


@cache
def sampled_rows(name: str) -> dict[str, list[int]]:
    """First, last and some between of every kind; the table's last row is among them."""
    found = {}
    for kind, rows in kinds(name, everything().tables).items():
        places = np.unique(np.linspace(0, len(rows) - 1, ROWS_A_KIND).astype(int)) if len(rows) else []
        found[kind] = rows[places].tolist()
    return found


def changes_of(name: str, column: int, row: int, rng: np.random.Generator) -> list[Change]:
    """One more, one less, and something far away."""
    value = int(everything().tables[name][column, row])
    far = (value + int(rng.integers(2, P - 2))) % P
    return [(column, row, new) for new in ((value + 1) % P, (value - 1) % P, far)]


@cache
def results(name: str) -> tuple[list[Cell], list[Change], Effects]:
    rng = np.random.default_rng(5)
    cells, changes = [], []
    for kind, rows in sampled_rows(name).items():
        for row in rows:
            for column in range(AIRS[name].Main.width):
                cells.append(Cell(kind, *field_of(name, column), row, False))
                changes += changes_of(name, column, row, rng)
    effects = local(name).effects(changes)
    for k, cell in enumerate(cells):
        cell.survives = any(effects.survives(3 * k + i) for i in range(3))
    return cells, changes, effects


def listed(name: str, cell: Cell) -> list[Survivor]:
    return [s for s in SURVIVORS if s.table == name and s.applies(cell.kind, cell.field, cell.row, cell.item)]


def test_the_honest_trace_breaks_nothing():
    assert not check_all(everything().tables, everything().public_values)


@pytest.mark.parametrize("name", TABLES)
def test_every_kind_of_row_occurs(name):
    assert {kind for kind, rows in sampled_rows(name).items() if not rows} == set()


@pytest.mark.parametrize("name", TABLES)
def test_a_changed_cell_breaks_something_unless_it_is_listed(name):
    wrong = [cell for cell in results(name)[0] if cell.survives != bool(listed(name, cell))]
    assert wrong == []


@pytest.mark.parametrize("survivor", SURVIVORS, ids=lambda s: f"{s.table}-{s.columns[0]}-{len(s.kinds)}")
def test_each_listed_cell_survives(survivor):
    """Every kind and every column of the list, somewhere."""
    seen = {
        (cell.kind, cell.field)
        for cell in results(survivor.table)[0]
        if cell.survives and survivor in listed(survivor.table, cell)
    }
    rows = sampled_rows(survivor.table)
    all_kinds = survivor.kinds or tuple(k for k in rows if k not in survivor.except_)
    all_kinds = tuple(k for k in all_kinds if rows[k])
    assert seen == {(kind, field) for kind in all_kinds for field in survivor.columns}


@pytest.mark.parametrize("name", TABLES)
def test_every_constraint_and_every_relation_is_hit_by_some_change(name):
    _, _, effects = results(name)
    labels, touched = set().union(*effects.labels), set().union(*effects.touched)
    record = AIRS[name].record
    unseen = {c.label for c in record.constraints} - labels | {i.label for i in record.interactions} - touched
    assert unseen == set()


@pytest.mark.parametrize("name", TABLES)
def test_a_full_check_of_some_changes_says_the_same(name):
    """`LocalCheck` is right that nothing else can see the change."""
    _, changes, effects = results(name)
    rng = np.random.default_rng(7)
    for k in rng.choice(len(changes), size=2, replace=False):
        column, row, value = changes[k]
        tables = everything().copy()
        tables[name][column, row] = value
        found = check_all(tables, everything().public_values)
        assert {v.label for v in found.constraints} == effects.labels[k]
        assert {t.relation for t in found.tuples} == effects.relations[k]
