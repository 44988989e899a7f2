"""The hook lives: it never fails for who is elected, whatever people did, and its worst case fits its gas."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.programs import staking
from circuits.programs.election import Election
from circuits.programs.genesis import Genesis
from circuits.programs.staking import Rules
from circuits.rollup import system_calls
from circuits.rollup.errors import BatchReason, BatchRefused
from circuits.rollup.system_calls import MAX_GAS
from circuits.rollup.types import Call
from tests.circuits.programs.world import World, account, block
from tests.circuits.rollup.builders import key

TINY = Rules(
    depth=1, epoch_blocks=3, seed_blocks=1, max_jump=2, max_rank=2, open_blocks=3, bond=1000, min_stake=1000
)
ALL = 2 * 10**18
"""What one account has in msat: all bitcoin, nearly."""
AMOUNTS = st.sampled_from([0, 1, 999, 1000, 1001, 10**6, 10**13, ALL // 3, ALL - 10**15, 2**63, 2**64 - 1])
SMALL = st.integers(0, 7)


def gases(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gas of each call that the specification runs from now on; a hook's comes first in its batch."""
    found: list[int] = []
    run = system_calls.run_program

    def counted(frame, gas, *rest):
        run(frame, gas, *rest)
        found.append(gas.used)

    monkeypatch.setattr(system_calls, "run_program", counted)
    return found


def worst(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Gas of a quiet block, and of one after the longest gap: misses, all ranks, a new epoch, every kind of income."""
    genesis = Genesis(7, 100)
    rich = account(genesis)
    layout = genesis.staking(rules, key(rich).owner())
    world, program = World(genesis), layout.program
    world.send(rich, Call.bank_move(rich, layout.stakes, rules.bond), staking.register(program, 500))
    sequencer = world.produce(1, rich, 1).receipts[0].events[-1].values[1]
    amount = 10 * rules.min_stake
    world.send(rich, Call.bank_move(rich, layout.stakes, amount), staking.stake(program, sequencer, amount))
    world.produce(2, rich, 1)
    tip = rules.epoch_blocks + rules.seed_blocks
    producer = staking.producer_purse(sequencer)
    world.produce(3, producer, 1, [block(tip)])
    found = gases(monkeypatch)
    world.send(rich, Call.bank_move(rich, layout.income, 10**6), tip=7)
    world.produce(4, producer, 1)
    quiet = found[0]
    found.clear()
    gap = rules.max_jump * (rules.open_blocks + 1)
    world.produce(4 + gap, rich, 1 + rules.open_blocks, [block(tip + 2 * rules.epoch_blocks)])
    misses = rules.max_jump + rules.max_rank + 1
    assert world.data(sequencer + 1)[2] & 0xFFFFFFFF == misses, "all draws were made"
    return quiet, found[0]


def test_the_worst_block_of_the_default_rules_takes_half_of_its_gas(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet, most = worst(Rules(), monkeypatch)
    assert quiet < most < MAX_GAS // 2


@pytest.mark.parametrize(("depth", "jump", "rank"), [(8, 12, 7), (23, 4, 3), (1, 60, 5)])
def test_rules_that_are_accepted_fit(
    depth: int, jump: int, rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if depth > 12:  # too many cells for a test: a draw costs the same a level
        staking.build(16, Rules(depth=depth, max_jump=jump, max_rank=rank))
        return
    rules = Rules(depth=depth, max_jump=jump, max_rank=rank, open_blocks=rank)
    assert worst(rules, monkeypatch)[1] < MAX_GAS


@pytest.mark.parametrize(
    "change", [{"max_jump": 25}, {"max_rank": 20}, {"depth": 25}, {"depth": 0}, {"max_jump": 0}]
)  # fmt: skip
def test_rules_that_could_stop_the_chain_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"draws|depth"):
        staking.build(16, Rules(**change))


class Chain:
    """One rich man, two leaves, and whatever he does."""

    def __init__(self) -> None:
        genesis = Genesis(7, 1)
        self.rich, self.other = account(genesis, ALL), account(genesis, 10**15)
        self.layout = genesis.staking(TINY, key(self.rich).owner())
        self.first = genesis.next_free
        self.world = World(genesis)
        self.slot = self.height = self.tip = self.elected = 0

    def act(self, kind: int, which: int, amount: int) -> None:
        """Some call about some cell; most fail."""
        program, cell = self.layout.program, self.first + which
        signer = self.rich if kind else self.other
        calls: dict[int, tuple[Call, ...]] = {
            0: (
                Call.bank_move(signer, self.layout.stakes, TINY.bond),
                staking.register(program, amount % 10_001),
            ),
            1: (
                Call.bank_move(self.rich, self.layout.stakes, amount),
                staking.stake(program, self.first, amount),
            ),
            2: (staking.unstake(program, cell),),
            3: (staking.release(program, cell),),
            4: (staking.claim(program, cell),),
            5: (staking.resign(program, self.first),),
            6: (staking.unbond(program, self.first), staking.register(program, 1, self.first)),
            7: (Call.bank_move(self.rich, self.layout.income, amount),),
            8: (Call.bank_move(self.rich, self.layout.stakes, amount),),
            9: (Call.bank_move(self.rich, self.first + 2, amount),),
            10: (Call(program, which, (amount, amount, amount, amount)),),
        }
        self.world.send(signer, *calls[kind])

    def produce(self, jump: int, blocks: int, news: int) -> None:
        """A batch by whom the rule elects; by all others none."""
        self.height += blocks
        allowed = TINY.max_jump * (blocks + 1)
        self.slot += 1 + min(jump, allowed - 1)
        self.tip += news
        events = [block(self.tip)] if news else []
        election = Election(self.world.ledger, self.layout, TINY, events)
        leader = election.leader(self.slot)
        if leader is None or election.is_open(self.height):
            producer = self.other
        else:
            self.elected += 1
            producer = staking.producer_purse(leader)
            with pytest.raises(BatchRefused) as caught:
                self.world.produce(self.slot, self.other, self.height, events)
            assert caught.value.reason is BatchReason.HOOK
        self.world.produce(self.slot, producer, self.height, events)


STEPS = st.lists(
    st.tuples(st.lists(st.tuples(st.integers(0, 10), SMALL, AMOUNTS), max_size=4), SMALL, SMALL, SMALL),
    max_size=12,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_who_is_elected_can_produce_whatever_was_done(steps: list) -> None:
    """Enormous and least amounts, gifts to every purse, all unstaked, jumps of slots and epochs, leaves used up."""
    chain = Chain()
    start: list[tuple[int, int, int]] = [(0, 0, 5), (1, 0, 1000)]
    for acts, jump, blocks, news in [(start, 0, 1, 4), ([], 0, 0, 4), ([], 0, 0, 0), *steps, ([], 0, 0, 0)]:
        for kind, which, amount in acts:
            chain.act(kind, which, amount)
        chain.produce(jump, blocks if blocks < 5 else 0, news if news < 6 else 100 * news)
    assert chain.elected
    supply = sum(c.balance for c in chain.world.ledger.cells.values() if getattr(c, "is_btc", False))
    assert supply == ALL + 10**15
