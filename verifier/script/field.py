"""KoalaBear and KB6 as scripts: which sums of products each operation is (see `bilinear`).

Words go in as KB6 coefficients, X^0 first. KB6 = F_p[X]/(X^6 + X^3 + 1): X^6 = -X^3 - 1 and X^9 = 1, so with
the coefficients c_0..c_10 of the plain product

    r_0 = c_0 - c_6 + c_9    r_1 = c_1 - c_7 + c_10    r_2 = c_2 - c_8
    r_3 = c_3 - c_6          r_4 = c_4 - c_7           r_5 = c_5 - c_8

Inputs are canonical: the caller has checked those that come from wires (`checks.canonical`). A malformed hint
fails the script; results are canonical, hence to be compared word by word. The inverse b of a is no gadget:
whoever commits b is convicted where `kb6_mul` of a and b is not 1, which is always so for a = 0.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from prover.field import DEGREE
from verifier.script.bilinear import Bilinear, Signed

_COEFFICIENTS: Final = 2 * DEGREE - 1
"""Of a plain product."""
_REDUCED: Final[tuple[Signed, ...]] = (
    ((1, 0), (-1, 6), (1, 9)),
    ((1, 1), (-1, 7), (1, 10)),
    ((1, 2), (-1, 8)),
    ((1, 3), (-1, 6)),
    ((1, 4), (-1, 7)),
    ((1, 5), (-1, 8)),
)


def mul() -> Bilinear:
    """Columns [x], digits [y] -> [x y]."""
    return Bilinear(1, 1, 0, ((0, (0,)),), ((((1, 0),), ()),))


def linear(*signs: int) -> Bilinear:
    """Addends: one KB6 element a sign -> [their signed sum]: (1, 1) adds, (1, -1) subtracts."""
    outputs = tuple(
        ((), tuple((sign, DEGREE * i + k) for i, sign in enumerate(signs))) for k in range(DEGREE)
    )
    return Bilinear(0, 0, DEGREE * len(signs), (), outputs)


def dot(count: int, addend: int = 0) -> Bilinear:
    """Columns: base values v_i, digits: KB6 weights w_i -> [sum of v_i w_i (+ addend)], count <= 9.

    Args:
        count: number of values; 1 is EXT_SCALE, a tenth does not fit under 1,000 items.
        addend: words of the addend: 0 none, 1 of F_p, 6 of KB6.
    """
    runs = tuple((0, tuple(DEGREE * i + k for i in range(count))) for k in range(DEGREE))
    outputs = tuple((((1, k),), ((1, k),) if k < addend else ()) for k in range(DEGREE))
    return Bilinear(count, DEGREE * count, addend, runs, outputs)


@lru_cache
def kb6_dot(count: int, addend: int = 0) -> Bilinear:
    """Columns: b_i from X^5 down to X^0, digits: a_i from X^0 up -> [sum of a_i b_i (+ addend)], count <= 2.

    The columns' order makes c_m the digits in order against consecutive columns.

    Args:
        count: number of pairs; a third one does not fit under 1,000 items.
        addend: words of the addend: 0 none, 1 of F_p, 6 of KB6.
    """
    last = DEGREE - 1
    runs = tuple(
        (
            DEGREE * i + last - min(m, last),
            tuple(DEGREE * i + n for n in range(max(0, m - last), min(m, last) + 1)),
        )
        for i in range(count)
        for m in range(_COEFFICIENTS)
    )
    outputs = tuple(
        (
            tuple((sign, _COEFFICIENTS * i + m) for i in range(count) for sign, m in _REDUCED[k]),
            ((1, k),) if k < addend else (),
        )
        for k in range(DEGREE)
    )
    return Bilinear(DEGREE * count, DEGREE * count, addend, runs, outputs)


def kb6_mul(addend: int = 0) -> Bilinear:
    """Columns: b from X^5 down to X^0, digits: a from X^0 up -> [a b (+ addend)]: a step of Horner's rule."""
    return kb6_dot(1, addend)
