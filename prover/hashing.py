"""BLAKE3 with one `derive_key` context per use, on 32-bit little-endian words.

Separate contexts keep a 64-byte row from being read as a node, and so on; within BLAKE3 a context is only
another initial value. Source: BLAKE3 specification, section 2.3 (derive_key) and 2.6 (extendable output).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from enum import StrEnum

from blake3 import blake3

DIGEST_WORDS = 8
ZERO_DIGEST = bytes(32)


class Context(StrEnum):
    """What a hash is for."""

    LEAF = "pegproof 2026 leaf"
    NODE = "pegproof 2026 node"
    INJECT = "pegproof 2026 inject"
    TRANSCRIPT = "pegproof 2026 transcript"
    GRIND = "pegproof 2026 grind"
    OOD_LEAF = "pegproof 2026 ood leaf"
    AIR = "pegproof 2026 air"


_HASHERS = {context: blake3(b"", derive_key_context=context.value) for context in Context}


def digest(context: Context, data: bytes, length: int = 32) -> bytes:
    """BLAKE3 derive_key output of `length` bytes."""
    hasher = _HASHERS[context].copy()
    hasher.update(data)
    return bytes(hasher.digest(length=length))


def to_bytes(words: Iterable[int]) -> bytes:
    """32-bit words as little-endian bytes."""
    buffer = array("I", words)
    if sys.byteorder == "big":
        buffer.byteswap()
    return buffer.tobytes()


def to_words(data: bytes) -> array[int]:
    """Little-endian bytes as 32-bit words; the length is a multiple of four."""
    buffer = array("I")
    buffer.frombytes(data)
    if sys.byteorder == "big":
        buffer.byteswap()
    return buffer


def ood_root(leaves: list[bytes]) -> bytes:
    """Root of the half-split tree over the columns' openings, padded with zero digests to a power of two.

    The leaf of a column is its two openings (12 words) hashed under OOD_LEAF.
    """
    level = [digest(Context.OOD_LEAF, leaf) for leaf in leaves]
    size = 1 << max(len(level) - 1, 0).bit_length()
    level += [ZERO_DIGEST] * (size - len(level))
    while size > 1:
        size //= 2
        level = [digest(Context.NODE, level[j] + level[j + size]) for j in range(size)]
    return level[0]
