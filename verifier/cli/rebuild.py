"""`pegproof rebuild`: the state from published data and inbox events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from circuits.rollup.public_values import PublicValues
from verifier.cli.output import btc, console, emit, fail, json_option, reports_errors


@click.command(short_help="the state from published data and inbox events")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("inbox", type=click.Path(path_type=Path))
@click.option(
    "--check",
    "store",
    type=click.Path(path_type=Path),
    help="Compare all public values with this state store, batch by batch.",
)
@json_option
@reports_errors
def command(data: Path, inbox: Path, store: Path | None, as_json: bool) -> None:
    """Replay the batches of the file DATA with the events of the file INBOX and show the state that they give.

    Needs no key, no signature and no server. Compare the roots with those of the proofs.
    """
    from circuits.rollup.codec import elements_bytes
    from circuits.rollup.files import read_file
    from circuits.rollup.ledger import Ledger
    from circuits.rollup.published import DataFile, read_inbox
    from circuits.rollup.rebuild import replay_all
    from circuits.rollup.sample import STATE_FILE
    from circuits.rollup.store import Store

    published, events = read_file(data), read_inbox(read_file(inbox))
    source = DataFile(published)
    ledger = Ledger.of_cells(source.genesis, source.codes)
    batches: list[dict[str, Any]] = []
    rebuilt: list[PublicValues] = []
    for done in replay_all(published, events):
        ledger = done.ledger
        values = done.public_values
        rebuilt.append(values)
        batches.append(
            {
                "batch": values.batch_number + 1,
                "state_root": elements_bytes(values.state_root_after).hex(),
                "data_commitment": elements_bytes(values.data_commitment).hex(),
                "transactions": values.num_txs,
                "failed": values.num_failed,
            }
        )
    agrees: bool | None = None
    if store is not None:
        with Store.open(store / STATE_FILE if store.is_dir() else store) as opened:
            stored = [opened.public_values(i) for i in range(1, opened.batch_number() + 1)]
            agrees = stored == rebuilt and opened.ledger().root == ledger.root
    figures = {
        "batches": batches,
        "state_root": elements_bytes(ledger.root).hex(),
        "batch_number": ledger.system.batch_number,
        "cells": len(ledger.cells),
        "supply_msat": ledger.system.supply,
        "agrees_with_store": agrees,
    }
    if agrees is False:
        fail(f"what was rebuilt is not what is in {store}: these are not its published data and events")

    def render() -> None:
        for item in batches:
            console.print(
                f"batch {item['batch']}: {item['transactions']:,} transactions ({item['failed']} failed)  "
                f"{item['state_root']}"
            )
        console.print(f"state root    {figures['state_root']}")
        console.print(f"{len(ledger.cells):,} cells, supply {btc(ledger.system.supply)}")
        if agrees:
            console.print(f"the same as in {store}")

    emit(figures, as_json, render)
