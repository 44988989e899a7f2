"""Arithmetic chunks: sums of products of KoalaBear words, `verifier.script.bilinear`."""

from __future__ import annotations

from itertools import islice

from verifier.bridge.chunks.chunk import ChunkError, Compiler, Shape
from verifier.bridge.chunks.nibbles import NibbleCompiler
from verifier.bridge.chunks.pieces import Chunk, Wire
from verifier.bridge.chunks.relations import ONE, in_nibbles
from verifier.bridge.chunks.steps import CHECKS, HASHING, Kind, Lowered, Step
from verifier.script.bilinear import SPLIT_HINTS, Arithmetic
from verifier.script.gadget import NIBBLES, TIMES_16, Halves, Word
from verifier.script.opcodes import Op
from verifier.script.tracker import Name

_HALF = bytes([Op.SWAP, *TIMES_16, Op.ADD, *TIMES_16, Op.ROT, Op.ADD, *TIMES_16, Op.ADD])
"""[h_0 l_0 h_1 l_1] -> [16 bits], byte 1 the upper one."""


def compile_chunk(chunk: Chunk, lowered: Lowered) -> Shape:
    """The chunk's script.

    Raises:
        ChunkError: more than 1,000 items.
    """
    hashes = chunk.steps[0].kind in HASHING | CHECKS
    return (NibbleCompiler if hashes else FieldCompiler)(chunk, lowered).run()


class FieldCompiler(Compiler):
    """Chunks that calculate: a word is nibbles where its nibbles are used, halves of 16 bits otherwise.

    Results that are compared, or split into nibbles, are below p; of others the residue is all that matters.
    """

    def __init__(self, chunk: Chunk, lowered: Lowered) -> None:
        super().__init__(chunk, lowered)
        self.field = Arithmetic(self.t)
        self.nibbled = in_nibbles(self.relations, lowered)
        self.half: dict[int, Halves] = {}
        self.split: dict[int, Word] = {}
        self.taken = iter(self.hints)
        split = {word for relation in self.relations if relation for word in relation.split}
        self.exact = split.union(*(wire.words for wire in chunk.writes))

    def take(self, count: int) -> list[Name]:
        """The next hints."""
        return list(islice(self.taken, count))

    def stow(self, wire: Wire, packed: bool) -> int:
        """[digits] -> [], alt [items]."""
        if not packed and self.nibbled & set(wire.words):
            self.t.emit(bytes([Op.TOALTSTACK]) * wire.digits)
            return wire.digits
        self.t.emit((_HALF + bytes([Op.TOALTSTACK])) * (2 * len(wire.words)))
        return 2 * len(wire.words)

    def halves(self, word: int) -> Halves:
        """A word's halves, made once."""
        if word in self.lowered.constants:
            value = self.lowered.constants[word]
            return (value & 0xFFFF,), (value >> 16,)
        if word not in self.half:
            own = self.of(word)
            self.half[word] = self.field.halves(own) if len(own) == NIBBLES else own
        return self.half[word]

    def nibbles(self, word: int) -> Word:
        """A word's nibbles."""
        own = self.split.get(word) or self.of(word)
        if len(own) != NIBBLES:
            raise ChunkError("halves where nibbles are needed")
        return own

    def step(self, index: int, step: Step) -> None:
        """Puts the result's halves on top, then compares them where they are committed."""
        relation = self.relations[index]
        if relation is None:
            raise ChunkError(f"{step.kind} among arithmetic")
        for word in relation.split:
            self.split[word] = self.field.split(self.halves(word), self.take(SPLIT_HINTS))
        inverse = step.kind is Kind.INVERSE
        if inverse:
            self.values.update((word, list(self.field.element(self.take(2)))) for word in step.out)
        columns, addends = (list(map(self.halves, words)) for words in (relation.columns, relation.addends))
        digits = list(map(self.nibbles, relation.digits))
        hints = self.take((1 if inverse else 3) * len(relation.spec.sums))
        expected = ONE if inverse else ()
        results = self.field.sums(
            relation.spec,
            columns,
            digits,
            addends,
            hints,
            shared=relation.shared,
            expected=expected,
            canonical=not self.exact.isdisjoint(step.out),
        )
        self.peak = max(self.peak, self.field.peak)
        if not inverse:
            self.values.update((word, list(halves)) for word, halves in zip(step.out, results, strict=True))
        for words, names in self.packed.items():
            if set(words) <= set(step.out):
                computed = [half for word in words for half in self.halves(word)]
                for half, name in zip(computed, names, strict=True):
                    self.bring(half, keep=True)
                    self.t.roll(name)
                    self.t.replace(2, Op.NUMNOTEQUAL)
                    self.raise_flag()
