"""add: x + y = z + 2^64 carry over 16-bit limbs; provides ADD (sums, differences) and LESS (comparison)."""

from __future__ import annotations

from typing import Any

from circuits.relations import ADD, LESS, LIMBS
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns


class AddColumns(Columns):
    """One sum. Every row is a true one, whatever its multiplicities; padding is 0 + 0 = 0."""

    x = columns(4)
    """First summand: limbs, least significant first. NOT range-checked here; see AddAir."""
    y = columns(4)
    """Second summand. Range: LIMBS on every row."""
    z = columns(4)
    """x + y mod 2^64. Range: LIMBS on every row."""
    c0 = column()
    """Carry out of limb 0; boolean."""
    c1 = column()
    """Carry out of limb 1; boolean."""
    c2 = column()
    """Carry out of limb 2; boolean."""
    carry = column()
    """Carry out of limb 3, the overflow; boolean."""
    mult_add = column()
    """Times ADD(x, y, z, carry) is sent; any field element."""
    mult_less = column()
    """Times LESS(z, x, carry) is sent; any field element."""


class AddAir(Air):
    """Provides ADD and LESS.

    LESS: with a = z, b = x and t = y, b + t = a + 2^64 carry has carry = 1 exactly if a < b (t = a - b mod
    2^64).

    What the caller owes: **x is a u64 (limbs in [0, 2^16)) already**; y and z are proven to be by the row
    itself. With y, z in [0, 2^16) and boolean carries, x_i = z_i + 2^16 c_i - y_i - c_{i-1} lies in [-2^16,
    2^17): the four equations hold over the integers (no wrap mod p), so x's integer sum x_i 2^16i always
    satisfies x + y = z + 2^64 carry. A raw x cannot create value: the only x that pass are other spellings,
    limbs off by a small multiple of 2^16, of an integer in (-2^64, 2^65), and y, z, carry are the true ones
    of that integer.

    The callers (all of them):
      - cpu ADD: ADD(x = vb, y = va, z = vc, fault). vc, the result, comes out canonical; va is checked; vb
        owed. fault = 1 exactly if the sum is 2^64 or more.
      - cpu SUB: ADD(x = vb, y = vc, z = va, fault). The same: vb owed. fault = 1 exactly if va < vb.
      - cpu JLT, JGE: LESS(z = va, x = vb, bit). The same: vb owed.
      - muldiv: LESS(z = r, x = c, 1 - fail). c is eight checked bytes.
    So the machine's rule is: **operand b of ADD, SUB, JLT, JGE holds a u64**. Registers get words from LI and
    the rom (16 bits), ADD, SUB (checked here), HINT (LIMBS), MULDIV through h (bytes), PACK, LO, HI (limbs
    copied), and, raw, from HINTR, LOAD, HGETL, HGETH of a hash, and MOV. Kernel discipline: HINTR words
    (owners, digests) and hash states are only compared by JEQ, JNE, ASSERT, hashed, stored or published;
    numeric cell words are u64 because genesis is and the kernel stores only checked words there (induction
    over batches), after it has compared the cell's kind. A **user's registers hold u64 words only**: they are 0
    at first, h is 0 whenever user mode begins (ENTER, SRET) and only MULDIV changes it there, and the kernel
    gives (UPUT) u64 words only.
    """

    name = "add"
    Main = AddColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Four limb equations, boolean carries, ranges of y and z."""
        carries = (local.c0, local.c1, local.c2, local.carry)
        for i, carry in enumerate(carries):
            builder.assert_bool(carry, f"add.carry_bool[{i}]")
        for i, carry in enumerate(carries):
            below = carries[i - 1] if i else 0
            builder.assert_eq(local.x[i] + local.y[i] + below, local.z[i] + 65536 * carry, f"add.sum[{i}]")
        builder.send(LIMBS, local.y, 1, "add.range_y")
        builder.send(LIMBS, local.z, 1, "add.range_z")
        builder.receive(ADD, [*local.x, *local.y, *local.z, local.carry], local.mult_add, "add.add")
        builder.receive(LESS, [*local.z, *local.x, local.carry], local.mult_less, "add.less")
