"""Words as flags, bits and choices: what needs no product. None takes a hint.

Flags are for the chunk to combine: a disprover needs one that says "wrong". Where an input is a committed
wire, a nibble outside 0..15 has already failed in its Winternitz check, and a word of p or more convicts the
operator by `canonical`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from prover.field import DEGREE
from verifier.script.bilinear import HINTS, reduce, reduction_hints
from verifier.script.gadget import BYTES, NIBBLES, TIMES_16, Gadget, Word, finish, high, low
from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.tracker import Name, Tracker

_BITS: Final = 4
"""Of a nibble."""
_CHALLENGE: Final = (
    ((0, 1), (4, -2), (5, -4), (6, -8), (7, -16)),
    ((1, 1), (5, -2), (6, -4), (7, -8)),
    ((2, 1), (6, -2), (7, -4)),
    ((3, 1), (4, 2), (5, 4), (6, 8), (7, 14)),
)
"""(byte i, weight) of d_0..d_3 of a 64-bit word: B^4 = 2 B^3 - 2 mod p, applied to B^4..B^7."""


def canonical(t: Tracker, word: Word) -> Name:
    """[] -> [1 where the word is below p = 7f000001 (hexadecimal), else 0]. 22 bytes and 8 picks.

    Below p: the top byte plus (any other nibble not 0) is below 128.
    """
    others = [name for byte in range(BYTES - 1) for name in (high(word, byte), low(word, byte))]
    t.pick(others[0])
    for name in others[1:]:
        t.pick(name)
        t.replace(2, Op.ADD)
    t.replace(1, Op.OP_0NOTEQUAL)
    t.pick(high(word, BYTES - 1))
    t.replace(1, TIMES_16)
    t.pick(low(word, BYTES - 1))
    t.replace(2, Op.ADD)
    return t.replace(2, Op.ADD, number(128), Op.LESSTHAN)


def equal(t: Tracker, got: Sequence[Name], expected: Sequence[Name]) -> Name:
    """[] -> [1 where all items are equal numbers, else 0]. Up to 8 bytes a pair.

    Raises:
        ValueError: none, or not as many of both.
    """
    if not got or len(got) != len(expected):
        raise ValueError(f"{len(got)} items against {len(expected)}")
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        t.pick(a)
        t.pick(b)
        t.replace(2, Op.NUMEQUAL)
        if i:
            t.replace(2, Op.BOOLAND)
    return t.items[-1]


def zero(t: Tracker, items: Sequence[Name]) -> Name:
    """[] -> [1 where all items, none negative, are 0, else 0]. Up to 4 bytes an item."""
    t.push(Op.OP_0)
    for name in items:
        t.pick(name)
        t.replace(2, Op.ADD)
    return t.replace(1, Op.NOT)


def bits(t: Tracker, word: Word, count: int) -> list[Name]:
    """[] -> [bits of the low nibbles]; the names of the low `count` bits, lowest first.

    Size: up to 28 bytes a nibble. Leaves four items a nibble, 0 or 1.
    """
    found: list[Name] = []
    for i in range(-(-count // _BITS)):
        t.pick(high(word, i // 2) if i % 2 else low(word, i // 2))
        t.pop()
        row = []
        for bit in reversed(range(1, _BITS)):
            # [n] -> [n >= 2^bit, n mod 2^bit]
            weight = number(1 << bit)
            t.emit(Op.DUP, weight, Op.GREATERTHANOREQUAL, Op.TUCK, Op.IF, weight, Op.SUB, Op.ENDIF)
            row.append(t.push())
        row.append(t.push())
        found += reversed(row)
    return found[:count]


def select(t: Tracker, bit: Name, if_zero: Sequence[Name], if_one: Sequence[Name]) -> list[Name]:
    """[] -> [copies of one of two rows]; a bit that is not 0 or 1 fails the script. Up to 8 bytes an item.

    Raises:
        ValueError: rows of different length.
    """
    if len(if_zero) != len(if_one):
        raise ValueError(f"select between {len(if_zero)} and {len(if_one)} items")
    t.pick(bit)
    t.pop()
    t.emit(Op.IF)
    for name in if_one:
        t.pick(name)
    t.pop(len(if_one))
    t.emit(Op.ELSE)
    for name in if_zero:
        t.pick(name)
    t.emit(Op.ENDIF)
    return t.items[len(t) - len(if_zero) :]


@cache
def challenge() -> Gadget:
    """[8 hints, low word, high word] -> [word]: a 64-bit word mod p.

    A malformed hint fails the script. Range: |d_i| <= 31 x 255.
    """
    t = Tracker()
    hints = [t.push() for _ in range(HINTS)]
    words = [[t.push() for _ in range(NIBBLES)] for _ in range(2)]
    values = []
    for i in range(2 * BYTES):
        t.pick(high(words[i // BYTES], i % BYTES))
        t.replace(1, TIMES_16)
        t.pick(low(words[i // BYTES], i % BYTES))
        values.append(t.replace(2, Op.ADD))
    d = []
    for (byte, _), *others in _CHALLENGE:
        t.pick(values[byte])
        total = t.items[-1]
        for i, weight in others:
            t.pick(values[i])
            t.replace(1, _times(abs(weight)))
            total = t.replace(2, Op.ADD if weight > 0 else Op.SUB)
        d.append(total)
    reduce(t, d, hints)
    return Gadget(finish(t, NIBBLES), HINTS, 2 * NIBBLES, NIBBLES)


def _times(weight: int) -> bytes:
    """[x] -> [weight x]; 14 is 16 - 2."""
    if weight == 14:
        return bytes([Op.DUP, Op.ADD, Op.DUP]) + bytes([Op.DUP, Op.ADD]) * 3 + bytes([Op.SWAP, Op.SUB])
    return bytes([Op.DUP, Op.ADD]) * (weight.bit_length() - 1)


def challenge_hints(block: Sequence[int]) -> tuple[int, ...]:
    """The hints of the six reductions of CHALLENGE, eight each, for the first 12 words of a block."""
    found: list[int] = []
    for k in range(DEGREE):
        value = block[2 * k] + (block[2 * k + 1] << 32)
        d = [sum(weight * (value >> 8 * i & 255) for i, weight in row) for row in _CHALLENGE]
        found += reduction_hints(d)
    return tuple(found)
