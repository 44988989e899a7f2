"""Sums of products of KoalaBear words, one reduction for each sum.

A product x y is looked up, not computed: x is cut into halves of 16 bits, a table holds 0..15 times each half,
and each nibble of y picks from it. The table's columns lie interleaved, row 0 deepest. A nibble is kept as the
depth of its row, and *the number of items above the table selects the column*: looked-up values stay on the
stack until a sum is complete, so that consecutive terms read consecutive columns: a pick, PICK and ADD each.

Horner's rule runs over the nibbles: L_n, what is looked up at place n (the low half of x by nibble n of y, the
high half by nibble n - 4), is added to 16 times what is above it. The result's halves r_lo and r_hi and a quotient
q are hints, and subtracted on the way, q p as 127 q B^3 + q to base B = 256 (-127 q is q and 16 times -8 q, so that
the sum starts from -8 q at the place above), and the last number must be 0:

    sum of 16^n L_n + addends - q p - (r_lo + 2^16 r_hi) = 0

over the integers, *whatever the hints are*; no carries are hinted, as each number on the way is minus what the
places below it carry. B^4 = 2 B^3 - 2 and B^5 = 4 B^3 - 2 B - 4 mod p fold what stands above place 7. The halves are
checked to be a number below p, hence r is unique. A malformed hint convicts nobody: it fails the script.

A digit word may also be the difference of two: y - z + p, nibble by nibble with carries, below 2 p.

Range: words are canonical, a high half at most 7f00 (hexadecimal), differences below 2 p, so the column at B^3 is below
75 million a product and what is carried or subtracted is below that, but for 128 q, which is above it by a 127th;
`MAX_PRODUCTS` keeps sums below 2^31. Larger words and bad hints may lead beyond 32 bits, and then the next operation
fails. Hence results that only become columns or addends need no check: in whatever halves, they are the residue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Final

from prover.field import P
from verifier.script.gadget import (
    NIBBLES,
    TIMES_16,
    VERIFY_NIBBLE,
    Halves,
    Item,
    Word,
    bring,
    drop,
    nibble,
    pick,
)
from verifier.script.opcodes import Op
from verifier.script.script import number
from verifier.script.tracker import Name, Tracker

HINTS: Final = 3
"""Of a sum: the halves of the result and the quotient."""
SPLIT_HINTS: Final = NIBBLES
"""Of a word in halves that is to be nibbles."""
MAX_PRODUCTS: Final = 27
"""Products in one sum: 27 x 75 million x 128 / 127 < 2^31, with room for addends."""
MAX_HALVES: Final = 100
"""Halves added, by weight."""
_ROWS: Final = (0, 1, 2, 4, 8, 7, 14, 13, 5, 10, 15, 11, 3, 6, 12, 9)
"""Rows of the table in an order that is cheap to make: most are twice the row before, or near what they are made of."""
_FLOOR: Final = 5
"""Items between the table (or the digits on it) and the first value: r_lo, r_hi, w, s + q and the sum."""
_TOP_HALF: Final = P >> 16
_DOUBLE: Final = bytes([Op.DUP, Op.ADD])
_OFFSETS: Final = (17, 15, 15, 15, 15, 15, 30, 6)
"""p in digits so large that a difference of nibbles added to one is not negative."""
_SUMS: Final = 48
"""A difference of nibbles, its offset and a carry of at most 2 are 0..47."""

Term = tuple[int, int, int]
"""Sign, column and digit word of a product."""
Addend = tuple[int, int, int]
"""Weight (a power of two, signed), place to base 256, and half: 2 i and 2 i + 1 are those of addend word i."""


@dataclass(frozen=True, slots=True)
class Sum:
    """One result: products by column, at most one a column, and addends."""

    products: tuple[Term, ...]
    addends: tuple[Addend, ...]


@dataclass(frozen=True, slots=True)
class Bilinear:
    """What to compute: signed sums of products and addends, mod p.

    Attributes:
        columns: words cut into halves.
        digits: words whose nibbles look up.
        differences: pairs of them; the difference of pair i is digit word `digits` + i.
        addends: words that are added.
        sums: the results.
    """

    columns: int
    digits: int
    differences: tuple[tuple[int, int], ...]
    addends: int
    sums: tuple[Sum, ...]

    @property
    def stride(self) -> int:
        """Columns of the table: both halves of each word."""
        return 2 * self.columns

    @property
    def form_items(self) -> int:
        """Items of all digits in use; 0 where nothing is looked up."""
        return NIBBLES * (self.digits + len(self.differences)) if self.columns else 0

    def peak(self, shared: bool) -> int:
        """Items above the operands, at most; without `form_items` where the digits are shared."""
        table = len(_ROWS) * self.stride + (0 if shared else self.form_items)
        return table + 2 * len(self.sums) + _FLOOR + self.stride + 4

    def check(self) -> None:
        """Every sum stays within the 32 bits of a script's numbers.

        Raises:
            ValueError: it might not.
        """
        for each in self.sums:
            weights = sum(abs(weight) for weight, _, _ in each.addends)
            if len(each.products) > MAX_PRODUCTS or weights > MAX_HALVES:
                raise ValueError(f"{len(each.products)} products and {weights} halves in one sum")

    def totals(self, columns: Sequence[int], digits: Sequence[int], addends: Sequence[int]) -> list[int]:
        """The integers that the script reduces."""
        digits = [*digits, *(digits[i] - digits[j] + P for i, j in self.differences)]
        halves = [half for word in addends for half in (word & 0xFFFF, word >> 16)]
        return [
            sum(sign * _product(columns[c], digits[d]) for sign, c, d in each.products)
            + sum(weight * halves[i] << 8 * place for weight, place, i in each.addends)
            for each in self.sums
        ]

    def hints(
        self, columns: Sequence[int], digits: Sequence[int], addends: Sequence[int] = ()
    ) -> tuple[int, ...]:
        """What the witness holds for these words: r_lo, r_hi and q of each sum."""
        found: list[int] = []
        for total in self.totals(columns, digits, addends):
            q, r = divmod(total, P)
            found += (r & 0xFFFF, r >> 16, q)
        return tuple(found)

    def quotients(self, columns: Sequence[int], digits: Sequence[int], results: Sequence[int]) -> list[int]:
        """The quotients alone, for known results."""
        totals = self.totals(columns, digits, ())
        return [(total - result) // P for total, result in zip(totals, results, strict=True)]


def _product(x: int, y: int) -> int:
    """The product as the script has it: what stands at B^4 and B^5 folded."""
    low, high = x & 0xFFFF, x >> 16
    w = 2 * high * (y >> 24)
    s = 2 * (high * (y >> 16 & 255) + w)
    return low * y + (high * (y & 0xFFFF) << 16) + (s << 24) - (w << 8) - s


@cache
def _recipe(at: int, stride: int) -> tuple[int, int, int]:
    """Sign and two earlier rows: the sum or difference that makes this one at the least cost."""
    earlier = range(1, at)
    ways = [
        (sign, i, j)
        for sign, i, j in product((1, -1), earlier, earlier)
        if _ROWS[i] + sign * _ROWS[j] == _ROWS[at]
    ]

    def cost(way: tuple[int, int, int]) -> int:
        _, one, other = way
        first = len(pick(stride * (at - one) - 1))
        return first + (len(_DOUBLE) if one == other else len(pick(stride * (at - other))) + 1)

    return min(ways, key=cost)


@cache
def _order(spec: Bilinear) -> tuple[int, ...]:
    """Digit words as their forms lie, those that most products read on top."""
    uses = Counter(digit for one in spec.sums for _, _, digit in one.products)
    return tuple(sorted(range(spec.digits + len(spec.differences)), key=lambda index: (uses[index], index)))


class Arithmetic:
    """Writes sums into a tracker.

    Args:
        tracker: of the script.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.t = tracker
        self.peak = 0
        self._shared: dict[tuple[object, ...], list[list[Name]]] = {}

    def _note(self, extra: int) -> None:
        self.peak = max(self.peak, len(self.t) + extra)

    # Words

    def halves(self, word: Word) -> Halves:
        """[] -> [two halves], from nibbles. 54 bytes and 8 picks."""
        names: list[Item] = []
        for half in range(2):
            bring(self.t, word[nibble(4 * half + 3)])
            for n in (2, 1, 0):
                self.t.replace(1, TIMES_16)
                bring(self.t, word[nibble(4 * half + n)])
                self.t.replace(2, Op.ADD)
            names.append(self.t.items[-1])
        self._note(2)
        return tuple(names)

    def split(self, halves: Halves, hints: Sequence[Name]) -> Word:
        """[hints] -> [eight nibbles], place 7 first: those of a word in halves; other hints fail. About 160 bytes."""
        t = self.t
        places: dict[int, Item] = {}
        for half in (1, 0):
            row = []
            for n in (3, 2, 1, 0):
                t.roll(hints[NIBBLES - 1 - 4 * half - n])
                t.emit(VERIFY_NIBBLE)
                places[nibble(4 * half + n)] = t.items[-1]
                row.append(t.items[-1])
            t.pick(row[0])
            for name in row[1:]:
                t.replace(1, TIMES_16)
                t.pick(name)
                t.replace(2, Op.ADD)
            bring(t, halves[half])
            t.pop(2)
            t.emit(Op.NUMEQUALVERIFY)
        self._note(4)
        return [places[i] for i in range(NIBBLES)]

    def element(self, hints: Sequence[Name]) -> Halves:
        """[hints] -> [r_lo r_hi]: a hinted word below p; fails otherwise. 19 bytes and two rolls.

        r_hi is below 7f00, or equal to it where r_lo is 0.
        """
        t = self.t
        for name in hints:
            t.roll(name)
        t.emit(Op.OVER, Op.OP_0, number(1 << 16), Op.WITHIN, Op.VERIFY)
        t.emit(Op.DUP, Op.OP_0, number(3), Op.PICK, Op.NOT, number(_TOP_HALF), Op.ADD, Op.WITHIN, Op.VERIFY)
        self._note(4)
        return tuple(hints)

    # Sums

    def sums(
        self,
        spec: Bilinear,
        columns: Sequence[Halves],
        digits: Sequence[Word],
        addends: Sequence[Halves],
        hints: Sequence[Name],
        shared: bool = False,
        expected: Sequence[int] = (),
        canonical: bool = True,
    ) -> list[Halves]:
        """[hints] -> [halves of each result].

        Args:
            spec: what to compute.
            columns: its words, in halves.
            digits: its words, in nibbles.
            addends: its words, in halves.
            hints: three a sum; the quotients alone where the results are known.
            shared: the digits stay below the table, for other sums of as many columns with the same digits.
            expected: known results: nothing is left, and other sums fail.
            canonical: the results are below p. Otherwise any numbers of the right residues in place of halves,
                enough where they become columns or addends only.

        Raises:
            ValueError: a sum might leave 32 bits.
        """
        spec.check()
        t = self.t
        forms: list[list[Name]] = []
        first = 0
        if spec.columns:
            if shared:
                key = (spec.stride, spec.differences, *(tuple(word) for word in digits))
                if key not in self._shared:
                    self._load(spec, digits, _FLOOR)
                    self._shared[key] = self._forms(spec)
                forms = self._shared[key]
                first = self._table(columns)
            else:
                self._load(spec, digits, spec.form_items + _FLOOR)
                first = self._table(columns)
                self._note(spec.form_items)
                forms = self._forms(spec)
        each = len(hints) // len(spec.sums)
        for i, one in enumerate(spec.sums):
            own = hints[each * i : each * (i + 1)]
            if expected:
                for half in (expected[i] & 0xFFFF, expected[i] >> 16):
                    t.push(number(half))
            elif canonical:
                self.element(own[:2])
            else:
                for name in own[:2]:
                    t.roll(name)
            self._sum(spec, one, forms, addends, own[-1])
            t.emit(*([Op.OP_2DROP] if expected else [Op.TOALTSTACK] * 2))
            t.pop(2)
        if spec.columns:
            count = t.depth(first) + 1
            t.emit(drop(count))
            t.pop(count)
        results: list[Halves] = []
        for _ in () if expected else spec.sums:
            low, high = t.push(Op.FROMALTSTACK), t.push(Op.FROMALTSTACK)
            results.append((low, high))
        return results[::-1]

    def _table(self, columns: Sequence[Halves]) -> Name:
        """[] -> [table]: row i holds i times each low half, then each high half; gives the first item."""
        t = self.t
        first = self._copies(0, 2 * len(columns))
        for half in range(2):
            for word in columns:
                bring(t, word[half])
        for at in range(2, len(_ROWS)):
            sign, one, other = _recipe(at, stride := 2 * len(columns))
            for _ in range(stride):
                t.push(pick(stride * (at - one) - 1))
                if one == other:
                    t.replace(1, _DOUBLE)
                else:
                    t.push(pick(stride * (at - other)))
                    t.replace(2, Op.ADD if sign > 0 else Op.SUB)
        self._note(1)
        return first

    def _load(self, spec: Bilinear, digits: Sequence[Word], above: int) -> None:
        """[] -> [], alt [forms]: each digit as the depth of its row, in the order of `_forms`, the last on top.

        A dictionary of depths on top of the stack is what a nibble picks from.

        Args:
            spec: its table.
            digits: the words.
            above: items above the table where a nibble picks from column 0.
        """
        t = self.t
        depths = [above + spec.stride * (len(_ROWS) - _ROWS.index(v)) - 1 for v in range(len(_ROWS))]
        size = _SUMS if spec.differences else len(_ROWS)
        below = len(t)
        if spec.differences:
            for carry, count in ((2, 1), (1, 16), (0, 16)):
                self._copies(_OFFSETS[1] + 1 + carry, count)
        for i, value in enumerate(reversed(range(size))):
            again = i >= len(_ROWS)
            t.push(pick(len(_ROWS) - 1) if again else number(depths[value % len(_ROWS)]))
        count = 0
        for index in reversed(_order(spec)):
            if index < spec.digits:
                for n in reversed(range(NIBBLES)):
                    bring(t, digits[index][nibble(n)])
                    t.emit(Op.PICK, Op.TOALTSTACK)
                    t.pop()
            else:
                i, j = spec.differences[index - spec.digits]
                self._difference(digits[i], digits[j])
            count += NIBBLES
            self._note(count)
        t.emit(drop(len(t) - below))
        t.pop(len(t) - below)

    def _copies(self, value: int, count: int) -> Name:
        """[] -> [a number, `count` times]; gives the deepest."""
        singles = count if count < 3 else 3 + count % 3
        self.t.emit(number(value), bytes([Op.DUP]) * (singles - 1))
        self.t.emit(bytes([Op.OP_3DUP]) * ((count - singles) // 3))
        names = [self.t.push() for _ in range(count)]
        return names[0]

    def _forms(self, spec: Bilinear) -> list[list[Name]]:
        """Alt [forms] -> [forms]: their names by digit word and place."""
        found: dict[int, list[Name]] = {}
        for index in _order(spec):
            found[index] = [self.t.push(Op.FROMALTSTACK) for _ in range(NIBBLES)]
            if index >= spec.digits:  # made from place 0 on
                found[index].reverse()
        return [found[index] for index in range(len(found))]

    def _difference(self, y: Word, z: Word) -> None:
        """[carries, dictionary] -> [the same], alt [forms of y - z + p], about 150 bytes."""
        t = self.t
        t.push(number(_OFFSETS[0] + 1))
        for n in range(NIBBLES):
            bring(t, y[nibble(n)])
            t.replace(2, Op.ADD)
            bring(t, z[nibble(n)])
            t.replace(2, Op.SUB)
            if n < NIBBLES - 1:
                # [s + 1], alt [form of s mod 16]: one more, as the copy below stands on the dictionary
                t.emit(Op.DUP, Op.PICK, Op.TOALTSTACK)
            if n < 6:
                # [carry + 16], which is the next offset and one more
                t.replace(1, number(_SUMS - 1), Op.ADD, Op.PICK)
                t.emit(*(() if n < 5 else (number(_OFFSETS[6] - 15), Op.ADD)))
            elif n == 6:
                t.replace(1, Op.DUP, number(16), Op.GREATERTHAN, Op.SWAP, number(32), Op.GREATERTHAN, Op.ADD)
                t.emit(number(_OFFSETS[7]), Op.ADD)
            else:
                t.emit(Op.PICK, Op.TOALTSTACK)
                t.pop()

    def _sum(
        self,
        spec: Bilinear,
        one: Sum,
        forms: list[list[Name]],
        addends: Sequence[Halves],
        quotient: Name,
    ) -> None:
        """[r_lo r_hi] -> [the same]: fails unless the sum is this word by this quotient."""
        t = self.t
        high = t.items[-1]
        w = self._high_places(spec, one, self._rows(forms)) if one.products else 0
        t.roll(quotient)
        rows = self._rows(forms)
        if one.products:  # [w s q] -> [w s+q -8q]; 16 (-8 q) + q = -127 q
            t.emit(Op.TUCK, Op.ADD, Op.SWAP, _DOUBLE * 3, Op.NEGATE)
        else:  # [q] -> [q -127q]
            t.push(Op.DUP, Op.DUP, _DOUBLE * 7, Op.SUB)
        for n in reversed(range(NIBBLES)):
            if one.products:
                t.emit(TIMES_16 if n < NIBBLES - 1 else b"")
                self._look_up(spec, one, rows, [(0, n), (1, n - 4)] if n >= 4 else [(0, n)])
            elif n < 6:
                t.emit(TIMES_16)
            if n % 2 == 0:
                self._add(one, addends, n // 2)
            if n == 6:
                t.emit(bytes([Op.OVER, Op.ADD]) if one.products else b"")  # s + q
            elif n == 4 or (n == 2 and one.products):
                t.pick(high if n == 4 else w)
                t.replace(2, Op.SUB)
        # [r_lo r_hi (w s+)q total]: total - (s +) q - r_lo is 0.
        t.emit(Op.SUB)
        if one.products:
            t.emit(Op.NIP)
            t.pop()
        t.emit(number(2), Op.PICK, Op.ADD, Op.NOT, Op.VERIFY)
        t.pop(2)

    def _rows(self, forms: list[list[Name]]) -> list[list[int]]:
        """Where the digits lie now, by word and place."""
        place = {name: i for i, name in enumerate(self.t.items)}
        return [[place[name] for name in form] for form in forms]

    def _add(self, one: Sum, addends: Sequence[Halves], place: int) -> None:
        """[total] -> [total + the addends at this place]."""
        for weight, where, i in one.addends:
            if where == place:
                bring(self.t, addends[i // 2][i % 2])
                self.t.replace(1, _DOUBLE * (abs(weight).bit_length() - 1))
                self.t.replace(2, Op.ADD if weight > 0 else Op.SUB)
                self._note(1)

    def _high_places(self, spec: Bilinear, one: Sum, rows: list[list[int]]) -> Name:
        """[] -> [w s], gives w: w = 2 c_5 and s = 2 (c_4 + w) for what stands at B^4 and B^5.

        Any items below the sum stand for the columns of low halves.
        """
        t = self.t
        pads = spec.columns + 3
        t.emit(
            bytes([Op.OP_2DUP]), bytes([Op.OP_3DUP]) * ((pads - 2) // 3), bytes([Op.DUP]) * ((pads - 2) % 3)
        )
        for _ in range(pads):
            t.push()
        for n in (6, 4):
            if n == 4:  # w stands for a pad
                t.emit(Op.NIP, Op.OP_0)
            self._look_up(spec, one, rows, [(1, n + 1)], first=n == 6)
            t.emit(*((Op.NIP,) if n == 6 else ()), TIMES_16)
            self._look_up(spec, one, rows, [(1, n)])
            t.emit(_DOUBLE if n == 6 else b"")
        t.emit(Op.OVER, Op.ADD, _DOUBLE, Op.TOALTSTACK, Op.TOALTSTACK, drop(pads - 2))
        t.pop(pads)
        w = t.push(Op.FROMALTSTACK)
        t.push(Op.FROMALTSTACK)
        return w

    def _look_up(
        self,
        spec: Bilinear,
        one: Sum,
        rows: list[list[int]],
        which: Sequence[tuple[int, int]],
        first: bool = False,
    ) -> None:
        """[total] -> [total + what a nibble of each product's digit word finds in its column].

        Args:
            spec: the table.
            one: the products.
            rows: where the digits lie, by word and place.
            which: half of the columns and place of the nibble, in the table's order.
            first: there is no total yet.
        """
        height = len(self.t)
        of_column = {column: (sign, digit) for sign, column, digit in one.products}
        code: list[bytes] = []
        signs: list[int] = []  # of the values on the stack, 0 for an item that only fills a column
        skipped = 0
        for _, n in which:
            for column in range(spec.columns):
                if column not in of_column:
                    skipped += 1
                    continue
                sign, digit = of_column[column]
                code.append(bytes([Op.OP_0]) * skipped)
                signs += [*[0] * skipped, sign]
                skipped = 0
                code.append(pick(height + len(signs) - 2 - rows[digit][n]) + bytes([Op.PICK]))
        self._note(len(signs) + 1)
        sign = signs[-1]
        for other in reversed(signs[:-1]):
            code.append(bytes([Op.SUB if other == -sign else Op.ADD]))
            sign = other or sign
        if not first:
            code.append(bytes([Op.ADD if sign > 0 else Op.SUB]))
        elif sign < 0:
            code.append(bytes([Op.NEGATE]))
        self.t.emit(*code)
