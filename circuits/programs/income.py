"""Where an account's income comes from, block by block (R19): from what a chain has published, by replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from circuits.programs.staking import SCALE, Layout, Said
from circuits.rollup.cells import DataCell
from circuits.rollup.ledger import Ledger
from circuits.rollup.transition import Transition

SOURCES: dict[int, str] = {
    Said.BASE_FEE: "base fees", Said.TIP: "tips", Said.MEV: "MEV", Said.DATA_FEE: "data fees",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BlockIncome:
    """What a block has brought an account.

    Attributes:
        block: Batch number, from 1: the hook of this block has shared out what the block before has earned.
        slot: Its slot.
        stakes: Of its stakes, by source.
        commission: Of its sequencers, by source.

    Units: msat; whole ones, as the program pays them: fractions are carried from block to block.
    """

    block: int
    slot: int
    stakes: Mapping[str, int]
    commission: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.stakes.values()) + sum(self.commission.values())


@dataclass(slots=True)
class _Stake:
    amount: int
    mark: int
    sequencer: int
    paid: int = 0
    ended: bool = False


@dataclass(slots=True)
class _Follower:
    layout: Layout
    account: int
    acc: int = 0
    stakes: dict[int, _Stake] = field(default_factory=dict)
    sequencers: set[int] = field(default_factory=set)

    def block(self, done: Transition) -> BlockIncome:
        program = self.layout.program
        words = [event.values for event in done.hook_events if event.program == program]
        sources = {SOURCES[kind]: amount for kind, amount, _ in words if kind in SOURCES}
        prev = next((record for kind, _, record in words if kind in SOURCES), 0)
        part, stakers = 0, 0
        for kind, first, second in words:
            if kind == Said.SHARED:
                part = first
            elif kind == Said.STAKERS:
                stakers, self.acc = first, second
        shared = {name: amount for name, amount in sources.items() if name != "data fees" or not prev}
        commission: dict[str, int] = {}
        if prev in self.sequencers:
            data = sources.get("data fees", 0)
            commission = split(part - data, shared)
            if data:
                commission["data fees"] = data
        stakes = split(self._due(), shared) if stakers else {}
        self._learn(done)
        values = done.public_values
        return BlockIncome(values.batch_number + 1, values.slot, stakes, commission)

    def _due(self) -> int:
        """What the account's stakes have earned since they were asked last, in whole msat."""
        total = 0
        for stake in self.stakes.values():
            if not stake.ended:
                earned = stake.amount * (self.acc - stake.mark) // SCALE
                total += earned - stake.paid
                stake.paid = earned
        return total

    def _learn(self, done: Transition) -> None:
        """Stakes and sequencers that came and went in the block."""
        for receipt in done.receipts:
            for event in receipt.events:
                if event.program != self.layout.program:
                    continue
                kind, cell, value = event.values
                if kind == Said.STAKED and self._owner(done.ledger, cell) == self.account:
                    sequencer = _words(done.ledger, cell)[0] >> 32
                    self.stakes[cell] = _Stake(value, self.acc, sequencer)
                elif kind == Said.UNSTAKED and cell in self.stakes:
                    self.stakes[cell].ended = True
                elif kind == Said.REGISTERED and value == self.account:
                    self.sequencers.add(cell)
                elif kind in (Said.RESIGNED, Said.SLASHED):
                    for stake in self.stakes.values():
                        stake.ended |= stake.sequencer == cell

    @staticmethod
    def _owner(ledger: Ledger, cell: int) -> int:
        return _words(ledger, cell)[0] & 0xFFFFFFFF


def _words(ledger: Ledger, index: int) -> tuple[int, int, int, int]:
    cell = ledger.cells.get(index)
    if not isinstance(cell, DataCell):
        raise KeyError(f"cell {index} is no stake")
    return cell.values


def split(amount: int, shares: Mapping[str, int]) -> dict[str, int]:
    """An amount in proportion to shares, in whole numbers that add up; the largest remainders are rounded up."""
    total = sum(shares.values())
    if not total or not amount:
        return {}
    parts = {name: amount * share // total for name, share in shares.items()}
    left = amount - sum(parts.values())
    for name in sorted(shares, key=lambda name: (-(amount * shares[name] % total), name))[:left]:
        parts[name] += 1
    return {name: part for name, part in parts.items() if part}


def trail(transitions: Iterable[Transition], layout: Layout, account: int) -> Iterator[BlockIncome]:
    """The income of an account, block by block, from genesis on.

    A stake's sum over all blocks is what the program pays it in claims, to the msat: `amount (acc - mark) / SCALE`.

    Args:
        transitions: Every batch from the first on, executed or replayed.
        layout: Where the staking program's cells are.
        account: Cell of the account's purse.
    """
    follower = _Follower(layout, account)
    for done in transitions:
        yield follower.block(done)
