"""Programs against models: hypothesis state machines whose steps are transactions, many a batch.

A step asks the model first: what must come out, or None if the transaction must fail. Batches are executed by the
specification and what programs said, and what is in their cells, is compared. PEGPROOF_STEPS sets the steps of a run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from circuits.programs.genesis import Genesis
from circuits.rollup.transition import Transition
from circuits.rollup.types import Call
from tests.circuits.programs.world import World

STEPS = int(os.environ.get("PEGPROOF_STEPS", "400"))
"""Of each program; 10,000 in `make models`."""
BATCH = 12
numbers = st.integers(0, 2**32)


def mixed(number: int) -> int:
    """Small numbers, which hypothesis likes, spread out"""
    return (number * 0x9E3779B1 + 0x7F4A7C15 ^ number >> 7) % 2**32


@dataclass
class Expected:
    """What a transaction must do: the last event's words after the first, () if there is none; None: it must fail."""

    signer: int
    words: tuple[int, ...] | None
    what: str


class ProgramMachine(RuleBasedStateMachine):
    """A world with one program or more; a subclass builds it, acts and compares."""

    steps = 0
    succeeded = 0
    said: frozenset[tuple[int, int]] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.slot = 1
        self.height = 1
        self.expected: list[Expected] = []
        self.world = World(self.build(Genesis(7, 10)))
        self.start()

    def build(self, genesis: Genesis) -> Genesis:
        """Accounts and programs."""
        raise NotImplementedError

    def start(self) -> None:
        """What must be called before the steps."""

    def act(self, choice: int, a: int, b: int, c: int) -> None:
        """One step, from four numbers."""
        raise NotImplementedError

    def compare(self) -> None:
        """Model against cells, after a batch."""
        raise NotImplementedError

    def producer(self) -> int:
        """Of the next batch."""
        raise NotImplementedError

    def send(self, signer: int, words: tuple[int, ...] | None, *calls: Call, **options: Any) -> None:
        """Queue a transaction with what the model says of it."""
        self.world.send(signer, *calls, **options)
        self.expected.append(Expected(signer, words, f"{calls[-1]}"))
        type(self).succeeded += words is not None

    def new_cells(self, count: int) -> int:
        """The first of `count` cells that a transaction will make, by the model's count."""
        first = self.next_cell
        self.next_cell += count
        return first

    @rule(choice=numbers, a=numbers, b=numbers, c=numbers)
    def step(self, choice: int, a: int, b: int, c: int) -> None:
        """Any step; the batch is closed now and then."""
        type(self).steps += 1
        choice, a, b, c = (mixed(number) for number in (choice, a, b, c))
        self.act(choice, a, b, c)
        if len(self.expected) >= BATCH or choice % 11 == 0:
            self.close()

    next_cell = 0

    def close(self) -> None:
        """Execute what waits and compare."""
        done = self.world.produce(self.slot, self.producer(), self.height)
        for expected, receipt in zip(self.expected, done.receipts, strict=True):
            if expected.words is None:
                assert receipt.failure is not None, expected
            else:
                assert receipt.failure is None, (expected, receipt.detail)
                assert not expected.words or receipt.events[-1].values[1:] == expected.words, expected
        self.expected = []
        self.note(done)
        self.slot += 1
        self.compare()
        assert self.world.ledger.total_btc() == self.world.ledger.system.supply

    def note(self, done: Transition) -> None:
        """What programs have said so far: (program, first word)."""
        events = [*done.hook_events, *(event for receipt in done.receipts for event in receipt.events)]
        type(self).said |= {(event.program, event.values[0]) for event in events}

    def teardown(self) -> None:
        """The last batch."""
        self.close()


def run(
    machine: type[ProgramMachine], program: Callable[[ProgramMachine], int], words: Iterable[int]
) -> None:
    """Run about STEPS steps.

    Args:
        machine: What to run.
        program: Of a machine, the program's cell.
        words: First words of all events that a long run must see.
    """
    length = 100 if STEPS < 2000 else 400  # its first example is the simplest one: always the same step
    machine.steps = machine.succeeded = 0
    machine.said = frozenset()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=1 + -(-STEPS // length), stateful_step_count=length, deadline=None,
            suppress_health_check=list(HealthCheck), database=None, derandomize=True,
        ),
    )  # fmt: skip
    print(machine.__name__, machine.steps, machine.succeeded)
    assert machine.steps >= STEPS, "hypothesis has stopped early"
    assert machine.succeeded >= machine.steps // 5, "most steps are refused: the model says little"
    missing = {(program(machine()), word) for word in words} - machine.said
    print(machine.__name__, "has not seen", sorted(missing))
    assert STEPS < 2000 or not missing
