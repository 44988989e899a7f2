"""Fast verification: the recorded Program on the native interpreter; verdict and reason of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

import native
from prover.field import DEGREE, P
from prover.key import VerifyingKey
from prover.layout import LeafKind
from prover.proof import FormatReason, ProofFormatError, path_of, split
from verifier.stark import verify as reference
from verifier.stark.program import CONTEXTS, INSTRUCTION_WORDS, REASONS, Code, Program, record
from verifier.stark.reasons import RejectReason, VerificationError
from verifier.stark.verify import MIN_BITS, check_public_values, check_strength


class FastVerifier:
    """The verifier of one key; recording takes seconds for a large system, a verification milliseconds.

    Attributes:
        key: the verifying key.
        program: the recorded verifier.
    """

    def __init__(self, key: VerifyingKey, program: Program | None = None) -> None:
        self.key, self.program = key, program or record(key)
        initial = np.zeros(self.program.memory_words, np.uint32)
        for address, words in self.program.constants:
            initial[address : address + len(words)] = words
        self._code = native.ProgramCode(
            [np.array(b.code, np.uint32).reshape(-1, INSTRUCTION_WORDS) for b in self.program.blocks],
            [b.reads for b in self.program.blocks],
            [b.item for b in self.program.blocks],
            initial,
            self.program.body_words,
            [native.blake3_context_key(context.value) for context in CONTEXTS],
        )
        spans = [(s.start, s.length) for s in key.layout.spans() if s.kind is LeafKind.ELEMENT]
        self._spans = np.array(spans, np.uint32)

    def verify(self, data: bytes, public_values: Sequence[int], *, min_bits: float = MIN_BITS) -> None:
        """As `verifier.stark.verify.verify`.

        Raises:
            VerificationError: the proof is rejected.
        """
        key = self.key
        check_strength(key, min_bits)
        try:
            header_values, words = split(data, key.layout)
            for i, value in enumerate(header_values):
                if value >= P:
                    raise ProofFormatError(
                        FormatReason.NON_CANONICAL, f"public value {i}", f"below {P}", value
                    )
            body = np.frombuffer(words, np.uint32)
            bad = native.first_non_canonical(body, self._spans)
            if bad is not None:
                where = path_of(key.layout, bad)
                raise ProofFormatError(FormatReason.NON_CANONICAL, where, f"below {P}", int(body[bad]))
        except ProofFormatError as error:
            raise VerificationError(
                RejectReason[error.reason.name], error.where, error.expected, error.got
            ) from None
        check_public_values(key, public_values, header_values)
        public = np.frombuffer(header_values, np.uint32) if header_values else np.zeros(0, np.uint32)
        failure, memory = self._code.run(body, self.program.public.address, public)
        if failure is not None:
            raise self._explain(failure, memory)

    def _explain(self, failure: native.ProgramFailure, memory: native.U32) -> VerificationError:
        """The failed instruction as the reference would state it."""
        block = self.program.blocks[failure.block].code
        at = INSTRUCTION_WORDS * failure.instruction
        code, destination, a, b, _, count, reason, where = block[at : at + INSTRUCTION_WORDS]
        place = self.program.labels[where]
        if failure.block:
            place = f"{self._loop_name(failure.block)} {failure.item}: {place}"

        def words(address: int, length: int) -> tuple[int, ...]:
            return tuple(int(word) for word in memory[address : address + length])

        if code == Code.ASSERT_EQUAL:
            return VerificationError(REASONS[reason], place, words(b, count), words(a, count))
        if code == Code.ASSERT_ZERO:
            return VerificationError(REASONS[reason], place, (0,) * count, words(a, count))
        if code == Code.ASSERT_NOT_ALL_ZERO:
            return VerificationError(REASONS[reason], place, None, words(a, count))
        if code == Code.EXT_INVERSE:
            return VerificationError(RejectReason.DIVISION_BY_ZERO, place, None, words(a, DEGREE))
        got = next(word for word in words(destination, count) if word >= P)
        return VerificationError(RejectReason.NON_CANONICAL, place, f"below {P}", got)

    def _loop_name(self, number: int) -> str:
        return next(loop.name for loop in self.program.loops() if loop.block == number)


@lru_cache(maxsize=16)
def fast_verifier(key: VerifyingKey) -> FastVerifier:
    """The key's verifier, recorded once."""
    return FastVerifier(key)


def verify(
    key: VerifyingKey, data: bytes, public_values: Sequence[int], *, min_bits: float = MIN_BITS
) -> None:
    """As `verifier.stark.verify.verify`, some fifty times faster; the same where the C build is missing.

    Raises:
        VerificationError: the proof is rejected.
    """
    try:
        verifier = fast_verifier(key)
    except native.KernelError:
        reference.verify(key, data, public_values, min_bits=min_bits)
    else:
        verifier.verify(data, public_values, min_bits=min_bits)
