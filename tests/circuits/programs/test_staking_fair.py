"""What a stake may claim against the plain definition of pro rata: fractions of each block's income, no accumulator."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.programs import staking
from circuits.programs.election import Election
from circuits.programs.staking import SCALE, Said
from circuits.rollup.transition import Transition
from circuits.rollup.types import Call
from tests.circuits.programs.test_election import RULES, STAKES, chain
from tests.circuits.programs.world import block

COMMISSION = 500


@dataclass
class Share:
    """A stake by the definition: what it has earned, and how often the weight changed meanwhile."""

    amount: int
    earned: Fraction = field(default_factory=Fraction)
    changes: int = 0


class Ledger:
    """Stakes as they come and go beside the chain."""

    def __init__(self) -> None:
        self.world, self.layout, self.sequencers, self.rich = chain()
        self.shares = {
            cell: Share(self.world.data(cell)[1])
            for cell in range(self.layout.end, self.world.ledger.system.next_free)
            if self.is_stake(cell)
        }
        assert sorted(share.amount for share in self.shares.values()) == sorted(STAKES)
        self.claimed: Counter[int] = Counter()
        self.slot, self.events, self.mev = 3, [block(13)], 0
        self.last: Transition | None = None
        self.first = True
        self.produce()

    def is_stake(self, cell: int) -> bool:
        """By its first cell's upper half: a sequencer below it."""
        words = getattr(self.world.ledger.cells[cell], "values", (0,))
        return words[0] >> 32 in self.sequencers

    def income(self) -> int:
        """The stakers' part of what the block before has brought, by the page."""
        if self.last is None:
            return 0
        found = self.last.public_values
        income = found.base_fees + found.tips + self.mev
        income -= income * RULES.fund_rate // 10_000
        return income - income * COMMISSION // 10_000

    def produce(self) -> None:
        """A block by its leader; those who staked before it share the income of the one before."""
        income, total = self.income(), sum(share.amount for share in self.shares.values())
        for share in self.shares.values():
            share.earned += Fraction(income * share.amount, total)
        leader = Election(self.world.ledger, self.layout, RULES, self.events).leader(self.slot)
        assert leader is not None
        self.last = self.world.produce(self.slot, staking.producer_purse(leader), 1, self.events)
        self.mev = self.world.balance(self.layout.income)
        self.slot, self.events = self.slot + 1, []
        changed = False
        for receipt in self.last.receipts:
            assert receipt.failure is None
            for kind, cell, amount in (event.values for event in receipt.events):
                if kind == Said.STAKED:
                    self.shares[cell], changed = Share(amount), True
                elif kind == Said.UNSTAKED:
                    changed = True
                    self.check(cell, self.shares.pop(cell), Fraction(self.claimed[cell]), 1)
                elif kind == Said.CLAIMED:
                    self.claimed[cell] += amount
        for share in self.shares.values():
            share.changes += changed
        first, self.first = self.first, False
        for cell, share in self.shares.items():
            _, amount, mark, rest = self.world.data(cell)
            acc = self.world.data(self.layout.totals)[2]
            has = self.claimed[cell] + Fraction(amount * (acc - mark) + rest, SCALE)
            if first:  # of the blocks before, which anyone has made
                share.earned = has
            self.check(cell, share, has, 0)

    @staticmethod
    def check(cell: int, share: Share, has: Fraction, whole: int) -> None:
        """A unit of the accumulator short for each change of the weight and one more; a msat's fraction at the end."""
        short = share.earned - has
        units = Fraction(share.amount * (share.changes + 1), SCALE)
        assert short < units + whole, cell
        assert -short < units * 10**4, cell  # others' remainders, when the weight falls to 10^-4 at most


ACTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 20), st.integers(1, 10**12), st.integers(0, 300)), max_size=16
)


@given(ACTS)
@settings(max_examples=30, deadline=None)
def test_each_stake_earns_its_part_of_each_block(acts: list[tuple[int, int, int, int]]) -> None:
    ledger = Ledger()
    world, layout, rich = ledger.world, ledger.layout, ledger.rich
    for kind, which, amount, tip in acts:
        own = [cell for cell in ledger.shares if world.data(cell)[0] & 0xFFFFFFFF == rich]
        cell = own[which % len(own)] if own else 0
        if kind < 3:
            paid = RULES.min_stake + amount % 10**9
            sequencer = ledger.sequencers[which % 3]
            calls = Call.bank_move(rich, layout.stakes, paid), staking.stake(layout.program, sequencer, paid)
            world.send(rich, *calls, tip=tip)
        elif kind == 3 and len(own) > 1:
            world.send(rich, staking.unstake(layout.program, cell), tip=tip)
        elif kind < 6 and own:
            world.send(rich, staking.claim(layout.program, cell), tip=tip)
        else:
            world.send(rich, Call.bank_move(rich, layout.income, amount % 10**9), tip=tip)
        ledger.produce()
    ledger.produce()
