"""Words: four field elements; a u64 word has four 16-bit limbs, least significant first (docs/machine.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Word = tuple[int, int, int, int]
"""Four canonical field elements."""
Cell = tuple[Word, Word, Word, Word, Word]
"""The five words of a ledger cell."""

ZERO: Final[Word] = (0, 0, 0, 0)
EMPTY_CELL: Final[Cell] = (ZERO, ZERO, ZERO, ZERO, ZERO)
LIMB_LIMIT: Final = 1 << 16
U32_LIMIT: Final = 1 << 32
U64_LIMIT: Final = 1 << 64


def word_from_int(value: int) -> Word:
    """The u64 word of an integer.

    Args:
        value: In [0, 2^64).

    Raises:
        ValueError: The value does not fit.
    """
    if not 0 <= value < U64_LIMIT:
        raise ValueError(f"{value} is no u64")
    return value & 0xFFFF, value >> 16 & 0xFFFF, value >> 32 & 0xFFFF, value >> 48


def is_u64(word: Sequence[int]) -> bool:
    """Whether every limb is below 2^16."""
    return all(0 <= limb < LIMB_LIMIT for limb in word)


def int_from_word(word: Sequence[int]) -> int:
    """The integer of a u64 word.

    Raises:
        ValueError: The word is raw: a limb does not fit 16 bits.
    """
    if not is_u64(word):
        raise ValueError(f"{tuple(word)} is no u64 word")
    return word[0] | word[1] << 16 | word[2] << 32 | word[3] << 48


def pack(low: int, high: int) -> Word:
    """The word `low | high` of two u32 halves.

    Raises:
        ValueError: A half does not fit.
    """
    if not (0 <= low < U32_LIMIT and 0 <= high < U32_LIMIT):
        raise ValueError(f"{low} | {high}: not two u32")
    return word_from_int(low | high << 32)


def raw_word(elements: Sequence[int]) -> Word:
    """Four elements as a word.

    Raises:
        ValueError: Not four.
    """
    first, second, third, fourth = elements
    return first, second, third, fourth
