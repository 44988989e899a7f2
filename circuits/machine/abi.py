"""What a user program can ask of the kernel: system calls, their numbers, gas and arguments.

Arguments are in r1, r2, ..; results come back in r1, r2, ... A call that is refused (a purse that is not the
program's, a cell that does not exist) makes the whole transaction fail. Gas is on top of the SYS step's own.

Costs: about 10 gas a kernel step and 60 a touched cell, so that a full batch is about twice the gas target.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from circuits.machine.isa import ENTRY_BASE


class Call(IntEnum):
    """System call numbers; call k is `SYS ENTRY_BASE + k`."""

    EXIT = 0
    FAIL = 1
    MOVE = 2
    BALANCE = 3
    OWNED = 4
    DLOAD = 5
    DSTORE = 6
    CREATE_DATA = 7
    CREATE_PURSE = 8
    MINT = 9
    BURN = 10
    CONTEXT = 11
    EVENT = 12
    CHECKSIG = 13
    HASH = 14
    PEEK = 15
    CREATE_KEY = 16

    @property
    def address(self) -> int:
        """The operand of SYS."""
        return ENTRY_BASE + self.value


class Context(IntEnum):
    """Argument of CONTEXT."""

    HEIGHT = 0
    SLOT = 1
    PRODUCER = 2
    PROGRAM = 3
    CHAIN = 4
    BLOCK_HEIGHT = 5
    INDEX = 6


@dataclass(frozen=True, slots=True)
class Signature:
    """A system call for people: gas, arguments (r1, r2, ..), results (r1, r2, ..), what it does."""

    gas: int
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    does: str


CALLS: Final[dict[Call, Signature]] = {
    Call.EXIT: Signature(40, (), (), "ends this call; the next one of the transaction follows"),
    Call.FAIL: Signature(40, (), (), "the transaction fails"),
    Call.MOVE: Signature(
        400, ("from", "to", "amount"), (), "from a purse that the program owns to one of the same asset"
    ),
    Call.BALANCE: Signature(150, ("purse",), ("balance", "asset"), "what a purse holds"),
    Call.OWNED: Signature(150, ("purse", "cell"), ("owned",), "1 if a purse is owned by that cell, else 0"),
    Call.DLOAD: Signature(200, ("cell", "word"), ("value",), "word 0..3 of a data cell of the program"),
    Call.DSTORE: Signature(250, ("cell", "word", "value"), (), "word 0..3 of a data cell of the program"),
    Call.CREATE_DATA: Signature(1500, (), ("cell",), "a data cell of the program, zeros"),
    Call.CREATE_PURSE: Signature(
        1500, ("asset", "owner"), ("cell",), "an empty purse, owned by a cell (a program or an account)"
    ),
    Call.MINT: Signature(250, ("to", "amount"), (), "creates the program's own asset"),
    Call.BURN: Signature(
        300, ("from", "amount"), (), "destroys the program's own asset in a purse that it owns"
    ),
    Call.CONTEXT: Signature(150, ("which",), ("value",), "see `Context`"),
    Call.EVENT: Signature(250, ("a", "b", "c"), (), "into the batch's event commitment"),
    Call.CHECKSIG: Signature(
        1000, ("cell", "a", "b", "leaf"), (),
        "the key of that BTC purse or key cell has signed (program, cell, a, b) with that leaf, which a purse passes",
    ),
    Call.PEEK: Signature(200, ("cell", "word"), ("value",), "word 0..3 of any data cell, or of cell 12"),
    Call.HASH: Signature(300, ("a", "b", "c"), ("low", "high"), "two words of 62 bits"),
    Call.CREATE_KEY: Signature(
        1500, ("purse",), ("cell",), "a key cell: the key that owns the BTC purse now, for ever"
    ),
}  # fmt: skip
"""All of them. Costs stay below 2^11: gas then cannot wrap round p, whatever a prover runs (test_kernel_gas)."""

BOOK: Final = 1
"""A program's first data cell, its book, is this far behind the program's own cell."""

GAS_CALLS: Final = 700
"""Of a transaction of calls: signature, purse."""
GAS_CALL: Final = 500
"""Of each of its calls."""
GAS_LOADED_WORD: Final = 10
"""Of each instruction of a program that a call starts."""
MAX_CALLS: Final = 16
MAX_GAS: Final = 200_000
"""Largest gas limit of a transaction: the heaviest one that it buys fits the largest shape alone (test_heaviest)."""
"""What r1..r7 hold when a call starts: the caller's selector and four arguments, the signer's cell, and the
number of the call in its transaction. Every other register is 0."""
