"""A cursor over canonical bytes: little-endian integers, field elements of 4 bytes, nothing left over."""

from __future__ import annotations

import struct

from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.words import Digest
from prover.poseidon2 import P


class Reader:
    """Reads fields in order; every refusal says which field and at which byte."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, size: int, name: str) -> bytes:
        """The next `size` bytes.

        Raises:
            CodecError: TRUNCATED.
        """
        end = self.position + size
        if end > len(self.data):
            raise CodecError(CodecReason.TRUNCATED, f"{name} at byte {self.position}", end, len(self.data))
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def u32(self, name: str) -> int:
        """A 4-byte number."""
        return int.from_bytes(self.take(4, name), "little")

    def u64(self, name: str) -> int:
        """An 8-byte number."""
        return int.from_bytes(self.take(8, name), "little")

    def pair(self, name: str) -> tuple[int, int]:
        """Two 4-byte numbers: the word `lo | hi`."""
        return self.u32(name), self.u32(name)

    def elements(self, count: int, name: str) -> Digest:
        """`count` canonical field elements.

        Raises:
            CodecError: TRUNCATED or NOT_CANONICAL.
        """
        values = struct.unpack(f"<{count}I", self.take(4 * count, name))
        if count and max(values) >= P:
            raise CodecError(CodecReason.NOT_CANONICAL, name, "elements below p")
        return values

    def done(self) -> None:
        """Refuse bytes that follow the last field.

        Raises:
            CodecError: TRAILING.
        """
        if self.position != len(self.data):
            raise CodecError(CodecReason.TRAILING, "end", self.position, len(self.data))


def elements_bytes(elements: Digest) -> bytes:
    """Elements as 4-byte little-endian words."""
    return struct.pack(f"<{len(elements)}I", *elements)
