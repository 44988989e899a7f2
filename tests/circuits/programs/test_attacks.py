"""Attacks on the economy: each is refused in the specification and in the kernel, and the refusal is proven.

A story plays a market up to the point of the attack; then one batch holds all attacks of a program. Nothing but fees,
nonces and leaves of the attackers changes by it. The slow tests prove those batches; both verifiers accept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from circuits.programs import amm, lending, options, oracle, staking, top
from circuits.programs.election import Election
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse, owner_cell
from circuits.rollup.errors import BatchReason, BatchRefused
from circuits.rollup.types import Call
from circuits.xmss.scheme import PublicKey
from examples.programs import token
from tests.circuits.programs.test_amm import ANY, Market
from tests.circuits.programs.test_election import RULES, chain
from tests.circuits.programs.test_lending import RULES as LENDING
from tests.circuits.programs.test_lending import Bank
from tests.circuits.programs.test_options import Desk
from tests.circuits.programs.test_top import House
from tests.circuits.programs.world import World, account, block
from tests.circuits.rollup.builders import key
from tests.properties.signing import sign_batch, signers, with_keys
from tests.whole import prove_and_verify, whole

Attack = tuple[int, tuple[Call, ...]]


@dataclass
class Case:
    """A world at the point of the attack.

    Attributes:
        world: The ledger.
        attacks: Signer and list of calls, by name; each must fail.
        slot, producer, height: Of the batch that holds them.
        elect: Who produces, where not everybody may.
    """

    world: World
    attacks: dict[str, Attack]
    slot: int
    producer: int
    height: int = 1
    elect: Callable[[World, int], int] | None = None


def staking_case() -> Case:
    world, layout, sequencers, rich = chain()
    program, (sara, sven, _) = layout.program, sequencers
    owner = world.data(sara)[0] & 0xFFFFFFFF
    events, height = [block(13)], 1
    slot = 3

    def produce(*sent: tuple[int, tuple[Call, ...]]) -> list[int]:
        nonlocal slot, events
        for signer, calls in sent:
            world.send(signer, *calls)
        leader = Election(world.ledger, layout, RULES, events).leader(slot)
        assert leader is not None
        done = world.produce(slot, staking.producer_purse(leader), height, events)
        assert [receipt.failure for receipt in done.receipts] == [None] * len(sent)
        slot, events = slot + 1, []
        return [receipt.events[-1].values[1] for receipt in done.receipts if receipt.events]

    amount = RULES.min_stake * 2
    mine, other = produce(
        (rich, (Call.bank_move(rich, layout.stakes, amount), staking.stake(program, sara, amount))),
        (rich, (Call.bank_move(rich, layout.stakes, amount), staking.stake(program, sven, amount))),
    )
    produce((rich, (staking.unstake(program, mine),)))
    produce((rich, (staking.claim(program, other),)))
    thief = owner
    attacks: dict[str, Attack] = {
        "stake of another is unstaked": (thief, (staking.unstake(program, other),)),
        "reward of another is claimed": (thief, (staking.claim(program, other),)),
        "reward is claimed after the unstake": (rich, (staking.claim(program, mine),)),
        "unstaked twice": (rich, (staking.unstake(program, mine),)),
        "released too early": (rich, (staking.release(program, mine),)),
        "stake without money": (rich, (staking.stake(program, sara, amount),)),
        "dust is staked": (rich, (Call.bank_move(rich, layout.stakes, 5), staking.stake(program, sara, 5))),
        "a stake is passed as a sequencer": (rich, (staking.earn(program, other),)),
        "a sequencer is passed as a stake": (owner, (staking.unstake(program, sara),)),
        "its second cell is passed as a stake": (owner, (staking.claim(program, sara + 1),)),
        "a node is passed as a stake": (rich, (staking.claim(program, layout.nodes + 1),)),
        "totals are passed as a stake": (rich, (staking.release(program, layout.totals),)),
        "commission of another": (rich, (staking.earn(program, sara),)),
        "another resigns": (rich, (staking.resign(program, sara),)),
        "bond without resigning": (owner, (staking.unbond(program, sara),)),
        "a leaf in use is taken over": (
            rich,
            (Call.bank_move(rich, layout.stakes, RULES.bond), staking.register(program, 1, sara)),
        ),
        "a sequencer without a bond": (rich, (staking.register(program, 1),)),
        "one statement is shown twice": (rich, (staking.slash(program, sara, 3, (5, 5), (40, 41)),)),
        "parts of one commitment": (rich, (staking.slash(program, sara, 3, (4, 5), (40, 41)),)),
        "the hook is called by hand": (rich, (Call(program, 0, (slot, rich, slot - 1, 1)),)),
    }

    def elect(world: World, slot: int) -> int:
        leader = Election(world.ledger, layout, RULES).leader(slot)
        assert leader is not None
        return staking.producer_purse(leader)

    return Case(world, attacks, slot, rich, elect=elect)


def amm_case() -> Case:
    market = Market(kernel=False)
    _, position, shares = market.done(market.ann, *market.add(market.ann, 10**9, 10**9))
    program, bob = market.program, market.bob
    to = bob, market.tokens[bob]
    attacks: dict[str, Attack] = {
        "liquidity of another": (bob, (amm.remove(program, position, 1, to),)),
        "more shares than there are": (market.ann, (amm.remove(program, position, shares + 1, to),)),
        "shares for nothing": (bob, (amm.add(program, market.pool, 10**6, 10**6, market.tokens[bob], ANY),)),
        "shares for dust": (bob, market.add(bob, 0, 10**6)),
        "a swap of nothing": (bob, (amm.swap(program, market.pool, False, 0, market.tokens[bob]),)),
        "less than asked": (bob, market.buy(bob, 1000, 998)),
        "too late": (bob, market.buy(bob, 10**6, 0, deadline=1)),
        "the pool's purse is emptied": (bob, (Call.bank_move(market.first, bob, 1),)),
        "the wrong asset comes out": (
            bob,
            (market.buy(bob, 10**6)[0], amm.swap(program, market.pool, False, 0, bob)),
        ),
        "a pool is passed as a position": (bob, (amm.remove(program, market.pool, 1, to),)),
        "the book is passed as a pool": (bob, (amm.swap(program, program + 1, False, 0, bob),)),
        "in and out before the money": (bob, tuple(reversed(market.add(bob, 10**6, 10**6)))),
    }
    return Case(market.world, attacks, market.slot + 1, market.producer)


def lending_case() -> Case:
    bank = Bank(kernel=False)
    saved = bank.deposit(bank.ann, 10**9)
    _, loan, _ = bank.done(bank.bob, *bank.put(bank.bob, 2 * 10**8))
    bank.done(bank.bob, lending.borrow(bank.program, loan, 10**8))
    _, bare, _ = bank.done(bank.carol, *bank.put(bank.carol, 10**6))
    program, bob, carol = bank.program, bank.bob, bank.carol
    liquidation = lending.liquidate(program, loan, 10**7, bank.tokens[carol])
    round_trip = (
        *bank.put(bob, 10**8, loan),
        lending.borrow(program, loan, 10**8),
        lending.take(program, loan, 10**8, bank.tokens[bob]),
    )
    attacks: dict[str, Attack] = {
        "undercollateralised": (bob, (lending.borrow(program, loan, 10**8),)),
        "more than is covered": (carol, (lending.borrow(program, bare, 750_001),)),
        "pledge, borrow, take in one list": (bob, round_trip),
        "collateral of a debt": (bob, (lending.take(program, loan, 10**8, bank.tokens[bob]),)),
        "a healthy loan is liquidated": (carol, bank.pay(carol, liquidation, 10**7)),
        "liquidated without paying": (carol, (liquidation,)),
        "repaid without paying": (bob, (lending.repay(program, loan, 10**8),)),
        "another's deposit": (carol, (lending.withdraw(program, saved, 1),)),
        "another's collateral": (carol, (lending.take(program, loan, 1, bank.tokens[carol]),)),
        "another's loan is drawn": (carol, (lending.borrow(program, loan, 10**4),)),
        "a deposit without money": (carol, (lending.deposit(program, 10**6),)),
        "a deposit is passed as a loan": (bank.ann, (lending.borrow(program, saved, 10**4),)),
        "funds are passed as a loan": (bob, (lending.take(program, bank.cells.funds, 1, bank.tokens[bob]),)),
        "price by a stranger": (carol, (oracle.post(bank.oracle, 10**9, bank.slot + 9),)),
        "price of nothing": (bank.feeds[0], (oracle.post(bank.oracle, 0, bank.slot + 9),)),
    }
    return Case(bank.world, attacks, bank.slot + 1, bank.producer)


def stale_price_case() -> Case:
    bank = Bank(kernel=False)
    bank.deposit(bank.ann, 10**9)
    _, loan, _ = bank.done(bank.bob, *bank.put(bank.bob, 2 * 10**8))
    late = bank.slot + LENDING.max_age + 60
    attacks: dict[str, Attack] = {
        "a stale price": (bank.bob, (lending.borrow(bank.program, loan, 10**6),)),
        "a price by one feed": (bank.carol, (lending.borrow(bank.program, loan, 10**6),)),
    }
    bank.world.send(bank.feeds[0], oracle.post(bank.oracle, 10**12, late))
    bank.world.produce(late - 1, bank.producer, 1)
    return Case(bank.world, attacks, late, bank.producer)


def options_case() -> Case:
    desk = Desk()
    desk.world.kernel = False
    expired = desk.written(desk.slot + 5)
    desk.done(desk.bob, *desk.buy(desk.bob, expired))
    desk.slot += 20
    sold, open_ = desk.written(desk.slot + 100), desk.written(desk.slot + 100)
    desk.done(desk.bob, *desk.buy(desk.bob, sold))
    home = desk.tokens[desk.carol]
    attacks: dict[str, Attack] = {
        "exercised after expiry": (desk.bob, desk.give(desk.bob, expired)),
        "exercised by another": (desk.carol, desk.give(desk.carol, sold)),
        "exercised before it was bought": (desk.bob, desk.give(desk.bob, open_)),
        "exercised for nothing": (desk.bob, (options.exercise(desk.program, sold, desk.tokens[desk.bob]),)),
        "reclaimed while it runs": (desk.ann, (options.reclaim(desk.program, sold, desk.tokens[desk.ann]),)),
        "reclaimed by another": (desk.carol, (options.reclaim(desk.program, expired, home),)),
        "bought twice": (desk.carol, desk.buy(desk.carol, sold)),
        "bought for less": (desk.carol, (options.buy(desk.program, open_, 10**6),)),
        "bought after expiry": (desk.carol, desk.buy(desk.carol, expired)),
        "offered by another": (desk.carol, (options.offer(desk.program, open_, 1),)),
        "terms are passed as an option": (desk.ann, (options.reclaim(desk.program, sold + 1, home),)),
    }
    return Case(desk.world, attacks, desk.slot + 1, desk.producer)


def auction_case() -> Case:
    house = House()
    house.world.kernel = False
    house.round(2)
    ann, bob = house.bid(house.ann, 900, 1), house.bid(house.bob, 500, 2)
    hidden = house.bid(house.carol, 999, 3)
    house.round(3)
    house.done(house.ann, top.reveal(house.program, ann, 900, 1))
    house.done(house.bob, top.reveal(house.program, bob, 500, 2))
    house.round(4)
    attacks: dict[str, Attack] = {
        "the loser uses it": (house.bob, (top.use(house.program, bob),)),
        "another uses it": (house.carol, (top.use(house.program, ann),)),
        "the winner comes second": (house.ann, (top.use(house.program, ann),)),
        "the winner takes its deposit and waits": (house.ann, (top.refund(house.program, ann),)),
        "a bid is shown too late": (house.carol, (top.reveal(house.program, hidden, 999, 3),)),
        "a bid is shown twice": (house.bob, (top.reveal(house.program, bob, 500, 2),)),
        "another's deposit": (house.carol, (top.refund(house.program, bob),)),
        "a bid without a deposit": (house.carol, (top.commit(house.program, house.carol, 1, 1),)),
        "a round is passed as a bid": (house.carol, (top.refund(house.program, house.first),)),
    }
    return Case(house.world, attacks, house.slot + 1, house.producer)


def token_case() -> Case:
    genesis = Genesis(7, 100)
    ann, bob, producer = (account(genesis) for _ in range(3))
    program = genesis.program(lambda cell: token.build(ann))
    other = genesis.program(lambda cell: token.build(bob))
    purse = genesis.add(Purse(owner_cell(bob), 10, asset=program))
    attacks: dict[str, Attack] = {
        "minted by a stranger": (bob, (token.mint(program, purse, 1),)),
        "minted by another program": (bob, (token.mint(other, purse, 1),)),
        "bitcoin is minted": (ann, (token.mint(program, ann, 1),)),
        "more is moved than there is": (bob, (Call.bank_move(purse, purse, 11),)),
    }
    return Case(World(genesis), attacks, 1, producer)


CASES = (
    staking_case, amm_case, lending_case, stale_price_case, options_case, auction_case, token_case,
)  # fmt: skip


def parts(attacks: dict[str, Attack], size: int) -> Sequence[list[tuple[str, Attack]]]:
    items = list(attacks.items())
    return [items[i : i + size] for i in range(0, len(items), size)]


def attack(case: Case, names: Sequence[tuple[str, Attack]]) -> None:
    """One batch of attacks, in specification and kernel: all fail, and nothing but fees is moved."""
    case.world.kernel = True
    before = case.world.ledger
    for _, (signer, calls) in names:
        case.world.send(signer, *calls)
    producer = case.elect(case.world, case.slot) if case.elect else case.producer
    done = case.world.produce(case.slot, producer, case.height)
    case.slot += 1
    for (name, _), receipt in zip(names, done.receipts, strict=True):
        assert receipt.failure is not None, name
    free = {0, 1, 2, 3, producer, *(signer for _, (signer, _) in names)}
    hooked = {event.program for event in done.hook_events}
    for index, cell in done.ledger.cells.items():
        if index not in free and not hooked:
            assert cell == before.cells.get(index), index


@pytest.mark.parametrize("case", CASES)
def test_attacks_are_refused(case: Callable[[], Case]) -> None:
    made = case()
    for part in parts(made.attacks, 20):
        attack(made, part)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_refusals_are_proven(case: Callable[[], Case]) -> None:
    made = case()
    people = sorted({signer for signer, _ in made.attacks.values()})
    keys = signers(people)
    for part in parts(made.attacks, 5):
        attack(made, part)
        before, blank = made.world.batches[-1]
        real = with_keys(before, keys)
        done = whole(real, sign_batch(real, blank, keys))
        assert len(done.transition.receipts) == len(part) == done.transition.num_failed
        prove_and_verify(done)


def test_a_forged_election_has_no_batch() -> None:
    """Whoever is not the leader is refused; that the kernel has no run either is in test_staking_attacks.py."""
    world, layout, sequencers, rich = chain()
    events = [block(13)]
    leader = Election(world.ledger, layout, RULES, events).leader(3)
    for producer in (rich, layout.rewards, *(staking.producer_purse(s) for s in sequencers if s != leader)):
        with pytest.raises(BatchRefused) as caught:
            world.produce(3, producer, 1, events)
        assert caught.value.reason is BatchReason.HOOK


def test_weight_counts_no_more_after_the_next_epoch_and_evasion_does_not_help() -> None:
    """Who offends, resigns and unstakes loses all the same; after the window nobody does."""
    world, layout, (sara, *_), rich = chain()
    program = layout.program
    owner = world.data(sara)[0] & 0xFFFFFFFF
    slot, events, height = 3, [block(13)], 1

    def produce(*sent: tuple[int, tuple[Call, ...]], cosigners: Sequence[PublicKey] = ()) -> list[bool]:
        nonlocal slot, events
        for signer, calls in sent:
            world.send(signer, *calls, cosigners=cosigners)
        leader = Election(world.ledger, layout, RULES, events).leader(slot)
        producer = staking.producer_purse(leader) if leader else rich
        done = world.produce(slot, producer, height, events)
        slot, events = slot + 1, []
        return [receipt.failure is None for receipt in done.receipts]

    produce()
    offence = slot - 1
    assert produce((owner, (staking.resign(program, sara),))) == [True]
    rotated = replace(world.purse(owner), owner=key(4000).owner(), next_leaf=500)
    world.ledger = type(world.ledger).of_cells(
        {**world.ledger.cells, owner: rotated}, world.ledger.codes.values()
    )
    fund = world.balance(layout.fund)
    call = staking.slash(program, sara, offence, (4, 8), (1, 2))
    assert produce((rich, (call,)), cosigners=(key(owner),) * 2) == [True]
    lost = RULES.bond - RULES.bond * RULES.report_rate // 10_000
    assert world.balance(layout.fund) >= fund + lost
    assert produce((rich, (call,)), cosigners=(key(owner),) * 2) == [False], "once"
    events = [block(23)]
    produce()
    election = Election(world.ledger, layout, RULES)
    assert election.weight(sara) == 0, "it weighs nothing from the next epoch on"
    assert sara not in {election.leader(s) for s in range(slot, slot + 200)}
