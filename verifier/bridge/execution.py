"""A run of the Program on one proof: the value of every wire, whether or not the proof is right."""

from __future__ import annotations

from array import array
from collections import ChainMap
from collections.abc import Mapping, Sequence
from copy import copy

from prover.hashing import digest, to_bytes, to_words
from verifier.bridge.evaluate import run, value
from verifier.bridge.opening import MAIN, ChunkTree
from verifier.bridge.pieces import Wire as Run
from verifier.bridge.tree import Digits
from verifier.script.winternitz import nibbles
from verifier.stark.program import INSTRUCTION_WORDS, Code


class Replay:
    """`Execution`: what an honest operator commits for this proof.

    Args:
        tree: whose wires.
        body: the proof's words.
        public_values: the statement.
    """

    def __init__(self, tree: ChunkTree, body: Sequence[int], public_values: Sequence[int]) -> None:
        self.tree, self.lowered = tree, tree.lowered
        start, _ = tree.program.public
        self.main: dict[int, int] = dict(enumerate(public_values, start))
        self.faults: list[tuple[int, int]] = []
        """(query or MAIN, step) that found fault: none in an accepted proof."""
        self._read(self.main, 0, 0, body)
        self._hash_openings()
        self._run(0, self.main, MAIN)
        self._open()
        self.queries: list[Mapping[int, int]] = []
        for query in range(len(self.lowered.items)):
            self.queries.append(self._query(query, body))

    def changed(self, body: Sequence[int], query: int) -> Replay:
        """The run of a proof that differs from this one only in the words of a query."""
        other = copy(self)
        other.faults = [fault for fault in self.faults if fault[0] != query]
        other.queries = list(self.queries)
        other.queries[query] = other._query(query, body)
        return other

    def query_of(self, place: int) -> int:
        """The query that reads a word of the body, or MAIN."""
        start, end = self._base(0), self._base(len(self.lowered.items))
        return (place - start) // (self._base(1) - start) if start <= place < end else MAIN

    def _query(self, query: int, body: Sequence[int]) -> Mapping[int, int]:
        memory = {self.lowered.item: self.main[self.lowered.items[query]]}
        self._read(memory, 1, self._base(query), body)
        self._run(1, ChainMap(memory, self.main), query)
        return ChainMap(memory, self.main)

    def _base(self, query: int) -> int:
        program = self.tree.program
        main = program.blocks[0].code
        at = next(at for at in range(0, len(main), INSTRUCTION_WORDS) if main[at] == Code.FOR_EACH)
        return main[at + 1] + query * program.blocks[main[at + 4]].reads

    def _read(self, memory: dict[int, int], block: int, base: int, body: Sequence[int]) -> None:
        for unit, _ in self.lowered.data[block]:
            for word in unit:
                if word in self.lowered.offsets:
                    memory[word] = body[base + self.lowered.offsets[word]]
        if not block:
            for words in self.lowered.opening.leaves:
                memory.update((word, body[self.lowered.offsets[word]]) for word in words)

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

    def _run(self, block: int, memory: dict[int, int] | ChainMap[int, int], query: int) -> None:
        for index, step in enumerate(self.lowered.blocks[block]):
            out, fault = run(step, memory, self.lowered)
            memory.update(zip(step.out, out, strict=True))
            if fault:
                self.faults.append((query, index))

    def words(self, run_: Run, query: int) -> list[int]:
        """The values of a wire's words."""
        memory = self.main if query == MAIN else self.queries[query]
        return [value(word, memory, self.lowered) for word in run_.words]

    def values(self, node: int) -> tuple[tuple[Digits, ...], ...]:
        """The node's wires, in the order and groups of `Node.wires`."""
        digits = iter([nibbles(to_bytes(self.words(*wire))) for wire in self.tree.runs[node]])
        return tuple(tuple(next(digits) for _ in group) for group in self.tree.nodes[node].wires)
