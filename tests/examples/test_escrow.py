"""The escrow: swap, or both back after the deadline, and nothing else."""

from __future__ import annotations

import pytest

from circuits.rollup.errors import FailureReason
from circuits.rollup.types import Call
from examples.programs import escrow
from tests.circuits.rollup.builders import ALICE, BOB, CAROL, START
from tests.examples.chain import Chain

ASSET = 900
ALICES, BOBS, CAROLS = 901, 902, 903
PRICE, AMOUNT, DEADLINE = 50_000, 30, 120


def world() -> tuple[Chain, int, int]:
    """Alice offers BTC for Bob's asset."""
    chain = Chain()
    for index, owner, balance in ((ALICES, ALICE, 0), (BOBS, BOB, 100), (CAROLS, CAROL, 0)):
        chain.give(index, owner, balance, ASSET)
    program = chain.deploy(CAROL, escrow.build())
    opened = chain.succeed(ALICE, escrow.open_deal(program, BOB, ASSET, PRICE, AMOUNT, DEADLINE))
    kind, deal, buyer = opened.events[0].values
    assert (kind, buyer) == (escrow.EVENTS["OPENED"], ALICE)
    assert chain.purse(escrow.asset_purse(deal)).asset == ASSET
    return chain, program, deal


def pay(chain: Chain, deal: int) -> None:
    chain.succeed(ALICE, Call.bank_move(ALICE, escrow.btc_purse(deal), PRICE))


def deliver(deal: int) -> Call:
    return Call.bank_move(BOBS, escrow.asset_purse(deal), AMOUNT)


def test_seller_delivers_and_settles_in_one_transaction() -> None:
    chain, program, deal = world()
    pay(chain, deal)
    before = chain.balance(BOB)
    receipt = chain.succeed(BOB, deliver(deal), escrow.settle(program, deal, ALICES))
    assert chain.balance(ALICES) == AMOUNT
    assert chain.balance(BOB) == before + PRICE - receipt.fee
    assert chain.balance(BOBS) == 100 - AMOUNT


def test_one_side_alone_does_not_settle() -> None:
    chain, program, deal = world()
    assert (
        chain.fail(BOB, deliver(deal), escrow.settle(program, deal, ALICES)).failure
        is FailureReason.SYSTEM_CALL
    )
    assert chain.balance(BOBS) == 100  # the delivery was undone with it
    pay(chain, deal)
    assert chain.fail(CAROL, escrow.settle(program, deal, ALICES)).failure is FailureReason.SYSTEM_CALL


def test_assets_go_to_the_parties_alone() -> None:
    chain, program, deal = world()
    pay(chain, deal)
    chain.succeed(BOB, deliver(deal))
    for purse in (CAROLS, BOBS):
        assert chain.fail(CAROL, escrow.settle(program, deal, purse)).failure is FailureReason.FAIL
    chain.height = DEADLINE
    assert chain.fail(CAROL, escrow.refund_seller(program, deal, CAROLS)).failure is FailureReason.FAIL


def test_refunds_come_with_the_deadline() -> None:
    chain, program, deal = world()
    pay(chain, deal)
    chain.succeed(BOB, deliver(deal))
    chain.height = DEADLINE - 1
    assert chain.fail(ALICE, escrow.refund_buyer(program, deal)).failure is FailureReason.FAIL
    assert chain.fail(BOB, escrow.refund_seller(program, deal, BOBS)).failure is FailureReason.FAIL
    chain.height = DEADLINE
    before = chain.balance(ALICE)
    chain.succeed(CAROL, escrow.refund_buyer(program, deal))
    assert chain.balance(ALICE) == before + PRICE
    chain.succeed(CAROL, escrow.refund_seller(program, deal, BOBS))
    assert chain.balance(BOBS) == 100
    assert chain.fail(BOB, escrow.settle(program, deal, ALICES)).failure is FailureReason.SYSTEM_CALL


def test_deal_of_another_escrow_is_no_deal() -> None:
    chain, _, deal = world()
    pay(chain, deal)
    other = chain.deploy(CAROL, escrow.build())
    chain.height = DEADLINE
    assert chain.fail(ALICE, escrow.refund_buyer(other, deal)).failure is FailureReason.SYSTEM_CALL


@pytest.mark.parametrize("terms", [(0, 1, 5), (1, 0, 5), (1, 1, 1 << 32)])
def test_deal_without_sense_is_refused(terms: tuple[int, int, int]) -> None:
    chain, program, _ = world()
    price, amount, deadline = terms
    call = escrow.open_deal(program, BOB, ASSET, price, amount, deadline)
    assert chain.fail(ALICE, call).failure is FailureReason.FAIL
    assert chain.balance(ALICE) < START
