"""What an independent reader tried on lending: one feed as price, payments counted twice, bad debts, sums filled up.

Each block is run in specification and kernel.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from circuits.programs import lending, oracle
from circuits.rollup.errors import FailureReason
from circuits.rollup.ledger import Ledger
from circuits.rollup.types import Call
from tests.circuits.programs.test_lending import RULES, TOKEN, Bank, rewritten

DEBT = 14 * 10**7
PLEDGED = 2 * 10**8


class Lent(Bank):
    """Ann has deposited 10^9, Bob borrows DEBT against PLEDGED, which bears 15 * 10^7 at the price of 10^6."""

    def __init__(self, feeds: int = 3, post_age: int = RULES.max_age - 5, debt: int = DEBT) -> None:
        super().__init__(feeds=feeds, post_age=post_age)
        self.saved = self.deposit(self.ann, 10**9)
        _, self.loan, _ = self.done(self.bob, *self.put(self.bob, PLEDGED))
        self.done(self.bob, lending.borrow(self.program, self.loan, debt))

    def liquidate(self, who: int, amount: int, to: int | None = None) -> tuple[Call, ...]:
        purse = self.tokens[who] if to is None else to
        return self.pay(who, lending.liquidate(self.program, self.loan, amount, purse), amount)

    def give(self, cell: int, amount: int) -> None:
        """More in a purse, by hand."""
        cells = dict(self.world.ledger.cells)
        purse = self.world.purse(cell)
        cells[cell] = replace(purse, balance=purse.balance + amount)
        if purse.is_btc:
            system = self.world.ledger.system
            cells[0] = replace(system, supply=system.supply + amount)
        self.world.ledger = Ledger.of_cells(cells, self.world.ledger.codes.values())


def test_one_feed_of_two_is_no_price() -> None:
    """Of two posts the lower one is the median: a feed waits until only one other is live, and says next to nothing."""
    bank = Lent()
    bank.slot += 60
    bank.post(bank.feeds[0], 10**6)
    bank.post(bank.feeds[1], 1)
    assert bank.world.data(oracle.price_cell(bank.oracle))[0] == 1
    assert bank.failed(bank.carol, *bank.liquidate(bank.carol, 200))
    bank.post(bank.feeds[2], 10**6)
    assert bank.failed(bank.carol, *bank.liquidate(bank.carol, 200)), "healthy"
    for feeds in range(3):
        with pytest.raises(ValueError, match="feeds"):
            lending.build(1, TOKEN, lending.Rules(min_feeds=feeds))


@pytest.mark.parametrize("post_age", [15, 50])
def test_a_feed_that_pauses_stops_the_pool_only_if_its_post_outlives_the_pools_patience(
    post_age: int,
) -> None:
    bank = Lent(feeds=4, post_age=post_age)
    refused = 0
    for _ in range(8):
        for feed in bank.feeds[1:]:
            bank.post(feed, 10**6)
        refused += bank.failed(bank.bob, lending.borrow(bank.program, bank.loan, 1))
    assert (refused > 3) == (post_age > RULES.max_age)


def test_one_payment_counts_once() -> None:
    bank = Lent()
    program, amount = bank.program, 10**6
    paid = Call.bank_move(bank.bob, bank.cells.cash, amount)
    deposit, repay = lending.deposit(program, amount), lending.repay(program, bank.loan, amount)
    pledge, put = bank.put(bank.bob, amount, bank.loan)
    for calls in (
        (paid, deposit, deposit), (paid, deposit, repay), (paid, repay, deposit), (paid, repay, repay),
        (pledge, put, put), (pledge, put, lending.put(program, 0, amount)),
        (deposit, paid), (repay, paid), (put, pledge), (paid, put), (pledge, deposit),
    ):  # fmt: skip
        assert bank.failed(bank.bob, *calls)
    bank.price(9 * 10**5)
    buy = lending.liquidate(program, bank.loan, amount, bank.tokens[bank.bob])
    for calls in ((paid, buy, buy), (paid, buy, repay), (paid, repay, buy), (buy, paid)):
        assert bank.failed(bank.bob, *calls)
    bank.done(bank.bob, paid, deposit, paid, repay, pledge, put, paid, buy)


def test_round_trips_gain_nothing() -> None:
    """In one list, at an index that divides nothing: nobody has more after it, and the pool has not less."""
    bank = Lent(debt=10**8)
    rewritten(bank, bank.cells.totals, w0=1_234_567_890_123)
    program, bob = bank.program, bank.bob
    for amount in (1, 2, 7, 1000, 12_347, 10**6 + 3):
        bank.price(10**6)
        pay = Call.bank_move(bob, bank.cells.cash, amount)
        pay_more = Call.bank_move(bob, bank.cells.cash, amount + 7)
        cell = bank.world.ledger.system.next_free
        assets = bank.world.data(bank.cells.funds)[1]
        _, _, _, shares = bank.world.data(bank.cells.totals)
        bank.done(bob, pay, lending.deposit(program, amount))
        shares = bank.world.data(bank.cells.totals)[3] - shares
        trips = (
            (lending.withdraw(program, cell, shares),),
            (lending.borrow(program, bank.loan, amount), pay, lending.repay(program, bank.loan, amount)),
            (
                lending.borrow(program, bank.loan, amount),
                pay_more,
                lending.repay(program, bank.loan, amount + 7),
            ),
            (
                *bank.put(bob, amount, bank.loan),
                lending.take(program, bank.loan, amount, bank.tokens[bob]),
                lending.repay(program, bank.loan, 0),
            ),
        )
        coins = bank.world.balance(bank.tokens[bob])
        owed = bank.world.data(bank.loan)[2]
        balance = bank.world.balance(bob)
        bank.done(bob, *trips[0])
        assert bank.world.balance(bob) <= balance - bank.last.fee + amount, "no more than was deposited"
        for trip in trips[1:]:
            balance = bank.world.balance(bob)
            bank.done(bob, *trip)
            spent = balance - bank.last.fee - bank.world.balance(bob)
            relieved = owed - bank.world.data(bank.loan)[2]
            assert spent * lending.INDEX >= relieved * bank.index()
            owed = bank.world.data(bank.loan)[2]
        assert bank.world.balance(bank.tokens[bob]) == coins
        assert bank.world.data(bank.cells.funds)[1] >= assets
        assert bank.world.data(bank.cells.funds)[1] == bank.world.balance(bank.cells.cash)


def test_shares_are_withdrawn_once_and_no_more_than_one_has() -> None:
    bank = Lent()
    mine = bank.deposit(bank.carol, 10**6)
    shares, total = bank.world.data(mine)[1], bank.world.data(bank.cells.totals)[3]
    assert bank.failed(bank.carol, lending.withdraw(bank.program, mine, shares + 1))
    half = lending.withdraw(bank.program, mine, shares // 2)
    assert bank.failed(bank.carol, half, half, half)
    bank.done(bank.carol, half)
    assert bank.world.data(mine)[1] == shares - shares // 2
    bank.done(bank.carol, lending.withdraw(bank.program, mine, shares - shares // 2))
    assert bank.failed(bank.carol, lending.withdraw(bank.program, mine, 1))
    assert bank.world.data(bank.cells.totals)[3] == total - shares


def test_the_first_depositor_cannot_make_shares_dear() -> None:
    """It deposits 1 msat and gives the pool 10^9: that is no asset of the pool, but the next caller's to use."""
    bank = Bank()
    program = bank.program
    bank.deposit(bank.carol, 1)
    bank.done(bank.carol, Call.bank_move(bank.carol, bank.cells.cash, 10**9), lending.deposit(program, 1))
    saved = bank.deposit(bank.ann, 999)
    assert bank.world.data(saved)[1] == 999 * lending.VIRTUAL_SHARES
    before = bank.world.balance(bank.ann)
    bank.done(bank.ann, lending.withdraw(program, saved, 999 * lending.VIRTUAL_SHARES))
    assert bank.world.balance(bank.ann) == before + 999 - bank.last.fee
    bank.done(bank.bob, lending.deposit(program, 10**9 - 1))
    assert bank.failed(bank.ann, lending.deposit(program, 1)), "once"


def test_a_gift_to_the_collateral_is_nobodys_pledge() -> None:
    bank = Lent()
    bank.done(bank.ann, Call.bank_move(bank.tokens[bank.ann], bank.cells.collateral, 10**8),
              lending.repay(bank.program, bank.loan, 0))  # fmt: skip
    assert bank.failed(bank.bob, lending.borrow(bank.program, bank.loan, 2 * 10**7))
    assert bank.failed(bank.bob, lending.take(bank.program, bank.loan, 10**8, bank.tokens[bank.bob]))
    assert bank.world.data(bank.loan)[1] == PLEDGED


def test_what_is_liquidated_comes_as_the_asset_alone_and_from_its_own_pool() -> None:
    bank = Lent()
    assert not bank.failed(bank.carol, lending.open_pool(bank.other))
    theirs = lending.Cells(bank.world.data(lending.book(bank.other))[0])
    assert bank.world.data(theirs.totals) == (lending.INDEX, bank.slot, 0, 0)
    assert bank.world.data(theirs.funds) == (0xFFFFFFFF << 32, 0, 0, 0), "of a kind of its own"
    bank.price(9 * 10**5)
    for to in (bank.carol, bank.cells.cash, bank.loan, lending.book(bank.program), 2**30, 2**64 - 1):
        assert bank.failed(bank.carol, *bank.liquidate(bank.carol, 10**6, to))
    for loan in (bank.loan + 2**30, bank.loan + 2**32, 2**64 - 1, bank.saved, bank.cells.totals):
        call = lending.liquidate(bank.program, loan, 10**6, bank.tokens[bank.carol])
        assert bank.failed(bank.carol, *bank.pay(bank.carol, call, 10**6))
        assert bank.failed(bank.bob, lending.take(bank.program, loan, 0, bank.tokens[bank.bob]))
    pay = Call.bank_move(bank.carol, theirs.cash, 10**6)
    for call in (
        lending.liquidate(bank.other, bank.loan, 10**6, bank.tokens[bank.carol]),
        lending.liquidate(bank.program, bank.loan, 10**6, bank.tokens[bank.carol]),
        lending.repay(bank.other, bank.loan, 10**6),
    ):
        assert bank.failed(bank.carol, pay, call), "the money is in another pool, or the loan"
    assert bank.failed(bank.ann, lending.withdraw(bank.other, bank.saved, 1))
    assert bank.failed(bank.bob, lending.borrow(bank.other, bank.loan, RULES.min_debt))
    assert bank.failed(bank.bob, lending.take(bank.other, bank.loan, 1, bank.tokens[bank.bob]))
    tokens = bank.tokens[bank.carol]
    assert bank.failed(bank.carol, Call.bank_move(tokens, bank.cells.cash, 10**6), pay)
    assert bank.failed(bank.carol, Call.bank_move(bank.carol, bank.cells.collateral, 10**6), pay)


def test_an_unopened_pool_and_an_unknown_selector_do_nothing() -> None:
    bank = Lent()
    pay, deposit = bank.pay(bank.ann, lending.deposit(bank.other, 10**6), 10**6)
    assert bank.failed(bank.ann, pay, deposit)
    assert bank.failed(bank.bob, lending.put(bank.other, 0, 0))
    for call in (lending.open_pool(bank.program), lending.repay(bank.program, bank.loan, 1)):
        assert bank.failed(bank.bob, call)
        assert bank.last.failure is FailureReason.FAIL, "at once, not for want of gas"
    for selector in (8, 9, 2**32 - 1):
        assert bank.failed(bank.ann, Call(bank.program, selector, (1, 1, 1, 1)))


def test_the_borrower_does_not_dodge_by_a_small_repayment() -> None:
    """A liquidator asks for all that is allowed; the debt is less when its list comes."""
    bank = Lent()
    bank.price(9 * 10**5)
    most = bank.debt(bank.loan) * RULES.close_factor // 10_000
    bank.done(bank.bob, *bank.pay(bank.bob, lending.repay(bank.program, bank.loan, 10**5), 10**5))
    before = bank.world.balance(bank.carol)
    _, _, paid = bank.done(bank.carol, *bank.liquidate(bank.carol, most))
    assert most - 10**5 < paid < most
    assert bank.world.balance(bank.carol) == before - paid - bank.last.fee


@pytest.mark.parametrize("price", [1, 3, 10**4, 72 * 10**4 + 1])
def test_a_liquidator_pays_no_more_than_the_collateral_is_worth(price: int) -> None:
    """The price has fallen since it signed."""
    bank = Lent()
    bank.price(price)
    before, coins = bank.world.balance(bank.carol), bank.world.balance(bank.tokens[bank.carol])
    bank.done(bank.carol, *bank.liquidate(bank.carol, 10**8))
    paid = before - bank.last.fee - bank.world.balance(bank.carol)
    worth = (bank.world.balance(bank.tokens[bank.carol]) - coins) * price // 10**6
    assert paid <= -(-worth * 10_000 // RULES.bonus) + 1
    assert (bank.world.data(bank.loan)[1] == 0) == (price < 10**6 // 2)


@pytest.mark.parametrize("price", [9 * 10**5, 75 * 10**4, 73 * 10**4, 7 * 10**5, 5 * 10**5, 10**4])
def test_a_bad_debt_is_no_larger_than_what_the_collateral_left_open(price: int) -> None:
    """By whoever liquidates, in whatever steps; a loan that is worth its debt and the bonus makes none."""
    bank = Lent()
    bank.price(price)
    debt, value = bank.debt(bank.loan), PLEDGED * price // 10**6
    for amount in (1, 10**5, 10**7, 3 * 10**7 + 1, *(10**9,) * 40):
        if bank.failed(bank.bob, *bank.liquidate(bank.bob, amount)):
            break
        bank.price(price)
    _, pledged, owed, _ = bank.world.data(bank.loan)
    lost = bank.world.data(bank.cells.funds)[3]
    covered = value * 10_000 >= (debt + 10**6) * RULES.bonus
    assert covered == (price > 74 * 10**4)
    if covered:
        assert lost == 0
        assert pledged * price // 10**6 * RULES.collateral_factor >= bank.debt(bank.loan) * 10_000, "healthy"
    else:
        assert pledged == owed == 0
        assert lost <= debt + 10**6 - value * 10_000 // RULES.bonus


def test_dust_does_not_keep_a_bad_debt_from_being_written_off() -> None:
    bank = Lent()
    bank.price(10**4)
    bank.done(bank.bob, *bank.put(bank.bob, 99, bank.loan))
    bank.done(bank.carol, *bank.liquidate(bank.carol, 10**6))
    bank.done(bank.bob, *bank.put(bank.bob, 1, bank.loan))
    _, _, lost = bank.done(bank.carol, *bank.liquidate(bank.carol, 10**9))
    assert bank.world.data(bank.loan)[1:3] == (0, 0)
    assert bank.world.data(bank.cells.funds)[3] == lost > 13 * 10**7
    assert bank.world.data(bank.cells.totals)[2] == 0


def test_a_debt_below_twice_the_least_is_liquidated_whole_or_as_far_as_one_likes() -> None:
    bank = Lent(debt=RULES.min_debt)
    bank.price(6)
    _, _, paid = bank.done(bank.carol, *bank.liquidate(bank.carol, 10**9))
    assert paid == RULES.min_debt + 1 == bank.world.data(bank.loan)[2] + paid
    assert bank.world.data(bank.cells.totals)[2] == 0
    assert bank.world.data(bank.loan)[1] > 0
    assert bank.failed(bank.carol, *bank.liquidate(bank.carol, 1)), "no debt, no liquidation"


def test_what_pays_for_all_is_not_rounded_up_where_it_divides() -> None:
    bank = Lent()
    bank.price(10_500)
    before = bank.world.balance(bank.carol)
    bank.done(bank.carol, *bank.liquidate(bank.carol, 10**8))
    assert before - bank.last.fee - bank.world.balance(bank.carol) == 2 * 10**6


def test_a_debt_that_takes_all_the_collateral_and_leaves_none_is_not_written_off() -> None:
    bank = Lent(debt=1142)
    bank.price(6)
    _, _, paid = bank.done(bank.carol, *bank.liquidate(bank.carol, 10**6))
    assert bank.last.events[-1].values[0] == lending.Said.LIQUIDATED
    assert paid == 1143
    assert bank.world.data(bank.loan)[1:3] == (0, 0)
    assert bank.world.data(bank.cells.funds)[3] == 0


def test_a_part_repayment_leaves_a_debt_that_one_bothers_to_liquidate() -> None:
    bank = Lent(debt=10**6)
    repay = lending.repay(bank.program, bank.loan, 10**6 - RULES.min_debt + 500)
    assert bank.failed(bank.bob, *bank.pay(bank.bob, repay, repay.arguments[1]))
    repay = lending.repay(bank.program, bank.loan, 10**6 - RULES.min_debt)
    bank.done(bank.bob, *bank.pay(bank.bob, repay, repay.arguments[1]))
    assert RULES.min_debt <= bank.debt(bank.loan) < RULES.min_debt + 10


def test_the_largest_collateral_has_a_value_at_the_largest_price() -> None:
    """It did not: 2^44 units at 2^40 msat are more than a word, and the loan could not be drawn or liquidated."""
    bank = Lent()
    bank.price(2**41)
    bank.give(bank.tokens[bank.bob], lending.MAX_COLLATERAL)
    bank.done(bank.bob, *bank.put(bank.bob, lending.MAX_COLLATERAL - PLEDGED - 1, bank.loan))
    bank.done(bank.bob, lending.borrow(bank.program, bank.loan, 10**6))
    assert (lending.MAX_COLLATERAL - 1) * lending.MAX_PRICE // oracle.UNITS < 2**64


def test_deposits_do_not_fill_the_shares_so_that_nobody_can_leave() -> None:
    """With all shares and the virtual ones above 2^64 a share would have no price any more."""
    bank = Lent()
    cash, shares = 2**64 // 1000, 2**64 - 9_500
    bank.give(bank.cells.cash, cash - bank.world.balance(bank.cells.cash))
    rewritten(bank, bank.cells.funds, w1=cash)
    rewritten(bank, bank.cells.totals, w3=shares)
    rewritten(bank, bank.saved, w1=shares)
    assert bank.failed(bank.carol, *bank.pay(bank.carol, lending.deposit(bank.program, 9), 9))
    saved = bank.deposit(bank.carol, 8)
    total = bank.world.data(bank.cells.totals)[3]
    assert 2**64 - 3000 < total < 2**64 - lending.VIRTUAL_SHARES
    bank.done(bank.carol, lending.withdraw(bank.program, saved, 1))
    bank.done(bank.ann, lending.withdraw(bank.program, bank.saved, 10**12))


def test_who_wants_to_leave_needs_no_price_and_no_bound_is_in_the_way() -> None:
    """At the last index, after 2^31 slots, with all debts that there may be and no feed for as long."""
    bank = Lent()
    _, bare, _ = bank.done(bank.carol, *bank.put(bank.carol, 10**6))
    debts = lending.MAX_DEBT_SHARES
    owed = bank.world.data(bank.loan)[2]
    rewritten(bank, bank.cells.totals, w0=lending.MAX_INDEX - 1, w2=debts)
    bank.slot = 2**31
    bank.done(bank.carol, lending.take(bank.program, bare, 10**6, bank.tokens[bank.carol]))
    assert bank.index() == lending.MAX_INDEX
    bank.done(bank.ann, lending.withdraw(bank.program, bank.saved, 1))
    bank.done(bank.bob, *bank.pay(bank.bob, lending.repay(bank.program, bank.loan, 10**6), 10**6))
    assert bank.world.data(bank.loan)[2] == owed - 10**6 // 8
    debt = bank.debt(bank.loan)
    _, _, paid = bank.done(
        bank.bob, *bank.pay(bank.bob, lending.repay(bank.program, bank.loan, 2 * debt), 2 * debt)
    )
    assert paid == debt == 8 * (owed - 10**6 // 8)
    bank.done(bank.bob, lending.take(bank.program, bank.loan, PLEDGED, bank.tokens[bank.bob]))
    assert bank.world.data(bank.cells.totals)[2] == debts - owed
    assert bank.failed(bank.bob, lending.borrow(bank.program, bank.loan, RULES.min_debt))


def test_one_accrual_counts_a_million_slots_and_each_slot_once() -> None:
    bank = Lent()
    for jump in (1, 10**6 - 1, 10**6, 10**8):
        index = bank.index()
        bank.slot += jump
        bank.done(bank.ann, lending.withdraw(bank.program, bank.saved, 0))
        counted = min(jump + 1, lending.MAX_STEP)
        assert bank.index() == index - (-index * counted * RULES.rate // lending.INDEX)
        zero = lending.withdraw(bank.program, bank.saved, 0)
        before = bank.index()
        bank.done(bank.ann, *(zero,) * 3)
        assert bank.index() == before - (-before * RULES.rate // lending.INDEX), "once, not thrice"


def test_each_call_leaves_room_for_others_in_its_list() -> None:
    """The heaviest is a liquidation that gives money back and writes off: six fit in a list."""
    bank = Lent()
    bank.price(10**4)
    bank.done(bank.carol, *bank.liquidate(bank.carol, 10**9))
    assert bank.last.events[-1].values[0] == lending.Said.WRITTEN_OFF
    assert bank.last.gas < 200_000 // 6


def test_a_debt_that_passes_the_limit_by_a_part_of_a_msat_is_refused() -> None:
    bank = Lent(debt=10**6)
    rewritten(bank, bank.cells.totals, w0=1_234_567_890_123)
    index = bank.index() - (-bank.index() * RULES.rate // lending.INDEX)
    limit, owed = PLEDGED * RULES.collateral_factor // 10_000, bank.world.data(bank.loan)[2]
    shares = limit * lending.INDEX // index + 1
    assert shares * index // lending.INDEX == limit < shares * index / lending.INDEX
    amount = (shares - owed) * index // lending.INDEX
    assert -(-amount * lending.INDEX // index) == shares - owed
    assert bank.failed(bank.bob, lending.borrow(bank.program, bank.loan, amount))
    bank.done(bank.bob, lending.borrow(bank.program, bank.loan, amount - 5))


def test_what_divides_is_not_rounded_and_the_limit_can_be_reached() -> None:
    bank = Lent(debt=10**6)
    rewritten(bank, bank.cells.totals, w0=2 * lending.INDEX - 20_000)
    owed, limit = bank.world.data(bank.loan)[2], PLEDGED * RULES.collateral_factor // 10_000
    bank.done(bank.bob, lending.borrow(bank.program, bank.loan, limit - 2 * owed))
    assert bank.index() == 2 * lending.INDEX
    assert bank.world.data(bank.loan)[2] == limit // 2
