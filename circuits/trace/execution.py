"""What the machine's trace generators read: a run, step by step, and the program's columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from circuits.machine.isa import Opcode
from prover.field import P

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]


class Execution(Protocol):
    """A run of n steps, up to and including HALT (`circuits.machine`'s MachineRun). clk = 1 .. n.

    Attributes:
        pc: (n,) instruction of each step.
        va, vb, vc: (4, n) words of registers a, b, d; 0 where the instruction does not use them.
        h: (8, n) hash state at the start of each step.
        cell_indices: (k,) touched cells.
        cells_before, cells_after: (k, 5, 4) their words.
    """

    @property
    def pc(self) -> U32: ...  # noqa: D102
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
    """A run as int64 arrays, with each step's instruction.

    Attributes:
        instruction: (6, n): op, d, a, b, imm0, imm1.
        h: (8, n + 1): before each step, and after the last.
    """

    pc: I64
    instruction: I64
    va: I64
    vb: I64
    vc: I64
    h: I64

    @property
    def op(self) -> I64:
        """Opcode of each step."""
        row: I64 = self.instruction[0]
        return row

    def where(self, *ops: Opcode) -> I64:
        """The steps whose opcode is one of `ops`, in order."""
        return np.flatnonzero(np.isin(self.op, [int(op) for op in ops]))


def read_steps(run: Execution, program: Sequence[Sequence[int]]) -> Steps:
    """Looks the instructions up in the ROM's columns (`Program.rom_columns()`) and widens the words."""
    table = np.array(program[1:], dtype=np.int64)
    h = run.h.astype(np.int64)
    return Steps(
        run.pc.astype(np.int64),
        table[:, run.pc],
        run.va.astype(np.int64),
        run.vb.astype(np.int64),
        run.vc.astype(np.int64),
        np.concatenate([h, h[:, -1:]], axis=1),
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
    return np.ascontiguousarray((columns % P).astype(np.uint32))
