"""The fast machine: the interpreter's rules on arrays, and the log that trace generation copies into columns.

Signatures are taken for valid: whoever fills the tape checks them before, and `interpreter` asks for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import native
from circuits.machine.errors import MachineError, MachineReason
from circuits.machine.executor_log import (
    ENTERED,
    GROW_CELLS,
    GROW_SHADOWS,
    GROW_STEPS,
    NUM_COUNTERS,
    NUM_STATE,
    PC,
    SHADOWS,
    SIGNED,
    STEPS,
    USER,
)
from circuits.machine.interpreter import CELL_WORDS, MAX_STEPS
from circuits.machine.isa import EXIT_DEPTH, NUM_PUBLIC_WORDS
from circuits.machine.program import Program, parse
from circuits.machine.words import Cell, Word
from circuits.tags import TAG_CODE

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

_REASONS: Final = tuple(MachineReason)


@dataclass(frozen=True)
class CellArrays:
    """Cells that are not empty.

    Attributes:
        indices: Strictly increasing; shape (k,).
        words: Shape (k, 5, 4).
    """

    indices: U32
    words: U32

    @classmethod
    def from_mapping(cls, cells: Mapping[int, Cell]) -> CellArrays:
        """The same cells, sorted."""
        order = sorted(cells)
        words = np.array([cells[index] for index in order], dtype=np.uint32)
        return cls(np.array(order, dtype=np.uint32), words.reshape(len(order), CELL_WORDS, 4))


@dataclass(frozen=True)
class LoadedProgram:
    """A program that ENTER has started: a listing of the code table.

    Attributes:
        code: Instructions as u64 words.
        code_hash: What h was at ENTER; shape (8,).
    """

    code: tuple[int, ...]
    code_hash: tuple[int, ...]


@dataclass(frozen=True)
class Shadows:
    """Cell words touched while space was s != 0, one a (s, cell, word), in increasing order.

    At timestamp 4 s + 2 the word's value in space 0 is read, and seeds segment 1 + s. What space s does to it is
    lost.

    Attributes:
        space: clk of the SPACE instruction; shape (k,).
        cell: Cell index; shape (k,).
        word: 0..4; shape (k,).
        seed: Value when the shadow was opened; shape (k, 4).
        last: Value when it was left; shape (k, 4).
    """

    space: U32
    cell: U32
    word: U32
    seed: U32
    last: U32

    @classmethod
    def none(cls) -> Shadows:
        """No shadow words."""
        flat, words = np.zeros(0, dtype=np.uint32), np.zeros((0, 4), dtype=np.uint32)
        return cls(flat, flat, flat, words, words)


@dataclass(frozen=True)
class MachineRun:
    """A run of n steps, HALT included; column i is step clk = i + 1. All arrays are uint32, elements below p.

    Attributes:
        pc: Instruction numbers; shape (n,).
        va: Words of register a, 0 where it is not read; shape (4, n).
        vb: The same for register b.
        vc: Words of register d, read or written, 0 where there is none (so of jumps); shape (4, n).
        h: Hash state at the start of each step; shape (8, n).
        public: Public words, 0 where not set; shape (23, 4).
        exit_indices: Numbers of the exit leaves that were set, increasing; shape (e,).
        exit_leaves: Their digests; shape (e, 8).
        cell_indices: Touched cells, increasing; shape (k,).
        cells_before: Their words before the run; shape (k, 5, 4).
        cells_after: Their words after it; shape (k, 5, 4).
        signature_messages: One row a SIG, in order; shape (s, 8).
        signature_owners: Shape (s, 8).
        signature_leaves: Shape (s,).
        instruction: op, d, a, b, imm0, imm1 of each step, whether from ROM or from user code; a TRAP is
            (TRAP, 0, 0, 0, 0, 0); shape (6, n).
        user: 1 in user mode; shape (n,), as are the following, all at the start of the step.
        saved_pc: Where the user resumes.
        program: Number of the last program entered, 1 + its place in `programs`; 0 before the first.
        uframe: Number of the user's register file.
        space: 0, or the clk of the SPACE that opened the shadow.
        gas: Gas counted so far.
        fault: 1 if this step is a user's ADD, SUB or MULDIV that overflows. (vc is then the low 64 bits of sum or
            difference; the h that follows a MULDIV is the product, low word and high word.)
        programs: What was entered, in order of first entry.
        shadows: Seeds of shadow spaces.
    """

    pc: U32
    va: U32
    vb: U32
    vc: U32
    h: U32
    public: U32
    exit_indices: U32
    exit_leaves: U32
    cell_indices: U32
    cells_before: U32
    cells_after: U32
    signature_messages: U32
    signature_owners: U32
    signature_leaves: U32
    instruction: U32
    user: U32
    saved_pc: U32
    program: U32
    uframe: U32
    space: U32
    gas: U32
    fault: U32
    programs: tuple[LoadedProgram, ...]
    shadows: Shadows

    @property
    def num_steps(self) -> int:
        """Steps, HALT included."""
        return len(self.pc)


def tape_array(words: Sequence[Word]) -> U32:
    """Hint words as the executor takes them.

    Args:
        words: In order.

    Returns:
        Shape (4, n).
    """
    return np.ascontiguousarray(np.array(words, dtype=np.uint32).reshape(-1, 4).T)


def run(
    program: Program,
    cells: Mapping[int, Cell] | CellArrays,
    tape: U32,
    max_steps: int = MAX_STEPS,
    programs: Sequence[Sequence[int]] = (),
) -> MachineRun:
    """Run a program to its HALT.

    Args:
        program: What to run, from instruction 0: the ROM.
        cells: At least every touched cell that is not empty; the others are empty.
        tape: Words for HINT and HINTR; shape (4, n).
        max_steps: Steps allowed, HALT included.
        programs: Code that ENTER may start, as u64 words; found by its hash.

    Raises:
        MachineError: A step has no trace.
        AssemblerError: A code word is no instruction.
        ValueError: An array has the wrong shape, or the cells are not in order.
    """
    given = cells if isinstance(cells, CellArrays) else CellArrays.from_mapping(cells)
    if tape.ndim != 2 or tape.shape[0] != 4:
        raise ValueError(f"tape of shape {tape.shape}, expected (4, n)")
    if given.words.shape != (len(given.indices), CELL_WORDS, 4):
        raise ValueError(f"cells of shape {given.words.shape} for {len(given.indices)} indices")
    if np.any(given.indices[1:] <= given.indices[:-1]):
        raise ValueError("cell indices must increase")
    inputs = _Inputs.of(program, given, tape, programs)
    steps = min(max_steps, 1024 + 10 * tape.shape[1])
    room = _Room(steps, 1 << (64 + tape.shape[1]).bit_length(), 256)
    while True:
        attempt = _Attempt(room, inputs)
        status = attempt.execute(max_steps)
        if status == GROW_STEPS:
            room = replace(room, steps=min(max_steps, 2 * room.steps))
        elif status == GROW_CELLS:
            room = replace(room, cells=2 * room.cells)
        elif status == GROW_SHADOWS:
            room = replace(room, shadows=4 * room.shadows)
        elif status:
            done = attempt.counters.tolist()
            place = "user" if done[USER] else program.place(done[PC])
            raise MachineError(_REASONS[status - 1], done[PC], done[STEPS] + 1, place)
        else:
            return attempt.result()


@dataclass(frozen=True)
class _Inputs:
    """What a run reads, as the loop takes it."""

    rom: I64
    code: I64
    starts: I64
    hashes: U32
    tape: U32
    given: I64
    words: U32
    programs: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, program: Program, given: CellArrays, tape: U32, programs: Sequence[Sequence[int]]) -> _Inputs:
        rows = [parse(word).fields() for code in programs for word in code]
        starts = np.concatenate(([0], np.cumsum([len(code) for code in programs], dtype=np.int64)))
        return cls(
            rom=np.array(program.rom_columns()[1:], dtype=np.int64).T.copy(),
            code=np.array(rows, dtype=np.int64).reshape(-1, 6),
            starts=starts.astype(np.int64),
            hashes=np.array([code_hash_fast(code) for code in programs], dtype=np.uint32).reshape(-1, 8),
            tape=np.ascontiguousarray(tape, dtype=np.uint32),
            given=given.indices.astype(np.int64),
            words=np.ascontiguousarray(given.words, dtype=np.uint32),
            programs=tuple(tuple(code) for code in programs),
        )


def code_hash_fast(code: Sequence[int]) -> tuple[int, ...]:
    """`code.code_hash`, compiled."""
    words = np.array(code, dtype=np.uint64)
    if native.tier() == "numba":
        from circuits.machine.poseidon2_jit import hash_words

        return tuple(hash_words(words, TAG_CODE).tolist())
    return tuple(native.hash_words(words, TAG_CODE).tolist())


@dataclass(frozen=True)
class _Room:
    """Sizes of the arrays of an attempt."""

    steps: int
    cells: int
    shadows: int


class _Attempt:
    """Arrays of one run; it may turn out that they are too small."""

    def __init__(self, room: _Room, inputs: _Inputs) -> None:
        self.inputs = inputs
        self.keys = np.full(room.cells, -1, dtype=np.int64)
        self.before = np.zeros((room.cells, CELL_WORDS, 4), dtype=np.uint32)
        self.after = np.zeros((room.cells, CELL_WORDS, 4), dtype=np.uint32)
        self.pc = np.empty(room.steps, dtype=np.uint32)
        self.words = np.empty((12, room.steps), dtype=np.uint32)
        self.h = np.empty((8, room.steps), dtype=np.uint32)
        self.instruction = np.empty((6, room.steps), dtype=np.uint32)
        self.state = np.empty((NUM_STATE, room.steps), dtype=np.uint32)
        self.public = np.zeros((NUM_PUBLIC_WORDS, 4), dtype=np.uint32)
        self.leaves = np.zeros((1 << EXIT_DEPTH, 8), dtype=np.uint32)
        self.leaf_set = np.zeros(1 << EXIT_DEPTH, dtype=np.uint32)
        self.requests = np.empty(room.steps, dtype=np.uint32)
        self.entered = np.empty(len(inputs.programs), dtype=np.int64)
        self.shadow_at = np.full((room.cells, CELL_WORDS), -1, dtype=np.int64)
        self.shadow_keys = np.empty((room.shadows, 3), dtype=np.int64)
        self.seeds = np.empty((room.shadows, 4), dtype=np.uint32)
        self.last = np.empty((room.shadows, 4), dtype=np.uint32)
        self.counters = np.zeros(NUM_COUNTERS, dtype=np.int64)

    def execute(self, max_steps: int) -> int:
        """Status."""
        given = self.inputs
        arrays: dict[str, NDArray[Any]] = {
            "rom": given.rom,
            "code": given.code,
            "starts": given.starts,
            "hashes": given.hashes,
            "tape": given.tape,
            "given": given.given,
            "given_words": given.words,
            "keys": self.keys,
            "before": self.before,
            "after": self.after,
            "log_pc": self.pc,
            "log_words": self.words,
            "log_h": self.h,
            "log_instruction": self.instruction,
            "log_state": self.state,
            "public_words": self.public,
            "public_set": np.zeros(NUM_PUBLIC_WORDS, dtype=np.uint32),
            "leaves": self.leaves,
            "leaf_set": self.leaf_set,
            "requests": self.requests,
            "entered": self.entered,
            "shadow_at": self.shadow_at,
            "shadow_keys": self.shadow_keys,
            "shadow_seeds": self.seeds,
            "shadow_last": self.last,
            "counters": self.counters,
        }
        if native.tier() == "numba":  # loading it takes as long as 10,000 transfers
            from circuits.machine.executor_jit import execute

            return int(execute(max_steps=max_steps, **arrays))
        return native.execute(max_steps, **arrays)

    def result(self) -> MachineRun:
        """The run, cut to size and sorted."""
        n = int(self.counters[STEPS])
        va, vb, vc = (np.ascontiguousarray(self.words[i : i + 4, :n]) for i in (0, 4, 8))
        h = np.ascontiguousarray(self.h[:, :n])
        slots = np.flatnonzero(self.keys >= 0)
        slots = slots[np.argsort(self.keys[slots])]
        exits = np.flatnonzero(self.leaf_set)
        signed = self.requests[: self.counters[SIGNED]]
        user, saved_pc, program, uframe, space, gas, fault = self.state[:, :n].copy()
        return MachineRun(
            pc=self.pc[:n].copy(),
            va=va,
            vb=vb,
            vc=vc,
            h=h,
            public=self.public,
            exit_indices=exits.astype(np.uint32),
            exit_leaves=self.leaves[exits],
            cell_indices=self.keys[slots].astype(np.uint32),
            cells_before=self.before[slots],
            cells_after=self.after[slots],
            signature_messages=np.ascontiguousarray(h[:, signed].T),
            signature_owners=np.ascontiguousarray(np.concatenate((va, vb))[:, signed].T),
            signature_leaves=vc[0, signed] | vc[1, signed] << np.uint32(16),
            instruction=np.ascontiguousarray(self.instruction[:, :n]),
            user=user,
            saved_pc=saved_pc,
            program=program,
            uframe=uframe,
            space=space,
            gas=gas,
            fault=fault,
            programs=self._programs(),
            shadows=self._shadows(),
        )

    def _programs(self) -> tuple[LoadedProgram, ...]:
        given = self.inputs
        numbers = self.entered[: self.counters[ENTERED]].tolist()
        return tuple(LoadedProgram(given.programs[i], tuple(given.hashes[i].tolist())) for i in numbers)

    def _shadows(self) -> Shadows:
        count = self.counters[SHADOWS]
        keys = self.shadow_keys[:count]
        order = np.lexsort(keys.T[::-1])
        space, cell, word = keys[order].T.astype(np.uint32)
        return Shadows(space, cell, word, self.seeds[order], self.last[order])
