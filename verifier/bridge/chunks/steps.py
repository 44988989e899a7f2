"""The Program in steps small enough for a tapscript: one compression, one product of KB6, one comparison.

Every result of a step is a run of words (numbered like the Program's memory; words that the Program does not
have, such as chaining values, follow behind). Copies, slices and embeddings are no steps but other names of
the same words. Bits and selections are *light*: whoever reads one makes it again. Of the powers of a challenge
only those that are read become steps, in the scope of their first reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from prover.hashing import Context
from verifier.stark.program import Program

BLOCK_WORDS = 16
CHUNK_WORDS = 256
START, END, PARENT, ROOT, DERIVE = 1, 2, 4, 8, 64
"""BLAKE3's domain flags."""
MAX_TERMS = 7
"""Of a sum: so many elements and the result still fit a leaf."""

MAX_LEAVES = 2
"""Leaves of openings that a sum of several reads."""

Words = tuple[int, ...]


class Kind(StrEnum):
    """What a step does with its operands; KB6 elements are six words, digests eight."""

    COMPRESS = "compress"  # chaining value, block
    WIDE = "wide"  # the same with constant chaining value; 16 words out
    CHALLENGE = "challenge"  # 12 words
    MUL = "mul"
    SUM = "sum"  # KB6 elements; number = mask of those subtracted
    PRODUCT = "product"
    SCALE = "scale"  # KB6, base
    INVERSE = "inverse"
    HORNER = "horner"  # pairs of factors, last what is added: acc, x, value is acc x + value
    EQUAL = "equal"
    ZERO = "zero"
    NOT_ALL_ZERO = "not all zero"
    CANONICAL = "canonical"
    BIT = "bit"  # light; word; number = which
    SELECT = "select"  # light; bit, zero, one


HASHING = frozenset({Kind.COMPRESS, Kind.WIDE})
CHECKS = frozenset({Kind.EQUAL, Kind.ZERO, Kind.NOT_ALL_ZERO, Kind.CANONICAL})


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of an instruction.

    Attributes:
        kind: what it does.
        out: words that it writes; none for a check.
        args: words that it reads, by operand.
        number: of BIT; of SUM the mask; of a compression counter, block length and flags, packed by `domain`.
        scope: number of its scope in the Program.
        source: instruction of its block.
        merged: instructions whose steps went into this one.
    """

    kind: Kind
    out: Words
    args: tuple[Words, ...]
    number: int = 0
    scope: int = 0
    source: int = -1
    merged: tuple[int, ...] = ()

    @property
    def reads(self) -> list[int]:
        """Words of all operands."""
        return [word for arg in self.args for word in arg]


def domain(counter: int, length: int, flags: int) -> int:
    """A compression's counter, block length and flags as one number."""
    return counter << 16 | length << 8 | flags


def undomain(number: int) -> tuple[int, int, int]:
    """Inverse of `domain`."""
    return number >> 16, number >> 8 & 0xFF, number & 0xFF


@dataclass
class Opening:
    """The hash tree over the out-of-domain values, from which every node opens what it reads.

    Attributes:
        leaves: words of a leaf: of some columns the values at a point.
        leaf: word -> leaf.
        digests: leaf -> its digest.
        paths: leaf -> (sibling's words, whether the node is the right child, parent's words), leaf to root.
        root: eight words.
        hashes: (context, words, digest) of the whole tree, leaves first.
        sources: instructions that make the tree.
    """

    leaves: list[Words] = field(default_factory=list)
    leaf: dict[int, int] = field(default_factory=dict)
    digests: list[Words] = field(default_factory=list)
    paths: list[list[tuple[Words, int, Words]]] = field(default_factory=list)
    root: Words = ()
    hashes: list[tuple[Context, Words, Words]] = field(default_factory=list)
    sources: list[list[int]] = field(default_factory=list)

    def leaves_of(self, words: Iterable[int]) -> set[int]:
        """The leaves that hold some of the words."""
        return {self.leaf[word] for word in words if word in self.leaf}


@dataclass(frozen=True, slots=True)
class Seal:
    """Words that others read by their hash.

    Attributes:
        words: what is sealed.
        digest: its hash.
        scope: of the main program, where it is hashed; who else reads the words opens a copy.
    """

    words: Words
    digest: Words
    scope: int


@dataclass
class Lowered:
    """A Program in steps.

    Attributes:
        program: whose.
        blocks: steps of the main program, then of the query.
        data: words that the proof or the statement brings, in units committed together, and their scope.
        constants: word -> value.
        light: word -> the light step that makes it.
        opening: the out-of-domain tree.
        claim: the transcript's state once it has absorbed the key and the statement; empty without public values.
        seals: words that are read by their hash.
        powers: small powers by which rows are summed: words -> the step that makes them, in every node anew.
        items: the main program's word of every query's index; `item` is the query's own name for it.
        words: how many numbers are taken.
        offsets: data word -> its place in the body, in a query counted from the query's part.
        passive: (block, instruction) that only name words anew.
    """

    program: Program
    blocks: list[list[Step]] = field(default_factory=list)
    data: list[list[tuple[Words, int]]] = field(default_factory=list)
    constants: dict[int, int] = field(default_factory=dict)
    light: dict[int, Step] = field(default_factory=dict)
    opening: Opening = field(default_factory=Opening)
    claim: Words = ()
    seals: list[Seal] = field(default_factory=list)
    powers: dict[Words, Step] = field(default_factory=dict)
    items: Words = ()
    item: int = -1
    words: int = 0
    offsets: dict[int, int] = field(default_factory=dict)
    passive: set[tuple[int, int]] = field(default_factory=set)


Compression = tuple[Words, Words, int, Words]
"""Chaining value, block, domain, result."""


def compressions(
    key: Words,
    words: Words,
    out: Words,
    inner: Callable[[], Words],
    zero: Callable[[int], Words],
    counter: int = 0,
    root: int = ROOT,
) -> Iterator[Compression]:
    """A BLAKE3 hash: chunks of 1,024 bytes, the left part the largest power of two below all.

    Args:
        key: the chaining value under which each chunk and each node of the tree begins.
        words: what is hashed.
        out: words of the result.
        inner: words for a result inside.
        zero: so many words of padding.
        counter: the first chunk's.
        root: ROOT if this is all that is hashed, else 0.
    """
    if len(words) <= CHUNK_WORDS:
        yield from _chunk(key, words, out, inner, zero, counter, root)
        return
    chunks = -(-len(words) // CHUNK_WORDS)
    left = 1 << (chunks - 1).bit_length() - 1
    cut = left * CHUNK_WORDS
    low, high = inner(), inner()
    yield from compressions(key, words[:cut], low, inner, zero, counter, 0)
    yield from compressions(key, words[cut:], high, inner, zero, counter + left, 0)
    yield key, low + high, domain(0, 64, PARENT | DERIVE | root), out


def _chunk(
    key: Words,
    words: Words,
    out: Words,
    inner: Callable[[], Words],
    zero: Callable[[int], Words],
    counter: int,
    root: int,
) -> Iterator[Compression]:
    padded = words + zero(-len(words) % BLOCK_WORDS)
    results = [*(inner() for _ in range(len(padded) // BLOCK_WORDS - 1)), out]
    chaining = key
    for i, result in enumerate(results):
        start, last = BLOCK_WORDS * i, i == len(results) - 1
        flags = DERIVE | (0 if i else START) | ((END | root) if last else 0)
        number = domain(counter, 4 * min(len(words) - start, BLOCK_WORDS), flags)
        yield chaining, padded[start : start + BLOCK_WORDS], number, result
        chaining = result
