"""A token: its owner mints, anyone opens a purse and burns what is in the program's hands (docs/programs/token.md)."""

from __future__ import annotations

from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.operations import Call

SOURCE = """
    .reg self book total owner amount
    .data supply
    .entries mint open burn

mint:                                   ; purse, amount: by the owner alone
    CONST   owner, OWNER
    JNE     r6, owner, refuse
    MOV     amount, r3
    MOV     self, r2
    CALL    MINT, self, amount
    CALL    CONTEXT, PROGRAM
    LI      book, 1
    ADD     book, book, r1
    CALL    DLOAD, book, #supply
    ADD     total, r1, amount           ; a supply above u64 is a fault
    CALL    DSTORE, book, #supply, total
    SYS     EXIT

open:                                   ; holder's cell: a new purse of this token for it
    MOV     owner, r2
    CALL    CONTEXT, PROGRAM
    CALL    CREATE_PURSE, r1, owner
    MOV     self, r1
    CALL    EVENT, OPENED, owner, self  ; tells the holder which cell it is
    SYS     EXIT

burn:                                   ; purse of the program, amount
    MOV     self, r2
    MOV     amount, r3
    CALL    BURN, self, amount
    CALL    CONTEXT, PROGRAM
    LI      book, 1
    ADD     book, book, r1
    CALL    DLOAD, book, #supply
    SUB     total, r1, amount
    CALL    DSTORE, book, #supply, total
    SYS     EXIT

refuse:
    SYS     FAIL
"""
OPENED = 1
"""First word of the event that `open` writes; then holder and purse."""
MINT, OPEN, BURN = range(3)


def build(owner: int) -> Program:
    """The program of a token that the account in cell `owner` mints."""
    return assemble_user(SOURCE, {"OWNER": owner, "OPENED": OPENED})


def mint(program: int, purse: int, amount: int) -> Call:
    """The owner creates `amount` in a purse of the token."""
    return Call(program, MINT, (purse, amount, 0, 0))


def open_purse(program: int, holder: int) -> Call:
    """A new purse for an account or program; its cell is in the event."""
    return Call(program, OPEN, (holder, 0, 0, 0))


def burn(program: int, purse: int, amount: int) -> Call:
    """Destroys `amount` of a purse that the program owns; move tokens there in the same list."""
    return Call(program, BURN, (purse, amount, 0, 0))
