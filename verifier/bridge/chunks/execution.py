"""A run of the Program on one proof: the value of every wire, whether or not the proof is right."""

from __future__ import annotations

from array import array
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from copy import copy

from prover.field import DEGREE, P
from prover.hashing import digest, to_bytes, to_words
from verifier.bridge.chunks.evaluate import run, value
from verifier.bridge.chunks.opening import MAIN, ChunkTree
from verifier.bridge.chunks.pieces import Wire as Run
from verifier.bridge.chunks.steps import Kind, Step
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.tree import Digits
from verifier.script.winternitz import nibbles
from verifier.stark.program import INSTRUCTION_WORDS, Code

Fault = tuple[int, Step]
"""A query or MAIN, and the check that fails there."""


class Replay:
    """`Execution`: what an honest operator commits for this proof. A query is run when somebody asks for it.

    Args:
        tree: whose wires.
        body: the proof's words, any: they need not be below p.
        public_values: the statement, any words.

    Raises:
        BridgeError: WORDS where there are more words or fewer than the tree reads, or one has more than 32 bits.
    """

    def __init__(self, tree: ChunkTree, body: Sequence[int], public_values: Sequence[int]) -> None:
        self.tree, self.lowered = tree, tree.lowered
        start, count = tree.program.public
        self._body = _words(body, tree.program.blocks[0].reads, "words")
        self.main: dict[int, int] = dict(enumerate(_words(public_values, count, "public values"), start))
        self._read(self.main, 0, 0)
        self._faults = [(MAIN, step) for step in self._unreadable_openings()]
        self._hash_openings()
        self._faults += self._run(0, self.main, MAIN)
        self._open()
        self._queries: dict[int, tuple[Mapping[int, int], list[Fault]]] = {}

    def changed(self, body: Sequence[int], query: int) -> Replay:
        """The run of a proof that differs from this one only in the words of a query."""
        other = copy(self)
        other._body = _words(body, len(self._body), "words")
        other._queries = {known: run for known, run in self._queries.items() if known != query}
        return other

    def find_faults(self) -> Iterator[Fault]:
        """What the verifier finds wrong, in its order; queries are run as they are reached. None in a right proof."""
        yield from self._faults
        for query in range(len(self.lowered.items)):
            yield from self._query(query)[1]

    @property
    def main_faults(self) -> list[Step]:
        """The checks of the main program that fail."""
        return [step for _, step in self._faults]

    @property
    def faults(self) -> list[Fault]:
        """All of them."""
        return list(self.find_faults())

    def query_of(self, place: int) -> int:
        """The query that reads a word of the body, or MAIN."""
        start, end = self._base(0), self._base(len(self.lowered.items))
        return (place - start) // (self._base(1) - start) if start <= place < end else MAIN

    def _query(self, query: int) -> tuple[Mapping[int, int], list[Fault]]:
        """A query's words, and its faults."""
        if query not in self._queries:
            own = {self.lowered.item: self.main[self.lowered.items[query]]}
            self._read(own, 1, self._base(query))
            memory = ChainMap(own, self.main)
            self._queries[query] = memory, self._run(1, memory, query)
        return self._queries[query]

    def _base(self, query: int) -> int:
        program = self.tree.program
        main = program.blocks[0].code
        at = next(at for at in range(0, len(main), INSTRUCTION_WORDS) if main[at] == Code.FOR_EACH)
        return main[at + 1] + query * program.blocks[main[at + 4]].reads

    def _read(self, memory: dict[int, int], block: int, base: int) -> None:
        body = self._body
        for unit, _ in self.lowered.data[block]:
            for word in unit:
                if word in self.lowered.offsets:
                    memory[word] = body[base + self.lowered.offsets[word]]
        if not block:
            for words in self.lowered.opening.leaves:
                memory.update((word, body[self.lowered.offsets[word]]) for word in words)

    def _unreadable_openings(self) -> Iterator[Step]:
        """Opened values that are not below p. No step of the main program checks it: every node's copy of one does."""
        for words in self.lowered.opening.leaves:
            for unit in (words[at : at + DEGREE] for at in range(0, len(words), DEGREE)):
                if any(self.main[word] >= P for word in unit):
                    yield Step(Kind.CANONICAL, (), (unit,))

    def _hash_openings(self) -> None:
        for context, words, out in self.lowered.opening.hashes:
            data = to_bytes(array("I", (value(word, self.main, self.lowered) for word in words)))
            self.main.update(zip(out, to_words(digest(context, data)), strict=True))

    def _open(self) -> None:
        """The nodes' own copies of the out-of-domain tree, and the chaining values inside its leaves."""
        copies = self.tree.partition.copy_of
        self.main.update({word: value(source, self.main, self.lowered) for word, source in copies.items()})
        inner = self.tree.partition.inner
        for chunks in self.tree.partition.chunks:
            for chunk in chunks:
                for step in chunk.steps:
                    if step.out and step.out[0] in inner:
                        self.main.update(zip(step.out, run(step, self.main, self.lowered)[0], strict=True))

    def _run(self, block: int, memory: dict[int, int] | ChainMap[int, int], query: int) -> list[Fault]:
        faults = []
        for step in self.lowered.blocks[block]:
            out, fault = run(step, memory, self.lowered)
            memory.update(zip(step.out, out, strict=True))
            if fault:
                faults.append((query, step))
        return faults

    def memory(self, query: int) -> Mapping[int, int]:
        """The words of a query, with the main program's behind them; of the main program alone for MAIN."""
        return self.main if query == MAIN else self._query(query)[0]

    def words(self, run_: Run, query: int) -> list[int]:
        """The values of a wire's words."""
        memory = self.memory(query)
        return [value(word, memory, self.lowered) for word in run_.words]

    def values(self, node: int) -> tuple[tuple[Digits, ...], ...]:
        """The node's wires, in the order and groups of `Node.wires`."""
        digits = iter([nibbles(to_bytes(self.words(*wire))) for wire in self.tree.runs[node]])
        return tuple(tuple(next(digits) for _ in group) for group in self.tree.nodes[node].wires)


def _words(values: Sequence[int], count: int, what: str) -> array[int]:
    """So many words.

    Raises:
        BridgeError: WORDS.
    """
    if len(values) != count:
        raise BridgeError(BridgeReason.WORDS, f"{len(values)} {what}, {count} are read")
    try:
        return array("I", values)
    except (OverflowError, TypeError) as error:
        raise BridgeError(BridgeReason.WORDS, f"{what}: {error}") from error
