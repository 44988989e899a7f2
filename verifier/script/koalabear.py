"""Sums of products in KoalaBear (p = 2^31 - 2^24 + 1) as a script, on bytes and hinted quotients.

An element is four bytes x_0 .. x_3, lowest first, its value sum x_i 256^i below 2^32 (not necessarily below
p: an intermediate result may be any representative; results of `reduce` are canonical). A product of bytes is
xy = t(x + y) - t(x) - t(y) with t(n) = n(n-1)/2 from a table of 511 items.

`reduce` proves r = V mod p for V = sum of +- products and +- elements. With hinted q = Q_0 + 2^16 Q_1 + 2^32 Q_2
and p = 127 2^24 + 1 it checks V - q - 127 2^24 q - r = 0 as one number by Horner's rule to base 256 from the top
byte column down, so no carries are hinted: what is above column m is minus what the columns below carry.
Range: an honest column is a sum of at most 36 products of bytes plus 127 |Q_j| + |Q_j'| + 255 < 7.6 million, and the
running value is the lower columns' carry, below 2^15 times that of one column over 255: never above 2^31. A
dishonest hint that leads beyond fails the script (numbers of more than four bytes are refused), and without
overflow the check is an identity of integers: no hint proves another r.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prover.field import P
from verifier.script.opcodes import Op
from verifier.script.script import number, script
from verifier.script.tracker import Name, Tracker

BYTES: Final = 4
TABLE_ITEMS: Final = 511
_TIMES_256: Final = bytes([Op.DUP, Op.ADD]) * 8
_TIMES_127: Final = bytes([Op.DUP]) + bytes([Op.DUP, Op.ADD]) * 7 + bytes([Op.SWAP, Op.SUB])
_TOP: Final = 0x7F

Limb = int | tuple[int]
"""A byte: the name of its item, or its value in a tuple of one."""
Element = Sequence[Limb]
"""Bytes, lowest first; four, or more where only their sum counts."""
Product = tuple[int, Element, Element]
"""Sign and factors."""
Term = tuple[int, Element]
Pick = Callable[[Limb, int], bytes]
LookUp = Callable[[int, int], bytes]

_PICK: Final = [script(number(depth), Op.PICK) for depth in range(1_000)]
_PICK[0], _PICK[1] = bytes([Op.DUP]), bytes([Op.OVER])


def triangle(n: int) -> int:
    """t(n) = n(n-1)/2."""
    return n * (n - 1) // 2


def table() -> bytes:
    """[] -> [t(510) .. t(0)]. 1,763 bytes."""
    return b"".join(number(triangle(n)) for n in reversed(range(TABLE_ITEMS)))


def quotient_hints(value: int, count: int) -> tuple[int, ...]:
    """Q_0 .. Q_(count-1) of value // p, all but the last between -2^15 and 2^15 - 1."""
    quotient, out = value // P, []
    for _ in range(count - 1):
        low = (quotient + 0x8000) % 0x10000 - 0x8000
        out.append(low)
        quotient = (quotient - low) >> 16
    return (*out, quotient)


def byte_hints(value: int) -> tuple[int, ...]:
    """The bytes of an element."""
    return tuple(value.to_bytes(BYTES, "little"))


class Arithmetic:
    """Writes into a tracker whose table lies under everything that is picked.

    Args:
        tracker: of the script; `open_table` has put the table on its top.
        hints: names of the hint items, in the order in which they are taken.
    """

    def __init__(self, tracker: Tracker, hints: Sequence[Name]) -> None:
        self.t = tracker
        self._hints = iter(hints)
        self._zero: Name = 0
        self.peak = 0

    def open_table(self) -> None:
        """[] -> [511 items]."""
        self.t.emit(table())
        for _ in range(TABLE_ITEMS):
            self._zero = self.t.push()

    def take_element(self) -> list[Limb]:
        """[] -> [x_0 .. x_3]: a hinted element, canonical; fails otherwise. 80 to 90 bytes, four hints."""
        names: list[Limb] = []
        for _ in range(BYTES):
            name = self._take()
            self.t.emit(Op.DUP, number(0), number(256), Op.WITHIN, Op.VERIFY)
            names.append(name)
        # 2 x_3 + [x_0 + x_1 + x_2 > 0] <= 254
        self.t.emit(Op.OP_2OVER, Op.ADD, number(2), Op.PICK, Op.ADD, Op.OP_0NOTEQUAL)
        self.t.emit(Op.OVER, Op.DUP, Op.ADD, Op.ADD, number(2 * _TOP), Op.LESSTHANOREQUAL, Op.VERIFY)
        self._note(3)
        return names

    def _take(self) -> Name:
        name = next(self._hints)
        self.t.roll(name)
        return name

    def _note(self, extra: int) -> None:
        self.peak = max(self.peak, len(self.t) + extra)

    def reduce(
        self,
        products: Sequence[Product],
        terms: Sequence[Term],
        quotients: int,
        result: Element | None = None,
    ) -> Element:
        """[hints] -> [r_0 .. r_3], r = sum of products and terms mod p; fails for any other r.

        Hints: four bytes of r, `quotients` parts of the quotient. With `result` given, that is r, and nothing
        is left. Size: 13 bytes a product of bytes, about 10 a byte of a factor, about 350 more.

        Args:
            products: +-1 and two elements.
            terms: +-1 and an element (or more bytes than four).
            quotients: parts of the quotient, 1 to 3; as `quotient_hints` counts them.
            result: known bytes instead of hints.
        """
        r = self.take_element() if result is None else result
        parts = [self._take() for _ in range(quotients)]
        t = self.t
        height = len(t)
        place = {name: i for i, name in enumerate(t.items)}
        products = [p for p in products if not (_is_zero(p[1]) or _is_zero(p[2]))]
        code: list[bytes] = []
        zero = place[self._zero]

        def pick(limb: Limb, above: int) -> bytes:
            """The byte on top, with `above` items above the tracked ones."""
            return number(limb[0]) if isinstance(limb, tuple) else _PICK[height + above - 1 - place[limb]]

        def look_up(above: int, plus: int) -> bytes:
            """[n] -> [t(n + plus)], `above` items besides n above the tracked ones."""
            return script(number(height + above - 1 - zero + plus), Op.ADD, Op.PICK)

        # U_u: what the products' t(x_u) and t(y_u) sum to, in every column that a factor's byte u reaches.
        for u in range(BYTES):
            weights: dict[Limb, int] = {}
            constant = 0
            for sign, left, right in products:
                for limb in (left[u], right[u]):
                    if isinstance(limb, tuple):
                        constant += sign * triangle(limb[0])
                    else:
                        weights[limb] = weights.get(limb, 0) + sign
            code.append(number(constant))
            for limb, weight in weights.items():
                one = pick(limb, u + 1) + look_up(u + 1, 0) + bytes([Op.ADD if weight > 0 else Op.SUB])
                code.append(one * abs(weight))
        above = BYTES
        code.append(number(0))
        columns = max([2 * BYTES - 1, 2 * quotients + 2, *(len(term) for _, term in terms)])
        for m in reversed(range(columns)):
            if m < columns - 1:
                code.append(_TIMES_256)
            for sign, left, right in products:
                reach = range(max(m - BYTES + 1, 0), min(m, BYTES - 1) + 1)
                code += (_times(left[u], right[m - u], sign, pick, look_up, above + 1) for u in reach)
            code += (
                _PICK[above - u] + bytes([Op.SUB]) for u in range(BYTES) if products and 0 <= m - u < BYTES
            )
            code += (
                pick(term[m], above + 1) + bytes([Op.ADD if sign > 0 else Op.SUB])
                for sign, term in terms
                if m < len(term)
            )
            if m < BYTES:
                code.append(pick(r[m], above + 1) + bytes([Op.SUB]))
            for j, part in enumerate(parts):
                if m == 2 * j:
                    code.append(pick(part, above + 1) + bytes([Op.SUB]))
                if m == 2 * j + 3:
                    code.append(pick(part, above + 1) + _TIMES_127 + bytes([Op.SUB]))
        code.append(script(number(0), Op.NUMEQUALVERIFY))
        dropped = BYTES + quotients
        code.append(bytes([Op.OP_2DROP]) * (dropped // 2) + bytes([Op.DROP]) * (dropped % 2))
        self._note(BYTES + 4)
        t.emit(b"".join(code))
        t.pop(quotients)
        return r


def _times(left: Limb, right: Limb, sign: int, pick: Pick, look_up: LookUp, above: int) -> bytes:
    """[T] -> [T +- t(x + y)]."""
    end = bytes([Op.ADD if sign > 0 else Op.SUB])
    if isinstance(left, tuple):
        left, right = right, left
    if isinstance(left, tuple):
        x, y = left[0], right[0] if isinstance(right, tuple) else 0
        return number(triangle(x + y)) + end
    if isinstance(right, tuple):
        return pick(left, above) + look_up(above, right[0]) + end
    return pick(left, above) + pick(right, above + 1) + bytes([Op.ADD]) + look_up(above, 0) + end


def _is_zero(element: Element) -> bool:
    return all(limb == (0,) for limb in element)
