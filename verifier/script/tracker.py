"""Knows at build time where each item lies, so that a gadget names items and not depths."""

from __future__ import annotations

from verifier.script.opcodes import Op
from verifier.script.script import number

Name = int
"""An item; names are never used twice."""


class Tracker:
    """Writes a script and follows the items above some point of the stack, top last."""

    def __init__(self) -> None:
        self.items: list[Name] = []
        self._parts: list[bytes] = []
        self._next = 0

    @property
    def code(self) -> bytes:
        """What was written so far."""
        return b"".join(self._parts)

    def __len__(self) -> int:
        return len(self.items)

    def emit(self, *parts: bytes | int) -> None:
        """Writes opcodes that leave the known items where they are (or whose effect the caller records)."""
        self._parts += (bytes((part,)) if isinstance(part, int) else part for part in parts)

    def push(self, *parts: bytes | int) -> Name:
        """[] -> [new]: writes what puts one new item on top."""
        self.emit(*parts)
        self._next += 1
        self.items.append(self._next)
        return self._next

    def pop(self, count: int = 1) -> None:
        """Records that the top items are gone."""
        del self.items[-count:]

    def depth(self, name: Name) -> int:
        """How many items lie above it."""
        return len(self.items) - 1 - self.items.index(name)

    def pick(self, name: Name) -> None:
        """[.. x ..] -> [.. x .. x]; the copy has no name that outlives the next operation."""
        depth = self.depth(name)
        short = {0: bytes([Op.DUP]), 1: bytes([Op.OVER])}
        self.push(short.get(depth, number(depth) + bytes([Op.PICK])))

    def roll(self, name: Name) -> None:
        """[.. x ..] -> [.. .. x]."""
        depth = self.depth(name)
        short = {0: b"", 1: bytes([Op.SWAP]), 2: bytes([Op.ROT])}
        self.emit(short.get(depth, number(depth) + bytes([Op.ROLL])))
        self.items.remove(name)
        self.items.append(name)

    def replace(self, count: int, *parts: bytes | int) -> Name:
        """[x_1 .. x_count] -> [new]: an operation on the top items."""
        self.pop(count)
        return self.push(*parts)
