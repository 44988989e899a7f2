"""The kernel and the plain-Python transition (`circuits/rollup`) do the same thing.

Compared: public words, cells, exits, messages.
"""

from __future__ import annotations

import random

import pytest

from circuits.machine.errors import MachineError
from circuits.machine.executor import run
from circuits.machine.kernel import kernel
from circuits.rollup.batch import Batch
from circuits.rollup.cells import words_of
from circuits.rollup.errors import BatchRefused
from circuits.rollup.ledger import Ledger
from circuits.rollup.transition import Transition, build_tape
from tests.circuits.rollup import builders
from tests.circuits.rollup.builders import ALICE, BOB, CAROL, DATA, NEXT_FREE, PRODUCER, TOKEN

CELL_LIMIT = 1 << 30
NEW = (NEXT_FREE, NEXT_FREE + 1, CELL_LIMIT, (1 << 32) - 1)
CELLS = (0, 1, 2, 3, PRODUCER, ALICE, BOB, CAROL, TOKEN, DATA, *NEW)
AMOUNTS = (0, 1, 999, 1000, 5000, 10**9, builders.START, 2**64 - 1)
MAX_SATS = 2_100_000_000_000_000
SATS = (0, 1, 50, 50, MAX_SATS - 5_000_000_000, MAX_SATS, MAX_SATS + 1, 2**64 - 1)


def execute_kernel(before: Ledger, batch: Batch) -> None:
    """The kernel on any tape, refused or not."""
    cells = {index: words_of(cell) for index, cell in before.cells.items()}
    run(kernel(), cells, build_tape(batch))


def check(before: Ledger, done: Transition) -> None:
    """The kernel, on the transition's tape, does what the transition did."""
    cells = {index: words_of(cell) for index, cell in before.cells.items()}
    machine = run(kernel(), cells, done.tape)
    assert machine.public.tolist() == [list(word) for word in done.public_values.words()]
    after = {index: words_of(cell) for index, cell in done.cells_after.items()}
    touched = machine.cell_indices.tolist()
    for place, index in enumerate(touched):
        assert machine.cells_after[place].tolist() == [list(word) for word in after[index]], index
    for index in set(after) - set(touched):
        assert after[index] == cells.get(index, words_of(None))
    assert machine.exit_indices.tolist() == sorted(done.exits)
    assert machine.exit_leaves.tolist() == [list(done.exits[i]) for i in sorted(done.exits)]
    wanted = [[*claim.message, *claim.owner, claim.epoch] for claim in done.signatures]
    columns = (machine.signature_messages, machine.signature_owners, machine.signature_leaves[:, None])
    found = [[x for part in columns for x in part[i].tolist()] for i in range(len(wanted))]
    assert (wanted, len(wanted)) == (found, len(machine.signature_leaves))


def random_batch(rng: random.Random) -> Batch:
    """Some events and transactions, many of them bad."""
    events = [
        builders.deposit(sats=rng.choice(SATS), cell=rng.choice(CELLS), kind=rng.choice((1, 1, 1, 4)))
        for _ in range(rng.randrange(5))
    ]
    state = {cell: (5, 10) for cell in (PRODUCER, ALICE, BOB, CAROL)}
    txs = []
    for _ in range(rng.randrange(7)):
        signer = rng.choice((PRODUCER, ALICE, BOB, CAROL))
        nonce, leaf = state[signer]
        leaf += rng.choice((0, 0, 3))
        common = {
            "nonce": nonce,
            "leaf": leaf,
            "amount": rng.choice(AMOUNTS),
            "tip": rng.choice((0, 1, 77, 2**20)),
            "program": rng.choice((0, 0, 0, 0, 1, 2**29, 2**32 - 1)),
            "max_fee": 2**64 - 1,
        }
        if rng.random() < 0.5:
            op = rng.choice((0, 0, 0, 9, 2**32 - 1))
            txs.append(builders.transfer(signer, to=rng.choice(CELLS), op=op, **common))
        else:
            length = rng.choice((1, 22, 40, 0, 41, 2**32 + 1))
            to = rng.choice((0, 0, 0, 1, 2**32 - 1))
            txs.append(builders.withdraw(signer, to=to, script_length=length, **common))
        state[signer] = (nonce + 1, leaf + 1)
    producer, l1_rate = rng.choice((PRODUCER, ALICE, 2, 3)), rng.choice((0, 20, 2**32 - 1))
    return builders.batch(*txs, events=events, producer=producer, l1_rate=l1_rate)


@pytest.mark.parametrize("seed", range(40))
def test_kernel_equals_transition(seed: int) -> None:
    rng = random.Random(seed)
    before = builders.ledger(next_free=rng.choice((NEXT_FREE, NEXT_FREE, CELL_LIMIT)))
    check(before, builders.run(before, random_batch(rng)))


@pytest.mark.parametrize("base_fee", [1, 7, 80, 2**32 - 1])
@pytest.mark.parametrize("count", [1000, 1001])
def test_kernel_equals_transition_under_load(base_fee: int, count: int) -> None:
    before = builders.ledger(base_fee=base_fee)
    rich = before.cells[ALICE].balance  # what ALICE cannot pay for is left out
    txs = [
        builders.transfer(ALICE, nonce=5 + i, leaf=10 + i, tip=0, max_fee=rich, to=ALICE, amount=0)
        for i in range(count)
    ]
    check(before, builders.run(before, builders.batch(*txs, l1_rate=0)))


@pytest.mark.parametrize(
    "header",
    [{"slot": 3}, {"producer": TOKEN}, {"producer": 1 << 30}, {"l1_rate": 1 << 32}, {"bitcoin_height": 99},
     {"inbox_due_count": 1}],
)  # fmt: skip
def test_what_the_transition_refuses_has_no_trace(header: dict[str, int]) -> None:
    before, batch = builders.ledger(), builders.batch(builders.transfer(), **header)
    with pytest.raises(BatchRefused):
        builders.run(before, batch)
    with pytest.raises(MachineError):
        execute_kernel(before, batch)


@pytest.mark.parametrize(
    "change",
    [{"leaf": 9}, {"leaf": 1 << 30}, {"leaf": (1 << 32) - 1}, {"max_fee": 1},
     {"tip": 2**32 - 1, "max_fee": 2**64 - 1}, {"signer": TOKEN}, {"signer": 0},
     {"signer": 1 << 30}, {"signer": NEXT_FREE}],
)  # fmt: skip
def test_what_the_transition_leaves_out_has_no_trace(change: dict[str, int]) -> None:
    before, batch = builders.ledger(), builders.batch(builders.transfer(**change))
    assert len(builders.run(before, batch).left_out) == 1
    with pytest.raises(MachineError):
        execute_kernel(before, batch)
