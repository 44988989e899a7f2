"""Constant-product pools of two assets, for everybody (docs/programs/amm.md).

Reserves are recorded, not read from purses: what someone pays in without a call in the same list is a gift to the next
caller, and moves no price. All roundings are the pool's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.operations import Call

LOCKED_SHARES: Final = 1000
"""Of the first deposit; nobody's, so a pool is never emptied."""


class Selector(IntEnum):
    """What can be called."""

    CREATE = 0
    ADD = 1
    REMOVE = 2
    SWAP = 3


class Said(IntEnum):
    """First words of its events."""

    CREATED = 1
    """Then the pool and its assets, first | second << 32."""
    ADDED = 2
    """Then the position and its shares."""
    REMOVED = 3
    """Then the position and the shares taken off."""
    SWAPPED = 4
    """Then what came in and what went out."""


SOURCE: Final = """
    .reg one signer pool pool_a pool_b tag ra rb shares a b amount most to to_a to_b position slack deadline x y z fee
    .data tag_word reserve_a reserve_b shares_word  ; a pool; behind it its purses, first asset and second
    .data owner_word amount_word                    ; a position: owner | pool << 32, shares
    .entries create add remove swap

create:                                 ; first asset, second asset
    MOV     a, r2
    MOV     b, r3
    JEQ     a, b, refuse
    LI      tag, 0xFFFFFFFF
    PACK    tag, one, tag               ; (one is still 0)
    CALL    CONTEXT, PROGRAM
    MOV     x, r1
    CALL    CREATE_DATA
    MOV     pool, r1
    CALL    CREATE_PURSE, a, x
    CALL    CREATE_PURSE, b, x
    CALL    DSTORE, pool, #tag_word, tag
    PACK    x, a, b
    CALL    EVENT, CREATED, pool, x
    SYS     EXIT

; The pool that r2's lower half names: reserves, shares, purses. Goes back by the selector in `to`; 0 is a swap.
load:
    LI      one, 1
    MOV     signer, r6
    LO      pool, r2
    CALL    DLOAD, pool, #tag_word
    HI      x, r1
    LI      y, 0xFFFFFFFF
    JNE     x, y, refuse
loaded:
    ADD     pool_a, pool, one
    ADD     pool_b, pool_a, one
    CALL    DLOAD, pool, #reserve_a
    MOV     ra, r1
    CALL    DLOAD, pool, #reserve_b
    MOV     rb, r1
    CALL    DLOAD, pool, #shares_word
    MOV     shares, r1
    LI      x, 1
    JEQ     to, x, add_on
    LI      x, 2
    JEQ     to, x, remove_on
    JMP     swap_on

add:                                    ; pool, amount of the first, most of the second, purse for its rest | slack
    LI      to, 1
    MOV     amount, r3
    MOV     most, r4
    LO      to_b, r5
    HI      slack, r5
    JMP     load
add_on:
    JNE     shares, z, add_more         ; (z is still 0)
    LI      x, LOCKED_SHARES
    JGE     x, amount, refuse
    JEQ     most, z, refuse
    MOV     a, amount
    MOV     b, most
    MOV     y, amount
    SUB     position, y, x
    JMP     add_shares
add_more:
    MULDIV  amount, rb, ra              ; the second asset, rounded up
    HGETL   b
    HGETH   x
    JEQ     x, z, add_exact
    ADD     b, b, one
add_exact:
    JLT     most, b, refuse
    LI      x, 10000
    MULDIV  most, slack, x
    HGETL   x
    SUB     x, most, x
    JLT     b, x, refuse                ; too little of it: someone has moved the price before
    MULDIV  amount, shares, ra          ; shares, rounded down
    HGETL   y
    JEQ     y, z, refuse
    MOV     position, y
    MOV     a, amount
add_shares:                             ; y new shares in all, `position` of them the signer's
    ADD     ra, ra, a
    ADD     rb, rb, b
    ADD     shares, shares, y
    CALL    BALANCE, pool_a
    JLT     r1, ra, refuse              ; not paid in
    CALL    BALANCE, pool_b
    SUB     b, r1, rb                   ; if it was not paid in: a fault
    JEQ     b, z, add_store
    CALL    MOVE, pool_b, to_b, b
add_store:
    CALL    DSTORE, pool, #reserve_a, ra
    CALL    DSTORE, pool, #reserve_b, rb
    CALL    DSTORE, pool, #shares_word, shares
    CALL    CREATE_DATA
    MOV     x, r1
    PACK    y, signer, pool
    CALL    DSTORE, x, #owner_word, y
    CALL    DSTORE, x, #amount_word, position
    CALL    EVENT, ADDED, x, position
    SYS     EXIT

remove:                                 ; position, shares, purse for the first | for the second, least of the first
    LI      to, 2
    LI      one, 1
    MOV     signer, r6
    MOV     position, r2
    MOV     amount, r3
    LO      to_a, r4
    HI      to_b, r4
    MOV     most, r5
    CALL    DLOAD, position, #owner_word
    LO      x, r1
    HI      pool, r1                    ; of a pool it is no cell
    JNE     x, signer, refuse
    JEQ     amount, z, refuse
    CALL    DLOAD, position, #amount_word
    SUB     x, r1, amount
    CALL    DSTORE, position, #amount_word, x
    JMP     loaded
remove_on:
    MULDIV  amount, ra, shares          ; rounded down
    HGETL   a
    JLT     a, most, refuse
    MULDIV  amount, rb, shares
    HGETL   b
    SUB     shares, shares, amount
    SUB     ra, ra, a
    SUB     rb, rb, b
    CALL    DSTORE, pool, #reserve_a, ra
    CALL    DSTORE, pool, #reserve_b, rb
    CALL    DSTORE, pool, #shares_word, shares
    CALL    MOVE, pool_a, to_a, a
    CALL    MOVE, pool_b, to_b, b
    CALL    EVENT, REMOVED, position, amount
    SYS     EXIT

swap:                                   ; pool | whether the second came in, least out, to which purse, last slot
    MOV     most, r3
    MOV     to_a, r4
    MOV     deadline, r5
    HI      b, r2
    JMP     load
swap_on:
    JEQ     deadline, z, swap_in_time
    CALL    CONTEXT, SLOT
    JLT     deadline, r1, refuse
swap_in_time:
    JEQ     b, z, swap_side
    JNE     b, one, refuse
    MOV     x, ra                       ; the other way: exchange the sides
    MOV     ra, rb
    MOV     rb, x
    MOV     x, pool_a
    MOV     pool_a, pool_b
    MOV     pool_b, x
swap_side:                              ; ra, pool_a: what comes in
    CALL    BALANCE, pool_a
    SUB     amount, r1, ra
    LI      x, FEE
    LI      y, 10000
    MULDIV  amount, x, y                ; the fee, rounded up
    HGETL   fee
    HGETH   x
    JEQ     x, z, swap_fee
    ADD     fee, fee, one
swap_fee:
    SUB     x, amount, fee
    ADD     y, ra, x
    MULDIV  rb, x, y                    ; rounded down: k never falls
    HGETL   a
    JEQ     a, z, refuse
    JLT     a, most, refuse
    ADD     ra, ra, amount
    SUB     rb, rb, a
    CALL    MOVE, pool_b, to_a, a
    JEQ     b, z, swap_store
    MOV     x, ra
    MOV     ra, rb
    MOV     rb, x
swap_store:
    CALL    DSTORE, pool, #reserve_a, ra
    CALL    DSTORE, pool, #reserve_b, rb
    CALL    EVENT, SWAPPED, amount, a
    SYS     EXIT

refuse:
    SYS     FAIL
"""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's data cell: `Pool(*words)`.

    Attributes:
        tag: What says that it is one.
        first: Reserve of the first asset.
        second: Reserve of the second.
        shares: In all.
    """

    tag: int
    first: int
    second: int
    shares: int


def build(fee: int = 30) -> Program:
    """The program, for any number of pools.

    Args:
        fee: Of what comes in, in 1 / 10,000; it stays in the pool.

    Raises:
        ValueError: A fee of 1 or more.
    """
    if not 0 <= fee < 10_000:
        raise ValueError("a fee is below 10,000 / 10,000")
    return assemble_user(
        SOURCE, {"FEE": fee, "LOCKED_SHARES": LOCKED_SHARES} | {said.name: said.value for said in Said}
    )


def create(program: int, first: int, second: int) -> Call:
    """A new pool of two assets; its event tells its cell."""
    return Call(program, Selector.CREATE, (first, second, 0, 0))


def purses(pool: int) -> tuple[int, int]:
    """Where to pay in, first asset and second, by bank moves in the same list."""
    return pool + 1, pool + 2


def add(program: int, pool: int, amount: int, most: int, rest: int, slack: int) -> Call:
    """The signer adds liquidity that was paid in; a position is made, as its event tells.

    Args:
        program: The program's cell.
        pool: The pool.
        amount: Of the first asset.
        most: Of the second that the signer has paid in; the first deposit takes it all.
        rest: Purse of the second asset for what is not needed.
        slack: How much less than `most` may be taken, in 1 / 10,000 of it, or the list fails: still less is a wrong
            price, at which the signer leaves his first asset to whoever has set it. 10,000 lets any pass.
    """
    return Call(program, Selector.ADD, (pool, amount, most, rest | slack << 32))


def remove(program: int, position: int, shares: int, to: tuple[int, int], least: int = 0) -> Call:
    """The signer takes liquidity out.

    Args:
        program: The program's cell.
        position: His.
        shares: How many of its shares.
        to: Purses for the first and the second asset.
        least: Of the first asset, or the list fails.
    """
    return Call(program, Selector.REMOVE, (position, shares, to[0] | to[1] << 32, least))


def swap(program: int, pool: int, second: bool, least: int, to: int, deadline: int = 0) -> Call:
    """All that was paid into one side against the other.

    Args:
        program: The program's cell.
        pool: The pool.
        second: Whether the second asset was paid in.
        least: What must come out, or the list fails.
        to: Purse for it.
        deadline: Last slot in which it may happen; 0 for none.
    """
    return Call(program, Selector.SWAP, (pool | second << 32, least, to, deadline))
