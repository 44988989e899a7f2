"""Staking, election, fee shares and slashing against a model in plain integers: hypothesis state machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from circuits.programs import staking
from circuits.programs.genesis import Genesis
from circuits.rollup.types import Call
from prover.poseidon2 import P, compress
from tests.circuits.programs.machine import ProgramMachine, run
from tests.circuits.programs.world import account, block
from tests.circuits.rollup.builders import key

RULES = staking.Rules(
    depth=2, epoch_blocks=4, seed_blocks=1, max_jump=3, max_rank=2, open_blocks=4, bond=10**6, min_stake=10**4
)
NANO = 10**9


def user_hash(a: int, b: int, c: int) -> tuple[int, int]:
    """The two elements of the first word that HASH answers (docs/machine.md)."""
    limbs = [word >> 16 * i & 0xFFFF for word in (a, b, c) for i in range(4)]
    digest = compress(24, (12, *[0] * 8, *limbs, 0, 0, 0), 8)
    return digest[0], digest[1]


@dataclass
class Sequencer:
    cell: int
    owner: int
    rate: int
    leaf: int
    made: int
    stake: int = 0
    earned: int = 0
    closed: int = 0  # epoch from which it weighs nothing
    end: int = 0  # accumulator at its end
    slashed: int = -1
    bond: bool = True
    replaced: bool = False
    weights: dict[int, int] = field(default_factory=dict)  # epoch -> weight from then on


@dataclass
class Stake:
    cell: int
    owner: int
    sequencer: Sequencer
    amount: int
    mark: int
    rest: int = 0
    until: int = 0
    gone: bool = False


class StakingMachine(ProgramMachine):
    """People stake, unstake, claim, resign, offend; every batch is made by whom the model elects."""

    def build(self, genesis: Genesis) -> Genesis:
        self.people = [account(genesis, 10**13) for _ in range(4)]
        self.layout = genesis.staking(RULES, key(self.people[0]).owner())
        self.next_cell = genesis.next_free
        self.sequencers: list[Sequencer] = []
        self.stakes: list[Stake] = []
        self.held = self.acc = self.carry = self.rewards = self.fund = self.gifts = 0
        self.leaves = 0
        self.tip = self.epoch = self.freeze = self.seed = self.last_height = 0
        self.starts = [0, 0, 0]
        self.prev: Sequencer | None = None
        self.owed = {"base": 0, "data": 0, "tips": 0, "mev": 0}
        self.jump, self.owed_mev = 1, 0
        return genesis

    def start(self) -> None:
        self.begin()

    # People

    def act(self, choice: int, a: int, b: int, c: int) -> None:
        who = self.people[choice % 3]
        kind = choice // 3 % 20
        sequencer = self.sequencers[a % len(self.sequencers)] if self.sequencers else None
        stake = self.stakes[-1 - a % min(len(self.stakes), 12)] if self.stakes else None
        if choice % 5 == 0:
            self.jump = c
            self.close()
        if kind < (3 if len(self.sequencers) < 4 else 1) or sequencer is None:
            self.register(who, c % 12_000, sequencer if b % 2 else None)
        elif kind < 9 or stake is None:
            self.stake(who, sequencer, b % 10**6 + 10**3 * (a % 30))
        elif kind < 11:
            self.claim(stake.owner if b % 5 else who, stake)
        elif kind < 14:
            self.unstake(stake.owner if b % 5 else who, stake)
        elif kind < 16:
            self.release(stake.owner if b % 5 else who, stake)
        elif kind == 16:
            self.earn(sequencer.owner if b % 3 else who, sequencer)
        elif kind == 17:
            if b % 3 == 0:
                self.resign(sequencer.owner if c % 3 else who, sequencer)
            else:
                self.unbond(sequencer.owner if c % 3 else who, sequencer)
        elif kind == 18:
            self.slash(who, sequencer, max(0, self.slot - c % 12), b % 5)
        else:
            self.pay_income(who, b % 10**5)

    def move(self, who: int, amount: int) -> Call:
        return Call.bank_move(who, self.layout.stakes, amount)

    def send_tipped(self, who: int, words: tuple[int, ...] | None, *calls: Call, **options: object) -> None:
        self.send(who, words, *calls, tip=len(self.expected) % 3, **options)

    def register(self, who: int, rate: int, old: Sequencer | None) -> None:
        calls = (
            self.move(who, RULES.bond),
            staking.register(self.layout.program, rate, old.cell if old else 0),
        )
        free = (
            (not old.bond and not old.replaced and old.closed > 0) if old else self.leaves < 1 << RULES.depth
        )
        if rate > 10_000 or not free:
            self.send_tipped(who, None, *calls)
            return
        if old:
            old.replaced, leaf = True, old.leaf
        else:
            leaf, self.leaves = self.leaves, self.leaves + 1
        self.held += RULES.bond
        found = Sequencer(self.new_cells(4), who, rate, leaf, len(self.sequencers))
        self.sequencers.append(found)
        self.send_tipped(who, (found.cell, who), *calls)

    def weigh(self, sequencer: Sequencer, change: int) -> None:
        sequencer.weights[self.freeze + 1] = self.weight(sequencer, self.freeze + 1) + change

    @staticmethod
    def weight(sequencer: Sequencer, epoch: int) -> int:
        known = [at for at in sequencer.weights if at <= epoch]
        return sequencer.weights[max(known)] if known else 0

    def total(self) -> int:
        return sum(s.stake for s in self.sequencers if not s.closed)

    def stake(self, who: int, sequencer: Sequencer, amount: int) -> None:
        calls = self.move(who, amount), staking.stake(self.layout.program, sequencer.cell, amount)
        if sequencer.closed or amount < RULES.min_stake:
            self.send_tipped(who, None, *calls)
            return
        self.held += amount
        sequencer.stake += amount
        self.weigh(sequencer, amount)
        stake = Stake(self.new_cells(1), who, sequencer, amount, self.acc)
        self.stakes.append(stake)
        self.send_tipped(who, (stake.cell, amount), *calls)

    def settle(self, stake: Stake) -> int:
        upto = stake.sequencer.end if stake.sequencer.closed else self.acc
        due = Fraction(stake.amount * (upto - stake.mark) + stake.rest, NANO)
        whole = due.numerator // due.denominator
        stake.rest = int((due - whole) * NANO)
        stake.mark = upto
        self.rewards -= whole
        return whole

    def claim(self, who: int, stake: Stake) -> None:
        call = staking.claim(self.layout.program, stake.cell)
        if who != stake.owner or stake.until:
            self.send_tipped(who, None, call)
            return
        due = self.settle(stake)
        self.send_tipped(who, (stake.cell, due) if due else (), call)

    def unstake(self, who: int, stake: Stake) -> None:
        call = staking.unstake(self.layout.program, stake.cell)
        if who != stake.owner or stake.until:
            self.send_tipped(who, None, call)
            return
        self.settle(stake)
        stake.until = self.freeze + 1
        if not stake.sequencer.closed:
            stake.sequencer.stake -= stake.amount
            self.weigh(stake.sequencer, -stake.amount)
        self.send_tipped(who, (stake.cell, stake.amount), call)

    def release(self, who: int, stake: Stake) -> None:
        call = staking.release(self.layout.program, stake.cell)
        early = self.epoch < stake.until + 2
        if who != stake.owner or not stake.until or stake.gone or early:
            self.send_tipped(who, None, call)
            return
        stake.gone = True
        self.held -= stake.amount
        back = stake.amount
        if 0 <= stake.sequencer.slashed < stake.until:
            penalty = stake.amount * RULES.slash_rate // 10_000
            self.fund += penalty
            back -= penalty
        self.send_tipped(who, (stake.cell, back), call)

    def earn(self, who: int, sequencer: Sequencer) -> None:
        call = staking.earn(self.layout.program, sequencer.cell)
        if who != sequencer.owner:
            self.send_tipped(who, None, call)
            return
        due, sequencer.earned = sequencer.earned, 0
        self.rewards -= due
        self.send_tipped(who, (sequencer.cell, due), call)

    def end(self, sequencer: Sequencer) -> None:
        sequencer.end, sequencer.closed = self.acc, self.freeze + 1
        self.weigh(sequencer, -sequencer.stake)

    def resign(self, who: int, sequencer: Sequencer) -> None:
        call = staking.resign(self.layout.program, sequencer.cell)
        if who != sequencer.owner or sequencer.closed:
            self.send_tipped(who, None, call)
            return
        self.end(sequencer)
        self.send_tipped(who, (sequencer.cell, sequencer.stake), call)

    def unbond(self, who: int, sequencer: Sequencer) -> None:
        call = staking.unbond(self.layout.program, sequencer.cell)
        ready = sequencer.closed and sequencer.bond and self.epoch >= sequencer.closed + 2
        if not ready:
            self.send_tipped(who, None, call)
            return
        sequencer.bond = False
        if sequencer.slashed < 0:
            self.held -= RULES.bond
            self.send_tipped(who, (sequencer.cell, RULES.bond), call)
        else:
            self.send_tipped(who, (sequencer.cell,), call)

    def slash(self, who: int, sequencer: Sequencer, slot: int, other: int) -> None:
        blocks = (5, 5 + other)
        same = other < 4  # or another part
        call = staking.slash(self.layout.program, sequencer.cell, slot, blocks, (1, 2))
        signers = (key(sequencer.owner),) * 2
        epoch = next(
            (self.epoch - k for k, start in enumerate(self.starts) if slot >= start and self.epoch >= k), -1
        )
        late = sequencer.closed and (epoch > sequencer.closed or not sequencer.bond)
        known = sequencer.slashed >= 0
        if same or epoch < 0 or (epoch >= sequencer.slashed if known else late):
            self.send_tipped(who, None, call, cosigners=() if same else signers)
            return
        if known:
            sequencer.slashed = epoch
            self.send_tipped(who, (sequencer.cell, slot), call, cosigners=signers)
            return
        sequencer.slashed = epoch
        if not sequencer.closed:
            self.end(sequencer)
        self.held -= RULES.bond
        part = RULES.bond * RULES.report_rate // 10_000
        self.fund += RULES.bond - part
        self.send_tipped(who, (sequencer.cell, slot), call, cosigners=signers)

    def pay_income(self, who: int, amount: int) -> None:
        self.owed_mev += amount
        self.send_tipped(who, (), Call.bank_move(who, self.layout.income, amount))

    # Batches

    def leader(self, slot: int, rank: int) -> Sequencer | None:
        by_leaf: dict[int, tuple[int, Sequencer]] = {}
        for sequencer in self.sequencers:
            weight = self.weight(sequencer, self.epoch)
            if weight:
                by_leaf[sequencer.leaf] = (weight, sequencer)
        total = sum(weight for weight, _ in by_leaf.values())
        if not total:
            return None
        low, high = user_hash(self.seed, slot, rank)
        share = (low + high * P) * total // P**2
        for leaf in sorted(by_leaf):
            weight, sequencer = by_leaf[leaf]
            if share < weight:
                return sequencer
            share -= weight
        raise AssertionError("no interval")

    def producer(self) -> int:
        return self.chosen

    def begin(self) -> None:
        """What the hook does before the batch that follows."""
        events = []
        if self.height > self.tip:
            self.tip = self.height
            events = [block(self.tip)]
        self.freeze = self.tip // RULES.epoch_blocks
        epoch = max(self.tip - RULES.seed_blocks, 0) // RULES.epoch_blocks
        if epoch != self.epoch:
            words = [
                int.from_bytes(block(self.tip).block_hash[8 * i : 8 * i + 8], "little") for i in range(4)
            ]
            low, high = user_hash(*words[:3])
            low, high = user_hash(low | high << 32, words[3], self.seed)
            self.seed = low | high << 32
            passed = epoch - self.epoch
            self.starts = ([self.slot] * passed + self.starts)[:3]
            self.epoch = epoch
        gone = self.height - self.last_height
        leader = self.leader(self.slot, 0)
        if leader is None or gone >= RULES.open_blocks:
            self.chosen, now = self.people[3], None
        else:
            self.chosen, now = leader.cell + 2, leader
        self.share()
        self.prev, self.last_height = now, self.height
        self.events = events

    def share(self) -> None:
        """Of what the batch before has earned."""
        owed, prev = self.owed, self.prev
        income = owed["base"] + owed["mev"] + (owed["tips"] if prev else 0)
        self.rewards += income + owed["data"]
        data = owed["data"] if prev else 0
        income += owed["data"] - data
        fund = income * RULES.fund_rate // 10_000
        income -= fund
        if prev:
            part = income * prev.rate // 10_000
            income -= part
            prev.earned += part + data
        weight = self.total()
        if weight:
            self.acc, self.carry = (
                self.acc + (income * NANO + self.carry) // weight,
                (income * NANO + self.carry) % weight,
            )
        else:
            fund += income
        self.rewards -= fund
        self.fund += fund

    def close(self) -> None:
        waiting, self.expected = self.expected, []
        done = self.world.produce(self.slot, self.chosen, self.height, self.events)
        self.note(done)
        for expected, receipt in zip(waiting, done.receipts, strict=True):
            if expected.words is None:
                assert receipt.failure is not None, expected
            else:
                assert receipt.failure is None, (expected, receipt.detail)
                said = receipt.events[-1].values[1:] if receipt.events else ()
                assert said[: len(expected.words)] == expected.words, (expected, said)
        values = done.public_values
        self.owed = {
            "base": values.base_fees, "data": values.data_fees, "tips": values.tips,
            "mev": self.owed_mev,
        }  # fmt: skip
        self.owed_mev = 0
        self.compare()
        self.slot += 1 + self.jump % 3 // 2
        self.height += self.jump % 2
        self.jump = 1
        self.begin()

    def compare(self) -> None:
        assert self.world.data(self.layout.totals) == (self.held, self.total(), self.acc, self.carry)
        assert self.world.balance(self.layout.stakes) == self.held
        assert self.world.balance(self.layout.rewards) == self.rewards
        assert self.world.balance(self.layout.fund) == self.fund
        live = sum(not stake.gone for stake in self.stakes)
        bonds = sum(s.bond and s.slashed < 0 for s in self.sequencers)
        assert self.held == RULES.bond * bonds + sum(s.amount for s in self.stakes if not s.gone), live
        claims = self.carry
        for stake in self.stakes:
            upto = stake.sequencer.end if stake.sequencer.closed else self.acc
            if not stake.until:
                claims += stake.amount * (upto - stake.mark)
            claims += 0 if stake.until and stake.gone else stake.rest
        earned = sum(s.earned for s in self.sequencers)
        lost = sum(stake.rest for stake in self.stakes if stake.until and stake.gone)
        assert (self.rewards - earned) * NANO == claims + lost, "to a billionth of a msat"


def test_staking_does_what_the_model_does() -> None:
    run(StakingMachine, lambda machine: machine.layout.program, staking.Said)
