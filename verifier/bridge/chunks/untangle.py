"""Chunks that wait for each other are split: of such, none might convict.

A word of p or more may fail the script that reads it, and is convicted by the chunk that makes it. A chunk is one
script and fails as a whole. So of two chunks that calculate with each other's words both may fail, and then any value
of what follows would stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from verifier.bridge.chunks.pieces import Chunk, Path
from verifier.bridge.chunks.steps import CHECKS, HASHING, Step

Reads = Callable[[Step], Iterable[int]]
"""The words that a step reads, and what they are copies of."""
Gather = Callable[[list[Step], Path], list[Chunk]]
"""Chunks of steps, at a node."""


def untangled(chunks: list[Chunk], reads: Reads, gather: Gather) -> list[Chunk]:
    """The chunks, split until none that calculates waits for another that waits for it."""
    while cycle := find_cycle(chunks, reads):
        for before, chunk in pairwise(cycle):
            late, waiting = list[Step](), {word for step in before.steps for word in step.out}
            for step in chunk.steps:
                if not waiting.isdisjoint(reads(step)):
                    late.append(step)
                    waiting.update(step.out)
            early = [step for step in chunk.steps if step not in late]
            if early:  # true of one at least, as steps wait for each other in no circle
                at = chunks.index(chunk)
                chunks[at : at + 1] = [*gather(early, chunk.path), *gather(late, chunk.path)]
                break
    return chunks


def find_cycle(chunks: list[Chunk], reads: Reads) -> list[Chunk]:
    """Chunks that calculate, each from words of the one before, the first and the last the same; or none."""
    fields = [chunk for chunk in chunks if chunk.steps[0].kind not in HASHING | CHECKS]
    makers = {word: chunk for chunk in fields for step in chunk.steps for word in step.out}
    graph = {
        chunk: {makers[word] for step in chunk.steps for word in reads(step) if word in makers} - {chunk}
        for chunk in fields
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
