"""A price from several feeds: the median of what they posted lately (docs/programs/oracle.md).

The price stands in the program's book, which anyone reads with PEEK: see `Price`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.machine.abi import BOOK
from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.operations import Call

MAX_FEEDS = 9
UNITS = 10**6
"""A price is in msat for so many units of the asset."""
POSTED = 1
"""First word of its event; then the feed's price and the median."""
OPEN, POST = range(2)

_HEAD = """
    .reg one price until slot book first cell best oldest live half rank age x y
    .data price_word state_word asset_word posts_word
    .entries open post

open:                                   ; once: a cell for each feed
    CALL    CONTEXT, PROGRAM
    LI      one, 1
    ADD     book, r1, one
    CALL    DLOAD, book, #posts_word
    JNE     r1, first, refuse           ; (first is still 0)
    CALL    CREATE_DATA
    MOV     first, r1
"""
_POST = """
    CALL    DSTORE, book, #posts_word, first
    CALL    DSTORE, book, #asset_word, ASSET
    SYS     EXIT

post:                                   ; price, last slot in which it counts; the signer is a feed
    LI      one, 1
    MOV     price, r2
    MOV     until, r3
    JEQ     price, first, refuse        ; (first is still 0)
    CALL    CONTEXT, PROGRAM
    ADD     book, r1, one
    CALL    CONTEXT, SLOT
    MOV     slot, r1
    JLT     until, slot, refuse         ; held back: it would look fresh
    CALL    DLOAD, book, #posts_word
    MOV     first, r1
"""
_MEDIAN = """
    SYS     FAIL
found:
    CALL    DSTORE, cell, 0, price
    CALL    DSTORE, cell, 1, slot
    MOV     oldest, slot
    LI      age, MAX_AGE
"""
_END = """
median:
    CALL    DSTORE, book, #price_word, best
    PACK    x, oldest, live
    CALL    DSTORE, book, #state_word, x
    CALL    EVENT, POSTED, price, best
    SYS     EXIT

refuse:
    SYS     FAIL
"""


def _source(feeds: int) -> str:
    """The text for so many feeds: who posts, which posts are live, and the live one with half of them below it."""
    each = range(feeds)
    registers = "    .reg " + " ".join(f"p{i} live{i}" for i in each) + "\n"
    who = "".join(
        f"    MOV     cell, first\n    CONST   x, FEED_{i}\n    JEQ     x, r6, found\n"
        + "    ADD     first, first, one\n"
        for i in each
    )
    load = "    CALL    DLOAD, book, #posts_word\n    MOV     cell, r1\n" + "".join(
        f"""
    CALL    DLOAD, cell, 0
    MOV     p{i}, r1
    JEQ     p{i}, live{i}, loaded{i}    ; never posted (live{i} is still 0)
    CALL    DLOAD, cell, 1
    SUB     x, slot, r1
    JLT     age, x, loaded{i}
    MOV     live{i}, one
    ADD     live, live, one
    JLT     oldest, r1, loaded{i}
    MOV     oldest, r1
loaded{i}:
    ADD     cell, cell, one
"""
        for i in each
    )
    half = "    SUB     x, live, one\n    LI      y, 2\n    MULDIV  x, one, y\n    HGETL   half\n"
    pick = ""
    for i in each[:-1]:
        below = "".join(
            f"    JEQ     live{j}, y, not{i}_{j}\n"
            + (f"    JGE     p{j}, p{i}, not{i}_{j}\n" if j > i else f"    JLT     p{i}, p{j}, not{i}_{j}\n")
            + f"    ADD     rank, rank, one\nnot{i}_{j}:\n"
            for j in each
            if j != i
        )
        pick += (
            f"    SUB     y, one, one\n    JEQ     live{i}, y, next{i}\n    MOV     rank, y\n{below}"
            f"    MOV     best, p{i}\n    JEQ     rank, half, median\nnext{i}:\n"
        )
    pick += f"    MOV     best, p{feeds - 1}            ; none of the others, so the last\n"
    create = "    CALL    CREATE_DATA\n" * (feeds - 1)
    return _HEAD.replace("\n    .data", "\n" + registers + "    .data") + (
        create + _POST + who + _MEDIAN + load + half + pick + _END
    )


@dataclass(frozen=True, slots=True)
class Price:
    """What the book of an oracle says; read it with `Price(*words)`.

    Attributes:
        price: Msat for 10^6 units of the asset: the lower median of the live posts.
        state: Slot of the oldest of them | how many they are << 32.
        asset: The asset.
        posts: First of the feeds' cells.
    """

    price: int
    state: int
    asset: int
    posts: int

    @property
    def oldest(self) -> int:
        """Slot of the oldest post in the median: a consumer refuses it when it is too long ago."""
        return self.state & 0xFFFFFFFF

    @property
    def live(self) -> int:
        """Posts in the median: a consumer refuses too few."""
        return self.state >> 32


def build(asset: int, feeds: Sequence[int], max_age: int) -> Program:
    """The program.

    Args:
        asset: Which asset is priced.
        feeds: Cells of the accounts that may post; 1 to 9.
        max_age: In slots; older posts are not in the median.

    Raises:
        ValueError: Too many feeds, or one twice.
    """
    if not 1 <= len(feeds) <= MAX_FEEDS or len(set(feeds)) != len(feeds):
        raise ValueError(f"1 to {MAX_FEEDS} different feeds")
    names = {f"FEED_{i}": feed for i, feed in enumerate(feeds)}
    return assemble_user(_source(len(feeds)), names | {"ASSET": asset, "MAX_AGE": max_age, "POSTED": POSTED})


def price_cell(program: int) -> int:
    """Where the price is."""
    return program + BOOK


def open_feeds(program: int) -> Call:
    """Makes the feeds' cells; once, by anyone."""
    return Call(program, OPEN)


def post(program: int, price: int, until: int) -> Call:
    """The signer, a feed, says a price.

    Args:
        program: The oracle.
        price: Msat for 10^6 units; not 0.
        until: Last slot in which it may be included: soon, for it is dated by the slot that includes it.
    """
    return Call(program, POST, (price, until, 0, 0))
