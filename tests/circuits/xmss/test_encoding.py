"""The message encoding: digits, target sum, aborts, and the tags."""

import math
import random

import numpy as np
import pytest

from circuits import tags
from circuits.xmss import batch, derive, encoding
from circuits.xmss.errors import XmssError, XmssReason
from prover.poseidon2 import P, compress


def test_digits_are_octal_most_significant_first():
    quotient = 0o12345670
    digest = (127 * quotient + 126, 0, 126, 127, P - 2, 127 * 0o70000001, 5, 6)
    digits = encoding.split_digits(digest)
    assert digits[:8] == (1, 2, 3, 4, 5, 6, 7, 0)
    assert digits[8:24] == (0,) * 16
    assert digits[24:32] == (0,) * 7 + (1,)
    assert digits[32:40] == (7,) * 8
    assert digits[40:48] == (7, 0, 0, 0, 0, 0, 0, 1)


@pytest.mark.parametrize("place", range(8))
def test_an_element_p_minus_1_aborts(place):
    digest = [3] * 8
    digest[place] = P - 1
    assert encoding.split_digits(tuple(digest)) is None


def test_quotients_cover_the_field_but_one():
    assert encoding.QUOTIENT * 2**24 == P - 1


def test_codeword_reports_why_it_refuses(monkeypatch):
    owner, message = (1,) * 8, (2,) * 8
    with pytest.raises(XmssError) as error:
        encoding.codeword(owner, 0, (0,) * 6, message)
    assert error.value.reason == XmssReason.TARGET_SUM
    monkeypatch.setattr(encoding, "message_digest", lambda *_: (P - 1,) * 8)
    with pytest.raises(XmssError) as error:
        encoding.codeword(owner, 0, (0,) * 6, message)
    assert error.value.reason == XmssReason.ABORTED


def test_message_digest_layout():
    owner, rho, message = tuple(range(10, 18)), tuple(range(20, 26)), tuple(range(30, 38))
    expected = compress(24, [1, 77, *rho, *owner, *message], 8)
    assert encoding.message_digest(owner, 77, rho, message) == expected


def test_the_search_takes_the_first_counter_and_gives_up(monkeypatch):
    good = (127 * 0o77777777,) * 5 + (127 * 0o17700000, 0, 0)
    assert sum(encoding.split_digits(good)) == encoding.TARGET_SUM
    answers = [(P - 1,) * 8, (0,) * 8, good, good]
    monkeypatch.setattr(encoding, "message_digest", lambda owner, epoch, rho, message: answers[rho[0]])
    rho, digits = encoding.search((0,) * 8, 0, (0, 9, 9, 9, 9, 9), (0,) * 8)
    assert rho == (2, 9, 9, 9, 9, 9)
    assert sum(digits) == 295
    monkeypatch.setattr(encoding, "MAX_TRIES", 2)
    with pytest.raises(XmssError) as error:
        encoding.search((0,) * 8, 0, (0,) * 6, (0,) * 8)
    assert error.value.reason == XmssReason.TRIES


def test_the_counter_wraps_at_p():
    assert encoding.nth_randomness((P - 1, 1, 2, 3, 4, 5), 2) == (1, 1, 2, 3, 4, 5)


def test_target_sum_costs_and_steps_are_as_documented():
    ways = [1]
    for _ in range(64):
        ways = [sum(ways[max(0, s - 7) : s + 1]) for s in range(len(ways) + 7)]
    bits = 192 - math.log2(ways[encoding.TARGET_SUM])
    assert 16.51 < bits < 16.52
    assert encoding.VERIFY_STEPS == 153
    assert encoding.MAX_TRIES / 2**bits > 128  # all tries fail with probability below e^-128


def test_vectorised_digit_sums():
    rng = random.Random(3)
    digests = [tuple(rng.randrange(P - 1) for _ in range(8)) for _ in range(200)]
    digests += [(0,) * 8, (P - 2,) * 8, (126,) * 8, (127,) * 8]
    sums = batch.digit_sums(np.array(digests, dtype=np.uint32).T.copy())
    assert sums.tolist() == [sum(encoding.split_digits(digest)) for digest in digests]


def test_tags_are_distinct_and_small():
    values = [value for name, value in vars(tags).items() if name.startswith("TAG_") and name != "TAG_LIMIT"]
    assert len(values) == len(set(values)) >= 4
    assert all(0 < value < tags.TAG_LIMIT for value in values)


def test_a_parameter_never_starts_with_a_tag(monkeypatch):
    for i in range(50):
        parameter = derive.parameter(bytes([i]) * 32, 8)
        assert tags.TAG_LIMIT <= parameter[0] < P
    for words in (b"\x00" * 40, b"\xff" * 40):
        monkeypatch.setattr(derive, "expand", lambda *_, words=words: words)
        assert tags.TAG_LIMIT <= derive.parameter(b"", 8)[0] < P


def test_derivations_differ_by_height_epoch_and_message():
    seed = bytes(32)
    assert derive.parameter(seed, 8) != derive.parameter(seed, 9)
    assert derive.chain_starts(seed, 8, 0) != derive.chain_starts(seed, 9, 0)
    assert derive.chain_starts(seed, 8, 0) != derive.chain_starts(seed, 8, 1)
    rhos = {
        derive.base_randomness(seed, height, epoch, message)
        for height in (8, 9)
        for epoch in (0, 1)
        for message in ((0,) * 8, (1,) * 8)
    }
    assert len(rhos) == 8
