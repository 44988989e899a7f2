"""The assembler for user programs: text in, code words out; and back.

As `assembler`, with the instructions of user mode alone, and:

- `.reg` hands out registers from r8: r1..r7 are for system calls, and hold selector, four arguments, signer and
  call number when a call starts.
- `.entries name ..` jumps to the label that the selector names, 0 for the first; no such one: the call fails.
- `.data name ..` names the words 0.. of a data cell: constants.
- `CONST d, value` loads any u64 (three instructions above 2^32; r255 is scratch).
- `CALL NAME, argument, ..` puts registers or numbers in r1, r2, .. and makes the system call; results are in r1, ...
  `abi.Call` lists the names; `SYS NAME` makes the call alone.
- Constants `HEIGHT`, `SLOT`, .. of `abi.Context` for `CALL CONTEXT, HEIGHT`; the caller's own.

A program that could run off its end gets a FAIL and a jump there: the last instruction must be a jump.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from circuits.machine.abi import CALLS, Call, Context
from circuits.machine.assembler import assemble_lines, clean
from circuits.machine.code import MAX_CODE_LENGTH, decode_code
from circuits.machine.errors import AssemblerError, AssemblerReason
from circuits.machine.isa import FIRST_USER_OPCODE, JUMPS, USER_OPCODES, Opcode
from circuits.machine.program import SYNTAX, Instruction, Program, render

FIRST_REGISTER: Final = 8
SCRATCH: Final = "r255"
_NUMBER: Final = re.compile(r"(0x[0-9a-fA-F]+|[0-9]+)\Z")
_ABI_REGISTER: Final = re.compile(r"r([1-9])\Z")
_DATA_WORDS: Final = 4
_U32: Final = 1 << 32


def assemble_user(source: str, constants: Mapping[str, int] | None = None) -> Program:
    """Assemble a user program; `Program.encode()` is what a deployment carries.

    Args:
        source: The text (module docstring).
        constants: Named integers, as if by `.const`.

    Raises:
        AssemblerError: With its reason and line.
    """
    known = {call.name: call.address for call in Call} | {context.name: context.value for context in Context}
    known |= dict(constants or {})
    lines = list(_expand(source, known))
    last = next((text for _, text in reversed(lines) if text and not text.endswith(":")), "")
    ends_with_label = any(text.endswith(":") for _, text in _after_last_instruction(lines))
    if not last.startswith("JMP ") or ends_with_label:
        number = lines[-1][0] if lines else 0
        lines += [(number, "SYS FAIL"), (number, "JMP 0")]
    program = assemble_lines(lines, known, first_register=FIRST_REGISTER, opcodes=USER_OPCODES)
    if len(program) > MAX_CODE_LENGTH:
        raise AssemblerError(AssemblerReason.TOO_LONG, program.lines[-1], f"{len(program)} instructions")
    for instruction, line in zip(program.instructions, program.lines, strict=True):
        if instruction.op in JUMPS and instruction.imm0 >= len(program):
            raise AssemblerError(AssemblerReason.IMMEDIATE, line, f"jump to {instruction.imm0}")
        if instruction.op is Opcode.SYS and instruction.imm0 not in {call.address for call in Call}:
            raise AssemblerError(AssemblerReason.UNKNOWN_CALL, line, f"{instruction.imm0}")
    return program


def _after_last_instruction(lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for line, text in reversed(lines):
        if text and not text.endswith(":") and not text.startswith("."):
            return
        yield line, text


def _expand(source: str, known: dict[str, int]) -> Iterator[tuple[int, str]]:
    """The lines with macros expanded; `.data` and `.const` go into `known` or on to the assembler."""
    for number, full in enumerate(source.splitlines(), start=1):
        text = clean(full)
        word, _, rest = text.partition(" ")
        operands = [operand.strip() for operand in rest.split(",")] if rest.strip() else []
        if word == ".data":
            names = rest.split()
            if len(names) > _DATA_WORDS:
                raise AssemblerError(AssemblerReason.OPERANDS, number, "a data cell has four words")
            for place, name in enumerate(names):
                yield number, f".const {name} {place}"
        elif word == ".entries":
            for selector, name in enumerate(rest.split()):
                yield number, f"LI {SCRATCH}, {selector}"
                yield number, f"JEQ r1, {SCRATCH}, {name}"
            yield number, "SYS FAIL"
        elif word == "CONST":
            if len(operands) != 2:
                raise AssemblerError(AssemblerReason.OPERANDS, number, text)
            yield from ((number, line) for line in _const(operands[0], operands[1], known, number))
        elif word == "CALL":
            yield from ((number, line) for line in _call(operands, number))
        else:
            yield number, text


def _const(register: str, text: str, known: Mapping[str, int], line: int) -> Iterator[str]:
    value = known.get(text)
    if value is None:
        if not _NUMBER.match(text):
            raise AssemblerError(AssemblerReason.UNKNOWN_NAME, line, text, known)
        value = int(text, 0)
    if value >= _U32 * _U32:
        raise AssemblerError(AssemblerReason.IMMEDIATE, line, text)
    yield f"LI {register}, {value % _U32}"
    if value >= _U32:
        yield f"LI {SCRATCH}, {value // _U32}"
        yield f"PACK {register}, {register}, {SCRATCH}"


def _call(operands: Sequence[str], line: int) -> Iterator[str]:
    """Arguments into r1, r2, .., then SYS. An operand that is no name of a register is loaded as a number."""
    name, arguments = (operands[0], operands[1:]) if operands else ("", [])
    if name not in Call.__members__:
        raise AssemblerError(AssemblerReason.UNKNOWN_CALL, line, name or "no name", Call.__members__)
    wanted = CALLS[Call[name]].arguments
    if len(arguments) != len(wanted):
        raise AssemblerError(
            AssemblerReason.OPERANDS, line, f"{name} takes {len(wanted)}: {', '.join(wanted)}"
        )
    for place, argument in enumerate(arguments, start=1):
        given = _ABI_REGISTER.match(argument)
        if given and int(given[1]) < place:
            raise AssemblerError(AssemblerReason.CLOBBERED, line, argument)
        if argument == f"r{place}":
            continue
        yield f"{'LI' if _is_number(argument) else 'MOV'} r{place}, {argument.lstrip('#')}"
    yield f"SYS {name}"


def _is_number(argument: str) -> bool:
    """Whether an operand is loaded: a number, a name in capitals (a constant), or #name."""
    return bool(_NUMBER.match(argument)) or argument.isupper() or argument.startswith("#")


def disassemble_code(code: Sequence[int]) -> str:
    """Readable text of code words: instructions, system calls by name, labels at jump targets, numbers as comments.

    Code that `assemble_user` gave is assembled to the same words again.
    """
    instructions = decode_code(code)
    targets = {instruction.imm0 for instruction in instructions if instruction.op in JUMPS}
    labels = {target: [f"l{target}"] for target in sorted(targets)}
    out: list[str] = []
    for pc, instruction in enumerate(instructions):
        out += [f"{label}:" for label in labels.get(pc, [])]
        out.append(f"    {show(instruction, labels):<32}; {pc}")
    return "\n".join(out) + "\n"


def show(instruction: Instruction, labels: Mapping[int, list[str]] | None = None) -> str:
    """One user instruction as text."""
    if instruction.op is Opcode.SYS:
        names = {call.address: call.name for call in Call}
        return f"SYS    {names.get(instruction.imm0, instruction.imm0)}"
    if instruction.op is Opcode.TRAP:
        return "TRAP"
    if instruction.op < FIRST_USER_OPCODE or instruction.op not in SYNTAX:
        return f".word  {instruction.encode():#018x}"
    return render(instruction, {}, labels or {})
