"""Arithmetic chunks: KoalaBear on bytes over the table of `verifier.script.koalabear`."""

from __future__ import annotations

from prover.field import DEGREE
from verifier.bridge.chunk import Compiler, Item, Shape
from verifier.bridge.nibbles import NibbleCompiler
from verifier.bridge.pieces import Chunk, Wire
from verifier.bridge.relations import CHALLENGE_QUOTIENTS, Relation, inverse_relations, relations
from verifier.bridge.steps import CHECKS, HASHING, Kind, Lowered, Step
from verifier.script.koalabear import BYTES, Arithmetic, Element
from verifier.script.opcodes import Op

_PAIR_TO_BYTE = bytes([Op.SWAP, *[Op.DUP, Op.ADD] * 4, Op.ADD])
_ONE = [(1,), (0,), (0,), (0,)]


def compile_chunk(chunk: Chunk, lowered: Lowered) -> Shape:
    """The chunk's script.

    Raises:
        ChunkError: more than 1,000 items.
    """
    hashes = chunk.steps[0].kind in HASHING | CHECKS
    return (NibbleCompiler if hashes else ByteCompiler)(chunk, lowered).run()


class ByteCompiler(Compiler):
    """Chunks that calculate. Wires become bytes at once; the table is pushed after them."""

    bits = 8

    def run(self) -> Shape:
        """The script."""
        self.field = Arithmetic(self.t, self.hints)
        return super().run()

    def digits(self, value: int) -> list[int]:
        """Bytes."""
        return list(value.to_bytes(BYTES, "little"))

    def item_of_bit(self, items: list[Item], place: int) -> tuple[Item, int]:
        """By byte."""
        return items[place // 8], place % 8

    def stow(self, wire: Wire, packed: bool) -> int:
        """[digits] -> [], alt [bytes]."""
        self.t.emit((_PAIR_TO_BYTE + bytes([Op.TOALTSTACK])) * (wire.digits // 2))
        return wire.digits // 2

    def check_wires(self) -> list[bytes]:
        """The same, then the table, then what will be read above it."""
        holes = super().check_wires()
        self.field.open_table()
        for items in self.values.values():
            for item in items:
                if isinstance(item, int):
                    self.t.roll(item)
        self.note()
        return holes

    def step(self, index: int, step: Step) -> None:
        """Puts the result's bytes on top, then compares them where they are committed."""
        args = [[self.of(word) for word in arg] for arg in step.args]
        results: list[Element]
        if step.kind is Kind.CHALLENGE:
            (block,) = args
            results = [
                self.field.reduce((), ((1, block[2 * i] + block[2 * i + 1]),), CHALLENGE_QUOTIENTS)
                for i in range(DEGREE)
            ]
        elif step.kind is Kind.INVERSE:
            results = [self.field.take_element() for _ in range(DEGREE)]
            for k, relation in enumerate(inverse_relations(args[0], results)):
                terms = (*relation.terms, *([(-1, _ONE)] if k == 0 else []))
                self.field.reduce(relation.products, terms, relation.quotients, [(0,)] * BYTES)
        else:
            results = [self.reduce(relation) for relation in relations(step.kind, args, step.number)]
        self.peak = max(self.peak, self.field.peak)
        for word, result in zip(step.out, results, strict=True):
            self.values[word] = list(result)
        for words, names in self.packed.items():
            if set(words) <= set(step.out):
                computed = [item for word in words for item in self.values[word]]
                for item, name in zip(computed, names, strict=True):
                    self.bring(item, keep=True)
                    self.t.roll(name)
                    self.t.replace(2, Op.NUMNOTEQUAL)
                    self.raise_flag()

    def reduce(self, relation: Relation[list[Item]]) -> Element:
        """A coordinate; products by the constant 1 are terms."""
        products, terms = [], list(relation.terms)
        for sign, x, y in relation.products:
            if x == _ONE or y == _ONE:
                terms.append((sign, y if x == _ONE else x))
            else:
                products.append((sign, x, y))
        return self.field.reduce(products, terms, relation.quotients)
