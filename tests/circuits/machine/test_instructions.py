"""Each instruction on edge values, in both machines; random programs; the two agree on refusals too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from circuits.machine.assembler import assemble
from circuits.machine.errors import MachineError, MachineReason
from circuits.machine.executor import CellArrays, run, tape_array
from circuits.machine.executor_words import muldiv
from circuits.machine.isa import Opcode
from circuits.machine.program import SYNTAX, Instruction, Program
from circuits.machine.words import EMPTY_CELL, Cell, Word, int_from_word, word_from_int
from prover.poseidon2 import P, compress
from tests.circuits.machine.helpers import run_both

EDGES = (0, 1, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**63, 2**64 - 1)
RAW: Word = (P - 1, 0, 2**16, 5)


def out(source: str, inputs: Sequence[Word], cells: dict[int, Cell] | None = None) -> list[Word]:
    """Public words of a program; HINTR reads `inputs` into a, b, c."""
    hints = "".join(f"HINTR {name}\n" for name, _ in zip("abc", inputs, strict=False))
    program = assemble(f".reg zero a b c x\n{hints}{source}\nHALT")
    slow, _ = run_both(program, cells or {}, list(inputs))
    return [slow.public[k] for k in sorted(slow.public)]


def reason(source: str, inputs: Sequence[Word] = (), cells: dict[int, Cell] | None = None) -> MachineReason:
    with pytest.raises(MachineError) as caught:
        out(source, inputs, cells)
    return caught.value.reason


@pytest.mark.parametrize("a", EDGES)
@pytest.mark.parametrize("b", EDGES)
def test_arithmetic_and_comparison_on_edges(a: int, b: int) -> None:
    words = [word_from_int(a), word_from_int(b)]
    if a + b < 2**64:
        assert out("ADD x, a, b\nOUT 0, x", words) == [word_from_int(a + b)]
    else:
        assert reason("ADD x, a, b", words) is MachineReason.CARRY
    if a >= b:
        assert out("SUB x, a, b\nOUT 0, x", words) == [word_from_int(a - b)]
    else:
        assert reason("SUB x, a, b", words) is MachineReason.BORROW
    if max(a, b) < 2**32:
        assert out("PACK x, a, b\nOUT 0, x", words) == [word_from_int(a | b << 32)]
    else:
        assert reason("PACK x, a, b", words) is MachineReason.NOT_U32
    for op, expected in (("JEQ", a == b), ("JNE", a != b), ("JLT", a < b), ("JGE", a >= b)):
        found = out(f"LI x, 1\n{op} a, b, end\nLI x, 0\nend:\nOUT 0, x", words)
        assert found == [word_from_int(expected)], op
    if a == b:
        assert out("ASSERT a, b\nOUT 0, a", words) == [words[0]]
    else:
        assert reason("ASSERT a, b", words) is MachineReason.ASSERTION


@pytest.mark.parametrize("a", EDGES)
@pytest.mark.parametrize("b", EDGES)
def test_muldiv_on_edges(a: int, b: int) -> None:
    source = "MULDIV a, b, c\nHGETL x\nOUT 0, x\nHGETH x\nOUT 1, x"
    for c in EDGES:
        words = [word_from_int(value) for value in (a, b, c)]
        if c == 0:
            assert reason(source, words) is MachineReason.DIVISOR
        elif a * b // c >= 2**64:
            assert reason(source, words) is MachineReason.QUOTIENT
        else:
            assert out(source, words) == [word_from_int(a * b // c), word_from_int(a * b % c)]


U64 = st.one_of(st.sampled_from(EDGES), st.integers(0, 2**64 - 1))


@settings(max_examples=200, deadline=None, derandomize=True)
@example(2**64 - 1, 2**64 - 1, 2**64 - 1)
@given(U64, U64, U64.filter(bool))
def test_wide_division_equals_python(a: int, b: int, c: int) -> None:
    fits, quotient, remainder = muldiv(np.uint64(a), np.uint64(b), np.uint64(c))
    assert bool(fits) == (a * b // c < 2**64)
    if fits:
        assert (int(quotient), int(remainder)) == divmod(a * b, c)


@pytest.mark.parametrize("value", EDGES)
def test_halves(value: int) -> None:
    low, high = out("LO x, a\nOUT 0, x\nHI x, a\nOUT 1, x", [word_from_int(value)])
    assert (int_from_word(low), int_from_word(high)) == (value % 2**32, value >> 32)


@pytest.mark.parametrize(
    "source",
    ["ADD x, a, zero", "ADD x, zero, a", "SUB x, a, zero", "MULDIV a, a, zero", "PACK x, zero, a", "LO x, a",
     "HI x, a", "JLT zero, a, end\nend:", "JGE a, zero, end\nend:", "LOAD x, a, 0", "STORE a, 0, zero",
     "LEAF a", "SIG zero, zero, a"],
)  # fmt: skip
def test_raw_words_are_no_numbers(source: str) -> None:
    assert reason(source, [RAW]) is MachineReason.NOT_U64


def test_raw_words_are_moved_compared_stored_and_hashed() -> None:
    source = """
        MOV x, a
        ASSERT x, a
        STORE zero, 4, x
        LOAD x, zero, 4
        HSET a, x
        HASH 9, a, b, x
        HGETL x
        OUT 0, x
        HGETH x
        OUT 1, x
    """
    b = (1, 2, 3, 4)
    low, high = out(source, [RAW, b])
    assert low + high == compress(24, [9, *RAW, *RAW, *RAW, *b, *RAW], 8)


def test_limits() -> None:
    word = word_from_int
    assert reason("LOAD x, a, 0", [word(2**30)]) is MachineReason.ADDRESS
    assert reason("STORE a, 0, zero", [word(2**32)]) is MachineReason.ADDRESS
    assert reason("LOAD x, zero, 5") is MachineReason.CELL_WORD
    assert reason("OUT 23, zero") is MachineReason.PUBLIC
    assert reason("OUT 1, zero\nOUT 1, zero") is MachineReason.PUBLIC
    assert reason("LEAF a", [word(1024)]) is MachineReason.EXIT_LEAF
    assert reason("LEAF a\nLEAF a", [word(1023)]) is MachineReason.EXIT_LEAF
    assert reason("SIG a, a, a", [word(2**32)]) is MachineReason.NOT_U32
    assert reason("HINT x") is MachineReason.TAPE
    assert reason("JMP 9") is MachineReason.PC
    assert reason("here:\nJMP here") is MachineReason.STEPS


def test_hints_are_range_checked() -> None:
    for source, word in (("HINT r1", (0, 0, 0, 2**16)), ("HINTR r1", (0, 0, 0, P))):
        with pytest.raises(MachineError) as caught:
            run_both(assemble(source + "\nHALT"), {}, [word])
        assert caught.value.reason is MachineReason.ELEMENT


def test_pad_cannot_be_executed() -> None:
    program = Program((Instruction(Opcode.PAD),), {}, {}, (1,))
    with pytest.raises(MachineError) as caught:
        run_both(program, {}, [])
    assert caught.value.reason is MachineReason.OPCODE
    assert (caught.value.pc, caught.value.clk) == (0, 1)


def test_cells_are_seen_as_they_were_and_as_they_are() -> None:
    cell: Cell = (RAW, RAW, RAW, RAW, RAW)
    source = "LI x, 77\nSTORE x, 2, zero\nLI x, 5\nLOAD a, x, 0\nHALT"
    program = assemble(".reg zero a x\n" + source)
    slow, fast = run_both(program, {77: cell, 90: cell}, [])
    assert fast.cell_indices.tolist() == [5, 77]
    assert slow.cells_before == {77: cell, 5: EMPTY_CELL}
    assert slow.cells[77] == (RAW, RAW, (0, 0, 0, 0), RAW, RAW)
    assert slow.cells[90] == cell


def test_executor_grows_its_tables() -> None:
    loop = ".reg zero one n\nLI one, 1\nLI n, 3000\nl:\nSTORE n, 0, n\nSUB n, n, one\nJNE n, zero, l\nHALT"
    _, fast = run_both(assemble(loop), {}, [])
    assert fast.cell_indices.tolist() == list(range(1, 3001))


def test_executor_refuses_misshapen_input() -> None:
    program = assemble("HALT")
    with pytest.raises(ValueError, match="tape of shape"):
        run(program, {}, tape_array([]).T)
    cells = CellArrays.from_mapping({1: EMPTY_CELL, 2: EMPTY_CELL})
    with pytest.raises(ValueError, match="must increase"):
        run(program, CellArrays(cells.indices[::-1].copy(), cells.words), tape_array([]))
    with pytest.raises(ValueError, match="cells of shape"):
        run(program, CellArrays(cells.indices, cells.words[:1]), tape_array([]))


REGISTER = st.integers(1, 6)
IMMEDIATE = {"i": st.sampled_from(EDGES[:5]), "k": st.integers(0, 5)}


@st.composite
def instructions(draw: st.DrawFn) -> Instruction:
    op = draw(st.sampled_from([op for op in SYNTAX if op < Opcode.ENTRY and op is not Opcode.SYS]))
    fields = dict.fromkeys(("d", "a", "b", "imm0", "imm1"), 0)
    for kind in SYNTAX[op].split():
        if kind in IMMEDIATE:
            value = draw(IMMEDIATE[kind])
            fields["imm0"], fields["imm1"] = value & 0xFFFF, value >> 16
        else:
            fields[kind] = draw(REGISTER)
    return Instruction(op, **fields)


WORD = st.one_of(U64.map(word_from_int), st.integers(0, 6).map(word_from_int), st.just(RAW))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(instructions(), min_size=1, max_size=25), st.lists(WORD, max_size=8))
def test_interpreter_and_executor_agree_on_random_programs(body: list[Instruction], tape: list[Word]) -> None:
    setup = [Instruction(Opcode.LI, d=i, imm0=i) for i in range(1, 4)]
    program = Program((*setup, *body, Instruction(Opcode.HALT)), {}, {}, ())
    cells: dict[int, Cell] = {2: (RAW, word_from_int(7), RAW, word_from_int(2**64 - 1), RAW)}
    try:
        run_both(program, cells, tape, max_steps=200)
    except MachineError as error:
        assert error.clk >= 1
