"""Sums of products of KoalaBear words, one reduction for each sum.

A product x y is looked up, not computed: x is cut into halves of 16 bits, a table holds 0..15 times each half,
and each nibble of y picks from it. The table's columns lie interleaved, row 0 deepest. A nibble is kept as the
depth of its row, and *the number of items above the nibbles selects the column*: looked-up values stay on the
stack until a run is complete, so that consecutive nibbles read consecutive columns: a pick, PICK and ADD each.

Every sum becomes four columns d_0..d_3 to base B = 256 (the nibble pairs of y; the high half of x lies two
higher), with B^4 = 2 B^3 - 2 and B^5 = 4 B^3 - 2 B - 4 mod p folded in. As p = 127 B^3 + 1, one hinted quotient
q and three hinted carries h_i reduce it:

    r_0 = d_0 - q - B h_0    r_1 = d_1 + h_0 - B h_1    r_2 = d_2 + h_1 - B h_2    r_3 = d_3 + h_2 - 127 q

so that r_0 + r_1 B + r_2 B^2 + r_3 B^3 = d - q p over the integers, whatever the hints are. The bytes are split
by four hinted high nibbles; nibbles are checked to be 0..15 and the word to be below p, hence r is unique.
A malformed hint convicts nobody: it fails the script.

Range: a half is at most 65,535, a column of one product at most 255 x 65,535 < 2^24, |d_3| and |d_0| of one
product at most 8 x 2^24 = 2^27 even for words that are not canonical. `MAX_PRODUCTS` keeps sums below 2^31;
with canonical words (high half <= 7f00 in hexadecimal) d_3 stays below 75 million a product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from prover.field import P
from verifier.script.gadget import (
    BYTES,
    NIBBLES,
    TIMES_16,
    TIMES_256,
    VERIFY_NIBBLE,
    Gadget,
    Word,
    drop,
    finish,
    high,
    low,
    signed_sum,
    verify_canonical_bytes,
)
from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.tracker import Name, Tracker

HINTS: Final = 8
"""Of a reduction: q, h_0, h_1, h_2 and the high nibbles of the four bytes."""
MAX_PRODUCTS: Final = 27
"""Canonical products in one sum: 27 x 75 million < 2^31, with room for addends and the quotient."""
MAX_ADDENDS: Final = 1_000
_ROWS: Final = 16
_DOUBLE: Final = bytes([Op.DUP, Op.ADD])

Run = tuple[int, tuple[int, ...]]
"""First column, and the digit words that meet it and the columns behind it: a sum of products."""
Signed = tuple[tuple[int, int], ...]
"""Pairs of sign (1 or -1) and index."""


@dataclass(frozen=True, slots=True)
class Bilinear:
    """What to compute: each output is a signed sum of runs and addends, mod p.

    Attributes:
        columns: words cut into halves.
        digits: words whose nibbles look up.
        addends: words that are added.
        runs: sums of products.
        outputs: signed runs and signed addends of each output.
    """

    columns: int
    digits: int
    addends: int
    runs: tuple[Run, ...]
    outputs: tuple[tuple[Signed, Signed], ...]

    def residues(
        self, columns: Sequence[int], digits: Sequence[int], addends: Sequence[int]
    ) -> list[tuple[int, int, int, int]]:
        """The columns d_0..d_3 of each output, as the script has them."""
        runs = [self._run(run, columns, digits) for run in self.runs]
        found = []
        for of_runs, of_addends in self.outputs:
            c = [sum(sign * runs[i][k] for sign, i in of_runs) for k in range(6)]
            a = [sum(sign * (addends[i] >> 8 * k & 255) for sign, i in of_addends) for k in range(BYTES)]
            found.append(
                (
                    c[0] + a[0] - 2 * c[4] - 4 * c[5],
                    c[1] + a[1] - 2 * c[5],
                    c[2] + a[2],
                    c[3] + a[3] + 2 * c[4] + 4 * c[5],
                )
            )
        return found

    @staticmethod
    def _run(run: Run, columns: Sequence[int], digits: Sequence[int]) -> list[int]:
        """Six columns to base 256."""
        start, indices = run
        out = [0] * 6
        for i, digit in enumerate(indices):
            half = (columns[start + i] & 0xFFFF, columns[start + i] >> 16)
            for k in range(BYTES):
                byte = digits[digit] >> 8 * k & 255
                out[k] += half[0] * byte
                out[k + 2] += half[1] * byte
        return out

    def hints(
        self, columns: Sequence[int], digits: Sequence[int], addends: Sequence[int] = ()
    ) -> tuple[int, ...]:
        """What the witness holds for these words: eight numbers an output, see `reduction_hints`."""
        rows = self.residues(columns, digits, addends)
        return tuple(hint for row in rows for hint in reduction_hints(row))


def reduction_hints(d: Sequence[int]) -> tuple[int, ...]:
    """q, h_0, h_1, h_2 and the high nibbles of the result, for columns d_0..d_3."""
    q, r = divmod(sum(value << 8 * k for k, value in enumerate(d)), P)
    rest = [r >> 8 * k & 255 for k in range(BYTES)]
    h_0 = (d[0] - q - rest[0]) // 256
    h_1 = (d[1] + h_0 - rest[1]) // 256
    h_2 = (d[2] + h_1 - rest[2]) // 256
    return (q, h_0, h_1, h_2, *(byte >> 4 for byte in rest))


def reduce(t: Tracker, d: Sequence[Name], hints: Sequence[Name]) -> None:
    """[.. hints .. d_0 d_1 d_2 d_3] -> [], alt [] -> [the eight nibbles of d mod p, the last on top].

    Size: about 230 bytes, by the depth of the hints. Consumes the hints.
    """
    q, *carries = hints[:4]
    bytes_of_r = []
    carry = -1
    for k in range(BYTES):
        t.roll(d[k])
        if k == 0:
            t.pick(q)
            t.replace(2, Op.SUB)
        else:
            t.roll(carry)
            t.replace(2, Op.ADD)
        if k < BYTES - 1:
            t.roll(carries[k])
            t.pop(2)
            carry = t.push(Op.TUCK, TIMES_256, Op.SUB)
            r = t.push()
        else:
            t.roll(q)
            r = t.replace(2, Op.DUP, _DOUBLE * 7, Op.SWAP, Op.SUB, Op.SUB)
        bytes_of_r.append(r)
        t.pick(r)
        t.roll(hints[4 + k])
        t.emit(VERIFY_NIBBLE, Op.DUP, Op.TOALTSTACK, TIMES_16, Op.SUB, VERIFY_NIBBLE, Op.TOALTSTACK)
        t.pop(2)
    verify_canonical_bytes(t)


def _half(t: Tracker, word: Word, which: int) -> None:
    """[] -> [16 bits of a word]."""
    places = [name for byte in (2 * which + 1, 2 * which) for name in (high(word, byte), low(word, byte))]
    t.pick(places[0])
    for name in places[1:]:
        t.replace(1, TIMES_16)
        t.pick(name)
        t.replace(2, Op.ADD)


def _table(t: Tracker, columns: Sequence[Word]) -> None:
    """[] -> [table]: row i holds i times each column: all high halves first, then all low ones."""
    stride = 2 * len(columns)
    for _ in range(stride):
        t.push(Op.OP_0)
    first = []
    for which in (1, 0):
        for word in columns:
            _half(t, word, which)
            first.append(t.items[-1])
    rows = [[], first]
    for i in range(2, _ROWS):
        row = []
        for column in range(stride):
            t.pick(rows[i // 2][column] if i % 2 == 0 else rows[i - 1][column])
            if i % 2 == 0:
                row.append(t.replace(1, _DOUBLE))
            else:
                t.pick(first[column])
                row.append(t.replace(2, Op.ADD))
        rows.append(row)


def _load_digits(t: Tracker, count: int, stride: int) -> list[list[Name]]:
    """[table], alt [nibbles, the first on top] -> [table, dictionary, depths of rows], by word and nibble."""
    depth_of_last = _ROWS + NIBBLES * count + stride - 1
    for nibble in reversed(range(_ROWS)):
        t.push(number(depth_of_last + (_ROWS - 1 - nibble) * stride))
    row = []
    for loaded in range(NIBBLES * count):
        shift = (number(loaded), Op.ADD) if loaded else ()
        row.append(t.push(Op.FROMALTSTACK, *shift, Op.PICK))
    return [row[NIBBLES * i : NIBBLES * (i + 1)] for i in range(count)]


def _look_up(t: Tracker, names: Sequence[Name]) -> None:
    """[] -> [sum of the table's entries at these nibbles, in consecutive columns]."""
    for name in names:
        t.pick(name)
        t.replace(1, Op.PICK)
    t.emit(bytes([Op.ADD]) * (len(names) - 1))
    t.pop(len(names))
    t.push()


def _runs(t: Tracker, spec: Bilinear, digits: list[list[Name]]) -> dict[tuple[int, int, int], Name]:
    """[..] -> [the runs]: everything from the table upwards is replaced by four columns a run and half."""
    base = len(t) - NIBBLES * spec.digits - _ROWS * (2 * spec.columns + 1)
    order = []
    padding = 0
    for which in (1, 0):
        for index in sorted(range(len(spec.runs)), key=lambda i: spec.runs[i][0]):
            start, indices = spec.runs[index]
            while padding < start + (0 if which else spec.columns):
                t.push(Op.OP_0)
                padding += 1
            for k in range(BYTES):
                _look_up(t, [high(digits[i], k) for i in indices])
                t.replace(1, TIMES_16, Op.TOALTSTACK)
                t.pop()
                _look_up(t, [low(digits[i], k) for i in indices])
                t.replace(1, Op.FROMALTSTACK, Op.ADD, Op.TOALTSTACK)
                t.pop()
                order.append((index, which, k))
    t.emit(drop(len(t) - base))
    t.pop(len(t) - base)
    return {place: t.push(Op.FROMALTSTACK) for place in reversed(order)}


def _fold(
    t: Tracker,
    of_runs: Signed,
    of_addends: Signed,
    runs: dict[tuple[int, int, int], Name],
    addends: Sequence[Word],
) -> list[Name]:
    """[] -> [d_0 d_1 d_2 d_3] of one output."""

    def column(which: int, k: int) -> list[tuple[int, Name]]:
        return [(sign, runs[i, which, k]) for sign, i in of_runs]

    terms: list[list[tuple[int, Name]]] = [[] for _ in range(BYTES)]
    if of_runs:
        signed_sum(t, column(1, 3))
        w = t.replace(1, _DOUBLE)
        signed_sum(t, column(1, 2))
        t.pick(w)
        s = t.replace(2, Op.ADD, _DOUBLE)
        terms = [
            [*column(0, 0), (-1, s)],
            [*column(0, 1), (-1, w)],
            [*column(0, 2), *column(1, 0)],
            [*column(0, 3), *column(1, 1), (1, s)],
        ]
    d = []
    for k in range(BYTES):
        pieces = list(terms[k])
        if of_addends:
            signed_sum(t, [(sign, high(addends[i], k)) for sign, i in of_addends])
            total = t.replace(1, TIMES_16)
            for sign, name in [*((sign, low(addends[i], k)) for sign, i in of_addends), *pieces]:
                t.pick(name)
                total = t.replace(2, Op.ADD if sign > 0 else Op.SUB)
        else:
            total = signed_sum(t, pieces)
        d.append(total)
    return d


@lru_cache(maxsize=256)
def compile_bilinear(spec: Bilinear) -> Gadget:
    """[hints, columns, addends, digits] -> [outputs], words each.

    Raises:
        ValueError: a sum might leave the 32 bits of a script's numbers.
    """
    for of_runs, of_addends in spec.outputs:
        products = sum(len(spec.runs[i][1]) for _, i in of_runs)
        if products > MAX_PRODUCTS or len(of_addends) > MAX_ADDENDS:
            raise ValueError(f"{products} products and {len(of_addends)} addends in one sum")
    t = Tracker()
    hints = [t.push() for _ in range(HINTS * len(spec.outputs))]
    words = [[t.push() for _ in range(NIBBLES)] for _ in range(spec.columns + spec.addends + spec.digits)]
    columns, addends = words[: spec.columns], words[spec.columns : spec.columns + spec.addends]
    runs = {}
    if spec.digits:
        t.emit(bytes([Op.TOALTSTACK]) * (NIBBLES * spec.digits))
        t.pop(NIBBLES * spec.digits)
        _table(t, columns)
        runs = _runs(t, spec, _load_digits(t, spec.digits, 2 * spec.columns))
    for index, output in enumerate(spec.outputs):
        d = _fold(t, *output, runs, addends)
        reduce(t, d, hints[HINTS * index : HINTS * (index + 1)])
    results = NIBBLES * len(spec.outputs)
    return Gadget(finish(t, results), len(hints), NIBBLES * len(words), results)
