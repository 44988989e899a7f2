"""The election as operators compute it is the one that the hook enforces, in specification and kernel."""

from __future__ import annotations

import pytest

from circuits.programs import staking
from circuits.programs.election import Election
from circuits.programs.genesis import Genesis
from circuits.rollup.errors import BatchReason, BatchRefused
from circuits.rollup.types import Call
from tests.circuits.programs.world import World, account, block
from tests.circuits.rollup.builders import key

RULES = staking.Rules(depth=3, epoch_blocks=10, seed_blocks=3, bond=10**9, min_stake=10**6)
STAKES = (5_000_000, 1_000_000, 3_000_000)


def chain(kernel: bool = False) -> tuple[World, staking.Layout, list[int], int]:
    """Three sequencers with stakes, in the first epoch in which they count."""
    genesis = Genesis(7, 100)
    people = [account(genesis) for _ in range(4)]
    layout = genesis.staking(RULES, key(people[0]).owner())
    world, program = World(genesis, kernel=kernel), layout.program
    for person in people[:3]:
        world.send(person, Call.bank_move(person, layout.stakes, RULES.bond), staking.register(program, 500))
    done = world.produce(1, people[3], 1)
    sequencers = [receipt.events[-1].values[1] for receipt in done.receipts]
    for sequencer, amount in zip(sequencers, STAKES, strict=True):
        move = Call.bank_move(people[3], layout.stakes, amount)
        world.send(people[3], move, staking.stake(program, sequencer, amount))
    done = world.produce(2, people[3], 1)
    assert [receipt.failure for receipt in done.receipts] == [None] * 3
    return world, layout, sequencers, people[3]


def test_the_hook_lets_the_leader_produce_and_nobody_else() -> None:
    world, layout, sequencers, stranger = chain(kernel=True)
    events = [block(13)]
    for slot in range(3, 12):
        election = Election(world.ledger, layout, RULES, events)
        leader = election.leader(slot)
        assert leader in sequencers
        for other in [*(staking.producer_purse(s) for s in sequencers if s != leader), stranger]:
            with pytest.raises(BatchRefused) as caught:
                world.produce(slot, other, 1, events)
            assert caught.value.reason is BatchReason.HOOK
        assert leader is not None
        world.produce(slot, staking.producer_purse(leader), 1, events)
        events = []
    produced = [world.data(sequencer + 1)[2] >> 32 for sequencer in sequencers]
    assert sum(produced) == 9


def test_fallbacks_wait_for_bitcoin_blocks_and_misses_are_counted() -> None:
    world, layout, _, stranger = chain(kernel=True)
    height, slot, events = 1, 3, [block(13)]
    for rank in (1, 2, 3):
        election = Election(world.ledger, layout, RULES, events)
        ranked = [election.leader(slot, k) for k in range(RULES.max_rank + 1)]
        if ranked[rank] in ranked[:rank]:
            slot += 1
            ranked = [election.leader(slot, k) for k in range(RULES.max_rank + 1)]
        fallback = ranked[rank]
        assert fallback is not None
        missed = {s: world.data(s + 1)[2] & 0xFFFFFFFF for s in ranked[:rank] if s is not None}
        if fallback not in ranked[:rank]:
            with pytest.raises(BatchRefused):
                world.produce(slot, staking.producer_purse(fallback), height + rank - 1, events)
        before = world.ledger.system.slot
        world.produce(slot, staking.producer_purse(fallback), height + rank, events)
        if slot == before + 1 and fallback not in ranked[:rank]:
            for sequencer, count in missed.items():
                times = ranked[:rank].count(sequencer)
                assert world.data(sequencer + 1)[2] & 0xFFFFFFFF == count + times
        height, slot, events = height + rank, slot + 1, []
    with pytest.raises(BatchRefused):
        world.produce(slot, stranger, height + RULES.open_blocks - 1)
    world.produce(slot, stranger, height + RULES.open_blocks)


def test_nobody_jumps_far_ahead() -> None:
    world, layout, _, _ = chain()
    events = [block(13)]
    election = Election(world.ledger, layout, RULES, events)
    for slot, allowed in ((2 + RULES.max_jump + 1, False), (2 + RULES.max_jump, True)):
        leader = election.leader(slot)
        assert leader is not None
        if not allowed:
            with pytest.raises(BatchRefused):
                world.produce(slot, staking.producer_purse(leader), 1, events)
        else:
            world.produce(slot, staking.producer_purse(leader), 1, events)
