"""The season of `make demo-economy`: the same for the same seed, every msat traced, and proven."""

from __future__ import annotations

from itertools import islice

import pytest

from circuits.programs import top
from circuits.programs.staking import SCALE
from circuits.rollup.params import BASE_FEE_PURSE
from circuits.rollup.types import Call
from circuits.witness import witness
from examples.economy.report import flows, write
from examples.economy.season import Season
from examples.economy.world import DEPOSIT, PENALTY
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


def test_each_source_gives_what_transactions_were_charged_for_it() -> None:
    """To the msat, last block included: nothing that was charged is left out of the picture."""
    season, blocks = played(3, 60)
    found = flows(season)
    assert blocks[-1].transition.receipts == ()
    for source, amount in season.account.income.items():
        assert sum(msat for (_, to), msat in found.items() if to == source) == amount
    values = [block.transition.public_values for block in blocks]
    assert season.account.income["base fees"] == sum(v.base_fees for v in values)
    assert season.account.income["data fees"] == sum(v.data_fees for v in values)


def test_a_gift_to_a_fee_purse_is_untraced() -> None:
    """So the figure can be other than 0: no transaction was charged that msat."""
    season = Season(3, 30)
    gift = Call.bank_move(season.world.people["issuer"], BASE_FEE_PURSE, 1)
    for number, _ in enumerate(season.play()):
        if number == 24:
            season.people.next.append(season.people.calls("issuer", "gift", gift))
    assert season.account.untraced == 1


def test_fees_that_are_not_shared_out_are_untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A season that ended with a paid transaction would owe what that was charged."""
    play = Season._block
    monkeypatch.setattr(
        Season, "_block", lambda self, actions: play(self, actions or [self.people.transfer()])
    )
    season, blocks = played(3, 30)
    last = blocks[-1].transition.public_values
    assert season.account.untraced == last.base_fees + last.data_fees > 0


def test_a_bid_that_is_not_shown_is_income_by_its_penalty() -> None:
    season = Season(3, 60)
    hidden = 0
    for block in season.play():
        for number, (who, cell, amount, salt, turn) in enumerate(season.people.bids):
            if not hidden and amount > 0:
                season.people.bids[number] = who, cell, 0, salt, turn
                hidden = cell
        events = [event.values for receipt in block.transition.receipts for event in receipt.events]
        if (top.Said.REFUNDED, hidden, DEPOSIT - PENALTY) in events:
            hidden = -1
    assert hidden == -1 and season.account.untraced == 0
    assert season.account.charged["auction", "MEV"] >= PENALTY


@pytest.mark.parametrize("blocks", [1, 2, 12, 16])
def test_short_seasons_have_their_figures(blocks: int) -> None:
    """A set-up that is cut short, no election yet: nothing fits badly."""
    season, made = played(2, blocks)
    assert len(made) == blocks
    assert (season.account.untraced, season.account.supply) == (0, 0)
    assert season.chi2_p() == 1.0 and season.chi2() == (0, 0)
