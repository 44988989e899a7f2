"""A chunk as a tapscript: its wires checked, its steps run, and it spends if anything committed is wrong.

The witness holds the signatures of all wires that the chunk reads or writes, those checked first on top; then
the script computes on their nibbles and compares. What is only compared is kept packed, seven nibbles an item.

Whom malformed input convicts: a digit outside 0..15 cannot be (the Winternitz check reads a larger one as 15
and fails on a negative one, so a signature has one meaning); an element not below p convicts the operator, by
the leaf whose step checks it if it is the proof's, by the leaf that computes it otherwise; a wrong signature
fails the script and convicts nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from verifier.bridge.chunks.pieces import Chunk, Wire
from verifier.bridge.chunks.relations import relations
from verifier.bridge.chunks.steps import Kind, Lowered, Step, Words
from verifier.script.gadget import NIBBLES, Item, nibble
from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.tracker import Name, Tracker
from verifier.script.winternitz import LINK_BYTES, WinternitzKey, nibbles

MAX_STACK = 1_000


class ChunkError(ValueError):
    """A chunk has no tapscript."""


@dataclass(frozen=True)
class Shape:
    """A leaf without its keys: all chunks of one pattern share it.

    Attributes:
        code: the script with holes.
        holes: where the links go, in the order of the wires' links.
        peak_stack: most items at any step, by the builder's count.
        hints: items that the witness has below the signatures, the first taken on top.
    """

    code: bytes
    holes: tuple[int, ...]
    peak_stack: int
    hints: int

    def leaf(self, keys: Iterable[WinternitzKey]) -> bytes:
        """The tapscript.

        Args:
            keys: of the chunk's wires, in the order in which it checks them.
        """
        links = [link for key in keys for link in key.links]
        if len(links) != len(self.holes):
            raise ValueError(f"{len(links)} links for {len(self.holes)} holes")
        order, between = self._order
        parts = [b""] * (2 * len(links) + 1)
        parts[::2] = between
        parts[1::2] = [links[hole] for hole in order]
        return b"".join(parts)

    @cached_property
    def _order(self) -> tuple[list[int], list[bytes]]:
        """The holes as they follow each other in the script, and what is around them."""
        order = sorted(range(len(self.holes)), key=self.holes.__getitem__)
        starts = [self.holes[hole] for hole in order]
        ends = [start + LINK_BYTES for start in starts]
        between = [self.code[a:b] for a, b in zip([0, *ends], [*starts, len(self.code)], strict=True)]
        return order, between


def wires(chunk: Chunk) -> list[Wire]:
    """The chunk's wires in the order of its checks: the witness has them in reverse."""
    return [*chunk.writes, *chunk.reads]


def pattern(chunk: Chunk, lowered: Lowered) -> tuple[object, ...]:
    """Equal for chunks that differ in keys only."""
    names: dict[int, int] = {}

    def of(word: int) -> object:
        if word in lowered.constants:
            return (lowered.constants[word],)
        if word not in names:
            names[word] = len(names)
            if word in lowered.light:
                light = lowered.light[word]
                return names[word], light.kind, light.number, *(of(w) for arg in light.args for w in arg)
        return names[word]

    heads = tuple(tuple(of(word) for word in wire.words) for wire in wires(chunk))
    body = tuple(
        (
            step.kind,
            step.number,
            tuple(of(w) for w in step.out),
            tuple(tuple(map(of, arg)) for arg in step.args),
        )
        for step in chunk.steps
    )
    return len(chunk.writes), heads, body


class Compiler:
    """What both kinds of chunk share: wires, selections, the flag that something is wrong."""

    def __init__(self, chunk: Chunk, lowered: Lowered) -> None:
        self.chunk, self.lowered = chunk, lowered
        self.t = Tracker()
        self.relations = relations(chunk.steps, lowered)
        count = sum(relation.num_hints for relation in self.relations if relation)
        self.hints = [self.t.push() for _ in range(count)]
        self.hints.reverse()  # the first taken lies on top
        self.values: dict[int, list[Item]] = {}
        self.packed: dict[Words, list[Name]] = {}
        self.flag: Name | None = None
        self.peak = 0
        self.made = {word for step in chunk.steps for word in step.out}
        self.last_use: dict[int, int] = {}
        for index, step in enumerate(chunk.steps):
            self.last_use.update(dict.fromkeys(self.closure(step), index))
        compared = {word for step in chunk.steps if step.kind is Kind.EQUAL for word in step.reads}
        computed = {w for step in chunk.steps if step.kind is not Kind.EQUAL for w in self.closure(step)}
        self.compare_only = compared - computed - self.made

    def closure(self, step: Step) -> set[int]:
        """Words that the step touches, through its light ones."""
        todo, seen = step.reads, set[int]()
        while todo:
            word = todo.pop()
            if word not in seen and word not in self.lowered.constants:
                seen.add(word)
                if word in self.lowered.light:
                    todo += self.lowered.light[word].reads
        return seen

    def note(self, extra: int = 0) -> None:
        """Counts the items now, and `extra` above the tracked ones."""
        self.peak = max(self.peak, len(self.t) + extra)

    def run(self) -> Shape:
        """The script, its parts in order."""
        holes = self.check_wires()
        checked = len(self.t.code)
        for index, step in enumerate(self.chunk.steps):
            self.step(index, step)
        code = self.finish()
        positions = [code.index(hole, 0, checked) for hole in holes]
        if self.peak > MAX_STACK:
            raise ChunkError(f"{self.peak} items")
        return Shape(code, tuple(positions), self.peak, len(self.hints))

    # Wires

    def check_wires(self) -> list[bytes]:
        """Checks all signatures; values end on the main stack, what is only compared packed.

        Returns:
            What stands for the keys' links, in their order.
        """
        order = wires(self.chunk)
        signed = sum(2 * wire.links for wire in order)
        moved = 0
        holes: list[bytes] = []
        plans: list[tuple[Wire, bool, int]] = []
        for i, wire in enumerate(order):
            links = tuple(
                b"\xfe%c" % (i,) + b"hole" + (j).to_bytes(LINK_BYTES - 6, "big") for j in range(wire.links)
            )
            key = WinternitzKey(links, wire.digits)
            code = key.check()
            self.t.emit(code)
            holes += links
            self.peak = max(self.peak, len(self.hints) + signed + moved + 11)
            signed -= 2 * wire.links
            packed = self.is_packed(wire)
            count = self.stow(wire, packed)
            moved += count
            plans.append((wire, packed, count))
        for wire, packed, count in reversed(plans):
            names = [self.t.push(Op.FROMALTSTACK) for _ in range(count)]
            if packed:
                self.packed[wire.words] = names
            else:
                size = count // len(wire.words)
                for k, word in enumerate(wire.words):
                    self.values[word] = list(names[size * k : size * (k + 1)])
        self.note()
        return holes

    def stow(self, wire: Wire, packed: bool) -> int:
        """[digits] -> [], alt [items], the first on top; gives their number."""
        raise NotImplementedError

    def is_packed(self, wire: Wire) -> bool:
        """Whether a wire is kept apart, only to be compared."""
        if any(wire is written for written in self.chunk.writes):
            return True
        return set(wire.words) <= self.compare_only and any(
            step.kind is Kind.EQUAL and wire.words in step.args for step in self.chunk.steps
        )

    # Items

    def of(self, word: int) -> list[Item]:
        """The items of a word, those of a selection made now."""
        if word in self.lowered.constants:
            return [(digit,) for digit in nibbles(self.lowered.constants[word].to_bytes(4, "little"))]
        if word not in self.values:
            light = self.lowered.light[word]
            names = self.choose(light.out)
            if len(names) != NIBBLES * len(light.out):
                raise ChunkError("a choice of what is not nibbles")
            for k, out in enumerate(light.out):
                self.values[out] = list(names[NIBBLES * k : NIBBLES * (k + 1)])
        return self.values[word]

    def bring(self, item: Item, keep: bool) -> None:
        """Puts a nibble on top, its name gone."""
        if isinstance(item, tuple):
            self.t.push(number(item[0]))
        elif keep:
            self.t.pick(item)
        else:
            self.t.roll(item)
        self.note()

    def dead(self, word: int, index: int) -> bool:
        """Whether no later step reads the word."""
        return self.last_use.get(word, -1) <= index

    def push_bit(self, bit: int) -> None:
        """[] -> [0 or 1]: a bit of a word; copies, never consumes."""
        if bit in self.lowered.constants:
            self.t.push(number(self.lowered.constants[bit]))
            return
        light = self.lowered.light[bit]
        number_of, place = divmod(light.number, 4)
        self.bring(self.of(light.args[0][0])[nibble(number_of)], keep=True)
        for higher in range(3, place, -1):
            value = number(1 << higher)
            self.t.emit(Op.DUP, value, Op.GREATERTHANOREQUAL, Op.IF, value, Op.SUB, Op.ENDIF)
        self.t.emit(number(1 << place), Op.GREATERTHANOREQUAL)
        self.note(2)

    def branches(self, bit: int, one: Callable[[], None], zero: Callable[[], None]) -> None:
        """Runs either; both must leave the same items, named by the second."""
        self.push_bit(bit)
        self.t.pop()
        self.t.emit(Op.IF)
        items = list(self.t.items)
        one()
        self.t.items = items
        self.t.emit(Op.ELSE)
        zero()
        self.t.emit(Op.ENDIF)

    def choose(self, words: Words) -> list[Name]:
        """[] -> [copies]: the words, selections among selections as nested branches."""
        swap = self.swap(words)
        if swap is None:
            first = len(self.t)
            for word in words:
                for item in self.of(word):
                    self.bring(item, keep=True)
            return self.t.items[first:]
        bit, zero, one = swap
        self.prepare(words)
        names: list[Name] = []
        self.branches(bit, lambda: names.extend(self.choose(one)), lambda: names.extend(self.choose(zero)))
        return names[len(names) // 2 :]

    def prepare(self, words: Words) -> None:
        """Makes, before any branch, what is not chosen inside it."""
        swap = self.swap(words)
        if swap is None:
            for word in words:
                self.of(word)
        else:
            self.prepare(swap[1])
            self.prepare(swap[2])

    def swap(self, words: Words) -> tuple[int, Words, Words] | None:
        """(bit, words where it is 0, where it is 1) if all are selections by one bit."""
        lights = [self.lowered.light.get(word) for word in words]
        if any(light is None or light.kind is not Kind.SELECT for light in lights):
            return None
        steps = [light for light in lights if light is not None]
        if len({step.args[0] for step in steps}) != 1:
            return None
        zero, one = [], []
        for word, light in zip(words, steps, strict=True):
            place = light.out.index(word)
            zero.append(light.args[1][place])
            one.append(light.args[2][place])
        return steps[0].args[0][0], tuple(zero), tuple(one)

    def step(self, index: int, step: Step) -> None:
        """Writes a step."""
        raise NotImplementedError

    def raise_flag(self) -> None:
        """[.. flag .. x] -> [.. flag or x]."""
        top = self.t.items[-1]
        if self.flag is not None:
            self.t.roll(self.flag)
            top = self.t.replace(2, Op.BOOLOR)
        self.flag = top

    def finish(self) -> bytes:
        """Only the flag is left."""
        if self.flag is None:
            raise ChunkError("nothing is compared")
        self.t.roll(self.flag)
        left = len(self.t) - 1
        self.t.emit(Op.TOALTSTACK, bytes([Op.OP_2DROP]) * (left // 2), bytes([Op.DROP]) * (left % 2))
        self.t.emit(Op.FROMALTSTACK)
        return self.t.code
