"""Where an account's income comes from, block by block (R19): from what a chain has published, by replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from circuits.programs.staking import SCALE, Layout, Said, producer_purse
from circuits.rollup.cells import DataCell
from circuits.rollup.ledger import Ledger
from circuits.rollup.params import BASE_FEE_PURSE, DATA_FEE_PURSE
from circuits.rollup.transition import Transition

GIFTS = "gifts"
"""What lay in a swept purse beyond what blocks have charged: someone has sent it there by hand."""
SOURCES: dict[int, str] = {
    Said.BASE_FEE: "base fees", Said.TIP: "tips", Said.MEV: "MEV", Said.DATA_FEE: "data fees",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Payment:
    """What a transaction of the block before was charged: where fees come from.

    Attributes:
        transaction: Its number in its batch, from 1.
        signer: Who paid.
        fees: By source.
    """

    transaction: int
    signer: int
    fees: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BlockIncome:
    """What a block has brought an account.

    Attributes:
        block: Batch number, from 1: the hook of this block has shared out what the block before has earned.
        slot: Its slot.
        stakes: Of its stakes, by source.
        commission: Of its sequencers, by source.
        produced: Tips of this very block, if the account's own purse made it: a block that was open to anyone.
        payments: Fees of the block before, which stakes and commission are shares of.

    Units: msat; whole ones, as the program pays them: fractions are carried from block to block.
    """

    block: int
    slot: int
    stakes: Mapping[str, int]
    commission: Mapping[str, int]
    produced: Mapping[str, int]
    payments: tuple[Payment, ...]

    @property
    def total(self) -> int:
        """All of it."""
        return sum(sum(part.values()) for part in (self.stakes, self.commission, self.produced))


@dataclass(slots=True)
class _Stake:
    amount: int
    mark: int
    sequencer: int
    paid: int = 0
    ended: bool = False


@dataclass(slots=True)
class _Follower:
    """Follows an account through the blocks.

    Attributes:
        acc: The program's accumulator, as the ledger has it: it also moves in a block whose stakers' part is 0,
            when a carry meets a smaller weight.
        shared: Sources of the last block that had any: of such a carry.
        charged: Fees by the purse that they went to, since it was emptied last: what public values say.
    """

    layout: Layout
    account: int
    acc: int = 0
    shared: Mapping[str, int] = field(default_factory=dict)
    charged: Counter[int] = field(default_factory=Counter)
    payments: tuple[Payment, ...] = ()
    stakes: dict[int, _Stake] = field(default_factory=dict)
    sequencers: set[int] = field(default_factory=set)

    def block(self, done: Transition) -> BlockIncome:
        program = self.layout.program
        words = [event.values for event in done.hook_events if event.program == program]
        swept = [(kind, amount) for kind, amount, _ in words if kind in SOURCES]
        prev = next((record for kind, _, record in words if kind in SOURCES), 0)
        part = next((first for kind, first, _ in words if kind == Said.SHARED), 0)
        pooled, passed = Counter[str](), Counter[str]()
        for kind, amount in swept:
            (passed if kind == Said.DATA_FEE and prev else pooled).update(self._sources(kind, amount, prev))
        self.shared = +pooled or self.shared
        self.acc = _words(done.ledger, self.layout.totals)[2]
        commission: Counter[str] = Counter()
        if prev in self.sequencers:
            commission = passed + Counter(split(part - passed.total(), pooled))
        stakes = split(self._due(), self.shared)
        self._learn(done)
        values = done.public_values
        produced = {"tips": values.tips} if values.producer == self.account and values.tips else {}
        payments, self.payments = self.payments, tuple(_payments(done))
        self.charged.update(
            {BASE_FEE_PURSE: values.base_fees, DATA_FEE_PURSE: values.data_fees, values.producer: values.tips}
        )
        return BlockIncome(values.batch_number + 1, values.slot, stakes, dict(commission), produced, payments)

    def _sources(self, kind: int, amount: int, prev: int) -> Mapping[str, int]:
        """What was swept from one purse: what was charged into it, and what is more than that."""
        if kind == Said.MEV:
            return {SOURCES[kind]: amount}
        purse = {Said.BASE_FEE: BASE_FEE_PURSE, Said.DATA_FEE: DATA_FEE_PURSE}.get(Said(kind))
        fees = min(amount, self.charged.pop(producer_purse(prev) if purse is None else purse, 0))
        return {SOURCES[kind]: fees, GIFTS: amount - fees}

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


def _payments(done: Transition) -> Iterator[Payment]:
    """Fees of a block's transactions."""
    for number, (signed, receipt) in enumerate(zip(done.batch.transactions, done.receipts, strict=True), 1):
        fees = {"base fees": receipt.base_fee, "tips": receipt.tip, "data fees": receipt.data_fee}
        charged = {name: fee for name, fee in fees.items() if fee}
        yield Payment(number, signed.transaction.signer, charged)


def _words(ledger: Ledger, index: int) -> tuple[int, int, int, int]:
    cell = ledger.cells.get(index)
    if not isinstance(cell, DataCell):
        raise KeyError(f"cell {index} is no data cell")
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
