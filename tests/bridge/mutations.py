"""What an outsider would change in a valid proof's file: any part of it, several at once, pieces of other proofs.

A mutation takes the file, its layout and another valid proof's file of the same layout, and gives another file. Those
of `REFUSED` give what is no proof of the layout; all others keep header and length.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from prover.field import P
from prover.hashing import to_bytes, to_words
from prover.layout import Layout, LeafKind, Span
from prover.proof import header_bytes

WORD = 1 << 32


@dataclass
class Draft:
    """A file cut into header, public values and body, to be changed.

    Attributes:
        layout: of the proof.
        header: up to the public values.
        public: the statement.
        words: the body.
        other: another valid proof of the layout, cut the same way.
    """

    layout: Layout
    header: bytes
    public: array[int]
    words: array[int]
    other: Draft | None = None

    @classmethod
    def of(cls, data: bytes, layout: Layout, other: bytes | None = None) -> Draft:
        """Cuts a file of the layout's length."""
        start = len(header_bytes(layout))
        end = start + 4 * layout.system.num_public_values
        return cls(
            layout,
            data[:start],
            to_words(data[start:end]),
            to_words(data[end:]),
            None if other is None else cls.of(other, layout),
        )

    def encode(self) -> bytes:
        """The file."""
        return self.header + to_bytes(self.public) + to_bytes(self.words)

    @property
    def donor(self) -> Draft:
        """The other proof.

        Raises:
            ValueError: there is none.
        """
        if self.other is None:
            raise ValueError("no other proof")
        return self.other

    def spans(self, *kinds: LeafKind, parts: Sequence[str] = ()) -> list[Span]:
        """Runs of the body: of some kinds, of some parts; all where nothing is asked for."""
        return [
            span
            for span in self.layout.spans()
            if (not kinds or span.kind in kinds) and (not parts or span.part in parts)
        ]


Change = Callable[[Draft, Random], None]


def _place(span: Span, rng: Random) -> int:
    return span.start + rng.randrange(span.length)


def _change_word(words: array[int], place: int, kind: LeafKind, rng: Random) -> None:
    """Another canonical element, or other bits."""
    if kind is LeafKind.ELEMENT:
        words[place] = (words[place] + rng.randrange(1, P)) % P
    else:
        words[place] ^= 1 << rng.randrange(32)


def _in_part(part: str) -> Change:
    """A word of some part of the head or of a query."""

    def change(draft: Draft, rng: Random) -> None:
        span = rng.choice(draft.spans(parts=[part]))
        _change_word(draft.words, _place(span, rng), span.kind, rng)

    return change


PARTS = (
    *("roots", "sums", "openings", "nonces", "final polynomial"),
    *("rows", "paths", "FRI values", "FRI paths"),
)


def _bit(draft: Draft, rng: Random) -> None:
    draft.words[rng.randrange(len(draft.words))] ^= 1 << rng.randrange(32)


def _byte(draft: Draft, rng: Random) -> None:
    draft.words[rng.randrange(len(draft.words))] ^= rng.randrange(1, 256) << 8 * rng.randrange(4)


def _word(draft: Draft, rng: Random) -> None:
    draft.words[rng.randrange(len(draft.words))] = rng.randrange(WORD)


def _largest_word(draft: Draft, rng: Random) -> None:
    draft.words[rng.randrange(len(draft.words))] = WORD - 1


def _public_value(draft: Draft, rng: Random) -> None:
    _change_word(draft.public, rng.randrange(len(draft.public)), LeafKind.ELEMENT, rng)


def _public_plus_p(draft: Draft, rng: Random) -> None:
    draft.public[rng.randrange(len(draft.public))] += P


def _plus_p(*parts: str) -> Change:
    """The same residue, written otherwise."""

    def change(draft: Draft, rng: Random) -> None:
        draft.words[_place(rng.choice(draft.spans(LeafKind.ELEMENT, parts=parts)), rng)] += P

    return change


def _several(draft: Draft, rng: Random) -> None:
    for _ in range(rng.randint(2, 8)):
        rng.choice([_bit, _byte, _word, _public_value, *map(_in_part, PARTS)])(draft, rng)


def _everything(draft: Draft, rng: Random) -> None:
    draft.words = array("I", (rng.randrange(WORD) for _ in draft.words))


def _zeros(draft: Draft, rng: Random) -> None:
    span = rng.choice(draft.spans())
    draft.words[span.start : span.start + span.length] = array("I", bytes(4 * span.length))


def _swap(draft: Draft, first: int, second: int, length: int) -> None:
    words = draft.words
    a, b = words[first : first + length], words[second : second + length]
    words[first : first + length], words[second : second + length] = b, a


def _swapped_parts(draft: Draft, rng: Random) -> None:
    spans = draft.spans()
    one = rng.choice(spans)
    same = [span for span in spans if span.length == one.length and span is not one]
    if same:
        _swap(draft, one.start, rng.choice(same).start, one.length)


def _swapped_queries(draft: Draft, rng: Random) -> None:
    one, two = rng.sample(range(draft.layout.params.num_queries), 2)
    start, length = draft.layout.head_words, draft.layout.query_words
    _swap(draft, start + one * length, start + two * length, length)


def _swapped_items(draft: Draft, rng: Random) -> None:
    span = rng.choice([span for span in draft.spans() if span.length >= 2 * span.item])
    one, two = rng.sample(range(span.length // span.item), 2)
    _swap(draft, span.start + one * span.item, span.start + two * span.item, span.item)


def _others_part(draft: Draft, rng: Random) -> None:
    span = rng.choice(draft.spans())
    draft.words[span.start : span.start + span.length] = draft.donor.words[
        span.start : span.start + span.length
    ]


def _others_query(draft: Draft, rng: Random) -> None:
    start = (
        draft.layout.head_words + rng.randrange(draft.layout.params.num_queries) * draft.layout.query_words
    )
    end = start + draft.layout.query_words
    draft.words[start:end] = draft.donor.words[start:end]


def _others_head(draft: Draft, rng: Random) -> None:
    draft.words[: draft.layout.head_words] = draft.donor.words[: draft.layout.head_words]


def _others_statement(draft: Draft, rng: Random) -> None:
    draft.public = draft.donor.public


def _shifted(draft: Draft, rng: Random) -> None:
    """A word left out, one more at the end: the length is right."""
    del draft.words[rng.randrange(len(draft.words))]
    draft.words.append(rng.randrange(P))


READ: dict[str, Change] = {
    "bit": _bit,
    "byte": _byte,
    "word": _word,
    "largest word": _largest_word,
    **{part: _in_part(part) for part in PARTS},
    "public value": _public_value,
    "public value plus p": _public_plus_p,
    "element plus p": _plus_p(),
    "opening plus p": _plus_p("openings"),
    "row element plus p": _plus_p("rows"),
    "several": _several,
    "everything": _everything,
    "part of zeros": _zeros,
    "swapped parts": _swapped_parts,
    "swapped queries": _swapped_queries,
    "swapped items": _swapped_items,
    "another proof's part": _others_part,
    "another proof's query": _others_query,
    "another proof's head": _others_head,
    "another proof's statement": _others_statement,
    "shifted": _shifted,
}
"""Name -> a change that leaves a file of the layout."""


def _without_end(data: bytes, rng: Random) -> bytes:
    return data[: -rng.randint(1, 64)]


def _cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _longer(data: bytes, rng: Random) -> bytes:
    return data + rng.randbytes(rng.randint(1, 64))


def _word_left_out(data: bytes, rng: Random) -> bytes:
    at = 4 * rng.randrange(len(data) // 4)
    return data[:at] + data[at + 4 :]


def _doubled(data: bytes, rng: Random) -> bytes:
    return data + data


def _noise(data: bytes, rng: Random) -> bytes:
    return rng.randbytes(len(data))


def _in_header(start: int, end: int) -> Callable[[bytes, Random], bytes]:
    def change(data: bytes, rng: Random) -> bytes:
        out = bytearray(data)
        out[rng.randrange(start, end)] ^= rng.randrange(1, 256)
        return bytes(out)

    return change


REFUSED: dict[str, Callable[[bytes, Random], bytes]] = {
    "empty": lambda data, rng: b"",
    "end missing": _without_end,
    "cut": _cut,
    "longer": _longer,
    "word left out": _word_left_out,
    "doubled": _doubled,
    "noise": _noise,
    "magic": _in_header(0, 4),
    "version": _in_header(4, 8),
    "header": _in_header(8, 60),
}
"""Name -> a change that leaves no proof of the layout."""


def mutated(kind: str, data: bytes, layout: Layout, other: bytes, rng: Random) -> bytes:
    """A file that differs from both, by a change of this kind."""
    while True:
        if kind in REFUSED:
            found = REFUSED[kind](data, rng)
        else:
            draft = Draft.of(data, layout, other)
            READ[kind](draft, rng)
            found = draft.encode()
        if found not in (data, other):
            return found
