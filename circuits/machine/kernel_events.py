"""The kernel's text, continued: inbox events. `circuits.machine.kernel` says why it is safe."""

from __future__ import annotations

from typing import Final

EVENTS: Final = """
; Deposits, forced exits, block hashes. Every event enters the accumulator, whatever it does to the ledger.
    LO      left, h3
    ADD     count, count, left
    JEQ     left, zero, events_end
event:
    HINT    e0                                  ; kind | height
    HINT    e1                                  ; txid; of kind 3 the block hash
    HINT    e2
    HINT    e3
    HINT    e4
    HINT    e5                                  ; vout | cell
    HINT    e6                                  ; sats
    HINTR   o0                                  ; owner
    HINTR   o1
    HSET    zero, zero
    HASH    TAG_EVENT, e0, e1, e2
    HASH    TAG_EVENT, e3, e4, e5
    HASH    TAG_EVENT, e6, o0, o1
    LO      kind, e0
    JEQ     kind, two, event_script
event_known:
    HASH    TAG_INBOX, acc_lo, acc_hi, zero
    HGETL   acc_lo
    HGETH   acc_hi
    JNE     kind, one, other_event
    JEQ     e6, zero, event_end                 ; nothing: no-op
    JLT     max_sats, e6, event_end             ; more than there are: no-op (and no overflow below)
    MULDIV  e6, thousand, one
    HGETL   amount
    ADD     supply_next, supply, amount
    JLT     max_supply, supply_next, event_end  ; more than there are, in all: no-op
    HI      target, e5
    JGE     target, cell_limit, create
    LOAD    head, target, HEADER
    JNE     head, purse, create
    LOAD    balance, target, BALANCE
    ADD     balance, balance, amount
    STORE   target, BALANCE, balance
credited:
    MOV     supply, supply_next
event_end:
    SUB     left, left, one
    JNE     left, zero, event
    JMP     events_end

create:                                         ; a new purse: all five words are written
    JGE     next_cell, cell_limit, event_end    ; no cell is left: no-op
    LOAD    head, next_cell, HEADER
    ASSERT  head, zero                          ; empty; always, since cells are handed out in order
    STORE   next_cell, HEADER, purse
    STORE   next_cell, OWNER_LO, o0
    STORE   next_cell, OWNER_HI, o1
    STORE   next_cell, BALANCE, amount
    STORE   next_cell, SEQUENCE, zero
    ADD     next_cell, next_cell, one
    JMP     credited

other_event:
    JEQ     kind, two, forced_exit
    JEQ     kind, three, block_hash
    JMP     event_end                           ; no such kind: no-op
event_script:                                   ; a forced exit has five words of script and its length
    HINT    s0
    HINT    s1
    HINT    s2
    HINT    s3
    HINT    s4
    HINT    s5
    HASH    TAG_EVENT, s0, s1, s2
    HASH    TAG_EVENT, s3, s4, s5
    JMP     event_known
forced_exit:                                    ; of a purse in cell e5 hi, by its owner
    JEQ     e6, zero, event_end
    JLT     max_sats, e6, event_end
    JEQ     s5, zero, event_end
    JLT     max_script, s5, event_end
    JEQ     o1, owned_by_cell, event_end        ; a cell posts nothing on Bitcoin
    HI      target, e5
    JGE     target, cell_limit, event_end
    LOAD    head, target, HEADER
    JNE     head, purse, event_end
    LOAD    raw_lo, target, OWNER_LO
    JNE     raw_lo, o0, event_end
    LOAD    raw_hi, target, OWNER_HI
    JNE     raw_hi, o1, event_end                    ; not its owner
    MULDIV  e6, thousand, one
    HGETL   amount
    LOAD    balance, target, BALANCE
    JLT     balance, amount, event_end
    JGE     exits, exit_limit, refuse_exits     ; fewer events, then: no valid exit is lost
    SUB     balance, balance, amount
    STORE   target, BALANCE, balance
    ADD     withdrawn, withdrawn, amount
    PACK    x, exits, s5
    HSET    zero, zero
    HASH    TAG_EXIT, x, e6, target
    HASH    TAG_EXIT, s0, s1, s2
    HASH    TAG_EXIT, s3, s4, zero
    LEAF    exits
    ADD     exits, exits, one
    JMP     event_end
block_hash:                                     ; of a Bitcoin block above the last one
    LI      target, BLOCK_CELL
    LOAD    head, target, HEADER
    HI      x, head
    HI      y, e0
    JGE     x, y, event_end
    PACK    x, six, y
    STORE   target, HEADER, x
    STORE   target, 1, e1
    STORE   target, 2, e2
    STORE   target, 3, e3
    STORE   target, 4, e4
    JMP     event_end

events_end:
    HI      due, h2
    JLT     count, due, refuse_inbox
"""
