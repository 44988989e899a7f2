"""The BLAKE3 compression function as a script.

A nibble x is kept as STRIDE psi(x) + BIAS with psi(x) = sum of bit_i 3^i, so that the sum of two items
tells both x ^ y and x + y: base-3 digit 1 is an XOR, and digits weighted by 2^i are the sum. One table of
81 rows has, for each s = psi(x) + psi(y), five columns next to each other:

    X  x ^ y             LOW  (x ^ y) << 1 without its fourth bit     PLAIN  x ^ y as a plain nibble
    S  x + y             HIGH the bit that the shift loses

The bias makes the sum of two items the depth of its row, so XOR is ADD PICK, and *the number of items that
happen to lie on top selects the column*: none X, one S, two LOW, three HIGH and PLAIN (a column further
each time). An addition has its carry or message nibble there anyway; a rotation by 7 puts two copies there.
Every step keeps the number of items, hence one bias serves everywhere. Rotations by 16, 12 and 8 only
rename nibbles.

A second table turns a sum v of nibbles and carries into its low nibble and its carry, interleaved, so that
DUP PICK TOALTSTACK PICK reads both. Sums and message nibbles are doubled for it. Source: BLAKE3
specification, sections 2.2 and 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from verifier.script.opcodes import Op
from verifier.script.script import number, script
from verifier.script.tracker import Name, Tracker

IV: Final = (
    0x6A09E667,
    0xBB67AE85,
    0x3C6EF372,
    0xA54FF53A,
    0x510E527F,
    0x9B05688C,
    0x1F83D9AB,
    0x5BE0CD19,
)
PERMUTATION: Final = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
ROUNDS: Final = 7
NIBBLES: Final = 8
"""Nibbles of a word."""
_COLUMNS: Final = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS: Final = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))

_STRIDE: Final = 5
_ROWS: Final = 81
_SUMS: Final = 48
"""Sums of three nibbles and a carry are 0..47."""
_ITEMS: Final = 256
"""State and message nibbles above the tables."""
_PAD: Final = 1
"""An item between the tables, so that the depth of row 0 is even."""
_BIAS: Final = (_ITEMS - 1 + 2 * _SUMS + _PAD + _STRIDE - 1) // 2
_TABLE_ITEMS: Final = _STRIDE * _ROWS + _PAD + 2 * _SUMS

Word = list[Name]


def spread(nibble: int) -> int:
    """psi: the bits of a nibble as digits to base 3."""
    return sum(3**i for i in range(4) if nibble >> i & 1)


def _item(nibble: int) -> int:
    return _STRIDE * spread(nibble) + _BIAS


def _row(s: int) -> tuple[int, int, int, int, int]:
    """X, S, LOW, HIGH and PLAIN of psi(x) + psi(y) = s."""
    digits = [s // 3**i % 3 for i in range(4)]
    xor = sum((digit == 1) << i for i, digit in enumerate(digits))
    total = sum(digit << i for i, digit in enumerate(digits))
    return _item(xor), 2 * total + _ITEMS, _item(xor << 1 & 15), _STRIDE * (xor >> 3), xor


def _tables() -> bytes:
    """[] -> [tables]: the deepest row first."""
    rows = [number(value) for s in reversed(range(_ROWS)) for value in _row(s)]
    sums = [number(value) for v in reversed(range(_SUMS)) for value in (_item(v % 16), 2 * (v // 16))]
    return b"".join([*rows, number(0) * _PAD, *sums])


def _place(word: int, k: int) -> int:
    """Where nibble k (0 least) of a word stands in `nibbles(bytes)`: words little-endian, high half first."""
    return 2 * (4 * word + k // 2) + 1 - k % 2


class _Compression:
    """Writes the rounds; `state[w][k]` and `message[w][k]` name the nibbles."""

    def __init__(self, counter: int, block_len: int, flags: int) -> None:
        self.t = Tracker()
        row = [self.t.push(Op.FROMALTSTACK, Op.DUP, Op.ADD) for _ in range(128)]
        self.message: list[Word] = [[row[_place(w, k)] for k in range(NIBBLES)] for w in range(16)]
        row = [self._load() for _ in range(64)]
        self.state: list[Word] = [[row[_place(w, k)] for k in range(NIBBLES)] for w in range(8)]
        for constant in (*IV[:4], counter & 0xFFFFFFFF, counter >> 32, block_len, flags):
            self.state.append([self.t.push(number(_item(constant >> 4 * k & 15))) for k in range(NIBBLES)])

    def _load(self) -> Name:
        """[], alt [x] -> [x spread]: x as a sum of the second table."""
        depth = len(self.t) + 1
        return self.t.push(Op.FROMALTSTACK, Op.DUP, Op.ADD, number(depth), Op.ADD, Op.PICK)

    def rounds(self) -> None:
        order = list(range(16))
        for _ in range(ROUNDS):
            for i, words in enumerate((*_COLUMNS, *_DIAGONALS)):
                self._mix(*words, order[2 * i], order[2 * i + 1])
            order = [order[p] for p in PERMUTATION]

    def _mix(self, a: int, b: int, c: int, d: int, mx: int, my: int) -> None:
        """The quarter round G."""
        self._add_and_xor(a, b, d, rotation=16, message=mx)
        self._add_and_xor(c, d, b, rotation=12)
        self._add_and_xor(a, b, d, rotation=8, message=my)
        for k in range(NIBBLES):
            self._add(c, d, k, None)
        self._xor_rotate_7(b, c)

    def _add_and_xor(self, to: int, word: int, mixed: int, rotation: int, message: int | None = None) -> None:
        """Adds word (+ message) to `to`; mixed = (mixed ^ to) >>> rotation while each nibble is on top."""
        out = []
        for k in range(NIBBLES):
            total = self._add(to, word, k, message)
            self.t.roll(self.state[mixed][k])
            self.t.pick(total)
            out.append(self.t.replace(2, Op.ADD, Op.PICK))
        shift = rotation // 4
        self.state[mixed] = [out[(k + shift) % NIBBLES] for k in range(NIBBLES)]

    def _add(self, to: int, word: int, k: int, message: int | None) -> Name:
        """[.. x .. y ..], alt [carry] -> [.. y .. x + y + carry (+ message)], alt [carry], at nibble k."""
        t = self.t
        if message is not None:
            t.pick(self.message[message][k])
            if k:
                t.emit(Op.FROMALTSTACK, Op.ADD)
        else:
            t.push(Op.FROMALTSTACK if k else Op.OP_0)
        t.roll(self.state[to][k])
        t.pick(self.state[word][k])
        t.replace(2, Op.ADD, Op.PICK)
        t.replace(2, Op.ADD)
        carry = () if k == NIBBLES - 1 else (Op.DUP, Op.PICK, Op.TOALTSTACK)
        self.state[to][k] = t.replace(1, *carry, Op.PICK)
        return self.state[to][k]

    def _xor_rotate_7(self, b: int, c: int) -> None:
        """Sets b = (b ^ c) >>> 7, from the highest nibble down: each gives its high bit to the one before."""
        t = self.t
        copies = [t.push(Op.OP_2DUP), t.push()]
        out: dict[int, Name] = {}
        for k in reversed(range(NIBBLES)):
            t.roll(self.state[b][k])
            t.pick(self.state[c][k])
            t.replace(2, Op.ADD)
            if k == NIBBLES - 1:
                t.replace(1, Op.DUP, Op.PICK, Op.TOALTSTACK, Op.PICK)  # [low], alt [high]
            else:
                t.pop(2)  # [low s] -> [s low + high] -> [out low]
                out[k - 1] = t.push(Op.DUP, Op.PICK, Op.ROT, Op.ADD)
                t.push(Op.SWAP, Op.PICK)
        t.pop()
        out[-2] = t.push(Op.FROMALTSTACK, Op.ADD)
        self.state[b] = [out[k] if k in out else out[k - NIBBLES] for k in range(NIBBLES)]
        for copy in copies:
            t.roll(copy)
        t.emit(Op.OP_2DROP)
        t.pop(2)

    def finish(self, chaining: Sequence[int] = ()) -> bytes:
        """[tables, all] -> [64 plain nibbles]: the first eight words XOR the others; the rest is dropped.

        With the constant words of the chaining value, 64 more: the last eight words XOR those.
        """
        t = self.t
        for _ in range(3):
            t.push()
        t.emit(Op.OP_3DUP)
        where = {_place(w, k): (w, k) for w in range(8) for k in range(NIBBLES)}
        order = [where[place] for place in reversed(range(64))]
        if chaining:
            for w, k in order:
                t.pick(self.state[w + 8][k])
                t.push(number(_item(chaining[w] >> 4 * k & 15)))
                t.emit(Op.ADD, Op.PICK, Op.TOALTSTACK)
                t.pop(2)
        for w, k in order:
            t.pick(self.state[w][k])
            t.pick(self.state[w + 8][k])
            t.emit(Op.ADD, Op.PICK, Op.TOALTSTACK)
            t.pop(2)
        left = _ITEMS + 3 + _TABLE_ITEMS
        t.emit(bytes([Op.OP_2DROP]) * (left // 2), bytes([Op.DROP]) * (left % 2))
        t.emit(bytes([Op.FROMALTSTACK]) * (128 if chaining else 64))
        return t.code


@cache
def compress(counter: int, block_len: int, flags: int) -> bytes:
    """[128 message nibbles, 64 chaining nibbles] -> [64 nibbles of the new chaining value].

    Nibbles are plain, 0..15 (the caller has checked that), in the order of `winternitz.nibbles`, the last
    on top. Size: 45,145 bytes for a chunk's first block (constants differ by a few bytes). Peak: 826 items.

    Args:
        counter: chunk counter, 64 bits.
        block_len: bytes of the block.
        flags: domain flags.
    """
    rounds = _Compression(counter, block_len, flags)
    rounds.rounds()
    return script(bytes([Op.TOALTSTACK]) * 192, _tables(), rounds.finish())


@cache
def compress_wide(chaining: tuple[int, ...], counter: int, block_len: int, flags: int) -> bytes:
    """[128 message nibbles, 64 chaining nibbles] -> [128 nibbles: all 64 bytes of the output block].

    Size: about 1 kB more than `compress`. Peak: 890 items.

    Args:
        chaining: the chaining value's eight words, which must be the nibbles given.
        counter: chunk counter, 64 bits.
        block_len: bytes of the block.
        flags: domain flags.
    """
    rounds = _Compression(counter, block_len, flags)
    rounds.rounds()
    return script(bytes([Op.TOALTSTACK]) * 192, _tables(), rounds.finish(chaining))
