"""muldiv: a b = q c + r with r < c over bytes, or the proof that there is no such q; provides MULDIV."""

from __future__ import annotations

from typing import Any

from circuits.relations import BYTES, LESS, LIMBS, MULDIV
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns

CARRIES = 7
CARRY_OFFSET = 1 << 15
CARRY_GROUPS = ((0, 1, 2), (3, 4, 5), (6,))
"""Carries whose sum 2 c + 4 c' + 8 c'' is range-checked together (MulDivAir)."""


class MulDivColumns(Columns):
    """One division. Every row is a true one, whatever its multiplicity; padding is 0 * 0 = 0 * 1 + 0."""

    a = columns(8)
    """First factor, bytes, least significant first. Range: BYTES on every row."""
    b = columns(8)
    """Second factor. Range: BYTES."""
    c = columns(8)
    """Divisor. Range: BYTES; not 0 unless fail, because r < c."""
    q = columns(8)
    """floor(a b / c), or if fail the low half of a b. Range: BYTES."""
    r = columns(8)
    """a b mod c, or if fail the high half of a b. Range: BYTES; r < c by LESS, r >= c if fail."""
    fail = column()
    """The quotient would be 2^64 or more, or the divisor is 0. Boolean: 1 - fail is the bit of LESS."""
    carry = columns(CARRIES)
    """Signed carry out of 16-bit position j: (sum of positions <= j of a b - q c - r) / 2^16(j+1).
    Range: MulDivAir. If fail, of a b - q - 2^64 r."""
    mult = column()
    """Times MULDIV is sent; any field element."""


def carry_checks(carry: Any) -> list[Any]:
    """Values that must lie in [0, 2^16) so that no carry wraps: each carry, then each group, plus 2^15."""
    singles = [value + CARRY_OFFSET for value in carry]
    groups = []
    for group in CARRY_GROUPS:
        total: Any = CARRY_OFFSET
        for place, j in enumerate(group):
            total = total + (2 << place) * carry[j]
        groups.append(total)
    return singles + groups


class MulDivAir(Air):
    """Provides MULDIV (limbs linear in the bytes). Degree 3.

    Two kinds of row. fail = 0: a b = q c + r and LESS(r, c, 1). fail = 1: a b = q + 2^64 r and LESS(r, c, 0): r =
    floor(a b / 2^64) >= c, so a b >= 2^64 c: no quotient below 2^64 (and for c = 0 none at all). The two
    exclude each other: r < c in the first gives a b < (q + 1) c <= 2^64 c. `add` gives LESS with a boolean bit
    only, so fail is boolean. In both kinds a, b, c determine q and r.

    Why the equations hold over the integers. S_k, byte position k of the difference, is sum_i (a_i b_{k-i} - q_i
    c_{k-i}) - r_k, or if fail sum_i a_i b_{k-i} - q_k - r_{k-8} (items beyond 0..7 are 0). In both, |S_k| <=
    8 * 255^2 + 255 = 520,455, and T_j = S_2j + 256 S_2j+1, |T_j| <= 257 * 520,455 < 2^27. The constraint of position j
    is T_j + c_{j-1} = 2^16 c_j mod p, with c_{-1} = c_7 = 0. Write p = 2^16 * 32,512 + 1.

    1. LIMBS(c_j + 2^15): -2^15 <= c_j < 2^15. So |T_j + c_{j-1} - 2^16 c_j| < 2^27 + 2^15 + 2^31 < 2 p, and
       the equation over the integers is T_j + c_{j-1} - 2^16 c_j = k_j p, k_j in {-1, 0, 1}.
    2. Then c_j = -32,512 k_j + n_j with |n_j| = |T_j + c_{j-1} - k_j| / 2^16 < 2,043.
    3. LIMBS(2 c_0 + 4 c_1 + 8 c_2 + 2^15): the sum is -65,024 (k_0 + 2 k_1 + 4 k_2) + m, |m| < 14 * 2,043 =
       28,602. If one k is not 0, k_0 + 2 k_1 + 4 k_2 is not 0, and the sum's size is > 65,024 - 28,602 =
       36,422 > 2^15 (and < 2^19: no wrap), outside the range. So k_0 = k_1 = k_2 = 0; likewise 3, 4, 5 and 6.
       Honest sums are within 28,602 < 2^15.
    4. Position 7 has |T_7 + c_6| < 2^17 and no carry out: it is 0 over the integers.

    So all eight hold over the integers.
    """

    name = "muldiv"
    Main = MulDivColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Eight positions, five words of bytes, carries' ranges, r < c."""
        a, b, c, q, r, carry = local.a, local.b, local.c, local.q, local.r, local.carry
        fail = local.fail

        def position(k: int) -> Any:
            product: Any = 0
            divided: Any = 0
            for i in range(max(0, k - 7), min(k, 7) + 1):
                product = product + a[i] * b[k - i]
                divided = divided + q[i] * c[k - i]
            rest = divided + r[k] if k < 8 else divided
            halves = q[k] if k < 8 else r[k - 8]
            return product - rest - fail * (halves - rest)

        for j in range(8):
            low = position(2 * j) + 256 * position(2 * j + 1)
            below = carry[j - 1] if j else 0
            out = 65536 * carry[j] if j < CARRIES else 0
            builder.assert_eq(low + below, out, f"muldiv.product[{j}]")

        for name in ("a", "b", "c", "q", "r"):
            builder.send(BYTES, getattr(local, name), 1, f"muldiv.bytes_{name}")
        checks = [*carry_checks(carry), 0, 0]
        for i in range(3):
            builder.send(LIMBS, checks[4 * i : 4 * i + 4], 1, f"muldiv.carry_range[{i}]")

        def limbs(word: Any) -> list[Any]:
            return [word[2 * i] + 256 * word[2 * i + 1] for i in range(4)]

        builder.send(LESS, [*limbs(r), *limbs(c), 1 - fail], 1, "muldiv.remainder_below_divisor")
        words = [limb for word in (a, b, c, q, r) for limb in limbs(word)]
        builder.receive(MULDIV, [*words, fail], local.mult, "muldiv.muldiv")
