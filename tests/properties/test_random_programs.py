"""Random programs: specification and kernel agree in result, gas and failure; some of them are proven.

`PEGPROOF_PROGRAMS` and `PEGPROOF_PROVEN` set how many (`make random`: 20,000 and 200).
"""

from __future__ import annotations

import os
import random
from collections import Counter
from itertools import count

import numpy as np
import pytest

from circuits.machine.abi import Call as Sys
from circuits.machine.executor import MachineRun
from circuits.machine.isa import USER_OPCODES, Opcode
from circuits.rollup.errors import FailureReason
from circuits.rollup.transition import Transition
from tests.circuits.rollup.test_user_kernel import check, flipped, kernel_run
from tests.properties.random_programs import PROGRAMS, random_batch, random_code, world
from tests.properties.signing import sign_batch, signers
from tests.whole import prove_and_verify, whole

NUM_PROGRAMS = int(os.environ.get("PEGPROOF_PROGRAMS", "3000"))
NUM_PROVEN = int(os.environ.get("PEGPROOF_PROVEN", "40"))
QUICK = 200
CALL_FAILURES = {
    FailureReason.PROGRAM, FailureReason.FAULT, FailureReason.FAIL, FailureReason.OUT_OF_GAS,
    FailureReason.SYSTEM_CALL, FailureReason.BANK,
}  # fmt: skip


class Seen:
    """What random programs have reached so far."""

    def __init__(self) -> None:
        self.programs = 0
        self.opcodes: Counter[Opcode] = Counter()
        self.answered: Counter[Sys] = Counter()
        self.refused: Counter[Sys] = Counter()
        self.outcomes: Counter[FailureReason | None] = Counter()

    def add(self, run: MachineRun, done: Transition) -> None:
        """A batch: steps by instruction, system calls by answer, transactions by outcome."""
        self.programs += len(run.programs)
        user = np.flatnonzero(run.user)
        ops = run.instruction[0]
        self.opcodes.update(Opcode(op) for op in ops[user].tolist())
        calls = user[ops[user] == Opcode.SYS]
        following = np.append(user, len(ops) - 1)[np.searchsorted(user, calls, side="right")]
        answered = ops[following - 1] == Opcode.SRET
        numbers = {call.address: call for call in Sys}
        for counter, chosen in ((self.answered, answered), (self.refused, ~answered)):
            counter.update(numbers[n] for n in run.instruction[4][calls[chosen]].tolist())
        self.outcomes.update(receipt.failure for receipt in done.receipts)

    def lines(self) -> list[str]:
        """For people."""
        return [
            "steps: " + ", ".join(f"{op.name} {n}" for op, n in sorted(self.opcodes.items())),
            "system calls answered: " + ", ".join(f"{c.name} {n}" for c, n in sorted(self.answered.items())),
            "refused or last: " + ", ".join(f"{c.name} {n}" for c, n in sorted(self.refused.items())),
            "transactions: "
            + ", ".join(f"{o.name if o else 'ok'} {n}" for o, n in self.outcomes.most_common()),
        ]


def compare(programs: int, seed: int) -> Seen:
    """Runs random batches in both until that many random programs have run."""
    seen = Seen()
    for number in count():
        if seen.programs >= programs:
            return seen
        rng = random.Random(f"{seed} {number}")
        before = world([random_code(rng, program) for program in PROGRAMS])
        done = check(before, random_batch(rng))
        seen.add(kernel_run(before, done), done)
        if number % 8 == 0:
            flipped(done)
    raise AssertionError


def assert_everything_was_reached(seen: Seen) -> None:
    assert set(seen.opcodes) == {*USER_OPCODES, Opcode.TRAP}
    assert set(seen.answered) == set(Sys) - {Sys.EXIT, Sys.FAIL}
    never_refused = {Sys.CREATE_DATA, Sys.EVENT, Sys.HASH}  # while a cell is left
    assert set(seen.refused) >= set(Sys) - never_refused
    assert CALL_FAILURES | {None} <= set(seen.outcomes)


def test_specification_and_kernel_agree_on_some_random_programs():
    compare(QUICK, 1)


@pytest.mark.slow
def test_specification_and_kernel_agree_on_random_programs(capsys):
    seen = compare(NUM_PROGRAMS, 2)
    with capsys.disabled():
        print(f"\n{seen.programs} random programs", *seen.lines(), sep="\n  ")
    assert_everything_was_reached(seen)


@pytest.mark.slow
def test_random_programs_are_proven_and_verified():
    keys = signers()
    public = {cell: key.public_key for cell, key in keys.items()}
    proven = 0
    for number in count():
        if proven >= NUM_PROVEN:
            break
        rng = random.Random(f"proven {number}")
        before = world([random_code(rng, program) for program in PROGRAMS], public)
        batch = sign_batch(
            before, random_batch(rng, rotate=False, transactions=4, limits=(0, 3000, 8000)), keys
        )
        done = whole(before, batch)
        assert done.transition.receipts
        assert not done.transition.left_out
        prove_and_verify(done)
        proven += len(done.witness.run.programs)
