"""An escrow: BTC against another asset, or both back after a timeout (docs/programs/escrow.md)."""

from __future__ import annotations

from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.operations import Call

SOURCE = """
    .reg deal one buyer seller price asset amount deadline btc tokens self to x
    .data parties price_word terms amount_word
    ; A deal is a data cell; the next two cells are its purses, of BTC and of the asset.
    .entries open settle refund_buyer refund_seller

open:                                   ; seller | asset, price, amount, deadline; the signer buys
    LO      seller, r2
    HI      asset, r2
    MOV     price, r3
    MOV     amount, r4
    MOV     deadline, r5
    MOV     buyer, r6
    PACK    x, deadline, self           ; the deadline is a height: below 2^32 (self is still 0)
    JNE     x, deadline, refuse
    JEQ     amount, self, refuse        ; nothing for money, or money for nothing: a mistake
    JEQ     price, self, refuse
    CALL    CONTEXT, PROGRAM
    MOV     self, r1
    CALL    CREATE_DATA
    MOV     deal, r1
    PACK    x, buyer, seller
    CALL    DSTORE, deal, #parties, x
    CALL    DSTORE, deal, #price_word, price
    PACK    x, asset, deadline
    CALL    DSTORE, deal, #terms, x
    CALL    DSTORE, deal, #amount_word, amount
    CALL    CREATE_PURSE, 0, self
    CALL    CREATE_PURSE, asset, self
    CALL    EVENT, OPENED, deal, buyer
    SYS     EXIT

settle:                                 ; deal, buyer's purse of the asset: by anyone, once both sides are in
    MOV     deal, r2
    MOV     to, r3
    CALL    DLOAD, deal, #parties       ; only a deal of this program
    LO      buyer, r1
    HI      seller, r1
    CALL    DLOAD, deal, #price_word
    MOV     price, r1
    CALL    DLOAD, deal, #amount_word
    MOV     amount, r1
    LI      one, 1
    CALL    OWNED, to, buyer
    JNE     r1, one, refuse             ; to the buyer alone
    ADD     btc, deal, one
    ADD     tokens, btc, one
    CALL    MOVE, btc, seller, price    ; fails unless the price is there
    CALL    MOVE, tokens, to, amount    ; fails unless the asset is there
    CALL    EVENT, SETTLED, deal, price
    SYS     EXIT

refund_buyer:                           ; deal: by anyone, from the deadline on
    MOV     deal, r2
    CALL    DLOAD, deal, #parties
    LO      buyer, r1
    CALL    DLOAD, deal, #terms
    HI      deadline, r1
    CALL    CONTEXT, HEIGHT
    JLT     r1, deadline, refuse
    LI      one, 1
    ADD     btc, deal, one
    CALL    BALANCE, btc
    MOV     price, r1
    CALL    MOVE, btc, buyer, price
    CALL    EVENT, BUYER_REFUNDED, deal, price
    SYS     EXIT

refund_seller:                          ; deal, seller's purse of the asset: by anyone, from the deadline on
    MOV     deal, r2
    MOV     to, r3
    CALL    DLOAD, deal, #parties
    HI      seller, r1
    CALL    DLOAD, deal, #terms
    HI      deadline, r1
    CALL    CONTEXT, HEIGHT
    JLT     r1, deadline, refuse
    LI      one, 1
    CALL    OWNED, to, seller
    JNE     r1, one, refuse             ; to the seller alone
    ADD     tokens, deal, one
    ADD     tokens, tokens, one
    CALL    BALANCE, tokens
    MOV     amount, r1
    CALL    MOVE, tokens, to, amount
    CALL    EVENT, SELLER_REFUNDED, deal, amount
    SYS     EXIT

refuse:
    SYS     FAIL
"""
EVENTS = {"OPENED": 1, "SETTLED": 2, "BUYER_REFUNDED": 3, "SELLER_REFUNDED": 4}
"""First words of the events; then the deal, then the buyer or the amount."""
OPEN, SETTLE, REFUND_BUYER, REFUND_SELLER = range(4)


def build() -> Program:
    """The program: one for any number of deals."""
    return assemble_user(SOURCE, EVENTS)


def open_deal(program: int, seller: int, asset: int, price: int, amount: int, deadline: int) -> Call:
    """The signer offers `price` msat for `amount` of the asset. The deal's cell is in the event.

    Args:
        program: The escrow.
        seller: His account's cell.
        asset: Number of the asset: its program's cell.
        price: In msat.
        amount: Of the asset.
        deadline: Bitcoin height from which a refund is possible.

    Units: price in msat.
    """
    return Call(program, OPEN, (seller | asset << 32, price, amount, deadline))


def settle(program: int, deal: int, buyer_purse: int) -> Call:
    """Swaps, if both sides are in."""
    return Call(program, SETTLE, (deal, buyer_purse, 0, 0))


def refund_buyer(program: int, deal: int) -> Call:
    """Gives the buyer back what he paid in."""
    return Call(program, REFUND_BUYER, (deal, 0, 0, 0))


def refund_seller(program: int, deal: int, seller_purse: int) -> Call:
    """Gives the seller back what he paid in."""
    return Call(program, REFUND_SELLER, (deal, seller_purse, 0, 0))


def btc_purse(deal: int) -> int:
    """Where the buyer pays the price in, with a bank move."""
    return deal + 1


def asset_purse(deal: int) -> int:
    """Where the seller pays the asset in, with a bank move."""
    return deal + 2
