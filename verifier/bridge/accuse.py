"""Finds the leaf that convicts: of a node from what the chain shows, or of a whole tree from a replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prover.hashing import to_words
from verifier.bridge.evaluate import run
from verifier.bridge.opening import ChunkTree, Leaf
from verifier.bridge.partition import Wire as Run
from verifier.bridge.tree import Digits, Spend
from verifier.script.winternitz import WinternitzKey, from_nibbles, read


class ChunkAccuser:
    """`Accuser` over a `ChunkTree`.

    Args:
        tree: nodes and leaves.
        keys: the operator's published keys.
    """

    def __init__(self, tree: ChunkTree, keys: Mapping[str, WinternitzKey]) -> None:
        self.tree, self.keys = tree, keys

    def disprove(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Spend | None:
        """A leaf of the node that spends, or None where the node is right."""
        values: dict[str, Digits | None] = {}
        for number, leaf in enumerate(self.tree.leaves[node]):
            names = self.tree.wire_names(leaf)
            for name in names:
                if name not in values:
                    values[name] = read(self.keys[name], signatures[name])
            committed = {name: values[name] for name in names}
            if all(value is not None for value in committed.values()) and convicts(
                self.tree, leaf, committed
            ):
                return Spend(number, tuple(item for name in reversed(names) for item in signatures[name]))
        return None


def convicts(tree: ChunkTree, leaf: Leaf, committed: Mapping[str, Digits | None]) -> bool:
    """Whether the leaf's steps, run on the committed inputs, find fault or disagree with an output."""
    lowered = tree.lowered
    memory: dict[int, int] = {}
    for wire in leaf.chunk.reads:
        memory.update(zip(wire.words, _words(tree, leaf, wire, committed), strict=True))
    for step in leaf.chunk.steps:
        out, fault = run(step, memory, lowered)
        if fault:
            return True
        memory.update(zip(step.out, out, strict=True))
    return any(
        [memory[word] for word in wire.words] != list(_words(tree, leaf, wire, committed))
        for wire in leaf.chunk.writes
    )


def _words(tree: ChunkTree, leaf: Leaf, wire: Run, committed: Mapping[str, Digits | None]) -> Sequence[int]:
    digits = committed[tree.name(wire, leaf.query)]
    return to_words(from_nibbles(digits or ()))
