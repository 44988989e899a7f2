"""Bytes of each gadget, for the baseline of figures."""

from tests.script.arithmetic import compiled, known
from verifier.script.bilinear import HINTS, Arithmetic, Bilinear
from verifier.script.blake3 import compress
from verifier.script.checks import canonical
from verifier.script.field import challenge, linear, product_sum
from verifier.script.tracker import Tracker

ONE_BLOCK = 11
"""BLAKE3's flags of a message of one block."""
KB6 = (6, 6)
HORNER = (KB6, *[(1, 6)] * 3)
"""A step of Horner's rule that takes in four base values: acc x^4 + v_3 x^3 + v_2 x^2 + v_1 x + v_0."""

GADGETS: dict[str, Bilinear] = {
    "mul": product_sum(((1, 1),)),
    "add": linear((6, 6), (1, 1)),
    "sub": linear((6, 6), (1, -1)),
    "scale": product_sum(((1, 6),)),
    "scale a result": product_sum(((6, 1),)),
    "dot of 2": product_sum(((1, 6),) * 2),
    "dot of 4": product_sum(((1, 6),) * 4),
    "kb6 product": product_sum((KB6,)),
    "kb6 product + base value": product_sum((KB6,), 1),
    "kb6 product + kb6 value": product_sum((KB6,), 6),
    "two kb6 products": product_sum((KB6, KB6)),
    "four base values by Horner": product_sum(HORNER, 1),
    "challenge": challenge(),
}


def shared(spec: Bilinear) -> int:
    """Of one more sum with the same digits."""
    t = Tracker()
    rows = [[t.push() for _ in range(HINTS * len(spec.sums))] for _ in range(2)]
    words = known(t, spec.digits)
    columns, addends = (
        [(t.push(), t.push()) for _ in range(count)] for count in (spec.columns, spec.addends)
    )
    field = Arithmetic(t)
    sizes = []
    for hints in rows:
        field.sums(spec, columns, words, addends, hints, shared=True)
        sizes.append(len(t.code))
    return sizes[1] - sizes[0]


def checks() -> dict[str, int]:
    """Written where they stand: here right above their words."""
    sizes = {}
    t = Tracker()
    (word,) = known(t, 1)
    canonical(t, word)
    sizes["canonical"] = len(t.code)
    field = Arithmetic(t := Tracker())
    (word,) = known(t, 1)
    field.halves(word)
    sizes["halves"] = len(t.code)
    field = Arithmetic(t := Tracker())
    hints = [t.push() for _ in range(8)]
    field.split((t.push(), t.push()), hints)
    sizes["split"] = len(t.code)
    return sizes


def sizes() -> dict[str, int]:
    """Bytes by gadget."""
    return {
        **{name: compiled(spec).size for name, spec in GADGETS.items()},
        "kb6 product, digits shared": shared(product_sum((KB6,))),
        "four base values by Horner, digits shared": shared(product_sum(HORNER, 1)),
        **checks(),
        "blake3 compression": len(compress(0, 64, ONE_BLOCK)),
    }
