"""The AMM by example: each step against plain integers, specification and kernel."""

from __future__ import annotations

from circuits.machine.user_assembler import assemble_user
from circuits.programs import amm
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse, owner_cell
from circuits.rollup.types import Call
from tests.circuits.programs.world import World, account

TOKEN = 9
"""An asset that no program of this chain issues; genesis has given some of it away."""
MAKER = """
    .reg    purse
    CALL    CREATE_PURSE, r2, r3        ; asset, owner
    MOV     purse, r1
    CALL    EVENT, 0, purse, 0
    SYS     EXIT
"""
ANY = 10_000
"""Slack of who adds at whatever price."""


class Market:
    """A pool of BTC and a token, two people; `twin` is the same program once more, `maker` makes purses for anyone."""

    def __init__(self, kernel: bool = True) -> None:
        genesis = Genesis(7, 100)
        self.ann, self.bob, self.producer = (account(genesis) for _ in range(3))
        self.tokens = {
            p: genesis.add(Purse(owner_cell(p), 10**12, asset=TOKEN)) for p in (self.ann, self.bob)
        }
        self.program = genesis.program(lambda cell: amm.build())
        self.twin = genesis.program(lambda cell: amm.build())
        self.maker = genesis.program(lambda cell: assemble_user(MAKER))
        self.world = World(genesis, kernel=kernel)
        self.slot = 0
        self.pool = self.done(self.ann, amm.create(self.program, 0, TOKEN))[1]
        self.first, self.second = amm.purses(self.pool)

    def failed(self, signer: int, *calls: Call) -> bool:
        self.slot += 1
        self.world.send(signer, *calls)
        (receipt,) = self.world.produce(self.slot, self.producer, 1).receipts
        self.last = receipt
        return receipt.failure is not None

    def done(self, signer: int, *calls: Call) -> tuple[int, int, int]:
        assert not self.failed(signer, *calls), self.last.detail
        return self.last.events[-1].values

    def state(self) -> amm.Pool:
        return amm.Pool(*self.world.data(self.pool))

    def add(self, who: int, amount: int, most: int, slack: int = ANY) -> tuple[Call, ...]:
        return (
            Call.bank_move(who, self.first, amount),
            Call.bank_move(self.tokens[who], self.second, most),
            amm.add(self.program, self.pool, amount, most, self.tokens[who], slack),
        )

    def buy(self, who: int, paid: int, least: int = 0, deadline: int = 0) -> tuple[Call, ...]:
        move = Call.bank_move(who, self.first, paid)
        return move, amm.swap(self.program, self.pool, False, least, self.tokens[who], deadline)

    def sell(self, who: int, paid: int, least: int = 0) -> tuple[Call, ...]:
        move = Call.bank_move(self.tokens[who], self.second, paid)
        return move, amm.swap(self.program, self.pool, True, least, who)


def out(paid: int, into: int, out_of: int) -> int:
    after_fee = paid - -(-paid * 30 // 10_000)
    return out_of * after_fee // (into + after_fee)


def test_life_of_a_pool() -> None:
    market = Market()
    assert market.last.events[-1].values == (amm.Said.CREATED, market.pool, TOKEN << 32)
    _, first_position, shares = market.done(market.ann, *market.add(market.ann, 10**9, 4 * 10**9))
    assert shares == 10**9 - amm.LOCKED_SHARES
    assert market.state() == amm.Pool(market.state().tag, 10**9, 4 * 10**9, 10**9)

    held = market.world.balance(market.tokens[market.bob])
    _, paid, got = market.done(market.bob, *market.buy(market.bob, 12_345_678))
    assert (paid, got) == (12_345_678, out(12_345_678, 10**9, 4 * 10**9))
    assert market.world.balance(market.tokens[market.bob]) == held + got
    state = market.state()
    _, paid, back = market.done(market.bob, *market.sell(market.bob, got))
    assert back == out(got, state.second, state.first) < 12_345_678
    assert market.state().first * market.state().second > 4 * 10**18

    state = market.state()
    held = market.world.balance(market.tokens[market.bob])
    _, position, shares = market.done(market.bob, *market.add(market.bob, 10**7, 10**9))
    needed = -(-(10**7) * state.second // state.first)
    assert shares == 10**7 * state.shares // state.first
    assert market.world.balance(market.tokens[market.bob]) == held - needed

    state = market.state()
    to = (market.bob, market.tokens[market.bob])
    market.done(market.bob, amm.remove(market.program, position, shares, to))
    taken = shares * state.first // state.shares, shares * state.second // state.shares
    assert taken[0] <= 10**7 and taken[1] <= needed
    now = market.state()
    assert (now.first, now.second, now.shares) == (
        state.first - taken[0], state.second - taken[1], state.shares - shares,
    )  # fmt: skip
    assert market.failed(market.bob, amm.remove(market.program, position, 1, to))
    assert market.failed(market.bob, amm.remove(market.program, first_position, 1, to))
    assert market.world.balance(market.first) == now.first
    assert market.world.balance(market.second) == now.second


def test_limits_of_the_caller_hold() -> None:
    market = Market()
    market.done(market.ann, *market.add(market.ann, 10**9, 10**9))
    wanted = out(10**6, 10**9, 10**9)
    assert market.failed(market.bob, *market.buy(market.bob, 10**6, wanted + 1))
    assert market.failed(market.bob, *market.buy(market.bob, 10**6, wanted, deadline=market.slot))
    market.done(market.bob, *market.buy(market.bob, 10**6, wanted, deadline=market.slot + 1))
    assert market.failed(market.bob, *market.add(market.bob, 10**6, 10**3)), "the second asset is not enough"
    assert market.failed(market.bob, amm.add(market.program, market.pool, 10**6, 10**6, market.bob, ANY)), (
        "unpaid"
    )
    assert market.failed(market.bob, amm.swap(market.program, market.pool, False, 0, market.bob)), (
        "nothing in"
    )


def test_first_deposit_is_no_dust_and_gifts_move_no_price() -> None:
    market = Market()
    assert market.failed(market.ann, *market.add(market.ann, amm.LOCKED_SHARES, 10**6))
    assert market.failed(market.ann, *market.add(market.ann, 10**6, 0))
    market.done(market.ann, *market.add(market.ann, 2000, 2000))
    assert not market.failed(market.ann, Call.bank_move(market.ann, market.first, 10**9))
    before = market.state()
    market.done(market.bob, *market.add(market.bob, 10**6, 10**6))
    after = market.state()
    assert after.shares - before.shares == 10**6, "the gift has not diluted him"


def test_nothing_but_a_pool_is_taken_for_one() -> None:
    market = Market()
    _, position, _ = market.done(market.ann, *market.add(market.ann, 10**6, 10**6))
    for cell in (position, market.first, market.ann, market.program + 1):
        assert market.failed(market.bob, amm.swap(market.program, cell, False, 0, market.bob))
        assert market.failed(market.bob, amm.add(market.program, cell, 0, 0, market.bob, ANY))
    to = (market.ann, market.tokens[market.ann])
    assert market.failed(market.ann, amm.remove(market.program, market.pool, 1, to))
    assert market.failed(market.ann, amm.create(market.program, 5, 5))
