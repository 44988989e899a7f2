"""A small assembler: text in, `Program` out.

A line is a label (`name:`), a directive or an instruction; `;` starts a comment. Operands are in the order of
`program.SYNTAX`. Directives:

- `.reg a b c` declares registers by name, numbered from r1 in order; an undeclared name is an error, so that
  a slip of the pen is no new register. `r7` is register 7 without declaration (for tests).
- `.const NAME value` names an integer.

Immediates are decimal or 0x numbers, constants or labels. No expressions: Python computes, the text names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from circuits.machine.errors import AssemblerError, AssemblerReason
from circuits.machine.isa import Opcode
from circuits.machine.program import SYNTAX, Instruction, Program

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PLAIN_REGISTER = re.compile(r"r([1-9][0-9]{0,2})\Z")
_LIMITS = {"i": 1 << 32, "k": 1 << 16, "m": 1 << 16}
NUM_REGISTERS = 256


@dataclass
class _Pending:
    """An instruction whose labels are not known yet."""

    op: Opcode
    operands: list[str]
    line: int


@dataclass
class _Assembly:
    constants: dict[str, int]
    first_register: int = 1
    opcodes: frozenset[Opcode] = frozenset(Opcode)
    registers: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    pending: list[_Pending] = field(default_factory=list)

    def claim(self, name: str, line: int) -> str:
        """Check that `name` is a name and free."""
        if not _NAME.match(name):
            raise AssemblerError(AssemblerReason.BAD_NAME, line, name)
        if name in self.constants or name in self.registers or name in self.labels:
            raise AssemblerError(AssemblerReason.DUPLICATE, line, name)
        return name

    def directive(self, words: list[str], line: int) -> None:
        """Carry out `.reg` or `.const`."""
        if words[0] == ".reg":
            for name in words[1:]:
                number = len(self.registers) + self.first_register
                if number == NUM_REGISTERS:
                    raise AssemblerError(AssemblerReason.TOO_MANY_REGISTERS, line, name)
                self.registers[self.claim(name, line)] = number
        elif words[0] == ".const":
            if len(words) != 3:
                raise AssemblerError(AssemblerReason.OPERANDS, line, " ".join(words))
            self.constants[self.claim(words[1], line)] = self.number(words[2], line)
        else:
            raise AssemblerError(AssemblerReason.UNKNOWN_DIRECTIVE, line, words[0])

    def instruction(self, text: str, line: int) -> None:
        """Note an instruction; registers and labels are looked up at the end."""
        mnemonic, _, rest = text.partition(" ")
        try:
            op = Opcode[mnemonic]
            syntax = SYNTAX[op].split()
        except KeyError:
            known = [opcode.name for opcode in self.opcodes]
            raise AssemblerError(AssemblerReason.UNKNOWN_OPCODE, line, mnemonic, known) from None
        if op not in self.opcodes:
            raise AssemblerError(AssemblerReason.KERNEL_ONLY, line, mnemonic)
        operands = [operand.strip() for operand in rest.split(",")] if rest.strip() else []
        if len(operands) != len(syntax):
            raise AssemblerError(
                AssemblerReason.OPERANDS, line, f"{mnemonic} takes {len(syntax)}, here: {text}"
            )
        self.pending.append(_Pending(op, operands, line))

    def number(self, text: str, line: int) -> int:
        """A number, constant or label."""
        for names in (self.constants, self.labels):
            if text in names:
                return names[text]
        try:
            return int(text, 0)
        except ValueError:
            known = [*self.labels, *self.constants]
            raise AssemblerError(AssemblerReason.UNKNOWN_NAME, line, text, known) from None

    def register(self, text: str, line: int) -> int:
        """A declared register, or rN."""
        if text in self.registers:
            return self.registers[text]
        plain = _PLAIN_REGISTER.match(text)
        if plain is None or int(plain[1]) >= NUM_REGISTERS:
            raise AssemblerError(AssemblerReason.UNKNOWN_REGISTER, line, text, self.registers)
        return int(plain[1])

    def resolve(self, item: _Pending) -> Instruction:
        """The instruction with its numbers."""
        fields = dict.fromkeys(("d", "a", "b", "imm0", "imm1"), 0)
        for kind, text in zip(SYNTAX[item.op].split(), item.operands, strict=True):
            if kind in _LIMITS:
                value = self.number(text, item.line)
                if not 0 <= value < _LIMITS[kind]:
                    raise AssemblerError(AssemblerReason.IMMEDIATE, item.line, f"{text} = {value}")
                if kind == "m":
                    fields["imm1"] = value
                elif kind == "k":
                    fields["imm0"] = value
                else:
                    fields["imm0"], fields["imm1"] = value & 0xFFFF, value >> 16
            else:
                fields[kind] = self.register(text, item.line)
        return Instruction(item.op, **fields)


def assemble(source: str, constants: Mapping[str, int] | None = None) -> Program:
    """Assemble a program.

    Args:
        source: The text (module docstring).
        constants: Named integers, as if by `.const`.

    Raises:
        AssemblerError: With its reason and line.
    """
    lines = [(number, clean(text)) for number, text in enumerate(source.splitlines(), start=1)]
    return assemble_lines(lines, constants or {})


def clean(text: str) -> str:
    """A line without its comment."""
    return text.partition(";")[0].strip()


def assemble_lines(
    lines: Iterable[tuple[int, str]],
    constants: Mapping[str, int],
    *,
    first_register: int = 1,
    opcodes: frozenset[Opcode] = frozenset(Opcode),
) -> Program:
    """Assemble numbered lines without comments.

    Args:
        lines: Line number and text.
        constants: Named integers.
        first_register: Number of the first register that `.reg` hands out.
        opcodes: What may be used.

    Raises:
        AssemblerError: With its reason and line.
    """
    assembly = _Assembly(dict(constants), first_register, opcodes)
    for line, text in lines:
        if not text:
            continue
        if text.endswith(":"):
            name = assembly.claim(text[:-1].strip(), line)
            assembly.labels[name] = len(assembly.pending)
        elif text.startswith("."):
            assembly.directive(text.split(), line)
        else:
            assembly.instruction(text, line)
    if len(assembly.pending) >= 1 << 16:
        raise AssemblerError(AssemblerReason.TOO_LONG, assembly.pending[-1].line, f"{len(assembly.pending)}")
    return Program(
        instructions=tuple(assembly.resolve(item) for item in assembly.pending),
        labels=assembly.labels,
        registers=assembly.registers,
        lines=tuple(item.line for item in assembly.pending),
    )
