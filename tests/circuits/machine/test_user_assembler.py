"""User programs as text: macros, system calls by name, refusals with their line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.machine.abi import Call
from circuits.machine.code import check_code
from circuits.machine.errors import AssemblerError, AssemblerReason
from circuits.machine.isa import Opcode
from circuits.machine.program import Instruction, Program
from circuits.machine.user_assembler import assemble_user, disassemble_code
from examples.programs import auction, escrow, token, vault


def test_macros() -> None:
    text = """
        .reg amount
        .data total owner
        .entries pay take
    pay:
        CALL DSTORE, BOOK, #owner, amount
    take:
        CONST amount, 0x500000007
        SYS EXIT
    """
    program = assemble_user(text, {"BOOK": 99})
    op = Opcode
    assert list(program.instructions) == [
        Instruction(op.LI, d=255, imm0=0),
        Instruction(op.JEQ, a=1, b=255, imm0=5),
        Instruction(op.LI, d=255, imm0=1),
        Instruction(op.JEQ, a=1, b=255, imm0=9),
        Instruction(op.SYS, imm0=Call.FAIL.address),
        Instruction(op.LI, d=1, imm0=99),
        Instruction(op.LI, d=2, imm0=1),
        Instruction(op.MOV, d=3, a=8),
        Instruction(op.SYS, imm0=Call.DSTORE.address),
        Instruction(op.LI, d=8, imm0=7),
        Instruction(op.LI, d=255, imm0=5),
        Instruction(op.PACK, d=8, a=8, b=255),
        Instruction(op.SYS, imm0=Call.EXIT.address),
        Instruction(op.SYS, imm0=Call.FAIL.address),
        Instruction(op.JMP),
    ]
    check_code(program.encode(), min(Call).address, max(Call).address)


@pytest.mark.parametrize("source", ["", "x:", "JMP end\nend:", "x:\nJMP x", "SYS EXIT", "LI r1, 5"])
def test_what_is_assembled_can_be_deployed(source: str) -> None:
    check_code(assemble_user(source).encode(), min(Call).address, max(Call).address)


@pytest.mark.parametrize(
    ("source", "reason", "line"),
    [
        ("LI r1, 1\nHASH 1, r1, r1, r1", AssemblerReason.KERNEL_ONLY, 2),
        ("LOAD r1, r1, 0", AssemblerReason.KERNEL_ONLY, 1),
        ("\nCALL NOTHING", AssemblerReason.UNKNOWN_CALL, 2),
        ("CALL", AssemblerReason.UNKNOWN_CALL, 1),
        ("CALL MOVE, r1", AssemblerReason.OPERANDS, 1),
        ("CALL MOVE, r2, r1, r3", AssemblerReason.CLOBBERED, 1),
        ("SYS 15", AssemblerReason.UNKNOWN_CALL, 1),
        ("SYS NOTHING", AssemblerReason.UNKNOWN_NAME, 1),
        ("CONST r1", AssemblerReason.OPERANDS, 1),
        ("CONST r1, 0x10000000000000000", AssemblerReason.IMMEDIATE, 1),
        ("CONST r1, nowhere", AssemblerReason.UNKNOWN_NAME, 1),
        ("JMP 99", AssemblerReason.IMMEDIATE, 1),
        (".data a b c d e", AssemblerReason.OPERANDS, 1),
        (".entries here\n", AssemblerReason.UNKNOWN_NAME, 1),
        ("MOV r1, nobody", AssemblerReason.UNKNOWN_REGISTER, 1),
        ("LI r1, 1\n" * 1024, AssemblerReason.TOO_LONG, 1024),
    ],
)
def test_source_is_refused_with_reason_and_line(source: str, reason: AssemblerReason, line: int) -> None:
    with pytest.raises(AssemblerError) as caught:
        assemble_user(source)
    assert (caught.value.reason, caught.value.line) == (reason, line)


def test_disassembly_names_calls_and_targets() -> None:
    text = disassemble_code(assemble_user("l:\nCALL MINT, r1, 7\nJNE r1, r2, l\nJMP l").encode())
    assert [line.split(";")[0].rstrip() for line in text.splitlines()] == [
        "l0:", "    LI     r2, 7", "    SYS    MINT", "    JNE    r1, r2, l0", "    JMP    l0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "program", [auction.build(), escrow.build(), token.build(5), vault.build((1, 2, 3))], ids=len
)
def test_disassembly_is_assembled_to_the_same_words(program: Program) -> None:
    code = program.encode()
    assert assemble_user(disassemble_code(code)).encode() == code


@pytest.mark.parametrize(
    ("source", "help"),
    [
        (".reg amount\nMOV amuont, r1", "did you mean amount?"),
        ("LI r1, 1\nADDD r1, r1, r1", "did you mean ADD?"),
        ("start:\nJMP strat", "did you mean start?"),
        ("CALL MOEV", "did you mean MOVE?"),
        ("LI r1, 0x1ffffffff", "CONST takes 64"),
        ("LOAD r1, r1, 0", "with CALL"),
        ("CALL MOVE, r2, r1, r3", "MOV"),
        ("CALL DLOAD, r1", "DLOAD takes 2: cell, word"),
    ],
)
def test_a_refusal_says_what_to_do(source: str, help: str) -> None:
    with pytest.raises(AssemblerError, match=re.escape(help)):
        assemble_user(source)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8))
def test_any_deployable_words_are_shown(code: list[int]) -> None:
    known = [word & ~0xFF | word % 16 + 1 for word in code]
    assert len(disassemble_code(known).splitlines()) >= len(code)
