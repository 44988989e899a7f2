"""The opening tree of a verifying key: nodes, wires and leaves of its verifier's Program, for the game."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from prover.key import VerifyingKey
from verifier.bridge.chunks.arithmetic import compile_chunk
from verifier.bridge.chunks.chunk import Shape, pattern, wires
from verifier.bridge.chunks.lower import lower
from verifier.bridge.chunks.partition import partition
from verifier.bridge.chunks.pieces import GROUP, GROUP_QUERIES, QUERY, Chunk, Partition, Path
from verifier.bridge.chunks.pieces import Wire as Run
from verifier.bridge.chunks.steps import Lowered
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.tree import Node, Wire
from verifier.script.winternitz import WinternitzKey
from verifier.stark.program import Program, record

MAX_GROUP_LINKS = 490
"""Links that one input of a Reveal checks: two items each, of 1,000 at start."""
MAIN = -1
"""In place of a query's number: the main program."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A chunk of the main program or of one query."""

    chunk: Chunk
    query: int


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Millions of objects that all stay: looking for garbage among them takes longer than making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class ChunkTree:
    """`OpeningTree` over a Program; shapes are compiled when first asked for.

    Args:
        program: a recorded verifier.
        known: place of a public value -> what set-up knows it to be (`statement.known_state`).
    """

    def __init__(self, program: Program, known: Mapping[int, int] | None = None) -> None:
        self.program = program
        with _no_garbage():
            self._build_all(program, known)

    def _build_all(self, program: Program, known: Mapping[int, int] | None) -> None:
        self.lowered: Lowered = lower(program, known)
        self.partition: Partition = partition(self.lowered)
        self._shapes: dict[int, Shape] = {}
        self._patterns: dict[object, int] = {}
        self._pattern_of: dict[int, int] = {}
        self._index: dict[Path, int] = {}
        self.runs: list[list[tuple[Run, int]]] = []
        """By node: its wires as runs of words, and whose query's."""
        self.leaves: list[list[Leaf]] = []
        """By node."""
        self._names: dict[tuple[int, int], str] = {}
        self.nodes: Sequence[Node] = self._build()

    @classmethod
    def of(cls, key: VerifyingKey, known: Mapping[int, int] | None = None) -> ChunkTree:
        """The tree of a key, and of what is known of the statement."""
        return cls(record(key), known)

    @cached_property
    def num_queries(self) -> int:
        """How often the query's chunks are repeated."""
        return len(self.lowered.items)

    @cached_property
    def claim(self) -> Wire:
        """The transcript's state after key and statement.

        Raises:
            BridgeError: NO_CLAIM where there are no public values.
        """
        words = self.lowered.claim
        if not words:
            raise BridgeError(BridgeReason.NO_CLAIM)
        run = next(run for run in self.partition.wires[0] if run.words == words)
        return Wire(self._names[id(run), MAIN], run.digits)

    # Structure

    def _instances(self) -> Iterator[tuple[int, int]]:
        """(block, query) of every instance."""
        yield 0, MAIN
        if len(self.lowered.blocks) > 1:
            for query in range(self.num_queries):
                yield 1, query

    def _place(self, path: Path, query: int) -> Path:
        """A path of the partition in the tree: queries numbered, the root's children in groups."""
        if not path:
            return ("root",)
        if path[0] == GROUP:
            return ("root", self._group(int(path[1])), *path[2:])
        if path[0] != QUERY:
            return ("root", *path)
        return ("root", self._group(query // GROUP_QUERIES), f"query {query}", *path[1:])

    def _group(self, number: int) -> str:
        first = number * GROUP_QUERIES
        return f"queries {first} to {min(first + GROUP_QUERIES, self.num_queries) - 1}"

    def _build(self) -> list[Node]:
        paths: dict[Path, tuple[list[tuple[Run, int]], list[Leaf]]] = {("root",): ([], [])}

        def at(path: Path) -> tuple[list[tuple[Run, int]], list[Leaf]]:
            for size in range(1, len(path) + 1):
                paths.setdefault(path[:size], ([], []))
            return paths[path]

        for block, query in self._instances():
            for run in self.partition.wires[block]:
                at(self._place(run.path, query))[0].append((run, query))
            for chunk in self.partition.chunks[block]:
                at(self._place(chunk.path, query))[1].append(Leaf(chunk, query))
        order = sorted(paths, key=len)
        self._index = {path: i for i, path in enumerate(order)}
        children: dict[Path, list[int]] = {path: [] for path in order}
        for path in order[1:]:
            children[path[:-1]].append(self._index[path])
        nodes = []
        for i, path in enumerate(order):
            runs, leaves = paths[path]
            name = "/".join(path)
            for k, (run, query) in enumerate(runs):
                self._names[id(run), query] = f"{name}:{k}"
            self.runs.append(runs)
            self.leaves.append(leaves)
            parent = self._index.get(path[:-1], -1)
            groups = tuple(tuple(group) for group in self._groups(runs))
            nodes.append(Node(i, name, parent, tuple(children[path]), groups, len(leaves)))
        for word, run in self._item_runs().items():
            self._names[word, MAIN] = self._names[id(run), MAIN]
        return nodes

    def _groups(self, runs: list[tuple[Run, int]]) -> Iterator[list[Wire]]:
        group: list[Wire] = []
        links = 0
        for run, query in runs:
            if group and links + run.links > MAX_GROUP_LINKS:
                yield group
                group, links = [], 0
            group.append(Wire(self._names[id(run), query], run.digits))
            links += run.links
        if group:
            yield group

    def _item_runs(self) -> dict[int, Run]:
        """Query's index word -> the main program's wire with it."""
        items = set(self.lowered.items)
        return {run.words[0]: run for run in self.partition.wires[0] if run.words[0] in items}

    # Leaves

    def wire_names(self, leaf: Leaf) -> list[str]:
        """The wires of a leaf in the order of its checks."""
        return [self.name(run, leaf.query) for run in wires(leaf.chunk)]

    def name(self, run: Run, query: int) -> str:
        """A wire's name, seen from a query's chunk or from the main program's."""
        if run.words == (self.lowered.item,):
            return self._names[self.lowered.items[query], MAIN]
        return self._names.get((id(run), query)) or self._names[id(run), MAIN]

    def shape(self, leaf: Leaf) -> Shape:
        """The leaf's script without keys.

        Raises:
            ChunkError: it cannot be written.
        """
        key = self._pattern(leaf)
        if key not in self._shapes:
            self._shapes[key] = compile_chunk(leaf.chunk, self.lowered)
        return self._shapes[key]

    def uncompiled(self) -> list[Leaf]:
        """A leaf of every shape that is not compiled yet."""
        found: dict[int, Leaf] = {}
        for leaf in (leaf for leaves in self.leaves for leaf in leaves):
            key = self._pattern(leaf)
            if key not in self._shapes:
                found.setdefault(key, leaf)
        return list(found.values())

    def compiled(self) -> list[Shape]:
        """The shapes that are compiled, in the order of the leaves that they are first met in."""
        keys = dict.fromkeys(self._pattern(leaf) for leaves in self.leaves for leaf in leaves)
        return [self._shapes[key] for key in keys if key in self._shapes]

    def keep(self, leaf: Leaf, shape: Shape) -> None:
        """Takes the shape of a leaf that another process has compiled."""
        self._shapes[self._pattern(leaf)] = shape

    def _pattern(self, leaf: Leaf) -> int:
        """The number of a leaf's pattern."""
        chunk = id(leaf.chunk)
        if chunk not in self._pattern_of:
            found = pattern(leaf.chunk, self.lowered)
            self._pattern_of[chunk] = self._patterns.setdefault(found, len(self._patterns))
        return self._pattern_of[chunk]

    def leaf(self, node: int, number: int, keys: Mapping[str, WinternitzKey]) -> bytes:
        """The tapscript of a leaf."""
        leaf = self.leaves[node][number]
        return self.shape(leaf).leaf(keys[name] for name in self.wire_names(leaf))

    def leaf_bytes(self, node: int, number: int) -> int:
        """The length of a leaf's tapscript."""
        return len(self.shape(self.leaves[node][number]).code)
