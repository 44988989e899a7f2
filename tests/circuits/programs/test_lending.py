"""Lending by example: each step against plain integers, specification and kernel."""

from __future__ import annotations

from dataclasses import replace

from circuits.programs import lending, oracle
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import DataCell, Purse, owner_cell
from circuits.rollup.ledger import Ledger
from circuits.rollup.types import Call
from tests.circuits.programs.world import World, account

TOKEN = 9
"""An asset that no program of this chain issues; genesis has given some of it away."""
RULES = lending.Rules(rate=10**4, min_debt=1000)


class Bank:
    """A pool, an oracle of three feeds, a lender, a borrower, a liquidator."""

    def __init__(self, kernel: bool = True, feeds: int = 3, post_age: int = RULES.max_age - 5) -> None:
        genesis = Genesis(7, 100)
        self.ann, self.bob, self.carol, self.producer = (account(genesis) for _ in range(4))
        people = (self.ann, self.bob, self.carol)
        self.tokens = {p: genesis.add(Purse(owner_cell(p), 10**12, asset=TOKEN)) for p in people}
        self.feeds = [account(genesis) for _ in range(feeds)]
        self.oracle = genesis.program(lambda cell: oracle.build(TOKEN, self.feeds, post_age))
        price = oracle.price_cell(self.oracle)
        self.program, self.other = (
            genesis.program(lambda cell: lending.build(price, TOKEN, RULES)) for _ in range(2)
        )
        self.world = World(genesis, kernel=kernel)
        self.slot = 0
        assert not self.failed(self.ann, oracle.open_feeds(self.oracle), lending.open_pool(self.program))
        self.cells = lending.Cells(self.world.data(lending.book(self.program))[0])
        self.price(10**6)

    def failed(self, signer: int, *calls: Call) -> bool:
        self.slot += 1
        self.world.send(signer, *calls)
        (self.last,) = self.world.produce(self.slot, self.producer, 1).receipts
        return self.last.failure is not None

    def done(self, signer: int, *calls: Call) -> tuple[int, int, int]:
        assert not self.failed(signer, *calls), self.last.detail
        return self.last.events[-1].values

    def price(self, price: int) -> None:
        for feed in self.feeds:
            self.post(feed, price)

    def post(self, feed: int, price: int) -> None:
        self.done(feed, oracle.post(self.oracle, price, self.slot + 1))

    def deposit(self, who: int, amount: int) -> int:
        move = Call.bank_move(who, self.cells.cash, amount)
        return self.done(who, move, lending.deposit(self.program, amount))[1]

    def put(self, who: int, amount: int, loan: int = 0) -> tuple[Call, ...]:
        move = Call.bank_move(self.tokens[who], self.cells.collateral, amount)
        return move, lending.put(self.program, loan, amount)

    def pay(self, who: int, call: Call, amount: int) -> tuple[Call, ...]:
        return Call.bank_move(who, self.cells.cash, amount), call

    def index(self) -> int:
        return self.world.data(self.cells.totals)[0]

    def debt(self, loan: int) -> int:
        return -(-self.world.data(loan)[2] * self.index() // lending.INDEX)


def test_life_of_a_loan() -> None:
    bank = Bank()
    saved = bank.deposit(bank.ann, 10**9)
    assert bank.world.data(saved)[1] == 10**9 * lending.VIRTUAL_SHARES
    _, loan, _ = bank.done(bank.bob, *bank.put(bank.bob, 2 * 10**8))
    # 200 units of 10^6, each worth 10^6 msat: 2 * 10^8 msat, of which 7,500 / 10,000 may be borrowed
    assert bank.failed(bank.bob, lending.borrow(bank.program, loan, 15 * 10**7 + 1))
    before = bank.world.balance(bank.bob)
    bank.done(bank.bob, lending.borrow(bank.program, loan, 10**8))
    assert bank.world.balance(bank.bob) == before + 10**8 - bank.last.fee
    index = bank.index()
    owed = bank.world.data(loan)[2]
    assert owed == -(-(10**8) * lending.INDEX // index)
    assert bank.failed(bank.bob, lending.take(bank.program, loan, 10**8, bank.tokens[bank.bob]))
    bank.done(bank.bob, lending.take(bank.program, loan, 10**6, bank.tokens[bank.bob]))
    slots = 2  # the refused one and this
    index += -(-index * slots * RULES.rate // lending.INDEX)
    assert bank.index() == index
    assert bank.failed(bank.ann, lending.withdraw(bank.program, saved, 10**12)), "it is lent out"

    before = bank.world.balance(bank.bob)
    bank.done(bank.bob, *bank.pay(bank.bob, lending.repay(bank.program, loan, 2 * 10**8), 2 * 10**8))
    assert bank.last.events[-1].values[2] == -(-owed * bank.index() // lending.INDEX) > 10**8
    assert bank.world.balance(bank.bob) == before - bank.last.events[-1].values[2] - bank.last.fee
    bank.done(bank.bob, lending.take(bank.program, loan, 199 * 10**6, bank.tokens[bank.bob]))
    assert bank.world.data(loan)[1:3] == (0, 0)
    cash = bank.world.data(bank.cells.funds)[1]
    _, _, value = bank.done(bank.ann, lending.withdraw(bank.program, saved, 10**12))
    assert 10**9 < value <= cash
    assert bank.world.balance(bank.cells.cash) == cash - value < 10


def test_an_unhealthy_loan_is_liquidated_and_a_healthy_one_is_not() -> None:
    bank = Bank()
    bank.deposit(bank.ann, 10**9)
    _, loan, _ = bank.done(bank.bob, *bank.put(bank.bob, 2 * 10**8))
    bank.done(bank.bob, lending.borrow(bank.program, loan, 14 * 10**7))
    repay = lending.liquidate(bank.program, loan, 10**7, bank.tokens[bank.carol])
    assert bank.failed(bank.bob, lending.repay(bank.program, loan, 10**7)), "not paid in"
    assert bank.failed(bank.bob, lending.repay(bank.program, loan, 10**9)), "not paid in"
    assert bank.failed(bank.carol, *bank.pay(bank.carol, repay, 10**7))
    bank.price(9 * 10**5)
    assert bank.failed(bank.carol, repay), "not paid in"
    before = bank.world.balance(bank.tokens[bank.carol])
    bank.done(bank.carol, *bank.pay(bank.carol, repay, 10**7))
    assert bank.world.balance(bank.tokens[bank.carol]) - before == 10**7 * 10_500 // 10_000 * 10**6 // (
        9 * 10**5
    )
    too_much = lending.liquidate(bank.program, loan, 10**9, bank.tokens[bank.carol])
    before, owed = bank.world.balance(bank.carol), bank.world.data(loan)[2]
    _, _, paid = bank.done(bank.carol, *bank.pay(bank.carol, too_much, 10**9))
    assert paid == -(-owed * bank.index() // lending.INDEX) * RULES.close_factor // 10_000
    assert bank.world.balance(bank.carol) == before - paid - bank.last.fee, "the rest comes back"


def test_what_no_collateral_covers_is_lost_by_all_depositors() -> None:
    bank = Bank()
    saved = bank.deposit(bank.ann, 10**9)
    _, loan, _ = bank.done(bank.bob, *bank.put(bank.bob, 2 * 10**8))
    bank.done(bank.bob, lending.borrow(bank.program, loan, 14 * 10**7))
    bank.price(10**4)
    pledged = bank.world.data(loan)[1]
    call = lending.liquidate(bank.program, loan, 2 * 10**6, bank.tokens[bank.carol])
    before = bank.world.balance(bank.tokens[bank.carol])
    _, _, lost = bank.done(bank.carol, *bank.pay(bank.carol, call, 2 * 10**6))
    assert bank.world.balance(bank.tokens[bank.carol]) == before + pledged
    assert lost > 13 * 10**7 and bank.world.data(bank.cells.funds)[3] == lost
    assert bank.world.data(loan)[1:3] == (0, 0) and bank.world.data(bank.cells.totals)[2] == 0
    _, _, value = bank.done(bank.ann, lending.withdraw(bank.program, saved, 10**12))
    assert value <= 10**9 - 14 * 10**7 + 2 * 10**6


def test_a_stale_price_or_two_feeds_lend_nothing() -> None:
    bank = Bank()
    bank.deposit(bank.ann, 10**9)
    _, loan, _ = bank.done(bank.bob, *bank.put(bank.bob, 2 * 10**8))
    bank.slot += RULES.max_age + 1
    assert bank.failed(bank.bob, lending.borrow(bank.program, loan, 10**6))
    bank.slot += 50
    for feed in bank.feeds:
        assert bank.failed(bank.bob, lending.borrow(bank.program, loan, 10**6))
        bank.post(feed, 10**6)
    bank.done(bank.bob, lending.borrow(bank.program, loan, 10**6))


def test_loans_and_deposits_are_their_owners_and_no_other_cell_is_one() -> None:
    bank = Bank()
    saved = bank.deposit(bank.ann, 10**9)
    _, loan, _ = bank.done(bank.bob, *bank.put(bank.bob, 2 * 10**8))
    assert bank.failed(bank.carol, lending.withdraw(bank.program, saved, 1))
    assert bank.failed(bank.carol, lending.borrow(bank.program, loan, 10**6))
    assert bank.failed(bank.carol, lending.take(bank.program, loan, 1, bank.tokens[bank.carol]))
    for cell in (saved, bank.cells.totals, bank.cells.funds, bank.cells.cash, lending.book(bank.program)):
        assert bank.failed(bank.ann, lending.borrow(bank.program, cell, 10**6))
        assert bank.failed(bank.ann, lending.take(bank.program, cell, 0, bank.tokens[bank.ann]))
    for cell in (loan, bank.cells.totals, bank.cells.funds, lending.book(bank.program)):
        assert bank.failed(bank.bob, lending.withdraw(bank.program, cell, 0))
    assert bank.failed(bank.bob, lending.borrow(bank.program, 0, 10**6))
    assert bank.failed(bank.bob, *bank.put(bank.bob, lending.MAX_COLLATERAL))
    assert bank.failed(bank.ann, lending.open_pool(bank.program))


def rewritten(bank: Bank, cell: int, **words: int) -> None:
    """The ledger with some words of a data cell, by place, put there by hand: states that take long to reach."""
    cells = dict(bank.world.ledger.cells)
    values = list(bank.world.data(cell))
    for name, value in words.items():
        values[int(name[1:])] = value
    cells[cell] = DataCell(bank.program, tuple(values))
    bank.world.ledger = Ledger.of_cells(cells, bank.world.ledger.codes.values())


def test_nothing_counts_that_was_not_paid_in_and_every_bound_is_kept() -> None:
    bank = Bank()
    bank.deposit(bank.ann, 10**9)
    _, loan, _ = bank.done(bank.bob, *bank.put(bank.bob, 2 * 10**8))
    assert bank.failed(bank.bob, lending.put(bank.program, loan, 1)), "not paid in"
    assert bank.failed(bank.bob, lending.put(bank.program, 0, 1)), "not paid in"
    assert bank.failed(bank.bob, lending.repay(bank.program, 0, 0)), "no loan is made but by putting"
    assert bank.failed(bank.bob, lending.borrow(bank.program, loan, RULES.min_debt - 2)), (
        "not worth liquidating"
    )
    assert bank.failed(bank.bob, *bank.pay(bank.bob, lending.deposit(bank.program, 0), 0)), "no shares"
    cells = dict(bank.world.ledger.cells)
    poor = bank.world.purse(bank.tokens[bank.bob])
    whale = bank.world.purse(bank.ann)
    more = lending.MAX_DEPOSIT * 2
    cells[bank.tokens[bank.bob]] = replace(poor, balance=lending.MAX_COLLATERAL * 2)
    cells[bank.ann] = replace(whale, balance=whale.balance + more)
    cells[0] = replace(bank.world.ledger.system, supply=bank.world.ledger.system.supply + more)
    bank.world.ledger = Ledger.of_cells(cells, bank.world.ledger.codes.values())
    pledged = bank.world.data(loan)[1]
    assert bank.failed(bank.bob, *bank.put(bank.bob, lending.MAX_COLLATERAL - pledged, loan))
    bank.done(bank.bob, *bank.put(bank.bob, lending.MAX_COLLATERAL - pledged - 1, loan))
    big = lending.MAX_DEPOSIT
    assert bank.failed(bank.ann, *bank.pay(bank.ann, lending.deposit(bank.program, big), big))
    bank.deposit(bank.ann, big - 1)
    rewritten(bank, bank.cells.totals, w2=lending.MAX_DEBT_SHARES)
    assert bank.failed(bank.bob, lending.borrow(bank.program, loan, 10**6)), "debts in all"


def test_a_deposit_too_small_for_a_share_is_refused() -> None:
    bank = Bank()
    bank.deposit(bank.ann, 10**6)
    funds = bank.world.data(bank.cells.funds)
    rewritten(
        bank, bank.cells.totals, w3=1
    )  # one share, and 10^6 msat: as after withdrawals that interest follows
    assert funds[1] == 10**6
    assert bank.failed(bank.bob, *bank.pay(bank.bob, lending.deposit(bank.program, 900), 900))
    bank.deposit(bank.bob, 1100)
