"""Chunks that hash and compare: words as nibbles, as BLAKE3 takes them."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.bridge.chunks.chunk import MAX_STACK, Compiler
from verifier.bridge.chunks.pieces import NIBBLES, Wire
from verifier.bridge.chunks.steps import HASHING, Kind, Step, Words, undomain
from verifier.script.blake3 import compress, compress_wide
from verifier.script.checks import canonical, total
from verifier.script.gadget import TIMES_16, Item
from verifier.script.opcodes import Op
from verifier.script.tracker import Name

PACKED = 7
"""Nibbles of a packed item: 28 bits."""
BLAKE3_PEAK = 826
"""Items while a compression runs, its operands among them."""
WIDE_PEAK = 890
BLAKE3_OPERANDS = 192


class NibbleCompiler(Compiler):
    """Chunks that hash and compare."""

    def stow(self, wire: Wire, packed: bool) -> int:
        """Nibbles, or seven of them an item."""
        if packed:
            self.t.emit(*_pack_top(wire.digits))
            return -(-wire.digits // PACKED)
        self.t.emit(bytes([Op.TOALTSTACK]) * wire.digits)
        return wire.digits

    def step(self, index: int, step: Step) -> None:
        """By kind; then compares what is committed."""
        if step.kind in HASHING:
            self.compress(index, step)
        elif step.kind is Kind.EQUAL:
            for got, expected in zip(*map(self.pieces, step.args), strict=True):
                self.compare(got, expected)
        elif step.kind is Kind.ZERO:
            for word in step.args[0]:
                if word in self.lowered.light and self.lowered.light[word].kind is Kind.BIT:
                    self.push_bit(word)
                else:
                    self.total(self.of(word))
                    self.t.replace(1, Op.OP_0NOTEQUAL)
                self.raise_flag()
        elif step.kind is Kind.NOT_ALL_ZERO:
            self.total([item for word in step.args[0] for item in self.of(word)])
            self.t.replace(1, Op.NOT)
            self.raise_flag()
        else:
            for word in step.args[0]:
                canonical(self.t, self.of(word))
                self.note(2)
                self.t.replace(1, Op.NOT)
                self.raise_flag()
        for words, names in self.packed.items():
            if step.out and set(words) <= set(step.out):
                computed = [item for word in words for item in self.of(word)]
                for group, name in zip(_groups(computed), names, strict=True):
                    self.compare(group, name)

    def pieces(self, words: Words) -> list[Name | list[Item]]:
        """Groups of seven nibbles, or their packed items."""
        if words in self.packed:
            return list(self.packed[words])
        return list(_groups([item for word in words for item in self.of(word)]))

    def compare(self, got: Name | list[Item], expected: Name | list[Item]) -> None:
        """Raises the flag where they differ."""
        for side in (got, expected):
            if isinstance(side, int):
                self.t.pick(side)
            else:
                self.bring(side[-1], keep=True)
                for item in reversed(side[:-1]):
                    self.bring(item, keep=True)
                    self.t.pop()
                    self.t.emit(Op.SWAP, TIMES_16, Op.ADD)
            self.note(2)
        self.t.replace(2, Op.NUMNOTEQUAL)
        self.raise_flag()

    def total(self, items: Sequence[Item]) -> None:
        """[] -> [their sum]."""
        total(self.t, items)
        self.note(1)

    def compress(self, index: int, step: Step) -> None:
        """The operands to the other stack, the gadget, the digest's nibbles on top."""
        chaining, message = step.args
        counter, length, flags = undomain(step.number)
        constants = [self.lowered.constants.get(word) for word in chaining]
        self.to_alt(index, chaining)
        swap = self.swap(message)
        if swap is None:
            self.to_alt(index, message)
        else:
            bit, zero, one = swap
            for word in (*zero, *one):
                self.of(word)
            self.branches(bit, lambda: self.to_alt(index, one), lambda: self.to_alt(index, zero))
        self.bury(index)
        if step.kind is Kind.WIDE:
            words = tuple(word for word in constants if word is not None)
            code = compress_wide(words, counter, length, flags)
        else:
            code = compress(counter, length, flags)
        self.t.emit(code[BLAKE3_OPERANDS:])
        self.note(WIDE_PEAK if step.kind is Kind.WIDE else BLAKE3_PEAK)
        for word in step.out:
            self.values[word] = [self.t.push() for _ in range(NIBBLES)]

    def to_alt(self, index: int, words: Words) -> None:
        """Moves words to the other stack, the first nibble on its top; dead ones leave this one."""
        items = [(word, item) for word in words for item in self.of(word)]
        seen: set[Item] = set()
        doubles = {item for _, item in items if item in seen or seen.add(item)}  # type: ignore[func-returns-value]
        for word, item in reversed(items):
            self.bring(item, keep=not self.dead(word, index) or item in doubles)
            self.t.pop()
            self.t.emit(Op.TOALTSTACK)

    def bury(self, index: int) -> None:
        """Drops items that no later step reads, where the compression would need their room."""
        if len(self.t) + WIDE_PEAK <= MAX_STACK:
            return
        for word, items in list(self.values.items()):
            if self.dead(word, index) and word not in self.lowered.constants:
                for item in items:
                    if isinstance(item, int) and item in self.t.items:
                        self.t.roll(item)
                        self.t.pop()
                        self.t.emit(Op.DROP)
        for words, names in self.packed.items():
            live = any(not self.dead(word, index) for word in words) or any(
                set(words) & set(step.out) for step in self.chunk.steps[index:]
            )
            if not live:
                for name in names:
                    if name in self.t.items:
                        self.t.roll(name)
                        self.t.pop()
                        self.t.emit(Op.DROP)


def _groups(items: Sequence[Item]) -> list[list[Item]]:
    """Seven nibbles each, from the last on: the order in which `_pack_top` finds them."""
    ends = range(len(items), 0, -PACKED)
    return [list(items[max(end - PACKED, 0) : end]) for end in ends][::-1]


def _pack_top(digits: int) -> list[bytes | int]:
    """[m_0 .. m_{n-1}] -> [], alt [packed, the last group deepest]."""
    out: list[bytes | int] = []
    for end in range(digits, 0, -PACKED):
        size = min(PACKED, end)
        out += [bytes([*TIMES_16, Op.ADD]) * (size - 1), Op.TOALTSTACK]
    return out
