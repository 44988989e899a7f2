"""What an independent reader tried on options: terms and premiums moved under others, cells taken for options, slots.

Each step is run in specification and kernel.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from circuits.programs import options
from circuits.rollup.ledger import Ledger
from circuits.rollup.types import Call
from tests.circuits.programs.test_options import AMOUNT, PREMIUM, STRIKE, TOKEN, Desk
from tests.properties.signing import sign_batch, signers, with_keys
from tests.whole import prove_and_verify, whole

U64 = 2**64 - 1


def sold(desk: Desk, expiry: int = 100, put: bool = False) -> int:
    """An option that Bob has bought."""
    option = desk.written(expiry, put)
    desk.done(desk.bob, *desk.buy(desk.bob, option))
    return option


def test_what_the_writer_leaves_off_the_premium_comes_back() -> None:
    """Bob has signed the old premium; the new one is the writer's, the rest is not lost in the option's purse."""
    desk = Desk()
    option = desk.written(100)
    desk.done(desk.ann, options.offer(desk.program, option, 10))
    ann, bob = desk.world.balance(desk.ann), desk.world.balance(desk.bob)
    desk.done(desk.bob, *desk.buy(desk.bob, option))
    assert desk.world.balance(desk.ann) == ann + 10
    assert desk.world.balance(desk.bob) == bob - 10 - desk.last.fee
    assert desk.world.balance(options.purses(option)[2]) == 0


def test_a_raised_premium_is_not_paid() -> None:
    desk = Desk()
    option = desk.written(100)
    desk.done(desk.ann, options.offer(desk.program, option, PREMIUM + 1))
    more = Call.bank_move(desk.bob, options.purses(option)[2], 1)
    assert desk.failed(desk.bob, more, *desk.buy(desk.bob, option))
    assert desk.failed(desk.bob, *desk.buy(desk.bob, option, PREMIUM + 1)), "a msat is missing"
    desk.done(desk.bob, more, *desk.buy(desk.bob, option, PREMIUM + 1))


def test_an_option_for_nothing_is_not_written_and_one_for_no_premium_not_offered() -> None:
    desk = Desk()
    assert desk.failed(desk.ann, options.write(desk.program, (TOKEN, 0), AMOUNT, 0, 100, desk.ann))
    _, option, _ = desk.done(desk.ann, options.write(desk.program, (TOKEN, 0), AMOUNT, STRIKE, 100, desk.ann))
    lock = Call.bank_move(desk.tokens[desk.ann], options.purses(option)[0], AMOUNT)
    assert desk.failed(desk.ann, lock, options.offer(desk.program, option, 0))
    assert not desk.failed(desk.ann, lock)
    assert desk.failed(desk.bob, options.buy(desk.program, option, 0)), "not offered: for nothing"
    assert desk.failed(desk.bob, *desk.buy(desk.bob, option)), "not offered"


def test_what_is_not_all_locked_is_not_offered_and_what_is_sold_stays_locked() -> None:
    desk = Desk()
    _, option, _ = desk.done(desk.ann, options.write(desk.program, (TOKEN, 0), AMOUNT, STRIKE, 100, desk.ann))
    locked, home = options.purses(option)[0], desk.tokens[desk.ann]
    offer = options.offer(desk.program, option, PREMIUM)
    assert desk.failed(desk.ann, Call.bank_move(home, locked, AMOUNT - 1), offer)
    lock, back = Call.bank_move(home, locked, AMOUNT), options.reclaim(desk.program, option, home)
    assert desk.failed(desk.ann, lock, offer, back, offer), "it is over"
    assert desk.failed(desk.ann, lock, offer, back, *desk.buy(desk.ann, option)), "it is over"
    assert desk.failed(desk.ann, lock, back, back)
    desk.done(desk.ann, lock, offer)
    assert desk.failed(desk.ann, Call.bank_move(locked, home, 1)), "the program's"
    buy = (
        Call.bank_move(desk.ann, options.purses(option)[2], PREMIUM),
        options.buy(desk.program, option, PREMIUM),
    )
    assert desk.failed(desk.ann, *buy, back), "sold, to himself too"
    desk.done(desk.bob, *desk.buy(desk.bob, option))
    for again in (back, offer, options.offer(desk.program, option, 1)):
        assert desk.failed(desk.ann, again)
    assert desk.world.balance(locked) == AMOUNT


def test_reclaimed_before_it_is_bought_costs_the_buyer_nothing() -> None:
    desk = Desk()
    option = desk.written(100)
    desk.done(desk.ann, options.reclaim(desk.program, option, desk.tokens[desk.ann]))
    before = desk.world.balance(desk.bob)
    assert desk.failed(desk.bob, *desk.buy(desk.bob, option))
    assert desk.world.balance(desk.bob) == before - desk.last.fee
    assert desk.failed(desk.ann, options.offer(desk.program, option, PREMIUM)), "it is over"


@pytest.mark.parametrize("put", [False, True])
def test_one_payment_is_one_exercise(put: bool) -> None:
    """Of this option: what lies in another's purse, or was locked there, does not count."""
    desk = Desk()
    one, two = sold(desk, put=put), sold(desk, put=put)
    give, exercise = desk.give(desk.bob, one, put)
    other = desk.give(desk.bob, two, put)[1]
    for calls in ((give, exercise, exercise), (give, exercise, other), (give, other), (exercise, give)):
        assert desk.failed(desk.bob, *calls)
    short = Call.bank_move(*give.arguments[:2], give.arguments[2] - 1)
    assert desk.failed(desk.bob, short, exercise), "a unit is missing"
    desk.done(desk.bob, give, exercise, *desk.give(desk.bob, two, put))
    for option in (one, two):
        assert [desk.world.balance(purse) for purse in options.purses(option)] == [0, 0, 0]


def test_bought_and_exercised_in_one_list_in_the_last_slot() -> None:
    desk = Desk()
    option = desk.written(50)
    desk.slot = 48
    desk.done(desk.bob, *desk.buy(desk.bob, option), *desk.give(desk.bob, option))
    assert desk.slot == 49
    late = desk.written(desk.slot + 3)
    desk.slot += 10
    assert desk.failed(desk.bob, *desk.buy(desk.bob, late)), "over: he would pay for nothing"
    desk.done(desk.ann, options.reclaim(desk.program, late, desk.tokens[desk.ann]))


def test_what_comes_out_is_its_asset_and_goes_to_who_exercised() -> None:
    """A third who pays in what is to be given has given it; a purse of the other asset takes nothing."""
    desk = Desk()
    option = sold(desk)
    gift = Call.bank_move(desk.carol, options.purses(option)[1], STRIKE)
    assert desk.failed(desk.carol, gift, options.exercise(desk.program, option, desk.tokens[desk.carol]))
    assert not desk.failed(desk.carol, gift)
    assert desk.failed(desk.bob, options.exercise(desk.program, option, desk.bob)), "bitcoin's purse"
    before = desk.world.balance(desk.tokens[desk.bob])
    desk.done(desk.bob, options.exercise(desk.program, option, desk.tokens[desk.bob]))
    assert desk.world.balance(desk.tokens[desk.bob]) == before + AMOUNT


def test_who_locks_more_gives_more() -> None:
    """All that is locked is the option's: it goes to the holder, or back to the writer."""
    desk = Desk()
    exercised, expired = desk.written(100), desk.written(20)
    home = desk.tokens[desk.ann]
    for option in (exercised, expired):
        assert not desk.failed(desk.ann, Call.bank_move(home, options.purses(option)[0], 7))
        desk.done(desk.bob, *desk.buy(desk.bob, option))
    before = desk.world.balance(desk.tokens[desk.bob])
    desk.done(desk.bob, *desk.give(desk.bob, exercised))
    assert desk.world.balance(desk.tokens[desk.bob]) == before + AMOUNT + 7
    desk.slot = 20
    before = desk.world.balance(home)
    desk.done(desk.ann, options.reclaim(desk.program, expired, home))
    assert desk.world.balance(home) == before + AMOUNT + 7


def test_the_book_before_the_first_option_is_none() -> None:
    """Option 0 stands behind the book, as its terms would: by its words the book is an option that is over."""
    desk = Desk()
    option = desk.written(100)
    book = desk.program + 1
    desk.done(desk.ann, options.write(desk.program, (TOKEN, 0), AMOUNT, STRIKE, 100, desk.ann))
    _, twins, _ = desk.done(desk.ann, options.write(desk.twin, (TOKEN, 0), AMOUNT, STRIKE, 100, desk.ann))
    assert option == desk.twin + 2 and desk.world.data(desk.twin + 1) == (0, 0, 0, 0)
    assert twins > option
    home = desk.tokens[desk.ann]
    for program in (desk.program, desk.twin):
        for cell in (book, desk.twin + 1, desk.program, 0, 1, 2**30 - 1, 2**30, U64):
            assert desk.failed(desk.ann, options.reclaim(program, cell, home))
            assert desk.failed(desk.ann, options.offer(program, cell, PREMIUM))
            assert desk.failed(desk.bob, options.buy(program, cell, PREMIUM))
            assert desk.failed(desk.bob, options.exercise(program, cell, desk.tokens[desk.bob]))


def test_options_of_another_program_are_none() -> None:
    desk = Desk()
    option = sold(desk)
    home = desk.tokens[desk.ann]
    give, _ = desk.give(desk.bob, option)
    assert desk.failed(desk.bob, give, options.exercise(desk.twin, option, desk.tokens[desk.bob]))
    desk.slot = 100
    assert desk.failed(desk.ann, options.reclaim(desk.twin, option, home))
    desk.done(desk.ann, options.reclaim(desk.program, option, home))


def test_terms_that_no_purse_can_hold_are_refused() -> None:
    """Purses of other assets, of none, an expiry that has passed; the last slot of all is one."""
    desk = Desk()
    for assets, expiry, purse in (
        ((TOKEN, 0), 100, desk.tokens[desk.ann]),
        ((0, TOKEN), 100, desk.ann),
        ((TOKEN, TOKEN + 1), 100, desk.tokens[desk.ann]),
        ((2**30, 0), 100, desk.ann),
        ((TOKEN, 0), 100, 0),
        ((TOKEN, 0), 100, 2**30),
        ((TOKEN, 0), 0, desk.ann),
    ):
        assert desk.failed(desk.ann, options.write(desk.program, assets, AMOUNT, STRIKE, expiry, purse))
    assert desk.failed(
        desk.ann, options.write(desk.program, (TOKEN, 0), AMOUNT, STRIKE, desk.slot + 1, desk.ann)
    )
    write = options.write(desk.program, (TOKEN, 0), AMOUNT, U64, 2**32 - 1, desk.ann)
    _, option, expiry = desk.done(desk.ann, write)
    assert expiry == 2**32 - 1
    assert desk.failed(desk.ann, options.offer(desk.program, option, PREMIUM))


def test_a_full_purse_of_the_token_stops_a_put_and_costs_nothing_else() -> None:
    """The page's limit: who can mint all there can be decides whether the writer can be paid."""
    desk = Desk()
    option = sold(desk, put=True)
    cells = dict(desk.world.ledger.cells)
    purse = desk.tokens[desk.ann]
    cells[purse] = replace(desk.world.purse(purse), balance=U64)
    desk.world.ledger = Ledger.of_cells(cells, desk.world.ledger.codes.values())
    tokens = desk.world.balance(desk.tokens[desk.bob])
    assert desk.failed(desk.bob, *desk.give(desk.bob, option, put=True))
    assert desk.world.balance(desk.tokens[desk.bob]) == tokens
    assert desk.world.balance(options.purses(option)[0]) == STRIKE
    desk.slot = 100
    assert desk.failed(desk.carol, options.reclaim(desk.program, option, desk.carol))
    desk.done(desk.ann, options.reclaim(desk.program, option, desk.ann))


def test_slots_that_a_producer_skips_are_the_holders_loss() -> None:
    """The page's other limit: without a hook that bounds it, whoever makes a batch sets the clock."""
    desk = Desk()
    option = sold(desk, expiry=1000)
    desk.slot = 999
    assert desk.failed(desk.bob, *desk.give(desk.bob, option))
    desk.done(desk.ann, options.reclaim(desk.program, option, desk.tokens[desk.ann]))


@pytest.mark.slow
def test_a_cheaper_purchase_and_a_late_exercise_are_proven() -> None:
    """The rest that comes back, an exercise in the last slot, one in the slot behind it: a batch of each."""
    desk = Desk()
    desk.world.kernel = False
    one, two = desk.written(50), sold(desk, expiry=50)
    desk.done(desk.ann, options.offer(desk.program, one, 10))
    desk.world.kernel = True
    desk.slot = 47
    desk.done(desk.bob, *desk.buy(desk.bob, one))
    desk.done(desk.bob, *desk.give(desk.bob, one))
    assert desk.failed(desk.bob, *desk.give(desk.bob, two))
    keys = signers([desk.bob])
    for before, blank in desk.world.batches[-3:]:
        real = with_keys(before, keys)
        done = whole(real, sign_batch(real, blank, keys))
        assert len(done.transition.receipts) == 1
        prove_and_verify(done)
