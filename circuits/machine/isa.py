"""The machine's instructions (docs/machine.md): numbers, operands, which registers each reads and writes."""

from __future__ import annotations

from enum import IntEnum


class Opcode(IntEnum):
    """Instruction numbers; the cpu table has one selector column for each, in this order."""

    PAD = 0
    LI = 1
    MOV = 2
    ADD = 3
    SUB = 4
    MULDIV = 5
    PACK = 6
    LO = 7
    HI = 8
    JMP = 9
    JEQ = 10
    JNE = 11
    JLT = 12
    JGE = 13
    ASSERT = 14
    HINT = 15
    HINTR = 16
    LOAD = 17
    STORE = 18
    HSET = 19
    HASH = 20
    HGETL = 21
    HGETH = 22
    SIG = 23
    LEAF = 24
    OUT = 25
    HALT = 26


READS_A = frozenset(
    {
        Opcode.MOV, Opcode.ADD, Opcode.SUB, Opcode.MULDIV, Opcode.PACK, Opcode.LO, Opcode.HI,
        Opcode.JEQ, Opcode.JNE, Opcode.JLT, Opcode.JGE, Opcode.ASSERT, Opcode.LOAD, Opcode.STORE,
        Opcode.HSET, Opcode.HASH, Opcode.SIG, Opcode.LEAF, Opcode.OUT,
    }
)  # fmt: skip
READS_B = frozenset(
    {
        Opcode.ADD, Opcode.SUB, Opcode.MULDIV, Opcode.PACK, Opcode.JEQ, Opcode.JNE, Opcode.JLT, Opcode.JGE,
        Opcode.ASSERT, Opcode.HSET, Opcode.HASH, Opcode.SIG,
    }
)  # fmt: skip
READS_D = frozenset({Opcode.MULDIV, Opcode.STORE, Opcode.HASH, Opcode.SIG})
WRITES_D = frozenset(
    {
        Opcode.LI, Opcode.MOV, Opcode.ADD, Opcode.SUB, Opcode.PACK, Opcode.LO, Opcode.HI,
        Opcode.HINT, Opcode.HINTR, Opcode.LOAD, Opcode.HGETL, Opcode.HGETH,
    }
)  # fmt: skip

MEMORY_DRAIN_TS = 1 << 22
"""Timestamp of the last access of every cell word; above 4 clk of any shape."""
CELL_DEPTH = 30
EXIT_DEPTH = 10
EXIT_LEVEL = 64
"""Level number of the exit tree's root in the TREE relation."""
