"""`pegproof yield`: an account's income and where it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import click

from verifier.cli.output import console, emit, json_option, reports_errors, show_table


@click.command(short_help="an account's income, every msat to its source")
@click.argument("store", type=click.Path(path_type=Path), default="out/economy")
@click.option("--account", required=True, help="Its cell, or its name in names.json.")
@click.option("--from", "first", type=click.IntRange(1), default=1, show_default=True, help="First block.")
@click.option("--to", "last", type=click.IntRange(1), help="Last block; default: the last one.")
@json_option
@reports_errors
def command(store: Path, account: str, first: int, last: int | None, as_json: bool) -> None:
    """Replay the blocks of STORE and show what each has brought an account, by source.

    STORE is a state store with names.json beside it, as `make demo-economy` leaves one in out/economy. Income of a
    block is what its hook shares out: what the block before has earned in base fees, tips and MEV (data fees go to the
    sequencer that made it). Fees are what public values say; what someone has sent to a fee purse by hand is shown as
    gifts. --json also has who paid: the fees of each transaction of the block before.
    """
    from circuits.programs.income import trail
    from verifier.economy import open_store, read_names, replayed
    from verifier.pipeline import PipelineError

    names = read_names(store)
    cell = names.account(account)
    with open_store(store) as opened:
        ledger = opened.ledger()
    names.check(ledger)
    if ledger.btc_purse(cell) is None:
        raise PipelineError(f"cell {cell} is no account")
    most = ledger.system.batch_number
    to = most if last is None else last
    if not first <= to <= most:
        raise PipelineError(f"no blocks {first} to {to}: there are 1 to {most}")
    blocks = [item for item in islice(trail(replayed(store), names.layout, cell), to) if item.block >= first]
    stakes: Counter[str] = Counter()
    commission: Counter[str] = Counter()
    produced: Counter[str] = Counter()
    for item in blocks:
        stakes.update(item.stakes)
        commission.update(item.commission)
        produced.update(item.produced)
    earned = [item for item in blocks if item.total]
    figures = {
        "account": cell,
        "from": first,
        "to": to,
        "income_msat": sum(item.total for item in blocks),
        "stakes_msat": dict(stakes),
        "commission_msat": dict(commission),
        "produced_msat": dict(produced),
        "blocks": [
            {
                "block": i.block,
                "slot": i.slot,
                "stakes_msat": i.stakes,
                "commission_msat": i.commission,
                "produced_msat": i.produced,
                "charged_in_block_before": [asdict(payment) for payment in i.payments],
            }
            for i in earned
        ],
    }

    def render() -> None:
        rows = [
            (f"{i.block:,}", f"{i.slot:,}", *map(_told, (i.stakes, i.commission, i.produced)), f"{i.total:,}")
            for i in earned
        ]
        header = ("block", "slot", "stakes", "commission", "produced", "in all")
        show_table(f"Income of cell {cell}, msat", header, rows)
        told = _told(stakes + commission + produced)
        console.print(f"in all {figures['income_msat']:,} msat: {told or 'nothing'}")

    emit(figures, as_json, render)


def _told(parts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {amount:,}" for name, amount in sorted(parts.items()))
