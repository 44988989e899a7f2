"""Step 4: each height class's composition over Z_H, on the first coset of size 2n of the LDE domain."""

from __future__ import annotations

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
from prover.field import DEGREE, Kb6, P, inverse, scale
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


def _selectors(layout: Layout, log_height: int) -> list[U32]:
    """The combination's four columns on the quotient coset (1/Z_H has period two)."""
    shift, last = coset_shift(layout, log_height), point_inverse(log_height)
    size = 2 << log_height
    linear = np.zeros((2, size), np.uint32)
    linear[:, 0], linear[:, 1] = (P - 1, (P - last) % P), 1
    values = native.coset_ntt(linear, 0, shift)
    inverses = native.batch_inverse(values)
    power = pow(shift, 1 << log_height, P)
    vanishing = np.array([inverse(power - 1), inverse(-power - 1)], np.uint32)
    return [vanishing[None, :], values[1:2], inverses[0:1], inverses[1:2]]


def class_quotient(
    layout: Layout,
    log_height: int,
    commitments: dict[TreeName, Commitment],
    lookup: LookupValues,
    alphas: list[Kb6],
    sums: dict[int, Kb6],
) -> U32:
    """Coefficients of the two chunks of a height class's quotient.

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
    blowup, n = layout.params.blowup, 1 << log_height
    shift = coset_shift(layout, log_height)
    parts: list[U32] = []
    kinds: list[Rows] = []
    for i, air in enumerate(layout.system.airs):
        if layout.log_heights[i] != log_height:
            continue
        columns = [commitments[TreeName.MAIN].table(i)]
        if air.Fixed.width:
            columns.append(commitments[TreeName.PREPROCESSED].table(i))
        for values in air.periodic.values():
            period = np.asarray(values, np.uint32)[None, :]
            columns.append(
                native.coset_lde(period, layout.params.log_blowup, pow(shift, n // len(values), P))
            )
        if i in sums:
            columns.append(commitments[TreeName.INTERACTION].table(i))
        code = compiled(air)
        symbols = lookup.symbols()
        start, end = layout.constraint_starts[i : i + 2]
        symbols |= {"alpha": alphas[start:end]}
        if i in sums:
            symbols |= {"share": [scale(sums[i], inverse(n))]}
        if code.rows:
            parts.append(run(code.quotient, symbols, columns, 2 * n, blowup // 2, blowup))
            kinds += code.rows
    if not kinds:
        return np.zeros((2 * DEGREE, n), np.uint32)
    columns = [*parts, *_selectors(layout, log_height)]
    composition = run(_combination(tuple(kinds)), {}, columns, 2 * n, 1, 1)
    parts.clear()
    coefficients = native.coset_intt(composition, shift)
    return np.ascontiguousarray(np.concatenate([coefficients[:, :n], coefficients[:, n:]]))
