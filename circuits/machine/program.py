"""Instructions, their 64-bit codec, and the assembled program."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from circuits.machine.errors import AssemblerError, AssemblerReason
from circuits.machine.isa import JUMPS, READS_A, READS_B, READS_D, WRITES_D, Opcode

SYNTAX: dict[Opcode, str] = {
    Opcode.LI: "d i",
    Opcode.MOV: "d a",
    Opcode.ADD: "d a b",
    Opcode.SUB: "d a b",
    Opcode.MULDIV: "a b d",
    Opcode.PACK: "d a b",
    Opcode.LO: "d a",
    Opcode.HI: "d a",
    Opcode.JMP: "k",
    Opcode.JEQ: "a b k",
    Opcode.JNE: "a b k",
    Opcode.JLT: "a b k",
    Opcode.JGE: "a b k",
    Opcode.ASSERT: "a b",
    Opcode.HINT: "d",
    Opcode.HINTR: "d",
    Opcode.LOAD: "d a k",
    Opcode.STORE: "a k d",
    Opcode.HSET: "a b",
    Opcode.HASH: "k a b d",
    Opcode.HGETL: "d",
    Opcode.HGETH: "d",
    Opcode.SIG: "a b d",
    Opcode.LEAF: "a",
    Opcode.OUT: "k a",
    Opcode.HALT: "",
    Opcode.SYS: "k",
    Opcode.ENTRY: "d a k m",
    Opcode.SRET: "",
    Opcode.FRAME: "",
    Opcode.UGET: "d a",
    Opcode.UPUT: "d a",
    Opcode.ENTER: "",
    Opcode.SPACE: "a",
    Opcode.GAS: "d",
    Opcode.GASSET: "a b",
    Opcode.HWORD: "d",
}
"""Operands as written, in order: registers d, a, b; i = a u32 immediate (both halves); k = a 16-bit
one (imm0): a label, word number, tag, public word or gas; m = the other 16-bit one (imm1): a label. TRAP is never
written. MULDIV a, b, d is a * b / d; HASH and SIG end with d
as well."""


@dataclass(frozen=True)
class Instruction:
    """One row of the ROM: registers d, a, b in 0..255, immediates of 16 bits; what is unused is 0."""

    op: Opcode
    d: int = 0
    a: int = 0
    b: int = 0
    imm0: int = 0
    imm1: int = 0

    def fields(self) -> tuple[int, int, int, int, int, int]:
        """op, d, a, b, imm0, imm1."""
        return int(self.op), self.d, self.a, self.b, self.imm0, self.imm1

    def encode(self) -> int:
        """The instruction as a u64: bytes op, d, a, b, then imm0 and imm1, little endian."""
        low = self.op | self.d << 8 | self.a << 16 | self.b << 24
        return low | self.imm0 << 32 | self.imm1 << 48


def parse(word: int) -> Instruction:
    """The fields of a u64, as the machine sees them: unused ones may hold anything.

    Raises:
        AssemblerError: MALFORMED: no such opcode.
    """
    if not 0 <= word < 1 << 64 or word & 0xFF > max(Opcode):
        raise AssemblerError(AssemblerReason.MALFORMED, 0, f"{word:#x}")
    low = word.to_bytes(8, "little")
    return Instruction(Opcode(low[0]), low[1], low[2], low[3], word >> 32 & 0xFFFF, word >> 48)


def decode(word: int) -> Instruction:
    """The instruction of a u64; the inverse of `Instruction.encode`.

    Raises:
        AssemblerError: MALFORMED: no such instruction, an unused field is not 0, or a used register is r0.
    """
    fields = (*word.to_bytes(8, "little"),) if 0 <= word < 1 << 64 else ()
    if not fields or fields[0] > max(Opcode):
        raise AssemblerError(AssemblerReason.MALFORMED, 0, f"{word:#x}")
    op = Opcode(fields[0])
    if op is not Opcode.PAD and op not in SYNTAX:
        raise AssemblerError(AssemblerReason.MALFORMED, 0, f"{word:#x}")
    found = Instruction(op, fields[1], fields[2], fields[3], word >> 32 & 0xFFFF, word >> 48)
    syntax = SYNTAX.get(op, "")
    uses = {
        "d": (found.d, op in READS_D | WRITES_D),
        "a": (found.a, op in READS_A),
        "b": (found.b, op in READS_B),
    }
    registers_fit = all((value != 0) == used for value, used in uses.values())
    immediates_fit = (found.imm0 == 0 or "i" in syntax or "k" in syntax) and (
        found.imm1 == 0 or "i" in syntax or "m" in syntax
    )
    if not (registers_fit and immediates_fit):
        raise AssemblerError(AssemblerReason.MALFORMED, 0, f"{word:#x}")
    return found


@dataclass(frozen=True)
class Program:
    """An assembled program; execution starts at instruction 0.

    Attributes:
        instructions: The ROM, in order.
        labels: Name to instruction number.
        registers: Name to register number.
        lines: Source line of each instruction, from 1.
    """

    instructions: tuple[Instruction, ...]
    labels: Mapping[str, int]
    registers: Mapping[str, int]
    lines: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.instructions)

    @cached_property
    def _sorted_labels(self) -> list[tuple[int, str]]:
        return sorted((pc, name) for name, pc in self.labels.items())

    def place(self, pc: int) -> str:
        """The nearest label at or before `pc`, as `label+distance`."""
        position = bisect_right([start for start, _ in self._sorted_labels], pc)
        if position == 0:
            return f"start+{pc}"
        start, name = self._sorted_labels[position - 1]
        return name if pc == start else f"{name}+{pc - start}"

    def encode(self) -> tuple[int, ...]:
        """The instructions as u64 words."""
        return tuple(instruction.encode() for instruction in self.instructions)

    def rom_columns(self) -> tuple[tuple[int, ...], ...]:
        """The columns of relation ROM: pc, op, d, a, b, imm0, imm1.

        Returns:
            Seven tuples of len(self) integers.
        """
        rows = [(pc, int(x.op), x.d, x.a, x.b, x.imm0, x.imm1) for pc, x in enumerate(self.instructions)]
        return tuple(zip(*rows, strict=True))

    def disassemble(self) -> str:
        """Readable text: number, instruction with register names, label lines before their targets."""
        names = {number: name for name, number in self.registers.items()}
        at: dict[int, list[str]] = {}
        for pc, label in self._sorted_labels:
            at.setdefault(pc, []).append(label)
        out: list[str] = []
        for pc, instruction in enumerate(self.instructions):
            out += [f"{label}:" for label in at.get(pc, [])]
            out.append(f"{pc:5d}  {render(instruction, names, at)}")
        return "\n".join(out) + "\n"


def render(instruction: Instruction, names: Mapping[int, str], at: Mapping[int, list[str]]) -> str:
    """One instruction as text, operands in the order of SYNTAX."""
    operands = []
    for kind in SYNTAX.get(instruction.op, "").split():
        if kind == "i":
            operands.append(str(instruction.imm0 | instruction.imm1 << 16))
        elif kind in "km":
            number = instruction.imm0 if kind == "k" else instruction.imm1
            target = at.get(number) if instruction.op in JUMPS or kind == "m" else None
            operands.append(target[0] if target else str(number))
        else:
            number = {"d": instruction.d, "a": instruction.a, "b": instruction.b}[kind]
            operands.append(names.get(number, f"r{number}"))
    return f"{instruction.op.name:<7}{', '.join(operands)}".rstrip()
