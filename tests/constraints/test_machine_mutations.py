"""Every column of every machine table: a changed cell violates a constraint or unbalances a relation.

Survivors are listed below with the reason why they mean nothing; a new one fails the test, and so does a
listed one that no longer survives. Conversely, some change hits every labelled constraint and relation.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from circuits.machine.isa import Opcode
from circuits.tables.cpu import CpuColumns
from circuits.tables.memory import MemoryColumns
from tests.circuits.tables.programs import Case, case

TABLES = ("cpu", "rom", "memory", "cells", "add", "muldiv", "word", "range")


@cache
def honest() -> Case:
    return case()


def rows_of(name: str) -> list[int]:
    """All rows in use, the first two and last two of padding; a few of range."""
    table = honest().tables[name]
    height = table.shape[1]
    if name == "range":
        return [0, 1, 255, 256, 32768, 65535]
    used = honest().used[name]
    return sorted({*range(min(used + 2, height)), height - 2, height - 1})


def is_free(name: str, column: str, row: int) -> bool:
    """The justified survivors."""
    tables = honest().tables
    if name == "cpu":
        cpu = CpuColumns(list(tables["cpu"]))
        if column in ("d", "a", "b", "imm0", "imm1"):
            # PAD rows fetch nothing and do nothing: every use of the operands has multiplicity or guard 0
            return not any(flag[row] for flag in cpu.flag)
        if column.startswith("vc"):
            # witness x of JEQ and JNE where limb i is equal: x_i (va_i - vb_i) = 0 whatever x_i is
            i = int(column[3])
            jump = cpu.flag[Opcode.JEQ - 1][row] or cpu.flag[Opcode.JNE - 1][row]
            return bool(jump and cpu.va[i][row] == cpu.vb[i][row])
    if name == "memory":
        # header and padding are no accesses (multiplicity 0); only the header's key and flags matter
        if tables["memory"][MemoryColumns.real.start, row]:
            return False
        if row == 0:
            return column == "ts" or column == "is_write" or column.startswith("value")
        return column in ("hi", "lo", "ts", "is_write") or column.startswith("value")
    if name == "cells":
        # padding has multiplicity 0 everywhere
        return column != "real" and not tables["cells"][-1, row]
    return False


def new_values(value: int) -> set[int]:
    return {value + 1, value - 1, 1 - value if value in (0, 1) else 0}


@cache
def results(name: str) -> tuple[set[str], set[str], list[str]]:
    """Labels hit, relations hit, and disagreements with `is_free`."""
    labels: set[str] = set()
    relations: set[str] = set()
    wrong = []
    done = honest()
    for index, column in enumerate(done.airs[name].Main.names):
        for row in rows_of(name):
            for value in new_values(int(done.tables[name][index, row])):
                broken, unbalanced = done.effect({name: [(index, row, value)]})
                labels |= broken
                relations |= unbalanced
                survives = not broken and not unbalanced
                boolean = column == "is_write" and value not in (0, 1)  # is_write is boolean on every row
                if survives != (is_free(name, column, row) and not boolean):
                    wrong.append(f"{name}.{column}[{row}] = {value}: {'survives' if survives else 'refused'}")
    return labels, relations, wrong


@pytest.mark.parametrize("name", TABLES)
def test_each_changed_cell_is_refused_unless_it_is_listed_as_free(name):
    assert results(name)[2] == []


@pytest.mark.parametrize("name", TABLES)
def test_each_labelled_constraint_and_relation_is_hit(name):
    labels, relations, _ = results(name)
    air = honest().airs[name]
    assert {c.label for c in air.record.constraints} - labels == set()
    assert {i.relation.name for i in air.record.interactions} - relations == set()


def test_the_program_uses_every_opcode():
    ops = honest().airs["rom"].program
    pcs = set(honest().run.pc.tolist())
    assert {row[1] for row in ops if row[0] in pcs} == {int(op) for op in Opcode if op is not Opcode.PAD}


def test_a_row_and_the_following_one_are_all_that_a_change_can_touch():
    """`Case.effect` looks at two rows; a full check of some changes finds no more."""
    done = honest()
    rng = np.random.default_rng(1)
    for name in ("cpu", "memory"):
        for _ in range(5):
            column = int(rng.integers(done.airs[name].Main.width))
            row = int(rng.integers(done.tables[name].shape[1]))
            value = int(done.tables[name][column, row]) + 1
            labels, relations = done.effect({name: [(column, row, value)]})

            def change(tables, name=name, column=column, row=row, value=value):
                tables[name][column, row] = value

            full = case(tamper=change)
            assert set(full.violations()) == labels
            assert {relation for relation, _ in full.unbalanced()} == relations
