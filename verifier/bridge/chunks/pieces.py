"""What a Program is cut into: chunks of steps, wires between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from verifier.bridge.chunks.steps import Lowered, Step, Words
from verifier.script.winternitz import checksum_digits

NIBBLES = 8
"""Digits of a word."""
Path = tuple[str, ...]
"""Names of scopes from the root down, the root left out."""
QUERY, GROUP = "query", "group"
"""Every query, and above queries so many of them together; the main program's scopes are the root's children."""
GROUP_QUERIES = 16
"""Of a group: their indices come from one hash (`prover.transcript`)."""


@dataclass(eq=False)
class Wire:
    """Words committed together.

    Attributes:
        words: whose values.
        path: node that commits it.
    """

    words: Words
    path: Path = ()

    @property
    def digits(self) -> int:
        """Nibbles."""
        return NIBBLES * len(self.words)

    @property
    def links(self) -> int:
        """Nibbles and checksum."""
        return self.digits + checksum_digits(self.digits)


@dataclass(eq=False)
class Chunk:
    """Steps of one leaf.

    Attributes:
        steps: in order.
        path: node whose leaf it is.
        reads, writes: wires.
    """

    steps: list[Step]
    path: Path = ()
    reads: list[Wire] = field(default_factory=list)
    writes: list[Wire] = field(default_factory=list)


@dataclass
class Partition:
    """All chunks and wires of both blocks; a query's words and paths stand for every query's.

    Attributes:
        lowered: the steps.
        chunks: main program's, then the query's.
        wires: of the main program, then the query's own.
        copy_of: word of a node's own copy of the out-of-domain tree, or of sealed words -> the word that it copies.
        inner: chaining values inside the hashes of such copies, which the Program does not have.
    """

    lowered: Lowered
    chunks: list[list[Chunk]] = field(default_factory=list)
    wires: list[list[Wire]] = field(default_factory=list)
    copy_of: dict[int, int] = field(default_factory=dict)
    inner: set[int] = field(default_factory=set)


def needed(step: Step, lowered: Lowered) -> Iterator[int]:
    """Words that a step reads, light ones resolved to what they are made of; no constants."""
    todo, seen = step.reads, set[int]()
    while todo:
        word = todo.pop()
        if word in seen or word in lowered.constants:
            continue
        seen.add(word)
        if word in lowered.light:
            light = lowered.light[word]
            seen.update(light.out)
            todo += light.reads
        else:
            yield word


def links_of(words: int) -> int:
    """Links of so many words committed together."""
    digits = NIBBLES * words
    return digits + checksum_digits(digits)
