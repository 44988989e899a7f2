"""Options against a model in plain integers: hypothesis state machine."""

from __future__ import annotations

from dataclasses import dataclass

from circuits.programs import options
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse, owner_cell
from circuits.rollup.types import Call
from tests.circuits.programs.machine import ProgramMachine, run
from tests.circuits.programs.world import account

TOKEN = 9


@dataclass
class Option:
    cell: int
    writer: int
    put: bool
    amount: int
    given: int
    expiry: int
    holder: int = 0
    premium: int = 0
    locked: int = 0
    paid_in: int = 0
    over: bool = False


class OptionsMachine(ProgramMachine):
    """Three people write, lock, offer, buy, exercise and reclaim, at good and bad times."""

    def build(self, genesis: Genesis) -> Genesis:
        self.people = [account(genesis, 10**14) for _ in range(4)]
        self.tokens = {p: genesis.add(Purse(owner_cell(p), 10**14, asset=TOKEN)) for p in self.people}
        self.program = genesis.program(lambda cell: options.build())
        self.next_cell = genesis.next_free
        self.options: list[Option] = []
        return genesis

    def producer(self) -> int:
        return self.people[3]

    def act(self, choice: int, a: int, b: int, c: int) -> None:
        who = self.people[choice % 3]
        kind = choice // 3 % 8
        if kind == 0 or not self.options:
            self.write(who, bool(a % 2), b % 10**6, c % 10**6, self.slot + a % 30 - 1)
            return
        recent = self.options[-6:]
        option = recent[a % len(recent)]
        if kind == 1:
            self.lock(option, 1 + b % 2)
        elif kind == 2:
            self.offer(option.writer if b % 5 else who, option, c % 1000)
        elif kind < 5:
            self.buy(who, option, b % 4, c % 5 - 1)
        elif kind < 7:
            self.exercise(option.holder if b % 5 and option.holder else who, option, b % 4)
        else:
            self.reclaim(option.writer if b % 5 else who, option)

    def purse(self, who: int, token: bool) -> int:
        return self.tokens[who] if token else who

    def write(self, who: int, put: bool, amount: int, given: int, expiry: int) -> None:
        assets = (0, TOKEN) if put else (TOKEN, 0)
        call = options.write(self.program, assets, amount, given, max(expiry, 0), self.purse(who, put))
        if amount == 0 or given == 0 or expiry <= self.slot:
            self.send(who, None, call)
            return
        option = Option(self.new_cells(5), who, put, amount, given, expiry)
        self.options.append(option)
        self.send(who, (option.cell, expiry), call)

    def lock(self, option: Option, times: int) -> None:
        amount = option.amount * times
        purse = self.purse(option.writer, not option.put)
        option.locked += amount
        self.send(option.writer, (), Call.bank_move(purse, option.cell + 2, amount))

    def offer(self, who: int, option: Option, premium: int) -> None:
        call = options.offer(self.program, option.cell, premium)
        open_ = not option.over and who == option.writer and not option.holder
        if not open_ or premium == 0 or option.locked < option.amount:
            self.send(who, None, call)
            return
        option.premium = premium
        self.send(who, (option.cell, premium), call)

    def buy(self, who: int, option: Option, slack: int, more: int) -> None:
        most = max(option.premium + slack - 1, 0)
        paid = max(option.premium + more, 0)
        calls = (
            Call.bank_move(who, option.cell + 4, paid),
            options.buy(self.program, option.cell, most),
        )
        fine = not option.over and not option.holder and 0 < option.premium <= min(most, paid)
        if not fine or self.slot >= option.expiry:
            self.send(who, None, *calls)
            return
        option.holder = who
        self.send(who, (option.cell, option.premium), *calls)

    def exercise(self, who: int, option: Option, short: int) -> None:
        given = option.given - (short == 0)
        calls = (
            Call.bank_move(self.purse(who, option.put), option.cell + 3, given),
            options.exercise(self.program, option.cell, self.purse(who, not option.put)),
        )
        paid = given + option.paid_in
        if option.over or who != option.holder or self.slot >= option.expiry or paid < option.given:
            self.send(who, None, *calls)
            return
        option.over, option.locked = True, 0
        option.paid_in = paid - option.given
        self.send(who, (option.cell, option.given), *calls)

    def reclaim(self, who: int, option: Option) -> None:
        call = options.reclaim(self.program, option.cell, self.purse(who, not option.put))
        waits = option.holder and self.slot < option.expiry
        if option.over or who != option.writer or waits:
            self.send(who, None, call)
            return
        locked, option.over, option.locked = option.locked, True, 0
        self.send(who, (option.cell, locked), call)

    def compare(self) -> None:
        for option in self.options[-12:]:
            people, amount, given, premium = self.world.data(option.cell)
            assert people == option.writer | option.holder << 32
            assert (amount, given, premium) == (
                0 if option.over else option.amount,
                option.given,
                option.premium,
            )
            assert self.world.balance(option.cell + 2) == option.locked
            assert self.world.balance(option.cell + 3) == option.paid_in
            assert self.world.balance(option.cell + 4) == 0
            if option.holder and not option.over:
                assert option.locked >= option.amount, "a sold option is covered"


def test_options_do_what_the_model_does() -> None:
    run(OptionsMachine, lambda machine: machine.program, options.Said)
