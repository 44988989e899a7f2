"""Rows of the cpu table."""

from __future__ import annotations

import numpy as np

from circuits.machine.isa import USER_A, USER_D, Opcode
from circuits.tables.cpu import CpuColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.execution import I64, U32, Steps, inverses
from prover.field import P


def branch_bits(steps: Steps) -> tuple[I64, I64]:
    """Bit e of each step, and va < vb (meaningful for words of 16-bit limbs)."""
    difference = steps.va - steps.vb
    equal = (difference == 0).all(axis=0)
    less = np.zeros(equal.shape, dtype=bool)
    for i in range(4):  # the highest limb that differs decides, so it comes last
        less = np.where(difference[i] != 0, difference[i] < 0, less)
    op = steps.op
    e = (
        (op == Opcode.JMP)
        | (op == Opcode.SYS)
        | ((op == Opcode.JEQ) & equal)
        | ((op == Opcode.JNE) & ~equal)
        | ((op == Opcode.JLT) & less)
        | ((op == Opcode.JGE) & ~less)
    )
    return e.astype(np.int64), less.astype(np.int64)


def generate(steps: Steps, height: int) -> U32:
    """The table: a row a step, then PAD rows whose clk and pc run on; the other state stays.

    Raises:
        CapacityError: no room for the steps and one PAD row.
    """
    n = steps.pc.size
    check_capacity("cpu", n + 1, height)
    rows = np.zeros((CpuColumns.width, height), dtype=np.uint32)
    table = CpuColumns(list(rows))  # views of rows, by name
    e, less = branch_bits(steps)

    table.clk[:] = np.arange(1, height + 1)
    table.pc[:n] = steps.pc
    table.pc[n:] = steps.pc[-1] + 1 + np.arange(height - n)
    table.e[:n] = e
    start = CpuColumns.flag.start
    rows[start + steps.op - 1, np.arange(n)] = 1
    table.op[:n], table.pad[n:] = steps.op, 1
    _put(rows, CpuColumns.h, steps.h[:, :n])
    _put(rows, CpuColumns.h, np.repeat(steps.h[:, n:], height - n, axis=1), n)
    for name, values in zip(("d", "a", "b", "imm0", "imm1"), steps.instruction[1:], strict=True):
        getattr(table, name)[:n] = values
    for name in ("user", "saved_pc", "program", "uframe", "space", "gas"):
        column, values = getattr(table, name), getattr(steps, name)
        column[:n], column[n:] = values, values[-1]
    table.frame_a[:n], table.frame_d[:n] = steps.file_of(USER_A), steps.file_of(USER_D)
    table.fault[:n] = steps.fault
    _put(rows, CpuColumns.va, steps.va)
    _put(rows, CpuColumns.vb, steps.vb)
    vc = steps.vc.copy()
    order = steps.where(Opcode.JLT, Opcode.JGE)
    vc[0, order] = less[order]
    equality = steps.where(Opcode.JEQ, Opcode.JNE)
    vc[:, equality] = inequality_witness(steps.va[:, equality] - steps.vb[:, equality])
    _put(rows, CpuColumns.vc, vc)
    return rows


def inequality_witness(difference: I64) -> I64:
    """Witness x with sum x_i d_i = 1: the inverse of the first d_i that is not 0; all 0 if there is none."""
    witness = np.zeros_like(difference)
    if difference.size:
        first = (difference != 0).argmax(axis=0)
        k = np.arange(difference.shape[1])
        witness[first, k] = inverses(difference[first, k] % P)
    return witness


def _put(rows: U32, field: object, values: I64, at: int = 0) -> None:
    start = field.start  # type: ignore[attr-defined]
    rows[start : start + values.shape[0], at : at + values.shape[1]] = values
