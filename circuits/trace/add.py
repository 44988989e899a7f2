"""Rows of the add table: one a request, then one for muldiv's padding rows, then zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuits.machine.isa import Opcode
from circuits.tables.add import AddColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.execution import I64, U32, Steps, finish, pack_words, u64_limbs


@dataclass(frozen=True)
class Sums:
    """The sums that the table proves, in order.

    Attributes:
        x, y, z: (4, m) limbs.
        carries: (4, m).
        mult_add, mult_less: (m,).
    """

    x: I64
    y: I64
    z: I64
    carries: I64
    mult_add: I64
    mult_less: I64

    @property
    def rows(self) -> int:
        """Rows needed."""
        return int(self.x.shape[1])


def collect(steps: Steps, remainders: I64, divisors: I64, muldiv_padding: int) -> Sums:
    """ADD and SUB rows, comparisons of JLT and JGE, muldiv's r against c, 0 < 1 for muldiv's padding rows."""
    adds, subs = steps.where(Opcode.ADD), steps.where(Opcode.SUB)
    order = steps.where(Opcode.JLT, Opcode.JGE)
    one = np.array([[1], [0], [0], [0]], dtype=np.int64)
    small = np.concatenate([steps.va[:, order], remainders, 0 * one], axis=1)
    large = np.concatenate([steps.vb[:, order], divisors, one], axis=1)
    gap = u64_limbs(pack_words(small) - pack_words(large))
    x = np.concatenate([steps.vb[:, adds], steps.vb[:, subs], large], axis=1)
    y = np.concatenate([steps.va[:, adds], steps.vc[:, subs], gap], axis=1)
    z, carries = _sum(x, y)
    sums, comparisons = adds.size + subs.size, small.shape[1]
    mult_less = np.repeat([0, 1], [sums, comparisons])
    mult_less[-1] = muldiv_padding
    return Sums(x, y, z, carries, np.repeat([1, 0], [sums, comparisons]), mult_less)


def _sum(x: I64, y: I64) -> tuple[I64, I64]:
    z, carries = np.zeros_like(x), np.zeros_like(x)
    carry: NDArray[np.int64] = np.zeros(x.shape[1], dtype=np.int64)
    for i in range(4):
        total = x[i] + y[i] + carry
        z[i], carry = total & 0xFFFF, total >> 16
        carries[i] = carry
    return z, carries


def generate(sums: Sums, height: int) -> U32:
    """The table.

    Raises:
        CapacityError: more sums than rows.
    """
    check_capacity("add", sums.rows, height)
    rows = np.zeros((AddColumns.width, height), dtype=np.int64)
    parts = [sums.x, sums.y, sums.z, sums.carries, sums.mult_add[None], sums.mult_less[None]]
    rows[:, : sums.rows] = np.concatenate(parts)
    return finish(rows)
