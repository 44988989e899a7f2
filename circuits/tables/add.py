"""add: x + y = z + 2^64 carry over 16-bit limbs; provides ADD (sums, differences) and LESS (comparison)."""

from __future__ import annotations

from typing import Any

from circuits.relations import ADD, LESS, LIMBS
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns


class AddColumns(Columns):
    """One sum. Every row is a true one, whatever its multiplicities; padding is 0 + 0 = 0."""

    x = columns(4)
    """First summand: limbs, least significant first. Range: LIMBS on every row."""
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
    """Provides ADD and LESS. Degree 2.

    All three words are ranged on every row, so with boolean carries both sides of each limb equation lie in
    [0, 2^17]: the equations hold over the integers, and x + y = z + 2^64 carry.

    LESS: with a = z, b = x and t = y, b + t = a + 2^64 carry has carry = 1 exactly if a < b, and t is
    a - b mod 2^64.

    The callers, who owe nothing (a raw word in a sum or comparison has no row):
      - cpu ADD: ADD(x = vb, y = va, z = vc, fault): fault = 1 exactly if the sum is 2^64 or more.
      - cpu SUB: ADD(x = vb, y = vc, z = va, fault): fault = 1 exactly if va < vb.
      - cpu JLT, JGE: LESS(z = va, x = vb, bit).
      - muldiv: LESS(z = r, x = c, 1 - fail).
    Without the range of x (six columns less) the limbs of operand b could be other spellings, in
    (-2^16, 2^17), of an integer that may be negative: SUB would then raise a balance if a raw word ever
    reached its operand b.
    """

    name = "add"
    Main = AddColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Four limb equations, boolean carries, ranges."""
        carries = (local.c0, local.c1, local.c2, local.carry)
        for i, carry in enumerate(carries):
            builder.assert_bool(carry, f"add.carry_bool[{i}]")
        for i, carry in enumerate(carries):
            below = carries[i - 1] if i else 0
            builder.assert_eq(local.x[i] + local.y[i] + below, local.z[i] + 65536 * carry, f"add.sum[{i}]")
        builder.send(LIMBS, local.x, 1, "add.range_x")
        builder.send(LIMBS, local.y, 1, "add.range_y")
        builder.send(LIMBS, local.z, 1, "add.range_z")
        builder.receive(ADD, [*local.x, *local.y, *local.z, local.carry], local.mult_add, "add.add")
        builder.receive(LESS, [*local.z, *local.x, local.carry], local.mult_less, "add.less")
