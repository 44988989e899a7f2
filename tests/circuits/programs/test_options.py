"""Options by example, specification and kernel."""

from __future__ import annotations

import pytest

from circuits.programs import options
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse, owner_cell
from circuits.rollup.types import Call
from tests.circuits.programs.world import World, account

TOKEN = 9
AMOUNT, STRIKE, PREMIUM = 5_000, 10**6, 10**4


class Desk:
    """A writer, a holder, a stranger; a call on the token, or a put; `twin` is the same program once more."""

    def __init__(self) -> None:
        genesis = Genesis(7, 100)
        self.ann, self.bob, self.carol, self.producer = (account(genesis) for _ in range(4))
        people = (self.ann, self.bob, self.carol)
        self.tokens = {p: genesis.add(Purse(owner_cell(p), 10**12, asset=TOKEN)) for p in people}
        self.program = genesis.program(lambda cell: options.build())
        self.twin = genesis.program(lambda cell: options.build())
        self.world = World(genesis, kernel=True)
        self.slot = 0

    def failed(self, signer: int, *calls: Call) -> bool:
        self.slot += 1
        self.world.send(signer, *calls)
        (self.last,) = self.world.produce(self.slot, self.producer, 1).receipts
        return self.last.failure is not None

    def done(self, signer: int, *calls: Call) -> tuple[int, int, int]:
        assert not self.failed(signer, *calls), self.last.detail
        return self.last.events[-1].values

    def written(self, expiry: int, put: bool = False) -> int:
        """A call of AMOUNT tokens for STRIKE msat, or the put; locked and offered."""
        assets, amounts, purse, own = (TOKEN, 0), (AMOUNT, STRIKE), self.ann, self.tokens[self.ann]
        if put:
            assets, amounts, purse, own = (0, TOKEN), (STRIKE, AMOUNT), own, purse
        _, option, _ = self.done(self.ann, options.write(self.program, assets, *amounts, expiry, purse))
        lock = Call.bank_move(own, options.purses(option)[0], amounts[0])
        self.done(self.ann, lock, options.offer(self.program, option, PREMIUM))
        return int(option)

    def buy(self, who: int, option: int, most: int = PREMIUM) -> tuple[Call, ...]:
        move = Call.bank_move(who, options.purses(option)[2], PREMIUM)
        return move, options.buy(self.program, option, most)

    def give(self, who: int, option: int, put: bool = False) -> tuple[Call, ...]:
        source, amount, to = (self.tokens[who], AMOUNT, who) if put else (who, STRIKE, self.tokens[who])
        move = Call.bank_move(source, options.purses(option)[1], amount)
        return move, options.exercise(self.program, option, to)


@pytest.mark.parametrize("put", [False, True])
def test_written_bought_and_exercised(put: bool) -> None:
    desk = Desk()
    option = desk.written(100, put)
    before = desk.world.balance(desk.ann)
    desk.done(desk.bob, *desk.buy(desk.bob, option))
    assert desk.world.balance(desk.ann) == before + PREMIUM
    tokens = {p: desk.world.balance(desk.tokens[p]) for p in (desk.ann, desk.bob)}
    coins = {p: desk.world.balance(p) for p in (desk.ann, desk.bob)}
    desk.slot = 98
    desk.done(desk.bob, *desk.give(desk.bob, option, put))
    sign = -1 if put else 1
    assert desk.world.balance(desk.tokens[desk.bob]) == tokens[desk.bob] + sign * AMOUNT
    gained = desk.world.balance(desk.bob) - coins[desk.bob] + desk.last.fee
    assert gained == (STRIKE if put else -STRIKE)
    assert desk.failed(desk.bob, *desk.give(desk.bob, option, put)), "once"
    assert desk.failed(desk.ann, options.reclaim(desk.program, option, desk.tokens[desk.ann]))


def test_the_last_slot_is_the_one_before_expiry() -> None:
    desk = Desk()
    first, second = desk.written(50), desk.written(50)
    for option in (first, second):
        desk.done(desk.bob, *desk.buy(desk.bob, option))
    home = desk.tokens[desk.ann]
    desk.slot = 48
    assert desk.failed(desk.ann, options.reclaim(desk.program, first, home)), "in slot 49 it is the holder's"
    desk.slot = 48
    desk.world.ledger = desk.world.batches[-1][0]
    desk.done(desk.bob, *desk.give(desk.bob, first))
    assert desk.slot == 49
    assert desk.failed(desk.bob, *desk.give(desk.bob, second)), "slot 50 is too late"
    before = desk.world.balance(home)
    desk.done(desk.ann, options.reclaim(desk.program, second, home))
    assert desk.world.balance(home) == before + AMOUNT


def test_only_who_may() -> None:
    desk = Desk()
    option = desk.written(100)
    assert desk.failed(desk.carol, *desk.give(desk.carol, option)), "nobody has bought it"
    assert desk.failed(desk.bob, *desk.buy(desk.bob, option, PREMIUM - 1)), "dearer than he would pay"
    assert desk.failed(desk.bob, options.buy(desk.program, option, PREMIUM)), "not paid"
    assert desk.failed(desk.carol, options.offer(desk.program, option, 1)), "another's"
    desk.done(desk.bob, *desk.buy(desk.bob, option))
    assert desk.failed(desk.carol, *desk.buy(desk.carol, option)), "sold"
    assert desk.failed(desk.ann, options.offer(desk.program, option, 2 * PREMIUM)), "sold"
    assert desk.failed(desk.carol, *desk.give(desk.carol, option)), "another's"
    assert desk.failed(desk.bob, options.exercise(desk.program, option, desk.tokens[desk.bob])), (
        "nothing given"
    )
    assert desk.failed(desk.carol, options.reclaim(desk.program, option, desk.tokens[desk.carol]))


def test_unsold_is_taken_back_and_uncovered_is_not_offered() -> None:
    desk = Desk()
    option = desk.written(100)
    home = desk.tokens[desk.ann]
    before = desk.world.balance(home)
    desk.done(desk.ann, options.reclaim(desk.program, option, home))
    assert desk.world.balance(home) == before + AMOUNT
    assert desk.failed(desk.bob, *desk.buy(desk.bob, option))
    write = options.write(desk.program, (TOKEN, 0), AMOUNT, STRIKE, 100, desk.ann)
    _, bare, _ = desk.done(desk.ann, write)
    assert desk.failed(desk.ann, options.offer(desk.program, bare, PREMIUM)), "nothing is locked"
    for wrong in (
        options.write(desk.program, (TOKEN, 0), AMOUNT, STRIKE, desk.slot, desk.ann),
        options.write(desk.program, (TOKEN, 0), AMOUNT, STRIKE, 100, home),
        options.write(desk.program, (TOKEN, 0), 0, STRIKE, 100, desk.ann),
    ):
        assert desk.failed(desk.ann, wrong)


def test_no_other_cell_is_an_option() -> None:
    desk = Desk()
    option = desk.written(100)
    for cell in (option + 1, *options.purses(option), desk.program + 1, desk.ann):
        assert desk.failed(desk.ann, options.reclaim(desk.program, cell, desk.tokens[desk.ann]))
