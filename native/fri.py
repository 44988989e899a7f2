"""Openings out of the domain, DEEP quotients and FRI folds (docs/architecture.md, steps 5 to 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from native import checks
from native.backend import run, run_checked
from native.checks import KB6, U32, Columns
from native.errors import KernelError


def dot_columns(columns: U32 | Sequence[U32], weights: U32, out: U32 | None = None) -> U32:
    """For each column, the sum over its rows of column[i] weight[i].

    Shapes: c columns of n rows, weights (6, n) -> (6, c); weights (12, n), two points at once -> (12, c).
    """
    source = Columns("dot_columns", columns)
    points = weights.shape[0] // 6 if isinstance(weights, np.ndarray) and weights.ndim == 2 else 0
    if points not in (1, 2):
        raise KernelError("dot_columns", "weights (6, n) or (12, n)", checks.describe(weights))
    checks.array("dot_columns", weights, 6 * points, source.rows)
    out = checks.output("dot_columns", out, 6 * points, source.count)
    run("dot_columns", source, source.count, source.rows, weights, points, out)
    return out


def row_dot(columns: U32 | Sequence[U32], weights: U32, out: U32 | None = None) -> U32:
    """For each row i, the sum over columns of column_k[i] weight_k.

    Shapes: c columns of n rows, (6, c) -> (6, n).
    """
    source = Columns("row_dot", columns)
    checks.array("row_dot", weights, 6, source.count)
    out = checks.output("row_dot", out, 6, source.rows)
    run_checked("row_dot", source, source.count, source.rows, weights, out)
    return out


def barycentric_weights(log_n: int, point: KB6, out: U32 | None = None) -> U32:
    """w_i(z) = (z^n - 1)/n * w^i/(z - w^i): f(z) = sum of f(w^i) w_i(z) for degree < n = 2^log_n.

    Shapes: -> (6, n).

    Raises:
        KernelError: log_n above the two-adicity, or a point of the base field (it may lie on the domain).
    """
    if not 0 <= log_n <= checks.TWO_ADICITY:
        raise KernelError("barycentric_weights", f"log_n 0..{checks.TWO_ADICITY}", str(log_n))
    z = _outside("barycentric_weights", point)
    out = checks.output("barycentric_weights", out, 6, 1 << log_n)
    run("barycentric_weights", log_n, z, out)
    return out


def _outside(where: str, point: KB6) -> U32:
    z = checks.kb6(where, point)
    if not z[1:].any():
        raise KernelError(where, "a point outside the base field", checks.describe(point))
    return z


def deep_quotient(
    dot: U32,
    r_zeta: KB6,
    r_next: KB6,
    gamma_power: KB6,
    zeta: KB6,
    zeta_next: KB6,
    shift: int,
    out: U32 | None = None,
) -> U32:
    """G(x) = (r_zeta - R(x))/(zeta - x) + gamma_power (r_next - R(x))/(zeta_next - x) on shift * H_N.

    `dot` holds R(x), natural order. Shapes: (6, N) -> (6, N); `out` may be `dot`.

    Raises:
        KernelError: N no power of two, a point of the base field, a scalar that is not canonical.
    """
    where = "deep_quotient"
    checks.array(where, dot, 6, None)
    log_n = checks.log2(where, dot.shape[1])
    scalars = [checks.kb6(where, r_zeta), checks.kb6(where, r_next), checks.kb6(where, gamma_power)]
    scalars += [_outside(where, zeta), _outside(where, zeta_next)]
    if checks.element(where, shift) == 0:
        raise KernelError(where, "a shift other than 0", "0")
    out = checks.output(where, out, *dot.shape)
    run(where, dot, log_n, np.concatenate(scalars), shift, out)
    return out


def fri_fold(codeword: U32, arity: int, beta: KB6, shift: int, out: U32 | None = None) -> U32:
    """Folds a codeword: f = sum_i x^i f_i(x^arity) on shift * H_M -> sum_i beta^i f_i.

    The result lives on shift^arity * H_(M / arity). Group j is
    indices j + t M / arity. Shapes: (6, M) -> (6, M / arity).

    Raises:
        KernelError: arity not 2, 4, 8; M no power of two or below the arity; shift 0.
    """
    checks.array("fri_fold", codeword, 6, None)
    log_n = checks.log2("fri_fold", codeword.shape[1])
    if arity not in (2, 4, 8) or codeword.shape[1] < arity:
        raise KernelError("fri_fold", "arity 2, 4 or 8, at most the length", str(arity))
    if checks.element("fri_fold", shift) == 0:
        raise KernelError("fri_fold", "a shift other than 0", "0")
    out = checks.output("fri_fold", out, 6, codeword.shape[1] // arity)
    run("fri_fold", codeword, log_n, arity.bit_length() - 1, checks.kb6("fri_fold", beta), shift, out)
    return out
