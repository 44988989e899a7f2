"""The oracle: median, age, who may post; specification and kernel."""

from __future__ import annotations

import random

import pytest

from circuits.programs import oracle
from circuits.programs.genesis import Genesis
from tests.circuits.programs.world import World, account

MAX_AGE = 5
ASSET = 77
LATER = 2**64 - 1


def chain(feeds: int, kernel: bool = True) -> tuple[World, int, list[int], int]:
    genesis = Genesis(7, 100)
    people = [account(genesis) for _ in range(feeds + 1)]
    program = genesis.program(lambda cell: oracle.build(ASSET, people[:feeds], MAX_AGE))
    world = World(genesis, kernel=kernel)
    world.send(people[-1], oracle.open_feeds(program))
    assert world.produce(1, people[-1], 1).receipts[0].failure is None
    return world, program, people[:feeds], people[-1]


def told(world: World, program: int) -> oracle.Price:
    return oracle.Price(*world.data(oracle.price_cell(program)))


@pytest.mark.parametrize("feeds", [1, 2, 3, 5, 9])
def test_price_is_the_lower_median_of_live_posts(feeds: int) -> None:
    world, program, people, producer = chain(feeds, kernel=feeds < 9)
    rng, posts = random.Random(feeds), {}
    slot = 2
    for _ in range(12):
        slot += rng.randrange(1, 4)
        for person in rng.sample(people, rng.randrange(1, feeds + 1)):
            price = rng.choice((1, 2, 3, 10**9, 2**64 - 1, rng.randrange(1, 10**6)))
            world.send(person, oracle.post(program, price, LATER))
            posts[person] = (price, slot)
        done = world.produce(slot, producer, 1)
        assert [receipt.failure for receipt in done.receipts] == [None] * len(done.receipts)
        live = {p: (price, at) for p, (price, at) in posts.items() if slot - at <= MAX_AGE}
        found = told(world, program)
        assert found.price == sorted(price for price, _ in live.values())[(len(live) - 1) // 2]
        assert found.live == len(live)
        assert found.oldest == min(at for _, at in live.values())
        assert found.asset == ASSET


def test_strangers_zero_and_a_second_opening_are_refused() -> None:
    world, program, people, stranger = chain(3)
    world.send(stranger, oracle.post(program, 5, LATER))
    world.send(people[0], oracle.post(program, 0, LATER))
    world.send(stranger, oracle.open_feeds(program))
    done = world.produce(2, stranger, 1)
    assert all(receipt.failure is not None for receipt in done.receipts)
    assert told(world, program).live == 0


def test_one_feed_moves_the_price_no_further_than_its_neighbours() -> None:
    world, program, people, producer = chain(3)
    for person, price in zip(people, (100, 110, 120), strict=True):
        world.send(person, oracle.post(program, price, LATER))
    world.produce(2, producer, 1)
    for lie, median in ((1, 100), (10**15, 120)):
        world.send(people[1], oracle.post(program, lie, LATER))
        world.produce(world.ledger.system.slot + 1, producer, 1)
        assert told(world, program).price == median
