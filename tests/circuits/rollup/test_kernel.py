"""The kernel, run by the fast machine on the tape built here, gives what the specification gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.machine import kernel as machine_kernel
from circuits.machine.errors import MachineError
from circuits.machine.executor import run as run_machine
from circuits.machine.interpreter import interpret
from circuits.machine.kernel import kernel
from circuits.rollup import params
from circuits.rollup.cells import words_of
from circuits.rollup.errors import BatchRefused
from circuits.rollup.execute import execute, load
from circuits.rollup.sample import sample
from circuits.rollup.transition import build_tape
from tests.circuits.rollup.builders import (
    ALICE,
    BOB,
    CHAIN_ID,
    START,
    batch,
    deposit,
    key,
    ledger,
    numbered,
    run,
    transfer,
    withdraw,
)
from tests.circuits.rollup.test_transition import REFUSED, deposits, transfers, withdrawals


def cell_words(cells):
    return {index: words_of(cell) for index, cell in cells.items() if cell is not None}


def compare(before, done):
    """Everything that the two must agree on, touched cells included."""
    result = run_machine(kernel(), done.words_before, done.tape)
    assert done.words_before.items() <= cell_words(before.cells).items()
    assert result.public.tolist() == [list(word) for word in done.public_values.words()]
    assert result.cell_indices.tolist() == list(done.cells_after)
    for words, cells in ((result.cells_before, done.cells_before), (result.cells_after, done.cells_after)):
        assert words.tolist() == [[list(word) for word in words_of(cell)] for cell in cells.values()]
    assert result.exit_indices.tolist() == list(done.exits)
    assert [tuple(leaf) for leaf in result.exit_leaves.tolist()] == list(done.exits.values())
    claims = done.signatures
    assert [tuple(m) for m in result.signature_messages.tolist()] == [c.message for c in claims]
    assert [tuple(o) for o in result.signature_owners.tolist()] == [c.owner for c in claims]
    assert result.signature_leaves.tolist() == [c.epoch for c in claims]


def test_constants_are_the_same():
    for name in ("GAS_TRANSFER", "GAS_WITHDRAW", "BYTES_TRANSFER", "BYTES_WITHDRAW", "GAS_TARGET"):
        assert getattr(machine_kernel, name) == getattr(params, name)
    assert machine_kernel.MAX_SATS == params.MAX_DEPOSIT_SATS
    assert machine_kernel.MAX_SUPPLY == params.MAX_SUPPLY
    assert machine_kernel.MAX_SCRIPT_BYTES == params.SCRIPT_BYTES


@settings(max_examples=150, deadline=None)
@given(
    st.lists(deposits, max_size=5),
    st.lists(st.one_of(transfers, withdrawals), max_size=14),
    st.sampled_from([0, *[20] * 6, 2**32 - 1]),
    st.sampled_from([1, *[100] * 6, 2**32 - 1]),
    st.sampled_from([16, 2, 3, ALICE]),
    st.sampled_from([5000, 1 << 30, (1 << 30) - 1]),
)
def test_random_batches_agree(events, wanted, l1_rate, base_fee, producer, next_free):
    before = ledger(base_fee=base_fee, next_free=next_free)
    txs = numbered(before, wanted)
    compare(before, run(before, batch(*txs, events=events, l1_rate=l1_rate, producer=producer)))


FAILING = [
    transfer(program=1),
    transfer(program=1, op=9, to=ALICE),
    withdraw(program=2**32 - 1, tip=5),
    transfer(op=9),
    transfer(op=2**32 - 1, to=2**32 - 1, tip=9),
    transfer(to=2**30),
    transfer(to=77),
    transfer(amount=2**64 - 1, to=78),
    transfer(program=3, to=78),
    withdraw(to=BOB),
    withdraw(amount=1001),
    withdraw(amount=0),
    withdraw(amount=START),
    withdraw(script_length=0),
    withdraw(script_length=1 << 32 | 1),
]


@pytest.mark.parametrize("tx", FAILING)
def test_failures_agree(tx):
    before = ledger()
    done = run(before, batch(tx, transfer(BOB)))
    assert done.num_failed == 1
    compare(before, done)


def test_full_exit_tree_agrees():
    before = ledger()
    txs = [withdraw(nonce=5 + i, leaf=10 + i) for i in range(1026)]
    done = run(before, batch(*txs))
    assert done.num_failed == 2
    compare(before, done)


def test_busy_batch_raises_the_base_fee_alike():
    before = ledger(base_fee=3)
    done = run(before, batch(*[transfer(nonce=5 + i, leaf=10 + i) for i in range(1001)]))
    assert done.ledger.system.base_fee == 4
    compare(before, done)


def test_deposits_agree():
    before = ledger()
    room = 21 * 10**14 - 4 * START // 1000
    events = [deposit(sats=room + 1), deposit(kind=4), deposit(sats=room, cell=2), deposit(sats=1, cell=77)]
    compare(before, run(before, batch(events=events, inbox_due_count=4)))


@pytest.mark.parametrize(("tx", "reason"), REFUSED)
def test_what_cannot_be_included_has_no_trace(tx, reason):
    before, forced = ledger(), batch(tx)
    with pytest.raises(MachineError):  # a wrong nonce or owner signs something else: only SIG can tell
        interpret(
            kernel(),
            cell_words(before.cells),
            build_tape(forced).T.tolist(),
            lambda *claim: claim == wanted(tx),
        )


def wanted(tx):
    """The claim that the transaction's own signature proves."""
    return tx.digest(CHAIN_ID), key(tx.signer).owner(), tx.leaf


@pytest.mark.parametrize(
    "change",
    [
        {"slot": 3},
        {"bitcoin_height": 99},
        {"producer": 40},
        {"producer": 15},
        {"producer": 1 << 30},
        {"l1_rate": 1 << 32},
        {"inbox_due_count": 1},
    ],
)
def test_refused_header_has_no_trace(change):
    before, bad = ledger(), batch(transfer(), **change)
    with pytest.raises(BatchRefused):
        run(before, bad)
    with pytest.raises(MachineError):
        run_machine(kernel(), cell_words(before.cells), build_tape(bad))


def test_sample_agrees(tmp_path):
    sample(20, 9, tmp_path / "s")
    execution = execute(tmp_path / "s")
    before, _ = load(tmp_path / "s")
    compare(before, execution.transition)
    assert execution.transition.tape.dtype == np.uint32
