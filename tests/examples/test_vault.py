"""The vault: two of three, never one twice, never a stranger."""

from __future__ import annotations

import pytest

from circuits.rollup.errors import FailureReason
from circuits.rollup.types import Call
from examples.programs import vault
from tests.circuits.rollup.builders import ALICE, BOB, CAROL, PRODUCER, START
from tests.examples.chain import Chain


def world() -> tuple[Chain, int, int]:
    chain = Chain()
    program = chain.deploy(PRODUCER, vault.build((ALICE, BOB, CAROL)))
    purse = chain.succeed(PRODUCER, vault.setup(program)).events[0].values[1]
    chain.succeed(ALICE, Call.bank_move(ALICE, purse, 10_000))
    assert chain.data(program + 1)[0] == purse
    return chain, program, purse


@pytest.mark.parametrize(("signer", "cosigner"), [(ALICE, BOB), (BOB, CAROL), (CAROL, ALICE)])
def test_two_of_three_spend(signer: int, cosigner: int) -> None:
    chain, program, purse = world()
    leaf = chain.purse(cosigner).next_leaf + 3
    chain.succeed(signer, vault.spend(program, PRODUCER, 9_000, cosigner, leaf), cosigners=(cosigner,))
    assert chain.balance(purse) == 1_000
    assert chain.purse(cosigner).next_leaf == leaf + 1
    again = vault.spend(program, PRODUCER, 500, cosigner, leaf)  # the leaf was passed: no replay
    assert chain.fail(signer, again, cosigners=(cosigner,)).failure is FailureReason.SYSTEM_CALL


def test_one_owner_alone_or_a_stranger_cannot_spend() -> None:
    chain, program, _ = world()
    for signer, cosigner in ((ALICE, ALICE), (PRODUCER, ALICE), (ALICE, PRODUCER)):
        call = vault.spend(program, PRODUCER, 1, cosigner, 200)
        assert chain.fail(signer, call, cosigners=(cosigner,)).failure is FailureReason.FAIL


def test_without_the_cosignature_there_is_no_transaction() -> None:
    chain, program, purse = world()
    call = vault.spend(program, PRODUCER, 1, BOB, 200)
    assert chain.calls(ALICE, call) is None
    assert chain.calls(ALICE, call, cosigners=(CAROL,)) is None
    assert chain.balance(purse) == 10_000


def test_more_than_there_is_fails_and_the_leaf_stays() -> None:
    chain, program, _ = world()
    leaf = chain.purse(BOB).next_leaf
    chain.fail(ALICE, vault.spend(program, PRODUCER, 10_001, BOB, leaf), cosigners=(BOB,))
    assert chain.purse(BOB).next_leaf == leaf


def test_setup_works_once() -> None:
    chain, program, _ = world()
    assert chain.fail(PRODUCER, vault.setup(program)).failure is FailureReason.FAIL


def test_owners_are_three() -> None:
    with pytest.raises(ValueError, match="three different"):
        vault.build((ALICE, BOB, BOB))
    assert START > 0
