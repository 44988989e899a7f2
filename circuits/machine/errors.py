"""Why a program does not assemble, and why a step of the machine has no trace."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import Final


class AssemblerReason(StrEnum):
    """Typed reasons; tests and callers compare these, never the text."""

    UNKNOWN_OPCODE = "unknown instruction"
    UNKNOWN_DIRECTIVE = "unknown directive"
    OPERANDS = "wrong number of operands"
    UNKNOWN_REGISTER = "register is not declared"
    UNKNOWN_NAME = "neither a number, a constant nor a label"
    DUPLICATE = "name is already taken"
    BAD_NAME = "not a name"
    IMMEDIATE = "immediate out of range"
    TOO_MANY_REGISTERS = "no register is left"
    TOO_LONG = "program does not fit 16-bit addresses"
    MALFORMED = "instruction word is not well formed"
    KERNEL_ONLY = "instruction is the kernel's alone"
    UNKNOWN_CALL = "no such system call"
    CLOBBERED = "argument is in a register that an earlier argument has overwritten"


REMEDIES: Final = {
    AssemblerReason.UNKNOWN_OPCODE: "docs/machine.md lists the instructions",
    AssemblerReason.UNKNOWN_DIRECTIVE: "there are .reg, .const, .data and .entries",
    AssemblerReason.OPERANDS: "operands are separated by commas",
    AssemblerReason.UNKNOWN_REGISTER: "declare it with .reg, or use r1..r255; numbers go into one with LI",
    AssemblerReason.UNKNOWN_NAME: "define it as a label, or with .const or .data",
    AssemblerReason.DUPLICATE: "labels, registers and constants share their names: choose another",
    AssemblerReason.BAD_NAME: "letters, digits and _, no digit first",
    AssemblerReason.IMMEDIATE: "LI takes 32 bits (CONST takes 64), jumps a place in the program",
    AssemblerReason.TOO_MANY_REGISTERS: "use one for several things",
    AssemblerReason.TOO_LONG: "split it into several programs, called in one list",
    AssemblerReason.MALFORMED: "take the words as `pegproof program assemble` writes them",
    AssemblerReason.KERNEL_ONLY: "ask the kernel for it with CALL",
    AssemblerReason.UNKNOWN_CALL: "docs/machine.md lists the system calls",
    AssemblerReason.CLOBBERED: "copy it to a register of its own first (MOV)",
}
"""What to do about each, for people."""


class AssemblerError(ValueError):
    """A source line that is refused.

    Attributes:
        reason: The rule that was broken.
        line: Line number in the source, from 1; 0 if there is none.
        message: Rule, detail and what to do; without the line.
    """

    def __init__(self, reason: AssemblerReason, line: int, detail: str, known: Iterable[str] = ()) -> None:
        """Where `known` names may have been meant, the nearest is suggested."""
        close = get_close_matches(detail, known, 1)
        remedy = f"did you mean {close[0]}?" if close else REMEDIES[reason]
        self.message = f"{reason.value}: {detail}; {remedy}"
        super().__init__(f"line {line}: {self.message}")
        self.reason = reason
        self.line = line


class MachineReason(StrEnum):
    """Why no trace exists. The order is the executor's status code (from 1)."""

    PC = "the program counter left the program"
    OPCODE = "the instruction is not executable"
    NOT_U64 = "an arithmetic operand is a raw word"
    CARRY = "the sum does not fit 64 bits"
    BORROW = "the difference is negative"
    DIVISOR = "division by zero"
    QUOTIENT = "the quotient does not fit 64 bits"
    NOT_U32 = "a half does not fit 32 bits"
    ASSERTION = "asserted words differ"
    TAPE = "the tape has ended"
    ELEMENT = "a tape element is out of range"
    ADDRESS = "no such cell"
    CELL_WORD = "no such word of a cell"
    SIGNATURE = "the signature is not valid"
    EXIT_LEAF = "exit leaf out of range or set twice"
    PUBLIC = "public word out of range or set twice"
    STEPS = "too many steps"
    MODE = "the instruction is not for this mode, or SYS and ENTRY do not meet"
    CODE = "no program has this code hash"
    SPACE = "space is neither 0 nor 1"
    GAS = "gas leaves the field"


class MachineError(ValueError):
    """A step that has no trace, hence a batch that has no proof.

    Attributes:
        reason: What stopped the machine.
        pc: Instruction number.
        clk: Step number, from 1.
        place: Nearest label at or before pc, with the distance.
    """

    def __init__(self, reason: MachineReason, pc: int, clk: int, place: str) -> None:
        super().__init__(f"pc {pc} ({place}), step {clk}: {reason.value}")
        self.reason = reason
        self.pc = pc
        self.clk = clk
        self.place = place
