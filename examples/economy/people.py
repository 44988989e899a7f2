"""What the people of the season do: each action is a transaction, and what its author learns from the receipt."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from circuits.programs import amm, lending, options, oracle, staking, top
from circuits.rollup.inclusion import Receipt
from circuits.rollup.types import Call, Calls, Transaction, Transfer, Withdraw, withdraw_script
from examples.economy.chain import GAS_LIMIT, MAX_FEE
from examples.economy.world import (
    COIN,
    DEPOSIT,
    FEEDS,
    OTHERS,
    ROUND_SLOTS,
    RULES,
    SEQUENCERS,
    STAKERS,
    TRADERS,
    World,
)
from examples.programs import token

UNIT = 10**6
"""Of the token; priced by the oracle in msat."""
FAIR_PRICE = 3_000_000
"""Msat for a unit, when the season begins."""
POST_SLOTS = 20
"""In which a post may be included."""


@dataclass
class Action:
    """A transaction that someone wants.

    Attributes:
        who: Its signer.
        kind: What it is for, as the picture names it.
        transaction: Without nonce and leaf.
        learn: Called with the receipt when it has succeeded.
        first: It must be the first of its block.
    """

    who: str
    kind: str
    transaction: Transaction
    learn: Callable[[Receipt], None] = lambda receipt: None
    first: bool = False


@dataclass
class Stake:
    """A stake that someone has."""

    who: str
    cell: int
    amount: int
    since: int


@dataclass
class People:
    """All of them, and what they know.

    Attributes:
        world: Their chain.
        rng: Their whims.
        sequencers: Record cells by name.
        stakes: What is staked.
    """

    world: World
    rng: random.Random
    sequencers: dict[str, int] = field(default_factory=dict)
    stakes: list[Stake] = field(default_factory=list)
    pool: int = 0
    bank: lending.Cells = field(default_factory=lambda: lending.Cells(0))
    house: int = 0
    saved: tuple[int, int] = (0, 0)
    loan: int = 0
    written: list[int] = field(default_factory=list)
    bought: list[int] = field(default_factory=list)
    bids: list[tuple[str, int, int, int, int]] = field(default_factory=list)
    price: int = FAIR_PRICE

    def calls(self, who: str, kind: str, *calls: Call, tip: int = 0, first: bool = False) -> Action:
        """A list of calls."""
        return Action(who, kind, Calls(self.cell(who), 0, 0, calls, GAS_LIMIT, MAX_FEE, tip), first=first)

    def cell(self, who: str) -> int:
        """Someone's account."""
        return self.world.people[who]

    def data(self, cell: int) -> tuple[int, int, int, int]:
        """A data cell's words."""
        found = self.world.chain.ledger.cells[cell]
        words: tuple[int, int, int, int] = found.values  # type: ignore[union-attr]
        return words

    def set_up(self) -> Iterator[Action]:
        """What must happen before there is a market; each depends on what those before have learnt."""
        at, programs = self.world.staking, self.world.programs
        coins = [token.mint(programs["token"], purse, 10**6 * UNIT) for purse in self.world.tokens.values()]
        yield self.calls("issuer", "set-up", *coins)
        yield self.calls(
            "issuer", "set-up", oracle.open_feeds(programs["oracle"]), lending.open_pool(programs["lending"])
        )
        self.bank = lending.Cells(self.data(lending.book(programs["lending"]))[0])
        yield self.calls("issuer", "set-up", top.open_auction(programs["auction"]))
        self.house = self.data(top.book(programs["auction"]))[0]
        create = self.calls("issuer", "set-up", amm.create(programs["amm"], 0, programs["token"]))
        create.learn = lambda receipt: setattr(self, "pool", receipt.events[-1].values[1])
        yield create
        for name in SEQUENCERS:
            move = Call.bank_move(self.cell(name), at.stakes, RULES.bond)
            action = self.calls(name, "staking", move, staking.register(at.program, 1000))
            action.learn = lambda receipt, name=name: self.sequencers.__setitem__(
                name, receipt.events[-1].values[1]
            )  # type: ignore[misc]
            yield action
        for number, name in enumerate(STAKERS):
            yield self.stake(name, SEQUENCERS[number % len(SEQUENCERS)], COIN * (1 + number))
        yield from (self.post(feed) for feed in FEEDS)
        yield self.add_liquidity("lender", 5 * COIN)
        yield self.deposit("lender", 5 * COIN)

    def wish(self, slot: int) -> Action:
        """What someone wants to do now."""
        choice = self.rng.random()
        if choice < 0.40:
            return self.swap(self.rng.choice(TRADERS))
        if choice < 0.55:
            return self.transfer()
        if choice < 0.68:
            return self.lending()
        if choice < 0.82:
            return self.option(slot)
        if choice < 0.88:
            return self.withdraw()
        if choice < 0.92 and len(self.stakes) > 3:
            return self.claim(self.rng.choice(self.stakes))
        return self.stake(self.rng.choice(STAKERS), self.rng.choice(SEQUENCERS), COIN // 5)

    def transfer(self) -> Action:
        """Somebody pays somebody."""
        who, to = self.rng.sample((*TRADERS, *STAKERS, *OTHERS), 2)
        amount = self.rng.randrange(10**5, 10**8)
        return Action(
            who,
            "transfers",
            Transfer(self.cell(who), 0, 0, self.cell(to), amount, MAX_FEE, self.rng.randrange(5)),
        )

    def withdraw(self) -> Action:
        """Somebody goes home to Bitcoin."""
        who = self.rng.choice(TRADERS)
        script, length = withdraw_script(bytes([0, 20]) + bytes(range(20)))
        amount = 1000 * self.rng.randrange(1_000, 50_000)
        return Action(who, "withdrawals", Withdraw(self.cell(who), 0, 0, amount, MAX_FEE, script, length))

    def swap(self, who: str) -> Action:
        """Buys or sells the token; tips for speed."""
        program, sell = self.world.programs["amm"], self.rng.random() < 0.5
        first, second = amm.purses(self.pool)
        tokens, amount = self.world.tokens[who], self.rng.randrange(1, 30)
        if sell:
            move, back = Call.bank_move(tokens, second, amount * UNIT), self.cell(who)
        else:
            move, back = Call.bank_move(self.cell(who), first, amount * FAIR_PRICE), tokens
        return self.calls(
            who, "swaps", move, amm.swap(program, self.pool, sell, 1, back), tip=self.rng.randrange(1, 20)
        )

    def add_liquidity(self, who: str, amount: int) -> Action:
        """At the fair price, at first."""
        first, second = amm.purses(self.pool)
        tokens, most = self.world.tokens[who], amount // FAIR_PRICE * UNIT
        moves = Call.bank_move(self.cell(who), first, amount), Call.bank_move(tokens, second, most)
        return self.calls(
            who,
            "liquidity",
            *moves,
            amm.add(self.world.programs["amm"], self.pool, amount, most, tokens, 100),
        )

    def post(self, feed: str) -> Action:
        """A feed says a price near the fair one."""
        self.price = max(FAIR_PRICE // 2, self.price + self.rng.randrange(-50_000, 50_001))
        until = self.world.chain.ledger.system.slot + POST_SLOTS
        return self.calls(feed, "oracle", oracle.post(self.world.programs["oracle"], self.price, until))

    def stake(self, who: str, name: str, amount: int) -> Action:
        """More stake on a sequencer."""
        at, chain = self.world.staking, self.world.chain
        move = Call.bank_move(self.cell(who), at.stakes, amount)
        action = self.calls(who, "staking", move, staking.stake(at.program, self.sequencers[name], amount))

        def learn(receipt: Receipt) -> None:
            self.stakes.append(Stake(who, receipt.events[-1].values[1], amount, chain.ledger.system.slot))

        action.learn = learn
        return action

    def claim(self, stake: Stake) -> Action:
        """Rewards of a stake."""
        return self.calls(stake.who, "staking", staking.claim(self.world.staking.program, stake.cell))

    def deposit(self, who: str, amount: int) -> Action:
        """Into the lending pool."""
        move = Call.bank_move(self.cell(who), self.bank.cash, amount)
        return self.calls(who, "lending", move, lending.deposit(self.world.programs["lending"], amount))

    def lending(self) -> Action:
        """The borrower pledges, borrows, repays, in turns."""
        program, who = self.world.programs["lending"], "borrower"
        if not self.loan:
            amount = 300 * UNIT
            move = Call.bank_move(self.world.tokens[who], self.bank.collateral, amount)
            action = self.calls(who, "lending", move, lending.put(program, 0, amount))
            action.learn = lambda receipt: setattr(self, "loan", receipt.events[-1].values[1])
            return action
        if self.data(self.loan)[2] < 10**8:
            return self.calls(who, "lending", lending.borrow(program, self.loan, 10**8))
        move = Call.bank_move(self.cell(who), self.bank.cash, 5 * 10**7)
        return self.calls(who, "lending", move, lending.repay(program, self.loan, 5 * 10**7))

    def option(self, slot: int) -> Action:
        """Calls on the token are written, bought, exercised."""
        program, tokens = self.world.programs["options"], self.world.tokens
        if self.bought:
            option = self.bought.pop()
            move = Call.bank_move(self.cell("holder"), options.purses(option)[1], 10 * FAIR_PRICE)
            return self.calls("holder", "options", move, options.exercise(program, option, tokens["holder"]))
        if self.written:
            option = self.written.pop()
            move = Call.bank_move(self.cell("holder"), options.purses(option)[2], 10**6)
            action = self.calls("holder", "options", move, options.buy(program, option, 10**6))
            action.learn = lambda receipt: self.bought.append(option)
            return action
        assets = self.world.programs["token"], 0
        write = options.write(program, assets, 10 * UNIT, 10 * FAIR_PRICE, slot + 100, self.cell("writer"))
        action = self.calls("writer", "options", write)
        action.learn = lambda receipt: self._offer(receipt.events[-1].values[1])
        return action

    def _offer(self, option: int) -> None:
        program = self.world.programs["options"]
        move = Call.bank_move(self.world.tokens["writer"], options.purses(option)[0], 10 * UNIT)
        action = self.calls("writer", "options", move, options.offer(program, option, 10**6))
        action.learn = lambda receipt: self.written.append(option)
        self.next.append(action)

    next: list[Action] = field(default_factory=list)
    """What follows from what was done: it comes first."""

    def auction(self, slot: int) -> list[Action]:
        """What the round asks of bidders: one bids a round, shows it in the next, uses it in the third."""
        program, turn = self.world.programs["auction"], slot // ROUND_SLOTS
        wanted = []
        for bid in list(self.bids):
            who, cell, amount, salt, round_ = bid
            if turn == round_ + 1 and amount > 0:
                wanted.append(self.calls(who, "auction", top.reveal(program, cell, amount, salt)))
                self.bids[self.bids.index(bid)] = (who, cell, -amount, salt, round_)
            elif turn == round_ + 2 and amount < 0:
                wanted.append(self.calls(who, "auction", top.use(program, cell), first=True))
                self.bids.remove(bid)
            elif turn > round_ + 2:  # its time has passed
                wanted.append(self.calls(who, "auction", top.refund(program, cell)))
                self.bids.remove(bid)
        if not any(bid[4] == turn for bid in self.bids):
            wanted.append(self._bid(turn))
        return wanted

    def _bid(self, turn: int) -> Action:
        program, who = self.world.programs["auction"], self.rng.choice(TRADERS)
        amount, salt = self.rng.randrange(10**5, 3 * 10**6), self.rng.getrandbits(63)
        pay = Call.bank_move(self.cell(who), top.deposits(self.house), DEPOSIT)
        action = self.calls(who, "auction", pay, top.commit(program, self.cell(who), amount, salt))

        def learn(receipt: Receipt) -> None:
            _, cell, round_ = receipt.events[-1].values
            self.bids.append((who, cell, amount, salt, round_))

        self.bids = [bid for bid in self.bids if bid[4] != turn]
        action.learn = learn
        return action
