"""Flags about words, in the interpreter and in the kernel; a hash that feeds a challenge and a product."""

import random

import blake3
import pytest

from prover.field import DEGREE, P
from tests.script.arithmetic import digits, items, known
from tests.script.spends import judge_tapscript
from verifier.script.bilinear import HINTS, Arithmetic
from verifier.script.blake3 import IV, compress
from verifier.script.checks import canonical, total
from verifier.script.errors import ScriptError
from verifier.script.field import challenge, product_sum
from verifier.script.gadget import drop
from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.tracker import Name, Tracker
from verifier.script.winternitz import nibbles

RNG = random.Random(6)
EDGES = (0, 1, 15, 16, 255, 0x00FFFFFF, 0x7EFFFFFF, P - 1, P, P + 1, 0x7F0F0000, 0x7FFFFFFF, 2**31, 2**32 - 1)


def is_number(t: Tracker, name: Name, expected: int, words: list[int]) -> None:
    """Both judges see it."""
    t.roll(name)
    t.emit(number(expected), Op.NUMEQUALVERIFY, drop(len(t) - 1), Op.OP_1)
    assert judge_tapscript(t.code, items(digits(words))) is ScriptError.OK


@pytest.mark.parametrize("word", [*EDGES, *(RNG.randrange(2**32) for _ in range(6))])
def test_canonical_means_below_p(word: int) -> None:
    t = Tracker()
    is_number(t, canonical(t, known(t, 1)[0]), word < P, [word])
    t = Tracker()
    is_number(t, canonical(t, [(digit,) for digit in digits([word])]), word < P, [])


@pytest.mark.parametrize("word", EDGES)
def test_a_total_is_the_sum_of_nibbles(word: int) -> None:
    t = Tracker()
    is_number(t, total(t, known(t, 1)[0]), sum(digits([word])), [word])


def test_a_hash_feeds_a_challenge_and_the_challenge_a_product() -> None:
    """BLAKE3's nibbles are words as they stand: digest, then 64 bits of it mod p, then times a constant."""
    message = RNG.randbytes(64)
    digest = blake3.blake3(message).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4)] + [0] * 4
    values = [(words[2 * k] + (words[2 * k + 1] << 32)) % P for k in range(DEGREE)]
    factor = (0x12345678,)
    spec = product_sum(((6, 1),))
    t = Tracker()
    hints = [t.push() for _ in range(2 * HINTS * DEGREE)]
    t.emit(
        *(
            number(digit)
            for digit in nibbles(message) + nibbles(b"".join(v.to_bytes(4, "little") for v in IV))
        )
    )
    t.emit(compress(0, 64, 11))
    row = [[t.push() for _ in range(8)] for _ in range(8)]
    field = Arithmetic(t)
    halves = [field.halves(word) for word in row] + [((0,), (0,))] * 4
    element = field.sums(challenge(), [], [], halves, hints[: HINTS * DEGREE])
    constant = [[(digit,) for digit in digits(factor)]]
    product = field.sums(spec, element, constant, [], hints[HINTS * DEGREE :])
    for word, value in zip(product, values, strict=True):
        for half, shift in zip(word, (0, 16), strict=True):
            t.pick(half)
            t.emit(number(value * factor[0] % P >> shift & 0xFFFF), Op.NUMEQUALVERIFY)
            t.pop()
    t.emit(drop(len(t)), Op.OP_1)
    stack = items([*challenge().hints([], [], words), *spec.hints(values, factor)])
    assert judge_tapscript(t.code, stack) is ScriptError.OK
