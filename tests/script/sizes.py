"""Bytes of each gadget, for the baseline of figures."""

from collections.abc import Callable

from tests.script.arithmetic import known
from verifier.script.bilinear import Bilinear, compile_bilinear
from verifier.script.blake3 import compress
from verifier.script.checks import bits, canonical, challenge, equal, select, zero
from verifier.script.field import dot, kb6_dot, kb6_mul, linear, mul
from verifier.script.tracker import Tracker

ONE_BLOCK = 11
"""BLAKE3's flags of a message of one block."""

GADGETS: dict[str, Bilinear] = {
    "mul": mul(),
    "add": linear(1, 1),
    "sub": linear(1, -1),
    "scale": dot(1),
    "dot of 2": dot(2),
    "dot of 4": dot(4),
    "dot of 8": dot(8),
    "kb6 product": kb6_mul(),
    "kb6 product + base value": kb6_mul(1),
    "kb6 product + kb6 value": kb6_mul(6),
    "two kb6 products": kb6_dot(2),
}


def checks() -> dict[str, int]:
    """Written where they stand: here right above their words."""

    def size(words: int, write: Callable[[Tracker, list[list[int]]], object]) -> int:
        t = Tracker()
        write(t, known(t, words))
        return len(t.code)

    return {
        "canonical": size(1, lambda t, w: canonical(t, w[0])),
        "equal words": size(2, lambda t, w: equal(t, w[0], w[1])),
        "zero word": size(1, lambda t, w: zero(t, w[0])),
        "22 bits": size(1, lambda t, w: bits(t, w[0], 22)),
        "select a word": size(3, lambda t, w: select(t, w[0][0], w[1], w[2])),
    }


def sizes() -> dict[str, int]:
    """Bytes by gadget."""
    return {
        **{name: len(compile_bilinear(spec).code) for name, spec in GADGETS.items()},
        "challenge word": len(challenge().code),
        **checks(),
        "blake3 compression": len(compress(0, 64, ONE_BLOCK)),
    }
