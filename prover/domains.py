"""Evaluation domains: trace subgroups, LDE cosets, and how they nest. Plain integers.

The LDE domain of height n is shift * <g>, shift = 3^(n_max / n), in natural order; x -> x^r maps the tallest
onto that of height n_max / r, index i to i mod (N / r).
"""

from __future__ import annotations

from functools import lru_cache

from prover.field import GENERATOR, TWO_ADIC_ROOTS, P, inverse
from prover.layout import Layout


def log_ratio(layout: Layout, log_height: int) -> int:
    """log2 of n_max / n."""
    return layout.log_max_height - log_height


def coset_shift(layout: Layout, log_height: int) -> int:
    """Shift of a height's LDE domain, and of the FRI layer of its size."""
    return pow(GENERATOR, 1 << log_ratio(layout, log_height), P)


def point_inverse(log_height: int) -> int:
    """w^-1: the last point of the trace domain."""
    return inverse(TWO_ADIC_ROOTS[log_height])


@lru_cache(maxsize=1024)
def periodic_coefficients(values: tuple[int, ...]) -> tuple[int, ...]:
    """Coefficients of the polynomial with these values on the subgroup of their number (O(n^2))."""
    n = len(values)
    root_inverse = inverse(TWO_ADIC_ROOTS[n.bit_length() - 1])
    scale = inverse(n)
    out = []
    for k in range(n):
        step, x, total = pow(root_inverse, k, P), 1, 0
        for value in values:
            total += value * x
            x = x * step % P
        out.append(total * scale % P)
    return tuple(out)
