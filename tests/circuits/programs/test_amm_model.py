"""The AMM against a model in plain integers: hypothesis state machine."""

from __future__ import annotations

from dataclasses import dataclass

from circuits.programs import amm
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse, owner_cell
from circuits.rollup.types import Call
from tests.circuits.programs.machine import ProgramMachine, run
from tests.circuits.programs.world import account

TOKEN, FEE = 9, 30


@dataclass
class Pool:
    """A pool in plain integers."""

    cell: int
    a: int = 0
    b: int = 0
    shares: int = 0
    gift_a: int = 0
    gift_b: int = 0


@dataclass
class Position:
    cell: int
    owner: int
    pool: Pool
    shares: int


class AmmMachine(ProgramMachine):
    """Two people, a few pools, gifts between."""

    def build(self, genesis: Genesis) -> Genesis:
        self.people = [account(genesis, 10**15) for _ in range(3)]
        self.tokens = {p: genesis.add(Purse(owner_cell(p), 10**15, asset=TOKEN)) for p in self.people}
        self.program = genesis.program(lambda cell: amm.build(FEE))
        self.next_cell = genesis.next_free
        self.pools: list[Pool] = []
        self.positions: list[Position] = []
        return genesis

    def start(self) -> None:
        for _ in range(2):
            pool = Pool(self.new_cells(3))
            self.pools.append(pool)
            self.send(self.people[0], (pool.cell, 0 | TOKEN << 32), amm.create(self.program, 0, TOKEN))
        self.close()

    def producer(self) -> int:
        return self.people[2]

    def act(self, choice: int, a: int, b: int, c: int) -> None:
        who = self.people[choice % 2]
        pool = self.pools[choice // 2 % 2]
        kind = choice // 4 % 8
        size = 10 ** (b % 10)
        if kind < 2:
            self.add(who, pool, a % (10 * size) + 1, c % (20 * size) + 1, c % 5)
        elif kind < 5:
            self.swap(who, pool, kind % 2 == 0, a % (10 * size), c % 3)
        elif kind < 7 and self.positions:
            self.remove(who, self.positions[a % len(self.positions)], b, c)
        else:
            self.gift(who, pool, a % size, c % size)

    def add(self, who: int, pool: Pool, amount: int, most: int, slack: int) -> None:
        if pool.shares == 0:
            needed, shares, own = most, amount, amount - 1000
            fits = amount > 1000
        else:
            needed, shares = -(-amount * pool.b // pool.a), amount * pool.shares // pool.a
            own, fits = shares, needed <= most and shares > 0
            enough = -(-max(most - needed, 0) * 10_000 // most)  # the least slack that lets it pass
            slack = (10_000, 10_001, max(enough - 1, 0), enough, enough)[slack]
            short = most * slack // 10_000
            fits = fits and short <= most and needed >= most - short
        pay = (
            Call.bank_move(who, pool.cell + 1, amount),
            Call.bank_move(self.tokens[who], pool.cell + 2, most),
            amm.add(self.program, pool.cell, amount, most, self.tokens[who], slack),
        )
        if not fits:
            self.send(who, None, *pay)
            return
        cell = self.new_cells(1)
        pool.a += amount
        pool.b += needed
        pool.shares += shares
        pool.gift_b = 0  # what lies about goes to the one who adds
        self.positions.append(Position(cell, who, pool, own))
        self.send(who, (cell, own), *pay)

    def swap(self, who: int, pool: Pool, second: bool, amount: int, slack: int) -> None:
        purse, source = (pool.cell + 2, self.tokens[who]) if second else (pool.cell + 1, who)
        to = who if second else self.tokens[who]
        into, out_of = (pool.b, pool.a) if second else (pool.a, pool.b)
        paid = amount + (pool.gift_b if second else pool.gift_a)
        after = paid - -(-paid * FEE // 10_000)
        got = out_of * after // (into + after) if into + after else 0
        least = max(0, got - 1 + slack)
        calls = Call.bank_move(source, purse, amount), amm.swap(self.program, pool.cell, second, least, to)
        if got == 0 or got < least:
            self.send(who, None, *calls)
            return
        k = pool.a * pool.b
        if second:
            pool.a, pool.b, pool.gift_b = pool.a - got, pool.b + paid, 0
        else:
            pool.a, pool.b, pool.gift_a = pool.a + paid, pool.b - got, 0
        assert pool.a * pool.b >= k
        self.send(who, (paid, got), *calls)

    def remove(self, who: int, position: Position, part: int, least: int) -> None:
        pool = position.pool
        shares = part % (position.shares + 2)
        to = (who, self.tokens[who])
        a = shares * pool.a // pool.shares if pool.shares else 0
        b = shares * pool.b // pool.shares if pool.shares else 0
        least = a + 1 if least % 5 == 0 else a
        call = amm.remove(self.program, position.cell, shares, to, least)
        if who != position.owner or not 0 < shares <= position.shares or least > a:
            self.send(who, None, call)
            return
        position.shares -= shares
        pool.shares -= shares
        pool.a -= a
        pool.b -= b
        self.send(who, (position.cell, shares), call)

    def gift(self, who: int, pool: Pool, a: int, b: int) -> None:
        pool.gift_a += a
        pool.gift_b += b
        moves = Call.bank_move(who, pool.cell + 1, a), Call.bank_move(self.tokens[who], pool.cell + 2, b)
        self.send(who, (), *moves)

    def compare(self) -> None:
        for pool in self.pools:
            assert self.world.data(pool.cell)[1:] == (pool.a, pool.b, pool.shares)
            assert self.world.balance(pool.cell + 1) == pool.a + pool.gift_a
            assert self.world.balance(pool.cell + 2) == pool.b + pool.gift_b
            held = sum(p.shares for p in self.positions if p.pool is pool)
            assert pool.shares in (0, held + 1000)
        for position in self.positions:
            assert self.world.data(position.cell)[1] == position.shares


def test_amm_does_what_the_model_does() -> None:
    run(AmmMachine, lambda machine: machine.program, amm.Said)


def test_a_million_dust_swaps_cost_their_author() -> None:
    """On the model, whose steps are the program's: each swap of dust gives the pool what rounding takes."""
    start = a, b = 10**9 + 7, 3 * 10**9 + 1
    k = a * b
    for turn in range(10**6):
        amount = turn % 7 + 1
        after = amount - -(-amount * FEE // 10_000)
        if turn % 2:
            a, b = a - a * after // (b + after), b + amount
        else:
            a, b = a + amount, b - b * after // (a + after)
        assert a * b >= k
        k = a * b
    assert (a - start[0]) * start[1] + (b - start[1]) * start[0] > 0, "at the first price the pool has gained"
