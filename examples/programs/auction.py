"""A Dutch auction: the price of a lot falls slot by slot to a floor (docs/programs/auction.md)."""

from __future__ import annotations

from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.operations import Call

SOURCE = """
    .reg sale one seller start floor duration first btc lot self to price elapsed x y asset buyer
    .data seller_first start_word floor_word terms
    ; A sale is a data cell; the next two cells are its purses, of BTC and of the lot's asset.
    .entries open buy cancel

open:                                   ; asset | duration in slots, start price, floor price; the signer sells
    LO      asset, r2
    HI      duration, r2
    MOV     start, r3
    MOV     floor, r4
    MOV     seller, r6
    JEQ     duration, self, refuse      ; (self is still 0)
    JLT     start, floor, refuse        ; the price falls
    CALL    CONTEXT, SLOT
    MOV     first, r1
    CALL    CONTEXT, PROGRAM
    MOV     self, r1
    CALL    CREATE_DATA
    MOV     sale, r1
    PACK    x, seller, first
    CALL    DSTORE, sale, #seller_first, x
    CALL    DSTORE, sale, #start_word, start
    CALL    DSTORE, sale, #floor_word, floor
    PACK    x, asset, duration
    CALL    DSTORE, sale, #terms, x
    CALL    CREATE_PURSE, 0, self
    CALL    CREATE_PURSE, asset, self
    CALL    EVENT, OPENED, sale, seller
    SYS     EXIT

buy:                                    ; sale, signer's purse of the asset; he has paid into the BTC purse before
    MOV     sale, r2
    MOV     to, r3
    MOV     buyer, r6
    LI      one, 1
    CALL    DLOAD, sale, #seller_first  ; only a sale of this program
    LO      seller, r1
    HI      first, r1
    CALL    DLOAD, sale, #start_word
    MOV     start, r1
    CALL    DLOAD, sale, #floor_word
    MOV     floor, r1
    CALL    DLOAD, sale, #terms
    HI      duration, r1
    CALL    CONTEXT, SLOT
    SUB     elapsed, r1, first          ; slots never go back
    JLT     elapsed, duration, falling
    MOV     elapsed, duration
falling:
    SUB     price, start, floor
    MULDIV  price, elapsed, duration    ; (start - floor) elapsed / duration, rounded down: for the seller
    HGETL   x
    SUB     price, start, x
    ADD     btc, sale, one
    ADD     lot, btc, one
    CALL    OWNED, to, buyer
    JNE     r1, one, refuse
    CALL    MOVE, btc, seller, price    ; fails unless the buyer has paid in enough
    CALL    BALANCE, btc
    MOV     x, r1
    CALL    MOVE, btc, buyer, x         ; what he paid too much
    CALL    BALANCE, lot
    MOV     y, r1
    JEQ     y, self, refuse             ; sold already (self is still 0)
    CALL    MOVE, lot, to, y
    CALL    EVENT, SOLD, sale, price
    SYS     EXIT

cancel:                                 ; sale, seller's purse of the asset: by the seller
    MOV     sale, r2
    MOV     to, r3
    MOV     buyer, r6
    CALL    DLOAD, sale, #seller_first
    LO      seller, r1
    JNE     buyer, seller, refuse
    LI      one, 1
    ADD     lot, sale, one
    ADD     lot, lot, one
    CALL    BALANCE, lot
    MOV     y, r1
    CALL    MOVE, lot, to, y            ; where the seller says
    CALL    EVENT, CANCELLED, sale, y
    SYS     EXIT

refuse:
    SYS     FAIL
"""
OPENED, SOLD, CANCELLED = 1, 2, 3
"""First words of the events; then the sale, then the seller, the price or the lot."""
OPEN, BUY, CANCEL = range(3)


def build() -> Program:
    """The program: one for any number of sales."""
    return assemble_user(SOURCE, {"OPENED": OPENED, "SOLD": SOLD, "CANCELLED": CANCELLED})


def open_sale(program: int, asset: int, duration: int, start: int, floor: int) -> Call:
    """The signer sells a lot of an asset; the price falls from `start` to `floor` in `duration` slots.

    Units: prices in msat.
    """
    return Call(program, OPEN, (asset | duration << 32, start, floor, 0))


def buy(program: int, sale: int, purse: int) -> Call:
    """The signer buys the whole lot at today's price, into a purse of his."""
    return Call(program, BUY, (sale, purse, 0, 0))


def cancel(program: int, sale: int, purse: int) -> Call:
    """The seller takes the lot back."""
    return Call(program, CANCEL, (sale, purse, 0, 0))


def btc_purse(sale: int) -> int:
    """Where the buyer pays in, with a bank move in the same list."""
    return sale + 1


def lot_purse(sale: int) -> int:
    """Where the seller puts the lot, with a bank move."""
    return sale + 2
