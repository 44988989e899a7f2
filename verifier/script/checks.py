"""Flags about words in nibbles: what needs no product. None takes a hint.

Flags are for the chunk to combine: a disprover needs one that says "wrong". Where an input is a committed wire, a
nibble outside 0..15 has already failed in its Winternitz check, and a word of p or more convicts the operator by
`canonical`.
"""

from __future__ import annotations

from collections.abc import Sequence

from prover.field import P
from verifier.script.gadget import NIBBLES, TIMES_16, Item, Word, bring, nibble
from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.tracker import Name, Tracker


def canonical(t: Tracker, word: Word) -> Name:
    """[] -> [1 where the word is below p = 7f000001 (hexadecimal), else 0]. 22 bytes and 8 picks.

    Below p: the top byte plus (any other nibble not 0) is below 128.
    """
    top, low = nibble(NIBBLES - 1), nibble(NIBBLES - 2)
    total(t, [item for i, item in enumerate(word) if i not in (top, low)])
    t.replace(1, Op.OP_0NOTEQUAL)
    bring(t, word[top])
    t.replace(1, TIMES_16)
    bring(t, word[low])
    t.replace(2, Op.ADD)
    return t.replace(2, Op.ADD, number((P >> 24) + 1), Op.LESSTHAN)


def total(t: Tracker, items: Sequence[Item]) -> Name:
    """[] -> [the sum of the items]: of nibbles 0 where all are 0. Up to 4 bytes an item."""
    bring(t, items[0])
    for item in items[1:]:
        bring(t, item)
        t.replace(2, Op.ADD)
    return t.items[-1]
