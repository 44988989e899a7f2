"""The Fiat-Shamir transcript: a 32-byte state, absorbed into and squeezed from by BLAKE3.

`absorb`: state = H(state || data). `squeeze`: block = 64 bytes of H(state), then state = H(first 32 bytes of
block). Labels name the steps in a log only; what is absorbed has a length fixed by the shape. Absorbed data
is never empty, so an absorption (more than 32 bytes) and a squeeze (exactly 32) never hash the same input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prover.field import DEGREE, Kb6, P, to_kb6
from prover.hashing import Context, digest, to_bytes, to_words

Log = Callable[[str, str, bytes], None]
"""Called with ("absorb" | "squeeze", label, data)."""


INDICES_PER_BLOCK: Final = 16
"""Words of 64 bytes."""


class TranscriptError(ValueError):
    """The transcript was used against its rules."""


class Transcript:
    """Prover's and tools' transcript; the verifier's is the same over its operations.

    Attributes:
        state: the 32-byte state.
    """

    def __init__(self, log: Log | None = None) -> None:
        self.state = bytes(32)
        self._log = log

    def absorb(self, label: str, data: bytes) -> None:
        """Binds everything squeezed later to `data`.

        Raises:
            TranscriptError: empty data.
        """
        if not data:
            raise TranscriptError(f"{label}: nothing to absorb")
        self.state = digest(Context.TRANSCRIPT, self.state + data)
        if self._log:
            self._log("absorb", label, data)

    def absorb_words(self, label: str, words: Sequence[int]) -> None:
        """Absorbs 32-bit words, little-endian."""
        self.absorb(label, to_bytes(words))

    def squeeze(self, label: str) -> bytes:
        """64 fresh bytes."""
        block = digest(Context.TRANSCRIPT, self.state, 64)
        self.state = digest(Context.TRANSCRIPT, block[:32])
        if self._log:
            self._log("squeeze", label, block)
        return block

    def challenge(self, label: str) -> Kb6:
        """A KB6 element: six 64-bit words, each mod p."""
        block = self.squeeze(label)
        return to_kb6(int.from_bytes(block[8 * i : 8 * i + 8], "little") % P for i in range(DEGREE))

    def indices(self, label: str, count: int, bits: int) -> list[int]:
        """Uniform integers of `bits` <= 32 bits: words of H(state || k), 16 from each k; nothing is squeezed after.

        A query can derive its own from the state alone, without those before it (verifier/bridge).
        """
        words: list[int] = []
        for k in range(-(-count // INDICES_PER_BLOCK)):
            block = digest(Context.INDICES, self.state + to_bytes([k]), 64)
            if self._log:
                self._log("squeeze", f"{label} {k}", block)
            words += to_words(block)
        return [word & ((1 << bits) - 1) for word in words[:count]]
