"""Plain-integer definitions that the kernels are compared with, and the data they are compared on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from native import U32, P

VECTORS = Path(__file__).parent.parent / "vectors"
LENGTHS = (0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 257)
"""Edges of one, eight and sixteen lanes, with odd tails."""

Element = tuple[int, ...]
ZERO: Element = (0,) * 6
ONE: Element = (1, 0, 0, 0, 0, 0)


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def words(values: Any) -> U32:
    return np.array(values, dtype=np.uint32)


def random(seed: int, *shape: int) -> U32:
    """Field elements, a quarter of them 0, 1 or p - 1."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, P, shape, dtype=np.uint32)
    edges = rng.choice(words([0, 1, P - 1]), shape)
    return np.where(rng.random(shape) < 0.25, edges, values).astype(np.uint32)


def element(seed: int) -> Element:
    return tuple(int(x) for x in np.random.default_rng(seed).integers(1, P, 6))


def planar(elements: Sequence[Element]) -> U32:
    return words(elements).reshape(-1, 6).T.copy()


def elements(planes: U32) -> list[Element]:
    return [tuple(int(x) for x in column) for column in planes.T]


def e_add(a: Element, b: Element) -> Element:
    return tuple((x + y) % P for x, y in zip(a, b, strict=True))


def e_sub(a: Element, b: Element) -> Element:
    return tuple((x - y) % P for x, y in zip(a, b, strict=True))


def e_mul(a: Element, b: Element) -> Element:
    d = [0] * 11
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            d[i + j] += x * y
    for k in range(10, 5, -1):  # X^6 = -X^3 - 1
        d[k - 3] -= d[k]
        d[k - 6] -= d[k]
    return tuple(x % P for x in d[:6])


def e_scale(a: Element, c: int) -> Element:
    return tuple(x * c % P for x in a)


def e_pow(a: Element, n: int) -> Element:
    result = ONE
    while n:
        if n & 1:
            result = e_mul(result, a)
        a = e_mul(a, a)
        n >>= 1
    return result


def e_inv(a: Element) -> Element:
    return e_pow(a, P**6 - 2)


def base(x: int) -> Element:
    return (x % P, 0, 0, 0, 0, 0)


def interpolate(values: Sequence[Element], points: Sequence[int]) -> Callable[[Element], Element]:
    """The polynomial through (point, value), as a function (Lagrange)."""

    def at(z: Element) -> Element:
        total = ZERO
        for i, xi in enumerate(points):
            term = values[i]
            for j, xj in enumerate(points):
                if i != j:
                    term = e_scale(e_mul(term, e_sub(z, base(xj))), pow(xi - xj, -1, P))
            total = e_add(total, term)
        return total

    return at
