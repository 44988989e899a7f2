"""The top-of-block auction by example, specification and kernel."""

from __future__ import annotations

from circuits.programs import top
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
        self.world = World(genesis, kernel=True)
        self.slot = 9
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
    before = house.world.balance(house.ann)
    house.done(house.ann, top.refund(house.program, hidden))
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
    house.done(house.ann, top.reveal(house.program, mine, 500, 3))
    assert house.failed(house.ann, top.reveal(house.program, mine, 500, 3)), "once"


def test_rounds_do_not_disturb_each_other() -> None:
    house = House()
    house.round(2)
    bids = {}
    for number in range(2, 9):
        house.round(number)
        bids[number] = house.bid(house.ann, 100 * number, number)
        if number > 2:
            house.done(house.ann, top.reveal(house.program, bids[number - 1], 100 * (number - 1), number - 1))
        if number > 3:
            house.done(house.ann, top.use(house.program, bids[number - 2]))
            assert house.last.events[0].values[2] == 100 * (number - 2)
    assert house.world.balance(house.income) == sum(100 * n for n in range(2, 7))
