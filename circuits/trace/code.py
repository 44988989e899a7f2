"""Rows of the code table: each entered program's instructions and its end, then ends of empty listings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import native
from circuits.machine.isa import Opcode
from circuits.tables.code import CodeColumns
from circuits.tags import TAG_CODE
from circuits.trace.capacity import check_capacity
from circuits.trace.execution import I64, U32, Listing, Steps, finish, u64_limbs

WIDTH = 24


def rows_needed(programs: Sequence[Listing]) -> int:
    """A row an instruction, one an end."""
    return sum(len(program.code) + 1 for program in programs)


def _limbs(programs: Sequence[Listing]) -> I64:
    """All instructions as (4, m) limbs, one program after the other."""
    words = [word for program in programs for word in program.code]
    return u64_limbs(np.array(words, dtype=np.uint64))


def first_words(programs: Sequence[Listing]) -> NDArray[np.uint64]:
    """op, d, a, b of each instruction as the low bytes of a word: what the table asks `word` for."""
    limbs = _limbs(programs).astype(np.uint64)
    result: NDArray[np.uint64] = limbs[0] | limbs[1] << np.uint64(16)
    return result


def _inputs(limbs: I64, states: U32) -> U32:
    inputs = np.zeros((WIDTH, limbs.shape[1]), dtype=np.uint32)
    inputs[0], inputs[1:9], inputs[9:13] = TAG_CODE, states, limbs
    return inputs


def states(programs: Sequence[Listing]) -> list[U32]:
    """Of each program: its hash state before each instruction and at the end, (8, length + 1)."""
    found = [np.zeros((8, len(program.code) + 1), dtype=np.uint32) for program in programs]
    limbs = [_limbs([program]) for program in programs]
    for k in range(max((len(program.code) for program in programs), default=0)):
        lanes = [i for i, program in enumerate(programs) if k < len(program.code)]
        before = np.stack([found[i][:, k] for i in lanes], axis=1)
        words = np.stack([limbs[i][:, k] for i in lanes], axis=1)
        after = native.poseidon2_compress(_inputs(words, before), 8)
        for lane, i in enumerate(lanes):
            found[i][:, k + 1] = after[:, lane]
    return found


def hashes(programs: Sequence[Listing], states: Sequence[U32]) -> tuple[U32, U32]:
    """Inputs (24, m) and results (8, m) of the compressions that the table asks p24 for."""
    empty = np.zeros((8, 0), dtype=np.uint32)
    before = np.concatenate([empty, *(state[:, :-1] for state in states)], axis=1)
    after = np.concatenate([empty, *(state[:, 1:] for state in states)], axis=1)
    return _inputs(_limbs(programs), before), after


def generate(programs: Sequence[Listing], states: Sequence[U32], steps: Steps, height: int) -> U32:
    """The table.

    Raises:
        CapacityError: more rows than `height`.
    """
    check_capacity("code", rows_needed(programs), height)
    rows = np.zeros((CodeColumns.width, height), dtype=np.int64)
    table = CodeColumns(list(rows))  # views of rows, by name
    lengths = np.array([len(program.code) for program in programs], dtype=np.int64)
    ends = np.cumsum(lengths + 1) - 1
    starts = ends - lengths
    instruction = np.zeros(height, dtype=bool)
    first = CodeColumns.h.start
    for start, end, state in zip(starts, ends, states, strict=True):
        instruction[start:end] = True
        table.pc[start : end + 1] = np.arange(end - start + 1)
        rows[first : first + 8, start : end + 1] = state
    limbs = _limbs(programs)
    for name, values in zip(
        ("op", "d", "a", "b", "imm0", "imm1"),
        (limbs[0] & 255, limbs[0] >> 8, limbs[1] & 255, limbs[1] >> 8, limbs[2], limbs[3]),
        strict=True,
    ):
        getattr(table, name)[instruction] = values
    table.is_code[:] = instruction
    table.listing[:] = 1 + np.cumsum(~instruction) - ~instruction

    fetches = np.flatnonzero((steps.user == 1) & (steps.op != Opcode.TRAP))
    entered = steps.program[steps.where(Opcode.ENTER) + 1]
    places = np.concatenate([starts[steps.program[fetches] - 1] + steps.pc[fetches], ends[entered - 1]])
    table.mult[:] = np.bincount(places, minlength=height)
    return finish(rows)
