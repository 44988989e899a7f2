"""Step 4: each height class's composition over Z_H, on two cosets of H, one after the other. Uses native."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import native
from prover.air.air import Rows
from prover.air.compile import compiled
from prover.air.emission import Emission, MachineCode
from prover.air.recorder import Recorder, Sum
from prover.commit import Commitment
from prover.domains import coset_shift, point_inverse
from prover.field import DEGREE, TWO_ADIC_ROOTS, Kb6, P, inverse, scale
from prover.layout import Layout, TreeName
from prover.machine import LookupValues, run

U32 = NDArray[np.uint32]


@lru_cache(maxsize=256)
def _combination(kinds: tuple[Rows, ...]) -> MachineCode:
    """Sum of the parts by selectors; columns: parts, then 1/Z_H, x - w^-1, 1/(x - 1), 1/(x - w^-1)."""
    recorder = Recorder()
    start = DEGREE * len(kinds)
    vanishing, transition, first, last = (recorder.load(start + i, 0) for i in range(4))
    sums: dict[Rows, Sum] = {}
    for i, rows in enumerate(kinds):
        part = recorder.load_ext(DEGREE * i, 0)
        sums[rows] = recorder.ext_add(sums[rows], part) if rows in sums else part
    total = Sum(None, ())
    if Rows.TRANSITION in sums:
        total = recorder.ext_add(total, recorder.ext_scale(sums[Rows.TRANSITION], transition))
    if Rows.ALL in sums:
        total = recorder.ext_add(total, sums[Rows.ALL])
    out = recorder.ext_scale(total, vanishing) if total.terms else total
    for rows, column in ((Rows.FIRST, first), (Rows.LAST, last)):
        if rows in sums:
            out = recorder.ext_add(out, recorder.ext_scale(sums[rows], column))
    emission = Emission(recorder)
    emission.store(0, recorder.materialise(out))
    return emission.finish(1)


def _selectors(log_height: int, offset: int) -> list[U32]:
    """The combination's four columns on offset * H, where 1/Z_H is constant."""
    last, n = point_inverse(log_height), 1 << log_height
    linear = native.empty(2, n)
    linear.fill(0)
    linear[:, 0] = (P - 1, (P - last) % P)
    if n > 1:
        linear[:, 1] = 1
    else:  # one point: X is the constant `offset`
        linear[:, 0] = (offset - 1) % P, (offset - last) % P
    values = native.coset_ntt(linear, 0, offset, out=linear)
    inverses = native.batch_inverse(values)
    vanishing = np.array([[inverse(pow(offset, n, P) - 1)]], np.uint32)
    return [vanishing, values[1:2], inverses[0:1], inverses[1:2]]


def quotient_cosets(layout: Layout, log_height: int) -> tuple[int, int]:
    """Offsets of the two cosets of H that make up the first coset of size 2n of the LDE domain."""
    shift = coset_shift(layout, log_height)
    return shift, shift * TWO_ADIC_ROOTS[log_height + 1] % P


def class_quotient(
    layout: Layout,
    log_height: int,
    commitments: dict[TreeName, Commitment],
    lookup: LookupValues,
    alphas: list[Kb6],
    sums: dict[int, Kb6],
) -> U32:
    """Coefficients of the two chunks of a height class's quotient; leaves the tables on the second coset.

    Args:
        layout: figures.
        log_height: the class.
        commitments: of preprocessed, main and interaction columns.
        lookup: alpha_lu and beta_lu.
        alphas: powers of alpha for the whole system.
        sums: cumulative sums by table.

    Shapes:
        result: (12, n), chunk 0's six columns first.
    """
    n = 1 << log_height
    offsets = quotient_cosets(layout, log_height)
    values = [_on_coset(layout, log_height, offset, commitments, lookup, alphas, sums) for offset in offsets]
    # On a coset X^n is the constant offset^n: its values interpolate to Q_0 + offset^n Q_1.
    chunks = native.empty(2 * DEGREE, n)
    first, second = (native.coset_intt(v, offset, out=v) for v, offset in zip(values, offsets, strict=True))
    powers = [pow(offset, n, P) for offset in offsets]
    low, high = chunks[:DEGREE], chunks[DEGREE:]
    _scaled(native.sub(second, first, out=second), inverse(powers[1] - powers[0]), out=high)
    native.sub(first, _scaled(high, powers[0], out=low), out=low)
    return chunks


def table_symbols(
    layout: Layout, table: int, lookup: LookupValues, alphas: Sequence[Kb6], sums: dict[int, Kb6]
) -> dict[str, Sequence[Kb6]]:
    """The constants of a table's quotient code: challenges, its powers of alpha, its sum by rows."""
    start, end = layout.constraint_starts[table : table + 2]
    symbols = lookup.symbols() | {"alpha": alphas[start:end]}
    if table in sums:
        symbols["share"] = [scale(sums[table], inverse(1 << layout.log_heights[table]))]
    return symbols


def _scaled(values: U32, factor: int, out: U32) -> U32:
    """Columns times a constant. Shapes: (c, n) -> (c, n)."""
    factors = np.full(values.shape[1], factor % P, np.uint32)
    for column, target in zip(values, out, strict=True):
        native.mul(column, factors, out=target)
    return out


def _on_coset(
    layout: Layout,
    log_height: int,
    offset: int,
    commitments: dict[TreeName, Commitment],
    lookup: LookupValues,
    alphas: list[Kb6],
    sums: dict[int, Kb6],
) -> U32:
    """The composition over Z_H on offset * H; the tables move there."""
    n = 1 << log_height
    parts: list[U32] = []
    kinds: list[Rows] = []
    for i, air in enumerate(layout.system.airs):
        if layout.log_heights[i] != log_height:
            continue
        columns = [commitments[TreeName.MAIN].table(i).move(offset)]
        if air.Fixed.width:
            columns.append(commitments[TreeName.PREPROCESSED].table(i).move(offset))
        for values in air.periodic.values():
            period = np.asarray(values, np.uint32)[None, :]
            columns.append(native.coset_lde(period, 0, pow(offset, n // len(values), P)))
        if i in sums:
            columns.append(commitments[TreeName.INTERACTION].table(i).move(offset))
        code = compiled(air)
        if code.rows:
            parts.append(run(code.quotient, table_symbols(layout, i, lookup, alphas, sums), columns, n))
            kinds += code.rows
    if not kinds:
        return np.zeros((DEGREE, n), np.uint32)
    return run(_combination(tuple(kinds)), {}, [*parts, *_selectors(log_height, offset)], n)
