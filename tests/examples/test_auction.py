"""The Dutch auction: the price falls as said, the lot is sold once, money that is too much comes back."""

from __future__ import annotations

import pytest

from circuits.rollup.errors import FailureReason
from circuits.rollup.types import Call
from examples.programs import auction
from tests.circuits.rollup.builders import ALICE, BOB, CAROL
from tests.examples.chain import Chain

ASSET = 900
ALICES, BOBS, CAROLS = 901, 902, 903
FLOOR, TOP, DURATION, LOT = 1_000, 11_000, 10, 70


def world() -> tuple[Chain, int, int, int]:
    """Alice sells; the sale's first slot comes last."""
    chain = Chain()
    for index, owner, balance in ((ALICES, ALICE, LOT), (BOBS, BOB, 0), (CAROLS, CAROL, 0)):
        chain.give(index, owner, balance, ASSET)
    program = chain.deploy(ALICE, auction.build())
    first = chain.slot
    receipt = chain.succeed(ALICE, auction.open_sale(program, ASSET, DURATION, TOP, FLOOR))
    sale = receipt.events[0].values[1]
    chain.succeed(ALICE, Call.bank_move(ALICES, auction.lot_purse(sale), LOT))
    return chain, program, sale, first


def bid(program: int, sale: int, amount: int, bidder: int = BOB, purse: int = BOBS) -> tuple[Call, Call]:
    return Call.bank_move(bidder, auction.btc_purse(sale), amount), auction.buy(program, sale, purse)


@pytest.mark.parametrize(("elapsed", "price"), [(3, 8_000), (9, 2_000), (10, FLOOR), (50, FLOOR)])
def test_price_falls_to_the_floor(elapsed: int, price: int) -> None:
    chain, program, sale, first = world()
    chain.slot = first + elapsed - 1
    if price > FLOOR:
        chain.fail(BOB, *bid(program, sale, price - 1))  # a slot early, and too little
    chain.slot = first + elapsed
    alice, bob = chain.balance(ALICE), chain.balance(BOB)
    receipt = chain.succeed(BOB, *bid(program, sale, price + 5_000))
    assert receipt.events[0].values == (auction.SOLD, sale, price)
    assert chain.balance(ALICE) == alice + price
    assert bob - chain.balance(BOB) == price + receipt.fee  # the rest came back
    assert chain.balance(BOBS) == LOT


def test_a_msat_too_little_buys_nothing() -> None:
    chain, program, sale, first = world()
    chain.slot = first + DURATION
    assert chain.fail(BOB, *bid(program, sale, FLOOR - 1)).failure is FailureReason.SYSTEM_CALL


def test_lot_is_sold_once() -> None:
    chain, program, sale, _ = world()
    chain.succeed(BOB, *bid(program, sale, TOP))
    before = chain.balance(CAROL)
    receipt = chain.fail(CAROL, *bid(program, sale, TOP, CAROL, CAROLS))
    assert receipt.failure is FailureReason.FAIL
    assert chain.balance(CAROL) == before - receipt.fee  # the bid came back with it


def test_lot_goes_to_the_bidder_alone() -> None:
    chain, program, sale, _ = world()
    assert chain.fail(BOB, *bid(program, sale, TOP, BOB, CAROLS)).failure is FailureReason.FAIL


def test_seller_alone_cancels() -> None:
    chain, program, sale, _ = world()
    assert chain.fail(BOB, auction.cancel(program, sale, BOBS)).failure is FailureReason.FAIL
    chain.succeed(ALICE, auction.cancel(program, sale, ALICES))
    assert chain.balance(ALICES) == LOT
    chain.fail(BOB, *bid(program, sale, TOP))


@pytest.mark.parametrize("terms", [(0, 5, 1), (1, 5, 6)])
def test_sale_without_sense_is_refused(terms: tuple[int, int, int]) -> None:
    chain, program, _, _ = world()
    call = auction.open_sale(program, ASSET, *terms)
    assert chain.fail(ALICE, call).failure is FailureReason.FAIL
