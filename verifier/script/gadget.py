"""A piece of script that does not depend on where it stands: compiled once, spliced everywhere.

Words are eight nibbles in the order of `winternitz.nibbles` over their little-endian bytes: high half of
byte 0, low half of byte 0, and so on. Gadgets trust that nibbles are 0..15: Winternitz checks those of wires,
gadgets check those that they make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.tracker import Name, Tracker

NIBBLES: Final = 8
"""Nibbles of a word."""
BYTES: Final = 4
Word = Sequence[Name]

TIMES_16: Final = bytes([Op.DUP, Op.ADD]) * 4
TIMES_256: Final = bytes([Op.DUP, Op.ADD]) * 8
VERIFY_NIBBLE: Final = bytes([Op.DUP, Op.OP_0, Op.OP_16, Op.WITHIN, Op.VERIFY])
"""[x] -> [x]; fails unless 0 <= x < 16."""


@dataclass(frozen=True, slots=True)
class Gadget:
    """[hints, arguments] -> [results], wherever they lie; the alternative stack is left as it was.

    Attributes:
        code: the script.
        hints: witness items that it consumes; a bad one fails the script.
        arguments: items that it consumes copies of.
        results: items that it leaves.
    """

    code: bytes
    hints: int
    arguments: int
    results: int

    def apply(
        self, t: Tracker, arguments: Sequence[Name], hints: Sequence[Name] = (), keep: bool = True
    ) -> list[Name]:
        """[.. hints .. arguments ..] -> [.. arguments .. results], the first result on top.

        Hints are always moved. Size: that of the code, and up to 4 bytes for each hint and argument; nothing
        more where they are moved and lie on top in this order.

        Args:
            t: where to write.
            arguments: items; moved ones must be distinct.
            hints: items.
            keep: copies the arguments, otherwise moves them (half the items on the stack).

        Raises:
            ValueError: another number of hints or arguments.
        """
        if (len(hints), len(arguments)) != (self.hints, self.arguments):
            raise ValueError(
                f"{len(hints)} hints and {len(arguments)} arguments, "
                f"expected {self.hints} and {self.arguments}"
            )
        moved = [*hints, *(() if keep else arguments)]
        if moved != t.items[len(t) - len(moved) :]:
            for name in moved:
                t.roll(name)
        for name in arguments if keep else ():
            t.pick(name)
        t.emit(self.code)
        if self.hints + self.arguments:
            t.pop(self.hints + self.arguments)
        return [t.push() for _ in range(self.results)][::-1]


def high(word: Word, byte: int) -> Name:
    """The upper nibble of a byte of a word, byte 0 least."""
    return word[2 * byte]


def low(word: Word, byte: int) -> Name:
    """The lower nibble of a byte of a word."""
    return word[2 * byte + 1]


def drop(count: int) -> bytes:
    """[count items] -> []."""
    return bytes([Op.OP_2DROP]) * (count // 2) + bytes([Op.DROP]) * (count % 2)


def finish(t: Tracker, results: int) -> bytes:
    """Drops all that the tracker knows and brings the results from the alternative stack, the first on top."""
    t.emit(drop(len(t)), bytes([Op.FROMALTSTACK]) * results)
    return t.code


def signed_sum(t: Tracker, terms: Sequence[tuple[int, Name]]) -> Name:
    """[] -> [sum of sign x name]; 0 for no terms."""
    if not terms:
        return t.push(Op.OP_0)
    (sign, name), *others = terms
    t.pick(name)
    total = t.replace(1, *([Op.NEGATE] if sign < 0 else []))
    for sign, name in others:
        t.pick(name)
        total = t.replace(2, Op.ADD if sign > 0 else Op.SUB)
    return total


def verify_canonical_bytes(t: Tracker) -> None:
    """[r_0 r_1 r_2 r_3] -> []; fails unless the bytes are below p = 7f000001 (hexadecimal).

    Below p: r_3 <= 127, and where it is 127 the others are 0; that is r_3 + (any other not 0) < 128.
    """
    t.emit(Op.TOALTSTACK, Op.ADD, Op.ADD, Op.OP_0NOTEQUAL, Op.FROMALTSTACK, Op.ADD)
    t.emit(number(128), Op.LESSTHAN, Op.VERIFY)
    t.pop(4)
