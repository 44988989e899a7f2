"""The kernel on hand-made batches: outcomes computed here by hand, in both machines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits import tags
from circuits.machine.errors import MachineError, MachineReason
from circuits.machine.executor import run, tape_array
from circuits.machine.interpreter import CheckSignature, interpret
from circuits.machine.kernel import GAS_TARGET, MAX_SATS, kernel
from circuits.machine.words import ZERO, Cell, Word, int_from_word, pack, word_from_int
from prover.poseidon2 import P, compress
from tests.circuits.machine.helpers import (
    ACCUMULATOR,
    BATCH_NUMBER,
    CHAIN_ID,
    COUNT,
    HEIGHT,
    OWNER_HI,
    OWNER_LO,
    SLOT,
    Batch,
    accept_all,
    deposit,
    genesis,
    purse,
    run_kernel,
    transfer,
    withdraw,
)

FEE_TRANSFER = 600 * 10 + 40 * 50
FEE_WITHDRAW = 800 * 10 + 88 * 50
STATE = genesis({17: purse(10_000_000, nonce=4, next_leaf=9), 18: purse(500_000)})


def hashed(tag: int, h: tuple[int, ...], *words: Word) -> tuple[int, ...]:
    flat = [x for word in words for x in word]
    return compress(24, [tag, *h, *flat], 8)


def chain(tag: int, words: list[Word]) -> tuple[int, ...]:
    h: tuple[int, ...] = (0,) * 8
    for i in range(0, len(words), 3):
        h = hashed(tag, h, *words[i : i + 3])
    return h


def test_empty_batch_moves_the_clock_and_lowers_the_base_fee() -> None:
    out = run_kernel(STATE, Batch())
    assert out.cells[0][1] == pack(CHAIN_ID, BATCH_NUMBER + 1)
    assert out.cells[0][3] == pack(SLOT + 1, 20)
    assert out.cells[1] == (word_from_int(5), *ACCUMULATOR, pack(COUNT, HEIGHT + 1), ZERO)
    assert out.halves(18) == (10, 8)
    assert out.cells[0][4] == pack(8, 3)
    d = hashed(tags.TAG_DATA, (0,) * 8, pack(SLOT + 1, 16), word_from_int(50), ZERO)
    assert out.execution.public[9] + out.execution.public[10] == d
    assert out.halves(0) == (CHAIN_ID, BATCH_NUMBER)
    assert out.halves(1) == (SLOT, SLOT + 1)
    assert out.halves(2) == (16, 0)
    assert out.halves(3) == (HEIGHT + 1, COUNT)


def test_transfer_moves_the_amount_and_fees() -> None:
    words = transfer(17, 18, 1_234_567, leaf=12, tip=3)
    out = run_kernel(STATE, Batch(transactions=[words]))
    fee = FEE_TRANSFER + 600 * 3
    assert out.balance(17) == 10_000_000 - fee - 1_234_567
    assert out.balance(18) == 500_000 + 1_234_567
    assert (out.balance(2), out.balance(3), out.balance(16)) == (6000, 2000, 1_000_000 + 1800)
    assert (out.public(15), out.public(16), out.public(17)) == (6000, 1800, 2000)
    assert out.cells[17][4] == pack(5, 13)
    assert (out.halves(19), out.public(20)) == ((0, 1), 0)
    t = chain(tags.TAG_TX, [*words, pack(CHAIN_ID, 4)])
    assert out.execution.signatures == [(t, OWNER_LO + OWNER_HI, 12)]
    d = hashed(tags.TAG_DATA, (0,) * 8, pack(SLOT + 1, 16), word_from_int(50), pack(0, 1))
    d = hashed(tags.TAG_DATA, t, d[:4], d[4:], ZERO)
    assert out.execution.public[9] + out.execution.public[10] == d


def test_self_transfer_costs_the_fee_only() -> None:
    out = run_kernel(STATE, Batch(transactions=[transfer(17, 17, 9_000_000, leaf=9)]))
    assert out.balance(17) == 10_000_000 - FEE_TRANSFER
    assert out.public(20) == 0


def test_producer_can_be_signer_and_recipient() -> None:
    batch = Batch(
        transactions=[transfer(16, 17, 100, tip=5), transfer(17, 16, 50, leaf=9, tip=7)],
    )
    out = run_kernel(STATE, batch)
    assert out.balance(16) == 1_000_000 - 100 + 50 - FEE_TRANSFER + 600 * 7
    assert out.public(16) == 600 * 12


@pytest.mark.parametrize("producer", [2, 3])
def test_fee_purse_can_be_producer(producer: int) -> None:
    batch = Batch(producer=producer, transactions=[transfer(17, 18, 1, leaf=9, tip=1)])
    out = run_kernel(STATE, batch)
    assert out.balance(producer) == {2: 6000, 3: 2000}[producer] + 600


@pytest.mark.parametrize(
    "words",
    [
        transfer(17, 18, 10_000_000, leaf=9),
        transfer(17, 18, 2**64 - 1, leaf=9),
        transfer(17, 19, 1, leaf=9),
        transfer(17, 0, 1, leaf=9),
        transfer(17, 1, 1, leaf=9),
        transfer(17, 7, 1, leaf=9),
        transfer(17, 2**30, 1, leaf=9),
        transfer(17, 2**32 - 1, 1, leaf=9),
        transfer(17, 2_130_706_433 + 18, 1, leaf=9),
        transfer(17, 18, 1, leaf=9, op=9),
        transfer(17, 18, 1, leaf=9, op=2**32 - 1),
        transfer(17, 18, 1, leaf=9, program=1),
        transfer(17, 18, 1, leaf=9, program=2**29, op=9),
    ],
)
def test_failing_transfer_pays_the_fee_and_nothing_else(words: list[Word]) -> None:
    out = run_kernel(STATE, Batch(transactions=[words]))
    assert out.balance(17) == 10_000_000 - FEE_TRANSFER
    assert out.cells[17][4] == pack(5, 10)
    assert out.cells[18] == STATE[18]
    assert out.public(20) == 1
    assert out.execution.signatures[0][0] == chain(tags.TAG_TX, [*words, pack(CHAIN_ID, 4)])


def test_fee_of_an_unknown_program_counts_the_tip_exactly() -> None:
    out = run_kernel(STATE, Batch(transactions=[transfer(17, 18, 1, leaf=9, program=2**32 - 1, tip=2)]))
    assert out.balance(17) == 10_000_000 - FEE_TRANSFER - 1200


def test_transfer_of_nothing_and_of_everything() -> None:
    everything = 10_000_000 - 2 * FEE_TRANSFER
    txs = [transfer(17, 18, 0, leaf=9), transfer(17, 18, everything, leaf=10)]
    out = run_kernel(STATE, Batch(transactions=txs))
    assert (out.balance(17), out.balance(18)) == (0, 500_000 + everything)
    assert out.public(20) == 0


def test_withdrawal_leaves_an_exit() -> None:
    words = withdraw(17, 5_000_000, leaf=9, tip=1)
    out = run_kernel(STATE, Batch(transactions=[words]))
    assert out.balance(17) == 5_000_000 - FEE_WITHDRAW - 800
    assert out.public(14) == 5_000_000
    assert out.halves(19) == (1, 1)
    assert out.cells[0][4] == pack(8, 4)
    script = words[5:]
    head = [pack(0, 22), word_from_int(5000), word_from_int(17)]
    assert out.execution.exit_leaves == {0: chain(tags.TAG_EXIT, [*head, *script[:5], ZERO])}
    message = chain(tags.TAG_TX, [*words[:5], pack(CHAIN_ID, 4), *script])
    assert out.execution.signatures[0][0] == message


@pytest.mark.parametrize(
    "words",
    [
        withdraw(17, 0, leaf=9),
        withdraw(17, 1_000_001, leaf=9),
        withdraw(17, 999, leaf=9),
        withdraw(17, 10_000_000, leaf=9),
        withdraw(17, 2**64 - 616, leaf=9),
        withdraw(17, 1000, leaf=9, length=0),
        withdraw(17, 1000, leaf=9, length=41),
        withdraw(17, 1000, leaf=9, length=2**32 + 22),
        withdraw(17, 1000, leaf=9, to=1),
        withdraw(17, 1000, leaf=9, to=2**32 - 1),
        withdraw(17, 1000, leaf=9, program=1),
    ],
)
def test_failing_withdrawal_pays_the_fee_and_nothing_else(words: list[Word]) -> None:
    out = run_kernel(STATE, Batch(transactions=[words]))
    assert out.balance(17) == 10_000_000 - FEE_WITHDRAW
    assert (out.public(14), out.public(20), out.halves(19)) == (0, 1, (0, 1))
    assert out.execution.exit_leaves == {}


def test_exits_are_numbered_and_the_1025th_fails() -> None:
    state = genesis({17: purse(10**9)}, base_fee=1)
    txs = [withdraw(17, 1000, leaf=i) for i in range(1025)]
    out = run_kernel(state, Batch(transactions=txs, l1_rate=0))
    assert sorted(out.execution.exit_leaves) == list(range(1024))
    assert out.halves(19) == (1024, 1025)
    assert (out.public(14), out.public(20)) == (1_024_000, 1)


def test_deposits_to_new_existing_and_just_created_purses() -> None:
    events = [
        deposit(5),
        deposit(7, cell=17),
        deposit(11, cell=20),
        deposit(1, cell=2**30),
        deposit(2, cell=1),
    ]
    out = run_kernel(STATE, Batch(events=events, due=COUNT + 5))
    assert out.cells[20] == purse(5_000 + 11_000)
    assert out.balance(17) == 10_007_000
    assert (out.cells[21], out.cells[22]) == (purse(1000), purse(2000))
    assert out.cells[0][3] == pack(SLOT + 1, 23)
    assert out.public(13) == 26_000
    assert out.halves(8) == (COUNT, COUNT + 5)
    accumulator = ACCUMULATOR[0] + ACCUMULATOR[1]
    for event in events:
        e = chain(tags.TAG_EVENT, event)
        accumulator = hashed(tags.TAG_INBOX, e, accumulator[:4], accumulator[4:], ZERO)
    assert out.execution.public[6] + out.execution.public[7] == accumulator
    assert out.cells[1][1] + out.cells[1][2] == accumulator


@pytest.mark.parametrize(
    "event",
    [deposit(0), deposit(MAX_SATS + 1), deposit(2**64 - 1), deposit(5, kind=4), deposit(MAX_SATS, cell=17)],
)
def test_event_without_effect_still_enters_the_inbox(event: list[Word]) -> None:
    out = run_kernel(STATE, Batch(events=[event]))
    assert (out.public(13), out.cells[17], out.halves(8)) == (0, STATE[17], (COUNT, COUNT + 1))
    assert out.cells[0][3] == pack(SLOT + 1, 20)


def test_supply_reaches_its_limit_and_no_further() -> None:
    state = genesis({16: purse(0)})
    events = [deposit(MAX_SATS - 1, cell=16), deposit(2, cell=16), deposit(1, cell=16), deposit(1)]
    out = run_kernel(state, Batch(events=events))
    assert out.balance(16) == out.public(12) == MAX_SATS * 1000


def test_the_last_cell_is_handed_out_and_then_deposits_to_new_purses_do_nothing() -> None:
    state = genesis({}, next_free=2**30 - 1)
    out = run_kernel(state, Batch(events=[deposit(5), deposit(6), deposit(7, cell=2**30 - 1)]))
    assert out.balance(2**30 - 1) == 12_000
    assert out.cells[0][3] == pack(SLOT + 1, 2**30)


def test_a_deposit_can_be_spent_in_its_batch() -> None:
    batch = Batch(events=[deposit(100)], transactions=[transfer(20, 17, 30_000)])
    out = run_kernel(STATE, batch)
    assert out.balance(20) == 100_000 - 30_000 - FEE_TRANSFER


@pytest.mark.parametrize(
    ("base", "count", "expected"),
    [(80, 0, 70), (80, 1000, 80), (80, 1001, 81), (80, 2000, 90), (80, 2001, 90), (1, 0, 1), (1, 1001, 2)],
)
def test_base_fee_follows_load(base: int, count: int, expected: int) -> None:
    assert GAS_TARGET == 600 * 1000
    state = genesis({17: purse(10**12)}, base_fee=base)
    batch = Batch(transactions=[transfer(17, 18, 0, leaf=i) for i in range(count)])
    fast = run(kernel(), state, tape_array(batch.tape))
    assert int_from_word(fast.public[18].tolist()) == base | expected << 32


def test_base_fee_stays_below_2_to_32() -> None:
    state = genesis({17: purse(10**18)}, base_fee=2**32 - 1)
    txs = [transfer(17, 18, 0, leaf=i, tip=2**32 - 1, max_fee=2**64 - 1) for i in range(1001)]
    fast = run(kernel(), state, tape_array(Batch(transactions=txs, l1_rate=2**32 - 1).tape))
    assert int_from_word(fast.public[18].tolist()) == (2**32 - 1) * (1 + 2**32)
    assert int_from_word(fast.public[16].tolist()) == 1001 * 600 * (2**32 - 1)


def refused(state: dict[int, Cell], batch: Batch, check: CheckSignature = accept_all) -> MachineError:
    with pytest.raises(MachineError) as caught:
        run_kernel(state, batch, check)
    return caught.value


@pytest.mark.parametrize(
    ("batch", "place"),
    [
        (Batch(slot=SLOT), "refuse_slot"),
        (Batch(slot=0), "refuse_slot"),
        (Batch(producer=19), "refuse_producer"),
        (Batch(producer=0), "refuse_producer"),
        (Batch(producer=2**30), "refuse_producer"),
        (Batch(producer=P + 16), "refuse_producer"),
        (Batch(l1_rate=2**32), "refuse_l1_rate"),
        (Batch(height=HEIGHT - 1), "refuse_height"),
        (Batch(due=COUNT + 1), "refuse_inbox"),
        (Batch(events=[deposit(1)], due=COUNT + 2), "refuse_inbox"),
    ],
)
def test_bad_header_has_no_trace(batch: Batch, place: str) -> None:
    assert refused(STATE, batch).place == place


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (transfer(19, 17, 1), "refuse_signer"),
        (transfer(1, 17, 1), "refuse_signer"),
        (transfer(2**30 + 17, 17, 1), "refuse_signer"),
        (transfer(P + 17, 18, 1, leaf=9), "refuse_signer"),
        (transfer(17, 18, 1, leaf=8), "refuse_leaf"),
        (transfer(17, 18, 1, leaf=2**30), "refuse_leaf"),
        (transfer(17, 18, 1, leaf=P + 9), "refuse_leaf"),
        (transfer(17, 18, 1, leaf=9, max_fee=FEE_TRANSFER - 1), "refuse_fee"),
        (transfer(17, 18, 1, leaf=9, tip=2**32 - 1, max_fee=2**40), "refuse_fee"),
    ],
)
def test_transaction_that_cannot_be_included_has_no_trace(words: list[Word], place: str) -> None:
    error = refused(STATE, Batch(transactions=[words]))
    assert (error.reason, error.place) == (MachineReason.ASSERTION, place)


def test_fee_is_bounded_by_the_signed_maximum_and_the_balance_exactly() -> None:
    state = genesis({17: purse(FEE_TRANSFER), 18: purse(FEE_TRANSFER - 1)})
    exact = run_kernel(state, Batch(transactions=[transfer(17, 18, 0, max_fee=FEE_TRANSFER)]))
    assert exact.balance(17) == 0
    error = refused(state, Batch(transactions=[transfer(18, 17, 0)]))
    assert error.reason is MachineReason.BORROW
    assert error.place.startswith("transfer+")


def test_purse_of_another_asset_neither_signs_nor_receives_nor_is_credited() -> None:
    other = (word_from_int(1 | 5 << 32), *purse(10**6)[1:])
    state = {**STATE, 19: other}
    assert refused(state, Batch(transactions=[transfer(19, 17, 1)])).place == "refuse_signer"
    assert refused(state, Batch(producer=19)).place == "refuse_producer"
    batch = Batch(events=[deposit(3, cell=19)], transactions=[transfer(17, 19, 1, leaf=9)])
    out = run_kernel(state, batch)
    assert (out.cells[19], out.cells[20], out.public(20)) == (other, purse(3000), 1)


def test_same_leaf_and_same_nonce_are_not_accepted_twice() -> None:
    txs = [transfer(17, 18, 1, leaf=9), transfer(17, 18, 1, leaf=9)]
    assert refused(STATE, Batch(transactions=txs)).place == "refuse_leaf"


def test_signature_oracle_is_asked_and_its_refusal_has_no_trace() -> None:
    with pytest.raises(MachineError) as caught:
        batch = Batch(transactions=[transfer(17, 18, 1, leaf=9)])
        interpret(kernel(), STATE, batch.tape, lambda message, owner, leaf: False)
    assert caught.value.reason is MachineReason.SIGNATURE


def test_wrong_counts_run_off_the_tape() -> None:
    for counts in ((1, 0), (0, 1), (2**32 - 1, 0), (0, 2**32 - 1)):
        assert refused(STATE, Batch(counts=counts)).reason is MachineReason.TAPE


def test_new_cell_that_is_not_empty_has_no_trace() -> None:
    assert refused({**STATE, 20: purse(0)}, Batch(events=[deposit(1)])).place.startswith("create")


def steps(events: list[list[Word]], transactions: list[list[Word]]) -> int:
    return run_kernel(STATE, Batch(events=events, transactions=transactions)).run.num_steps


def test_steps_per_operation() -> None:
    """Golden: the cpu table's rows are these, so a step more is a capacity less."""
    a_transfer, a_withdrawal = transfer(17, 18, 1000, leaf=9), withdraw(17, 1000, leaf=9)
    bad_transfer, bad_withdrawal = transfer(17, 19, 1, leaf=9), withdraw(17, 1, leaf=9)
    later = transfer(16, 18, 1)
    fixed = steps([], [later])
    measured = {
        "transfer": steps([], [a_transfer, later]) - fixed,
        "failing transfer": steps([], [bad_transfer, later]) - fixed,
        "withdrawal": steps([], [a_withdrawal, later]) - fixed,
        "failing withdrawal": steps([], [bad_withdrawal, later]) - fixed,
        "deposit": steps([deposit(1, cell=17), deposit(1, cell=17)], [later])
        - steps([deposit(1, cell=17)], [later]),
        "deposit to a new purse": steps([deposit(1), deposit(1, cell=17)], [later])
        - steps([deposit(1, cell=17)], [later]),
        "empty batch": steps([], []),
    }
    print(measured)
    assert measured == {
        "transfer": 47,
        "failing transfer": 45,
        "withdrawal": 71,
        "failing withdrawal": 62,
        "deposit": 35,
        "deposit to a new purse": 40,
        "empty batch": 187,
    }
    assert len(kernel()) <= 1024


def test_every_tape_word_is_bound_by_the_public_words() -> None:
    """No two tapes prove different things under the same public words: change one element at a time."""
    batch = Batch(
        events=[deposit(5), deposit(7, cell=17), deposit(0)],
        transactions=[
            transfer(17, 18, 1000, leaf=9, tip=1),
            withdraw(17, 5000, leaf=10),
            withdraw(17, 5001, leaf=11),
            transfer(18, 19, 1),
        ],
    )
    honest = run(kernel(), STATE, tape_array(batch.tape))
    without_trace = 0
    for position in range(len(batch.tape)):
        for element in range(4):
            tape = tape_array(batch.tape)
            tape[element, position] ^= 1
            try:
                changed = run(kernel(), STATE, tape)
            except MachineError:
                without_trace += 1
                continue
            assert changed.public.tolist() != honest.public.tolist(), (position, element)
    assert 0 < without_trace < 4 * len(batch.tape)


TRANSACTION = st.builds(
    lambda kind, signer, to, amount, tip, skip: (kind, signer, to, amount, tip, skip),
    st.sampled_from(["transfer", "withdraw", "unknown"]),
    st.sampled_from([16, 17, 18]),
    st.sampled_from([0, 1, 2, 16, 17, 18, 20, 21, 2**30, 2**32 - 1]),
    st.sampled_from([0, 1, 999, 1000, 5000, 100_000, 2**64 - 1]),
    st.sampled_from([0, 1, 100]),
    st.integers(0, 3),
)
EVENT = st.builds(
    deposit,
    st.sampled_from([0, 1, 1000, MAX_SATS, MAX_SATS + 1, 2**64 - 1]),
    st.sampled_from([0, 1, 2, 16, 20, 21, 2**30, 2**32 - 1]),
    st.sampled_from([1, 1, 1, 4]),
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(EVENT, max_size=5), st.lists(TRANSACTION, max_size=6))
def test_supply_identity_on_random_batches(
    events: list[list[Word]], choices: list[tuple[str, int, int, int, int, int]]
) -> None:
    state = genesis({index: purse(10**6) for index in (16, 17, 18)})
    leaves = dict.fromkeys((16, 17, 18), 0)
    txs = []
    for kind, signer, to, amount, tip, skip in choices:
        leaves[signer] += skip
        leaf = leaves[signer]
        leaves[signer] += 1
        if kind == "withdraw":
            txs.append(withdraw(signer, amount, leaf, tip=tip, to=0 if skip else to))
        else:
            txs.append(transfer(signer, to, amount, leaf, tip=tip, op=9 * (kind == "unknown")))
    try:
        out = run_kernel(state, Batch(events=events, transactions=txs))
    except MachineError as error:
        assert error.reason is MachineReason.BORROW  # spent: cannot pay the fee
    else:
        assert out.halves(19)[1] == len(txs)
