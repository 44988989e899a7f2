"""Verification in plain Python: the reference that every other backend must agree with."""

from __future__ import annotations

from collections.abc import Sequence

from prover.field import P
from prover.key import VerifyingKey
from prover.proof import Proof, ProofFormatError
from verifier.stark.reasons import RejectReason, VerificationError
from verifier.stark.reference import ReferenceOps
from verifier.stark.steps import verify_steps

MIN_BITS = 128.0
"""Proven bits asked for unless the caller says otherwise."""


def check_strength(key: VerifyingKey, min_bits: float) -> None:
    """The parameter floor.

    Raises:
        VerificationError: WEAK_PARAMETERS.
    """
    proven = key.security().proven_bits
    if proven < min_bits:
        raise VerificationError(RejectReason.WEAK_PARAMETERS, "key", min_bits, round(proven, 2))


def check_public_values(key: VerifyingKey, expected: Sequence[int], got: Sequence[int]) -> None:
    """The proof must speak of the caller's statement.

    Raises:
        VerificationError: PUBLIC_VALUES.
    """
    if len(expected) != key.system.num_public_values or any(not 0 <= v < P for v in expected):
        raise VerificationError(
            RejectReason.PUBLIC_VALUES, "statement", f"{key.system.num_public_values} elements", expected
        )
    for i, (a, b) in enumerate(zip(expected, got, strict=True)):
        if a != b:
            raise VerificationError(RejectReason.PUBLIC_VALUES, f"public value {i}", a, b)


def admit(key: VerifyingKey, data: bytes, public_values: Sequence[int], min_bits: float) -> Proof:
    """What every backend does before step 1: the floor, the format, the statement.

    Raises:
        VerificationError: the first rule broken.
    """
    check_strength(key, min_bits)
    try:
        proof = Proof.decode(data, key.layout)
    except ProofFormatError as error:
        raise VerificationError(
            RejectReason[error.reason.name], error.where, error.expected, error.got
        ) from None
    check_public_values(key, public_values, proof.public_values)
    return proof


def verify(
    key: VerifyingKey, data: bytes, public_values: Sequence[int], *, min_bits: float = MIN_BITS
) -> None:
    """Accepts a proof of the statement by returning.

    Args:
        key: the system at its shape and parameters.
        data: the proof's bytes.
        public_values: what the caller takes the statement to be.
        min_bits: refuse parameters that prove less.

    Raises:
        VerificationError: the proof is rejected; nothing else is raised, whatever the bytes.
    """
    proof = admit(key, data, public_values, min_bits)
    verify_steps(ReferenceOps(proof.words, proof.public_values), key)
