"""`pegproof yield`: an account's income and where it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
    sequencer that made it).
    """
    from circuits.programs.income import trail
    from verifier.economy import read_names, replayed

    names = read_names(store)
    cell = names.account(account)
    blocks = [
        item for item in islice(trail(replayed(store), names.layout, cell), last) if item.block >= first
    ]
    stakes: Counter[str] = Counter()
    commission: Counter[str] = Counter()
    for item in blocks:
        stakes.update(item.stakes)
        commission.update(item.commission)
    earned = [item for item in blocks if item.total]
    figures = {
        "account": cell,
        "from": first,
        "to": blocks[-1].block if blocks else first,
        "income_msat": sum(item.total for item in blocks),
        "stakes_msat": dict(stakes),
        "commission_msat": dict(commission),
        "blocks": [
            {"block": i.block, "slot": i.slot, "stakes_msat": i.stakes, "commission_msat": i.commission}
            for i in earned
        ],
    }

    def render() -> None:
        rows = [
            (f"{i.block:,}", f"{i.slot:,}", _told(i.stakes), _told(i.commission), f"{i.total:,}")
            for i in earned
        ]
        show_table(f"Income of cell {cell}, msat", ("block", "slot", "stakes", "commission", "in all"), rows)
        console.print(f"in all {figures['income_msat']:,} msat: {_told(stakes + commission) or 'nothing'}")

    emit(figures, as_json, render)


def _told(parts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {amount:,}" for name, amount in sorted(parts.items()))
