"""Steps of a transaction for people: instruction, registers read and written, gas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from circuits.machine.abi import Call
from circuits.machine.executor import MachineRun
from circuits.machine.isa import ENTRY_BASE, READS_A, READS_B, READS_D, USER_A, USER_D, WRITES_D, Opcode
from circuits.machine.kernel import kernel
from circuits.machine.program import Instruction, Program, render
from circuits.machine.user_assembler import show
from circuits.machine.words import int_from_word, is_u64

Value = int | tuple[int, ...]
"""A u64, or the four elements of a raw word."""


@dataclass(frozen=True)
class TracedStep:
    """A step.

    Attributes:
        clk: Its number in the batch, from 1.
        user: Whether a user program runs; else the kernel does.
        pc: Instruction number.
        place: Nearest label of the kernel, or the system call that starts; empty for a user program.
        text: The instruction.
        reads: Registers read, with their values.
        writes: Register written, with its value; None if there is none.
        gas: Gas that the transaction's calls used before the step; 0 where it has none.
        shadow: Whether its effects will be lost: the transaction fails.
        fault: Whether it overflows.
    """

    clk: int
    user: bool
    pc: int
    place: str
    text: str
    reads: tuple[tuple[str, Value], ...]
    writes: tuple[str, Value] | None
    gas: int
    shadow: bool
    fault: bool

    def line(self) -> str:
        """One line of text."""
        state = "fault " if self.fault else ""
        given = ", ".join(f"{name} = {value}" for name, value in self.reads)
        result = f" -> {self.writes[0]} = {self.writes[1]}" if self.writes else ""
        where = "" if self.user else f"  [{self.place}]"
        return f"{self.clk:7d} {self.gas:7d} {self.pc:5d}  {self.text:<32} {state}{given}{result}{where}".rstrip()


def transaction_rows(run: MachineRun, number: int) -> range:
    """Rows of the included transaction `number`, from 0.

    Raises:
        IndexError: There are not so many.
    """
    labels = kernel().labels
    in_kernel = run.user == 0
    starts = np.flatnonzero(in_kernel & (run.pc == labels["transaction"])).tolist()
    ends = [*starts[1:], *np.flatnonzero(in_kernel & (run.pc == labels["finish"])).tolist()[:1]]
    if not 0 <= number < len(starts):
        raise IndexError(f"transaction {number} of {len(starts)}")
    return range(starts[number], ends[number])


def trace(run: MachineRun, number: int) -> Iterator[TracedStep]:
    """The steps of the included transaction `number`, from 0; the kernel's as well as its programs'.

    Raises:
        IndexError: There are not so many.
    """
    program = kernel()
    names = {register: name for name, register in program.registers.items()}
    counted = False  # until the transaction sets it, the counter holds another one's gas
    for row in transaction_rows(run, number):
        yield _step(run, row, program, names, int(run.gas[row]) if counted else 0)
        counted = counted or run.instruction[0, row] == Opcode.GASSET


def _step(run: MachineRun, row: int, program: Program, names: dict[int, str], gas: int) -> TracedStep:
    op, d, a, b, imm0, imm1 = run.instruction[:, row].tolist()
    instruction = Instruction(Opcode(op), d, a, b, imm0, imm1)
    opcode, user = instruction.op, bool(run.user[row])
    reads = []
    for reading, number, words, users in (
        (READS_A, a, run.va, USER_A), (READS_B, b, run.vb, frozenset()), (READS_D, d, run.vc, USER_D),
    ):  # fmt: skip
        if opcode in reading:
            reads.append((_name(number, user or opcode in users, names), _value(words[:, row].tolist())))
    writes = None
    if opcode in WRITES_D:
        writes = (_name(d, user or opcode in USER_D, names), _value(run.vc[:, row].tolist()))
    pc = int(run.pc[row])
    text = show(instruction) if user else render(instruction, names, {})
    place = "" if user else program.place(pc)
    if opcode is Opcode.ENTRY:
        place = f"system call {Call(pc - ENTRY_BASE).name}"
    return TracedStep(
        row + 1, user, pc, place, text, tuple(reads), writes,
        gas, bool(run.space[row]), bool(run.fault[row]),
    )  # fmt: skip


def _name(number: int, user: bool, names: dict[int, str]) -> str:
    return f"r{number}" if user else names.get(number, f"r{number}")


def _value(word: Sequence[int]) -> Value:
    return int_from_word(word) if is_u64(word) else tuple(word)
