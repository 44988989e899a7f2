"""The top-of-block auction by example, specification and kernel."""

from __future__ import annotations

import pytest

from circuits.programs import top
from circuits.programs.election import user_hash
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse
from circuits.rollup.types import Call
from tests.circuits.programs.world import World, account

ROUND, DEPOSIT, PENALTY = 10, 10**6, 10**5


class House:
    """An auction, three bidders, the purse of its income."""

    def __init__(self) -> None:
        genesis = Genesis(7, 100)
        self.ann, self.bob, self.carol, self.producer = (account(genesis) for _ in range(4))
        self.income = genesis.add(Purse((0,) * 8, 0))
        self.program = genesis.program(lambda cell: top.build(self.income, ROUND, DEPOSIT, PENALTY))
        genesis.cells[top.RING] = Purse((0,) * 8, DEPOSIT)  # where deposits would be if the rings were at 0
        self.world = World(genesis, kernel=True)
        self.slot = 9
        early = top.commit(self.program, self.ann, 1, 1)
        assert self.failed(self.ann, early), "not open: no rings, no purse"
        self.done(self.ann, top.open_auction(self.program))
        self.first = self.world.data(top.book(self.program))[0]

    def failed(self, signer: int, *calls: Call) -> bool:
        """In a batch of its own: it is the first transaction."""
        self.slot += 1
        self.world.send(signer, *calls)
        (self.last,) = self.world.produce(self.slot, self.producer, 1).receipts
        return self.last.failure is not None

    def done(self, signer: int, *calls: Call) -> tuple[int, int, int]:
        assert not self.failed(signer, *calls), self.last.detail
        return self.last.events[-1].values if self.last.events else (0, 0, 0)

    def bid(self, who: int, amount: int, salt: int) -> int:
        pay = Call.bank_move(who, top.deposits(self.first), DEPOSIT)
        return self.done(who, pay, top.commit(self.program, who, amount, salt))[1]

    def round(self, number: int) -> None:
        """The next transaction is in the first slot of a round."""
        self.slot = ROUND * number - 1

    def held(self) -> int:
        held = self.world.data(top.book(self.program))[1]
        assert self.world.balance(top.deposits(self.first)) == held
        return held


def test_the_highest_bid_pays_when_it_comes_first_and_the_others_nothing() -> None:
    house = House()
    house.round(2)
    wanted = ((house.ann, 500), (house.bob, 900), (house.carol, 900))
    bids = {who: house.bid(who, amount, who) for who, amount in wanted}
    assert house.held() == 3 * DEPOSIT
    assert house.failed(house.ann, top.reveal(house.program, bids[house.ann], 500, house.ann)), "too early"
    house.round(3)
    for who, amount in wanted:
        house.done(who, top.reveal(house.program, bids[who], amount, who))
    assert house.failed(house.bob, top.use(house.program, bids[house.bob])), "too early"
    assert house.failed(house.ann, top.refund(house.program, bids[house.ann])), (
        "a better one may not be shown yet"
    )
    house.round(4)
    assert house.failed(house.carol, top.use(house.program, bids[house.carol])), "bob was the first of equals"
    assert house.failed(house.bob, top.refund(house.program, bids[house.bob])), "it may be used"
    house.world.send(house.ann, top.refund(house.program, bids[house.ann]))
    house.world.send(house.bob, top.use(house.program, bids[house.bob]))
    house.slot += 1
    first, second = house.world.produce(house.slot, house.producer, 1).receipts
    assert first.failure is None and second.failure is not None, "not the first transaction"
    before = house.world.balance(house.bob)
    house.done(house.bob, top.use(house.program, bids[house.bob]))
    assert house.world.balance(house.bob) == before + DEPOSIT - 900 - house.last.fee
    assert house.world.balance(house.income) == 900
    assert house.failed(house.bob, top.use(house.program, bids[house.bob])), "once"
    house.done(house.carol, top.refund(house.program, bids[house.carol]))
    for who in bids:
        assert house.failed(who, top.refund(house.program, bids[who])), "once"
    assert house.held() == 0


def test_a_bid_that_is_not_shown_costs_the_penalty_and_cannot_win() -> None:
    house = House()
    house.round(2)
    hidden, shown = house.bid(house.ann, 10**6, 1), house.bid(house.bob, 7, 2)
    house.round(3)
    house.done(house.bob, top.reveal(house.program, shown, 7, 2))
    house.round(4)
    assert house.failed(house.ann, top.reveal(house.program, hidden, 10**6, 1)), "too late"
    assert house.failed(house.ann, top.use(house.program, hidden))
    for bid in (hidden, shown):
        assert house.failed(house.carol, top.refund(house.program, bid)), "another's"
    before = house.world.balance(house.ann)
    said = house.done(house.ann, top.refund(house.program, hidden))
    assert said == (top.Said.REFUNDED, hidden, DEPOSIT - PENALTY)
    assert house.world.data(hidden)[3] == top.Said.REFUNDED
    assert house.world.balance(house.ann) == before + DEPOSIT - PENALTY - house.last.fee
    house.round(5)
    assert house.failed(house.bob, top.use(house.program, shown)), "too late"
    before = house.world.balance(house.bob)
    house.done(house.bob, top.refund(house.program, shown))
    assert house.world.balance(house.bob) == before + DEPOSIT - house.last.fee, "nobody let it in"
    assert (house.held(), house.world.balance(house.income)) == (0, PENALTY)


def test_what_is_revealed_is_what_was_committed_by_the_same_bidder() -> None:
    house = House()
    house.round(2)
    mine = house.bid(house.ann, 500, 3)
    copied = Call(house.program, top.Selector.COMMIT, top.commit(house.program, house.ann, 500, 3).arguments)
    pay = Call.bank_move(house.bob, top.deposits(house.first), DEPOSIT)
    copy = house.done(house.bob, pay, copied)[1]
    large = house.bid(house.carol, DEPOSIT + 1, 4)
    assert house.failed(house.bob, top.commit(house.program, house.bob, 1, 1)), "no deposit"
    house.round(3)
    for bid, who, amount, salt in (
        (mine, house.ann, 499, 3), (mine, house.ann, 500, 4), (mine, house.bob, 500, 3), (copy, house.bob, 500, 3),
        (large, house.carol, DEPOSIT + 1, 4), (house.first, house.ann, 0, 0), (house.program + 1, house.ann, 0, 0),
    ):  # fmt: skip
        assert house.failed(who, top.reveal(house.program, bid, amount, salt))
    said = house.done(house.ann, top.reveal(house.program, mine, 500, 3))
    assert said == (top.Said.REVEALED, mine, 500)
    assert house.failed(house.ann, top.reveal(house.program, mine, 500, 3)), "once"


@pytest.mark.parametrize("step", [100, -100], ids=["rising", "falling"])
def test_rounds_do_not_disturb_each_other(step: int) -> None:
    """Nine rounds in four cells: neither an old best bid nor an old use counts in a new round."""
    house = House()
    amounts = {number: 5_000 + step * number for number in range(2, 11)}
    bids = {}
    for number, amount in amounts.items():
        house.round(number)
        bids[number] = house.bid(house.ann, amount, number)
        if number > 2:
            shown = amounts[number - 1]
            house.done(house.ann, top.reveal(house.program, bids[number - 1], shown, number - 1))
        if number > 3:
            house.done(house.ann, top.use(house.program, bids[number - 2]))
            assert house.last.events[0].values[2] == amounts[number - 2]
    assert house.world.balance(house.income) == sum(amounts[n] for n in range(2, 9))


def test_the_auction_is_opened_once() -> None:
    house = House()
    house.round(2)
    house.bid(house.ann, 500, 1)
    for who in (house.ann, house.bob):
        assert house.failed(who, top.open_auction(house.program)), "deposits would be forgotten"
    assert house.held() == DEPOSIT


def test_both_halves_of_the_commitment_count() -> None:
    """Half of it is 62 bits: a bidder could look for two amounts that share one half."""
    house = House()
    house.round(2)
    low, high = user_hash(500, 3, house.ann)
    pay = Call.bank_move(house.ann, top.deposits(house.first), DEPOSIT)
    bids = [
        house.done(house.ann, pay, Call(house.program, top.Selector.COMMIT, (*words, 0, 0)))[1]
        for words in ((low, high ^ 1), (low ^ 1, high), (low, high))
    ]
    house.round(3)
    shown = [not house.failed(house.ann, top.reveal(house.program, bid, 500, 3)) for bid in bids]
    assert shown == [False, False, True]


def test_the_auction_s_other_cells_are_no_bids() -> None:
    """Their state is 0. A round's cell names a "bidder", its number, and a "round", its winner's cell."""
    house = House()
    book, number = top.book(house.program), house.ann
    house.round(number)
    winner = house.bid(house.bob, 500, 1)
    house.round(number + 1)
    house.done(house.bob, top.reveal(house.program, winner, 500, 1))
    ring = house.first + number % top.RING
    assert house.world.data(ring)[:3] == (number | winner << 32, 500, 0), (
        "as if ann had bid in round `winner`"
    )
    for later in (0, 1, 2, 3, 7):
        house.round(winner + later)
        for cell in (ring, book, house.first + 3):
            assert house.failed(house.ann, top.reveal(house.program, cell, 500, 0))
            assert house.failed(house.ann, top.use(house.program, cell))
            assert house.failed(house.ann, top.refund(house.program, cell))
    house.done(house.bob, top.refund(house.program, winner))
    assert house.held() == 0


def test_no_list_does_twice_what_may_be_done_once() -> None:
    house = House()
    program = house.program
    house.round(2)
    pay = Call.bank_move(house.ann, top.deposits(house.first), DEPOSIT)
    offers = [top.commit(program, house.ann, 900, salt) for salt in (1, 2)]
    assert house.failed(house.ann, pay, *offers), "one deposit, two bids"
    assert house.failed(house.ann, offers[0], pay), "bid before the deposit"
    mine, hidden = house.bid(house.ann, 900, 1), house.bid(house.ann, 800, 2)
    assert house.failed(house.ann, top.refund(program, mine)), "bids stand"
    house.round(3)
    shown = top.reveal(program, mine, 900, 1)
    assert house.failed(house.ann, shown, shown)
    assert house.failed(house.ann, shown, top.refund(program, mine)), "a best bid is not taken back"
    house.done(house.ann, shown)
    house.round(4)
    use, back = top.use(program, mine), top.refund(program, hidden)
    for calls in ((use, use), (use, top.refund(program, mine)), (back, back), (back, use, back)):
        assert house.failed(house.ann, *calls)
    before = house.world.balance(house.ann)
    house.done(house.ann, back, use)
    assert house.world.balance(house.ann) == before + 2 * DEPOSIT - PENALTY - 900 - house.last.fee
    assert (house.held(), house.world.balance(house.income)) == (0, 900 + PENALTY)


def test_a_right_that_is_left_unused_lapses_for_nothing_and_a_failing_list_has_not_used_it() -> None:
    """What is sold is an option: the producer who does not let the winner in must not be able to make it pay."""
    house = House()
    house.round(2)
    mine = house.bid(house.ann, DEPOSIT, 1)
    house.round(3)
    house.done(house.ann, top.reveal(house.program, mine, DEPOSIT, 1))
    house.round(4)
    use = top.use(house.program, mine)
    too_much = Call.bank_move(house.ann, house.bob, 2**63)
    assert house.failed(house.ann, use, too_much), "what it came first for did not work out"
    assert (house.held(), house.world.balance(house.income)) == (DEPOSIT, 0)
    house.round(5)
    assert house.failed(house.ann, use)
    before = house.world.balance(house.ann)
    house.done(house.ann, top.refund(house.program, mine))
    assert house.world.balance(house.ann) == before + DEPOSIT - house.last.fee


def test_a_bid_of_nothing_wins_nothing() -> None:
    house = House()
    house.round(2)
    mine = house.bid(house.ann, 0, 1)
    house.round(3)
    house.done(house.ann, top.reveal(house.program, mine, 0, 1))
    house.round(4)
    assert house.failed(house.ann, top.use(house.program, mine))
    house.done(house.ann, top.refund(house.program, mine))
    assert house.held() == 0


def test_who_bids_twice_may_show_the_smaller_bid_for_a_penalty() -> None:
    """The page says so: a penalty is what it costs to see others' bids first."""
    house = House()
    house.round(2)
    high, low = house.bid(house.ann, 300_000, 1), house.bid(house.ann, 400, 2)
    other = house.bid(house.bob, 300, 3)
    house.round(3)
    house.done(house.bob, top.reveal(house.program, other, 300, 3))
    house.done(house.ann, top.reveal(house.program, low, 400, 2))
    house.round(4)
    house.done(house.ann, top.use(house.program, low), top.refund(house.program, high))
    assert house.world.balance(house.income) == 400 + PENALTY
