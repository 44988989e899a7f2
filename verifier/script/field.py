"""KoalaBear and KB6 as scripts: which sums of products each operation is (see `bilinear`).

KB6 = F_p[X]/(X^6 + X^3 + 1), coefficients X^0 first. A product a b is linear in a: coefficient k is the sum of a_j
times coefficient k of X^j b, and as X^6 = -X^3 - 1 that is, up to its sign, a coefficient of b or a difference
b_i - b_(i+3): nine digit words. Every coefficient reads the same six columns in the same order.

Inputs are canonical: the caller has checked those that come from wires. A malformed hint fails the script; results
are canonical. The inverse b of a is no sum: whoever states b shows that a b is 1, which nothing is for a = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final

from prover.field import DEGREE
from verifier.script.bilinear import Addend, Bilinear, Sum, Term

Vector = tuple[int, ...]
_DIFFERENCES: Final = DEGREE // 2
"""b_0 - b_3, b_1 - b_4, b_2 - b_5."""
_CHALLENGE: Final = (
    ((1, 0), (-2, 4), (-8, 6)), ((-4, 6),), ((1, 2), (-2, 6)), ((2, 4), (8, 6)),
)  # fmt: skip
"""(weight, byte) by place of a 64-bit word in halves: B^4 = 2 B^3 - 2 and B^6 = 8 B^3 - 2 B^2 - 4 B - 8 mod p."""


@cache
def _multiples() -> tuple[tuple[tuple[int, int], ...], ...]:
    """For coefficient k of X^j b, by k and j: its sign and which of the nine words it is."""
    rows: list[list[tuple[int, int]]] = [[] for _ in range(DEGREE)]
    power = [{i: 1} for i in range(DEGREE)]
    for _ in range(DEGREE):
        for k, terms in enumerate(power):
            sign, first = terms[min(terms)], min(terms)
            rows[k].append((sign, first if len(terms) == 1 else DEGREE + first))
        last = {i: -sign for i, sign in power[-1].items()}
        power = [last, *power[:-1]]
        power[3] = _added(power[3], last)
    return tuple(map(tuple, rows))


def _added(a: dict[int, int], b: dict[int, int]) -> dict[int, int]:
    total = {i: a.get(i, 0) + b.get(i, 0) for i in {*a, *b}}
    return {i: sign for i, sign in total.items() if sign}


@lru_cache(maxsize=256)
def product_sum(pairs: tuple[tuple[int, int], ...], addend: int = 0) -> Bilinear:
    """Columns: words of x_i, digits: words of y_i -> [sum of x_i y_i (+ addend)].

    Args:
        pairs: words of x_i and of y_i, 1 for F_p and 6 for KB6.
        addend: words of the addend, 0 for none.
    """
    columns = digits = 0
    differences: list[tuple[int, int]] = []
    starts = []
    for wide, high in pairs:
        starts.append((columns, digits, len(differences)))
        columns, digits = columns + wide, digits + high
        if wide == high == DEGREE:
            differences += ((digits - DEGREE + i, digits - 3 + i) for i in range(_DIFFERENCES))
    count = max([addend, *(size for pair in pairs for size in pair)])
    rows: list[list[Term]] = [[] for _ in range(count)]
    for (wide, high), (column, digit, difference) in zip(pairs, starts, strict=True):
        if wide == high == DEGREE:
            for k, row in enumerate(_multiples()):
                words = (digit + i if i < DEGREE else digits + difference + i - DEGREE for _, i in row)
                rows[k] += [
                    (sign, column + j, i) for j, (i, (sign, _)) in enumerate(zip(words, row, strict=True))
                ]
        else:
            for k in range(max(wide, high)):
                rows[k].append((1, column + min(k, wide - 1), digit + min(k, high - 1)))
    sums = tuple(Sum(tuple(row), _word(1, k) if k < addend else ()) for k, row in enumerate(rows))
    return Bilinear(columns, digits, tuple(differences), addend, sums)


def _word(sign: int, i: int) -> tuple[Addend, Addend]:
    """Word i of the addends, with a sign."""
    return (sign, 0, 2 * i), (sign, 2, 2 * i + 1)


@lru_cache(maxsize=256)
def linear(sizes: Vector, signs: Vector) -> Bilinear:
    """Addends: elements of 1 or 6 words -> [their signed sum]."""
    rows: list[list[Addend]] = [[] for _ in range(max(sizes))]
    at = 0
    for size, sign in zip(sizes, signs, strict=True):
        for k in range(size):
            rows[k] += _word(sign, at + k)
        at += size
    return Bilinear(0, 0, (), at, tuple(Sum((), tuple(row)) for row in rows))


@cache
def challenge() -> Bilinear:
    """Addends: 12 words, low and high of each 64-bit one -> [each mod p]: a KB6 element."""
    rows = [
        tuple(
            (weight, place, 4 * k + byte // 2) for place, row in enumerate(_CHALLENGE) for weight, byte in row
        )
        for k in range(DEGREE)
    ]
    return Bilinear(0, 0, (), 2 * DEGREE, tuple(Sum((), row) for row in rows))


def words_of(elements: Sequence[Sequence[int]]) -> list[int]:
    """All words, one element after another."""
    return [word for element in elements for word in element]
