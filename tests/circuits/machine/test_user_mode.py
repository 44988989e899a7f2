"""User mode under a toy kernel: modes, frames, gas, faults, traps, shadows; random and hostile user programs."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.machine.assembler import assemble
from circuits.machine.code import code_hash, decode_code
from circuits.machine.errors import MachineError, MachineReason
from circuits.machine.executor import MachineRun, code_hash_fast
from circuits.machine.interpreter import Execution
from circuits.machine.isa import ENTRY_BASE, STEP_GAS, Opcode
from circuits.machine.program import Instruction
from circuits.machine.words import Word, int_from_word, raw_word, word_from_int
from tests.circuits.machine.helpers import run_both

TOY = assemble(
    """
    .reg zero one limit x y lo hi shadow
    JMP     start
    JMP     trapped
    JMP     faulted
"""
    + "    JMP start\n" * 13
    + """
    ENTRY   x, r1, 100, exit                    ; 16: end this call
    ENTRY   x, r1, 7, double                    ; 17: r1 doubled, modulo nothing: the kernel checks
    ENTRY   x, r2, 20, load                     ; 18: r1 = word 3 of cell r2
    ENTRY   x, r1, 30, store                    ; 19: word 3 of cell r1 = r2
start:
    LI      one, 1
    HINT    limit
    HINT    shadow
    SPACE   shadow
    GASSET  zero, limit
call:
    HINTR   lo
    HINTR   hi
    JEQ     lo, hi, end
    FRAME
    HINT    x
    UPUT    r1, x
    HSET    lo, hi
    ENTER
double:
    LI      y, 65536
    JGE     x, y, back
    ADD     x, x, x
    UPUT    r1, x
back:
    SRET
load:
    LI      y, 9
    JGE     x, y, back
    LOAD    x, x, 3
    UPUT    r1, x
    SRET
store:
    LI      y, 9
    JGE     x, y, back
    UGET    y, r2
    STORE   x, 3, y
    SRET
exit:
    GAS     x
    OUT     0, x
    JMP     call
trapped:
    GAS     x
    OUT     1, x
    JMP     end
faulted:
    GAS     x
    OUT     2, x
end:
    SPACE   zero
    LOAD    x, one, 3
    OUT     3, x
    HALT
"""
)


def toy(
    *codes: Sequence[int], limit: int = 5000, shadow: int = 0, argument: int = 5
) -> tuple[Execution, MachineRun]:
    """Run programs one after the other; word 3 of cell 1 is 77 at first."""
    tape: list[Word] = [word_from_int(limit), word_from_int(shadow)]
    for code in codes:
        digest = code_hash(code)
        tape += [raw_word(digest[:4]), raw_word(digest[4:]), word_from_int(argument)]
    tape += [(0, 0, 0, 0), (0, 0, 0, 0)]
    cells = {1: ((5, 0, 0, 0),) * 3 + (word_from_int(77), (0, 0, 0, 0))}
    return run_both(TOY, cells, tape, max_steps=3000, programs=codes)  # type: ignore[arg-type]


def code(source: str) -> tuple[int, ...]:
    return assemble(source).encode()


EXIT = f"SYS {ENTRY_BASE}\n"


def public(done: Execution, k: int) -> int:
    return int_from_word(done.public[k])


def test_a_call_counts_gas_for_its_steps_and_its_system_calls() -> None:
    done, run = toy(code("SYS 17\nMOV r2, r1\n" + EXIT))
    assert public(done, 0) == 3 * STEP_GAS + 7 + 100
    assert run.user.sum() == 3
    assert (
        run.programs[0].code_hash == code_hash(run.programs[0].code) == code_hash_fast(run.programs[0].code)
    )


def test_every_call_starts_with_fresh_registers_and_hash_state() -> None:
    first = code("LI r1, 9\nLI r200, 9\nMULDIV r1, r1, r1\n" + EXIT)
    second = code("LI r5, 1\nMOV r2, r200\nHGETL r3\nADD r2, r2, r3\nSYS 19\n" + EXIT)  # stores r2 in cell r1
    with pytest.raises(MachineError) as caught:  # two OUTs of word 0: both calls ended
        toy(first, second, argument=1)
    assert caught.value.reason is MachineReason.PUBLIC


def test_kernel_registers_are_out_of_reach() -> None:
    done, _ = toy(code("LI r1, 1\nLI r2, 12345\nLI r3, 0\nLI r4, 0\nSYS 19\n" + EXIT))
    assert public(done, 3) == 12345


@pytest.mark.parametrize(
    "body", ["SUB r2, r3, r1", "MULDIV r1, r1, r3", "LI r2, 1\nPACK r4, r2, r2\nMULDIV r4, r4, r2",
             "SUB r2, r2, r2\nLI r3, 1\nPACK r4, r3, r3\nMULDIV r4, r4, r3\nHGETL r5\nADD r5, r5, r5"]
)  # fmt: skip
def test_overflow_of_a_user_is_a_fault(body: str) -> None:
    done, run = toy(code(body + "\n" + EXIT))
    if 2 in done.public:
        assert run.fault.sum() == 1
        assert run.pc[run.fault.argmax() + 1] == 2
    else:
        assert run.fault.sum() == 0


def test_loop_without_end_is_trapped_at_its_limit() -> None:
    done, run = toy(code("JMP 0"), limit=95)
    assert public(done, 1) == 110  # ten steps reach 100 >= 95; TRAP itself is a step
    assert run.instruction[0].tolist().count(Opcode.TRAP) == 1


def test_what_a_shadow_space_wrote_is_lost() -> None:
    writes = code("LI r1, 1\nLI r2, 5\nSYS 19\n" + EXIT)
    assert public(toy(writes)[0], 3) == 5
    done, run = toy(writes, shadow=1)
    assert public(done, 3) == 77
    assert (run.shadows.cell.tolist(), run.shadows.word.tolist()) == ([1], [3])
    assert (run.shadows.seed.tolist(), run.shadows.last.tolist()) == ([[77, 0, 0, 0]], [[5, 0, 0, 0]])


def test_modes_and_entries_are_kept_apart() -> None:
    for body, reason in (
        ("HALT", MachineReason.MODE),
        ("OUT 3, r1", MachineReason.MODE),
        ("HASH 1, r1, r1, r1", MachineReason.MODE),
        ("SYS 24", MachineReason.MODE),
        ("MOV r1, r1", MachineReason.PC),
        ("JMP 9", MachineReason.PC),
    ):
        with pytest.raises(MachineError) as caught:
            toy(code(body))
        assert caught.value.reason is reason, body
    for source in ("SYS 1", "LI r1, 5\nENTRY r1, r1, 1, 0"):
        with pytest.raises(MachineError) as caught:
            run_both(assemble(source), {}, [])
        assert caught.value.reason is MachineReason.MODE


def test_unknown_code_cannot_be_entered() -> None:
    tape = [word_from_int(9), word_from_int(0), (1, 2, 3, 4), (5, 6, 7, 8), word_from_int(0)]
    with pytest.raises(MachineError) as caught:
        run_both(TOY, {}, tape, programs=[code(EXIT)])
    assert caught.value.reason is MachineReason.CODE


BYTE = st.integers(0, 5)
USER = [op for op in Opcode if Opcode.PAD < op < Opcode.SYS]


@st.composite
def user_words(draw: st.DrawFn) -> int:
    """An instruction of a user, any fields; now and then a hostile opcode."""
    if draw(st.integers(0, 9)) == 0:
        return Instruction(Opcode.SYS, imm0=draw(st.integers(16, 19)), d=draw(BYTE)).encode()
    op = draw(st.sampled_from(USER)) if draw(st.integers(0, 60)) else draw(st.sampled_from(list(Opcode)))
    imm0 = draw(st.one_of(st.integers(0, 12), st.sampled_from((65535, 1000))))
    imm1 = draw(st.sampled_from((0, 0, 1, 65535)))
    return Instruction(op, draw(BYTE), draw(BYTE), draw(BYTE), imm0, imm1).encode()


PROGRAMS = st.lists(st.lists(user_words(), min_size=1, max_size=14), min_size=1, max_size=2)


def agree_on(programs: list[list[int]], limit: int, shadow: int, argument: int) -> None:
    """Both machines agree, whatever the programs do; run with an exit at the end."""
    ended = [[*body, *code(EXIT + "JMP 0")] for body in programs]
    try:
        toy(*ended, limit=limit, shadow=shadow, argument=argument)
    except MachineError as error:
        assert error.clk >= 1


LIMIT = st.sampled_from((0, 1, 300, 3000))
ARGUMENT = st.sampled_from((0, 1, 5, 2**32, 2**63, 2**64 - 1))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PROGRAMS, LIMIT, st.integers(0, 1), ARGUMENT)
def test_interpreter_and_executor_agree_on_random_user_programs(
    programs: list[list[int]], limit: int, shadow: int, argument: int
) -> None:
    agree_on(programs, limit, shadow, argument)


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("PEGPROOF_PROGRAMS", "3000")), deadline=None)
@given(PROGRAMS, LIMIT, st.integers(0, 1), ARGUMENT)
def test_interpreter_and_executor_agree_on_many_random_user_programs(
    programs: list[list[int]], limit: int, shadow: int, argument: int
) -> None:
    agree_on(programs, limit, shadow, argument)


def test_code_words_are_what_the_machine_sees() -> None:
    words = [Instruction(Opcode.LI, 1, 2, 3, 4, 5).encode(), Instruction(Opcode.SYS, 255, imm0=16).encode()]
    assert [instruction.encode() for instruction in decode_code(words)] == words
