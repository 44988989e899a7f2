"""Finds the leaf that convicts: of a node from what the chain shows, or of a whole tree from a replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prover.field import P
from prover.hashing import to_words
from verifier.bridge.chunks.evaluate import run, value
from verifier.bridge.chunks.opening import ChunkTree, Leaf
from verifier.bridge.chunks.pieces import Wire as Run
from verifier.bridge.chunks.relations import relations
from verifier.bridge.chunks.steps import Kind
from verifier.bridge.tree import Digits, Spend
from verifier.script.script import encode_number
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
        """See `Accuser.disprove`."""
        return next(self.disproofs(node, signatures), None)

    def disproofs(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Iterator[Spend]:
        """See `Accuser.disproofs`."""
        values: dict[str, Digits | None] = {}
        for number, leaf in enumerate(self.tree.leaves[node]):
            names = self.tree.wire_names(leaf)
            for name in names:
                if name not in values:
                    values[name] = read(self.keys[name], signatures[name])
            committed = {name: values[name] for name in names}
            if any(value is None for value in committed.values()):
                continue
            hints = accuse(self.tree, leaf, committed)
            if hints is not None:
                signed = [item for name in reversed(names) for item in signatures[name]]
                yield Spend(number, (*(encode_number(hint) for hint in reversed(hints)), *signed))


def accuse(tree: ChunkTree, leaf: Leaf, committed: Mapping[str, Digits | None]) -> list[int] | None:
    """The hints with which a leaf spends, None where it does not."""
    found, wrong = hints_of(tree, leaf, committed)
    return found if wrong else None


def hints_of(
    tree: ChunkTree, leaf: Leaf, committed: Mapping[str, Digits | None]
) -> tuple[list[int] | None, bool]:
    """The hints of a leaf's steps, and whether it spends with them.

    Its steps are run on the committed inputs: it spends if one finds fault or an output differs. A division
    by zero has no hints: the leaf that checks the divisor convicts. Nor has what calculates with words of p or more,
    as these may fail the script whatever the hints: they convict where they are made, checked or hashed.
    """
    lowered = tree.lowered
    memory: dict[int, int] = {}
    for wire in leaf.chunk.reads:
        memory.update(zip(wire.words, _words(tree, leaf, wire, committed), strict=True))
    found: list[int] = []
    wrong = False
    for step, relation in zip(leaf.chunk.steps, relations(leaf.chunk.steps, lowered), strict=True):
        out, fault = run(step, memory, lowered)
        wrong |= fault
        if relation is not None:
            below = step.kind is Kind.CHALLENGE or all(value(w, memory, lowered) < P for w in step.reads)
            if not below:
                return None, False
            if step.kind is Kind.INVERSE and not any(
                value(word, memory, lowered) for word in relation.digits
            ):
                return None, False
            found += relation.hints(lambda word: value(word, memory, lowered), out)
        memory.update(zip(step.out, out, strict=True))
    wrong |= any(
        [memory[word] for word in wire.words] != list(_words(tree, leaf, wire, committed))
        for wire in leaf.chunk.writes
    )
    return found, wrong


def _words(tree: ChunkTree, leaf: Leaf, wire: Run, committed: Mapping[str, Digits | None]) -> Sequence[int]:
    digits = committed[tree.name(wire, leaf.query)]
    return to_words(from_nibbles(digits or ()))
