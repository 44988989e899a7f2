"""Cells of each operation of the economy's programs: its batch in the season, less the same batch without it."""

from __future__ import annotations

from dataclasses import replace

from circuits.programs import amm, lending, options, oracle, staking, top
from circuits.rollup.batch import Batch
from circuits.rollup.execute import execute_batch
from circuits.rollup.ledger import Ledger
from circuits.rollup.operations import Calls
from circuits.witness import witness
from examples.economy.season import Season
from verifier.cost import FIXED
from verifier.pipeline import table_columns

SEED, BLOCKS = 7, 90
SELECTORS = {
    "staking": staking.Selector, "amm": amm.Selector, "lending": lending.Selector, "options": options.Selector,
    "auction": top.Selector,
}  # fmt: skip


def cells(ledger: Ledger, batch: Batch) -> int:
    """Of all tables but those that are as large in every batch."""
    rows = witness(execute_batch(ledger, batch, strict=True).transition).rows
    return sum(rows[name] * columns for name, columns in table_columns().items() if name not in FIXED)


def operation(season: Season, tx: Calls) -> str:
    """What a list of calls is for: its last call's program and entry."""
    call = tx.calls[-1]
    program = season.world.names[call.program]
    if program == "oracle":
        return "oracle post" if call.selector == oracle.POST else "oracle open"
    if program == "token":
        return "token"
    return f"{program} {SELECTORS[program](call.selector).name.lower()}"


def measure() -> dict[str, int]:
    """Cells of each operation that stands first in its block, as first met; and of the last such block without it."""
    season = Season(SEED, BLOCKS)
    before, found = season.world.chain.ledger, dict[str, int]()
    for block in season.play():
        done = block.transition
        tx = done.batch.transactions[0].transaction if done.batch.transactions else None
        if isinstance(tx, Calls) and operation(season, tx) not in found:
            empty = cells(before, replace(done.batch, transactions=()))
            alone = cells(before, replace(done.batch, transactions=done.batch.transactions[:1]))
            found[operation(season, tx)] = alone - empty
            if season.account.elected:
                found["block of no transactions, hook included"] = empty
        before = done.ledger
    return dict(sorted(found.items()))
