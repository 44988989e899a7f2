"""Small programs that together use every opcode, and the tables of their runs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from circuits.machine.isa import Opcode as O
from circuits.tables.add import AddAir
from circuits.tables.cells import CellsAir
from circuits.tables.code import CodeAir
from circuits.tables.cpu import CpuAir
from circuits.tables.memory import MemoryAir
from circuits.tables.muldiv import MulDivAir
from circuits.tables.range import RangeAir
from circuits.tables.rom import RomAir
from circuits.tables.word import WordAir
from circuits.trace import machine
from prover.air.air import Air
from tests.circuits.tables import mini, rowcheck


def op(name, d=0, a=0, b=0, imm0=0, imm1=0):
    return (int(O[name]), d, a, b, imm0, imm1)


P1 = 2130706432
EVERYTHING = [
    op("LI", d=1, imm0=40000, imm1=7),
    op("LI", d=2, imm0=50000, imm1=65535),
    op("ADD", d=3, a=1, b=2),
    op("SUB", d=4, a=3, b=1),
    op("ASSERT", a=4, b=2),
    op("HINT", d=5),
    op("HINT", d=6),
    op("HINT", d=7),
    op("MULDIV", d=7, a=5, b=6),
    op("HGETL", d=8),
    op("HGETH", d=9),
    op("PACK", d=10, a=1, b=2),
    op("LO", d=11, a=10),
    op("HI", d=12, a=10),
    op("ASSERT", a=12, b=2),
    op("MOV", d=13, a=12),
    op("HINTR", d=14),
    op("HINTR", d=15),
    op("JEQ", a=14, b=15, imm0=60),  # not taken
    op("JNE", a=14, b=14, imm0=60),  # not taken
    op("JNE", a=14, b=15, imm0=22),  # taken
    op("HALT"),
    op("JEQ", a=13, b=2, imm0=24),  # taken
    op("HALT"),
    op("JLT", a=1, b=2, imm0=26),  # taken
    op("HALT"),
    op("JLT", a=2, b=1, imm0=60),  # not
    op("JGE", a=2, b=2, imm0=29),  # taken
    op("HALT"),
    op("JGE", a=1, b=2, imm0=60),  # not
    op("JMP", imm0=32),
    op("HALT"),
    op("LI", d=16, imm0=5),
    op("LOAD", d=17, a=16, imm0=3),
    op("STORE", d=5, a=16, imm0=3),
    op("LOAD", d=18, a=16, imm0=3),
    op("ASSERT", a=18, b=5),
    op("LI", d=19, imm0=1, imm1=16000),
    op("LOAD", d=20, a=19, imm0=1),
    op("STORE", d=20, a=16, imm0=4),
    op("STORE", d=1, a=16, imm0=4),
    op("HSET", a=14, b=15),
    op("HASH", d=1, a=2, b=3, imm0=9),
    op("HASH", d=200, a=200, b=200, imm0=65535),
    op("HGETL", d=21),
    op("HGETH", d=22),
    op("SIG", d=2, a=21, b=22),
    op("LEAF", a=16),
    op("LI", d=23, imm0=3),
    op("LI", d=24, imm0=1),
    op("SUB", d=23, a=23, b=24),  # 50: loop
    op("JNE", a=23, b=200, imm0=50),
    op("OUT", a=3, imm0=2),
    op("OUT", a=14, imm0=20),
    op("MULDIV", d=24, a=5, b=24),
    op("SUB", d=24, a=24, b=24),
    op("HALT"),
]
TAPE = [mini.u64(2**64 - 1), mini.u64(2**63 + 12345), mini.u64(2**64 - 59), [P1, 5, 0, P1 - 1], [P1, 5, 0, 7]]
CELLS = {
    16000 * 65536 + 1: [[k, 2, 3, 70000 + k] for k in range(5)],
    5: [mini.u64(10**18 + k) for k in range(5)],
    900: [[0] * 4] * 5,
}
HEIGHTS = {
    "cpu": 128,
    "rom": 64,
    "code": 8,
    "memory": 256,
    "cells": 16,
    "add": 64,
    "muldiv": 4,
    "word": 128,
    "range": 1 << 16,
}


def airs_of(rom) -> dict[str, Air]:
    """The nine tables, around the ROM with these columns."""
    tables = (
        CpuAir(),
        RomAir(rom),
        CodeAir(),
        MemoryAir(),
        CellsAir(),
        AddAir(),
        MulDivAir(),
        WordAir(),
        RangeAir(),
    )
    return {air.name: air for air in tables}


def airs(program) -> dict[str, Air]:
    return airs_of(mini.columns(program))


@dataclass
class Case:
    """A run, its tables, and its balance."""

    run: mini.MiniRun
    airs: dict[str, Air]
    tables: dict[str, np.ndarray]
    traces: machine.MachineTraces
    used: dict[str, int] = field(default_factory=dict)
    """Rows in use."""

    def __post_init__(self):
        self.data = {name: rowcheck.columns_of(self.airs[name], self.tables[name]) for name in self.tables}
        self.parts = {name: rowcheck.contributions(self.airs[name], self.data[name]) for name in self.tables}
        self.parts["outside"] = rowcheck.outside(self.run)

    def violations(self) -> dict[str, list[int]]:
        return {
            label: rows
            for name, air in self.airs.items()
            for label, rows in rowcheck.violations(air, self.data[name]).items()
        }

    def unbalanced(self) -> dict:
        return rowcheck.merge(*self.parts.values())

    def effect(self, changes: dict[str, list[tuple[int, int, int]]]) -> tuple[set[str], set[str]]:
        """Labels and relations that changes (column, row, value) of tables break; restores them."""
        labels: set[str] = set()
        parts = []
        saved = []
        for name, cells in changes.items():
            main = self.data[name]["main"]
            rows = sorted({r - k for _, r, _ in cells for k in (0, 1)})
            before = rowcheck.contributions(self.airs[name], self.data[name], rows)
            for column, row, value in cells:
                saved.append((main, column, row, main[column, row]))
                main[column, row] = value % mini.P
            parts.append(rowcheck.contributions(self.airs[name], self.data[name], rows))
            parts.append({key: -m for key, m in before.items()})
            labels |= set(rowcheck.violations(self.airs[name], self.data[name], rows))
        for main, column, row, value in reversed(saved):
            main[column, row] = value
        return labels, {relation for relation, _ in rowcheck.merge(*parts)}


def case(program=None, tape=TAPE, cells=None, heights=None, lies=None, tamper=None, programs=()) -> Case:
    """Runs, generates, and lets `tamper` change the tables (name -> array, in place) before the checks."""
    program = EVERYTHING if program is None else program
    cells = CELLS if cells is None else cells
    done = mini.run(program, tape, cells, lies, programs)
    traces = machine.generate(done, mini.columns(program), HEIGHTS | (heights or {}))
    if tamper is not None:
        tamper(traces.tables)
    used = machine.rows_needed(done, mini.columns(program))
    return Case(done, airs(program), traces.tables, traces, used)


def verdict(program, tape=(), cells=None, **more) -> tuple[set[str], set[str]]:
    """Labels of violated constraints, names of unbalanced relations."""
    done = case(program, tape, cells or {}, **more)
    return set(done.violations()), {relation for relation, _ in done.unbalanced()}
