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
    (Call.BALANCE, Call.OWNED, Call.DLOAD, Call.DSTORE, Call.MINT, Call.CHECKSIG, Call.PEEK, Call.CREATE_KEY),
    "target",
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
    JGE     nonce, cell_limit, refuse_shape     ; nonces go on: a nonce stays <= next leaf + 2^30
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
begin_call:                                     ; program, selector a1, arguments c1..c4
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
    JLT     limit, x, call_fails                ; code that is not paid for is not loaded
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
    LOAD    raw_hi, c1, OWNER_HI
    JNE     raw_hi, owned_by_cell, call_fails
    LOAD    raw_lo, c1, OWNER_LO
    JNE     raw_lo, signer, call_fails               ; another's
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
    JEQ     signer, zero, next_hook             ; it was a hook's
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
