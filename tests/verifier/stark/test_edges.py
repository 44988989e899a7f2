"""Every operation on edge values: plain integers and the native interpreter give the same words."""

from __future__ import annotations

import random
from array import array

import numpy as np
import pytest

import native
from prover.field import DEGREE, P
from prover.hashing import Context
from verifier.stark.program import INSTRUCTION_WORDS, Recorder
from verifier.stark.reasons import RejectReason, VerificationError
from verifier.stark.reference import ReferenceOps

KEYS = [native.blake3_context_key(context.value) for context in Context]
EDGES = (0, 1, 2, P - 1, P - 2, (P + 1) // 2, 2**24 - 1, 2**24, 2**30)
RAW = (0, 1, P - 1, P, P + 1, 2**31, 2**32 - P, 2**32 - 1)


def _both(steps, words):
    """`steps(ops)` gives a list of values; the words of each under both backends."""
    recorder = Recorder(0)
    refs = steps(recorder)
    program = recorder.program
    initial = np.zeros(program.memory_words, np.uint32)
    for address, constant in program.constants:
        initial[address : address + len(constant)] = constant
    blocks = [np.array(b.code, np.uint32).reshape(-1, INSTRUCTION_WORDS) for b in program.blocks]
    code = native.ProgramCode(
        blocks, [b.reads for b in program.blocks], [0] * len(blocks), initial, len(words), KEYS
    )
    failure, memory = code.run(np.array(words, np.uint32), 0, np.zeros(0, np.uint32))
    quick = [tuple(int(w) for w in memory[r.address : r.address + r.length]) for r in refs]
    try:
        plain = [tuple(v) for v in steps(ReferenceOps(array("I", words), ()))]
    except VerificationError:
        return failure is not None, None, None
    return failure is None, plain, quick


def _elements(rng, count):
    return [rng.choice(EDGES) if rng.random() < 0.8 else rng.randrange(P) for _ in range(count)]


def _arithmetic(ops):
    a, b = ops.read_elements(6, "a"), ops.read_elements(6, "b")
    s = ops.part(b, 0, 1)
    return [
        ops.mul(ops.part(a, 0, 1), s),
        ops.ext_add(a, b),
        ops.ext_sub(a, b),
        ops.ext_mul(a, b),
        ops.ext_scale(a, s),
        ops.embed(s),
        ops.powers(a, 9),
        ops.ext_mul(ops.ext_mul(a, b), ops.ext_sub(b, a)),
    ]


def test_arithmetic():
    rng = random.Random(1)
    cases = [[x] * 6 + [y] * 6 for x in EDGES for y in EDGES] + [_elements(rng, 12) for _ in range(300)]
    for words in cases:
        same, plain, quick = _both(_arithmetic, words)
        assert same and plain == quick, words


def test_inverses_and_the_inverse_of_zero():
    rng = random.Random(2)
    units = [[int(i == j) * v for i in range(6)] for j in range(6) for v in (1, P - 1, 2)]
    for words in [*units, [0] * 6, *(_elements(rng, 6) for _ in range(200))]:
        same, plain, quick = _both(lambda ops: [ops.ext_inverse(ops.read_elements(6, "a"), "a")], words)
        assert same and plain == quick
        assert (plain is None) == (not any(words))
        if plain is not None:
            _, product, _ = _both(
                lambda ops: [ops.ext_mul(ops.read_elements(6, "a"), ops.read_elements(6, "b"))],
                [*words, *plain[0]],
            )
            assert product == [(1, 0, 0, 0, 0, 0)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 255, 256, 257, 2000])
def test_dots_do_not_overflow(count):
    """All words p - 1 is the largest sum; the row of a thousand columns stays exact."""
    rng = random.Random(count)

    def steps(ops):
        weights, values = ops.read_elements(DEGREE * count, "w"), ops.read_elements(count, "v")
        return [ops.dot(weights, values), ops.ext_dot(weights, weights)]

    for words in ([P - 1] * (7 * count), _elements(rng, 7 * count)):
        same, plain, quick = _both(steps, words)
        assert same and plain == quick


def test_challenges_bits_and_selection_of_raw_words():
    rng = random.Random(3)

    def steps(ops):
        block = ops.read_words(16)
        bits = ops.bits(ops.part(block, 0, 1), 32)
        low, high = ops.part(block, 0, 8), ops.part(block, 8, 8)
        return [
            ops.challenge(block),
            bits,
            ops.bits(ops.part(block, 1, 1), 7),
            *(ops.select(ops.part(bits, i, 1), low, high) for i in (0, 1, 31)),
            ops.join([high, low]),
        ]

    cases = [[w] * 16 for w in RAW] + [[rng.choice(RAW) for _ in range(16)] for _ in range(300)]
    for words in cases:
        same, plain, quick = _both(steps, words)
        assert same and plain == quick, words


@pytest.mark.parametrize("value", [P, P + 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("at", [0, 3, 6])
def test_elements_not_below_p_stop_both(value, at):
    words = [P - 1] * 7
    words[at] = value
    same, plain, _ = _both(lambda ops: [ops.read_elements(7, "a")], words)
    assert same and plain is None


def test_assertions_agree():
    for a, b in ((0, 0), (0, 1), (P - 1, P - 1), (1, 0)):
        for check in ("equal", "zero", "some"):

            def steps(ops, check=check):
                x, y = ops.read_words(3), ops.read_words(3)
                if check == "equal":
                    ops.assert_equal(x, y, RejectReason.ROW_PATH, "x")
                elif check == "zero":
                    ops.assert_zero(x, RejectReason.ROW_PATH, "x")
                else:
                    ops.assert_not_all_zero(x, RejectReason.ROW_PATH, "x")
                return [x, y]

            for place in range(3):
                words = [0] * 6
                words[place], words[3 + place] = a, b
                same, plain, quick = _both(steps, words)
                assert same and plain == quick
