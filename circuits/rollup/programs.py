"""User programs in plain Python: what a call does, from the words of the ledger alone.

Independent of `circuits.machine.interpreter`: numbers are Python's, not limbs, and system calls are not a
kernel's steps. Tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from circuits.machine.abi import CALLS, Call
from circuits.machine.isa import MULDIV_GAS, STEP_GAS, Opcode
from circuits.rollup.errors import FailureReason
from circuits.rollup.params import U32_LIMIT, U64_LIMIT

NUM_REGISTERS: Final = 256


class CallFailed(Exception):
    """The transaction fails here.

    Attributes:
        reason: Why.
        detail: Which instruction or system call, for people.
    """

    def __init__(self, reason: FailureReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}{': ' if detail else ''}{detail}")
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Gas:
    """Gas of a transaction: counted up. A step whose own gas would exceed the limit is not run, nor code loaded."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of a program, for tracers.

    Attributes:
        program: Cell of the program.
        call: Number of the call in its transaction.
        pc: Instruction number.
        word: The instruction.
        gas: Gas used before it.
        registers: All that were ever written in this call, before it.
    """

    program: int
    call: int
    pc: int
    word: int
    gas: int
    registers: dict[int, int]


@dataclass(slots=True)
class Frame:
    """A running call."""

    program: int
    call: int
    code: tuple[int, ...]
    registers: dict[int, int] = field(default_factory=dict)
    pc: int = 0
    low: int = 0
    high: int = 0

    def read(self, number: int) -> int:
        """A register; 0 before it is written."""
        return self.registers.get(number, 0)


SystemCall = Callable[[Call, Sequence[int]], Sequence[int]]
"""Call and arguments -> results; raises CallFailed."""
Watch = Callable[[Moment], None]


def run_program(frame: Frame, gas: Gas, system_call: SystemCall, watch: Watch | None = None) -> None:
    """Run a call to its EXIT.

    Raises:
        CallFailed: It faults, runs out of gas, says FAIL, or a system call is refused.
    """
    while True:
        if gas.used + STEP_GAS > gas.limit:
            gas.used += STEP_GAS
            raise CallFailed(FailureReason.OUT_OF_GAS, f"pc {frame.pc}")
        word = frame.code[frame.pc]
        if watch is not None:
            watch(
                Moment(
                    frame.program, frame.call, frame.pc, word, gas.used, dict(sorted(frame.registers.items()))
                )
            )
        gas.used += STEP_GAS + (MULDIV_GAS if word & 0xFF == Opcode.MULDIV else 0)
        if word & 0xFF != Opcode.SYS:
            _step(frame, word)
            continue
        call = next(call for call in Call if call.address == word >> 32)
        signature = CALLS[call]
        gas.used += signature.gas
        if call is Call.EXIT:
            return
        if call is Call.FAIL:
            raise CallFailed(FailureReason.FAIL, f"pc {frame.pc}")
        try:
            results = system_call(call, [frame.read(1 + i) for i in range(len(signature.arguments))])
        except CallFailed as refused:
            raise CallFailed(refused.reason, f"pc {frame.pc}, {call.name}: {refused.detail}") from None
        for number, value in enumerate(results, start=1):
            frame.registers[number] = value
        frame.low = frame.high = 0
        frame.pc += 1


def _step(frame: Frame, word: int) -> None:
    """An instruction that is no system call."""
    op = word & 0xFF
    d, a, b, imm0 = word >> 8 & 0xFF, word >> 16 & 0xFF, word >> 24 & 0xFF, word >> 32 & 0xFFFF
    x, y = frame.read(a), frame.read(b)
    target = frame.pc + 1
    if op == Opcode.LI:
        frame.registers[d] = word >> 32
    elif op == Opcode.MOV:
        frame.registers[d] = x
    elif op in (Opcode.ADD, Opcode.SUB):
        result = x + y if op == Opcode.ADD else x - y
        if not 0 <= result < U64_LIMIT:
            raise CallFailed(FailureReason.FAULT, f"pc {frame.pc}")
        frame.registers[d] = result
    elif op == Opcode.MULDIV:
        divisor = frame.read(d)
        if divisor == 0 or x * y // divisor >= U64_LIMIT:
            raise CallFailed(FailureReason.FAULT, f"pc {frame.pc}")
        frame.low, frame.high = divmod(x * y, divisor)
    elif op == Opcode.PACK:
        frame.registers[d] = x % U32_LIMIT | y % U32_LIMIT << 32
    elif op in (Opcode.LO, Opcode.HI):
        frame.registers[d] = x % U32_LIMIT if op == Opcode.LO else x >> 32
    elif op in (Opcode.HGETL, Opcode.HGETH):
        frame.registers[d] = frame.low if op == Opcode.HGETL else frame.high
    elif (
        op == Opcode.JMP
        or (op == Opcode.JEQ and x == y)
        or (op == Opcode.JNE and x != y)
        or (op == Opcode.JLT and x < y)
        or (op == Opcode.JGE and x >= y)
    ):
        target = imm0
    frame.pc = target
