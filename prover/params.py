"""Proof parameters: what a verifier and a prover agree on besides the statement and its shape."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from prover.hashing import to_bytes, to_words

HASHERS = ("blake3",)
"""Names of hashers, in order of their encoding."""


class ParamsError(ValueError):
    """A parameter is out of range."""


_RANGES = {
    "log_blowup": (1, 4),
    "num_queries": (1, 1024),
    "query_grinding_bits": (0, 31),
    "batching_grinding_bits": (0, 31),
    "log_final_degree": (0, 12),
    "log_max_arity": (1, 3),
}


@dataclass(frozen=True)
class ProofParams:
    """Parameters of the proof.

    Attributes:
        log_blowup: log2 of 1/rate.
        num_queries: FRI queries, with repetition.
        query_grinding_bits: work before the query indices.
        batching_grinding_bits: work before gamma.
        log_final_degree: the final polynomial has 2^log_final_degree coefficients.
        log_max_arity: FRI folds by at most 2^log_max_arity a round.
        hasher: commitments and transcript.

    Raises:
        ParamsError: a value out of range.
    """

    log_blowup: int
    num_queries: int
    query_grinding_bits: int
    batching_grinding_bits: int
    log_final_degree: int = 5
    log_max_arity: int = 3
    hasher: str = "blake3"

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ParamsError(f"{name} = {getattr(self, name)} is outside {low}..{high}")
        if self.hasher not in HASHERS:
            raise ParamsError(f"unknown hasher {self.hasher!r}")

    @property
    def blowup(self) -> int:
        """1/rate."""
        return 1 << self.log_blowup

    def encode(self) -> bytes:
        """Seven 32-bit words, in field order."""
        *numbers, hasher = astuple(self)
        return to_bytes([*numbers, HASHERS.index(hasher)])

    @classmethod
    def decode(cls, data: bytes) -> ProofParams:
        """Inverse of `encode`.

        Raises:
            ParamsError: wrong length or a value out of range.
        """
        if len(data) != cls.encoded_length():
            raise ParamsError(f"{len(data)} bytes of parameters, not {cls.encoded_length()}")
        *numbers, hasher = to_words(data)
        if hasher >= len(HASHERS):
            raise ParamsError(f"unknown hasher number {hasher}")
        names = [field.name for field in fields(cls)]
        return cls(**dict(zip(names, numbers, strict=False)), hasher=HASHERS[hasher])

    @classmethod
    def encoded_length(cls) -> int:
        """Bytes of an encoding."""
        return 4 * len(fields(cls))


PRESETS = {
    "standard": ProofParams(log_blowup=2, num_queries=110, query_grinding_bits=20, batching_grinding_bits=16),
    "fast": ProofParams(log_blowup=1, num_queries=224, query_grinding_bits=20, batching_grinding_bits=16),
    "compare-plonky3": ProofParams(
        log_blowup=1, num_queries=100, query_grinding_bits=16, batching_grinding_bits=0
    ),
}
"""standard and fast: >= 128 bits proven for every shape the field admits (tests/prover/test_security.py);
compare-plonky3: the parameters of the peers' benchmarks, about 64 bits proven."""
