"""BLAKE3 with one `derive_key` context per use, on 32-bit little-endian words.

Separate contexts keep a 64-byte row from being read as a node, and so on; within BLAKE3 a context is only
another initial value. Source: BLAKE3 specification, section 2.3 (derive_key) and 2.6 (extendable output).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from enum import StrEnum

from blake3 import blake3

DIGEST_WORDS = 8
ZERO_DIGEST = bytes(32)
OOD_LEAF_COLUMNS = 4


class Context(StrEnum):
    """What a hash is for."""

    LEAF = "pegproof 2026 leaf"
    NODE = "pegproof 2026 node"
    INJECT = "pegproof 2026 inject"
    TRANSCRIPT = "pegproof 2026 transcript"
    GRIND = "pegproof 2026 grind"
    OOD_LEAF = "pegproof 2026 ood leaf"
    AIR = "pegproof 2026 air"
    SEAL = "pegproof 2026 seal"
    INDICES = "pegproof 2026 indices"


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


def ood_root(openings: Sequence[Sequence[bytes]]) -> bytes:
    """Root of the tree over the columns' openings, neighbours paired, padded with zero digests.

    A leaf is four columns (fewer at the end) at one point, hashed under OOD_LEAF: what a constraint reads lies close
    together, so that a few leaves and their common path open it.

    Args:
        openings: by point, the columns' values; the points' trees, of one size, stand side by side.
    """
    level: list[bytes] = []
    for columns in openings:
        groups = [columns[i : i + OOD_LEAF_COLUMNS] for i in range(0, len(columns), OOD_LEAF_COLUMNS)]
        level += [digest(Context.OOD_LEAF, b"".join(group)) for group in groups]
        level += [ZERO_DIGEST] * ((1 << (len(groups) - 1).bit_length()) - len(groups))
    while len(level) > 1:
        level = [digest(Context.NODE, level[j] + level[j + 1]) for j in range(0, len(level), 2)]
    return level[0]
