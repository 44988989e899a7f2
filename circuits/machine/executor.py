"""The fast machine: the interpreter's rules on arrays, and the log that trace generation copies into columns.

Signatures are taken for valid: whoever fills the tape checks them before, and `interpreter` asks for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from circuits.machine.errors import MachineError, MachineReason
from circuits.machine.executor_jit import GROW_CELLS, GROW_STEPS, execute
from circuits.machine.interpreter import CELL_WORDS, MAX_STEPS, NUM_PUBLIC_WORDS
from circuits.machine.isa import EXIT_DEPTH
from circuits.machine.program import Program
from circuits.machine.words import Cell, Word

U32 = NDArray[np.uint32]

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
        public: Public words, 0 where not set; shape (21, 4).
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
            difference; the h that follows a MULDIV is the product, high word and low word.)
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
) -> MachineRun:
    """Run a program to its HALT.

    Args:
        program: What to run, from instruction 0.
        cells: At least every touched cell that is not empty; the others are empty.
        tape: Words for HINT and HINTR; shape (4, n).
        max_steps: Steps allowed, HALT included.

    Raises:
        MachineError: A step has no trace.
        ValueError: An array has the wrong shape, or the cells are not in order.
    """
    given = cells if isinstance(cells, CellArrays) else CellArrays.from_mapping(cells)
    if tape.ndim != 2 or tape.shape[0] != 4:
        raise ValueError(f"tape of shape {tape.shape}, expected (4, n)")
    if given.words.shape != (len(given.indices), CELL_WORDS, 4):
        raise ValueError(f"cells of shape {given.words.shape} for {len(given.indices)} indices")
    tape = np.ascontiguousarray(tape, dtype=np.uint32)
    words = np.ascontiguousarray(given.words, dtype=np.uint32)
    indices = given.indices.astype(np.int64)
    if np.any(indices[1:] <= indices[:-1]):
        raise ValueError("cell indices must increase")
    rom = np.array(program.rom_columns()[1:], dtype=np.int64).T.copy()
    step_room = min(max_steps, 1024 + 10 * tape.shape[1])
    cell_room = 1 << (64 + tape.shape[1]).bit_length()
    while True:
        attempt = _Attempt(step_room, cell_room)
        status, steps, pc = attempt.execute(rom, tape, indices, words, max_steps)
        if status == GROW_STEPS:
            step_room = min(max_steps, 2 * step_room)
        elif status == GROW_CELLS:
            cell_room *= 2
        elif status:
            raise MachineError(_REASONS[status - 1], pc, steps + 1, program.place(pc))
        else:
            return attempt.result(rom)


class _Attempt:
    """Arrays of one run; it may turn out that they are too small."""

    def __init__(self, step_room: int, cell_room: int) -> None:
        self.keys = np.full(cell_room, -1, dtype=np.int64)
        self.before = np.zeros((cell_room, CELL_WORDS, 4), dtype=np.uint32)
        self.after = np.zeros((cell_room, CELL_WORDS, 4), dtype=np.uint32)
        self.pc = np.empty(step_room, dtype=np.uint32)
        self.words = np.empty((12, step_room), dtype=np.uint32)
        self.h = np.empty((8, step_room), dtype=np.uint32)
        self.public = np.zeros((NUM_PUBLIC_WORDS, 4), dtype=np.uint32)
        self.leaves = np.zeros((1 << EXIT_DEPTH, 8), dtype=np.uint32)
        self.leaf_set = np.zeros(1 << EXIT_DEPTH, dtype=np.uint32)
        self.requests = np.empty(step_room, dtype=np.uint32)
        self.steps = 0
        self.signed = 0

    def execute(
        self, rom: NDArray[np.int64], tape: U32, given: NDArray[np.int64], words: U32, max_steps: int
    ) -> tuple[int, int, int]:
        """Status, steps done, pc."""
        public_set = np.zeros(NUM_PUBLIC_WORDS, dtype=np.uint32)
        status, self.steps, pc, _, self.signed = execute(
            rom, tape, given, words,
            self.keys, self.before, self.after, self.pc, self.words, self.h,
            self.public, public_set, self.leaves, self.leaf_set, self.requests, max_steps,
        )  # fmt: skip
        return status, self.steps, pc

    def result(self, rom: NDArray[np.int64]) -> MachineRun:
        """The run, cut to size and sorted."""
        n = self.steps
        va, vb, vc = (np.ascontiguousarray(self.words[i : i + 4, :n]) for i in (0, 4, 8))
        h = np.ascontiguousarray(self.h[:, :n])
        slots = np.flatnonzero(self.keys >= 0)
        slots = slots[np.argsort(self.keys[slots])]
        exits = np.flatnonzero(self.leaf_set)
        signed = self.requests[: self.signed]
        zeros = np.zeros(n, dtype=np.uint32)
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
            instruction=np.ascontiguousarray(rom[self.pc[:n]].T.astype(np.uint32)),
            user=zeros,
            saved_pc=zeros,
            program=zeros,
            uframe=zeros,
            space=zeros,
            gas=zeros,
            fault=zeros,
            programs=(),
            shadows=Shadows.none(),
        )
