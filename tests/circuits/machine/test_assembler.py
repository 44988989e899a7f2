"""Assembler, codec, disassembler."""

from __future__ import annotations

import pytest

from circuits.machine.assembler import assemble
from circuits.machine.errors import AssemblerError, AssemblerReason
from circuits.machine.isa import READS_A, READS_B, READS_D, WRITES_D, Opcode
from circuits.machine.kernel import kernel
from circuits.machine.program import SYNTAX, Instruction, decode


def test_operands_labels_constants_and_comments() -> None:
    program = assemble(
        """
        .reg zero n            ; r1, r2
        .const BIG 0x12345678
        start:
            LI   n, BIG        ; a comment
        loop:
            HASH 7, zero, n, r9
            STORE n, WORD, zero
            JNE  n, zero, loop
            JMP  end
        end:
            HALT
        """,
        {"WORD": 3},
    )
    assert program.instructions == (
        Instruction(Opcode.LI, d=2, imm0=0x5678, imm1=0x1234),
        Instruction(Opcode.HASH, d=9, a=1, b=2, imm0=7),
        Instruction(Opcode.STORE, d=1, a=2, imm0=3),
        Instruction(Opcode.JNE, a=2, b=1, imm0=1),
        Instruction(Opcode.JMP, imm0=5),
        Instruction(Opcode.HALT),
    )
    assert program.lines[:2] == (5, 7)
    assert [program.place(pc) for pc in (0, 1, 3, 5)] == ["start", "loop", "loop+2", "end"]
    assert program.rom_columns()[0] == (0, 1, 2, 3, 4, 5)
    assert program.rom_columns()[5] == (0x5678, 7, 3, 1, 5, 0)


@pytest.mark.parametrize(
    ("source", "reason", "line"),
    [
        ("\n FOO r1", AssemblerReason.UNKNOWN_OPCODE, 2),
        ("PAD", AssemblerReason.UNKNOWN_OPCODE, 1),
        (".foo", AssemblerReason.UNKNOWN_DIRECTIVE, 1),
        ("ADD r1, r2", AssemblerReason.OPERANDS, 1),
        ("HALT r1", AssemblerReason.OPERANDS, 1),
        (".const X", AssemblerReason.OPERANDS, 1),
        ("HALT\nMOV r1, x", AssemblerReason.UNKNOWN_REGISTER, 2),
        ("MOV r0, r1", AssemblerReason.UNKNOWN_REGISTER, 1),
        ("MOV r256, r1", AssemblerReason.UNKNOWN_REGISTER, 1),
        ("JMP nowhere", AssemblerReason.UNKNOWN_NAME, 1),
        ("a:\na:", AssemblerReason.DUPLICATE, 2),
        (".reg a a", AssemblerReason.DUPLICATE, 1),
        (".const a 1\n.reg a", AssemblerReason.DUPLICATE, 2),
        ("1a:", AssemblerReason.BAD_NAME, 1),
        ("LI r1, 4294967296", AssemblerReason.IMMEDIATE, 1),
        ("LI r1, -1", AssemblerReason.IMMEDIATE, 1),
        ("OUT 65536, r1", AssemblerReason.IMMEDIATE, 1),
        (".reg " + " ".join(f"x{i}" for i in range(256)), AssemblerReason.TOO_MANY_REGISTERS, 1),
        ("HALT\n" * 65536, AssemblerReason.TOO_LONG, 65536),
    ],
)
def test_errors_name_reason_and_line(source: str, reason: AssemblerReason, line: int) -> None:
    with pytest.raises(AssemblerError) as caught:
        assemble(source)
    assert (caught.value.reason, caught.value.line) == (reason, line)


def test_syntax_names_exactly_the_registers_that_the_isa_uses() -> None:
    for op, syntax in SYNTAX.items():
        used = {"a": op in READS_A, "b": op in READS_B, "d": op in READS_D | WRITES_D}
        assert {kind: kind in syntax for kind in used} == used, op


def test_codec_round_trip_over_the_kernel() -> None:
    assert tuple(decode(word) for word in kernel().encode()) == kernel().instructions
    assert Instruction(Opcode.LI, d=2, imm0=0x5678, imm1=0x1234).encode() == 0x1234_5678_0000_0201


@pytest.mark.parametrize(
    "word",
    [
        -1,
        1 << 64,
        int(Opcode.TRAP),
        max(Opcode) + 1,
        255,
        int(Opcode.MOV),
        Opcode.MOV | 1 << 8,
        Opcode.MOV | 1 << 8 | 1 << 16 | 1 << 24,
        Opcode.MOV | 1 << 8 | 1 << 16 | 1 << 32,
        Opcode.HALT | 1 << 8,
        Opcode.JMP | 1 << 48,
        1 << 8,
    ],
)
def test_malformed_words_are_refused(word: int) -> None:
    with pytest.raises(AssemblerError) as caught:
        decode(word)
    assert caught.value.reason is AssemblerReason.MALFORMED


def test_disassembly_of_the_kernel_assembles_to_the_kernel() -> None:
    text = kernel().disassemble().splitlines()
    lines = [line if line.endswith(":") else line[7:] for line in text]
    registers = " ".join(kernel().registers)
    again = assemble(f".reg {registers}\n" + "\n".join(lines))
    assert again.instructions == kernel().instructions
    assert again.labels == kernel().labels
