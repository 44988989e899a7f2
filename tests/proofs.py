"""Proofs that several tests share, made once."""

from __future__ import annotations

from functools import lru_cache

from prover.commit import ProvingKey, setup
from prover.params import ProofParams
from prover.proof import Proof
from prover.prove import prove
from prover.shape import Shape
from tests import small_system
from verifier.fast import verify as fast
from verifier.stark import verify as reference
from verifier.stark.reasons import VerificationError

TINY = ProofParams(2, 4, 14, 12, 2)
"""Four queries, little work; arities 8, 2, 8 and two injections."""
NO_WORK = ProofParams(1, 3, 0, 0, 3)


@lru_cache(maxsize=32)
def small_key(params: ProofParams = TINY) -> ProvingKey:
    system = small_system.SYSTEM
    return setup(system, Shape.of(system, small_system.SYSTEM_LOGS), params)


@lru_cache(maxsize=32)
def small_proof(params: ProofParams = TINY) -> bytes:
    tables, public = small_system.make_tables()
    return prove(small_key(params), tables, public).encode()


def public_values() -> list[int]:
    return small_system.make_tables()[1]


def decoded(params: ProofParams = TINY) -> Proof:
    return Proof.decode(small_proof(params), small_key(params).verifying_key.layout)


def verdicts(key, data, public, min_bits=0.0):
    """What the reference and the fast verifier say: (reason, where, expected, got) or None each."""
    out = []
    for backend in (reference.verify, fast.verify):
        try:
            backend(key, data, public, min_bits=min_bits)
            out.append(None)
        except VerificationError as error:
            out.append((error.reason, error.where, error.expected, error.got))
    return out


def rejection(key, data, public, min_bits=0.0):
    """The reason on which both backends agree."""
    plain, quick = verdicts(key, data, public, min_bits)
    assert plain == quick
    return plain[0] if plain else None
