"""Numba loops over the base field and KB6, plain arithmetic mod p: what numba_tier is built from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from native.checks import TWO_ADICITY, P

G24 = pow(3, 127, P)
_P = np.uint64(P)

jit: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(
    cache=True, nogil=True, boundscheck=False
)


@jit
def power(base: int, exponent: int) -> Any:
    """base^exponent mod p."""
    result = np.uint64(1)
    b = np.uint64(base)
    e = np.uint64(exponent)
    while e > np.uint64(0):
        if e & np.uint64(1):
            result = result * b % _P
        b = b * b % _P
        e >>= np.uint64(1)
    return result


@jit
def batch_inverse(a: Any, out: Any) -> None:
    """1 / a for flat arrays, 0 for 0; out may be a."""
    n = a.shape[0]
    prefix = np.empty(n, np.uint64)
    run = np.uint64(1)
    for i in range(n):
        prefix[i] = run
        if a[i] != 0:
            run = run * np.uint64(a[i]) % _P
    run = np.uint64(power(run, P - 2))
    for i in range(n - 1, -1, -1):
        x = np.uint64(a[i])
        if x == 0:
            out[i] = 0
        else:
            out[i] = run * prefix[i] % _P
            run = run * x % _P


@jit
def e_mul(a: Any, b: Any, out: Any) -> None:
    """KB6 products, column by column. Shapes: (6, n), (6, n) or (6, 1) -> (6, n); out may be a or b."""
    n = a.shape[1]
    step = 0 if b.shape[1] == 1 else 1
    d = np.empty(11, np.uint64)
    for i in range(n):
        d[:] = 0
        for j in range(6):
            x = np.uint64(a[j, i])
            for k in range(6):
                d[j + k] += x * np.uint64(b[k, i * step]) % _P
        for k in range(11):
            d[k] %= _P
        out[0, i] = (d[0] + _P - d[6] + d[9]) % _P
        out[1, i] = (d[1] + _P - d[7] + d[10]) % _P
        out[2, i] = (d[2] + _P - d[8]) % _P
        out[3, i] = (d[3] + _P - d[6]) % _P
        out[4, i] = (d[4] + _P - d[7]) % _P
        out[5, i] = (d[5] + _P - d[8]) % _P


@jit
def e_frobenius(a: Any, times: int) -> Any:
    """a^(p^times), column by column. Shapes: (6, n) -> (6, n)."""
    p = np.uint64(P)
    x = a.astype(np.uint64)
    for _ in range(times):
        y = np.empty_like(x)
        y[0] = (x[0] + p - x[3]) % p
        y[1] = x[5]
        y[2] = (x[1] + p - x[4]) % p
        y[3] = (p - x[3]) % p
        y[4] = x[2]
        y[5] = (p - x[4]) % p
        x = y
    return x.astype(np.uint32)


@jit
def e_inverse(a: Any, out: Any) -> None:
    """1 / a in KB6, 0 for 0: the product of the other conjugates over the norm. Shapes: (6, n) -> (6, n)."""
    first = np.empty(a.shape, np.uint32)
    other = np.empty(a.shape, np.uint32)
    e_mul(a, e_frobenius(a, 1), first)  # a^(1 + p)
    e_mul(e_frobenius(first, 1), e_frobenius(first, 3), other)  # a^(p + .. + p^4)
    e_mul(other, e_frobenius(a, 5), other)
    e_mul(a, other, first)  # the norm, in the base field
    norms = first[0].copy()
    batch_inverse(norms, norms)
    for k in range(6):
        for i in range(a.shape[1]):
            out[k, i] = np.uint64(other[k, i]) * np.uint64(norms[i]) % _P


@jit
def bit_reverse(a: Any) -> None:
    """Permutes a flat array of 2^k elements in place."""
    n = a.shape[0]
    j = 0
    for i in range(1, n):
        bit = n >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j |= bit
        if i < j:
            a[i], a[j] = a[j], a[i]


@jit
def fft(a: Any, root: int) -> None:
    """Values of a flat array of coefficients at the powers of the root, in place, natural order."""
    n = a.shape[0]
    bit_reverse(a)
    h = 1
    twiddle = np.empty(max(n // 2, 1), np.uint32)
    while h < n:
        step = np.uint64(power(root, n // (2 * h)))
        w = np.uint64(1)
        for i in range(h):
            twiddle[i] = w
            w = w * step % _P
        for s in range(0, n, 2 * h):
            for i in range(h):
                x = np.uint64(a[s + i])
                y = np.uint64(a[s + i + h]) * np.uint64(twiddle[i]) % _P
                a[s + i] = x + y if x + y < _P else x + y - _P
                a[s + i + h] = x - y if x >= y else x + _P - y
        h *= 2


@jit
def scale_by_powers(a: Any, factor: int, base: int) -> None:
    """a[i] *= factor base^i in place."""
    s = np.uint64(factor)
    b = np.uint64(base)
    for i in range(a.shape[0]):
        a[i] = np.uint64(a[i]) * s % _P
        s = s * b % _P


@jit
def transform_column(
    column: Any,
    out: Any,
    log_n: int,
    log_blowup: int,
    shift: int,
    from_coefficients: int,
    to_coefficients: int,
) -> None:
    """One column of the kernel `transform`."""
    n = 1 << log_n
    size = n << log_blowup
    root = power(G24, 1 << (TWO_ADICITY - log_n))
    work = np.zeros(size, np.uint32)
    work[:n] = column
    if from_coefficients == 0:
        fft(work[:n], power(root, P - 2))
        scale_by_powers(work[:n], power(n, P - 2), 1)
    if to_coefficients != 0:
        scale_by_powers(work, 1, power(shift, P - 2))
    else:
        scale_by_powers(work[:n], 1, shift)
        fft(work, power(G24, 1 << (TWO_ADICITY - log_n - log_blowup)))
    out[:] = work


@jit
def add_multiples(acc: Any, column: Any, weights: Any) -> None:
    """acc[k, i] += column[i] weights[k]: one column of `row_dot`. acc: (6, n) uint64, below p."""
    for k in range(6):
        w = np.uint64(weights[k])
        for i in range(column.shape[0]):
            acc[k, i] = (acc[k, i] + np.uint64(column[i]) * w) % _P


@jit
def dot(column: Any, weights: Any, out: Any) -> None:
    """out[k] = sum of column[i] weights[k, i]: one column of `dot_columns`."""
    for k in range(weights.shape[0]):
        total = np.uint64(0)
        for i in range(column.shape[0]):
            total += np.uint64(column[i]) * np.uint64(weights[k, i]) % _P
        out[k] = total % _P


@jit
def coset(out: Any, shift: int, log_n: int) -> None:
    """Shift g^i, flat."""
    g = np.uint64(power(G24, 1 << (TWO_ADICITY - log_n)))
    x = np.uint64(shift)
    for i in range(out.shape[0]):
        out[i] = x
        x = x * g % _P


@jit
def fold_by_two(codeword: Any, beta: Any, shift: int, log_n: int, out: Any) -> None:
    """f_0 + beta f_1 with f = f_0(x^2) + x f_1(x^2). Shapes: (6, 2 n), (6, 1) -> (6, n)."""
    n = out.shape[1]
    x = np.empty(n, np.uint32)
    coset(x, shift, log_n)
    batch_inverse(x, x)
    half = np.uint64((P + 1) // 2)
    even = np.empty((6, n), np.uint32)
    for k in range(6):
        for i in range(n):
            u = np.uint64(codeword[k, i])
            v = np.uint64(codeword[k, i + n])
            even[k, i] = (u + v) * half % _P
            out[k, i] = (u + _P - v) % _P * half % _P * np.uint64(x[i]) % _P
    e_mul(out, beta, out)
    for k in range(6):
        for i in range(n):
            out[k, i] = (np.uint64(out[k, i]) + np.uint64(even[k, i])) % _P


@jit
def powers(base: Any, out: Any) -> None:
    """base^i for each column i. Shapes: (6, 1) -> (6, n)."""
    n = out.shape[1]
    if n:
        out[:, 0] = 0
        out[0, 0] = 1
    for i in range(1, n):
        e_mul(out[:, i - 1 : i], base, out[:, i : i + 1])
