"""The kernel's text, continued: the vectors, key rotation, deployment, calls and system calls.

`circuits.machine.kernel` says why it is safe.
"""

from __future__ import annotations

from typing import Final

from circuits.machine.abi import CALLS, Call
from circuits.machine.isa import ENTRY_BASE

_REFUSALS: Final = (
    "slot", "producer", "l1_rate", "height", "inbox", "signer", "leaf", "fee",
    "shape", "gas", "hint", "code", "exits",
)  # fmt: skip
"""What has no trace. One instruction each, so that the interpreter's error names the rule."""

_FIRST_ARGUMENT: Final = dict.fromkeys(
    (Call.MOVE, Call.BURN), "source"
) | dict.fromkeys(
    (Call.BALANCE, Call.OWNED, Call.DLOAD, Call.DSTORE, Call.MINT, Call.CHECKSIG, Call.PEEK), "target"
)  # fmt: skip
"""Kernel register that an ENTRY puts r1 in; `a1` for the others."""


def vectors() -> str:
    """ROM addresses 0 to the last ENTRY: start, TRAP, fault, refusals, system calls."""
    refusals = "".join(f"refuse_{name}:\n    ASSERT  zero, one\n" for name in _REFUSALS)
    entries = "".join(
        f"    ENTRY   {_FIRST_ARGUMENT.get(call, 'a1')}, r1, {CALLS[call].gas}, sys_{call.name.lower()}\n"
        for call in Call
    )
    if 3 + len(_REFUSALS) != ENTRY_BASE:
        raise ValueError("the ENTRYs must begin at ENTRY_BASE")
    return f"""
    JMP     start
    JMP     trapped
    JMP     call_fails                          ; a fault
{refusals}{entries}"""


ROTATE: Final = """
; Key rotation: T2 = first leaf of the new key | 2. h is the digest of T0..T4.
rotate:
    LO      x, t1
    JNE     x, zero, refuse_shape
    JNE     t3, zero, refuse_shape
    LO      y, t2
    JLT     cell_limit, y, refuse_shape         ; next leaf <= 2^30
    HINTR   o0
    HINTR   o1
    HASH    TAG_TX, o0, o1, zero
    LI      tx_gas, GAS_ROTATE
    LI      tx_bytes, BYTES_ROTATE
    SIG     owner_lo, owner_hi, leaf
    LOAD    sequence, signer, SEQUENCE
    LO      x, sequence
    PACK    x, x, y
    STORE   signer, SEQUENCE, x
    STORE   signer, OWNER_LO, o0
    STORE   signer, OWNER_HI, o1
    HASH    TAG_DATA, d_lo, d_hi, zero
    HGETL   d_lo
    HGETH   d_hi
    JMP     charge_fixed

; The fee of a rotation or deployment: gas and bytes are known, h is free.
charge_fixed:
    HI      tip, t1
    ADD     price, base, tip
    MULDIV  tx_gas, price, one
    HGETL   fee
    MULDIV  tx_bytes, h1, one
    HGETL   x
    ADD     fee, fee, x
    JLT     t4, fee, refuse_fee
    SUB     balance, balance, fee               ; no trace if the signer cannot pay
    STORE   signer, BALANCE, balance
    MULDIV  tx_gas, tip, one
    HGETL   x
    ADD     tips, tips, x
    ADD     other_gas, other_gas, tx_gas
    ADD     other_bytes, other_bytes, tx_bytes
    ADD     others, others, one
    JMP     next
"""

DEPLOY: Final = """
; Deployment: T2 = length | 3. The code hash stands for the words in the signed digest. Malformed code is no
; transaction: what is deployed can make no step without a trace.
deploy:
    LO      x, t1
    JNE     x, zero, refuse_shape
    JNE     t3, zero, refuse_shape
    LO      length, t2
    JEQ     length, zero, refuse_code
    JLT     max_code, length, refuse_code
    HGETL   t_lo
    HGETH   t_hi
    MOV     code_lo, zero
    MOV     code_hi, zero
    MOV     words, length
    JMP     code_word
code_jump:
    JGE     x, length, refuse_code              ; target inside, imm1 = 0
    SUB     words, words, one
    JNE     words, zero, code_word
    JNE     op, op_jmp, refuse_code             ; the last one must not run off the end
    JMP     code_end
code_sys:
    JNE     op, op_sys, code_next               ; HGETL, HGETH
    JLT     x, first_sys, refuse_code
    JLT     last_sys, x, refuse_code
code_next:
    SUB     words, words, one
    JEQ     words, zero, refuse_code            ; the last one is no jump
code_word:
    HINT    w
    HSET    code_lo, code_hi
    HASH    TAG_CODE, w, zero, zero
    HGETL   code_lo
    HGETH   code_hi
    LO      x, w
    MULDIV  x, one, byte
    HGETH   op                                  ; the lowest byte
    HI      x, w                                ; imm0 | imm1
    JEQ     op, zero, refuse_code
    JLT     op, op_jmp, code_next
    JLT     op_jge, op, code_last_ops
    JMP     code_jump
code_last_ops:
    JLT     op_sys, op, refuse_code
    JMP     code_sys
code_end:
    HSET    t_lo, t_hi
    HASH    TAG_TX, code_lo, code_hi, zero
    SIG     owner_lo, owner_hi, leaf
    HASH    TAG_DATA, d_lo, d_hi, zero
    HGETL   d_lo
    HGETH   d_hi
    LI      x, GAS_DEPLOY_WORD
    MULDIV  length, x, one
    HGETL   x
    LI      tx_gas, GAS_DEPLOY
    ADD     tx_gas, tx_gas, x
    LI      x, 8
    MULDIV  length, x, one
    HGETL   x
    LI      tx_bytes, BYTES_DEPLOY
    ADD     tx_bytes, tx_bytes, x
    ADD     target, next_cell, one              ; the program's book, a data cell
    JGE     target, cell_limit, deploy_fails
    LOAD    head, next_cell, HEADER
    ASSERT  head, zero                          ; empty; always, since cells are handed out in order
    PACK    x, two, length
    STORE   next_cell, HEADER, x
    STORE   next_cell, 1, code_lo
    STORE   next_cell, 2, code_hi
    STORE   next_cell, 3, zero
    STORE   next_cell, 4, zero
    LOAD    head, target, HEADER
    ASSERT  head, zero
    PACK    x, three, next_cell
    STORE   target, HEADER, x
    STORE   target, 1, zero
    STORE   target, 2, zero
    STORE   target, 3, zero
    STORE   target, 4, zero
    ADD     next_cell, target, one
    JMP     charge_fixed
deploy_fails:                                   ; no two cells are left
    ADD     failed, failed, one
    JMP     charge_fixed
"""

CALLS_TEXT: Final = """
; Calls: T1 = gas limit | tip, T2 = calls | 4. Each call's words are read and hashed just before it runs; the
; signature is checked at the end, when the digest is known. `failing` is hinted and asserted.
calls:
    HGETL   t_lo
    HGETH   t_hi
    JNE     t3, zero, refuse_shape
    LO      left_calls, t2
    JEQ     left_calls, zero, refuse_shape
    JLT     max_calls, left_calls, refuse_shape
    LO      limit, t1
    HI      tip, t1
    JLT     max_gas, limit, refuse_gas
    LI      x, GAS_CALL
    MULDIV  left_calls, x, one
    HGETL   x
    LI      y, GAS_CALLS
    ADD     tx_gas, x, y                        ; where gas begins
    JLT     limit, tx_gas, refuse_gas
    LI      x, 40
    MULDIV  left_calls, x, one
    HGETL   y
    ADD     tx_bytes, x, y
    ADD     price, base, tip
    MULDIV  limit, price, one
    HGETL   fee
    MULDIV  tx_bytes, h1, one
    HGETL   x
    ADD     fee, fee, x
    JLT     t4, fee, refuse_fee
    SUB     balance, balance, fee               ; no trace if the signer cannot pay
    STORE   signer, BALANCE, balance
    ADD     other_bytes, other_bytes, tx_bytes
    ADD     others, others, one
    HINT    failing
    JLT     one, failing, refuse_hint
    MOV     old_next_cell, next_cell
    MOV     old_ev_lo, ev_lo
    MOV     old_ev_hi, ev_hi
    MOV     call, zero
    SPACE   failing
    GASSET  tx_gas, limit
next_call:
    HINT    c0                                  ; program | selector
    HINT    c1                                  ; arguments
    HINT    c2
    HINT    c3
    HINT    c4
    HSET    t_lo, t_hi
    HASH    TAG_TX, c0, c1, c2
    HASH    TAG_TX, c3, c4, zero
    HGETL   t_lo
    HGETH   t_hi
    SUB     left_calls, left_calls, one
    LO      program, c0
    HI      a1, c0
    JEQ     program, zero, bank
    JGE     program, cell_limit, call_fails
    LOAD    head, program, HEADER
    LO      x, head
    JNE     x, two, call_fails                  ; no program
    LOAD    code_lo, program, 1
    LOAD    code_hi, program, 2
    HI      length, head
    LI      x, GAS_LOADED_WORD
    MULDIV  length, x, one
    HGETL   x
    GAS     y
    JGE     y, cell_limit, refuse_hint          ; p + gas is no gas
    ADD     x, x, y
    GASSET  x, limit
    FRAME
    UPUT    r1, a1
    UPUT    r2, c1
    UPUT    r3, c2
    UPUT    r4, c3
    UPUT    r5, c4
    UPUT    r6, signer
    UPUT    r7, call
    HSET    code_lo, code_hi
    ENTER

bank:                                           ; the signer's own hand: C1 = from, C2 = to, C3 = amount
    JNE     a1, zero, call_fails
    JGE     c1, cell_limit, call_fails
    JGE     c2, cell_limit, call_fails
    LOAD    head, c1, HEADER
    LO      x, head
    JNE     x, one, call_fails                  ; no purse
    JEQ     c1, signer, bank_allowed
    LOAD    x, c1, OWNER_HI
    JNE     x, owned_by_cell, call_fails
    LOAD    x, c1, OWNER_LO
    JNE     x, signer, call_fails               ; another's
bank_allowed:
    MOV     source, c1
    MOV     target, c2
    MOV     amount, c3
    JMP     bank_move

sys_exit:
call_done:
    ADD     call, call, one
    JNE     left_calls, zero, next_call
    GAS     used
    JGE     used, cell_limit, refuse_hint
    JLT     limit, used, call_fails             ; gas never falls: one look at the end
    ASSERT  failing, zero
settle:
    SPACE   zero
    HSET    t_lo, t_hi
    SIG     owner_lo, owner_hi, leaf
    HASH    TAG_DATA, d_lo, d_hi, zero
    HGETL   d_lo
    HGETH   d_hi
    SUB     x, limit, used
    MULDIV  x, price, one
    HGETL   x
    LOAD    balance, signer, BALANCE
    ADD     balance, balance, x
    STORE   signer, BALANCE, balance
    ADD     other_gas, other_gas, used
    MULDIV  used, tip, one
    HGETL   x
    ADD     tips, tips, x
    JMP     next

trapped:                                        ; only beyond the limit
    GAS     x
    JGE     x, cell_limit, refuse_hint
    JGE     limit, x, refuse_hint
sys_fail:
call_fails:
    ASSERT  failing, one
    GAS     used
    JGE     used, cell_limit, refuse_hint
    JGE     limit, used, fails_within
    MOV     used, limit
fails_within:
    MOV     next_cell, old_next_cell
    MOV     ev_lo, old_ev_lo
    MOV     ev_hi, old_ev_hi
    ADD     failed, failed, one
    JMP     absorb_more
absorb:                                         ; calls that never ran are signed all the same
    HINT    c0
    HINT    c1
    HINT    c2
    HINT    c3
    HINT    c4
    HSET    t_lo, t_hi
    HASH    TAG_TX, c0, c1, c2
    HASH    TAG_TX, c3, c4, zero
    HGETL   t_lo
    HGETH   t_hi
    SUB     left_calls, left_calls, one
absorb_more:
    JEQ     left_calls, zero, settle
    JMP     absorb
"""


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
    LOAD    x, source, OWNER_HI
    JNE     x, owned_by_cell, call_fails
    LOAD    x, source, OWNER_LO
    JNE     x, program, call_fails              ; another's
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
    LOAD    x, target, OWNER_HI
    LOAD    y, target, OWNER_LO
    JNE     x, owned_by_cell, not_owned
    JNE     y, a2, not_owned
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
    LOAD    x, target, 1
    JMP     dloaded
dload_1:
    LOAD    x, target, 2
    JMP     dloaded
dload_2:
    LOAD    x, target, 3
    JMP     dloaded
dload_3:
    LOAD    x, target, 4
dloaded:
    UPUT    r1, x
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
    STORE   next_cell, 3, zero
    STORE   next_cell, 4, zero
    UPUT    r1, next_cell
    ADD     next_cell, next_cell, one
    SRET

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
    LOAD    x, source, OWNER_HI
    JNE     x, owned_by_cell, call_fails
    LOAD    x, source, OWNER_LO
    JNE     x, program, call_fails              ; another's
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
    JNE     a1, five, call_fails
    LI      x, BLOCK_CELL
    LOAD    x, x, HEADER
    HI      x, x
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
    JGE     target, cell_limit, call_fails
    LOAD    head, target, HEADER
    JNE     head, purse, call_fails
    UGET    a1, r4                              ; leaf
    JGE     a1, cell_limit, call_fails
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
    HGETH   x
    HSET    x, zero
    HWORD   x
    LO      y, x
    JGE     y, prime, refuse_hint
    HI      y, x
    JGE     y, prime, refuse_hint
    UPUT    r2, x
    SRET
"""
)
