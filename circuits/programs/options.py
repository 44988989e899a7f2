"""Options that are covered from the start and settled in kind (docs/programs/options.md).

The writer locks what the holder may take, against what the holder must give: a call locks the asset against BTC, a put
locks BTC against the asset. Settled in kind an option needs no price from anyone: it is exercised if that pays.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.operations import Call


class Selector(IntEnum):
    """What can be called."""

    WRITE = 0
    OFFER = 1
    BUY = 2
    EXERCISE = 3
    RECLAIM = 4


class Said(IntEnum):
    """First words of its events; then the option and an amount."""

    WRITTEN = 1
    """Then its expiry."""
    OFFERED = 2
    """Then the premium."""
    BOUGHT = 3
    """Then the premium."""
    EXERCISED = 4
    """Then what was given."""
    RECLAIMED = 5
    """Then what was locked."""


SOURCE: Final = """
    .reg zero one signer option terms locked given paid writer holder expiry amount price premium to
    .reg asset_a asset_b self x
    .data people_word amount_word price_word premium_word   ; an option: writer | holder, locked, to be given, premium
    .data expiry_word purse_word                            ; its terms: expiry, writer's purse
    ; then its purses: what is locked, what is given, premiums (BTC)
    .entries write offer buy exercise reclaim

write:                                  ; asset locked | given, amount locked, amount given, expiry | purse
    LO      asset_a, r2
    HI      asset_b, r2
    MOV     amount, r3
    MOV     price, r4
    LO      expiry, r5
    HI      to, r5
    JEQ     amount, zero, refuse
    JEQ     price, zero, refuse
    CALL    CONTEXT, SLOT
    JGE     r1, expiry, refuse
    CALL    CONTEXT, PROGRAM
    MOV     self, r1
    CALL    BALANCE, to
    JNE     r2, asset_b, refuse         ; the writer could not be paid
    CALL    CREATE_DATA
    MOV     option, r1
    CALL    CREATE_DATA
    MOV     terms, r1
    CALL    CREATE_PURSE, asset_a, self
    CALL    CREATE_PURSE, asset_b, self
    CALL    CREATE_PURSE, 0, self
    PACK    x, r6, zero
    CALL    DSTORE, option, #people_word, x
    CALL    DSTORE, option, #amount_word, amount
    CALL    DSTORE, option, #price_word, price
    CALL    DSTORE, terms, #expiry_word, expiry
    CALL    DSTORE, terms, #purse_word, to
    CALL    EVENT, WRITTEN, option, expiry
    SYS     EXIT

; The option that r2 names and its terms; goes on by `one`, the selector; 0 is a reclaim.
load:
    MOV     signer, r6
    MOV     option, r2
    LI      x, 1
    ADD     terms, option, x
    ADD     locked, terms, x
    ADD     given, locked, x
    ADD     paid, given, x
    CALL    DLOAD, terms, #expiry_word  ; of no option's other cells: what stands behind them is a purse
    MOV     expiry, r1
    CALL    DLOAD, option, #people_word
    LO      writer, r1
    HI      holder, r1
    CALL    DLOAD, option, #amount_word
    MOV     amount, r1
    CALL    DLOAD, option, #price_word
    MOV     price, r1
    CALL    DLOAD, option, #premium_word
    MOV     premium, r1
    JEQ     amount, zero, refuse        ; it is over, or is the program's book: zeros, an option behind it
    CALL    CONTEXT, SLOT
    JEQ     one, x, offer_on            ; (x is still 1)
    LI      x, 2
    JEQ     one, x, buy_on
    LI      x, 3
    JEQ     one, x, exercise_on
    JMP     reclaim_on

offer:                                  ; option, premium (msat): its amount is locked by now
    MOV     to, r3
    LI      one, 1
    JMP     load
offer_on:
    JNE     writer, signer, refuse
    JNE     holder, zero, refuse
    JEQ     to, zero, refuse
    CALL    BALANCE, locked
    JLT     r1, amount, refuse
    CALL    DSTORE, option, #premium_word, to
    CALL    EVENT, OFFERED, option, to
    SYS     EXIT

buy:                                    ; option, most that it may cost; the premium was paid in before
    MOV     to, r3
    LI      one, 2
    JMP     load
buy_on:
    JGE     r1, expiry, refuse
    JNE     holder, zero, refuse
    JEQ     premium, zero, refuse       ; not offered
    JLT     to, premium, refuse         ; the writer has raised it
    CALL    MOVE, paid, writer, premium
    CALL    BALANCE, paid               ; the writer has lowered it
    JEQ     r1, zero, bought
    MOV     x, r1
    CALL    MOVE, paid, signer, x
bought:
    PACK    x, writer, signer
    CALL    DSTORE, option, #people_word, x
    CALL    EVENT, BOUGHT, option, premium
    SYS     EXIT

exercise:                               ; option, the holder's purse for what is locked; what is to be given was paid in
    MOV     to, r3
    LI      one, 3
    JMP     load
exercise_on:
    JGE     r1, expiry, refuse
    JNE     holder, signer, refuse
    CALL    DLOAD, terms, #purse_word
    MOV     x, r1
    CALL    MOVE, given, x, price
    CALL    DSTORE, option, #amount_word, zero
    CALL    BALANCE, locked
    MOV     x, r1
    CALL    MOVE, locked, to, x
    CALL    EVENT, EXERCISED, option, price
    SYS     EXIT

reclaim:                                ; option, the writer's purse for what is locked: unsold, or expired
    MOV     to, r3
    JMP     load
reclaim_on:
    JNE     writer, signer, refuse
    JEQ     holder, zero, reclaimed
    JLT     r1, expiry, refuse
reclaimed:
    CALL    DSTORE, option, #amount_word, zero
    CALL    BALANCE, locked
    MOV     x, r1
    CALL    MOVE, locked, to, x
    CALL    EVENT, RECLAIMED, option, x
    SYS     EXIT

refuse:
    SYS     FAIL
"""


def build() -> Program:
    """The program, for any number of options."""
    return assemble_user(SOURCE, {said.name: said.value for said in Said})


def purses(option: int) -> tuple[int, int, int]:
    """Where the writer locks, where the holder gives, where the premium is paid in: by bank moves before the call."""
    return option + 2, option + 3, option + 4


def write(program: int, assets: tuple[int, int], amount: int, given: int, expiry: int, purse: int) -> Call:
    """The signer writes an option; its event tells its cell.

    Args:
        program: The program's cell.
        assets: What is locked, and what is to be given for it.
        amount: Of the first.
        given: Of the second.
        expiry: First slot in which it is over.
        purse: The writer's, for what is given.
    """
    return Call(program, Selector.WRITE, (assets[0] | assets[1] << 32, amount, given, expiry | purse << 32))


def offer(program: int, option: int, premium: int) -> Call:
    """The writer, who has locked the amount, offers the option for a premium in msat."""
    return Call(program, Selector.OFFER, (option, premium, 0, 0))


def buy(program: int, option: int, most: int) -> Call:
    """The signer becomes the holder; he has paid in the premium, which is at most so much."""
    return Call(program, Selector.BUY, (option, most, 0, 0))


def exercise(program: int, option: int, to: int) -> Call:
    """The holder, who has paid in what is to be given, takes what is locked."""
    return Call(program, Selector.EXERCISE, (option, to, 0, 0))


def reclaim(program: int, option: int, to: int) -> Call:
    """The writer takes back what is locked: of an option that nobody has bought, or that has expired."""
    return Call(program, Selector.RECLAIM, (option, to, 0, 0))
