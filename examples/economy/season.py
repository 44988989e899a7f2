"""A season: blocks of what people want, each made by whom the election names, each accounted for."""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from circuits.programs import staking, top
from circuits.programs.election import Election
from circuits.programs.solvency import Solvency, implied, solvency
from circuits.programs.staking import Said
from circuits.rollup.transition import Transition
from circuits.rollup.types import BlockHash, Deposit, InboxEvent
from examples.economy.people import Action, People
from examples.economy.world import DEPOSIT, FEEDS, RULES, World, build

BLOCK_SLOTS = 5
"""Slots of a Bitcoin block, about."""
FIRST_HEIGHT = 100
ABSENT = 0.06
"""How often a leader misses its slot."""
SOURCES = {Said.BASE_FEE: "base fees", Said.DATA_FEE: "data fees", Said.TIP: "tips", Said.MEV: "MEV"}
MAX_ACTIONS = 3
"""Of a block: what the small shape holds beside the hook."""


@dataclass
class Account:
    """What came in, from whom, and where it went.

    Attributes:
        charged: By what a transaction was for, and kind of fee.
        income: By source, as the hook said.
        shared: Sequencers, fund, stakers.
        untraced: Msat of income that no transaction explains, or that no income explains.
        supply: Sum of what the supply differs from what is held, and from what the public values imply.
        claimed: By stake.
        elected: How often each sequencer was the first of a slot.
        expected: How often it should have been.

    Units: msat.
    """

    charged: Counter[tuple[str, str]] = field(default_factory=Counter)
    income: Counter[str] = field(default_factory=Counter)
    shared: Counter[str] = field(default_factory=Counter)
    untraced: int = 0
    supply: int = 0
    claimed: Counter[int] = field(default_factory=Counter)
    elected: Counter[int] = field(default_factory=Counter)
    expected: Counter[int] = field(default_factory=Counter)


@dataclass
class Block:
    """A block of the season, executed."""

    transition: Transition
    actions: list[Action]
    solvency: Solvency


class Season:
    """Plays and accounts.

    Args:
        seed: Of everything.
        blocks: How many, the set-up's among them.
    """

    def __init__(self, seed: int, blocks: int) -> None:
        self.rng = random.Random(seed)
        self.world: World = build(seed)
        self.people = People(self.world, self.rng)
        self.account = Account()
        self.blocks = blocks
        self.slot, self.height = 0, FIRST_HEIGHT
        self._owed: Counter[str] = Counter()

    def play(self) -> Iterator[Block]:
        """The blocks, one after the other.

        Raises:
            BatchRefused: A rule of the chain is broken (a defect of the season).
        """
        waiting: deque[Action] = deque()
        set_up = self.people.set_up()
        ready, left = True, self.blocks
        while left:
            left -= 1
            if ready:
                following = next(set_up, None)
                ready = following is not None
                actions = [following] if following else []
            if not ready:
                waiting.extendleft(self._urgent(left))
                if len(waiting) < MAX_ACTIONS:
                    waiting.append(self._wish(left))
                actions = self._choose(waiting)
            if not left:  # it shares out what the one before has charged, and charges nothing
                actions = []
            yield self._block(actions)
        self.account.untraced += self._owed.total()

    def _urgent(self, left: int) -> list[Action]:
        """What follows from what was done, and what has its time."""
        people = self.people
        followed, people.next = people.next, []
        if left <= len(people.stakes):
            return followed
        posts = [people.post(feed) for feed in FEEDS] if left % 12 == 0 else []
        return [*posts, *followed, *people.auction(self.slot + 1)]

    def _wish(self, left: int) -> Action:
        """What anyone wants; in the last blocks, to claim."""
        stakes = self.people.stakes
        if 0 < left <= len(stakes):
            return self.people.claim(stakes[left - 1])
        return self.people.wish(self.slot + 1)

    @staticmethod
    def _choose(waiting: deque[Action]) -> list[Action]:
        first = next((action for action in waiting if action.first), None)
        if first is not None:
            waiting.remove(first)
        rest = [waiting.popleft() for _ in range(min(len(waiting), MAX_ACTIONS - (first is not None)))]
        return ([first] if first else []) + rest

    def _block(self, actions: list[Action]) -> Block:
        events = self._events()
        election = Election(self.world.chain.ledger, self.world.staking, RULES, events)
        self.slot += 1
        self._note_election(election)
        producer = self._producer(election)
        chain = self.world.chain
        chain.waiting = [action.transaction for action in actions]
        supply = chain.ledger.system.supply
        done = chain.produce(self.slot, producer, self.height, events)
        for action, receipt in zip(actions, done.receipts, strict=True):
            if receipt.failure is None:
                action.learn(receipt)
        held = solvency(chain.ledger, done.public_values, self.world.names)
        self.account.supply += abs(held.difference) + abs(implied(supply, done.public_values))
        self._trace(done, actions)
        return Block(done, actions, held)

    def _events(self) -> list[InboxEvent]:
        """A Bitcoin block now and then, and now and then a deposit."""
        events: list[InboxEvent] = []
        if FIRST_HEIGHT + self.slot // BLOCK_SLOTS > self.height:
            self.height = FIRST_HEIGHT + self.slot // BLOCK_SLOTS
            events.append(BlockHash(self.height, self.rng.randbytes(32)))
            if self.height % 4 == 0:
                name = self.rng.choice(list(self.world.people))
                owner = self.world.chain.keys[self.world.people[name]].public_key.owner()
                sats = self.rng.randrange(10**3, 10**5)
                cell = self.world.people[name]
                events.append(Deposit(self.height, self.rng.randbytes(32), 0, sats, owner, cell))
        return events

    def _note_election(self, election: Election) -> None:
        leader = election.leader(self.slot)
        if leader is None:
            return
        self.account.elected[leader] += 1
        for sequencer in self.people.sequencers.values():
            self.account.expected[sequencer] += election.weight(sequencer)
        self.account.expected[0] += election.total

    def _producer(self, election: Election) -> int:
        """The leader's purse; an absent leader is waited for until the next slot."""
        leader = election.leader(self.slot)
        if leader is None:
            return self.world.people["issuer"]
        if self.rng.random() < ABSENT:
            self.slot += 1
            self._note_election(election)
            leader = election.leader(self.slot)
        if leader is None:
            raise AssertionError("who was elected a slot ago is elected")
        return staking.producer_purse(leader)

    def _trace(self, done: Transition, actions: list[Action]) -> None:
        """Each msat that the hook has shared out was charged or bid in the block before, and all of that is shared."""
        told: Counter[str] = Counter()
        for event in done.hook_events:
            if event.program != self.world.staking.program:
                continue
            kind, first, second = event.values
            if kind in SOURCES:
                told[SOURCES[Said(kind)]] += first
            elif kind == Said.SHARED:
                self.account.shared["sequencers"] += first
                self.account.shared["fund"] += second
            elif kind == Said.STAKERS:
                self.account.shared["stakers"] += first
        for source in {*told, *self._owed}:
            self.account.untraced += abs(told[source] - self._owed[source])
        self.account.income += told
        self._owed = Counter()
        producer = done.batch.header.producer
        for action, receipt in zip(actions, done.receipts, strict=True):
            for source, amount in (
                ("base fees", receipt.base_fee), ("data fees", receipt.data_fee), ("tips", receipt.tip),
            ):  # fmt: skip
                if source == "tips" and producer == self.world.people["issuer"]:
                    continue  # an open block: its producer keeps them
                self._owed[source] += amount
                self.account.charged[action.kind, source] += amount
            auction, back = self.world.programs["auction"], top.Said.REFUNDED
            said = [e.values for e in receipt.events if (e.program, e.values[0]) == (auction, back)]
            paid = sum(DEPOSIT - returned for _, _, returned in said)  # a winning bid, or a penalty
            for event in receipt.events:
                if (event.program, event.values[0]) == (self.world.staking.program, Said.CLAIMED):
                    self.account.claimed[event.values[1]] += event.values[2]
            self._owed["MEV"] += paid
            self.account.charged[action.kind, "MEV"] += paid
        self._owed = +self._owed

    def earned(self) -> dict[str, tuple[int, int]]:
        """What each staker has staked, as an average over the season's blocks, and earned, claimed or not; msat."""
        now = self.world.chain.ledger.system.slot
        acc = self.people.data(self.world.staking.totals)[2]
        found: dict[str, tuple[int, int]] = {}
        for stake in self.people.stakes:
            _, amount, mark, rest = self.people.data(stake.cell)
            due = (amount * (acc - mark) + rest) // staking.SCALE
            staked, earned = found.get(stake.who, (0, 0))
            average = amount * (now - stake.since) // now
            found[stake.who] = staked + average, earned + due + self.account.claimed[stake.cell]
        return found

    def chi2(self) -> tuple[float, int]:
        """Of the election: chi-square over the sequencers, and its degrees of freedom."""
        account = self.account
        total, slots = account.expected[0], sum(account.elected.values())
        terms = []
        for sequencer in self.people.sequencers.values():
            if weight := account.expected[sequencer]:
                wanted = slots * weight / total
                terms.append((account.elected[sequencer] - wanted) ** 2 / wanted)
        return sum(terms), max(0, len(terms) - 1)

    def chi2_p(self) -> float:
        """Probability of a worse fit by chance: in closed form, as an odd number of sequencers allows.

        1 where nothing could fit worse: nobody was elected yet, or one sequencer alone.

        Raises:
            ValueError: An even number of sequencers had weight.
        """
        value, freedom = self.chi2()
        if freedom % 2:
            raise ValueError("an odd number of sequencers is asked for")
        if not freedom:
            return 1.0
        return math.exp(-value / 2) * sum((value / 2) ** k / math.factorial(k) for k in range(freedom // 2))
