"""Bytes that are no proof of the key."""

import random

import pytest

from prover.params import PRESETS
from prover.proof import header_bytes
from tests.proofs import NO_WORK, TINY, public_values, rejection, small_key, small_proof
from verifier.stark.reasons import RejectReason

KEY = small_key(TINY).verifying_key
HEADER = len(header_bytes(KEY.layout))


def _reason(data):
    return rejection(KEY, data, public_values())


def test_truncated_and_extended_proofs():
    data = small_proof(TINY)
    for cut in (1, 3, 4, 24, len(data) // 2, len(data) - HEADER):
        assert _reason(data[:-cut]) is RejectReason.LENGTH
    for more in (b"\0", bytes(4), data, bytes(1 << 20)):
        assert _reason(data + more) is RejectReason.LENGTH


def test_a_longer_final_polynomial_is_a_wrong_length():
    layout = KEY.layout
    span = next(s for s in layout.head if s.path == "final polynomial")
    at = HEADER + 4 * (layout.system.num_public_values + span.start + span.length)
    data = small_proof(TINY)
    assert _reason(data[:at] + bytes(24) + data[at:]) is RejectReason.LENGTH


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        (0, RejectReason.MAGIC),
        (3, RejectReason.MAGIC),
        (4, RejectReason.VERSION),
        (7, RejectReason.VERSION),
        (8, RejectReason.PARAMETERS),  # blowup
        (12, RejectReason.PARAMETERS),  # queries
        (24, RejectReason.PARAMETERS),  # final degree
        (28, RejectReason.PARAMETERS),  # arity
        (35, RejectReason.PARAMETERS),
        (36, RejectReason.SHAPE),
        (67, RejectReason.SHAPE),
        (68, RejectReason.LENGTH),
    ],
)
def test_altered_header(offset, reason):
    data = bytearray(small_proof(TINY))
    data[offset] ^= 1
    assert _reason(bytes(data)) is reason


@pytest.mark.parametrize("length", [0, 1, 4, 8, 36, HEADER - 1, HEADER, HEADER + 8])
def test_prefixes_get_a_typed_reason(length):
    assert _reason(small_proof(TINY)[:length]) in RejectReason


def test_random_bytes():
    rng = random.Random(1)
    for length in (0, 1, 7, 100, len(small_proof(TINY))):
        assert _reason(rng.randbytes(length)) is RejectReason.MAGIC
    body = len(small_proof(TINY)) - HEADER
    for _ in range(20):
        assert _reason(small_proof(TINY)[:HEADER] + rng.randbytes(body)) is RejectReason.NON_CANONICAL


def test_proofs_of_other_parameters_and_shapes():
    assert _reason(small_proof(NO_WORK)) is RejectReason.PARAMETERS
    other = small_key(PRESETS["standard"]).verifying_key
    assert rejection(other, small_proof(TINY), public_values()) is RejectReason.PARAMETERS


def test_weak_parameters_are_refused_unless_the_caller_lowers_the_floor():
    weak = small_key(PRESETS["compare-plonky3"]).verifying_key
    data = small_proof(PRESETS["compare-plonky3"])
    assert rejection(weak, data, public_values(), min_bits=128) is RejectReason.WEAK_PARAMETERS
    assert rejection(weak, data, public_values(), min_bits=64) is None
    for name in ("standard", "fast"):
        strong = small_key(PRESETS[name]).verifying_key
        assert rejection(strong, small_proof(PRESETS[name]), public_values(), min_bits=128) is None
    assert rejection(small_key(TINY).verifying_key, b"", [], 128) is (RejectReason.WEAK_PARAMETERS)
