"""KoalaBear and its sextic extension KB6, on plain integers.

KoalaBear is F_p, p = 2^31 - 2^24 + 1; KB6 = F_p[X]/(X^6 + X^3 + 1), whose elements are 6-tuples, coefficient
of X^0 first. Everything here is canonical: 0 <= coefficient < p. This is the reference; kernels are tested
against it.

Source: Plonky3 koala-bear (p, generator 3); X^6 + X^3 + 1 is the 9th cyclotomic polynomial, irreducible
because p = 2 mod 9 generates (Z/9)*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

P = 2**31 - 2**24 + 1
GENERATOR = 3
"""Generates F_p*."""
TWO_ADICITY = 24
DEGREE = 6
"""Degree of the challenge field over F_p."""

Kb6: TypeAlias = tuple[int, int, int, int, int, int]

ZERO: Kb6 = (0, 0, 0, 0, 0, 0)
ONE: Kb6 = (1, 0, 0, 0, 0, 0)

EXTENSION_SIZE = P**DEGREE

TWO_ADIC_ROOTS = tuple(pow(GENERATOR, (P - 1) >> k, P) for k in range(TWO_ADICITY + 1))
"""g[k] generates the subgroup of order 2^k; g[k] = g[k+1]^2."""


def inverse(a: int) -> int:
    """1/a in F_p.

    Raises:
        ZeroDivisionError: a = 0.
    """
    if a % P == 0:
        raise ZeroDivisionError("inverse of 0 in F_p")
    return pow(a, P - 2, P)


def lift(a: int) -> Kb6:
    """A base-field element as one of KB6."""
    return (a % P, 0, 0, 0, 0, 0)


def add(a: Kb6, b: Kb6) -> Kb6:
    """A + b."""
    return (
        (a[0] + b[0]) % P,
        (a[1] + b[1]) % P,
        (a[2] + b[2]) % P,
        (a[3] + b[3]) % P,
        (a[4] + b[4]) % P,
        (a[5] + b[5]) % P,
    )


def sub(a: Kb6, b: Kb6) -> Kb6:
    """A - b."""
    return (
        (a[0] - b[0]) % P,
        (a[1] - b[1]) % P,
        (a[2] - b[2]) % P,
        (a[3] - b[3]) % P,
        (a[4] - b[4]) % P,
        (a[5] - b[5]) % P,
    )


def scale(a: Kb6, c: int) -> Kb6:
    """A * c for c in the base field."""
    return (a[0] * c % P, a[1] * c % P, a[2] * c % P, a[3] * c % P, a[4] * c % P, a[5] * c % P)


def mul(a: Kb6, b: Kb6) -> Kb6:
    """A * b; reduction by X^6 = -X^3 - 1, X^9 = 1."""
    a0, a1, a2, a3, a4, a5 = a
    b0, b1, b2, b3, b4, b5 = b
    c6 = a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1
    c7 = a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2
    c8 = a3 * b5 + a4 * b4 + a5 * b3
    return (
        (a0 * b0 - c6 + a4 * b5 + a5 * b4) % P,
        (a0 * b1 + a1 * b0 - c7 + a5 * b5) % P,
        (a0 * b2 + a1 * b1 + a2 * b0 - c8) % P,
        (a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 - c6) % P,
        (a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0 - c7) % P,
        (a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0 - c8) % P,
    )


def frobenius(a: Kb6, times: int = 1) -> Kb6:
    """a^(p^times): X^i goes to X^(i * 2^times mod 9)."""
    step = pow(2, times, 9)
    out = [0] * 9
    for i, coefficient in enumerate(a):
        out[i * step % 9] += coefficient
    # X^6 = -X^3 - 1, X^7 = -X^4 - X, X^8 = -X^5 - X^2
    low = [out[i] - out[6 + i] for i in range(3)]
    high = [out[3 + i] - out[6 + i] for i in range(3)]
    return (low[0] % P, low[1] % P, low[2] % P, high[0] % P, high[1] % P, high[2] % P)


def inv(a: Kb6) -> Kb6:
    """1/a, by the norm: the product of a's conjugates lies in F_p.

    Raises:
        ZeroDivisionError: a = 0.
    """
    if a == ZERO:
        raise ZeroDivisionError("inverse of 0 in KB6")
    conjugates = frobenius(a)
    for times in range(2, DEGREE):
        conjugates = mul(conjugates, frobenius(a, times))
    return scale(conjugates, inverse(mul(a, conjugates)[0]))


def power(a: Kb6, exponent: int) -> Kb6:
    """a^exponent, exponent >= 0."""
    result = ONE
    while exponent:
        if exponent & 1:
            result = mul(result, a)
        a = mul(a, a)
        exponent >>= 1
    return result


def powers(a: Kb6, count: int) -> list[Kb6]:
    """a^0 .. a^(count-1)."""
    out, current = [], ONE
    for _ in range(count):
        out.append(current)
        current = mul(current, a)
    return out


def horner(coefficients: Sequence[Kb6], at: Kb6) -> Kb6:
    """The polynomial with these coefficients (constant first) at a point."""
    result = ZERO
    for coefficient in reversed(coefficients):
        result = add(mul(result, at), coefficient)
    return result


def to_kb6(words: Iterable[int]) -> Kb6:
    """Six integers as an element."""
    a0, a1, a2, a3, a4, a5 = words
    return (a0, a1, a2, a3, a4, a5)
