"""The season of `make demo-economy`: the same for the same seed, every msat traced, and proven."""

from __future__ import annotations

from itertools import islice

import pytest

from circuits.programs.staking import SCALE
from circuits.witness import witness
from examples.economy.report import flows, write
from examples.economy.season import Season
from tests.whole import SHAPE, prove_and_verify, whole


def played(seed: int, blocks: int) -> tuple[Season, list]:
    season = Season(seed, blocks)
    return season, list(season.play())


def test_every_msat_is_traced_and_the_supply_is_what_is_held(tmp_path) -> None:
    season, blocks = played(3, 60)
    account = season.account
    assert (account.untraced, account.supply) == (0, 0)
    assert all(block.solvency.difference == 0 for block in blocks)
    assert sum(account.income.values()) == sum(account.shared.values()) > 0
    assert set(account.income) == {"base fees", "data fees", "tips", "MEV"}
    assert sum(receipt.failure is not None for b in blocks for receipt in b.transition.receipts) == 0
    given = season.earned()
    assert len(given) == 5
    _, _, acc, carry = season.people.data(season.world.staking.totals)
    due = carry
    for stake in season.people.stakes:
        _, amount, mark, rest = season.people.data(stake.cell)
        due += account.claimed[stake.cell] * SCALE + amount * (acc - mark) + rest
    assert due == account.shared["stakers"] * SCALE, "to a billionth of a msat"
    fractions = carry // SCALE + len(season.people.stakes) + 1
    assert 0 <= account.shared["stakers"] - sum(earned for _, earned in given.values()) <= fractions
    found = flows(season)
    for node in ("income", "stakers"):
        into = sum(amount for (_, to), amount in found.items() if to == node)
        out = sum(amount for (source, _), amount in found.items() if source == node)
        assert 0 <= into - out <= fractions
    for path in write(season, [block.solvency for block in blocks], tmp_path):
        assert path.stat().st_size > 10_000


def test_the_same_seed_gives_the_same_season() -> None:
    first, second = (played(5, 25)[0] for _ in range(2))
    assert first.world.chain.ledger.root == second.world.chain.ledger.root
    assert first.world.chain.ledger.root != played(6, 25)[0].world.chain.ledger.root


@pytest.mark.slow
def test_blocks_of_a_season_are_proven() -> None:
    season = Season(3, 40)
    before = season.world.chain.ledger
    proven = set()
    for block in islice(season.play(), 40):
        done = block.transition
        kinds = {action.kind for action in block.actions}
        if not kinds <= proven and witness(done).smallest_shape() == SHAPE:
            prove_and_verify(whole(before, done.batch))
            proven |= kinds
        before = done.ledger
    assert proven >= {"set-up", "staking", "oracle", "liquidity", "lending", "auction", "swaps", "options"}
