"""Words of four field elements, and the hash chain over them that every record of the ledger uses.

A u64 word has 16-bit limbs, least significant first; a raw word holds any elements. Plain Python, no numpy:
the verifier's public values are built from this.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.params import U32_LIMIT, U64_LIMIT
from prover.poseidon2 import P, compress

Word = tuple[int, int, int, int]
Digest = tuple[int, ...]
"""Eight canonical elements."""
Triple = tuple[Word, Word, Word]

ZERO_WORD: Final[Word] = (0, 0, 0, 0)
ZERO_DIGEST: Final[Digest] = (0,) * 8


def u64_word(value: int) -> Word:
    """The word of a number below 2^64."""
    return (value & 0xFFFF, value >> 16 & 0xFFFF, value >> 32 & 0xFFFF, value >> 48)


def pair_word(low: int, high: int) -> Word:
    """The word `low | high` of two u32 halves."""
    return (low & 0xFFFF, low >> 16, high & 0xFFFF, high >> 16)


def word_u64(word: Sequence[int], where: str = "word") -> int:
    """The number of a u64 word.

    Raises:
        CodecError: RANGE: a limb is not below 2^16.
    """
    a, b, c, d = word
    if not all(0 <= limb <= 0xFFFF for limb in word):
        raise CodecError(CodecReason.RANGE, where, "16-bit limbs", tuple(word))
    return a | b << 16 | c << 32 | d << 48


def word_pair(word: Sequence[int], where: str = "word") -> tuple[int, int]:
    """The halves (low, high) of a u64 word.

    Raises:
        CodecError: RANGE: a limb is not below 2^16.
    """
    value = word_u64(word, where)
    return value & 0xFFFFFFFF, value >> 32


def raw_words(digest: Digest) -> tuple[Word, Word]:
    """A digest as two raw words."""
    a, b, c, d, e, f, g, h = digest
    return (a, b, c, d), (e, f, g, h)


def bytes_words(data: bytes) -> tuple[Word, ...]:
    """Bytes, a multiple of 8, as u64 words (little-endian)."""
    return tuple(u64_word(value) for value in struct.unpack(f"<{len(data) // 8}Q", data))


def hash_step(tag: int, state: Digest, triple: Triple) -> Digest:
    """What one HASH instruction does: compress24(tag, state, three words) truncated to a digest."""
    a, b, c = triple
    return compress(24, (tag, *state, *a, *b, *c, 0, 0, 0), 8)


def hash_chain(tag: int, triples: Iterable[Triple], state: Digest = ZERO_DIGEST) -> Digest:
    """A chain of `hash_step` from `state`."""
    for triple in triples:
        state = hash_step(tag, state, triple)
    return state


def check_u32(name: str, value: int) -> None:
    """Refuse what is no u32.

    Raises:
        CodecError: RANGE.
    """
    if not 0 <= value < U32_LIMIT:
        raise CodecError(CodecReason.RANGE, name, "0..2^32-1", value)


def check_u64(name: str, value: int) -> None:
    """Refuse what is no u64.

    Raises:
        CodecError: RANGE.
    """
    if not 0 <= value < U64_LIMIT:
        raise CodecError(CodecReason.RANGE, name, "0..2^64-1", value)


def check_elements(name: str, elements: Sequence[int], length: int) -> None:
    """Refuse what is not `length` canonical field elements.

    Raises:
        CodecError: LENGTH or NOT_CANONICAL.
    """
    if len(elements) != length:
        raise CodecError(CodecReason.LENGTH, name, length, len(elements))
    if min(elements) < 0 or max(elements) >= P:
        raise CodecError(CodecReason.NOT_CANONICAL, name, "elements below p")
