"""A vault that two of three accounts open together (docs/programs/vault.md)."""

from __future__ import annotations

from collections.abc import Sequence

from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.operations import Call
from circuits.rollup.system_calls import cosign_message
from circuits.rollup.words import Digest

SOURCE = """
    .reg book purse to amount cosigner leaf one two three signer self
    .data kept
    .entries setup spend

setup:                                  ; once: the purse that holds the funds
    CALL    CONTEXT, PROGRAM
    MOV     self, r1
    LI      book, 1
    ADD     book, book, self
    CALL    DLOAD, book, #kept
    JNE     r1, purse, refuse           ; it has one already (purse is still 0)
    CALL    CREATE_PURSE, 0, self
    MOV     purse, r1
    CALL    DSTORE, book, #kept, purse
    CALL    EVENT, OPENED, purse, 0
    SYS     EXIT

spend:                                  ; to, amount, co-signer's cell, co-signer's leaf
    MOV     to, r2
    MOV     amount, r3
    MOV     cosigner, r4
    MOV     leaf, r5
    MOV     signer, r6
    CONST   one, FIRST
    CONST   two, SECOND
    CONST   three, THIRD
    JEQ     signer, cosigner, refuse    ; two of them, not one twice
    JEQ     signer, one, signer_known
    JEQ     signer, two, signer_known
    JNE     signer, three, refuse
signer_known:
    JEQ     cosigner, one, both_known
    JEQ     cosigner, two, both_known
    JNE     cosigner, three, refuse
both_known:
    CALL    CHECKSIG, cosigner, to, amount, leaf
    CALL    CONTEXT, PROGRAM
    LI      book, 1
    ADD     book, book, r1
    CALL    DLOAD, book, #kept
    MOV     purse, r1
    CALL    MOVE, purse, to, amount
    SYS     EXIT

refuse:
    SYS     FAIL
"""
OPENED = 1
SETUP, SPEND = range(2)


def build(owners: Sequence[int]) -> Program:
    """The program of a vault of three accounts (their cells, all different)."""
    first, second, third = owners
    if len({first, second, third}) != 3:
        raise ValueError("three different accounts")
    return assemble_user(SOURCE, {"FIRST": first, "SECOND": second, "THIRD": third, "OPENED": OPENED})


def setup(program: int) -> Call:
    """Makes the vault's purse; its cell is in the event and in word 0 of the book."""
    return Call(program, SETUP)


def spend(program: int, to: int, amount: int, cosigner: int, leaf: int) -> Call:
    """One owner signs the transaction, another (with `leaf` of his key) `spend_message`."""
    return Call(program, SPEND, (to, amount, cosigner, leaf))


def spend_message(chain_id: int, program: int, to: int, amount: int, cosigner: int) -> Digest:
    """What the co-signer signs; shape (8,)."""
    return cosign_message(chain_id, program, cosigner, to, amount)
