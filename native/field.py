"""Element-wise kernels over F_p and KB6, and copies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from native import checks
from native.backend import run
from native.checks import KB6, U32, Columns
from native.errors import KernelError


def is_canonical(values: U32) -> bool:
    """Whether every word of a C-contiguous uint32 array is below p."""
    if not isinstance(values, np.ndarray) or values.dtype != np.uint32 or not values.flags.c_contiguous:
        raise KernelError("is_canonical", "a C-contiguous uint32 array", checks.describe(values))
    return bool(run("is_canonical", values, values.size))


def copy_columns(columns: U32 | Sequence[U32], out: U32 | None = None) -> U32:
    """The columns in one array. Shapes: (c, n), or a list of (n) and (c, n) -> (c, n)."""
    source = Columns("copy_columns", columns)
    out = checks.output("copy_columns", out, source.count, source.rows)
    run("copy_columns", source, source.count, source.rows, out)
    return out


def _binary(name: str, a: U32, b: U32, out: U32 | None) -> U32:
    shape = a.shape if isinstance(a, np.ndarray) else (0,)
    checks.array(name, a, *shape)
    checks.array(name, b, *shape)
    out = checks.output(name, out, *shape)
    run("field_" + name, a, b, out, a.size)
    return out


def add(a: U32, b: U32, out: U32 | None = None) -> U32:
    """A + b. Shapes: any, equal; `out` may be an argument."""
    return _binary("add", a, b, out)


def sub(a: U32, b: U32, out: U32 | None = None) -> U32:
    """A - b. Shapes: any, equal; `out` may be an argument."""
    return _binary("sub", a, b, out)


def mul(a: U32, b: U32, out: U32 | None = None) -> U32:
    """A b. Shapes: any, equal; `out` may be an argument."""
    return _binary("mul", a, b, out)


def batch_inverse(a: U32, out: U32 | None = None) -> U32:
    """1 / a for each element, 0 for 0. Shapes: any; `out` may be `a`."""
    shape = a.shape if isinstance(a, np.ndarray) else (0,)
    checks.array("batch_inverse", a, *shape)
    out = checks.output("batch_inverse", out, *shape)
    run("batch_inverse", a, out, a.size)
    return out


def kb6_mul(a: U32, b: U32, out: U32 | None = None) -> U32:
    """Products in KB6. Shapes: (6, n), (6, n) -> (6, n)."""
    checks.array("kb6_mul", a, 6, None)
    checks.array("kb6_mul", b, *a.shape)
    out = checks.output("kb6_mul", out, *a.shape)
    run("kb6_mul", a, b, out, a.shape[1])
    return out


def kb6_batch_inverse(a: U32, out: U32 | None = None) -> U32:
    """1 / a in KB6, zero for zero. Shapes: (6, n) -> (6, n)."""
    checks.array("kb6_batch_inverse", a, 6, None)
    out = checks.output("kb6_batch_inverse", out, *a.shape)
    run("kb6_batch_inverse", a, out, a.shape[1])
    return out


def kb6_axpy(acc: U32, scale: KB6, x: U32) -> U32:
    """Acc += scale x in place, in KB6. Shapes: (6, n), scalar, (6, n); returns acc."""
    checks.array("kb6_axpy", x, 6, None)
    checks.output("kb6_axpy", acc, *x.shape)
    run("kb6_axpy", acc, checks.kb6("kb6_axpy", scale), x, x.shape[1])
    return acc


def logup_accumulate(numerators: U32, denominators: U32, out: U32 | None = None) -> U32:
    """Phi = N / D in KB6, 0 where D = 0. Shapes: (6, n), (6, n) -> (6, n)."""
    checks.array("logup_accumulate", numerators, 6, None)
    checks.array("logup_accumulate", denominators, *numerators.shape)
    out = checks.output("logup_accumulate", out, *numerators.shape)
    run("logup_divide", numerators, denominators, out, numerators.shape[1])
    return out


def prefix_sum(values: U32, out: U32 | None = None) -> tuple[U32, U32]:
    """Exclusive prefix sums of each plane, and the totals. Shapes: (6, n) -> (6, n), (6).

    `out` may be `values`.
    """
    checks.array("prefix_sum", values, 6, None)
    out = checks.output("prefix_sum", out, *values.shape)
    total = np.empty(6, dtype=np.uint32)
    run("prefix_sum", values, out, total, values.shape[1])
    return out, total


def powers(base: KB6, n: int, out: U32 | None = None) -> U32:
    """1, base, base^2, .. in KB6. Shapes: scalar -> (6, n).

    Raises:
        KernelError: a negative length.
    """
    if n < 0:
        raise KernelError("powers", "a length", str(n))
    out = checks.output("powers", out, 6, n)
    run("powers", checks.kb6("powers", base), n, out)
    return out
