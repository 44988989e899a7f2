"""Rows of the muldiv table: one a MULDIV step, padding 0 * 0 = 0 * 1 + 0."""

from __future__ import annotations

import numpy as np

from circuits.machine.isa import Opcode
from circuits.tables.muldiv import CARRIES, MulDivColumns, carry_checks
from circuits.trace.capacity import check_capacity
from circuits.trace.execution import I64, U32, Steps, finish, pack_words, to_bytes
from prover.field import P


def generate(steps: Steps, height: int) -> U32:
    """The table; q and r are the hash state after the step, low and high half of a b if it fails.

    Raises:
        CapacityError: more divisions than rows.
    """
    at = steps.where(Opcode.MULDIV)
    check_capacity("muldiv", at.size, height)
    rows = np.zeros((MulDivColumns.width, height), dtype=np.int64)
    after = steps.h[:, at + 1]
    limbs = [steps.va[:, at], steps.vb[:, at], steps.vc[:, at], after[:4], after[4:]]
    a, b, c, q, r = (to_bytes(pack_words(word)) for word in limbs)
    rows[:40, : at.size] = np.concatenate([a, b, c, q, r])
    first = MulDivColumns.carry.start
    rows[first : first + CARRIES, : at.size] = carries(a, b, c, q, r, steps.fault[at])
    rows[MulDivColumns.fail.start, : at.size] = steps.fault[at]
    rows[MulDivColumns.mult.start, : at.size] = 1
    rows[MulDivColumns.c.start, at.size :] = 1
    return finish(rows)


def carries(a: I64, b: I64, c: I64, q: I64, r: I64, fail: I64) -> I64:
    """(7, n): carry out of each 16-bit position but the last of a b - q c - r, or a b - q - 2^64 r if fail."""
    position = np.zeros((16, a.shape[1]), dtype=np.int64)
    position[:8] -= np.where(fail, q, r)
    position[8:] -= np.where(fail, r, 0)
    for i in range(8):
        position[i : i + 8] += a[i] * b - np.where(fail, 0, q[i] * c)
    result = np.zeros((CARRIES, a.shape[1]), dtype=np.int64)
    carry = np.zeros(a.shape[1], dtype=np.int64)
    for j in range(CARRIES):
        carry = (position[2 * j] + 256 * position[2 * j + 1] + carry) >> 16
        result[j] = carry
    return result


def range_words(table: U32) -> I64:
    """(4, 3 * height): the LIMBS tuples by which range carries; all rows' first, second, third."""
    carry = MulDivColumns(list(table.astype(np.int64))).carry
    zero = np.zeros(table.shape[1], dtype=np.int64)
    checks = [*carry_checks(carry), zero, zero]
    stacked = np.stack(checks) % P
    return np.concatenate([stacked[4 * i : 4 * i + 4] for i in range(3)], axis=1)
