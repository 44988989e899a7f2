"""A pool that lends BTC against an asset, at an oracle's price (docs/programs/lending.md).

Debts are counted in shares of an index that interest lets grow; deposits in shares of cash and debts. All roundings are
the pool's. What must always be possible (repay, withdraw, take without a debt) reads no oracle and cannot overflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from circuits.machine.abi import BOOK
from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.programs.oracle import UNITS
from circuits.rollup.operations import Call

INDEX: Final = 10**12
"""The index at first: msat of debt are shares times index / INDEX."""
MAX_INDEX: Final = 8 * INDEX
"""Beyond it interest stops, so that debts stay below 2^63."""
MAX_STEP: Final = 10**6
"""Slots that one accrual counts at most."""
MAX_RATE: Final = 10**4
VIRTUAL_SHARES: Final = 1000
"""Deposit shares that nobody has, against 1 msat: the first depositor cannot make others' shares dear."""
MAX_DEPOSIT: Final = 1 << 50
MAX_DEBT_SHARES: Final = 1 << 60
MAX_COLLATERAL: Final = 1 << 43
MAX_PRICE: Final = 1 << 40
"""Prices above count as this: MAX_COLLATERAL * MAX_PRICE / 10^6 fits a word."""
LEAST_FEEDS: Final = 3
"""With two, the lower one is the price, and one feed alone could liquidate everybody."""


class Selector(IntEnum):
    """What can be called."""

    OPEN = 0
    DEPOSIT = 1
    WITHDRAW = 2
    PUT = 3
    TAKE = 4
    BORROW = 5
    REPAY = 6
    LIQUIDATE = 7


class Said(IntEnum):
    """First words of its events; then the cell of the deposit or loan, and the amount."""

    DEPOSITED = 1
    WITHDRAWN = 2
    PUT = 3
    TAKEN = 4
    BORROWED = 5
    REPAID = 6
    LIQUIDATED = 7
    WRITTEN_OFF = 8


@dataclass(frozen=True, slots=True)
class Rules:
    """What a pool fixes.

    Attributes:
        rate: Interest of a slot, in 10^-12.
        collateral_factor: Of the collateral's value that a debt may reach, in 1 / 10,000.
        close_factor: Of a debt that one liquidation may repay, in 1 / 10,000.
        bonus: What a liquidator gets for 1 of what it repays, in 1 / 10,000.
        min_debt: A debt is at least that when it is drawn or repaid in part; below twice it, it may be liquidated
            whole. Msat.
        max_age: Slots after which a price is stale; more than the oracle's, or a feed that pauses stops the pool.
        min_feeds: Feeds that a price needs: 2 f + 1, where f may lie.
    """

    rate: int = 50
    collateral_factor: int = 7_500
    close_factor: int = 5_000
    bonus: int = 10_500
    min_debt: int = 1_000_000
    max_age: int = 20
    min_feeds: int = LEAST_FEEDS


SOURCE: Final = """
    .reg zero one full ten_thousand scale units ret signer first funds cash collateral lost index last slot debts
    .reg shares assets amount cell owner pledged owed debt value price limit most to x y
    .data index_word slot_word debts_word shares_word       ; TOTALS
    .data tag_word cash_word collateral_word lost_word      ; FUNDS
    .data owner_word amount_word owed_word                  ; a deposit (kind 1) or a loan (kind 2): owner | kind << 32
    .entries open deposit withdraw put take borrow repay liquidate

open:                                   ; once: totals, funds, the BTC purse, the collateral's purse
    CALL    CONTEXT, PROGRAM
    MOV     owner, r1
    LI      one, 1
    ADD     x, owner, one
    CALL    DLOAD, x, 0
    JNE     r1, zero, refuse
    CALL    CREATE_DATA
    MOV     first, r1
    CALL    DSTORE, x, 0, first
    CALL    CREATE_DATA
    MOV     funds, r1
    CALL    CREATE_PURSE, 0, owner
    CALL    CREATE_PURSE, ASSET, owner
    CONST   x, INDEX
    CALL    DSTORE, first, #index_word, x
    CALL    CONTEXT, SLOT
    MOV     slot, r1
    CALL    DSTORE, first, #slot_word, slot
    LI      full, 0xFFFFFFFF
    PACK    x, zero, full
    CALL    DSTORE, funds, #tag_word, x
    SYS     EXIT

refuse:
    SYS     FAIL

; The pool, with interest up to this slot; every call begins here and goes on by `ret`.
begin:
    MOV     signer, r6
    LI      one, 1
    LI      ten_thousand, 10000
    LI      units, UNITS
    CONST   scale, INDEX
    CALL    CONTEXT, SLOT
    MOV     slot, r1
    CALL    CONTEXT, PROGRAM
    ADD     x, r1, one
    CALL    DLOAD, x, 0
    MOV     first, r1
    ADD     funds, first, one
    CALL    DLOAD, first, #index_word
    MOV     index, r1
    CALL    DLOAD, first, #slot_word
    MOV     last, r1
    CALL    DLOAD, first, #debts_word
    MOV     debts, r1
    CALL    DLOAD, first, #shares_word
    MOV     shares, r1
    CALL    DLOAD, funds, #cash_word
    MOV     cash, r1
    CALL    DLOAD, funds, #collateral_word
    MOV     collateral, r1
    SUB     x, slot, last
    LI      y, MAX_STEP
    JLT     x, y, begin_step
    MOV     x, y
begin_step:
    LI      y, RATE
    MULDIV  x, y, one
    HGETL   x
    MULDIV  index, x, scale
    HGETL   x
    HGETH   y
    JEQ     y, zero, begin_whole
    ADD     x, x, one
begin_whole:
    ADD     index, index, x
    CONST   x, MAX_INDEX
    JLT     index, x, begin_index
    MOV     index, x
begin_index:
    CALL    DSTORE, first, #index_word, index
    CALL    DSTORE, first, #slot_word, slot
    MULDIV  debts, index, scale         ; below 2^63
    HGETL   assets
    ADD     assets, assets, cash
    ADD     assets, assets, one         ; against the virtual shares
    LI      x, 2
    JEQ     ret, one, deposit_on
    JEQ     ret, x, withdraw_on
    JMP     loan

; The loan in `cell`, its owner, what is pledged and owed; makes one if `cell` is 0 (and only PUT gets so far).
loan:
    JEQ     cell, zero, put_new
    CALL    DLOAD, cell, #owner_word
    LO      owner, r1
    HI      x, r1
    LI      y, 2
    JNE     x, y, refuse
    CALL    DLOAD, cell, #amount_word
    MOV     pledged, r1
    CALL    DLOAD, cell, #owed_word
    MOV     owed, r1
loan_known:
    MULDIV  owed, index, scale          ; the debt, rounded up
    HGETL   debt
    HGETH   x
    JEQ     x, zero, loan_debt
    ADD     debt, debt, one
loan_debt:
    LI      x, 3
    JEQ     ret, x, put_on
    LI      x, 4
    JEQ     ret, x, take_on
    LI      x, 5
    JEQ     ret, x, borrow_on
    LI      x, 6
    JEQ     ret, x, repay_on

; The price, if it is fresh and of enough feeds; then the value of what is pledged, and the debt that it bears.
appraise:
    LI      x, ORACLE
    CALL    PEEK, x, 1
    LO      y, r1
    HI      x, r1
    SUB     y, slot, y
    LI      price, MAX_AGE
    JLT     price, y, refuse
    LI      y, MIN_FEEDS
    JLT     x, y, refuse
    LI      x, ORACLE
    CALL    PEEK, x, 0
    MOV     price, r1
    CONST   x, MAX_PRICE
    JLT     price, x, appraise_price
    MOV     price, x
appraise_price:
    MULDIV  pledged, price, units
    HGETL   value
    LI      x, COLLATERAL_FACTOR
    MULDIV  value, x, ten_thousand
    HGETL   limit
    LI      x, 7
    JEQ     ret, x, liquidate_appraised
    JLT     limit, debt, refuse
    LI      x, 4
    JEQ     ret, x, take_pay
    JMP     borrow_pay

; What loan and pool have become.
store_loan:
    CALL    DSTORE, cell, #amount_word, pledged
    CALL    DSTORE, cell, #owed_word, owed
    CALL    DSTORE, first, #debts_word, debts
store_funds:
    CALL    DSTORE, funds, #cash_word, cash
    CALL    DSTORE, funds, #collateral_word, collateral
    SYS     EXIT

deposit:                                ; amount, paid in before
    LI      ret, 1
    MOV     amount, r2
    JMP     begin
deposit_on:
    CONST   x, MAX_DEPOSIT
    JGE     amount, x, refuse
    LI      x, VIRTUAL_SHARES
    ADD     x, x, shares
    MULDIV  amount, x, assets
    HGETL   y
    JEQ     y, zero, refuse
    ADD     x, x, y                     ; (or no one could add the virtual shares any more)
    ADD     cash, cash, amount
    ADD     x, funds, one
    CALL    BALANCE, x
    JLT     r1, cash, refuse
    CALL    CREATE_DATA
    MOV     cell, r1
    PACK    x, signer, one
    CALL    DSTORE, cell, #owner_word, x
    CALL    DSTORE, cell, #amount_word, y
    ADD     shares, shares, y
    CALL    DSTORE, first, #shares_word, shares
    CALL    EVENT, DEPOSITED, cell, amount
    JMP     store_funds

withdraw:                               ; deposit, shares
    LI      ret, 2
    MOV     cell, r2
    MOV     amount, r3
    JMP     begin
withdraw_on:
    CALL    DLOAD, cell, #owner_word
    PACK    x, signer, one
    JNE     x, r1, refuse
    CALL    DLOAD, cell, #amount_word
    SUB     x, r1, amount
    CALL    DSTORE, cell, #amount_word, x
    LI      x, VIRTUAL_SHARES
    ADD     x, x, shares
    MULDIV  amount, assets, x
    HGETL   value
    SUB     shares, shares, amount
    CALL    DSTORE, first, #shares_word, shares
    SUB     cash, cash, value           ; what is lent out must come back first
    ADD     x, funds, one
    CALL    MOVE, x, signer, value
    CALL    EVENT, WITHDRAWN, cell, value
    JMP     store_funds

put:                                    ; loan or 0 for a new one, amount of the asset, paid in before
    LI      ret, 3
    MOV     cell, r2
    MOV     amount, r3
    JMP     begin
put_new:
    LI      x, 3
    JNE     ret, x, refuse
    CALL    CREATE_DATA
    MOV     cell, r1
    LI      x, 2
    PACK    x, signer, x
    CALL    DSTORE, cell, #owner_word, x
    JMP     loan_known
put_on:                                 ; (anyone may add to a loan's collateral)
    ADD     pledged, pledged, amount
    CONST   x, MAX_COLLATERAL
    JGE     pledged, x, refuse
    ADD     collateral, collateral, amount
    LI      x, 2
    ADD     x, funds, x
    CALL    BALANCE, x
    JLT     r1, collateral, refuse
    CALL    EVENT, PUT, cell, amount
    JMP     store_loan

take:                                   ; loan, amount of the asset, to which purse
    LI      ret, 4
    MOV     cell, r2
    MOV     amount, r3
    MOV     to, r4
    JMP     begin
take_on:
    JNE     owner, signer, refuse
    SUB     pledged, pledged, amount
    JNE     owed, zero, appraise
take_pay:
    SUB     collateral, collateral, amount
    LI      x, 2
    ADD     x, funds, x
    CALL    MOVE, x, to, amount
    CALL    EVENT, TAKEN, cell, amount
    JMP     store_loan

borrow:                                 ; loan, amount
    LI      ret, 5
    MOV     cell, r2
    MOV     amount, r3
    JMP     begin
borrow_on:
    JNE     owner, signer, refuse
    MULDIV  amount, scale, index        ; shares, rounded up
    HGETL   x
    HGETH   y
    JEQ     y, zero, borrow_shares
    ADD     x, x, one
borrow_shares:
    ADD     owed, owed, x
    ADD     debts, debts, x
    CONST   x, MAX_DEBT_SHARES
    JLT     x, debts, refuse
    MULDIV  owed, index, scale
    HGETL   debt
    HGETH   x
    JEQ     x, zero, borrow_debt
    ADD     debt, debt, one
borrow_debt:
    CONST   x, MIN_DEBT
    JLT     debt, x, refuse
    SUB     cash, cash, amount
    JMP     appraise
borrow_pay:
    ADD     x, funds, one
    CALL    MOVE, x, signer, amount
    CALL    EVENT, BORROWED, cell, amount
    JMP     store_loan

repay:                                  ; loan, amount, paid in before; what is too much comes back
    LI      ret, 6
    MOV     cell, r2
    MOV     amount, r3
    JMP     begin
repay_on:
    ADD     x, cash, amount
    ADD     y, funds, one
    CALL    BALANCE, y
    JLT     r1, x, refuse
    JGE     amount, debt, repay_all
    MULDIV  amount, scale, index        ; shares, rounded down
    HGETL   x
    SUB     owed, owed, x
    SUB     debts, debts, x
    SUB     x, debt, amount
    CONST   y, MIN_DEBT
    JLT     x, y, refuse                ; less would be left than one bothers to liquidate
    ADD     cash, cash, amount
    JMP     repaid
repay_all:
    SUB     debts, debts, owed
    MOV     owed, zero
    ADD     cash, cash, debt
    SUB     x, amount, debt
    MOV     amount, debt
    CALL    MOVE, y, signer, x
repaid:
    CALL    EVENT, REPAID, cell, amount
    JMP     store_loan

liquidate:                              ; loan, amount to repay, paid in before; purse for the collateral
    LI      ret, 7
    MOV     cell, r2
    MOV     amount, r3
    MOV     to, r4
    JMP     begin
liquidate_appraised:
    JGE     limit, debt, refuse         ; healthy, or no debt
    LI      x, BONUS
    MULDIV  value, ten_thousand, x      ; what pays for all that is pledged, rounded up
    HGETL   most
    HGETH   x
    JEQ     x, zero, liquidate_priced
    ADD     most, most, one
liquidate_priced:
    MOV     y, debt
    CONST   x, TWICE_MIN_DEBT
    JLT     debt, x, liquidate_close
    LI      x, CLOSE_FACTOR
    MULDIV  debt, x, ten_thousand
    HGETL   y
liquidate_close:
    JGE     y, most, liquidate_most
    MOV     most, y
liquidate_most:
    ADD     x, cash, amount
    ADD     y, funds, one
    CALL    BALANCE, y
    JLT     r1, x, refuse
    JGE     most, amount, liquidate_paid
    SUB     x, amount, most             ; what is too much comes back
    MOV     amount, most
    CALL    MOVE, y, signer, x
liquidate_paid:
    ADD     cash, cash, amount
    MULDIV  amount, scale, index        ; shares, rounded down: all of them for all the debt, as index >= scale
    HGETL   x
    SUB     owed, owed, x
    SUB     debts, debts, x
    LI      x, BONUS
    MULDIV  amount, x, ten_thousand
    HGETL   x
    MOV     y, pledged                  ; all of it, if it is worth no more
    JGE     x, value, liquidate_pay
    MULDIV  x, units, price             ; rounded down: x < value
    HGETL   y
liquidate_pay:
    SUB     pledged, pledged, y
    SUB     collateral, collateral, y
    LI      x, 2
    ADD     x, funds, x
    CALL    MOVE, x, to, y
    CALL    EVENT, LIQUIDATED, cell, amount
    JNE     pledged, zero, store_loan
    JEQ     owed, zero, store_loan
    MULDIV  owed, index, scale          ; nothing is left to take: all depositors bear what is owed still
    HGETL   x
    SUB     debts, debts, owed
    MOV     owed, zero
    CALL    DLOAD, funds, #lost_word
    ADD     y, r1, x
    CALL    DSTORE, funds, #lost_word, y
    CALL    EVENT, WRITTEN_OFF, cell, x
    JMP     store_loan
"""


@dataclass(frozen=True, slots=True)
class Cells:
    """Where a pool keeps what it knows: `Cells(first)`, and `first` is the first word of its book."""

    totals: int

    @property
    def funds(self) -> int:
        """Data: cash, collateral, what was written off."""
        return self.totals + 1

    @property
    def cash(self) -> int:
        """BTC purse: deposits and repayments are paid in here."""
        return self.totals + 2

    @property
    def collateral(self) -> int:
        """Purse of the asset: collateral is paid in here."""
        return self.totals + 3


def build(oracle: int, asset: int, rules: Rules = Rules()) -> Program:
    """The program: one pool.

    Args:
        oracle: Cell of the price (`oracle.price_cell`).
        asset: What is taken as collateral.
        rules: Its numbers.

    Raises:
        ValueError: Numbers that do not fit each other.
    """
    if not 0 <= rules.rate <= MAX_RATE:
        raise ValueError(f"interest is at most {MAX_RATE} / 10^12 a slot")
    if not 0 < rules.collateral_factor * rules.bonus < 10_000**2:
        raise ValueError("collateral factor times bonus must be below 1, or liquidation costs the pool")
    if rules.min_feeds < LEAST_FEEDS:
        raise ValueError(f"a price needs at least {LEAST_FEEDS} feeds, or one alone makes it")
    if not 0 < rules.close_factor <= 10_000 <= rules.bonus or not 0 < rules.min_debt < 1 << 40:
        raise ValueError("close factor at most 1, bonus at least 1, a least debt below 2^40 msat")
    constants = {
        "ORACLE": oracle, "ASSET": asset, "INDEX": INDEX, "MAX_INDEX": MAX_INDEX, "MAX_STEP": MAX_STEP,
        "RATE": rules.rate, "VIRTUAL_SHARES": VIRTUAL_SHARES, "MAX_DEPOSIT": MAX_DEPOSIT, "UNITS": UNITS,
        "MAX_DEBT_SHARES": MAX_DEBT_SHARES, "MAX_COLLATERAL": MAX_COLLATERAL, "MAX_PRICE": MAX_PRICE,
        "COLLATERAL_FACTOR": rules.collateral_factor, "CLOSE_FACTOR": rules.close_factor, "BONUS": rules.bonus,
        "MIN_DEBT": rules.min_debt, "TWICE_MIN_DEBT": 2 * rules.min_debt, "MAX_AGE": rules.max_age,
        "MIN_FEEDS": rules.min_feeds,
    }  # fmt: skip
    return assemble_user(SOURCE, constants | {said.name: said.value for said in Said})


def book(program: int) -> int:
    """The cell whose first word is the pool's first cell."""
    return program + BOOK


def open_pool(program: int) -> Call:
    """Makes the pool's cells; once, by anyone."""
    return Call(program, Selector.OPEN)


def deposit(program: int, amount: int) -> Call:
    """The signer lends what he has paid into the cash purse; a deposit's cell is made."""
    return Call(program, Selector.DEPOSIT, (amount, 0, 0, 0))


def withdraw(program: int, cell: int, shares: int) -> Call:
    """So many shares of the signer's deposit, as far as there is cash."""
    return Call(program, Selector.WITHDRAW, (cell, shares, 0, 0))


def put(program: int, loan: int, amount: int) -> Call:
    """Collateral that was paid in, for a loan; for a new one of the signer's if `loan` is 0."""
    return Call(program, Selector.PUT, (loan, amount, 0, 0))


def take(program: int, loan: int, amount: int, to: int) -> Call:
    """Collateral back, as far as the debt allows."""
    return Call(program, Selector.TAKE, (loan, amount, to, 0))


def borrow(program: int, loan: int, amount: int) -> Call:
    """BTC to the signer, against his collateral."""
    return Call(program, Selector.BORROW, (loan, amount, 0, 0))


def repay(program: int, loan: int, amount: int) -> Call:
    """BTC that was paid in, against a debt; what is too much comes back to the signer."""
    return Call(program, Selector.REPAY, (loan, amount, 0, 0))


def liquidate(program: int, loan: int, amount: int, to: int) -> Call:
    """BTC that was paid in, against a part of an unhealthy debt; its worth in collateral and the bonus go to `to`.

    What is more than may be repaid, or than the collateral is worth, comes back to the signer.
    """
    return Call(program, Selector.LIQUIDATE, (loan, amount, to, 0))
