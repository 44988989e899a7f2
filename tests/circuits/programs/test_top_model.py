"""The auction against a model in plain integers: hypothesis state machine."""

from __future__ import annotations

from dataclasses import dataclass

from circuits.programs import top
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse
from circuits.rollup.types import Call
from tests.circuits.programs.machine import ProgramMachine, run
from tests.circuits.programs.world import account

ROUND, DEPOSIT, PENALTY = 3, 1000, 100


@dataclass
class Bid:
    cell: int
    who: int
    round: int
    amount: int
    salt: int
    state: str = "committed"


class AuctionMachine(ProgramMachine):
    """Bids in every round; use is tried as the first transaction of a batch and later."""

    def build(self, genesis: Genesis) -> Genesis:
        self.people = [account(genesis) for _ in range(4)]
        self.income = genesis.add(Purse((0,) * 8, 0))
        self.program = genesis.program(lambda cell: top.build(self.income, ROUND, DEPOSIT, PENALTY))
        self.next_cell = genesis.next_free
        self.bids: list[Bid] = []
        self.best: dict[int, Bid] = {}
        self.used: set[int] = set()
        self.paid = 0
        return genesis

    def start(self) -> None:
        self.send(self.people[0], (), top.open_auction(self.program))
        self.first = self.new_cells(5)
        self.close()

    def producer(self) -> int:
        return self.people[3]

    def act(self, choice: int, a: int, b: int, c: int) -> None:
        who = self.people[choice % 3]
        kind = choice // 3 % 8
        if kind < 2 or not self.bids:
            self.commit(who, a % (DEPOSIT + 2), b, bool(c % 9))
            return
        recent = self.bids[-8:]
        bid = recent[a % len(recent)]
        who = bid.who if b % 6 else who
        if kind < 5:
            self.reveal(who, bid, bid.amount + (c % 7 == 0), bid.salt)
        elif kind < 7:
            self.use(who, self.best.get(self.slot // ROUND - 2, bid) if c % 3 else bid)
        else:
            self.refund(who, bid)

    def commit(self, who: int, amount: int, salt: int, paid: bool) -> None:
        calls = [top.commit(self.program, who, amount, salt)]
        if paid:
            calls.insert(0, Call.bank_move(who, top.deposits(self.first), DEPOSIT))
        if not paid:
            self.send(who, None, *calls)
            return
        bid = Bid(self.new_cells(1), who, self.slot // ROUND, amount, salt)
        self.bids.append(bid)
        self.send(who, (bid.cell, bid.round), *calls)

    def reveal(self, who: int, bid: Bid, amount: int, salt: int) -> None:
        call = top.reveal(self.program, bid.cell, amount, salt)
        right = who == bid.who and bid.state == "committed" and bid.round + 1 == self.slot // ROUND
        if not right or amount != bid.amount or amount > DEPOSIT:
            self.send(who, None, call)
            return
        bid.state = "revealed"
        best = self.best.get(bid.round)
        if amount > (best.amount if best else 0):
            self.best[bid.round] = bid
        self.send(who, (bid.cell, amount), call)

    def use(self, who: int, bid: Bid) -> None:
        call = top.use(self.program, bid.cell)
        right = who == bid.who and bid.round + 2 == self.slot // ROUND and self.best.get(bid.round) is bid
        if not right or bid.round in self.used or self.expected:
            self.send(who, None, call)
            return
        bid.state = "over"
        self.used.add(bid.round)
        self.paid += bid.amount
        self.send(who, (bid.cell, DEPOSIT - bid.amount), call)

    def refund(self, who: int, bid: Bid) -> None:
        call, now = top.refund(self.program, bid.cell), self.slot // ROUND
        wins = self.best.get(bid.round) is bid and now == bid.round + 2
        if who != bid.who or now < bid.round + 2 or bid.state == "over" or wins:
            self.send(who, None, call)
            return
        back = DEPOSIT - (PENALTY if bid.state == "committed" else 0)
        self.paid += DEPOSIT - back
        bid.state = "over"
        self.send(who, (bid.cell, back), call)

    def compare(self) -> None:
        held = DEPOSIT * sum(bid.state != "over" for bid in self.bids)
        assert self.world.data(top.book(self.program))[1] == held
        assert self.world.balance(top.deposits(self.first)) == held
        assert self.world.balance(self.income) == self.paid


def test_auction_does_what_the_model_does() -> None:
    run(AuctionMachine, lambda machine: machine.program, top.Said)
