"""Flags, bits, choices and challenges, in the interpreter and in the kernel."""

import random

import blake3
import pytest

from prover.field import P
from tests.script.arithmetic import digits, items, judged, known, outcome
from tests.script.spends import judge_tapscript
from verifier.script.bilinear import HINTS, compile_bilinear
from verifier.script.blake3 import IV, compress
from verifier.script.checks import bits, canonical, challenge, challenge_hints, equal, select, zero
from verifier.script.errors import ScriptError
from verifier.script.field import mul
from verifier.script.gadget import drop
from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.spend import run_tapscript
from verifier.script.tracker import Name, Tracker
from verifier.script.winternitz import nibbles

RNG = random.Random(6)
EDGES = (0, 1, 15, 16, 255, 0x00FFFFFF, 0x7EFFFFFF, P - 1, P, P + 1, 0x7F0F0000, 0x7FFFFFFF, 2**31, 2**32 - 1)


def flag_is(t: Tracker, flag: Name, expected: bool, words: list[int]) -> None:
    """Both judges see the flag."""
    t.roll(flag)
    t.emit(number(int(expected)), Op.NUMEQUALVERIFY, drop(len(t) - 1), Op.OP_1)
    assert judge_tapscript(t.code, items(digits(words))) is ScriptError.OK


@pytest.mark.parametrize("word", [*EDGES, *(RNG.randrange(2**32) for _ in range(6))])
def test_canonical_means_below_p(word: int) -> None:
    t = Tracker()
    flag_is(t, canonical(t, known(t, 1)[0]), word < P, [word])


@pytest.mark.parametrize("a", EDGES)
def test_equal_and_zero(a: int) -> None:
    for b in (a, a ^ 1, a ^ 1 << 31, a ^ 1 << 16):
        t = Tracker()
        x, y = known(t, 2)
        flag_is(t, equal(t, x, y), a == b, [a, b])
    t = Tracker()
    flag_is(t, zero(t, known(t, 1)[0]), a == 0, [a])


@pytest.mark.parametrize("count", [1, 3, 4, 5, 22, 32])
def test_bits_are_the_low_ones(count: int) -> None:
    for word in (*EDGES, RNG.randrange(2**32)):
        t = Tracker()
        names = bits(t, known(t, 1)[0], count)
        ran = run_tapscript(t.code, items(digits([word])))
        assert ran.verdict.accepted
        found = dict(zip(t.items, ran.stack, strict=True))
        assert [found[name] for name in names] == items([word >> i & 1 for i in range(count)])


@pytest.mark.parametrize("bit", [0, 1])
def test_select_copies_one_of_two(bit: int) -> None:
    t = Tracker()
    which = t.push()
    a, b = known(t, 2)
    chosen = select(t, which, a, b)
    flag = equal(t, chosen, b if bit else a)
    t.roll(flag)
    t.emit(Op.VERIFY, drop(len(t) - 1), Op.OP_1)
    assert judge_tapscript(t.code, items([bit, *digits([0x12345678, 0x0ABCDEF1])])) is ScriptError.OK
    assert judge_tapscript(t.code, items([1 - bit, *digits([0x12345678, 0x0ABCDEF1])])) is ScriptError.VERIFY


@pytest.mark.parametrize("bit", [2, -1])
def test_select_by_something_else_fails(bit: int) -> None:
    t = Tracker()
    which = t.push()
    select(t, which, *known(t, 2))
    assert (
        run_tapscript(t.code, items([bit, *digits([1, 2])])).verdict.error is ScriptError.TAPSCRIPT_MINIMALIF
    )


@pytest.mark.parametrize(
    "value", [0, 1, P, P - 1, 2**32, 2**63, 2**64 - 1, P * (2**33 - 1), RNG.randrange(2**64)]
)
def test_a_challenge_is_a_64_bit_word_mod_p(value: int) -> None:
    words = [value & 0xFFFFFFFF, value >> 32]
    hints = challenge_hints([*words, *[0] * 14])[:8]
    assert judged(challenge(), hints, words, [value % P]) is ScriptError.OK
    assert judged(challenge(), hints, words, [value % P ^ 1]) is ScriptError.NUMEQUALVERIFY
    for place in range(8):
        for by in (-1, 1, 16):
            bad = list(hints)
            bad[place] += by
            assert outcome(challenge(), bad, words)[0] is not ScriptError.OK


def test_a_hash_feeds_a_challenge_and_the_challenge_a_product() -> None:
    """BLAKE3's nibbles are words as they stand: digest, then 64 bits of it mod p, then their square."""
    message = RNG.randbytes(64)
    digest = blake3.blake3(message).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in (0, 4)]
    value = (words[0] + (words[1] << 32)) % P
    t = Tracker()
    hints = [t.push() for _ in range(2 * HINTS)]
    t.emit(
        *(
            number(digit)
            for digit in nibbles(message) + nibbles(b"".join(v.to_bytes(4, "little") for v in IV))
        )
    )
    t.emit(compress(0, 64, 11))
    row = [t.push() for _ in range(64)]
    x = challenge().apply(t, row[:16], hints[:HINTS])
    square = compile_bilinear(mul()).apply(t, [*x, *x], hints[HINTS:])
    expected = [t.push(number(digit)) for digit in digits([value * value % P])]
    flag = equal(t, square, expected)
    t.roll(flag)
    t.emit(Op.VERIFY, drop(len(t) - 1), Op.OP_1)
    stack = items([*challenge_hints([*words, *[0] * 14])[:HINTS], *mul().hints([value], [value])])
    assert judge_tapscript(t.code, stack) is ScriptError.OK


def test_rows_of_different_length_are_refused() -> None:
    t = Tracker()
    a, b = known(t, 2)
    with pytest.raises(ValueError, match="8 items against 7"):
        equal(t, a, b[:7])
    with pytest.raises(ValueError, match="between 8 and 7"):
        select(t, a[0], a, b[:7])
