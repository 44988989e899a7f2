"""What an independent reader tried on the oracle: liars, posts held back, another's feed.

Each block is run in specification and kernel.
"""

from __future__ import annotations

import itertools
import random

import pytest

from circuits.programs import oracle
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import DataCell
from circuits.rollup.ledger import Ledger
from circuits.rollup.types import Call
from tests.circuits.programs.test_oracle import ASSET, LATER, MAX_AGE, chain, told
from tests.circuits.programs.world import World, account


def tried(world: World, signer: int, *calls: Call) -> bool:
    """Whether a list succeeds, in a block of the next slot."""
    world.send(signer, *calls)
    (receipt,) = world.produce(world.ledger.system.slot + 1, signer, 1).receipts
    return receipt.failure is None


@pytest.mark.parametrize("feeds", [3, 4, 5, 7, 8])
def test_less_than_half_cannot_move_the_price_beyond_what_honest_ones_say(feeds: int) -> None:
    world, program, people, producer = chain(feeds)
    rng = random.Random(feeds)
    for _ in range(6):
        liars = rng.sample(people, (feeds - 1) // 2)
        honest = {p: rng.randrange(1000, 1100) for p in people if p not in liars}
        lie = rng.choice((1, 2**64 - 1))
        for person in rng.sample(people, feeds):
            world.send(person, oracle.post(program, honest.get(person, lie), LATER))
        world.produce(world.ledger.system.slot + 1, producer, 1)
        assert min(honest.values()) <= told(world, program).price <= max(honest.values())
        assert told(world, program).live == feeds


def test_half_of_an_even_number_can_lower_it() -> None:
    """So a consumer that takes two posts takes one feed's word: lending asks for three."""
    world, program, people, _ = chain(2)
    assert tried(world, people[0], oracle.post(program, 1000, LATER))
    assert tried(world, people[1], oracle.post(program, 2**63, LATER))
    assert told(world, program).price == 1000
    assert tried(world, people[1], oracle.post(program, 1, LATER))
    assert told(world, program).price == 1


def test_a_post_that_was_held_back_counts_no_more() -> None:
    """It would be dated by the block that includes it: an old price, as good as new."""
    world, program, people, _ = chain(3)
    slot = world.ledger.system.slot
    assert not tried(world, people[0], oracle.post(program, 7, slot))
    assert told(world, program).live == 0
    assert tried(world, people[0], oracle.post(program, 7, world.ledger.system.slot + 1)), "in time"
    assert (told(world, program).live, told(world, program).price) == (1, 7)


def test_a_feed_counts_once_however_often_it_posts() -> None:
    world, program, people, _ = chain(3)
    for price in (5, 6, 7):
        assert tried(world, people[1], oracle.post(program, price, LATER))
        assert (told(world, program).live, told(world, program).price) == (1, price)
    assert tried(world, people[1], *(oracle.post(program, price, LATER) for price in (8, 9)))
    assert (told(world, program).live, told(world, program).price) == (1, 9)
    assert tried(world, people[0], oracle.post(program, 5, LATER))
    assert not tried(world, people[1], oracle.post(program, 0, LATER)), "nothing is taken back"
    assert (told(world, program).live, told(world, program).price) == (2, 5)


def test_a_post_is_dated_by_its_slot_and_no_other_post_makes_it_younger() -> None:
    world, program, people, producer = chain(3)
    assert tried(world, people[0], oracle.post(program, 5, LATER))
    first = world.ledger.system.slot
    for slot in range(first + 1, first + MAX_AGE + 1):
        assert tried(world, people[1 + slot % 2], oracle.post(program, 9, LATER))
        assert told(world, program).oldest == first
    assert told(world, program).live == 3
    assert tried(world, people[1], oracle.post(program, 9, LATER))
    assert told(world, program).live == 2
    world.produce(first + 100, producer, 1)
    assert told(world, program).oldest < first + 10, "no one else dates it"
    assert tried(world, people[2], oracle.post(program, 4, LATER))
    assert (told(world, program).live, told(world, program).price) == (1, 4)


def test_only_live_posts_are_ranked_whatever_the_others_said() -> None:
    """Each order of three prices, each poster, each age of the other posts, put there by hand; specification alone."""
    world, program, people, producer = chain(3, kernel=False)
    first, slot = told(world, program).posts, 100
    ages = itertools.product((1, MAX_AGE, MAX_AGE + 1, None), repeat=2)
    for poster, prices, old in itertools.product(range(3), itertools.permutations((10, 20, 30)), ages):
        slot += 1
        posts = {poster: (prices[poster], slot)}
        cells = dict(world.ledger.cells)
        for feed, age in zip((feed for feed in range(3) if feed != poster), old, strict=True):
            posts[feed] = (0, 0) if age is None else (prices[feed], slot - age)
            cells[first + feed] = DataCell(program, (*posts[feed], 0, 0))
        world.ledger = Ledger.of_cells(cells, world.ledger.codes.values())
        world.send(people[poster], oracle.post(program, prices[poster], LATER))
        (receipt,) = world.produce(slot, producer, 1).receipts
        live = [(price, at) for price, at in posts.values() if slot - at <= MAX_AGE]
        found = told(world, program)
        assert found.price == sorted(price for price, _ in live)[(len(live) - 1) // 2]
        assert (found.live, found.oldest) == (len(live), min(at for _, at in live))
        assert receipt.events[-1].values == (oracle.POSTED, prices[poster], found.price)


def test_a_feed_of_another_oracle_is_a_stranger_and_an_unopened_one_takes_no_posts() -> None:
    genesis = Genesis(7, 100)
    ann, bob, carol = (account(genesis) for _ in range(3))
    ours = genesis.program(lambda cell: oracle.build(ASSET, [ann, carol], MAX_AGE))
    theirs = genesis.program(lambda cell: oracle.build(ASSET, [bob, carol], MAX_AGE))
    world = World(genesis, kernel=True)
    assert not tried(world, ann, oracle.post(ours, 5, LATER)), "not opened"
    assert tried(world, bob, oracle.open_feeds(ours))
    assert not tried(world, ann, oracle.open_feeds(ours)), "once"
    assert not tried(world, bob, oracle.post(ours, 5, LATER))
    assert not tried(world, carol, oracle.post(ours, 5, LATER), oracle.post(theirs, 5, LATER))
    assert tried(world, carol, oracle.post(ours, 5, LATER))
    assert not tried(world, carol, oracle.open_feeds(ours)), "nor when there are posts"
    assert told(world, ours).live == 1
    assert tried(world, ann, oracle.open_feeds(theirs))
    assert told(world, theirs).live == told(world, theirs).price == 0
    assert tried(world, ann, oracle.post(ours, 3, LATER))
    for selector in (2, 2**32 - 1):
        assert not tried(world, ann, Call(ours, selector, (5, LATER, 0, 0)))


def test_nine_feeds_fit_in_a_list_with_its_limit() -> None:
    world, program, people, producer = chain(9)
    for person in people:
        world.send(person, oracle.post(program, person, LATER))
    receipts = world.produce(2, producer, 1).receipts
    assert [receipt.failure for receipt in receipts] == [None] * 9
    assert max(receipt.gas for receipt in receipts) < 200_000 // 8


def test_feeds_are_different_and_one_to_nine() -> None:
    for feeds in ([], [16, 16], list(range(16, 26))):
        with pytest.raises(ValueError, match="feeds"):
            oracle.build(ASSET, feeds, MAX_AGE)
