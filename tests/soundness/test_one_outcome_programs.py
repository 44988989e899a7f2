"""As `test_one_outcome`, of a batch with programs: no word of its tape is free, no executed instruction may do else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from circuits.machine.errors import MachineError
from circuits.machine.executor import CellArrays
from circuits.machine.executor import run as execute
from circuits.machine.isa import Opcode
from circuits.machine.kernel import kernel
from circuits.rollup.system_calls import cosign_message
from circuits.rollup.transition import Transition, apply
from circuits.rollup.types import (
    BlockHash,
    Call,
    Cosignature,
    Deploy,
    ForcedExit,
    InboxEvent,
    Rotate,
    SignedTransaction,
)
from circuits.xmss import batch as xmss_batch
from circuits.xmss.batch import SignRequest
from tests.soundness.forger import USER, Forgery, NoEndError
from tests.soundness.scene import (
    ALICE,
    BOB,
    CHAIN_ID,
    LEAF,
    NONCE,
    SCRIPT,
    attack,
    batch,
    cells_of,
    deposit,
    keys,
    sign,
)
from tests.soundness.test_attacks_programs import (
    BOBS_LEAF,
    DATA,
    OTHERS_DATA,
    PROGRAM,
    PURSE,
    TOKENS,
    calls,
    code,
    world,
)
from tests.soundness.test_one_outcome import BOUND_WORDS, lie_about

EVERYTHING = f"""
    .reg    x y z
    CALL    CHECKSIG, {BOB}, 1, 2, {BOBS_LEAF}
    CALL    MOVE, {PURSE}, {ALICE}, 1000
    CALL    BALANCE, {PURSE}
    MOV     x, r1
    CALL    OWNED, {PURSE}, {PROGRAM}
    CALL    DLOAD, {DATA}, 3
    CALL    DSTORE, {DATA}, 2, x
    CALL    PEEK, {OTHERS_DATA}, 1
    CALL    CREATE_DATA
    CALL    CREATE_PURSE, 0, {PROGRAM}
    CALL    MINT, {TOKENS}, 7
    CALL    BURN, {TOKENS}, 5
    CALL    CONTEXT, PRODUCER
    CALL    CONTEXT, BLOCK_HEIGHT
    CALL    EVENT, 1, x, 3
    CALL    HASH, 1, 2, x
    PACK    y, r1, r2
    HI      z, y
    LO      y, y
    MULDIV  x, x, z
    HGETL   x
    HGETH   y
    JLT     x, y, ends
    JEQ     x, z, ends
    SUB     x, x, y
ends:
    JNE     r6, r1, over
over:
    SUB     y, r2, r99
    SYS     EXIT
"""
"""Nearly every system call; argument 1 is 0 or more, so nothing fails."""
FAILS = (Call(PROGRAM, 0, (1, 0, 0, 0)), Call(999), Call.bank_move(ALICE, BOB, 5))
WORKS = (Call(PROGRAM, 0, (1, 0, 0, 0)), Call.bank_move(ALICE, BOB, 5))


@cache
def submitted() -> tuple[tuple[SignedTransaction, ...], tuple[InboxEvent, ...]]:
    """Two lists of calls (the first one fails), a deployment, a rotation; every kind of event."""
    alice, bob = keys()
    message = cosign_message(CHAIN_ID, PROGRAM, BOB, 1, 2)
    (signature,) = xmss_batch.sign([SignRequest(bob, BOBS_LEAF, message)])
    shown = (Cosignature(bob.public_key, signature),)
    at = [{"nonce": NONCE + k, "leaf": LEAF + k, "max_fee": 10**8} for k in range(4)]
    lists = [
        replace(sign(calls(*wanted, gas_limit=30_000, **fields)), cosignatures=shown)
        for wanted, fields in zip((FAILS, WORKS), at[:2], strict=True)
    ]
    deploys = sign(Deploy(ALICE, code=code("LI r1, 1\nSYS EXIT"), **at[2]))
    rotates = sign(Rotate(ALICE, new_owner=bob.public_key.owner(), first_leaf=3, **at[3]))
    owner = alice.public_key.owner()
    events = (
        deposit(),
        ForcedExit(800_000, bytes(range(32)), 1, ALICE, 77, owner, *SCRIPT),
        BlockHash(800_001, bytes(range(32))),
    )
    return (*lists, deploys, rotates), events


@cache
def honest() -> Transition:
    done = apply(world(EVERYTHING), batch(*submitted()))
    assert [r.failure is not None for r in done.receipts] == [True, False, False, False], done.receipts
    return done


def lying(**more) -> Forgery:
    done = honest()
    return attack(
        *submitted(),
        of=world(EVERYTHING),
        shown=done.signatures,
        codes=[code(EVERYTHING)],
        failing=[r.failure is not None for r in done.receipts],
        **more,
    )


@cache
def rich() -> Forgery:
    return lying()


def test_the_batch_has_a_trace_with_the_specified_outcome():
    assert tuple(rich().public_values) == honest().public_values.elements()
    assert rich().broken() == (set(), set())


def bound(tape: np.ndarray) -> list[list[int]] | None:
    """The public words that bind the tape; None if the tape has no trace."""
    cells = CellArrays.from_mapping(cells_of(world(EVERYTHING)))
    try:
        done = execute(kernel(), cells, tape, programs=[code(EVERYTHING)])
    except MachineError:
        return None
    return done.public[list(BOUND_WORDS)].tolist()


def test_every_word_of_the_tape_is_bound_by_public_words():
    """`failing` has one value that has a trace."""
    tape = honest().tape
    first = bound(tape)
    assert first is not None
    free = []
    for place in range(tape.shape[1]):
        for limb in range(4):
            changed = tape.copy()
            changed[limb, place] ^= 1
            if bound(changed) == first:
                free.append((place, limb))
    assert free == []


def places() -> list[tuple[str | int, int]]:
    """Each instruction that ran and can be lied about: the kernel's at its last run, all of the user's steps."""
    made, rom = rich().run, kernel().instructions
    mine = made.user == 0
    ran = sorted(set(made.pc[mine].tolist()))
    out: list[tuple[str | int, int]] = [
        (pc, int((made.pc[mine] == pc).sum()) - 1) for pc in ran if lie_about(rom[pc].op)
    ]
    ops = made.instruction[0][~mine].tolist()
    return out + [(USER, n) for n, op in enumerate(ops) if lie_about(Opcode(op))]


def refused(place: tuple[str | int, int]) -> bool | None:
    """Whether the run with a lie there is refused; None if it has no end."""
    line, n = place
    made = rich().run
    op = made.instruction[0][made.user == 1][n] if line == USER else kernel().instructions[line].op
    try:
        return any(lying(lies={place: lie_about(Opcode(op))}).broken())
    except NoEndError:
        return None


def test_a_lie_about_an_instruction_is_refused():
    """A few; more of them in the slow test."""
    sample = places()[:: len(places()) // 5]
    assert [place for place in sample if refused(place) is False] == []


@pytest.mark.slow
def test_lies_about_many_executed_instructions_are_refused():
    """Every fifth; `places()` is some 750, which takes six minutes (docs/reviews/0003-user-mode.md)."""
    outcomes = {place: refused(place) for place in places()[::5]}
    assert [place for place, outcome in outcomes.items() if outcome is False] == []
