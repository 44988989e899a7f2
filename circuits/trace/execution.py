"""What the machine's trace generators read: a run, step by step, and the program's columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from circuits.machine.isa import Opcode
from circuits.tables.cpu import FIRST_FRAME
from prover.field import P

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]


class Listing(Protocol):
    """The code of a user program that was entered: its u64 words and their hash (8,)."""

    @property
    def code(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def code_hash(self) -> Sequence[int]: ...  # noqa: D102


class ShadowWords(Protocol):
    """k cell words seen in shadows: clk of the SPACE (k,), cell (k,), word (k,), value at that time (k, 4)."""

    @property
    def space(self) -> U32: ...  # noqa: D102
    @property
    def cell(self) -> U32: ...  # noqa: D102
    @property
    def word(self) -> U32: ...  # noqa: D102
    @property
    def seed(self) -> U32: ...  # noqa: D102


class Execution(Protocol):
    """A run of n steps, up to and including HALT (`circuits.machine`'s MachineRun). clk = 1 .. n.

    Attributes:
        pc: (n,) number of each step's instruction.
        instruction: (6, n) op, d, a, b, imm0, imm1, from ROM or the program's code; a TRAP is (TRAP, 0, ..).
        user, saved_pc, uframe, space, gas: (n,) at the start of each step; uframe counts FRAMEs.
        program: (n,) 1 + place in `programs` of the program last entered; 0 before.
        fault: (n,) the step overflows.
        programs: code that was entered, each once.
        shadows: cell words that were touched in shadows.
        va, vb, vc: (4, n) words of registers a, b, d; 0 where the instruction does not use them.
        h: (8, n) hash state at the start of each step.
        cell_indices: (k,) touched cells.
        cells_before, cells_after: (k, 5, 4) their words.
    """

    @property
    def pc(self) -> U32: ...  # noqa: D102
    @property
    def instruction(self) -> U32: ...  # noqa: D102
    @property
    def user(self) -> U32: ...  # noqa: D102
    @property
    def saved_pc(self) -> U32: ...  # noqa: D102
    @property
    def program(self) -> U32: ...  # noqa: D102
    @property
    def uframe(self) -> U32: ...  # noqa: D102
    @property
    def space(self) -> U32: ...  # noqa: D102
    @property
    def gas(self) -> U32: ...  # noqa: D102
    @property
    def fault(self) -> U32: ...  # noqa: D102
    @property
    def programs(self) -> Sequence[Listing]: ...  # noqa: D102
    @property
    def shadows(self) -> ShadowWords: ...  # noqa: D102
    @property
    def va(self) -> U32: ...  # noqa: D102
    @property
    def vb(self) -> U32: ...  # noqa: D102
    @property
    def vc(self) -> U32: ...  # noqa: D102
    @property
    def h(self) -> U32: ...  # noqa: D102
    @property
    def cell_indices(self) -> U32: ...  # noqa: D102
    @property
    def cells_before(self) -> U32: ...  # noqa: D102
    @property
    def cells_after(self) -> U32: ...  # noqa: D102


@dataclass(frozen=True)
class Steps:
    """A run as int64 arrays.

    Attributes:
        h: (8, n + 1): before each step, and after the last.
        uframe: register file of the user, from FIRST_FRAME on (`circuits.tables.cpu`).
        All others: as in `Execution`.
    """

    pc: I64
    instruction: I64
    va: I64
    vb: I64
    vc: I64
    h: I64
    user: I64
    saved_pc: I64
    program: I64
    uframe: I64
    space: I64
    gas: I64
    fault: I64

    @property
    def op(self) -> I64:
        """Opcode of each step."""
        row: I64 = self.instruction[0]
        return row

    def where(self, *ops: Opcode) -> I64:
        """The steps whose opcode is one of `ops`, in order."""
        return np.flatnonzero(self.is_any(ops))

    def is_any(self, ops: Iterable[Opcode]) -> NDArray[np.bool_]:
        """Whether each step's opcode is one of `ops`."""
        return np.isin(self.op, [int(op) for op in ops])

    def file_of(self, ops: Iterable[Opcode]) -> I64:
        """Register file of an operand which is the user's in `ops` and in user mode, else the kernel's."""
        theirs: I64 = (self.user | self.is_any(ops)) * self.uframe
        return theirs


def read_steps(run: Execution) -> Steps:
    """Widens a run's arrays."""

    def wide(values: U32) -> I64:
        return values.astype(np.int64)

    h = wide(run.h)
    return Steps(
        pc=wide(run.pc),
        instruction=wide(run.instruction),
        va=wide(run.va),
        vb=wide(run.vb),
        vc=wide(run.vc),
        h=np.concatenate([h, h[:, -1:]], axis=1),
        user=wide(run.user),
        saved_pc=wide(run.saved_pc),
        program=wide(run.program),
        uframe=FIRST_FRAME + wide(run.uframe),
        space=wide(run.space),
        gas=wide(run.gas),
        fault=wide(run.fault),
    )


def inverses(values: I64) -> I64:
    """1/v mod p of each; 0 of 0."""
    base, result = values.astype(np.uint64) % P, np.ones(values.shape, dtype=np.uint64)
    for bit in bin(P - 2)[2:]:
        result = result * result % P
        if bit == "1":
            result = result * base % P
    return result.astype(np.int64)


def pack_words(limbs: I64) -> NDArray[np.uint64]:
    """(4, n) limbs as n integers; what is no 16-bit limb is cut to one, and the tables do not balance."""
    words = np.zeros(limbs.shape[1], dtype=np.uint64)
    for i in range(4):
        words |= (limbs[i].astype(np.uint64) & np.uint64(0xFFFF)) << np.uint64(16 * i)
    return words


def to_bytes(words: NDArray[np.uint64]) -> I64:
    """Integers as (8, n) bytes, least significant first."""
    return words.astype("<u8").view(np.uint8).reshape(-1, 8).T.astype(np.int64)


def u64_limbs(words: NDArray[np.uint64]) -> I64:
    """Integers as (4, n) limbs."""
    return words.astype("<u8").view("<u2").reshape(-1, 4).T.astype(np.int64)


def finish(columns: I64) -> U32:
    """Canonical uint32, C-contiguous."""
    # Looking for what is out of range takes a fraction of dividing everything.
    if columns.size and (int(columns.min()) < 0 or int(columns.max()) >= P):
        columns = columns % P
    return np.ascontiguousarray(columns.astype(np.uint32))
