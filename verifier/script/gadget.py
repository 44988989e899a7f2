"""Words on a stack.

A word is eight nibbles in the order of `winternitz.nibbles` over its little-endian bytes: high half of byte 0, low
half of byte 0, and so on; or two halves of 16 bits, the low one first. Nibbles are trusted to be 0..15: Winternitz
checks those of wires, whoever makes others checks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.tracker import Tracker

NIBBLES: Final = 8
"""Of a word."""
Item = int | tuple[int]
"""The name of an item, or the value of a constant in a tuple of one."""
Word = Sequence[Item]
"""Eight nibbles."""
Halves = Sequence[Item]
"""Low and high half."""

TIMES_16: Final = bytes([Op.DUP, Op.ADD]) * 4
VERIFY_NIBBLE: Final = bytes([Op.DUP, Op.OP_0, Op.OP_16, Op.WITHIN, Op.VERIFY])
"""[x] -> [x]; fails unless 0 <= x < 16."""


def nibble(place: int) -> int:
    """Where the nibble of a place, 0 least, stands in a word."""
    return place ^ 1


def pick(depth: int) -> bytes:
    """[x ..] -> [x .. x]: a copy of an item with `depth` items above it."""
    short = {0: bytes([Op.DUP]), 1: bytes([Op.OVER])}
    return short.get(depth, number(depth) + bytes([Op.PICK]))


def bring(t: Tracker, item: Item) -> None:
    """[] -> [a copy of an item]."""
    if isinstance(item, tuple):
        t.push(number(item[0]))
    else:
        t.pick(item)


def drop(count: int) -> bytes:
    """[count items] -> []."""
    return bytes([Op.OP_2DROP]) * (count // 2) + bytes([Op.DROP]) * (count % 2)
