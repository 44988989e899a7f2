"""A small kernel and user programs that together use every instruction of user mode, faults, TRAP and shadows."""

from __future__ import annotations

from functools import cache

from circuits.machine.isa import Opcode as O
from tests.circuits.tables import mini
from tests.circuits.tables.programs import Case, case, op


def link(*lines) -> list[tuple[int, ...]]:
    """Instructions; a string is a label, and stands for its number in imm0 and imm1."""
    labels: dict[str, int] = {}
    rows = []
    for line in lines:
        if isinstance(line, str):
            labels[line] = len(rows)
        else:
            rows.append(line)
    return [(*row[:4], *(labels.get(x, x) for x in row[4:])) for row in rows]


TOTAL = link(
    op("LI", d=2, imm0=5),
    op("ADD", d=3, a=1, b=2),
    op("SUB", d=4, a=3, b=2),
    op("MULDIV", d=3, a=1, b=2),
    op("HGETL", d=5),
    op("HGETH", d=6),
    op("PACK", d=7, a=1, b=1),  # r1 is above 2^32: the kernel could not
    op("LO", d=8, a=1),
    op("HI", d=9, a=1),
    op("MOV", d=255, a=9),
    op("JMP", imm0="equal"),
    op("JMP", imm0="end"),
    "equal",
    op("JEQ", a=255, b=9, imm0="unequal"),
    op("JMP", imm0="end"),
    "unequal",
    op("JNE", a=255, b=9, imm0="end"),
    op("JLT", a=2, b=3, imm0="less"),
    op("JMP", imm0="end"),
    "less",
    op("JGE", a=2, b=3, imm0="end"),
    op("SYS", imm0=3),
    op("HGETL", d=10),  # the kernel's hash state is not seen
    op("ADD", d=11, a=12, b=10, imm0=9, imm1=8),
    "end",
    op("SYS", d=1, a=2, b=3, imm0=4, imm1=5),
    op("JMP", imm0="end"),
)
"""Every user instruction; system calls 3 and 4."""
BORROW = link(op("LI", d=1, imm0=7), op("SUB", d=2, a=3, b=1), op("SYS", imm0=4), op("JMP"))
CARRY = link(op("ADD", d=2, a=1, b=1), op("SYS", imm0=4), op("JMP"))
ZERO_DIVISOR = link(op("MULDIV", d=9, a=1, b=1), op("JMP"))
LARGE_QUOTIENT = link(op("LI", d=9, imm0=3), op("MULDIV", d=9, a=1, b=1), op("JMP"))
LOOP = link(op("LI", d=1, imm0=1), "loop", op("JMP", imm0="loop"))
PROGRAMS = (TOTAL, BORROW, CARRY, ZERO_DIVISOR, LARGE_QUOTIENT, LOOP)

(ONE, BIG, CELL, RESULT, LOADED, STEP, ARGUMENT, ANSWER, GASES, LO, HI, SEEN) = range(101, 113)
ZERO = 100
CELLS = {7: [mini.u64(100 + k) for k in range(5)], 8: [[5, 6, 7, 80000 + k] for k in range(5)]}


def enter(next_step: int) -> tuple[tuple[int, ...], ...]:
    """A fresh file, r1 = BIG, and the program whose hash the tape has next."""
    return (
        op("HINTR", d=LO),
        op("HINTR", d=HI),
        op("FRAME"),
        op("UPUT", d=1, a=BIG),
        op("LI", d=STEP, imm0=next_step),
        op("HSET", a=LO, b=HI),
        op("ENTER"),
    )


KERNEL = link(
    op("JMP", imm0="start"),
    op("JMP", imm0="next"),  # TRAP
    op("JMP", imm0="next"),  # fault
    op("ENTRY", d=ARGUMENT, a=3, imm0=1000, imm1="call"),
    op("ENTRY", d=ARGUMENT, a=3, imm0=7, imm1="next"),
    "call",
    op("UGET", d=ANSWER, a=2),
    op("ADD", d=ANSWER, a=ARGUMENT, b=ANSWER),
    op("UPUT", d=12, a=ANSWER),
    op("HSET", a=LO, b=HI),
    op("SRET"),
    "start",
    op("LI", d=ONE, imm0=1),
    op("HINT", d=BIG),
    op("LI", d=CELL, imm0=7),
    op("LI", d=GASES, imm0=3, imm1=2),
    op("GASSET", a=GASES, b=BIG),
    op("STORE", d=BIG, a=CELL, imm0=1),
    op("SPACE", a=ONE),
    op("LOAD", d=LOADED, a=CELL, imm0=1),
    op("STORE", d=ONE, a=CELL, imm0=1),
    op("STORE", d=ONE, a=CELL, imm0=2),
    op("LOAD", d=LOADED, a=CELL, imm0=1),
    *enter(1),
    "step1",
    op("SPACE", a=ZERO),
    op("LOAD", d=LOADED, a=CELL, imm0=1),
    op("OUT", a=LOADED, imm0=0),
    op("OUT", a=ANSWER, imm0=1),
    op("GAS", d=SEEN),
    op("OUT", a=SEEN, imm0=2),
    *enter(2),
    "step2",
    *enter(3),
    "step3",
    op("SPACE", a=ONE),
    op("LOAD", d=LOADED, a=CELL, imm0=1),
    op("OUT", a=LOADED, imm0=3),
    *enter(4),
    "step4",
    op("SPACE", a=ZERO),
    *enter(5),
    "step5",
    *enter(6),
    "step6",
    op("UGET", d=SEEN, a=1),
    op("UGET", d=SEEN, a=2),  # nobody wrote it in this file
    op("OUT", a=SEEN, imm0=4),
    op("HWORD", d=SEEN),
    op("HALT"),
    "next",
    *(
        line
        for k in range(1, 7)
        for line in (op("LI", d=RESULT, imm0=k), op("JEQ", a=STEP, b=RESULT, imm0=f"step{k}"))
    ),
    op("HALT"),
)
HEIGHTS = {"cpu": 256, "rom": 128, "code": 64, "memory": 512, "cells": 16, "muldiv": 4, "word": 128}


def tape(programs=PROGRAMS) -> list[list[int]]:
    """BIG, then the code hashes."""
    words = [mini.u64((1 << 63) + (1 << 40) + 5)]
    for code in programs:
        state = mini.code_states(list(code))[-1]
        words += [state[:4], state[4:]]
    return words


@cache
def trap_step() -> int:
    """The step at which LOOP runs for the fifth time."""
    machine = mini.Machine(KERNEL, tape(), CELLS, {}, list(PROGRAMS))
    while machine.s.program != len(PROGRAMS) or len(machine.log) < 5 or not machine.log[-5][6]:
        machine.step()
    return len(machine.log)


def user_case(lies=None, **more) -> Case:
    """The run, LOOP trapped."""
    lies = {trap_step(): {"op": op("TRAP")}, **(lies or {})}
    more = {
        "program": KERNEL,
        "tape": tape(),
        "cells": CELLS,
        "heights": HEIGHTS,
        "programs": PROGRAMS,
    } | more
    return case(lies=lies, **more)


def user_verdict(**more) -> tuple[set[str], set[str]]:
    """Labels of violated constraints, names of unbalanced relations."""
    done = user_case(**more)
    return set(done.violations()), {relation for relation, _ in done.unbalanced()}


__all__ = ["CELLS", "HEIGHTS", "KERNEL", "PROGRAMS", "O", "tape", "trap_step", "user_case", "user_verdict"]
