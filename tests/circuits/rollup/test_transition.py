"""Each rule of docs/machine.md, A batch: one valid batch, one change, one exact reason or effect."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.rollup.books import next_base_fee
from circuits.rollup.cells import Purse, leaf_digest
from circuits.rollup.errors import BatchReason, BatchRefused, FailureReason, RefusalReason
from circuits.rollup.ledger import Ledger, leaves_of
from circuits.rollup.transition import apply
from circuits.rollup.types import SignedTransaction
from circuits.rollup.words import (
    ZERO_DIGEST,
    ZERO_WORD,
    hash_chain,
    hash_step,
    pair_word,
    raw_words,
    u64_word,
)
from circuits.tags import TAG_DATA, TAG_EXIT, TAG_INBOX
from tests.circuits.rollup.builders import (
    ALICE,
    BASE_FEE,
    BLANK_SIGNATURE,
    BOB,
    CAROL,
    CHAIN_ID,
    DATA,
    NEXT_FREE,
    PRODUCER,
    START,
    TOKEN,
    balance,
    batch,
    deposit,
    key,
    ledger,
    numbered,
    run,
    transfer,
    withdraw,
)
from tests.oracles.sparse import plain_root

TRANSFER_FEE = 600 * (BASE_FEE + 3) + 40 * 20


def test_transfer_moves_the_amount_and_every_fee_lands_in_a_purse():
    done = run(ledger(), batch(transfer(amount=1234)))
    after = done.ledger
    assert balance(after, ALICE) == START - 1234 - TRANSFER_FEE
    assert balance(after, BOB) == START + 1234
    assert balance(after, 2) == 600 * BASE_FEE
    assert balance(after, 3) == 40 * 20
    assert balance(after, PRODUCER) == START + 600 * 3
    assert after.cells[ALICE].nonce == 6
    assert after.cells[ALICE].next_leaf == 11
    assert after.total_btc() == after.system.supply == 4 * START
    assert done.receipts[0].fee == TRANSFER_FEE


def test_transfer_to_oneself_changes_only_the_fee():
    done = run(ledger(), batch(transfer(to=ALICE, amount=START - TRANSFER_FEE)))
    assert balance(done.ledger, ALICE) == START - TRANSFER_FEE
    assert done.receipts[0].failure is None


def test_producer_may_be_signer_and_recipient():
    done = run(ledger(), batch(transfer(PRODUCER, to=PRODUCER)))
    assert balance(done.ledger, PRODUCER) == START - TRANSFER_FEE + 600 * 3


def test_a_skipped_leaf_is_passed():
    done = run(ledger(), batch(transfer(leaf=200), transfer(nonce=6, leaf=201)))
    assert done.ledger.cells[ALICE].next_leaf == 202
    assert done.ledger.cells[ALICE].nonce == 7


def test_withdrawal_makes_an_exit_and_shrinks_the_supply():
    tx = withdraw(amount=7000)
    done = run(ledger(exit_counter=9), batch(transfer(BOB), tx))
    assert done.public_values.withdrawals == 7000
    assert done.ledger.system.supply == 4 * START - 7000 == done.ledger.total_btc()
    assert done.ledger.system.exit_counter == 10
    s0, s1, s2, s3, s4 = tx.script_words()
    head = (pair_word(0, 22), u64_word(7), u64_word(ALICE))
    leaf = hash_chain(TAG_EXIT, (head, (s0, s1, s2), (s3, s4, ZERO_WORD)))
    assert done.public_values.exit_root == plain_root(10, ZERO_DIGEST, {0: leaf})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chain_id": 8}, BatchReason.CHAIN_ID),
        ({"slot": 3}, BatchReason.SLOT),
        ({"bitcoin_height": 99}, BatchReason.BITCOIN_HEIGHT),
        ({"producer": TOKEN}, BatchReason.PRODUCER),
        ({"producer": 15}, BatchReason.PRODUCER),
        ({"producer": 1 << 30}, BatchReason.PRODUCER),
        ({"l1_rate": 1 << 32}, BatchReason.L1_RATE),
        ({"inbox_due_count": 2, "events": [deposit()]}, BatchReason.INBOX_DUE),
    ],
)
def test_header_that_breaks_a_rule_refuses_the_batch(change, reason):
    with pytest.raises(BatchRefused) as caught:
        run(ledger(), batch(transfer(), **change))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        ({"batch_number": 2**32 - 1}, BatchReason.COUNTER_OVERFLOW),
        ({"exit_counter": 2**32 - 1}, BatchReason.COUNTER_OVERFLOW),
    ],
)
def test_counters_at_their_end_refuse_the_batch(system, reason):
    with pytest.raises(BatchRefused) as caught:
        run(ledger(**system), batch(withdraw(), events=[deposit()]))
    assert caught.value.reason == reason


def test_live_cell_at_the_counter_refuses_the_batch():
    """No ledger checked at genesis gets there; a damaged one is refused, and nothing is written over."""
    before = ledger()
    system = replace(before.system, next_free=BOB)
    with pytest.raises(BatchRefused) as caught:
        run(Ledger({**before.cells, 0: system}, before.tree), batch(events=[deposit()]))
    assert caught.value.reason == BatchReason.FREE_CELL


def test_deposit_beyond_the_greatest_supply_is_a_no_op():
    room = 21 * 10**14 - 4 * START // 1000
    done = run(ledger(), batch(events=[deposit(sats=room + 1), deposit(sats=room), deposit(sats=1)]))
    assert done.public_values.deposits == room * 1000
    assert done.ledger.system.supply == done.ledger.total_btc() == 21 * 10**17
    assert done.ledger.system.next_free == NEXT_FREE + 1
    assert done.ledger.inbox.count == 3


def test_deposit_without_a_free_cell_is_a_no_op():
    done = run(ledger(next_free=1 << 30), batch(events=[deposit(), deposit(cell=ALICE)]))
    assert done.public_values.deposits == 50_000
    assert balance(done.ledger, ALICE) == START + 50_000
    assert done.ledger.system.next_free == 1 << 30


REFUSED = [
    (transfer(TOKEN), RefusalReason.SIGNER),
    (transfer(DATA), RefusalReason.SIGNER),
    (transfer(77), RefusalReason.SIGNER),
    (transfer(1 << 30), RefusalReason.SIGNER),
    (transfer(2), RefusalReason.OWNER),
    (transfer(nonce=4), RefusalReason.NONCE),
    (transfer(nonce=6), RefusalReason.NONCE),
    (transfer(leaf=9), RefusalReason.LEAF),
    (transfer(leaf=1 << 30), RefusalReason.LEAF),
    (transfer(leaf=2**32 - 1), RefusalReason.LEAF),
    (transfer(max_fee=TRANSFER_FEE - 1), RefusalReason.MAX_FEE),
    (transfer(tip=START // 600, max_fee=2**63), RefusalReason.CANNOT_PAY),
]


@pytest.mark.parametrize(("tx", "reason"), REFUSED)
def test_transaction_that_cannot_be_included_is_left_out(tx, reason):
    before = ledger()
    done = run(before, batch(tx, transfer(BOB)))
    alone = run(before, batch(transfer(BOB)))
    assert [(left.position, left.reason) for left in done.left_out] == [(0, reason)]
    assert done.ledger.root == alone.ledger.root
    assert done.public_values == alone.public_values
    assert (done.tape == alone.tape).all()
    assert done.cells_before.keys() == alone.cells_before.keys()
    assert [r.position for r in done.receipts] == [1]


@pytest.mark.parametrize(("tx", "reason"), REFUSED)
def test_strict_mode_refuses_the_batch_instead(tx, reason):
    with pytest.raises(BatchRefused) as caught:
        run(ledger(), batch(transfer(BOB), tx), strict=True)
    assert caught.value.reason == BatchReason.TRANSACTION
    assert caught.value.where == "transaction 1"
    assert caught.value.got == reason


def test_invalid_signature_is_left_out():
    both = batch(transfer(), transfer(BOB))
    done = apply(ledger(), both, valid=[False, True])
    assert [left.reason for left in done.left_out] == [RefusalReason.SIGNATURE]


def test_key_of_another_owner_is_left_out():
    stolen = SignedTransaction(transfer(), key(BOB), BLANK_SIGNATURE)
    done = run(ledger(), replace(batch(), transactions=(stolen,)))
    assert [left.reason for left in done.left_out] == [RefusalReason.OWNER]


def test_replayed_transaction_is_left_out():
    done = run(ledger(), batch(transfer(), transfer()))
    assert [left.reason for left in done.left_out] == [RefusalReason.NONCE]


def test_reused_leaf_is_left_out():
    done = run(ledger(), batch(transfer(), transfer(nonce=6)))
    assert [left.reason for left in done.left_out] == [RefusalReason.LEAF]


@pytest.mark.parametrize(
    ("tx", "reason"),
    [
        (transfer(program=1), FailureReason.PROGRAM),
        (withdraw(program=1), FailureReason.PROGRAM),
        (transfer(op=9), FailureReason.OPERATION),
        (transfer(op=2**32 - 1), FailureReason.OPERATION),
        (transfer(to=TOKEN), FailureReason.RECIPIENT),
        (transfer(to=DATA), FailureReason.RECIPIENT),
        (transfer(to=0), FailureReason.RECIPIENT),
        (transfer(to=NEXT_FREE), FailureReason.RECIPIENT),
        (transfer(to=1 << 30), FailureReason.RECIPIENT),
        (transfer(to=2**32 - 1), FailureReason.RECIPIENT),
        (transfer(amount=START - TRANSFER_FEE + 1), FailureReason.BALANCE),
        (transfer(amount=2**64 - 1), FailureReason.BALANCE),
        (transfer(to=ALICE, amount=START), FailureReason.BALANCE),
        (withdraw(to=BOB), FailureReason.WITHDRAW_TO),
        (withdraw(amount=0), FailureReason.WITHDRAW_AMOUNT),
        (withdraw(amount=1001), FailureReason.WITHDRAW_AMOUNT),
        (withdraw(amount=START), FailureReason.BALANCE),
        (withdraw(script_length=0), FailureReason.SCRIPT),
        (withdraw(script_length=41), FailureReason.SCRIPT),
        (withdraw(script_length=1 << 32 | 1), FailureReason.SCRIPT),
    ],
)
def test_failing_transaction_pays_its_fee_and_changes_nothing_else(tx, reason):
    before = ledger()
    done = run(before, batch(tx))
    after, receipt = done.ledger, done.receipts[0]
    assert receipt.failure == reason
    assert receipt.fee == tx.gas * (BASE_FEE + 3 * (tx.tip == 3)) + tx.num_bytes * 20
    expected = {**before.cells}
    expected[ALICE] = replace(before.cells[ALICE], balance=START - receipt.fee, nonce=6, next_leaf=11)
    expected[2] = replace(before.cells[2], balance=receipt.base_fee)
    expected[3] = replace(before.cells[3], balance=receipt.data_fee)
    expected[PRODUCER] = replace(before.cells[PRODUCER], balance=START + receipt.tip)
    assert {i: c for i, c in after.cells.items() if i > 1} == {i: c for i, c in expected.items() if i > 1}
    assert after.system.supply == before.system.supply == after.total_btc()
    assert done.num_failed == done.public_values.num_failed == 1
    assert done.exits == {}


def test_exit_tree_holds_1024_exits():
    txs = [withdraw(nonce=5 + i, leaf=10 + i) for i in range(1026)]
    done = run(ledger(), batch(*txs))
    assert [r.exit_index for r in done.receipts] == [*range(1024), None, None]
    assert {r.failure for r in done.receipts[1024:]} == {FailureReason.EXITS_FULL}
    assert done.public_values.num_exits == 1024


@pytest.mark.parametrize("cell", [77, TOKEN, DATA, 0, 1 << 30, 2**32 - 1, NEXT_FREE])
def test_deposit_without_a_btc_purse_opens_one(cell):
    done = run(ledger(), batch(events=[deposit(cell=cell, sats=50)]))
    assert done.ledger.cells[NEXT_FREE] == Purse(key(99).owner(), 50_000)
    assert done.ledger.system.next_free == NEXT_FREE + 1
    assert done.ledger.system.supply == done.ledger.total_btc() == 4 * START + 50_000
    assert done.cells_before[NEXT_FREE] is None


@pytest.mark.parametrize("cell", [ALICE, 2, CAROL])
def test_deposit_credits_an_existing_purse(cell):
    before = ledger()
    done = run(before, batch(events=[deposit(cell=cell, sats=50)], inbox_due_count=1))
    assert balance(done.ledger, cell) == balance(before, cell) + 50_000
    assert done.ledger.system.next_free == NEXT_FREE
    assert done.public_values.deposits == 50_000


@pytest.mark.parametrize("change", [{"sats": 0}, {"sats": 21 * 10**14 + 1}, {"sats": 2**64 - 1}, {"kind": 4}])
def test_invalid_event_is_consumed_without_effect(change):
    event = deposit(**change)
    done = run(ledger(), batch(events=[event]))
    assert done.public_values.deposits == 0
    assert done.ledger.system.next_free == NEXT_FREE
    assert done.ledger.inbox.count == 1
    assert done.ledger.inbox.accumulator == hash_step(TAG_INBOX, event.digest(), ((0,) * 4,) * 3)


def test_a_deposited_purse_can_spend_in_the_same_batch():
    tx = transfer(NEXT_FREE, nonce=0, leaf=0, amount=1)
    event = deposit(owner=key(NEXT_FREE).owner(), sats=1000)
    done = run(ledger(), batch(tx, events=[event]))
    assert done.receipts[0].failure is None
    assert balance(done.ledger, NEXT_FREE) == 1_000_000 - TRANSFER_FEE - 1


@pytest.mark.parametrize(
    ("before", "gas", "after"),
    [
        (800, 0, 700),
        (800, 600_000, 800),
        (800, 1_200_000, 900),
        (800, 9_000_000, 900),
        (1, 0, 1),
        (9, 0, 7),
        (1, 600_000, 1),
        (1, 600_600, 2),
        (7, 9_000_000, 8),
        (2**32 - 1, 600_000, 2**32 - 1),
        (2**32 - 1, 1_200_000, 2**32 - 1),
    ],
)
def test_base_fee_follows_the_load(before, gas, after):
    assert next_base_fee(before, gas) == after


def test_system_cells_after_a_batch():
    done = run(ledger(batch_number=41), batch(transfer(), slot=77, bitcoin_height=300))
    system = done.ledger.system
    assert (system.batch_number, system.slot, system.next_free) == (42, 77, NEXT_FREE)
    assert system.base_fee == BASE_FEE * (7 * 600_000 + 600) // 4_800_000
    assert done.ledger.inbox.bitcoin_height == 300
    values = done.public_values
    assert (values.batch_number, values.slot_before, values.slot) == (41, 3, 77)
    assert (values.base_fee_before, values.base_fee_after) == (BASE_FEE, system.base_fee)


def test_data_commitment_and_tape_follow_the_documented_order():
    events, txs = [deposit()], [transfer(), withdraw(BOB)]
    submitted = batch(*txs, events=events)
    done = run(ledger(), submitted)
    h0, h1, h2, h3 = done.batch.header_words()
    commitment = hash_step(TAG_DATA, ZERO_DIGEST, (h0, h1, h3))
    for tx in txs:
        triple = (*raw_words(commitment), ZERO_WORD)
        commitment = hash_step(TAG_DATA, tx.digest(CHAIN_ID), triple)
    assert done.public_values.data_commitment == commitment
    expected = [h0, h1, h2, h3, *events[0].words(), *txs[0].words(), *txs[1].words()]
    assert done.tape.T.tolist() == [list(word) for word in expected]
    assert len(expected) == 4 + 9 + 5 + 11
    assert [c.message for c in done.signatures] == [tx.digest(CHAIN_ID) for tx in txs]
    assert [c.owner for c in done.signatures] == [key(ALICE).owner(), key(BOB).owner()]


cells = st.sampled_from(
    [ALICE, BOB, CAROL, PRODUCER, NEXT_FREE, NEXT_FREE + 1, TOKEN, DATA, 2, 0, 77, 1 << 30]
)
signers = st.one_of(st.sampled_from([ALICE, BOB, CAROL, PRODUCER, NEXT_FREE]), cells)
amounts = st.one_of(
    st.integers(0, 10**7),
    st.integers(0, 10**4).map(lambda sats: 1000 * sats),
    st.sampled_from([0, 1000, START, START // 2, 2**64 - 1]),
)
common = {
    "amount": amounts,
    "tip": st.sampled_from([*[0, 3, 40] * 4, 10**6, 2**32 - 1]),
    "max_fee": st.sampled_from([0, *[10**8] * 4, *[2**64 - 1] * 4]),
}
transfers = st.builds(
    lambda **kw: ("t", kw), signer=signers, to=cells, op=st.sampled_from([0, 0, 0, 9]), **common
)
withdrawals = st.builds(lambda **kw: ("w", kw), signer=signers, to=st.sampled_from([0, 0, BOB]), **common)
deposits = st.builds(
    deposit,
    owner=st.sampled_from([key(NEXT_FREE).owner(), key(NEXT_FREE + 1).owner()]),
    cell=cells,
    sats=st.one_of(st.integers(0, 10**6), st.sampled_from([0, 21 * 10**14 + 1])),
    kind=st.sampled_from([1, 1, 1, 4]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(deposits, max_size=4), st.lists(st.one_of(transfers, withdrawals), max_size=12)),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 2**20),
)
def test_random_batches_keep_the_supply_identity(batches, l1_rate):
    state = ledger()
    for number, (events, wanted) in enumerate(batches):
        txs = numbered(state, wanted)
        done = run(state, batch(*txs, events=events, slot=4 + number, l1_rate=l1_rate))
        values, after = done.public_values, done.ledger
        assert after.total_btc() == after.system.supply == values.supply_after
        assert values.supply_after == values.supply_before + values.deposits - values.withdrawals
        assert values.base_fees + values.tips + values.data_fees == sum(r.fee for r in done.receipts)
        assert len(done.receipts) + len(done.left_out) == len(txs)
        assert after.root == values.state_root_after == Ledger.of_cells(after.cells).root
        assert all(cell.balance >= 0 for cell in after.cells.values() if isinstance(cell, Purse))
        changed = {i for i in after.cells if after.cells[i] != state.cells.get(i)}
        assert changed <= done.cells_after.keys()
        replayed = run(state, done.batch, strict=True)
        assert replayed.public_values == values
        state = after


def test_state_root_is_the_plain_one():
    done = run(ledger(), batch(transfer(), withdraw(BOB), events=[deposit()]))
    leaves = leaves_of(done.ledger.cells)
    assert leaves == {i: leaf_digest(cell) for i, cell in done.ledger.cells.items()}
    assert plain_root(30, leaf_digest(None), leaves) == done.ledger.root
