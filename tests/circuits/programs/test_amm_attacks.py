"""What an independent reader tried on the AMM: prices moved before others, shares inflated, cells taken for pools.

Each step is run in specification and kernel.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.programs import amm
from circuits.rollup.ledger import Ledger
from circuits.rollup.types import Call
from tests.circuits.programs.test_amm import ANY, TOKEN, Market
from tests.properties.signing import sign_batch, signers, with_keys
from tests.whole import prove_and_verify, whole

START = 10**9
U64 = 2**64 - 1


def opened(kernel: bool = True, first: int = START, second: int = START) -> tuple[Market, int]:
    """A pool into which Ann has put both; her position."""
    market = Market(kernel)
    _, position, _ = market.done(market.ann, *market.add(market.ann, first, second))
    return market, position


def refilled(market: Market, **balances: int) -> None:
    """Token purses with other balances, by hand: what an issuer may mint."""
    purses = {"bob": market.tokens[market.bob], "ann": market.tokens[market.ann], "pool": market.second}
    cells = dict(market.world.ledger.cells)
    for name, balance in balances.items():
        cells[purses[name]] = replace(market.world.purse(purses[name]), balance=balance)
    market.world.ledger = Ledger.of_cells(cells, market.world.ledger.codes.values())


@pytest.mark.parametrize(("slack", "stolen"), [(100, False), (ANY, True)])
def test_whoever_moves_the_price_before_a_deposit_gains_what_its_slack_allows(
    slack: int, stolen: bool
) -> None:
    """Bob buys, Ann adds at his price, Bob sells: a fifth of her deposit is his, but for the bound."""
    market, _ = opened()
    coins, tokens = market.world.balance(market.bob), market.world.balance(market.tokens[market.bob])
    _, _, got = market.done(market.bob, *market.buy(market.bob, START))
    fees = market.last.fee
    assert market.failed(market.ann, *market.add(market.ann, START, START, slack)) is not stolen
    market.done(market.bob, *market.sell(market.bob, got))
    fees += market.last.fee
    assert market.world.balance(market.tokens[market.bob]) == tokens
    gain = market.world.balance(market.bob) + fees - coins
    assert gain > START // 6 if stolen else gain < 0


def test_a_deposit_before_the_first_one_sets_its_price_within_the_slack() -> None:
    """Bob is first, with dust at a price of his: Ann would leave him nearly all that she pays in."""
    market = Market()
    market.done(market.bob, *market.add(market.bob, amm.LOCKED_SHARES + 1, 1))
    assert market.failed(market.ann, *market.add(market.ann, START, START, 9_989)), (
        "she would pay a thousandth"
    )
    assert market.failed(market.ann, *market.add(market.ann, START, 999_000)), "the most"
    market.done(market.ann, *market.add(market.ann, START, START, 9_991))


@pytest.mark.parametrize(
    ("slack", "fits"), [(0, False), (4_999, False), (5_000, True), (ANY, True), (ANY + 1, False)]
)
def test_the_least_that_is_added_is_rounded_up(slack: int, fits: bool) -> None:
    """10^6 + 1 are needed; of 2 (10^6 + 1) - 1 at most, half is 10^6 + 1/2."""
    market, _ = opened()
    assert market.failed(market.bob, *market.add(market.bob, 10**6 + 1, 2 * 10**6 + 1, slack)) is not fits
    exact, _ = opened(kernel=False)
    exact.done(exact.bob, *exact.add(exact.bob, 10**6, 10**6, 0))


@given(st.integers(1, 10**11), st.integers(1, 10**9 - 1000), st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_whoever_moves_the_price_before_a_removal_pays_for_it(
    amount: int, shares: int, back: int, second: bool
) -> None:
    """At the price of before Bob has no more than before, whatever part he takes back: no bound is needed."""
    market, position = opened(False, START, 3 * START)
    price = Fraction(1, 3)
    coins, tokens = market.world.balance(market.bob), market.world.balance(market.tokens[market.bob])
    way, home = (market.sell, market.buy) if second else (market.buy, market.sell)
    if market.failed(market.bob, *way(market.bob, amount)):
        return
    fees, got = market.last.fee, market.last.events[-1].values[2]
    market.done(
        market.ann, amm.remove(market.program, position, shares, (market.ann, market.tokens[market.ann]))
    )
    market.failed(market.bob, *home(market.bob, got * back // 10_000))  # or it is dust
    fees += market.last.fee
    now = market.world.balance(market.bob) + fees - coins
    assert now + (market.world.balance(market.tokens[market.bob]) - tokens) * price <= 0


def test_shares_are_not_inflated_by_who_is_first() -> None:
    """Bob has one share, pays in a fortune and lets the pool earn it: the next one's deposit is worth what it was."""
    market = Market()
    _, mine, shares = market.done(
        market.bob, *market.add(market.bob, amm.LOCKED_SHARES + 1, amm.LOCKED_SHARES + 1)
    )
    assert shares == 1
    for _ in range(3):
        assert not market.failed(market.bob, Call.bank_move(market.bob, market.first, 10**9))
        _, _, got = market.done(market.bob, *market.buy(market.bob, 10**9))
        market.done(market.bob, *market.sell(market.bob, got))
    before = market.state()
    assert before.first > 10**6, "fees for the shares that are nobody's"
    amount, price = 10**8, Fraction(before.second, before.first)
    _, position, shares = market.done(market.ann, *market.add(market.ann, amount, 10**9))
    now = market.state()
    worth = Fraction(shares, now.shares) * (now.first + now.second / price)
    paid = amount + (now.second - before.second) / price
    assert worth > paid * (1 - Fraction(before.first, amount * before.shares) - Fraction(1, 10**6))
    to = market.bob, market.tokens[market.bob]
    market.done(market.bob, amm.remove(market.program, mine, 1, to))
    assert market.state().first > now.first - now.first // now.shares - 1, "a share is a share"
    assert market.failed(market.bob, amm.remove(market.program, position, 1, to))


def test_a_pool_is_first_filled_once() -> None:
    """All shares but nobody's are taken out: who comes then buys at the price of what is left."""
    market, position = opened()
    to = market.ann, market.tokens[market.ann]
    market.done(market.ann, amm.remove(market.program, position, START - amm.LOCKED_SHARES, to))
    state = market.state()
    assert (state.first, state.second, state.shares) == (1000, 1000, 1000)
    assert market.failed(market.bob, *market.add(market.bob, 10**6, 10**6 - 1))
    _, _, shares = market.done(market.bob, *market.add(market.bob, 10**6, 10**6))
    assert shares == 10**6


def test_one_payment_is_one_deposit_or_one_swap() -> None:
    market, _ = opened()
    bob = market.bob
    pay_first, pay_second, add = market.add(bob, 10**6, 10**6)
    pay, swap = market.buy(bob, 10**6)
    for calls in (
        (pay_first, pay_second, add, add),
        (pay_first, pay_second, add, swap),
        (pay, swap, swap),
        (pay, swap, pay_second, add),
        (pay_second, add),
        (pay_first, add),
        (swap, pay),
    ):
        assert market.failed(bob, *calls)
    market.done(bob, pay_first, pay_second, add, pay, swap, pay_first, pay_second, add)


def test_pools_and_programs_are_apart() -> None:
    """Money in one pool buys nothing in another; cells of a program's twin are none of its own."""
    market, position = opened()
    bob, tokens = market.bob, market.tokens[market.bob]
    _, other, _ = market.done(bob, amm.create(market.program, 0, TOKEN))
    first, second = amm.purses(other)
    moves = Call.bank_move(bob, first, 10**6), Call.bank_move(tokens, second, 10**6)
    assert market.failed(bob, *moves, amm.swap(market.program, market.pool, False, 0, tokens))
    assert market.failed(bob, *moves, amm.add(market.program, market.pool, 10**6, 10**6, tokens, ANY))
    assert market.failed(bob, *moves[:1], amm.swap(market.program, other, False, 0, tokens)), "an empty pool"
    _, mine, shares = market.done(bob, *moves, amm.add(market.program, other, 10**6, 10**6, tokens, ANY))
    assert market.failed(bob, amm.remove(market.program, mine, shares + 1, (bob, tokens))), "only this pool's"
    assert market.failed(bob, amm.remove(market.program, mine, shares, (tokens, bob))), "assets exchanged"
    to = market.ann, market.tokens[market.ann]
    for call in (
        amm.remove(market.twin, position, 1, to),
        amm.swap(market.twin, market.pool, False, 0, market.tokens[market.ann]),
        amm.add(market.twin, market.pool, 10**6, 10**6, market.tokens[market.ann], ANY),
    ):
        assert market.failed(market.ann, *market.add(market.ann, 10**6, 10**6)[:2], call)
    before = market.world.data(market.pool)
    market.done(bob, amm.remove(market.program, mine, shares, (bob, tokens)))
    assert market.world.data(market.pool) == before


def test_a_position_is_no_pool_whatever_stands_behind_it() -> None:
    """Purses of the program's that Bob has made there: as a first deposit, what he adds would become his shares."""
    market, _ = opened()
    bob, tokens = market.bob, market.tokens[market.bob]
    _, position, shares = market.done(bob, *market.add(bob, 10**6, 10**6))
    assets = TOKEN, 0
    for asset in assets:
        market.done(bob, Call(market.maker, 0, (asset, market.program, 0, 0)))
    for way in (0, 1):
        purses = position + 1, position + 2
        moves = Call.bank_move(tokens, purses[0], 10**9), Call.bank_move(bob, purses[1], 10**6)
        swap = amm.swap(market.program, position, bool(way), 0, (bob, tokens)[way])
        assert market.failed(bob, *moves, swap)
        assert market.failed(bob, *moves, amm.add(market.program, position, 10**8, 10**6, bob, ANY))
    assert market.world.data(position)[1] == shares


def test_gifts_are_no_liquidity_and_stop_nobody() -> None:
    market, position = opened()
    market.failed(market.bob, Call.bank_move(market.bob, market.first, 10**12))
    market.failed(market.bob, Call.bank_move(market.tokens[market.bob], market.second, 10**11))
    to = market.ann, market.tokens[market.ann]
    coins, tokens = market.world.balance(market.ann), market.world.balance(to[1])
    market.done(market.ann, amm.remove(market.program, position, 10**6, to))
    assert (market.world.balance(market.ann) + market.last.fee, market.world.balance(to[1])) == (
        coins + 10**6, tokens + 10**6,
    )  # fmt: skip
    market.done(market.ann, *market.add(market.ann, 10**6, 10**6, 0))
    assert market.world.balance(to[1]) == tokens + 10**6 - 10**6 + 10**11
    market.done(market.ann, *market.buy(market.ann, 1))
    assert market.last.events[-1].values[1] == 10**12 + 1


def test_an_issuer_that_mints_all_there_can_be_locks_no_bitcoin() -> None:
    """The pool's purse and the provider's are full: the token cannot be paid in, but what is in comes out."""
    market, position = opened()
    bob, tokens = market.bob, market.tokens[market.bob]
    refilled(market, pool=U64, ann=U64)
    assert market.failed(bob, *market.sell(bob, 1)), "full"
    for purse, room in ((market.tokens[market.ann], False), (market.second, True), (tokens, True)):
        call = amm.remove(market.program, position, 1000, (market.ann, purse))
        assert market.failed(market.ann, call) is not room
    refilled(market, pool=U64)
    market.done(bob, *market.buy(bob, 10**6))
    refilled(market, pool=U64)
    market.done(bob, amm.swap(market.program, market.pool, True, 0, bob))
    state = market.state()
    assert state.second == U64 and state.first >= 1, "what a token is worth is its issuer's word"
    market.done(market.ann, amm.remove(market.program, position, START - 3000, (market.ann, tokens)))
    assert market.state().first >= 1


def test_sums_and_products_beyond_u64_are_refused() -> None:
    market = Market()
    refilled(market, ann=2**63, bob=2**63)
    market.done(market.ann, *market.add(market.ann, 2000, 2**63))
    assert market.failed(market.bob, *market.add(market.bob, 2000, 2**63)), "reserves of 2^64"
    assert market.failed(market.bob, *market.add(market.bob, U64, 2**63)), "product"
    assert market.failed(market.bob, *market.add(market.bob, 10**12, 2**63)), "what is needed is above 2^64"
    assert market.failed(market.bob, amm.add(market.program, U64, 1, 1, market.tokens[market.bob], ANY))
    assert market.failed(market.bob, amm.swap(market.program, 2**30, False, 0, market.tokens[market.bob]))
    assert market.failed(market.bob, amm.create(market.program, 0, 2**30)), "no asset"
    _, _, shares = market.done(market.bob, *market.add(market.bob, 1999, 2**63 - 1))
    assert shares == 1999


def test_what_is_taken_is_at_least_what_was_asked() -> None:
    """Exactly the least passes; a part that rounds to nothing of the first asset may be taken."""
    market, position = opened()
    to = market.ann, market.tokens[market.ann]
    assert market.failed(market.ann, amm.remove(market.program, position, 10**6, to, 10**6 + 1))
    market.done(market.ann, amm.remove(market.program, position, 10**6, to, 10**6))
    assert market.failed(market.ann, amm.remove(market.program, position, 0, to)), "nothing"
    bob, tokens = market.bob, market.tokens[market.bob]
    pay = market.add(bob, 10**6, 10**6)[:2]
    assert market.failed(bob, *pay, amm.add(market.program, market.pool, 10**6, 10**6 - 1, tokens, ANY)), (
        "the most"
    )
    assert market.failed(
        bob, *pay, Call(market.program, amm.Selector.SWAP, (market.pool | 2 << 32, 0, bob, 0))
    ), "a third side"
    assert market.failed(market.bob, amm.remove(market.program, position, 1, to)), "another's"


@pytest.mark.slow
def test_a_refused_sandwich_is_proven() -> None:
    """Bob buys, Ann's deposit is refused, Bob sells at a loss: one batch of each, proven."""
    market, _ = opened(kernel=False)
    _, _, got = market.done(market.bob, *market.buy(market.bob, START))
    market.world.kernel = True
    assert market.failed(market.ann, *market.add(market.ann, START, START, 100))
    market.done(market.bob, *market.sell(market.bob, got))
    keys = signers([market.ann, market.bob])
    for before, blank in market.world.batches[-2:]:
        real = with_keys(before, keys)
        done = whole(real, sign_batch(real, blank, keys))
        assert len(done.transition.receipts) == 1
        prove_and_verify(done)
