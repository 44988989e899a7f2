"""What must hold of the economy as a whole: election frequencies, income, splitting, no inflation, liveness, exits."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.programs import amm, staking
from circuits.programs.election import Election
from circuits.programs.genesis import Genesis
from circuits.programs.staking import Said
from circuits.rollup.errors import BatchReason, BatchRefused
from circuits.rollup.transition import apply
from circuits.rollup.types import Call, ForcedExit, withdraw_script
from tests.circuits.programs.test_amm import Market
from tests.circuits.programs.test_election import RULES, STAKES, chain
from tests.circuits.programs.world import World, account, block
from tests.circuits.rollup.builders import key

SLOTS = 100_000


def chi2_p(counts: list[int], weights: list[int]) -> float:
    """Of three classes: chi-square of two degrees of freedom has the survival function exp(-x / 2)."""
    total, slots = sum(weights), sum(counts)
    terms = ((n - slots * w / total) ** 2 / (slots * w / total) for n, w in zip(counts, weights, strict=True))
    return math.exp(-sum(terms) / 2)


def test_frequencies_over_a_hundred_thousand_slots() -> None:
    world, layout, sequencers, _ = chain()
    election = Election(world.ledger, layout, RULES, [block(13)])
    found = Counter(election.leader(slot) for slot in range(SLOTS))
    assert chi2_p([found[s] for s in sequencers], list(STAKES)) > 0.001
    assert chi2_p([found[s] for s in sequencers], [1, 1, 1]) < 1e-9, "and not all alike"
    fallback = Counter(election.leader(slot, 1) for slot in range(SLOTS))
    assert chi2_p([fallback[s] for s in sequencers], list(STAKES)) > 0.001


def test_the_program_elects_by_the_same_rule_for_hundreds_of_slots() -> None:
    """Each slot has one producer that the hook accepts, over several epochs and seeds."""
    world, layout, sequencers, _ = chain()
    found: Counter[int] = Counter()
    seeds = set()
    height = 13
    for slot in range(3, 303):
        events = [block(height)] if slot % 15 == 3 else []
        height += bool(events)
        election = Election(world.ledger, layout, RULES, events)
        leader = election.leader(slot)
        assert leader is not None
        for other in sequencers:
            if other != leader and slot % 10 == 0:
                with pytest.raises(BatchRefused):
                    world.produce(slot, staking.producer_purse(other), 1, events)
        world.produce(slot, staking.producer_purse(leader), 1, events)
        found[leader] += 1
        seeds.add(world.data(layout.clock)[0])
    assert len(seeds) >= 2
    assert [world.data(s + 1)[2] >> 32 for s in sequencers] == [found[s] for s in sequencers]
    assert chi2_p([found[s] for s in sequencers], list(STAKES)) > 0.001


def income_of_stakers(tips: list[int]) -> int:
    """With one transaction for each tip in a block; what its fees bring them in the next."""
    world, layout, _, rich = chain()
    events = [block(13)]
    for slot in (3, 4):
        leader = Election(world.ledger, layout, RULES, events).leader(slot)
        assert leader is not None
        if slot == 3:
            for tip in tips:
                world.send(rich, Call.bank_move(rich, rich, 1), tip=tip)
        done = world.produce(slot, staking.producer_purse(leader), 1, events)
        events = []
    said = {event.values[0]: event.values[1] for event in done.hook_events}
    return said.get(Said.STAKERS, 0)


@given(st.lists(st.integers(0, 1000), max_size=6))
@settings(max_examples=25, deadline=None)
def test_more_paid_transactions_never_lower_the_income(tips: list[int]) -> None:
    incomes = [income_of_stakers(tips[:n]) for n in range(len(tips) + 1)]
    assert all(fewer <= more for fewer, more in pairwise(incomes))


def test_splitting_a_stake_neither_gains_nor_loses() -> None:
    """To a billionth of a msat, whatever came in, and on whichever sequencer."""
    world, layout, sequencers, rich = chain()
    program, rng = layout.program, random.Random(1)
    amount = 7_777_777
    parts = [1_000_001, 1_000_003, 2_222_222, 3_555_551]
    assert sum(parts) == amount
    events = [block(13)]
    wanted = [(sequencers[0], amount), *zip([sequencers[i % 3] for i in range(4)], parts, strict=True)]
    for sequencer, part in wanted:
        world.send(rich, Call.bank_move(rich, layout.stakes, part), staking.stake(program, sequencer, part))
    cells: list[int] = []
    claimed: Counter[int] = Counter()
    for slot in range(3, 40):
        leader = Election(world.ledger, layout, RULES, events).leader(slot)
        assert leader is not None
        if slot > 3 and rng.random() < 0.3:
            world.send(rich, staking.claim(program, rng.choice(cells)), tip=rng.randrange(50))
        done = world.produce(slot, staking.producer_purse(leader), 1, events)
        events = []
        said = [event.values for receipt in done.receipts for event in receipt.events]
        cells = cells or [words[1] for words in said]
        claimed.update({words[1]: words[2] for words in said if words[0] == Said.CLAIMED})
    acc = world.data(layout.totals)[2]
    earned = []
    for cell in cells:
        _, part, mark, rest = world.data(cell)
        earned.append(claimed[cell] * staking.SCALE + part * (acc - mark) + rest)
    whole, *pieces = earned
    assert whole == sum(pieces) > 0
    assert claimed


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 10**7)), min_size=1, max_size=7))
@settings(max_examples=60, deadline=None)
def test_no_order_of_calls_in_one_list_takes_from_the_pool(steps: list[tuple[int, int]]) -> None:
    """Whatever one signer strings together, a share stands for no less: sqrt(first second) / shares never falls."""
    market = Market(kernel=False)
    market.done(market.ann, *market.add(market.ann, 10**9 + 7, 3 * 10**9 + 1))
    start = market.state()
    bob, tokens = market.bob, market.tokens[market.bob]
    position, calls = market.world.ledger.system.next_free, []
    added: list[int] = []
    for kind, amount in steps:
        if kind == 0:
            calls += market.buy(bob, amount)
        elif kind == 1:
            calls += market.sell(bob, amount)
        elif kind == 2:
            calls += market.add(bob, amount, 10 * amount)
            added.append(position + len(added))
        elif added:
            calls += [amm.remove(market.program, added[amount % len(added)], amount, (bob, tokens))]
    if not calls or len(calls) > 16:
        return
    market.failed(bob, *calls)  # or it may be done
    now = market.state()
    assert now.first * now.second * start.shares**2 >= start.first * start.second * now.shares**2


@pytest.mark.parametrize("amount", [0, 1, 10**9, 2 * 10**18])
def test_the_hook_lives_whatever_the_income_and_the_weight(amount: int) -> None:
    """An empty chain, enormous fees on the least stake, all stakes gone: there is a next batch."""
    genesis = Genesis(7, 1)
    whale = account(genesis, 2 * 10**18)
    rich = account(genesis)
    rules = staking.Rules(depth=2, epoch_blocks=4, seed_blocks=1, bond=10**6, min_stake=1000)
    layout = genesis.staking(rules, key(rich).owner())
    world, program = World(genesis), layout.program
    world.send(rich, Call.bank_move(rich, layout.stakes, rules.bond), staking.register(program, 0))
    sequencer = world.produce(1, rich, 1).receipts[0].events[-1].values[1]
    world.send(rich, Call.bank_move(rich, layout.stakes, 1000), staking.stake(program, sequencer, 1000))
    stake = world.produce(2, rich, 1).receipts[0].events[-1].values[1]
    for turn in range(5):
        spare = max(0, min(amount, world.balance(whale) - 10**12))
        world.send(whale, Call.bank_move(whale, layout.income, spare))
        world.produce(3 + turn, rich, 1)
    world.send(rich, staking.claim(program, stake))
    world.send(rich, staking.unstake(program, stake))
    done = world.produce(8, rich, 1)
    assert [receipt.failure for receipt in done.receipts] == [None, None]
    assert world.data(layout.totals)[1] == 0
    world.produce(9, rich, 100_000, [block(100_000)])
    world.produce(9 + rules.max_jump, rich, 100_000)


def test_who_is_ignored_comes_home_or_the_ledger_stops() -> None:
    """A due exit in the inbox: no batch without it, and with it the money is on its way, whoever produces."""
    world, layout, _, rich = chain()
    script, length = withdraw_script(b"\x00\x14" + bytes(20))
    wanted = ForcedExit(13, bytes(32), 0, rich, 1_000_000, key(rich).owner(), script, length)
    events = [block(13)]
    leader = Election(world.ledger, layout, RULES, events).leader(3)
    assert leader is not None
    producer = staking.producer_purse(leader)
    before = world.balance(rich)
    due = world.batch(3, producer, 1, [*events, wanted]).header
    ignored = replace(world.batch(3, producer, 1, events), header=due)
    with pytest.raises(BatchRefused) as caught:
        apply(world.ledger, ignored, valid=[])
    assert caught.value.reason is BatchReason.INBOX_DUE
    done = world.produce(3, producer, 1, [*events, wanted])
    assert world.balance(rich) == before - 10**9
    assert len(done.exits) == 1 and done.public_values.withdrawals == 10**9
    # every sequencer is gone: after open_blocks the user himself makes the batch
    wanted = replace(wanted, txid=bytes([1] * 32))
    with pytest.raises(BatchRefused):
        world.produce(4, rich, RULES.open_blocks, [wanted])
    done = world.produce(4, rich, 1 + RULES.open_blocks, [wanted])
    assert len(done.exits) == 1
