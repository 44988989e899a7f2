"""Oracle and lending against a model in plain integers: hypothesis state machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from circuits.programs import lending, oracle
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse, owner_cell
from circuits.rollup.types import Call
from tests.circuits.programs.machine import ProgramMachine, run
from tests.circuits.programs.world import account

TOKEN, AGE = 9, 40
RULES = lending.Rules(rate=9_000, min_debt=10_000, max_age=45)
ONE = 10**12


def up(a: int, b: int, c: int) -> int:
    return -(-a * b // c)


@dataclass
class Loan:
    cell: int
    owner: int
    pledged: int = 0
    owed: int = 0


@dataclass
class Deposit:
    cell: int
    owner: int
    shares: int


@dataclass
class Bank:
    """The pool in plain integers."""

    index: int = ONE
    slot: int = 0
    debts: int = 0
    shares: int = 0
    cash: int = 0
    collateral: int = 0
    lost: int = 0
    posts: dict[int, tuple[int, int]] = field(default_factory=dict)
    price: int = 0
    oldest: int = 0
    live: int = 0

    def accrue(self, slot: int) -> None:
        rate = min(slot - self.slot, 10**6) * RULES.rate
        self.index = min(self.index + up(self.index, rate, ONE), 8 * ONE)
        self.slot = slot

    def debt(self, loan: Loan) -> int:
        return up(loan.owed, self.index, ONE)

    def assets(self) -> int:
        return self.debts * self.index // ONE + self.cash + 1

    def limit(self, pledged: int) -> int:
        return self.value(pledged) * RULES.collateral_factor // 10_000

    def value(self, pledged: int) -> int:
        return pledged * min(self.price, 2**40) // 10**6

    def fresh(self, slot: int) -> bool:
        return self.live >= RULES.min_feeds and slot - self.oldest <= RULES.max_age


class LendingMachine(ProgramMachine):
    """Lenders, borrowers, liquidators, three feeds whose price wanders."""

    def build(self, genesis: Genesis) -> Genesis:
        self.people = [account(genesis, 10**14) for _ in range(4)]
        self.tokens = {p: genesis.add(Purse(owner_cell(p), 10**14, asset=TOKEN)) for p in self.people}
        self.feeds = [account(genesis) for _ in range(3)]
        self.oracle = genesis.program(lambda cell: oracle.build(TOKEN, self.feeds, AGE))
        price = oracle.price_cell(self.oracle)
        self.program = genesis.program(lambda cell: lending.build(price, TOKEN, RULES))
        self.next_cell = genesis.next_free
        self.bank = Bank(slot=1)
        self.loans: list[Loan] = []
        self.deposits: list[Deposit] = []
        return genesis

    def start(self) -> None:
        self.send(self.people[0], (), oracle.open_feeds(self.oracle), lending.open_pool(self.program))
        self.new_cells(3)
        self.cells = lending.Cells(self.new_cells(4))
        self.close()

    def producer(self) -> int:
        return self.people[3]

    def act(self, choice: int, a: int, b: int, c: int) -> None:
        who = self.people[choice % 3]
        kind = choice // 3 % 16
        size = 10 ** (b % 9)
        if choice % 37 == 0:
            self.close()
            self.slot += c % 60
        loan = self.loans[a % len(self.loans)] if self.loans else None
        if kind < 2:
            price = 1 + c % 50 if a % 7 == 0 else 10**5 + c % 10**6
            if b % 8 == 0:
                self.send(self.feeds[a % 3], None, oracle.post(self.oracle, price, self.slot - 1))
            else:
                for feed in self.feeds[a % 2 * 2 :: c % 2 + 1]:  # all, two, or the last
                    self.post(feed, price + feed)
        elif kind < 4:
            self.deposit(who, c % (10 * size) + 1)
        elif kind < 6 and self.deposits:
            self.withdraw(who, self.deposits[a % len(self.deposits)], c)
        elif kind < 9:
            self.put(who, loan if b % 3 else None, c % (10 * size) + 1)
        elif loan is None:
            return
        elif kind == 9:
            self.take(who, loan, c % (loan.pledged + 2))
        elif kind < 12:
            self.borrow(who, loan, c % (max(self.bank.limit(loan.pledged), 0) + 5_000))
        elif kind < 14:
            self.repay(who, loan, c % (2 * self.bank.debt(loan) + 2))
        else:
            self.liquidate(who, loan, c % (self.bank.debt(loan) + 2))

    def post(self, feed: int, price: int) -> None:
        bank = self.bank
        bank.posts[feed] = (price, self.slot)
        live = [(p, at) for p, at in bank.posts.values() if self.slot - at <= AGE]
        bank.price = sorted(p for p, _ in live)[(len(live) - 1) // 2]
        bank.oldest, bank.live = min(at for _, at in live), len(live)
        self.send(feed, (price, bank.price), oracle.post(self.oracle, price, self.slot))

    def pay(self, who: int, amount: int) -> Call:
        return Call.bank_move(who, self.cells.cash, amount)

    def deposit(self, who: int, amount: int) -> None:
        index = self.bank.index, self.bank.slot
        self.bank.accrue(self.slot)
        shares = amount * (self.bank.shares + 1000) // self.bank.assets()
        calls = self.pay(who, amount), lending.deposit(self.program, amount)
        if shares == 0 or self.bank.shares + 1000 + shares >= 2**64:
            self.bank.index, self.bank.slot = index
            self.send(who, None, *calls)
            return
        cell = self.new_cells(1)
        self.bank.cash += amount
        self.bank.shares += shares
        self.deposits.append(Deposit(cell, who, shares))
        self.send(who, (cell, amount), *calls)

    def withdraw(self, who: int, deposit: Deposit, part: int) -> None:
        shares = part % (deposit.shares + 2)
        index = self.bank.index, self.bank.slot
        self.bank.accrue(self.slot)
        value = shares * self.bank.assets() // (self.bank.shares + 1000)
        call = lending.withdraw(self.program, deposit.cell, shares)
        if who != deposit.owner or shares > deposit.shares or value > self.bank.cash:
            self.bank.index, self.bank.slot = index
            self.send(who, None, call)
            return
        deposit.shares -= shares
        self.bank.shares -= shares
        self.bank.cash -= value
        self.send(who, (deposit.cell, value), call)

    def put(self, who: int, loan: Loan | None, amount: int) -> None:
        calls = (
            Call.bank_move(self.tokens[who], self.cells.collateral, amount),
            lending.put(self.program, loan.cell if loan else 0, amount),
        )
        if (loan.pledged if loan else 0) + amount >= 2**43:
            self.send(who, None, *calls)
            return
        self.bank.accrue(self.slot)
        if loan is None:
            loan = Loan(self.new_cells(1), who)
            self.loans.append(loan)
        loan.pledged += amount
        self.bank.collateral += amount
        self.send(who, (loan.cell, amount), *calls)

    def take(self, who: int, loan: Loan, amount: int) -> None:
        index = self.bank.index, self.bank.slot
        self.bank.accrue(self.slot)
        call = lending.take(self.program, loan.cell, amount, self.tokens[who])
        left = loan.pledged - amount
        covered = loan.owed == 0 or (
            self.bank.fresh(self.slot) and self.bank.debt(loan) <= self.bank.limit(max(left, 0))
        )
        if who != loan.owner or left < 0 or not covered:
            self.bank.index, self.bank.slot = index
            self.send(who, None, call)
            return
        loan.pledged = left
        self.bank.collateral -= amount
        self.send(who, (loan.cell, amount), call)

    def borrow(self, who: int, loan: Loan, amount: int) -> None:
        index = self.bank.index, self.bank.slot
        self.bank.accrue(self.slot)
        shares = up(amount, ONE, self.bank.index)
        debt = up(loan.owed + shares, self.bank.index, ONE)
        call = lending.borrow(self.program, loan.cell, amount)
        if (
            who != loan.owner or debt < RULES.min_debt or amount > self.bank.cash
            or not self.bank.fresh(self.slot) or debt > self.bank.limit(loan.pledged)
        ):  # fmt: skip
            self.bank.index, self.bank.slot = index
            self.send(who, None, call)
            return
        loan.owed += shares
        self.bank.debts += shares
        self.bank.cash -= amount
        self.send(who, (loan.cell, amount), call)

    def repay(self, who: int, loan: Loan, amount: int) -> None:
        index = self.bank.index, self.bank.slot
        self.bank.accrue(self.slot)
        debt = self.bank.debt(loan)
        calls = self.pay(who, amount), lending.repay(self.program, loan.cell, amount)
        if amount >= debt:
            paid, shares = debt, loan.owed
        elif debt - amount < RULES.min_debt:
            self.bank.index, self.bank.slot = index
            self.send(who, None, *calls)
            return
        else:
            paid, shares = amount, amount * ONE // self.bank.index
        loan.owed -= shares
        self.bank.debts -= shares
        self.bank.cash += paid
        self.send(who, (loan.cell, paid), *calls)

    def liquidate(self, who: int, loan: Loan, amount: int) -> None:
        bank = self.bank
        index = bank.index, bank.slot
        bank.accrue(self.slot)
        debt, value = bank.debt(loan), bank.value(loan.pledged)
        calls = self.pay(who, amount), lending.liquidate(self.program, loan.cell, amount, self.tokens[who])
        if loan.owed == 0 or not bank.fresh(self.slot) or bank.limit(loan.pledged) >= debt:
            bank.index, bank.slot = index
            self.send(who, None, *calls)
            return
        most = debt if debt < 2 * RULES.min_debt else debt * RULES.close_factor // 10_000
        amount = min(amount, most, up(value, 10_000, RULES.bonus))
        shares = loan.owed if amount == debt else amount * ONE // bank.index
        worth = amount * RULES.bonus // 10_000
        seized = loan.pledged if worth >= value else worth * 10**6 // min(bank.price, 2**40)
        loan.owed -= shares
        bank.debts -= shares
        bank.cash += amount
        loan.pledged -= seized
        bank.collateral -= seized
        words = (loan.cell, amount)
        if loan.pledged == 0 and loan.owed:
            lost = loan.owed * bank.index // ONE
            bank.debts -= loan.owed
            loan.owed = 0
            bank.lost += lost
            words = (loan.cell, lost)
        self.send(who, words, *calls)

    def compare(self) -> None:
        bank = self.bank
        index, slot, debts, shares = self.world.data(self.cells.totals)
        assert (index, slot, debts, shares) == (bank.index, bank.slot, bank.debts, bank.shares)
        assert self.world.data(self.cells.funds)[1:] == (bank.cash, bank.collateral, bank.lost)
        assert self.world.balance(self.cells.cash) == bank.cash
        assert self.world.balance(self.cells.collateral) == bank.collateral
        assert sum(loan.owed for loan in self.loans) == bank.debts
        assert sum(loan.pledged for loan in self.loans) == bank.collateral
        assert sum(deposit.shares for deposit in self.deposits) == bank.shares
        claims = bank.shares * bank.assets() // (bank.shares + 1000)
        assert claims <= bank.cash + bank.debts * bank.index // ONE, "no more is owed than there is"
        for loan in self.loans:
            assert self.world.data(loan.cell)[1:3] == (loan.pledged, loan.owed)


def test_lending_does_what_the_model_does() -> None:
    run(LendingMachine, lambda machine: machine.program, lending.Said)
