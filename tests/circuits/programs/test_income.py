"""The trail of an income (R19) against what the program pays: gifts, carries, open blocks, who paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from circuits.programs import staking
from circuits.programs.election import Election
from circuits.programs.genesis import Genesis
from circuits.programs.income import BlockIncome, trail
from circuits.programs.staking import SCALE, Layout, Said
from circuits.rollup.params import BASE_FEE_PURSE, DATA_FEE_PURSE
from circuits.rollup.transition import Transition, replay
from circuits.rollup.types import BlockHash, Call
from tests.circuits.programs.test_election import RULES, STAKES, chain
from tests.circuits.programs.world import World, account, block
from tests.circuits.rollup.builders import key


def replayed(world: World) -> list[Transition]:
    return [replay(before, batch) for before, batch in world.batches]


def produce(
    world: World, layout: Layout, slot: int, rich: int, events: Sequence[BlockHash] = ()
) -> Transition:
    leader = Election(world.ledger, layout, RULES, events).leader(slot)
    return world.produce(slot, staking.producer_purse(leader) if leader else rich, 1, events)


def told(done: Transition, layout: Layout) -> dict[int, tuple[int, int]]:
    events = [event.values for event in done.hook_events if event.program == layout.program]
    return {kind: (first, second) for kind, first, second in events}


def income(world: World, layout: Layout, people: Sequence[int]) -> dict[int, list[BlockIncome]]:
    return {who: list(trail(replayed(world), layout, who)) for who in people}


def test_what_is_sent_to_a_fee_purse_by_hand_is_no_fee() -> None:
    world, layout, sequencers, rich = chain()
    owners = {world.data(s)[0] & 0xFFFFFFFF: s for s in sequencers}
    leader = Election(world.ledger, layout, RULES, [block(13)]).leader(3)
    assert leader is not None
    gifts = {
        BASE_FEE_PURSE: 123_456_789,
        DATA_FEE_PURSE: 1_000_003,
        staking.producer_purse(leader): 7_777_777,
    }
    for purse, amount in gifts.items():
        world.send(rich, Call.bank_move(rich, purse, amount), tip=3)
    before = produce(world, layout, 3, rich, [block(13)]).public_values
    after = told(produce(world, layout, 4, rich), layout)
    assert after[Said.BASE_FEE][0] == before.base_fees + gifts[BASE_FEE_PURSE], "the hook cannot tell"
    found = {who: blocks[-1] for who, blocks in income(world, layout, (rich, *owners)).items()}
    mine = next(who for who, sequencer in owners.items() if sequencer == leader)
    assert found[mine].commission["data fees"] == before.data_fees
    pooled = {
        "base fees": before.base_fees, "tips": before.tips,
        "gifts": gifts[BASE_FEE_PURSE] + gifts[staking.producer_purse(leader)],
    }  # fmt: skip
    passed = {"gifts": gifts[DATA_FEE_PURSE]}
    for part, total in (
        (found[rich].stakes, after[Said.STAKERS][0]),
        (found[mine].commission, after[Said.SHARED][0]),
    ):
        assert total - len(STAKES) <= sum(part.values()) <= total
        own = passed if part is found[mine].commission else {}
        shared = total - sum(own.values()) - part.get("data fees", 0)
        for name, amount in pooled.items():
            assert abs(part[name] - own.get(name, 0) - shared * amount / sum(pooled.values())) <= 2, name
    assert sum(found[who].total for who in owners if who != mine) == 0


def test_tips_wait_in_a_purse_until_its_sequencer_is_swept_and_are_tips_still() -> None:
    """Before anyone has weight a sequencer may produce like everybody; the hook finds its tips when it is elected."""
    world, layout, sequencers, rich = chain()
    sara = sequencers[0]
    world.send(rich, Call.bank_move(rich, rich, 1), tip=50)
    early = world.produce(3, staking.producer_purse(sara), 1).public_values
    assert early.tips > 0
    slot, events = 4, [block(13)]
    while Election(world.ledger, layout, RULES, events).leader(slot) != sara:
        produce(world, layout, slot, rich, events)
        slot, events = slot + 1, []
    produce(world, layout, slot, rich, events)
    swept = told(produce(world, layout, slot + 1, rich), layout)
    assert swept[Said.TIP] == (early.tips, sara)
    last = income(world, layout, (rich,))[rich][-1]
    assert last.stakes == {"tips": last.total} and last.total > 0


def test_who_produces_an_open_block_has_its_tips() -> None:
    world, layout, _, rich = chain()
    world.send(rich, Call.bank_move(rich, rich, 1), tip=50)
    values = world.produce(3, rich, 1).public_values
    blocks = income(world, layout, (rich,))[rich]
    assert [item.produced for item in blocks] == [{}, {}, {"tips": values.tips}]
    assert blocks[-1].total == values.tips + sum(blocks[-1].stakes.values())


def test_payments_are_what_public_values_say_the_block_before_has_charged() -> None:
    world, layout, _, rich = chain()
    for tip in (3, 0, 9):
        world.send(rich, Call.bank_move(rich, rich, 1), tip=tip)
    world.send(rich, Call.bank_move(rich, rich, 2**63), tip=1)  # it fails, and pays
    values = produce(world, layout, 3, rich, [block(13)]).public_values
    produce(world, layout, 4, rich)
    last = income(world, layout, (rich,))[rich][-1]
    sums: Counter[str] = Counter()
    for payment in last.payments:
        sums.update(payment.fees)
    assert sums == {"base fees": values.base_fees, "data fees": values.data_fees, "tips": values.tips}
    assert [(p.transaction, p.signer) for p in last.payments] == [(n, rich) for n in (1, 2, 3, 4)]


def test_a_carry_that_meets_a_smaller_weight_is_income_too() -> None:
    """All is commission, the stakers' part 0; but the great stake has left, and its carry goes to the small one."""
    genesis = Genesis(7, 3)
    whale, small, owner = (account(genesis) for _ in range(3))
    rules = staking.Rules(depth=2, epoch_blocks=10, seed_blocks=3, bond=10**6, min_stake=1000)
    layout = genesis.staking(rules, key(owner).owner())
    world, program = World(genesis), layout.program
    world.send(owner, Call.bank_move(owner, layout.stakes, rules.bond), staking.register(program, 10_000))
    sequencer = world.produce(1, owner, 1).receipts[0].events[-1].values[1]
    cells = []
    for who, amount in ((whale, 9_876_543_210_987), (small, 1_000)):
        world.send(who, Call.bank_move(who, layout.stakes, amount), staking.stake(program, sequencer, amount))
    cells = [receipt.events[-1].values[1] for receipt in world.produce(2, owner, 1).receipts]
    world.produce(3, owner, 1)
    assert world.data(layout.totals)[3] > 10**3 * SCALE, "a carry of more than a sat"
    world.send(whale, staking.unstake(program, cells[0]))
    world.produce(4, staking.producer_purse(sequencer), 1, [block(13)])
    world.send(small, staking.unstake(program, cells[1]))
    done = world.produce(5, staking.producer_purse(sequencer), 1)
    assert told(done, layout)[Said.STAKERS][0] == 0
    claimed = sum(
        event.values[2]
        for receipt in done.receipts
        for event in receipt.events
        if event.values[0] == Said.CLAIMED
    )
    blocks = income(world, layout, (small,))[small]
    assert blocks[-1].total > 1000 and "base fees" in blocks[-1].stakes
    assert sum(item.total for item in blocks) == claimed
