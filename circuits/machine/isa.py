"""The machine's instructions (docs/machine.md): numbers, modes, operands, which registers each reads and writes."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Opcode(IntEnum):
    """Instruction numbers; the cpu table has one selector column for each, in this order.

    1..16 are what a user program may hold, so that the kernel checks a deployed word by comparison; the jumps
    are contiguous. All the others are the kernel's alone; TRAP is in no program.
    """

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
    HGETL = 14
    HGETH = 15
    SYS = 16
    ASSERT = 17
    HINT = 18
    HINTR = 19
    LOAD = 20
    STORE = 21
    HSET = 22
    HASH = 23
    SIG = 24
    LEAF = 25
    OUT = 26
    HALT = 27
    ENTRY = 28
    SRET = 29
    FRAME = 30
    UGET = 31
    UPUT = 32
    ENTER = 33
    TRAP = 34
    SPACE = 35
    GAS = 36
    GASSET = 37
    HWORD = 38


FIRST_USER_OPCODE: Final = Opcode.LI
LAST_USER_OPCODE: Final = Opcode.SYS
USER_OPCODES: Final = frozenset(op for op in Opcode if FIRST_USER_OPCODE <= op <= LAST_USER_OPCODE)
"""What user code may consist of. In user mode every selector but these and TRAP is 0."""
USER_ONLY: Final = frozenset({Opcode.SYS, Opcode.TRAP})
"""Has no trace in kernel mode."""
KERNEL_ONLY: Final = frozenset(Opcode) - USER_OPCODES - USER_ONLY - {Opcode.PAD}
"""Has no trace in user mode."""
JUMPS: Final = frozenset({Opcode.JMP, Opcode.JEQ, Opcode.JNE, Opcode.JLT, Opcode.JGE})
FAULTING: Final = frozenset({Opcode.ADD, Opcode.SUB, Opcode.MULDIV})
"""Overflow, in user mode: fault = 1, pc' = FAULT_PC. In kernel mode: no trace."""

READS_A: Final = frozenset(
    {
        Opcode.MOV, Opcode.ADD, Opcode.SUB, Opcode.MULDIV, Opcode.PACK, Opcode.LO, Opcode.HI,
        Opcode.JEQ, Opcode.JNE, Opcode.JLT, Opcode.JGE, Opcode.ASSERT, Opcode.LOAD, Opcode.STORE,
        Opcode.HSET, Opcode.HASH, Opcode.SIG, Opcode.LEAF, Opcode.OUT,
        Opcode.ENTRY, Opcode.UGET, Opcode.UPUT, Opcode.SPACE, Opcode.GASSET,
    }
)  # fmt: skip
READS_B: Final = frozenset(
    {
        Opcode.ADD, Opcode.SUB, Opcode.MULDIV, Opcode.PACK, Opcode.JEQ, Opcode.JNE, Opcode.JLT, Opcode.JGE,
        Opcode.ASSERT, Opcode.HSET, Opcode.HASH, Opcode.SIG, Opcode.GASSET,
    }
)  # fmt: skip
READS_D: Final = frozenset({Opcode.MULDIV, Opcode.STORE, Opcode.HASH, Opcode.SIG})
WRITES_D: Final = frozenset(
    {
        Opcode.LI, Opcode.MOV, Opcode.ADD, Opcode.SUB, Opcode.PACK, Opcode.LO, Opcode.HI,
        Opcode.HINT, Opcode.HINTR, Opcode.LOAD, Opcode.HGETL, Opcode.HGETH,
        Opcode.ENTRY, Opcode.UGET, Opcode.UPUT, Opcode.GAS, Opcode.HWORD,
    }
)  # fmt: skip
USER_A: Final = frozenset({Opcode.ENTRY, Opcode.UGET})
"""Kernel instructions whose operand a is a register of the user's frame."""
USER_D: Final = frozenset({Opcode.UPUT})
"""Kernel instructions whose operand d is a register of the user's frame."""

TRAP_PC: Final = 1
"""Where the kernel goes on after TRAP."""
FAULT_PC: Final = 2
"""Where the kernel goes on after a fault."""
ENTRY_BASE: Final = 16
"""ROM address of the first ENTRY; system call k is `SYS ENTRY_BASE + k`."""
STEP_GAS: Final = 10
"""gas' = gas + STEP_GAS on every user row, SYS, TRAP and faults included. (Ten: a standard batch has 2^16 steps
and a gas target of 600,000.)"""
MULDIV_GAS: Final = 60
"""And this on a user's MULDIV: a standard batch has 2^13 of them, so that 70 gas each come to the target too."""

MEMORY_DRAIN_TS: Final = 1 << 18
"""Timestamp of the last access of every cell word; above 4 clk + 3 of any shape (2^16 steps)."""
CELL_DEPTH: Final = 30
EXIT_DEPTH: Final = 10
EXIT_LEVEL: Final = 64
"""Level number of the exit tree's root in the TREE relation."""
NUM_PUBLIC_WORDS: Final = 23
"""Public words that OUT can set."""
