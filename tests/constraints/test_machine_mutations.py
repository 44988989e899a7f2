"""Every cell in use of every machine table, over two small runs that use every instruction in both modes.

A changed cell violates a constraint or unbalances a relation, or it is free for the reason given in `is_free`;
a free one that is noticed fails the test as well. Conversely, some change hits every constraint and every
relation. (`test_every_column` does the same for samples of a real batch, and for all tables.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from circuits.machine.isa import USER_OPCODES, Opcode
from circuits.tables.cells import CellsColumns
from circuits.tables.code import CodeColumns
from circuits.tables.cpu import CpuColumns
from circuits.tables.memory import MemoryColumns
from prover.field import P
from tests.circuits.tables.programs import Case, case
from tests.circuits.tables.user_programs import user_case
from tests.constraints.local import Change, Effects, LocalCheck

TABLES = ("cpu", "rom", "code", "memory", "cells", "add", "muldiv", "word", "range")
CASES: dict[str, Callable[[], Case]] = {"kernel alone": case, "user programs": user_case}
OPERANDS = ("d", "a", "b", "imm0", "imm1")
EVERYWHERE = [(name, table) for name in CASES for table in TABLES]


@cache
def honest(which: str) -> Case:
    return CASES[which]()


def rows_of(which: str, table: str) -> list[int]:
    """All rows in use, the first two and last two of padding; a few of range."""
    height = honest(which).tables[table].shape[1]
    if table == "range":
        return [0, 1, 255, 256, 32768, 65535]
    used = honest(which).used[table]
    return sorted({*range(min(used + 2, height)), height - 2, height - 1})


def is_free(tables: dict[str, np.ndarray], table: str, column: str, row: int, value: int) -> bool:
    """The justified survivors."""
    if table == "cpu":
        cpu = CpuColumns(list(tables["cpu"]))
        if column in OPERANDS:
            # PAD and TRAP rows fetch nothing and use no operand: every use has multiplicity or guard 0
            return bool(cpu.pad[row] or cpu.flag[Opcode.TRAP - 1][row])
        if column.startswith("vc"):
            # witness x of JEQ and JNE where limb i is equal: x_i (va_i - vb_i) = 0 whatever x_i is
            i = int(column[3])
            jump = cpu.flag[Opcode.JEQ - 1][row] or cpu.flag[Opcode.JNE - 1][row]
            return bool(jump and cpu.va[i][row] == cpu.vb[i][row])
    if table == "memory":
        memory = MemoryColumns(list(tables["memory"]))
        following = (row + 1) % memory.real.size
        if column.startswith("diff_high"):
            # the distance to a row that starts a cell run, or is none, is not read
            starts = memory.is_seed[following] or not memory.real[following] or following == 0
            return bool(starts and value in (0, 1))
        # padding is no access (multiplicity 0) and part of no run
        return not memory.real[row] and (
            column in ("segment", "hi", "lo", "ts")
            or column.startswith("value")
            or (column == "is_write" and value in (0, 1))
        )
    if table == "cells":
        # padding: all tuples but the range of space have multiplicity 0
        cells = CellsColumns(list(tables["cells"]))
        unused = not cells.is_cell[row] and not cells.is_shadow[row]
        return bool(unused and (column in ("index", "word") or column.startswith(("before", "after"))))
    if table == "code":
        # ends and padding are no instruction: what reads these has multiplicity 0
        return column in ("op", *OPERANDS) and not CodeColumns(list(tables["code"])).is_code[row]
    return False


def new_values(value: int) -> set[int]:
    return {(value + 1) % P, (value - 1) % P, 1 - value if value in (0, 1) else 0}


@cache
def results(which: str, table: str) -> tuple[list[Change], Effects]:
    done = honest(which)
    main = done.tables[table]
    changes = [
        (column, row, value)
        for column in range(main.shape[0])
        for row in rows_of(which, table)
        for value in sorted(new_values(int(main[column, row])))
    ]
    air = done.airs[table]
    fixed = (
        np.array(air.fixed_columns(main.shape[1].bit_length() - 1), np.uint32) if air.Fixed.width else None
    )
    return changes, LocalCheck(air, main, fixed).effects(changes)


@pytest.mark.parametrize(("which", "table"), EVERYWHERE)
def test_each_changed_cell_is_refused_unless_it_is_listed_as_free(which, table):
    changes, effects = results(which, table)
    names, tables = honest(which).airs[table].Main.names, honest(which).tables
    wrong = [
        f"{names[column]}[{row}] = {value}: {'survives' if effects.survives(k) else 'is refused'}"
        for k, (column, row, value) in enumerate(changes)
        if effects.survives(k) != is_free(tables, table, names[column], row, value)
    ]
    assert wrong == []


@pytest.mark.parametrize("table", TABLES)
def test_each_labelled_constraint_and_relation_is_hit(table):
    labels: set[str] = set()
    touched: set[str] = set()
    for which in CASES:
        _, effects = results(which, table)
        labels, touched = labels.union(*effects.labels), touched.union(*effects.touched)
    record = honest("user programs").airs[table].record
    assert {c.label for c in record.constraints} - labels == set()
    assert {i.label for i in record.interactions} - touched == set()


def test_the_runs_use_every_opcode_in_every_mode():
    used = set()
    for which in CASES:
        run = honest(which).run
        used |= set(zip(run.user.tolist(), run.instruction[0].tolist(), strict=True))
    kernel = {op for op in Opcode if op not in (Opcode.PAD, Opcode.SYS, Opcode.TRAP)}
    assert used == {(0, int(op)) for op in kernel} | {(1, int(op)) for op in (*USER_OPCODES, Opcode.TRAP)}


def test_a_row_and_the_following_one_are_all_that_a_change_can_touch():
    """`LocalCheck` looks at two rows; a full check of some changes finds no more."""
    rng = np.random.default_rng(1)
    for table in ("cpu", "memory", "code", "cells"):
        changes, effects = results("user programs", table)
        for k in rng.choice(len(changes), size=4, replace=False):
            column, row, value = changes[k]

            def change(tables, table=table, column=column, row=row, value=value):
                tables[table][column, row] = value

            full = user_case(tamper=change)
            assert set(full.violations()) == effects.labels[k]
            assert {relation for relation, _ in full.unbalanced()} == effects.relations[k]
