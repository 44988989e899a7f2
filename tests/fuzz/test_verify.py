"""Altered proofs through the fast verifier: the typed rejection and nothing else, and never accepted."""

from __future__ import annotations

import random

import pytest

from prover.field import P
from prover.proof import header_bytes
from tests.proofs import NO_WORK, TINY, public_values, rejection, small_key, small_proof
from verifier.fast.verify import fast_verifier
from verifier.stark.reasons import VerificationError

EDGES = (0, 1, P - 1, P, P + 1, 2**31, 2**32 - 1)


def _mutant(rng, data):
    """One to three alterations of the bytes; most keep the length."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.randrange(10)
        at = rng.randrange(max(len(out), 1))
        word = at & ~3
        if kind < 3 and out:
            out[at] ^= 1 << rng.randrange(8)
        elif kind < 5:
            out[word : word + 4] = rng.choice(EDGES).to_bytes(4, "little")
        elif kind == 5:
            out[word : word + 4] = rng.randrange(P).to_bytes(4, "little")
        elif kind == 6:
            other = rng.randrange(max(len(out), 1)) & ~3
            length = 4 * rng.choice((1, 6, 8, 24))
            out[word : word + length] = out[other : other + length]
        elif kind == 7:
            del out[at : at + rng.choice((1, 4, 32))]
        elif kind == 8:
            out[at:at] = rng.randbytes(rng.choice((1, 4, 32)))
        else:
            out = out[: rng.randrange(len(out) + 1)]
    return bytes(out)


def _fuzz(params, cases, seed):
    rng = random.Random(seed)
    key, data, public = small_key(params).verifying_key, small_proof(params), public_values()
    verifier = fast_verifier(key)
    verifier.verify(data, public, min_bits=0)
    for _ in range(cases):
        mutant = _mutant(rng, data)
        if mutant == data:
            continue
        with pytest.raises(VerificationError):
            verifier.verify(mutant, public, min_bits=0)


@pytest.mark.parametrize("params", [TINY, NO_WORK], ids=["work", "no work"])
def test_mutants_are_rejected_with_a_reason(params):
    _fuzz(params, 2_000, 1)


@pytest.mark.slow
def test_a_hundred_thousand_mutants():
    _fuzz(TINY, 50_000, 2)
    _fuzz(NO_WORK, 50_000, 3)


def test_both_verifiers_agree_on_mutants():
    rng = random.Random(4)
    key, public = small_key(NO_WORK).verifying_key, public_values()
    data = small_proof(NO_WORK)
    start = len(header_bytes(key.layout))
    seen = set()
    for _ in range(300):
        out = bytearray(data)
        word = start + 4 * rng.randrange((len(data) - start) // 4)
        out[word : word + 4] = rng.randrange(P).to_bytes(4, "little")
        seen.add(rejection(key, bytes(out), public))
    assert len(seen) > 3
