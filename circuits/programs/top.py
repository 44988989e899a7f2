"""The top of a block, by sealed bids (docs/programs/top.md).

In one round bidders commit, in the next they reveal, in the third the highest may be the first transaction of one
batch, once, and pays its bid then: to the purse whose contents the staking program shares out as MEV. Who is not let
in first pays nothing, so a producer earns the bid only by delivering.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from circuits.machine.abi import BOOK
from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.programs.election import user_hash
from circuits.rollup.operations import Call

RING: Final = 4
"""Rounds whose best bids are kept: the three that matter, and one."""


class Selector(IntEnum):
    """What can be called."""

    OPEN = 0
    COMMIT = 1
    REVEAL = 2
    USE = 3
    REFUND = 4


class Said(IntEnum):
    """First words of its events; then the bid's cell and an amount."""

    COMMITTED = 1
    """Then its round."""
    REVEALED = 2
    USED = 3
    """Then what was paid."""
    REFUNDED = 4
    """Then what came back."""


SOURCE: Final = """
    .reg zero one ret signer book first purse held round slot bid bidder from state ring best winner used
    .reg amount salt x y z
    .data first_word held_word                              ; the book: first cell, deposits held
    .data round_word best_word used_word                    ; a round: number | winner, best bid, used
    .data bidder_word low_word high_word state_word         ; a bid: bidder | round, commitment
    .entries open commit reveal use refund

open:                                   ; once: four rounds and the purse of deposits
    CALL    CONTEXT, PROGRAM
    MOV     y, r1
    LI      one, 1
    ADD     book, y, one
    CALL    DLOAD, book, #first_word
    JNE     r1, zero, refuse
    CALL    CREATE_DATA
    MOV     first, r1
    CALL    CREATE_DATA
    CALL    CREATE_DATA
    CALL    CREATE_DATA
    CALL    CREATE_PURSE, 0, y
    CALL    DSTORE, book, #first_word, first
    SYS     EXIT

refuse:
    SYS     FAIL

; Where we are; every call goes on by `ret`.
begin:
    MOV     signer, r6
    LI      one, 1
    CALL    CONTEXT, PROGRAM
    ADD     book, r1, one
    CALL    DLOAD, book, #first_word
    MOV     first, r1
    JEQ     first, zero, refuse         ; not open
    LI      x, RING
    ADD     purse, first, x
    CALL    DLOAD, book, #held_word
    MOV     held, r1
    CALL    CONTEXT, SLOT
    MOV     slot, r1
    LI      x, ROUND_SLOTS
    MULDIV  slot, one, x
    HGETL   round
    JEQ     ret, one, commit_on
    CALL    DLOAD, bid, #bidder_word    ; book and rounds are no bids: their state is 0
    LO      bidder, r1
    HI      from, r1
    JNE     bidder, signer, refuse
    CALL    DLOAD, bid, #state_word
    MOV     state, r1
    LI      x, RING
    MULDIV  from, one, x
    HGETH   ring
    ADD     ring, ring, first           ; its round's cell, if no later round has taken it
    CALL    DLOAD, ring, #round_word
    LO      x, r1
    JNE     x, from, begin_round        ; best, winner, used are 0
    HI      winner, r1
    CALL    DLOAD, ring, #best_word
    MOV     best, r1
    CALL    DLOAD, ring, #used_word
    MOV     used, r1
begin_round:
    LI      x, 2
    JEQ     ret, x, reveal_on
    LI      x, 3
    JEQ     ret, x, use_on
    JMP     refund_on

commit:                                 ; low, high: HASH of amount, salt and bidder; the deposit was paid in before
    LI      ret, 1
    MOV     y, r2
    MOV     z, r3
    JMP     begin
commit_on:
    CONST   x, DEPOSIT
    ADD     held, held, x
    CALL    BALANCE, purse
    JLT     r1, held, refuse
    CALL    DSTORE, book, #held_word, held
    CALL    CREATE_DATA
    MOV     bid, r1
    PACK    x, signer, round
    CALL    DSTORE, bid, #bidder_word, x
    CALL    DSTORE, bid, #low_word, y
    CALL    DSTORE, bid, #high_word, z
    LI      x, COMMITTED
    CALL    DSTORE, bid, #state_word, x
    CALL    EVENT, COMMITTED, bid, round
    SYS     EXIT

reveal:                                 ; bid, amount, salt: in the round after
    LI      ret, 2
    MOV     bid, r2
    MOV     amount, r3
    MOV     salt, r4
    JMP     begin
reveal_on:
    ADD     x, from, one
    JNE     x, round, refuse
    LI      x, COMMITTED
    JNE     state, x, refuse
    CONST   x, DEPOSIT
    JLT     x, amount, refuse
    CALL    HASH, amount, salt, signer
    MOV     y, r1
    MOV     z, r2
    CALL    DLOAD, bid, #low_word
    JNE     r1, y, refuse
    CALL    DLOAD, bid, #high_word
    JNE     r1, z, refuse
    LI      x, REVEALED
    CALL    DSTORE, bid, #state_word, x
    CALL    EVENT, REVEALED, bid, amount
    JGE     best, amount, revealed      ; the first of equal bids
    PACK    x, from, bid
    CALL    DSTORE, ring, #round_word, x
    CALL    DSTORE, ring, #best_word, amount
    CALL    DSTORE, ring, #used_word, zero
revealed:
    SYS     EXIT

use:                                    ; bid: in the round after that, as the first transaction of a batch
    LI      ret, 3
    MOV     bid, r2
    JMP     begin
use_on:
    LI      x, 2
    ADD     x, x, from
    JNE     x, round, refuse
    JNE     winner, bid, refuse
    JNE     used, zero, refuse
    CALL    CONTEXT, INDEX
    JNE     r1, one, refuse
    CALL    DSTORE, ring, #used_word, one
    CALL    MOVE, purse, INCOME, best
    CALL    EVENT, USED, bid, best
    CONST   amount, DEPOSIT
    SUB     amount, amount, best
    JMP     give_back

refund:                                 ; bid: once it can win no more
    LI      ret, 4
    MOV     bid, r2
    JMP     begin
refund_on:
    LI      x, 2
    ADD     x, x, from
    JLT     round, x, refuse
    CONST   amount, DEPOSIT
    LI      y, COMMITTED
    JEQ     state, y, refund_hidden
    LI      y, REVEALED
    JNE     state, y, refuse            ; it has come back already
    JNE     winner, bid, give_back
    JEQ     round, x, refuse            ; it may be used still
    JMP     give_back
refund_hidden:                          ; it was never shown: withholding has its price
    CONST   x, PENALTY
    CALL    MOVE, purse, INCOME, x
    SUB     amount, amount, x
give_back:
    LI      x, REFUNDED
    CALL    DSTORE, bid, #state_word, x
    CONST   x, DEPOSIT
    SUB     held, held, x
    CALL    DSTORE, book, #held_word, held
    CALL    MOVE, purse, signer, amount
    CALL    EVENT, REFUNDED, bid, amount
    SYS     EXIT
"""


def build(income: int, round_slots: int = 8, deposit: int = 10_000_000, penalty: int = 1_000_000) -> Program:
    """The program: one auction a chain.

    Args:
        income: Purse into which bids are paid (`staking.Layout.income`).
        round_slots: Slots of a round.
        deposit: Of each bid, so also the highest bid. Msat.
        penalty: What a bid that is never revealed costs. Msat.

    Raises:
        ValueError: The penalty exceeds the deposit, or a round has no slots.
    """
    if not 0 <= penalty <= deposit or round_slots < 1:
        raise ValueError("a penalty of at most the deposit, rounds of at least a slot")
    constants = {
        "INCOME": income,
        "ROUND_SLOTS": round_slots,
        "DEPOSIT": deposit,
        "PENALTY": penalty,
        "RING": RING,
    }
    return assemble_user(SOURCE, constants | {said.name: said.value for said in Said})


def book(program: int) -> int:
    """The cell whose first word is the auction's first cell."""
    return program + BOOK


def deposits(first: int) -> int:
    """The purse into which deposits are paid, by a bank move before `commit`."""
    return first + RING


def open_auction(program: int) -> Call:
    """Makes the auction's cells; once, by anyone."""
    return Call(program, Selector.OPEN)


def commit(program: int, bidder: int, amount: int, salt: int) -> Call:
    """A sealed bid of the signer, who is `bidder` and has paid in the deposit; its event tells its cell."""
    return Call(program, Selector.COMMIT, (*user_hash(amount, salt, bidder), 0, 0))


def reveal(program: int, bid: int, amount: int, salt: int) -> Call:
    """In the round after: what the bid was."""
    return Call(program, Selector.REVEAL, (bid, amount, salt, 0))


def use(program: int, bid: int) -> Call:
    """In the round after that, by the winner, in the first transaction of a batch: it is paid now."""
    return Call(program, Selector.USE, (bid, 0, 0, 0))


def refund(program: int, bid: int) -> Call:
    """The deposit of a bid that can win no more; less the penalty if it was never revealed."""
    return Call(program, Selector.REFUND, (bid, 0, 0, 0))
