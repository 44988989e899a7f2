"""Proofs and their canonical bytes.

A proof is a header (magic, version, parameters, shape id, public values) and a body of 32-bit little-endian
words whose layout the shape fixes (`prover.layout`): every length is known before a byte is read. Field
elements are canonical; there is no checksum and nothing may follow.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prover.field import P
from prover.hashing import to_bytes, to_words
from prover.layout import Layout, LeafKind, Span
from prover.params import ProofParams

MAGIC = b"PEGP"
VERSION = 3


class FormatReason(StrEnum):
    """Why bytes are not a proof of this layout."""

    MAGIC = "not a pegproof proof"
    VERSION = "another version of the proof format"
    PARAMETERS = "parameters differ from the key's"
    SHAPE = "shape differs from the key's"
    LENGTH = "wrong length"
    NON_CANONICAL = "field element is not below p"


class ProofFormatError(ValueError):
    """Bytes that are no proof of the layout.

    Attributes:
        reason: the rule broken.
        where: the part of the proof.
        expected, got: what stood against what.
    """

    def __init__(self, reason: FormatReason, where: str, expected: object, got: object) -> None:
        super().__init__(f"{reason} ({where}): expected {expected}, got {got}")
        self.reason, self.where, self.expected, self.got = reason, where, expected, got


@dataclass(frozen=True)
class Leaf:
    """One value of a proof: `length` words from `start` of its body."""

    path: str
    kind: LeafKind
    start: int
    length: int


def header_bytes(layout: Layout) -> bytes:
    """The header up to the public values, the same for every proof of a layout."""
    count = to_bytes([layout.system.num_public_values])
    return MAGIC + to_bytes([VERSION]) + layout.params.encode() + layout.shape.id + count


def proof_length(layout: Layout) -> int:
    """Exact bytes of a proof."""
    return len(header_bytes(layout)) + 4 * (layout.system.num_public_values + layout.body_words)


def first_non_canonical(spans: Sequence[Span], words: array[int], base: int = 0) -> int | None:
    """Index of the first word of an element that is not below p."""
    for span in spans:
        if span.kind is LeafKind.ELEMENT:
            run = words[base + span.start : base + span.start + span.length]
            if max(run) >= P:
                return base + span.start + next(i for i, word in enumerate(run) if word >= P)
    return None


@dataclass
class Proof:
    """A proof in memory. Mutable, so that tests can alter leaves; `decode` and `encode` are exact inverses.

    Attributes:
        layout: fixes every length.
        public_values: the flat public values.
        words: the body.
    """

    layout: Layout
    public_values: tuple[int, ...]
    words: array[int]

    def encode(self) -> bytes:
        """Canonical bytes."""
        return header_bytes(self.layout) + to_bytes(self.public_values) + to_bytes(self.words)

    @classmethod
    def decode(cls, data: bytes, layout: Layout) -> Proof:
        """Inverse of `encode`.

        Raises:
            ProofFormatError: anything but a canonical proof of this layout.
        """
        public_values, words = split(data, layout)
        if any(value >= P for value in public_values):
            index = next(i for i, value in enumerate(public_values) if value >= P)
            raise _non_canonical(f"public value {index}", public_values[index])
        bad = first_non_canonical(layout.head, words)
        q = 0
        while bad is None and q < layout.params.num_queries:
            bad = first_non_canonical(layout.query, words, layout.head_words + q * layout.query_words)
            q += 1
        if bad is not None:
            raise _non_canonical(path_of(layout, bad), words[bad])
        return cls(layout, tuple(public_values), words)

    def get(self, leaf: Leaf) -> tuple[int, ...]:
        """A leaf's words."""
        return tuple(self.words[leaf.start : leaf.start + leaf.length])

    def set(self, leaf: Leaf, values: Sequence[int]) -> None:
        """Overwrites a leaf.

        Raises:
            ValueError: another number of words.
        """
        if len(values) != leaf.length:
            raise ValueError(f"{leaf.path} has {leaf.length} words, got {len(values)}")
        self.words[leaf.start : leaf.start + leaf.length] = array("I", values)

    def leaves(self) -> Iterator[Leaf]:
        """Every value of the body, in order."""
        for span in self.layout.spans():
            for i, start in enumerate(range(span.start, span.start + span.length, span.item)):
                yield Leaf(f"{span.path}[{i}]", span.kind, start, span.item)

    def parts(self) -> dict[str, int]:
        """Bytes by part; their sum is the proof's length."""
        return proof_parts(self.layout)


def proof_parts(layout: Layout) -> dict[str, int]:
    """Bytes of a proof by part."""
    parts = {"header": len(header_bytes(layout)) + 4 * layout.system.num_public_values}
    for span in layout.head:
        parts[span.part] = parts.get(span.part, 0) + 4 * span.length
    for span in layout.query:
        parts[span.part] = parts.get(span.part, 0) + 4 * span.length * layout.params.num_queries
    return parts


def path_of(layout: Layout, word: int) -> str:
    """The leaf to which a word of the body belongs."""
    prefix, offset, spans = "", word, layout.head
    if word >= layout.head_words:
        q, offset = divmod(word - layout.head_words, layout.query_words)
        prefix, spans = f"query {q}: ", layout.query
    span = next(s for s in spans if s.start <= offset < s.start + s.length)
    return f"{prefix}{span.path}[{(offset - span.start) // span.item}]"


def _non_canonical(where: str, got: int) -> ProofFormatError:
    return ProofFormatError(FormatReason.NON_CANONICAL, where, f"below {P}", got)


def split(data: bytes, layout: Layout) -> tuple[array[int], array[int]]:
    """Checks header and length; gives public values and body, not yet known to be canonical.

    Raises:
        ProofFormatError: any reason but NON_CANONICAL.
    """
    expected = proof_length(layout)
    if data[:4] != MAGIC:
        raise ProofFormatError(FormatReason.MAGIC, "header", MAGIC.hex(), data[:4].hex())
    if data[4:8] != to_bytes([VERSION]):
        raise ProofFormatError(FormatReason.VERSION, "header", to_bytes([VERSION]).hex(), data[4:8].hex())
    end = 8 + ProofParams.encoded_length()
    if data[8:end] != layout.params.encode():
        got = data[8:end].hex()
        raise ProofFormatError(FormatReason.PARAMETERS, "header", layout.params.encode().hex(), got)
    if data[end : end + 32] != layout.shape.id:
        got = data[end : end + 32].hex()
        raise ProofFormatError(FormatReason.SHAPE, "header", layout.shape.id.hex(), got)
    count = to_bytes([layout.system.num_public_values])
    if data[end + 32 : end + 36] != count:
        got = data[end + 32 : end + 36].hex()
        raise ProofFormatError(FormatReason.LENGTH, "number of public values", count.hex(), got)
    if len(data) != expected:
        raise ProofFormatError(FormatReason.LENGTH, "proof", expected, len(data))
    start = end + 36
    middle = start + 4 * layout.system.num_public_values
    return to_words(data[start:middle]), to_words(data[middle:])
