"""The kernel's text, continued: the system calls of user programs, and the move that the bank shares with them.

`circuits.machine.kernel` says why it is safe; `circuits.machine.abi` what each call is.
"""

from __future__ import annotations

from typing import Final


def move(name: str, then: str) -> str:
    """Amount from source to target, whose indices, authority and kind (of `head`, source's) are checked."""
    return f"""
{name}:
    LOAD    x, target, HEADER
    JNE     x, head, call_fails                 ; no purse of this asset
    LOAD    balance, source, BALANCE
    JLT     balance, amount, call_fails
    SUB     balance, balance, amount
    STORE   source, BALANCE, balance
    LOAD    balance, target, BALANCE            ; after the store: source and target may be one
    SUB     x, max_u64, balance
    JLT     x, amount, call_fails               ; an asset of a program may be as large as u64
    ADD     balance, balance, amount
    STORE   target, BALANCE, balance
    {then}
"""


SYSTEM_CALLS: Final = (
    move("bank_move", "JMP     call_done")
    + """
; System calls. In user mode only u64 words exist: so are all that UGET reads and UPUT writes.
sys_move:
    JGE     source, cell_limit, call_fails
    UGET    target, r2
    JGE     target, cell_limit, call_fails
    UGET    amount, r3
    LOAD    head, source, HEADER
    LO      x, head
    JNE     x, one, call_fails
    LOAD    raw_hi, source, OWNER_HI
    JNE     raw_hi, owned_by_cell, call_fails
    LOAD    raw_lo, source, OWNER_LO
    JNE     raw_lo, program, call_fails              ; another's
"""
    + move("sys_move_allowed", "SRET")
    + """
sys_balance:
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    LO      x, head
    JNE     x, one, call_fails
    LOAD    x, target, BALANCE
    UPUT    r1, x
    HI      x, head
    UPUT    r2, x
    SRET

sys_owned:
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    LO      x, head
    JNE     x, one, call_fails
    UGET    a2, r2
    LOAD    raw_hi, target, OWNER_HI
    LOAD    raw_lo, target, OWNER_LO
    JNE     raw_hi, owned_by_cell, not_owned
    JNE     raw_lo, a2, not_owned
    UPUT    r1, one
    SRET
not_owned:
    UPUT    r1, zero
    SRET

sys_peek:
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    LO      x, head
    JEQ     x, three, dload                     ; anyone's data cell
    JEQ     x, six, dload                       ; the block hash
    JMP     call_fails
sys_dload:
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    PACK    x, three, program
    JNE     x, head, call_fails                 ; another's
dload:
    UGET    a2, r2
    JEQ     a2, zero, dload_0
    JEQ     a2, one, dload_1
    JEQ     a2, two, dload_2
    JEQ     a2, three, dload_3
    JMP     call_fails
dload_0:
    LOAD    data, target, 1
    JMP     dloaded
dload_1:
    LOAD    data, target, 2
    JMP     dloaded
dload_2:
    LOAD    data, target, 3
    JMP     dloaded
dload_3:
    LOAD    data, target, 4
dloaded:
    UPUT    r1, data
    SRET

sys_dstore:
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    PACK    x, three, program
    JNE     x, head, call_fails                 ; another's
    UGET    a2, r2
    UGET    x, r3
    JEQ     a2, zero, dstore_0
    JEQ     a2, one, dstore_1
    JEQ     a2, two, dstore_2
    JEQ     a2, three, dstore_3
    JMP     call_fails
dstore_0:
    STORE   target, 1, x
    SRET
dstore_1:
    STORE   target, 2, x
    SRET
dstore_2:
    STORE   target, 3, x
    SRET
dstore_3:
    STORE   target, 4, x
    SRET

sys_create_data:
    PACK    x, three, program
    MOV     a1, zero
    MOV     a2, zero
    JMP     create_cell
sys_create_purse:
    JGE     a1, cell_limit, call_fails          ; asset
    UGET    a2, r2
    JGE     a2, cell_limit, call_fails          ; owner
    PACK    x, one, a1
    MOV     a1, a2
    MOV     a2, owned_by_cell
create_cell:                                    ; header x, words 1 and 2 a1 and a2
    JGE     next_cell, cell_limit, call_fails
    LOAD    head, next_cell, HEADER
    ASSERT  head, zero                          ; empty; always, since cells are handed out in order
    STORE   next_cell, HEADER, x
    STORE   next_cell, 1, a1
    STORE   next_cell, 2, a2
created:
    STORE   next_cell, 3, zero
    STORE   next_cell, 4, zero
    UPUT    r1, next_cell
    ADD     next_cell, next_cell, one
    SRET

sys_create_key:
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    JNE     head, purse, call_fails
    LOAD    raw_lo, target, OWNER_LO
    LOAD    raw_hi, target, OWNER_HI
    JEQ     raw_hi, owned_by_cell, call_fails   ; no key
    JGE     next_cell, cell_limit, call_fails
    LOAD    head, next_cell, HEADER
    ASSERT  head, zero
    PACK    x, eight, program
    STORE   next_cell, HEADER, x
    STORE   next_cell, OWNER_LO, raw_lo
    STORE   next_cell, OWNER_HI, raw_hi
    JMP     created

sys_mint:
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    PACK    x, one, program
    JNE     x, head, call_fails                 ; no purse of the program's asset
    UGET    amount, r2
    LOAD    balance, target, BALANCE
    SUB     x, max_u64, balance
    JLT     x, amount, call_fails
    ADD     balance, balance, amount
    STORE   target, BALANCE, balance
    SRET

sys_burn:
    JGE     source, cell_limit, call_fails
    LOAD    head, source, HEADER
    PACK    x, one, program
    JNE     x, head, call_fails
    LOAD    raw_hi, source, OWNER_HI
    JNE     raw_hi, owned_by_cell, call_fails
    LOAD    raw_lo, source, OWNER_LO
    JNE     raw_lo, program, call_fails              ; another's
    UGET    amount, r2
    LOAD    balance, source, BALANCE
    JLT     balance, amount, call_fails
    SUB     balance, balance, amount
    STORE   source, BALANCE, balance
    SRET

sys_context:
    JEQ     a1, zero, context_height
    JEQ     a1, one, context_slot
    JEQ     a1, two, context_producer
    JEQ     a1, three, context_program
    JEQ     a1, four, context_chain
    JEQ     a1, six, context_index
    JNE     a1, five, call_fails
    LI      target, BLOCK_CELL
    LOAD    x, target, HEADER
    HI      x, x
    UPUT    r1, x
    SRET
context_index:
    SUB     x, num_txs, left                    ; 0 in a hook
    UPUT    r1, x
    SRET
context_height:
    UPUT    r1, height
    SRET
context_slot:
    UPUT    r1, slot
    SRET
context_producer:
    UPUT    r1, producer
    SRET
context_program:
    UPUT    r1, program
    SRET
context_chain:
    UPUT    r1, chain
    SRET

sys_event:
    UGET    a2, r2
    UGET    a3, r3
    SUB     x, num_txs, left
    PACK    x, program, x                       ; program | number of the transaction
    HSET    ev_lo, ev_hi
    HASH    TAG_LOG, x, a1, a2
    HASH    TAG_LOG, a3, zero, zero
    HGETL   ev_lo
    HGETH   ev_hi
    SRET

sys_checksig:
    JEQ     signer, zero, call_fails            ; a hook brings no signatures
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    UGET    a1, r4                              ; leaf
    JGE     a1, cell_limit, call_fails
    JEQ     head, purse, checksig_purse
    LO      x, head
    JNE     x, eight, call_fails
    LOAD    code_lo, target, OWNER_LO           ; a key cell: no leaf is passed
    LOAD    code_hi, target, OWNER_HI
    JMP     checksig
checksig_purse:
    LOAD    x, target, SEQUENCE
    HI      y, x
    JLT     a1, y, call_fails                   ; passed
    LOAD    code_lo, target, OWNER_LO
    LOAD    code_hi, target, OWNER_HI
    JEQ     code_hi, owned_by_cell, call_fails  ; no key
    LO      x, x
    PACK    x, x, a1
    ADD     x, x, two32                         ; the nonce stays, next leaf = leaf + 1
    STORE   target, SEQUENCE, x
checksig:
    UGET    a2, r2
    UGET    a3, r3
    PACK    x, program, target
    HSET    chain, zero
    HASH    TAG_COSIGN, x, a2, a3
    SIG     code_lo, code_hi, a1
    SRET

sys_hash:
    UGET    a2, r2
    UGET    a3, r3
    HSET    zero, zero
    HASH    TAG_USER, a1, a2, a3
    HWORD   x
    LO      y, x
    JGE     y, prime, refuse_hint               ; p + i is no i
    HI      y, x
    JGE     y, prime, refuse_hint
    UPUT    r1, x
    HGETH   raw_hi
    HSET    raw_hi, zero
    HWORD   x
    LO      y, x
    JGE     y, prime, refuse_hint
    HI      y, x
    JGE     y, prime, refuse_hint
    UPUT    r2, x
    SRET
"""
)
