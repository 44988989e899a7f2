"""Compositions at an out-of-domain point: the prover's check of its own proof. Uses native.

An opened value is a polynomial of degree 5, taken at the X of KB6. The constraint machine wants base values, so
it gets these polynomials at 0, 1, 2, .., a row each. A composition of them has degree 5 MAX_DEGREE, with
coefficients in KB6 (the challenges are constants to it): Lagrange's sum over the rows gives it at X.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

import native
from prover import field
from prover.air.air import MAX_DEGREE, Air, Rows
from prover.air.compile import compiled
from prover.domains import point_inverse
from prover.field import DEGREE, Kb6, P, lift, to_kb6
from prover.layout import Layout, TreeName
from prover.machine import LookupValues, run
from prover.quotient import table_symbols

U32 = NDArray[np.uint32]

_POINTS = (DEGREE - 1) * MAX_DEGREE + 1
_X: Kb6 = (0, 1, 0, 0, 0, 0)


@cache
def _lagrange() -> U32:
    """Weights of a polynomial's values at 0, 1, .. in its value at X. Shapes: (6, points)."""
    weights = []
    for point in range(_POINTS):
        numerator, denominator = field.ONE, 1
        for other in range(_POINTS):
            if other != point:
                numerator = field.mul(numerator, field.sub(_X, lift(other)))
                denominator *= point - other
        weights.append(field.scale(numerator, field.inverse(denominator % P)))
    return np.ascontiguousarray(np.array(weights, np.uint32).T)


def _at_points(values: NDArray[np.uint64]) -> U32:
    """Polynomials of degree 5 at 0, 1, ..; what is added up stays below 2^56. Shapes: (.., 6) -> (.., points)."""
    powers = np.array([[point**i for point in range(_POINTS)] for i in range(DEGREE)], np.uint64)
    return np.asarray(values @ powers % P, np.uint32)


def _periodic(air: Air, log_height: int, zeta: Kb6) -> NDArray[np.uint64]:
    """A table's periodic columns at zeta. Shapes: (columns, 6)."""
    out = np.empty((len(air.periodic), DEGREE), np.uint64)
    powers: dict[int, U32] = {}  # by period, those of zeta^(n / period)
    for k, values in enumerate(air.periodic.values()):
        period = len(values)
        if period not in powers:
            powers[period] = native.powers(field.power(zeta, (1 << log_height) // period), period)
        coefficients = native.intt(np.asarray(values, np.uint32)[None, :])[0]
        out[k] = (powers[period].astype(np.uint64) * coefficients % P).sum(axis=1) % P
    return out


def failing_heights(
    layout: Layout,
    at_zeta: Sequence[Kb6],
    at_next: Sequence[Kb6],
    lookup: LookupValues,
    alphas: Sequence[Kb6],
    sums: dict[int, Kb6],
    zeta: Kb6,
) -> list[int]:
    """Log heights whose composition at zeta is not Z_H times their quotient."""
    missing = missing_quotients(layout, at_zeta, at_next, lookup, alphas, sums, zeta)
    return [log for log, value in missing.items() if value != field.ZERO]


def missing_quotients(
    layout: Layout,
    at_zeta: Sequence[Kb6],
    at_next: Sequence[Kb6],
    lookup: LookupValues,
    alphas: Sequence[Kb6],
    sums: dict[int, Kb6],
    zeta: Kb6,
) -> dict[int, Kb6]:
    """By log height: composition / Z_H - quotient at zeta; zero where the identity holds."""
    opened = _at_points(np.array([at_zeta, at_next], np.uint64))
    totals = dict.fromkeys(layout.distinct, field.ZERO)
    for i, log in enumerate(layout.log_heights):
        symbols = table_symbols(layout, i, lookup, alphas, sums)
        selectors = _selectors(log, zeta)
        for rows, value in _compositions(layout, i, opened, symbols, zeta).items():
            totals[log] = field.add(totals[log], field.mul(value, selectors[rows]))
    missing = {}
    for log, total in totals.items():
        power, start = field.power(zeta, 1 << log), layout.quotient_start(log)
        low, high = (_extension(at_zeta[k : k + DEGREE]) for k in (start, start + DEGREE))
        quotient = field.add(low, field.mul(power, high))
        missing[log] = field.sub(field.mul(total, field.inv(field.sub(power, field.ONE))), quotient)
    return missing


def _selectors(log_height: int, zeta: Kb6) -> dict[Rows, Kb6]:
    """By kind of rows, what a constraint's value at zeta is multiplied with."""
    vanishing = field.sub(field.power(zeta, 1 << log_height), field.ONE)
    to_first, to_last = field.sub(zeta, field.ONE), field.sub(zeta, lift(point_inverse(log_height)))
    return {
        Rows.ALL: field.ONE,
        Rows.TRANSITION: to_last,
        Rows.FIRST: field.mul(vanishing, field.inv(to_first)),
        Rows.LAST: field.mul(vanishing, field.inv(to_last)),
    }


def _compositions(
    layout: Layout, table: int, opened: U32, symbols: dict[str, Sequence[Kb6]], zeta: Kb6
) -> dict[Rows, Kb6]:
    """A table's sums of alpha_k C_k at zeta. Shapes: opened (2, columns, points)."""
    air = layout.system.airs[table]
    code = compiled(air)
    if not code.rows:
        return {}

    def columns(name: TreeName, width: int) -> U32:
        start = layout.column_start(name, table)
        return opened[:, start : start + width]

    periodic = _at_points(_periodic(air, layout.log_heights[table], zeta))
    parts = [
        columns(TreeName.MAIN, air.Main.width),
        columns(TreeName.PREPROCESSED, air.Fixed.width),
        np.broadcast_to(periodic, (2, *periodic.shape)),
        columns(TreeName.INTERACTION, DEGREE * len(air.record.fraction_groups())),
    ]
    # Every row is followed by the one at zeta w: a step of two rows, so that the machine reads it as the next.
    pairs = np.ascontiguousarray(np.concatenate(parts, axis=1).transpose(1, 2, 0))
    values = run(code.quotient, symbols, [pairs.reshape(len(pairs), -1)], _POINTS, row_stride=2)
    out = {}
    for rows, part in zip(code.rows, values.reshape(-1, DEGREE, _POINTS), strict=True):
        out[rows] = to_kb6((native.kb6_mul(part, _lagrange()).sum(axis=1, dtype=np.uint64) % P).tolist())
    return out


def _extension(values: Sequence[Kb6]) -> Kb6:
    """Sum of X^i v_i."""
    return field.horner(values, _X)
