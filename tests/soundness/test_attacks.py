"""Attacks on the rules of the rollup, carried out against the constraints.

Each forgery is a run of the kernel with one lie, all that follows from it made to fit
(tests.soundness.forger). The test states exactly what `check` then finds: the named constraints and relations
that forbid the lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import native
from circuits.machine import assembler
from circuits.machine.kernel import CONSTANTS
from circuits.machine.kernel_source import SOURCE
from circuits.rollup.execute import execute_batch
from circuits.rollup.signatures import claims
from circuits.rollup.types import SignedTransaction
from circuits.tables.add import AddColumns
from circuits.tables.muldiv import CARRIES, MulDivColumns
from circuits.tables.p24 import P24Columns
from circuits.trace import p16
from circuits.trace.signatures import SignatureBatch
from circuits.xmss.batch import Claim
from prover.field import P
from tests.constraints.kinds import LAYOUTS
from tests.soundness.cases import registry
from tests.soundness.forger import Forgery, Word, hash_is, keep, other_way, recount, result, word
from tests.soundness.scene import (
    ALICE,
    ALICE_HAS,
    BOB,
    BOB_HAS,
    CHAIN_ID,
    LEAF,
    NEXT_FREE,
    NONCE,
    TRANSFER_FEE,
    attack,
    batch,
    bitcoin_says,
    cells_of,
    deposit,
    ledger,
    sign,
    transfer,
    with_purse,
    withdraw,
)

CASES, forgery = registry()


def evil(old: str, new: str, nth: int = 0) -> assembler.Program:
    """The kernel with one line replaced."""
    parts = SOURCE.split(old)
    assert len(parts) > nth + 1, old
    return assembler.assemble(old.join(parts[: nth + 1]) + new + old.join(parts[nth + 1 :]), CONSTANTS)


# --- minting on transfer


@forgery(relations={"add"})
def recipient_gets_more_than_was_sent() -> Forgery:
    line = ("ADD to_balance, to_balance, t3", 0)
    return attack([sign(transfer(1_000))], lies={line: result(BOB_HAS + 1_001)})


@forgery(labels={"add.sum[0]"})
def recipient_gets_more_and_the_add_table_agrees() -> Forgery:
    made = attack(
        [sign(transfer(1_000))], lies={("ADD to_balance, to_balance, t3", 0): result(BOB_HAS + 1_001)}
    )
    row = AddColumns(list(made.tables["add"]))
    at = _sum_row(row, 1_000, BOB_HAS)
    for i, limb in enumerate(word(BOB_HAS + 1_001)):
        row.z[i][at] = limb
    recount(made.tables)
    return made


@forgery(relations={"add"})
def sender_keeps_what_was_sent() -> Forgery:
    return attack([sign(transfer(1_000))], lies={("SUB balance, balance, t3", 0): keep("a")})


@forgery(labels={"memory.read_returns_value[0]"})
def cell_is_drained_with_more_than_was_stored() -> Forgery:
    """The ledger after the batch gives Bob one msat that no instruction wrote."""
    return attack([sign(transfer(1_000))], after={(BOB, 3): word(BOB_HAS + 1_001)})


@forgery(relations={"rom"})
def kernel_without_the_debit() -> Forgery:
    program = evil("SUB     balance, balance, t3", "MOV     balance, balance")
    return attack([sign(transfer())], program=program)


@forgery(labels={"cpu.pc_step"})
def debit_is_jumped_over() -> Forgery:
    """Between SUB and STORE the old balance is kept: the instruction is left out of the trace."""
    return attack([sign(transfer())], skip=("SUB balance, balance, t3", 0))


# --- underflow and overflow


@forgery(relations={"add"})
def fee_is_more_than_the_balance() -> Forgery:
    """No branch guards it: the balance wraps below zero."""
    return attack([sign(transfer(0))], of=with_purse(ALICE, balance=TRANSFER_FEE - 1))


@forgery(relations={"less", "add"})
def amount_is_more_than_the_balance() -> Forgery:
    """The comparison lies and the difference wraps."""
    tx = transfer(ALICE_HAS)
    return attack([sign(tx)], lies={("JLT balance, t3, fail", 0): other_way})


@forgery(labels={"add.sum[3]"}, relations={"add"})
def amount_is_more_than_the_balance_and_the_comparison_row_agrees() -> Forgery:
    made = amount_is_more_than_the_balance()
    row = AddColumns(list(made.tables["add"]))
    (at,) = np.flatnonzero(
        (row.mult_less == 1) & _equals(row.x, ALICE_HAS) & _equals(row.z, ALICE_HAS - TRANSFER_FEE)
    )
    row.carry[at] = 0
    return made


@forgery(relations={"add"})
def balance_of_the_recipient_wraps() -> Forgery:
    return attack([sign(transfer(1_000))], of=with_purse(BOB, balance=2**64 - 1_000))


@forgery(relations={"add"})
def deposits_wrap_the_supply() -> Forgery:
    """The supply so far is 2^64 - 1: the sum wraps below the maximum."""
    return attack([], [deposit()], of=ledger(supply=2**64 - 1))


@forgery(labels={"muldiv.product[4]"}, relations={"less"})
def deposit_of_too_many_sats_wraps_when_multiplied() -> Forgery:
    """2^62 sats pass the bound by a lie about the comparison; times 1000 is more than a u64."""
    return attack([], [deposit(2**62)], lies={("JLT max_sats, e6, event_end", 0): other_way})


# --- fees


@forgery(relations={"add"})
def fee_is_not_debited() -> Forgery:
    return attack([sign(transfer())], lies={("SUB balance, balance, fee", 0): keep("a")})


@forgery(labels={"muldiv.product[2]"})
def fee_has_no_tip() -> Forgery:
    """600 * tip / 2^32 is said to be 0, and the muldiv table agrees."""
    zero = hash_is((0,) * 8)
    return attack([sign(transfer(tip=3))], lies={("MULDIV t1, gas_transfer, two32", 0): zero})


@forgery(relations={"less"})
def fee_above_the_signed_maximum() -> Forgery:
    tx = transfer(max_fee=TRANSFER_FEE - 1)
    return attack([sign(tx)], lies={("JLT t4, fee, refuse_fee", 0): other_way})


@forgery(relations={"rom"})
def fee_is_charged_to_nobody() -> Forgery:
    """The base fee leaves Alice's purse and arrives nowhere."""
    program = evil("ADD     balance, balance, base_fees", "MOV     balance, balance")
    return attack([sign(transfer())], program=program)


@forgery(relations={"add"})
def tips_are_kept_from_the_producer() -> Forgery:
    return attack([sign(transfer(tip=3))], lies={("ADD balance, balance, tips", 0): keep("a")})


@forgery(relations={"public"})
def fees_in_public_are_not_those_charged() -> Forgery:
    made = attack([sign(transfer())])
    made.claim_word(15, word(0))
    return made


# --- signatures


@cache
def _claim() -> Claim:
    (claim,) = claims(CHAIN_ID, [sign(transfer())])
    return claim


def _show(claim: Claim) -> Forgery:
    return attack([sign(transfer())], shown=[claim])


@forgery(relations={"sig"})
def signature_is_missing() -> Forgery:
    return attack([sign(transfer())], shown=[])


@forgery(labels={f"message_owner[{i}]" for i in range(8)})
def signature_value_is_forged() -> Forgery:
    """Another chain value: all hashes above it fit, up to an owner digest that is not Alice's."""
    signature = _claim().signature
    values = ((1,) * 8, *signature.values[1:])
    return _show(replace(_claim(), signature=replace(signature, values=values)))


@forgery(relations={"sig"})
def signature_is_by_another_key() -> Forgery:
    (claim,) = claims(CHAIN_ID, [sign(transfer(), key=1)])
    return _show(claim)


@forgery(relations={"sig"})
def signature_is_of_another_message() -> Forgery:
    (claim,) = claims(CHAIN_ID, [sign(transfer(2))])
    return _show(claim)


@forgery(labels={f"message_owner[{i}]" for i in range(8)} | {"target_sum"})
def signature_of_another_message_with_its_own_digits() -> Forgery:
    """Alice's signature of another transfer, for this one: chains start elsewhere, digits do not add up."""
    (other,) = claims(CHAIN_ID, [sign(transfer(2))])
    return _show(replace(_claim(), signature=other.signature))


@forgery(relations={"encoding"})
def digits_are_not_those_of_the_message() -> Forgery:
    """The other signature's digits and chains: all fits but the encoding of the message hash."""
    (other,) = claims(CHAIN_ID, [sign(transfer(2))])
    made = _show(replace(_claim(), message=other.message, signature=other.signature))
    at = P24Columns(list(made.tables["p24"]))
    (owner_row,) = np.flatnonzero(at.is_owner)
    _say_message(made, int(owner_row) + 1, _claim().message)
    return made


@forgery(labels={"cpu.result[LO][0]"}, relations={"less", "sig"})
def one_signature_serves_two_requests() -> Forgery:
    """The same transaction twice, nonce and leaf rules lied away: one tuple asked for twice, shown once."""
    tx = sign(transfer())
    return attack(
        [tx, tx],
        shown=claims(CHAIN_ID, [tx]),
        lies={
            ("LO nonce, sequence", 1): result(NONCE),
            ("JLT new_sequence, sequence, refuse_leaf", 1): other_way,
        },
    )


@forgery(labels={"cpu.result[LO][0]"}, relations={"less"})
def replay_under_the_old_nonce() -> Forgery:
    """The signature is shown twice; what was signed has the old nonce, and the leaf is used up."""
    tx = sign(transfer())
    return attack(
        [tx, tx],
        lies={
            ("LO nonce, sequence", 1): result(NONCE),
            ("JLT new_sequence, sequence, refuse_leaf", 1): other_way,
        },
    )


@forgery(relations={"sig", "less"})
def replay_with_the_nonce_as_it_is() -> Forgery:
    tx = sign(transfer())
    return attack([tx, tx], lies={("JLT new_sequence, sequence, refuse_leaf", 1): other_way})


@forgery(relations={"less"})
def leaf_is_used_again() -> Forgery:
    """A second message, honestly signed with a leaf that is used up."""
    first, second = sign(transfer()), sign(transfer(2, nonce=NONCE + 1))
    return attack([first, second], lies={("JLT new_sequence, sequence, refuse_leaf", 1): other_way})


@forgery(relations={"less"})
def leaf_of_an_earlier_batch_is_used_again() -> Forgery:
    tx = sign(transfer(leaf=LEAF - 1))
    return attack([tx], lies={("JLT new_sequence, sequence, refuse_leaf", 0): other_way})


@forgery(relations={"sig"})
def signature_for_another_chain() -> Forgery:
    tx = sign(transfer(), CHAIN_ID + 1)
    return attack([tx], shown=claims(CHAIN_ID + 1, [tx]))


@forgery(labels={"cpu.result[LO][0]"})
def chain_id_is_another_than_the_cells() -> Forgery:
    tx = sign(transfer(), CHAIN_ID + 1)
    lies = {("LO chain, chain_batch", 0): result(CHAIN_ID + 1)}
    return attack([tx], shown=claims(CHAIN_ID + 1, [tx]), lies=lies)


# --- inbox


@forgery(relations={"public"})
def deposit_is_consumed_twice() -> Forgery:
    return bitcoin_says(attack([], [deposit(), deposit()]), attack([], [deposit()]))


@forgery(relations={"hash", "public"})
def deposit_is_credited_twice_and_absorbed_once() -> Forgery:
    """The second absorption is said to leave the accumulator as it was; the count gives it away besides."""
    truth = attack([], [deposit()])
    acc = truth.public_values[24 + 24 : 24 + 32]
    made = attack(
        [], [deposit(), deposit()], lies={("HASH TAG_INBOX, acc_lo, acc_hi, zero", 1): hash_is(acc)}
    )
    return bitcoin_says(made, truth)


@forgery(relations={"public"})
def deposits_are_consumed_out_of_order() -> Forgery:
    first, second = deposit(vout=0), deposit(vout=1)
    return bitcoin_says(attack([], [second, first]), attack([], [first, second]))


@forgery(relations={"public"})
def deposit_is_invented() -> Forgery:
    return bitcoin_says(attack([], [deposit()]), attack())


@forgery(relations={"hash"})
def deposit_is_credited_with_more_than_was_absorbed() -> Forgery:
    """The event that is hashed is another: its digest is claimed for the larger one."""
    truth, small, large = attack([], [deposit(50_000)]), deposit(50_000), deposit(51_000)
    lies = {("HASH TAG_EVENT, e6, o0, o1", 0): hash_is(small.digest())}
    return bitcoin_says(attack([], [large], lies=lies), truth)


@forgery(relations={"less"})
def due_events_are_left_out() -> Forgery:
    lies = {("JLT count, due, refuse_inbox", 0): other_way}
    return attack(lies=lies, due=1)


# --- withdrawals and exits


@forgery(relations={"add"})
def withdrawal_without_debit() -> Forgery:
    return attack([sign(withdraw())], lies={("SUB balance, balance, t3", 0): keep("a")})


@forgery(relations={"tree"})
def exit_that_no_instruction_made() -> Forgery:
    return attack([sign(transfer())], extra_exits={0: (9,) * 8})


@forgery(relations={"hash"})
def exit_of_more_than_was_debited() -> Forgery:
    tx = withdraw()
    larger = replace(tx, amount=2 * tx.amount).exit_digest(0)
    return attack([sign(tx)], lies={("HASH TAG_EXIT, s3, s4, zero", 0): hash_is(larger)})


@forgery(labels={"muldiv.product[0]"})
def withdrawal_pays_out_more_sats() -> Forgery:
    """One sat more: (amount * 1) / 1000 is one too large, the muldiv table agrees, carries as they were."""
    tx = withdraw()
    quotient = hash_is(word(tx.amount // 1000 + 1) + word(0))
    made = attack([sign(tx)], lies={("MULDIV t3, one, thousand", 0): quotient})
    honest = attack([sign(tx)])
    carry = slice(MulDivColumns.carry.start, MulDivColumns.carry.start + CARRIES)
    made.tables["muldiv"][carry] = honest.tables["muldiv"][carry]
    recount(made.tables)
    return made


# --- cells


@forgery(relations={"tree"})
def cell_is_opened_twice() -> Forgery:
    """Bob's cell has a second run in memory and a second leaf, unchanged."""
    made = attack([sign(transfer())], stale={OPENED_TWICE: cells_of(ledger())[BOB]})
    return _as_second_opening(made)


@forgery(relations={"tree"})
def cell_is_opened_twice_with_a_second_path_from_the_root() -> Forgery:
    """Then it is the root that is opened twice."""
    made = cell_is_opened_twice()
    again = ledger().tree.update({BOB: ledger().tree.node(30, BOB)})
    trees = ((0, made.state_update), (64, made.exit_update), (0, again))
    signatures = SignatureBatch.from_claims([_claim()])
    made.tables["p16"] = p16.generate(signatures, trees, made.tables["p16"].shape[1])
    return made


@forgery(labels={"cpu.equal[0]"})
def purse_is_created_over_a_live_one() -> Forgery:
    return attack([], [deposit()], of=ledger(next_free=BOB))


@forgery(labels={"memory.read_returns_value[0]"})
def purse_is_created_over_a_live_one_that_reads_as_empty() -> Forgery:
    lies = {("LOAD head, next_cell, HEADER", 0): result(0)}
    return attack([], [deposit()], of=ledger(next_free=BOB), lies=lies)


@forgery(relations={"tree"})
def purse_is_created_over_a_live_one_that_is_opened_as_empty() -> Forgery:
    cells = {i: c for i, c in cells_of(ledger(next_free=BOB)).items() if i != BOB}
    return attack([], [deposit()], of=ledger(next_free=BOB), cells=cells)


# --- roots, data, system cells


@forgery(relations={"tree"})
def wrong_root_before() -> Forgery:
    return _off_by_one(attack([sign(transfer())]), 0)


@forgery(relations={"tree"})
def wrong_root_after() -> Forgery:
    return _off_by_one(attack([sign(transfer())]), 15)


@forgery(relations={"tree"})
def wrong_exit_root() -> Forgery:
    return _off_by_one(attack([sign(withdraw())]), 16)


@forgery(relations={"public"})
def wrong_data_commitment() -> Forgery:
    return _off_by_one(attack([sign(transfer())]), 24 + 4 * 9)


@forgery(relations={"hash"})
def data_commitment_to_another_transaction() -> Forgery:
    other = attack([sign(transfer(2))])
    said = other.public_values[24 + 36 : 24 + 44]
    lies = {("HASH TAG_DATA, d_lo, d_hi, zero", 0): hash_is(said)}
    return attack([sign(transfer())], lies=lies)


@forgery(relations={"tree"})
def batch_starts_from_an_invented_supply() -> Forgery:
    return _invented(2, word(10**15))


@forgery(relations={"tree"})
def batch_starts_from_an_invented_base_fee() -> Forgery:
    return _invented(4, word(1))


@forgery(relations={"tree"})
def batch_starts_from_an_invented_chain_id() -> Forgery:
    tx = sign(transfer(), CHAIN_ID + 1)
    return _invented(1, word(CHAIN_ID + 1), [tx], claims(CHAIN_ID + 1, [tx]))


@forgery(relations={"public"})
def public_supply_is_not_the_cells() -> Forgery:
    return _off_by_one(attack([sign(transfer())]), 24 + 4 * 12)


@forgery(relations={"add"})
def supply_after_is_not_supply_before_plus_deposits() -> Forgery:
    lies = {("SUB x, supply, withdrawn", 0): result(10**15)}
    return attack([sign(transfer())], lies=lies)


@forgery(relations={"less"})
def slot_does_not_rise() -> Forgery:
    return attack(of=ledger(slot=1), lies={("JGE slot_before, slot, refuse_slot", 0): other_way})


@forgery(labels={"cpu.equal[0]"})
def tips_go_to_a_cell_that_is_no_purse() -> Forgery:
    return attack(producer=NEXT_FREE, lies={("JNE head, purse, refuse_producer", 0): other_way})


@forgery(labels={"cpu.equal[0]"})
def failing_transfer_is_said_to_succeed() -> Forgery:
    """To a cell that is no purse: the branch to `fail` is not taken."""
    return attack([sign(transfer(to=NEXT_FREE))], lies={("JNE head, purse, fail", 0): other_way})


@forgery(labels={"cpu.jne_unequal"})
def good_transfer_is_said_to_fail() -> Forgery:
    return attack([sign(transfer())], lies={("JNE head, purse, fail", 0): other_way})


# --- helpers


OPENED_TWICE = 2**30 - 1
"""Stands for the second opening until it is renamed."""


def _equals(limbs: tuple[np.ndarray, ...], value: int) -> np.ndarray:
    return np.all([limb == part for limb, part in zip(limbs, word(value), strict=True)], axis=0)


def _sum_row(row: AddColumns, x: int, y: int) -> int:
    (at,) = np.flatnonzero((row.mult_add == 1) & _equals(row.x, x) & _equals(row.y, y))
    return int(at)


def _off_by_one(made: Forgery, place: int) -> Forgery:
    made.public_values[place] = (made.public_values[place] + 1) % P
    return made


def _invented(
    place: int, value: Word, transactions: Sequence[SignedTransaction] = (), shown: Sequence[Claim] = ()
) -> Forgery:
    """A run from a system cell that is not the ledger's."""
    cells = cells_of(ledger())
    system_cell = list(cells[0])
    system_cell[place] = value
    return attack(transactions, shown=shown, cells={**cells, 0: tuple(system_cell)})


def _as_second_opening(made: Forgery) -> Forgery:
    """Gives the opening under the index OPENED_TWICE Bob's index."""
    for name, field in (("memory", "hi"), ("cells", "index"), ("p24", "sig_id")):
        column = made.tables[name][getattr(LAYOUTS[name], field).start]
        column[column == OPENED_TWICE] = BOB
    return made


def _say_message(made: Forgery, row: int, message: Sequence[int]) -> None:
    """The message row of p24 hashes another message."""
    table, at = made.tables["p24"], P24Columns
    inputs = np.ascontiguousarray(table[at.inputs.start : at.inputs.start + 24, row : row + 1])
    inputs[16:, 0] = message
    native.poseidon2_trace(inputs, filled := np.zeros((at.is_hash.start, 1), np.uint32))
    table[: at.is_hash.start, row] = filled[:, 0]


@pytest.mark.parametrize("name", CASES)
def test_forgery_is_refused_by_name(name):
    build, labels, relations = CASES[name]
    assert build().broken() == (labels, relations)


def test_without_a_lie_the_forger_is_an_honest_prover():
    transactions = [sign(transfer(tip=3)), sign(withdraw(nonce=NONCE + 1, leaf=LEAF + 1))]
    made = attack(transactions, [deposit()])
    done = execute_batch(ledger(), batch(transactions, [deposit()])).transition
    assert tuple(made.public_values) == done.public_values.elements()
    assert made.broken() == (set(), set())
