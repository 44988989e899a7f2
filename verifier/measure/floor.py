"""What a proof's field products take at the ceiling of single products; hashes and additions are not counted."""

from __future__ import annotations

from native import Op
from prover.air.compile import compiled
from prover.air.emission import MachineCode
from prover.field import DEGREE
from prover.layout import Layout, TreeName
from verifier.measure.machine import ceilings

_EXTENSION = 18
"""Products of a product in KB6: Karatsuba on three parts of two."""
_PRODUCTS = {
    Op.BMUL: 1,
    Op.BMULC: 1,
    Op.EBMUL: DEGREE,
    Op.EMAC: DEGREE,
    Op.EMUL: _EXTENSION,
    Op.EMULC: _EXTENSION,
}
_COSETS = 2
"""On which the composition is evaluated."""
_POINTS = 2
"""At which a column is opened: zeta and the point after it."""


def code_products(code: MachineCode) -> int:
    """Field products a row."""
    return sum(_PRODUCTS.get(Op(op), 0) for op in code.code[::4])


def proof_products(layout: Layout) -> int:
    """Field products of a proof, trace generation apart, as docs/performance.md counts them by step."""
    blowup, total = layout.params.blowup, 0
    for tree in layout.trees:
        for each in tree.classes:
            rows = 1 << each.log_height
            butterflies, cells = each.log_height * rows // 2 * each.width, rows * each.width
            if tree.name is not TreeName.PREPROCESSED:
                total += (
                    butterflies * (1 + blowup) + cells * blowup
                )  # committed: one inverse, a coset for each part
            if tree.name is not TreeName.QUOTIENT:
                total += 2 * butterflies + cells  # moved to the second coset of the quotient
            total += cells * DEGREE * (_POINTS + 1)  # opened, and summed up in DEEP
            total += butterflies * (1 + blowup) // 2 + cells  # the queried points
    for air, log_height in zip(layout.system.airs, layout.log_heights, strict=True):
        code = compiled(air)
        fractions = code_products(code.fractions) if code.fractions else 0
        total += (fractions + _COSETS * code_products(code.quotient)) << log_height
    tallest = layout.log_max_height
    return total + DEGREE * blowup * tallest * (1 << tallest) // 2  # DEEP's sum, extended


def floor_seconds(products: int, threads: int) -> float:
    """What so many products take at the ceiling of these threads."""
    return products / ceilings(threads).multiplications
