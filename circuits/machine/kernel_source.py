"""The kernel's text, routine by routine; `circuits.machine.kernel` says what it is and why it is safe."""

from __future__ import annotations

from typing import Final

from circuits.machine.kernel_calls import CALLS_TEXT, DEPLOY, ROTATE, vectors
from circuits.machine.kernel_events import EVENTS
from circuits.machine.kernel_system import SYSTEM_CALLS

START: Final = (
    """
    .reg zero                                   ; never written, so 0
    .reg one thousand two32          ; constants
    .reg purse cell_limit exit_limit max_script max_sats max_supply
    .reg seq_step gas_transfer gas_withdraw
    .reg h0 h1 h2 h3 slot producer due height   ; header
    .reg chain_batch chain slots supply_before slot_before next_cell exit_counter base system3 system4
    .reg acc_lo acc_hi inbox3 count count_before height_before
    .reg supply left d_lo d_hi                  ; running values
    .reg tips failed withdraws exits withdrawn fixed_transfer fixed_withdraw
    .reg e0 e1 e2 e3 e4 e5 e6 o0 o1 amount supply_next target
    .reg t0 t1 t2 t3 t4 s0 s1 s2 s3 s4 s5
    .reg signer leaf owner_lo owner_hi balance sequence nonce new_sequence chain_nonce tip fee to_balance sats
    .reg num_txs transfers gas bytes base_fees data_fees next_base
    .reg head x y
    .reg two three four five six seven eight byte prime max_u64 owned_by_cell max_calls max_gas max_code
    .reg op_jmp op_jge op_sys first_sys last_sys
    .reg ev_lo ev_hi old_ev_lo old_ev_hi old_next_cell others other_gas other_bytes
    .reg kind tx_gas tx_bytes price limit used failing left_calls call program c0 c1 c2 c3 c4
    .reg t_lo t_hi code_lo code_hi length words w op source a1 a2 a3
    .reg hook hooks_end
    .reg raw_lo raw_hi data                     ; owner words; a word of a data cell or of cell 12
"""
    + vectors()
    + """
start:
    LI      one, 1
    LI      thousand, MSAT_PER_SAT
    PACK    two32, zero, one
    LI      purse, PURSE                        ; header of a BTC purse: kind 1, asset 0
    LI      cell_limit, CELL_LIMIT
    LI      exit_limit, EXIT_LIMIT
    LI      max_script, MAX_SCRIPT_BYTES
    LI      x, MAX_SATS_LOW
    LI      y, MAX_SATS_HIGH
    PACK    max_sats, x, y
    LI      x, MAX_SUPPLY_LOW
    LI      y, MAX_SUPPLY_HIGH
    PACK    max_supply, x, y
    PACK    seq_step, one, one
    LI      gas_transfer, GAS_TRANSFER
    LI      gas_withdraw, GAS_WITHDRAW
    LI      two, 2
    LI      three, 3
    LI      four, 4
    LI      five, 5
    LI      six, 6
    LI      seven, 7
    LI      eight, 8
    LI      byte, 256
    LI      prime, PRIME
    LI      x, MAX_U32
    PACK    max_u64, x, x
    LI      x, 65536
    PACK    owned_by_cell, zero, x              ; (0, 0, 0, 1): upper half of an owner that is a cell
    LI      max_calls, MAX_CALLS
    LI      max_gas, MAX_GAS
    LI      max_code, MAX_CODE
    LI      op_jmp, OP_JMP
    LI      op_jge, OP_JGE
    LI      op_sys, OP_SYS
    LI      first_sys, FIRST_SYS
    LI      last_sys, LAST_SYS

; The state before: system cell 0, inbox cell 1.
    LOAD    chain_batch, zero, 1
    OUT     0, chain_batch
    LO      chain, chain_batch
    LOAD    supply_before, zero, 2
    OUT     11, supply_before
    MOV     supply, supply_before
    LOAD    system3, zero, 3
    LO      slot_before, system3
    HI      next_cell, system3
    LOAD    system4, zero, 4
    LO      base, system4
    HI      exit_counter, system4
    LOAD    acc_lo, one, 1
    OUT     4, acc_lo
    LOAD    acc_hi, one, 2
    OUT     5, acc_hi
    LOAD    inbox3, one, 3
    LO      count, inbox3
    MOV     count_before, count
    HI      height_before, inbox3

; The header. H0, H1 and H3 open the data commitment, H2 is public.
header:
    HINT    h0                                  ; slot | producer
    HINT    h1                                  ; L1 rate, msat per byte
    HINT    h2                                  ; bitcoin height | inbox due count
    HINT    h3                                  ; events | transactions
    OUT     3, h2
    LO      slot, h0
    PACK    slots, slot_before, slot
    OUT     1, slots
    JGE     slot_before, slot, refuse_slot
    HI      producer, h0
    OUT     2, producer
    JGE     producer, cell_limit, refuse_producer
    LOAD    head, producer, HEADER
    JNE     head, purse, refuse_producer
    JGE     h1, two32, refuse_l1_rate
    LO      height, h2
    JLT     height, height_before, refuse_height
    HSET    zero, zero
    HASH    TAG_DATA, h0, h1, h3
    HGETL   d_lo
    HGETH   d_hi
"""
)


def accept(kind: str) -> str:
    """Signature, data commitment and fee: the steps that transfers and withdrawals share.

    Args:
        kind: "transfer" or "withdraw": which gas and which fixed part of the fee.
    """
    return f"""
    SIG     owner_lo, owner_hi, leaf            ; h is the transaction's digest
    HASH    TAG_DATA, d_lo, d_hi, zero
    HGETL   d_lo
    HGETH   d_hi
    MULDIV  t1, gas_{kind}, two32               ; program is 0, so t1 = 2^32 tip
    HGETL   tip                                 ; gas * tip
    ADD     fee, tip, fixed_{kind}
    JLT     t4, fee, refuse_fee
    SUB     balance, balance, fee               ; no trace if the signer cannot pay
    ADD     tips, tips, tip
"""


TRANSACTIONS: Final = (
    """
; Transactions. A transfer falls through from `transaction` to the jump back: the steps that count.
; Once a batch: a fee is gas * tip + fixed, with fixed = gas * base fee + bytes * L1 rate.
    MULDIV  gas_transfer, base, one
    HGETL   fixed_transfer
    LI      x, BYTES_TRANSFER
    MULDIV  x, h1, one
    HGETL   y
    ADD     fixed_transfer, fixed_transfer, y
    MULDIV  gas_withdraw, base, one
    HGETL   fixed_withdraw
    LI      x, BYTES_WITHDRAW
    MULDIV  x, h1, one
    HGETL   y
    ADD     fixed_withdraw, fixed_withdraw, y
    HI      num_txs, h3
    MOV     left, num_txs
; Hooks: each program that cells 13 to 15 name is called, by signer 0; where one fails there is no batch.
    LI      hook, FIRST_HOOK
    LI      hooks_end, HOOKS_END
    MOV     c1, slot
    MOV     c2, producer
    MOV     c3, slot_before
    MOV     c4, height
    MOV     limit, max_gas
next_hook:
    JEQ     hook, hooks_end, hooks_done
    LOAD    head, hook, HEADER
    LO      x, head
    JNE     x, seven, hooks_done
    HI      program, head
    ADD     hook, hook, one
    MOV     a1, zero
    MOV     call, zero
    GASSET  zero, limit
    JMP     begin_call
hooks_done:
    JEQ     left, zero, finish
transaction:
    SUB     left, left, one
    HINT    t0                                  ; signer | leaf
    HINT    t1                                  ; program | tip
    HINT    t2                                  ; to | operation
    HINT    t3                                  ; amount
    HINT    t4                                  ; maximum fee
    LO      signer, t0
    JGE     signer, cell_limit, refuse_signer
    LOAD    head, signer, HEADER
    JNE     head, purse, refuse_signer
    LOAD    owner_lo, signer, OWNER_LO
    LOAD    owner_hi, signer, OWNER_HI
    LOAD    balance, signer, BALANCE
    LOAD    sequence, signer, SEQUENCE          ; nonce | next leaf
    HI      leaf, t0
    JGE     leaf, cell_limit, refuse_leaf
    LO      nonce, sequence
    PACK    new_sequence, nonce, leaf
    JLT     new_sequence, sequence, refuse_leaf ; the same nonce below: compares the leaves
    ADD     new_sequence, new_sequence, seq_step
    STORE   signer, SEQUENCE, new_sequence
    HSET    zero, zero
    HASH    TAG_TX, t0, t1, t2
    PACK    chain_nonce, chain, nonce
    HASH    TAG_TX, t3, t4, chain_nonce
    LO      x, t1
    JNE     x, zero, other_program
program_known:
    JGE     t2, cell_limit, other_operation     ; so from here: operation 0 and t2 = `to` < 2^30
transfer:
"""
    + accept("transfer")
    + """
    JLT     balance, t3, fail
    LOAD    head, t2, HEADER
    JNE     head, purse, fail
    SUB     balance, balance, t3
    STORE   signer, BALANCE, balance
    LOAD    to_balance, t2, BALANCE             ; after the store: signer and `to` may be one
    ADD     to_balance, to_balance, t3
    STORE   t2, BALANCE, to_balance
next:
    JNE     left, zero, transaction
    JMP     finish

fail:                                           ; only the fee is taken
    ADD     failed, failed, one
    STORE   signer, BALANCE, balance
    JMP     next

other_operation:
    HI      x, t2
    JEQ     x, one, withdraw
    JEQ     x, two, rotate
    JEQ     x, three, deploy
    JEQ     x, four, calls
    MOV     t2, one                             ; no such cell or operation: it fails as a transfer to cell 1,
    JMP     transfer                            ; the inbox, which is no purse
other_program:                                  ; t1 and t2 are hashed already
    HI      x, t2
    JEQ     x, two, rotate                      ; which refuses it, as deploy does
    JEQ     x, three, deploy
    JEQ     x, four, calls                      ; t1 lo is the gas limit
    HI      x, t1
    PACK    t1, zero, x                         ; the tip counts
    HI      x, t2
    PACK    t2, one, x                          ; `to` = 1 makes a transfer fail, and a withdrawal
    JMP     program_known

withdraw:
    HINT    s0                                  ; script bytes
    HINT    s1
    HINT    s2
    HINT    s3
    HINT    s4
    HINT    s5                                  ; script length
    HASH    TAG_TX, s0, s1, s2
    HASH    TAG_TX, s3, s4, s5
    ADD     withdraws, withdraws, one
"""
)

WITHDRAWAL: Final = (
    accept("withdraw")
    + """
    JNE     t2, two32, fail                     ; `to` is 0
    JEQ     s5, zero, fail
    JLT     max_script, s5, fail
    JGE     exits, exit_limit, fail
    JEQ     t3, zero, fail
    JLT     balance, t3, fail
    MULDIV  t3, one, thousand
    HGETH   x
    JNE     x, zero, fail                       ; no whole sats
    HGETL   sats
    SUB     balance, balance, t3
    STORE   signer, BALANCE, balance
    ADD     withdrawn, withdrawn, t3
    PACK    x, exits, s5
    HSET    zero, zero
    HASH    TAG_EXIT, x, sats, signer
    HASH    TAG_EXIT, s0, s1, s2
    HASH    TAG_EXIT, s3, s4, zero
    LEAF    exits
    ADD     exits, exits, one
    JMP     next
"""
)

END: Final = """
; Totals: gas and bytes of transfers and withdrawals follow from their numbers.
finish:
    SUB     transfers, num_txs, withdraws
    SUB     transfers, transfers, others
    MULDIV  transfers, gas_transfer, one
    HGETL   x
    MULDIV  withdraws, gas_withdraw, one
    HGETL   y
    ADD     gas, x, y
    ADD     gas, gas, other_gas
    LI      y, BYTES_TRANSFER
    MULDIV  transfers, y, one
    HGETL   x
    LI      y, BYTES_WITHDRAW
    MULDIV  withdraws, y, one
    HGETL   y
    ADD     bytes, x, y
    ADD     bytes, bytes, other_bytes
    MULDIV  gas, base, one
    HGETL   base_fees
    MULDIV  bytes, h1, one
    HGETL   data_fees
; Fees go to cells 2 and 3, tips to the producer (who may be either of them, or a signer).
    LI      target, BASE_FEE_CELL
    LOAD    balance, target, BALANCE
    ADD     balance, balance, base_fees
    STORE   target, BALANCE, balance
    LI      target, DATA_FEE_CELL
    LOAD    balance, target, BALANCE
    ADD     balance, balance, data_fees
    STORE   target, BALANCE, balance
    LOAD    balance, producer, BALANCE
    ADD     balance, balance, tips
    STORE   producer, BALANCE, balance

; The next base fee: base * (7 T + min(gas, 2 T)) / 8 T, at least base + 1 if gas > T; in 1 .. 2^32 - 1.
    LI      x, TWICE_TARGET
    JGE     gas, x, load_capped
    MOV     x, gas
load_capped:
    LI      y, SEVEN_TARGETS
    ADD     x, x, y
    LI      y, EIGHT_TARGETS
    MULDIV  base, x, y
    HGETL   next_base
    LI      y, TARGET
    JGE     y, gas, no_more_than_target
    ADD     x, base, one
    JGE     next_base, x, no_more_than_target
    MOV     next_base, x
no_more_than_target:
    JNE     next_base, zero, not_zero
    MOV     next_base, one
not_zero:
    JLT     next_base, two32, fits
    LI      next_base, MAX_U32
fits:

; The state after, and what of it is public.
    ADD     x, chain_batch, two32               ; batch number + 1
    STORE   zero, 1, x
    SUB     x, supply, withdrawn
    STORE   zero, 2, x
    OUT     12, x
    SUB     x, supply, supply_before
    OUT     13, x
    OUT     14, withdrawn
    PACK    x, slot, next_cell
    STORE   zero, 3, x
    ADD     x, exit_counter, exits
    PACK    x, next_base, x
    STORE   zero, 4, x
    STORE   one, 1, acc_lo
    OUT     6, acc_lo
    STORE   one, 2, acc_hi
    OUT     7, acc_hi
    PACK    x, count, height
    STORE   one, 3, x
    PACK    x, count_before, count
    OUT     8, x
    OUT     9, d_lo
    OUT     10, d_hi
    OUT     15, base_fees
    OUT     16, tips
    OUT     17, data_fees
    PACK    x, base, next_base
    OUT     18, x
    PACK    x, exits, num_txs
    OUT     19, x
    OUT     20, failed
    OUT     21, ev_lo
    OUT     22, ev_hi
    HALT
"""

SOURCE: Final = START + EVENTS + TRANSACTIONS + WITHDRAWAL + ROTATE + DEPLOY + CALLS_TEXT + SYSTEM_CALLS + END
