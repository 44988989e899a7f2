"""The text of the staking program; `circuits.programs.staking` says what it does and why."""

from __future__ import annotations

from typing import Final

DECLARATIONS: Final = """
    .reg zero one two ten_thousand scale full two31 u30
    .reg signer amount cell record second ret leaf sign
    .reg slot producer before height prev last gone tip epoch freeze old_epoch seed
    .reg total share index node left stamp rec v0 v1 v2 age word
    .reg acc weight carry held income part fund rate due rest
    .reg x y z t u s0 s1 rank rank_limit p p2 hash_high target until flag leaf_a leaf_b first other
    .data held_word weight_word acc_word carry_word         ; TOTALS
    .data seed_word last_word epoch_word leaves_word        ; CLOCK
    .data stamp_word now_word next_word later_word          ; a node of the election tree
    .data owner_word stake_word end_word slashed_word       ; a sequencer
    .data rate_word earned_word counts_word closed_word     ; a sequencer, continued
    .data staker_word amount_word mark_word rest_word       ; a stake
    .entries hook register stake unstake release claim earn resign unbond slash
"""

SHARED: Final = """
refuse:
    SYS     FAIL

; Constants and the totals; every entry begins here and comes back by `ret`.
begin:
    MOV     signer, r6
    LI      one, 1
    LI      two, 2
    LI      ten_thousand, 10000
    LI      scale, SCALE
    LI      full, 0xFFFFFFFF
    CALL    DLOAD, TOTALS, #held_word
    MOV     held, r1
    CALL    DLOAD, TOTALS, #weight_word
    MOV     weight, r1
    CALL    DLOAD, TOTALS, #acc_word
    MOV     acc, r1
    CALL    DLOAD, CLOCK, #epoch_word
    LO      epoch, r1
    HI      freeze, r1
    LI      x, 1
    JEQ     ret, x, register_on
    LI      x, 2
    JEQ     ret, x, stake_on
    LI      x, 3
    JEQ     ret, x, unstake_on
    LI      x, 4
    JEQ     ret, x, release_on
    LI      x, 5
    JEQ     ret, x, claim_on
    LI      x, 6
    JEQ     ret, x, earn_on
    LI      x, 7
    JEQ     ret, x, resign_on
    LI      x, 8
    JEQ     ret, x, unbond_on
    JMP     slash_on

; `amount` more is in the stake purse than was there: the signer has put it in by a bank move before.
take:
    CALL    BALANCE, STAKES
    ADD     held, held, amount
    JLT     r1, held, refuse
    CALL    DSTORE, TOTALS, #held_word, held
    JEQ     ret, one, register_taken
    JMP     stake_taken

; The sequencer in `record`: its owner, that it is one; `second` is its other cell.
sequencer:
    LI      x, FIRST_DYNAMIC
    JLT     record, x, refuse
    CALL    DLOAD, record, #owner_word
    LO      other, r1
    HI      x, r1
    JNE     x, full, refuse
    ADD     second, record, one
    CALL    DLOAD, second, #rate_word
    LO      rate, r1
    LI      x, 2
    JEQ     ret, x, stake_known
    LI      x, 6
    JEQ     ret, x, earn_known
    LI      x, 7
    JEQ     ret, x, resign_known
    LI      x, 8
    JEQ     ret, x, unbond_known
    LI      x, 1
    JEQ     ret, x, register_known
    JMP     slash_known

; Adds `amount` to the weight of `leaf` from the next freeze on; takes it off if `sign` is 1.
weigh:
    LI      node, LEAVES
    ADD     node, node, leaf
weigh_level:
    LI      cell, NODES
    ADD     cell, cell, node
    CALL    DLOAD, cell, #stamp_word
    LO      stamp, r1
    HI      rec, r1
    SUB     age, epoch, stamp
    CALL    DLOAD, cell, #later_word
    MOV     v2, r1
    MOV     v1, r1
    MOV     v0, r1
    JEQ     age, zero, weigh_fresh
    JNE     age, one, weigh_rolled
    CALL    DLOAD, cell, #next_word
    MOV     v0, r1
    JMP     weigh_rolled
weigh_fresh:
    CALL    DLOAD, cell, #now_word
    MOV     v0, r1
    CALL    DLOAD, cell, #next_word
    MOV     v1, r1
weigh_rolled:
    JEQ     sign, one, weigh_less
    ADD     v2, v2, amount
    JNE     freeze, epoch, weigh_store          ; epoch + 1 is frozen already
    ADD     v1, v1, amount
    JMP     weigh_store
weigh_less:
    SUB     v2, v2, amount
    JNE     freeze, epoch, weigh_store
    SUB     v1, v1, amount
weigh_store:
    PACK    x, epoch, rec
    CALL    DSTORE, cell, #stamp_word, x
    CALL    DSTORE, cell, #now_word, v0
    CALL    DSTORE, cell, #next_word, v1
    CALL    DSTORE, cell, #later_word, v2
    MULDIV  node, one, two
    HGETL   node
    JNE     node, zero, weigh_level
    LI      x, 2
    JEQ     ret, x, stake_weighed
    LI      x, 3
    JEQ     ret, x, unstake_weighed
    JMP     closed

; Rewards of the stake in `cell` up to now, or to the sequencer's end. Sets amount, record, second, flag.
settle:
    LI      x, FIRST_DYNAMIC
    JLT     cell, x, refuse
    CALL    DLOAD, cell, #staker_word
    LO      x, r1
    JNE     x, signer, refuse
    HI      record, r1
    CALL    DLOAD, cell, #rest_word
    MOV     rest, r1
    JEQ     rest, full, refuse                  ; it was unstaked
    ADD     second, record, one
    CALL    DLOAD, record, #end_word            ; refused if `cell` is a sequencer's: its upper half is no cell
    MOV     target, r1
    CALL    DLOAD, second, #closed_word
    MOV     flag, r1
    JNE     flag, zero, settle_ended
    MOV     target, acc
settle_ended:
    CALL    DLOAD, cell, #amount_word
    MOV     amount, r1
    CALL    DLOAD, cell, #mark_word
    SUB     x, target, r1
    MULDIV  amount, x, scale
    HGETL   due
    HGETH   x
    ADD     rest, rest, x
    JLT     rest, scale, settle_whole
    SUB     rest, rest, scale
    ADD     due, due, one
settle_whole:
    CALL    DSTORE, cell, #mark_word, target
    CALL    DSTORE, cell, #rest_word, rest
    JEQ     due, zero, settle_paid
    CALL    MOVE, REWARDS, signer, due
    CALL    EVENT, CLAIMED, cell, due
settle_paid:
    LI      x, 3
    JEQ     ret, x, unstake_settled
    SYS     EXIT

; The sequencer stops: its stakes earn and weigh no more.
close:
    CALL    DSTORE, record, #end_word, acc
    ADD     x, freeze, one
    CALL    DSTORE, second, #closed_word, x
    CALL    DLOAD, record, #stake_word
    MOV     amount, r1
    SUB     weight, weight, amount
    CALL    DSTORE, TOTALS, #weight_word, weight
    MOV     sign, one
    JMP     weigh
closed:
    LI      x, 7
    JEQ     ret, x, resigned
    JMP     slash_closed
"""

CALLS: Final = """
register:                                       ; commission (1 / 10,000); a sequencer that is gone, or 0
    LI      ret, 1
    MOV     t, r2
    MOV     record, r3
    JMP     begin
register_on:
    JLT     ten_thousand, t, refuse
    MOV     rate, t
    CONST   amount, BOND
    JMP     take
register_taken:
    JNE     record, zero, sequencer
    CALL    DLOAD, CLOCK, #leaves_word
    MOV     leaf, r1
    LI      x, LEAVES
    JGE     leaf, x, refuse                     ; full: reuse one
    ADD     x, leaf, one
    CALL    DSTORE, CLOCK, #leaves_word, x
    JMP     register_leaf
register_known:
    CALL    DLOAD, second, #closed_word
    LI      x, GONE
    JNE     r1, x, refuse
    LI      x, REPLACED
    CALL    DSTORE, second, #closed_word, x
    CALL    DLOAD, record, #slashed_word
    HI      leaf, r1
    MOV     rate, t
register_leaf:
    CALL    CREATE_DATA
    MOV     record, r1
    CALL    CREATE_DATA
    MOV     second, r1
    LI      x, PROGRAM_CELL
    CALL    CREATE_PURSE, 0, x
    CALL    CREATE_KEY, signer
    PACK    x, signer, full
    CALL    DSTORE, record, #owner_word, x
    PACK    x, zero, leaf
    CALL    DSTORE, record, #slashed_word, x
    LI      x, NO_CELL                          ; so that no stake is mistaken for it
    PACK    x, rate, x
    CALL    DSTORE, second, #rate_word, x
    LI      cell, FIRST_LEAF
    ADD     cell, cell, leaf
    CALL    DLOAD, cell, #stamp_word
    LO      stamp, r1
    PACK    x, stamp, record
    CALL    DSTORE, cell, #stamp_word, x
    CALL    EVENT, REGISTERED, record, signer
    SYS     EXIT

stake:                                          ; sequencer, amount
    LI      ret, 2
    MOV     record, r2
    MOV     amount, r3
    JMP     begin
stake_on:
    JMP     sequencer
stake_known:
    CALL    DLOAD, second, #closed_word
    JNE     r1, zero, refuse
    CONST   x, MIN_STAKE
    JLT     amount, x, refuse
    JMP     take
stake_taken:
    CALL    CREATE_DATA
    MOV     t, r1
    PACK    x, signer, record
    CALL    DSTORE, t, #staker_word, x
    CALL    DSTORE, t, #amount_word, amount
    CALL    DSTORE, t, #mark_word, acc
    ADD     weight, weight, amount
    CALL    DSTORE, TOTALS, #weight_word, weight
    CALL    DLOAD, record, #stake_word
    ADD     x, r1, amount
    CALL    DSTORE, record, #stake_word, x
    CALL    DLOAD, record, #slashed_word
    HI      leaf, r1
    CALL    EVENT, STAKED, t, amount
    MOV     sign, zero
    JMP     weigh
stake_weighed:
    SYS     EXIT

claim:                                          ; stake
    LI      ret, 5
    MOV     cell, r2
    JMP     begin
claim_on:
    JMP     settle

unstake:                                        ; stake
    LI      ret, 3
    MOV     cell, r2
    JMP     begin
unstake_on:
    JMP     settle
unstake_settled:
    ADD     until, freeze, one
    CALL    DSTORE, cell, #mark_word, until
    CALL    DSTORE, cell, #rest_word, full
    CALL    EVENT, UNSTAKED, cell, amount
    JNE     flag, zero, unstake_weighed         ; the sequencer's end has taken the weight
    SUB     weight, weight, amount
    CALL    DSTORE, TOTALS, #weight_word, weight
    CALL    DLOAD, record, #stake_word
    SUB     x, r1, amount
    CALL    DSTORE, record, #stake_word, x
    CALL    DLOAD, record, #slashed_word
    HI      leaf, r1
    MOV     sign, one
    JMP     weigh
unstake_weighed:
    SYS     EXIT

release:                                        ; what was unstaked
    LI      ret, 4
    MOV     cell, r2
    JMP     begin
release_on:
    LI      x, FIRST_DYNAMIC
    JLT     cell, x, refuse
    CALL    DLOAD, cell, #staker_word
    LO      x, r1
    JNE     x, signer, refuse
    HI      record, r1
    CALL    DLOAD, cell, #rest_word
    JNE     r1, full, refuse                    ; still staked
    CALL    DLOAD, cell, #amount_word
    MOV     amount, r1
    JEQ     amount, zero, refuse                ; released before
    CALL    DLOAD, cell, #mark_word
    MOV     until, r1
    ADD     x, until, two
    JLT     epoch, x, refuse                    ; evidence may still come
    CALL    DSTORE, cell, #amount_word, zero
    SUB     held, held, amount
    CALL    DSTORE, TOTALS, #held_word, held
    CALL    DLOAD, record, #slashed_word        ; refused if `cell` is a sequencer's
    LO      x, r1
    JEQ     x, zero, release_pay
    JLT     until, x, release_pay               ; it had left by the epoch of the offence, x - 1
    LI      y, SLASH_RATE
    MULDIV  amount, y, ten_thousand
    HGETL   part
    SUB     amount, amount, part
    CALL    MOVE, STAKES, FUND, part
    CALL    EVENT, PENALTY, cell, part
release_pay:
    CALL    MOVE, STAKES, signer, amount
    CALL    EVENT, RELEASED, cell, amount
    SYS     EXIT

earn:                                           ; sequencer: its commission
    LI      ret, 6
    MOV     record, r2
    JMP     begin
earn_on:
    JMP     sequencer
earn_known:
    JNE     other, signer, refuse
    CALL    DLOAD, second, #earned_word
    MOV     due, r1
    CALL    DSTORE, second, #earned_word, zero
    CALL    MOVE, REWARDS, signer, due
    CALL    EVENT, EARNED, record, due
    SYS     EXIT

resign:                                         ; sequencer
    LI      ret, 7
    MOV     record, r2
    JMP     begin
resign_on:
    JMP     sequencer
resign_known:
    JNE     other, signer, refuse
    CALL    DLOAD, second, #closed_word
    JNE     r1, zero, refuse
    CALL    DLOAD, record, #slashed_word
    HI      leaf, r1
    JMP     close
resigned:
    CALL    EVENT, RESIGNED, record, amount
    SYS     EXIT

unbond:                                         ; its bond to its owner, if not slashed, whoever calls; frees its leaf
    LI      ret, 8
    MOV     record, r2
    JMP     begin
unbond_on:
    JMP     sequencer
unbond_known:
    CALL    DLOAD, second, #closed_word
    JEQ     r1, zero, refuse
    ADD     x, r1, two                          ; (beyond GONE it is never reached)
    JLT     epoch, x, refuse
    LI      x, GONE
    CALL    DSTORE, second, #closed_word, x
    CALL    DLOAD, record, #slashed_word
    LO      x, r1
    JNE     x, zero, unbonded
    CONST   amount, BOND
    SUB     held, held, amount
    CALL    DSTORE, TOTALS, #held_word, held
    CALL    MOVE, STAKES, other, amount
unbonded:
    CALL    EVENT, UNBONDED, record, amount
    SYS     EXIT

slash:                                          ; sequencer | slot, two statements, leaf of the first | of the second
    LI      ret, 9
    LO      record, r2
    HI      slot, r2
    MOV     first, r3
    MOV     t, r4
    LO      leaf_a, r5
    HI      leaf_b, r5
    JMP     begin
slash_on:
    JEQ     first, t, refuse
    LI      x, 4                                ; the same part of two commitments
    MULDIV  first, one, x
    HGETH   y
    MULDIV  t, one, x
    HGETH   x
    JNE     x, y, refuse
    JMP     sequencer
slash_known:
    LI      x, 3
    ADD     cell, record, x                     ; its key
    CALL    CHECKSIG, cell, slot, first, leaf_a
    CALL    CHECKSIG, cell, slot, t, leaf_b
    MOV     target, epoch                       ; the epoch of the slot
    CALL    DLOAD, STARTS, 0
    JGE     slot, r1, slash_epoch
    JEQ     epoch, zero, refuse
    SUB     target, epoch, one
    CALL    DLOAD, STARTS, 1
    JGE     slot, r1, slash_epoch
    JEQ     target, zero, refuse
    SUB     target, target, one
    CALL    DLOAD, STARTS, 2
    JLT     slot, r1, refuse                    ; too long ago
slash_epoch:
    CALL    DLOAD, record, #slashed_word
    LO      y, r1
    HI      leaf, r1
    ADD     x, target, one
    PACK    z, x, leaf
    CALL    DSTORE, record, #slashed_word, z
    JEQ     y, zero, slash_first
    JLT     x, y, slash_said                    ; an earlier offence: more stakes pay, the bond is gone
    JMP     refuse
slash_first:
    CALL    DLOAD, second, #closed_word
    JEQ     r1, zero, close
    JLT     r1, target, refuse                  ; it had resigned an epoch before: one may overtake a slot
    LI      x, GONE
    JGE     r1, x, refuse                       ; its bond is gone
slash_closed:
    CONST   x, BOND
    SUB     held, held, x
    CALL    DSTORE, TOTALS, #held_word, held
    LI      y, REPORT_RATE
    MULDIV  x, y, ten_thousand
    HGETL   part
    SUB     rest, x, part
    CALL    MOVE, STAKES, signer, part
    CALL    MOVE, STAKES, FUND, rest
slash_said:
    CALL    EVENT, SLASHED, record, slot
    SYS     EXIT
"""


def sweep(source: str, kind: str, register: str) -> str:
    """All that a purse holds into REWARDS; `register` is how much."""
    return f"""
    CALL    BALANCE, {source}
    MOV     {register}, r1
    JEQ     {register}, zero, swept_{kind.lower()}
    CALL    MOVE, {source}, REWARDS, {register}
    CALL    EVENT, {kind}, {register}, prev
swept_{kind.lower()}:
"""


HOOK: Final = (
    """
hook:                                           ; slot, producer, slot before, bitcoin height; by nobody
    JNE     r6, zero, refuse
    MOV     slot, r2
    MOV     producer, r3
    MOV     before, r4
    MOV     height, r5
    LI      one, 1
    LI      ten_thousand, 10000
    LI      scale, SCALE
    LI      p, FIELD
    MULDIV  p, p, one
    HGETL   p2
    CALL    CONTEXT, BLOCK_HEIGHT
    MOV     tip, r1
    LI      x, EPOCH_BLOCKS
    MULDIV  tip, one, x
    HGETL   freeze
    MOV     epoch, zero
    LI      y, SEED_BLOCKS
    JLT     tip, y, hook_epoch
    SUB     y, tip, y
    MULDIV  y, one, x
    HGETL   epoch
hook_epoch:
    CALL    DLOAD, CLOCK, #epoch_word
    LO      old_epoch, r1
    CALL    DLOAD, CLOCK, #seed_word
    MOV     seed, r1
    PACK    x, epoch, freeze
    CALL    DSTORE, CLOCK, #epoch_word, x
    JEQ     epoch, old_epoch, hook_seeded
    CALL    PEEK, BLOCK, 0
    MOV     x, r1
    CALL    PEEK, BLOCK, 1
    MOV     y, r1
    CALL    PEEK, BLOCK, 2
    MOV     z, r1
    CALL    HASH, x, y, z
    MOV     x, r1
    CALL    PEEK, BLOCK, 3
    MOV     y, r1
    CALL    HASH, x, y, seed
    MOV     seed, r1
    CALL    DSTORE, CLOCK, #seed_word, seed
    CALL    DLOAD, STARTS, 0
    MOV     s0, r1
    CALL    DLOAD, STARTS, 1
    MOV     s1, r1
    SUB     x, epoch, old_epoch
    JEQ     x, one, hook_starts
    LI      two, 2
    MOV     s1, s0
    MOV     s0, slot
    JEQ     x, two, hook_starts
    MOV     s1, slot
hook_starts:
    CALL    DSTORE, STARTS, 0, slot
    CALL    DSTORE, STARTS, 1, s0
    CALL    DSTORE, STARTS, 2, s1
hook_seeded:
    CALL    DLOAD, CLOCK, #last_word
    LO      prev, r1
    HI      last, r1
    SUB     gone, height, last                  ; Bitcoin blocks since the batch before
    ADD     x, gone, one
    LI      y, MAX_JUMP
    MULDIV  x, y, one
    HGETL   x
    SUB     y, slot, before
    JLT     x, y, refuse                        ; others' slots are left to them for a while
    LI      cell, ROOT
    CALL    DLOAD, cell, #stamp_word
    LO      stamp, r1
    MOV     ret, zero
    JMP     weight_of
root_known:
    MOV     total, v0
    MOV     record, zero
    JEQ     total, zero, hook_sweep             ; nobody is elected: anyone produces
; Misses of the slots that were skipped, MAX_JUMP of them at most.
    MOV     index, before
    LI      t, MAX_JUMP
hook_missed:
    ADD     index, index, one
    JGE     index, slot, hook_producer
    JEQ     t, zero, hook_producer
    SUB     t, t, one
    MOV     rank, zero
    LI      ret, 1
    JMP     leader
missed_known:
    ADD     second, rec, one
    CALL    DLOAD, second, #counts_word
    ADD     x, r1, one
    CALL    DSTORE, second, #counts_word, x
    JMP     hook_missed
; The leader, or after k Bitcoin blocks one of the first k fallbacks; after OPEN_BLOCKS anyone.
hook_producer:
    MOV     index, slot
    MOV     rank, zero
    LI      rank_limit, MAX_RANK
    JGE     gone, rank_limit, hook_ranked
    MOV     rank_limit, gone
hook_ranked:
    LI      ret, 2
    JMP     leader
ranked_known:
    LI      x, 2
    ADD     y, rec, x
    JEQ     y, producer, hook_elected
    ADD     second, rec, one
    CALL    DLOAD, second, #counts_word
    ADD     x, r1, one
    CALL    DSTORE, second, #counts_word, x     ; dropped with the batch if nobody below matches
    ADD     rank, rank, one
    JGE     rank_limit, rank, hook_ranked
    LI      x, OPEN_BLOCKS
    JLT     gone, x, refuse
    JMP     hook_sweep                          ; anyone
hook_elected:
    MOV     record, rec
    ADD     second, rec, one
    CALL    DLOAD, second, #counts_word
    PACK    x, zero, one
    ADD     x, r1, x                            ; produced
    CALL    DSTORE, second, #counts_word, x

; What the batch before has earned: to the sequencer that made it, to the fund, to all who stake.
hook_sweep:
    CALL    DLOAD, TOTALS, #weight_word
    MOV     weight, r1
    CALL    DLOAD, TOTALS, #acc_word
    MOV     acc, r1
    CALL    DLOAD, TOTALS, #carry_word
    MOV     carry, r1
"""
    + sweep("BASE_FEES", "BASE_FEE", "x")
    + "    MOV     income, x\n"
    + sweep("DATA_FEES", "DATA_FEE", "due")
    + sweep("INCOME", "MEV", "x")
    + """
    ADD     income, income, x
    MOV     part, zero                          ; the sequencer's
    JEQ     prev, zero, hook_unclaimed
    LI      x, 2
    ADD     target, prev, x
"""
    + sweep("target", "TIP", "x")
    + """
    ADD     income, income, x
    LI      y, FUND_RATE
    MULDIV  income, y, ten_thousand
    HGETL   fund
    SUB     income, income, fund
    ADD     second, prev, one
    CALL    DLOAD, second, #rate_word
    LO      rate, r1
    MULDIV  income, rate, ten_thousand
    HGETL   part
    SUB     income, income, part
    ADD     part, part, due                     ; the data fees pay for its transactions on Bitcoin
    CALL    DLOAD, second, #earned_word
    ADD     x, r1, part
    CALL    DSTORE, second, #earned_word, x
    JMP     hook_share
hook_unclaimed:
    ADD     income, income, due
    LI      y, FUND_RATE
    MULDIV  income, y, ten_thousand
    HGETL   fund
    SUB     income, income, fund
; acc += (income SCALE + carry) / weight; what would not fit goes to the fund: nothing here can fail.
hook_share:
    JEQ     weight, zero, hook_to_fund
    MULDIV  income, one, weight
    HGETL   x
    CONST   y, SAFE_SHARE
    JGE     x, y, hook_to_fund
    MULDIV  income, scale, weight
    HGETL   share
    HGETH   x
    ADD     x, x, carry
    MULDIV  x, one, weight
    HGETL   y
    HGETH   carry
    ADD     share, share, y
    CONST   x, MAX_ACC
    SUB     y, x, acc
    JLT     y, share, hook_full
    ADD     acc, acc, share
    CALL    DSTORE, TOTALS, #acc_word, acc
    CALL    DSTORE, TOTALS, #carry_word, carry
    JMP     hook_shared
hook_full:                                      ; (the carry stays as it was stored)
hook_to_fund:
    ADD     fund, fund, income
    MOV     income, zero
hook_shared:
    JEQ     fund, zero, hook_funded
    CALL    MOVE, REWARDS, FUND, fund
hook_funded:
    ADD     x, part, fund
    ADD     x, x, income
    JEQ     x, zero, hook_end
    CALL    EVENT, SHARED, part, fund
    CALL    EVENT, STAKERS, income, acc
hook_end:
    PACK    x, record, height
    CALL    DSTORE, CLOCK, #last_word, x
    SYS     EXIT

; v0 = the weight of the node in `cell`, stamped `stamp`, in this epoch.
weight_of:
    SUB     age, epoch, stamp
    LI      word, 1
    JEQ     age, zero, weight_read
    LI      word, 2
    JEQ     age, one, weight_read
    LI      word, 3
weight_read:
    CALL    DLOAD, cell, word
    MOV     v0, r1
    JEQ     ret, zero, root_known
    JMP     leader_left

; rec = the sequencer that is `rank`-th in slot `index`: x = hash total / p^2 falls in its interval of the sums.
leader:
    CALL    HASH, seed, index, rank
    LO      x, r1
    HI      y, r1
    MULDIV  y, p, one
    HGETL   y
    ADD     x, x, y                             ; uniform below p^2
    MULDIV  x, total, p2
    HGETL   share
    LI      node, 1
    LI      u30, LEAVES
leader_level:
    ADD     node, node, node                    ; its left child
    LI      cell, NODES
    ADD     cell, cell, node
    CALL    DLOAD, cell, #stamp_word
    LO      stamp, r1
    JMP     weight_of
leader_left:
    JLT     share, v0, leader_down
    SUB     share, share, v0
    ADD     node, node, one
leader_down:
    JLT     node, u30, leader_level
    LI      cell, NODES
    ADD     cell, cell, node
    CALL    DLOAD, cell, #stamp_word
    HI      rec, r1
    JEQ     ret, one, missed_known
    JMP     ranked_known
"""
)

SOURCE: Final = DECLARATIONS + HOOK + SHARED + CALLS
