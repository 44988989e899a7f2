"""One batch, one outcome: no word of the tape is free, and no executed instruction may do anything else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from circuits.machine.errors import MachineError
from circuits.machine.executor import CellArrays, run
from circuits.machine.isa import WRITES_D, Opcode
from circuits.machine.kernel import kernel
from circuits.rollup.execute import execute_batch
from circuits.rollup.transition import build_tape
from prover.field import P
from tests.soundness.forger import Forgery, Lie, Moment, NoEndError, other_way
from tests.soundness.scene import (
    ALICE_HAS,
    BOB,
    LEAF,
    NEXT_FREE,
    NONCE,
    attack,
    batch,
    cells_of,
    deposit,
    ledger,
    sign,
    transfer,
    withdraw,
)

BOUND_WORDS = (3, 6, 7, 9, 10)
"""Public words that the verifier compares with Bitcoin and with the published data: H2, accumulator, D."""
HINTS = (Opcode.HINT, Opcode.HINTR)


def second(**fields: int) -> dict[str, int]:
    return {"nonce": NONCE + 1, "leaf": LEAF + 1, **fields}


BATCHES = {
    "nothing": lambda: ((), ()),
    "a deposit": lambda: ((), (deposit(),)),
    "deposits that are no-ops": lambda: ((), (deposit(0), deposit(2**63))),
    "transfer and withdrawal": lambda: ((sign(transfer(tip=3)), sign(withdraw(**second()))), (deposit(),)),
    "to oneself": lambda: ((sign(transfer(to=100)),), ()),
    "of nothing": lambda: ((sign(transfer(0)),), ()),
    "more than there is": lambda: ((sign(transfer(ALICE_HAS)),), ()),
    "to no purse": lambda: ((sign(transfer(to=NEXT_FREE)),), ()),
    "to no cell": lambda: ((sign(transfer(to=2**32 - 1)),), ()),
    "unknown operation": lambda: ((sign(transfer(op=7)),), ()),
    "unknown program": lambda: ((sign(transfer(program=9)),), ()),
    "withdrawal by an unknown program": lambda: ((sign(withdraw(program=9)),), ()),
    "withdrawal of no whole sats": lambda: ((sign(withdraw(7_000_001)),), ()),
    "withdrawal of more than there is": lambda: ((sign(withdraw(ALICE_HAS)),), ()),
    "withdrawal to a cell": lambda: ((sign(withdraw(to=BOB)),), ()),
    "withdrawal with no script": lambda: ((sign(withdraw(script_length=0)),), ()),
}


@pytest.mark.parametrize("name", BATCHES)
def test_every_kind_of_batch_has_a_trace_with_the_specified_outcome(name):
    transactions, events = BATCHES[name]()
    made = attack(transactions, events)
    expected = execute_batch(ledger(), batch(transactions, events), strict=True).transition.public_values
    assert tuple(made.public_values) == expected.elements()
    assert made.broken() == (set(), set())


def bound(tape: np.ndarray) -> list[list[int]] | None:
    """The public words that bind the tape; None if the tape has no trace."""
    try:
        done = run(kernel(), CellArrays.from_mapping(cells_of(ledger())), tape)
    except MachineError:
        return None
    return done.public[list(BOUND_WORDS)].tolist()


def test_every_word_of_the_tape_is_bound_by_public_words():
    tape = build_tape(batch(*BATCHES["transfer and withdrawal"]()))
    honest = bound(tape)
    assert honest is not None
    without_trace = 0
    for place in range(tape.shape[1]):
        for limb in range(4):
            for value in (1, 1 << 15):
                changed = tape.copy()
                changed[limb, place] ^= value
                got = bound(changed)
                without_trace += got is None
                assert got != honest, (place, limb)
    assert 0 < without_trace < 4 * tape.shape[1]  # most changes do have a trace, of another statement


def another_result(moment: Moment) -> None:
    moment.vc = ((moment.vc[0] + 1) % P, *moment.vc[1:])


def another_state(moment: Moment) -> None:
    moment.h = (*moment.h[:7], (moment.h[7] + 1) % P)


def lie_about(op: Opcode) -> Lie | None:
    """A lie for an instruction; None where it does nothing that could be lied about (or takes a hint)."""
    if op in (Opcode.JEQ, Opcode.JNE, Opcode.JLT, Opcode.JGE, Opcode.JMP):
        return other_way
    if op in (Opcode.HSET, Opcode.HASH, Opcode.MULDIV):
        return another_state
    if op is Opcode.STORE or (op in WRITES_D and op not in HINTS):
        return another_result
    return None


@cache
def rich() -> Forgery:
    """A run that visits most of the kernel."""
    return attack(*BATCHES["transfer and withdrawal"]())


def executed() -> list[int]:
    """Instructions that the rich batch executes and that can be lied about."""
    code = kernel().instructions
    return [pc for pc in sorted(set(rich().run.pc.tolist())) if lie_about(code[pc].op)]


def refused(pc: int) -> bool | None:
    """Whether the run with a lie at the last execution of an instruction is refused; None if it has no end."""
    lie = lie_about(kernel().instructions[pc].op)
    visits = int((rich().run.pc == pc).sum())
    try:
        made = attack(*BATCHES["transfer and withdrawal"](), lies={(pc, visits - 1): lie})
    except NoEndError:
        return None
    return any(made.broken())


def test_a_lie_about_an_instruction_is_refused():
    """A sample; all of them in the slow test."""
    places = executed()[:: max(len(executed()) // 12, 1)]
    assert [pc for pc in places if refused(pc) is False] == []


@pytest.mark.slow
def test_a_lie_about_any_executed_instruction_is_refused():
    outcomes = {pc: refused(pc) for pc in executed()}
    assert [pc for pc, outcome in outcomes.items() if outcome is False] == []
    assert sum(outcome is None for outcome in outcomes.values()) <= 40  # out of hints, or at a refuse label
    assert len(outcomes) > 220
