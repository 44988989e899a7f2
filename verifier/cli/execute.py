"""`pegproof execute`: what a batch does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from verifier.cli.output import btc, console, emit, json_option, reports_errors, show_table
from verifier.pipeline import Executed, run_batch


@click.command(short_help="run a batch and show what it does")
@click.argument("batch", type=click.Path(path_type=Path))
@click.option("--commit", is_flag=True, help="Also write the batch to the state store, whole or not at all.")
@json_option
@reports_errors
def command(batch: Path, commit: bool, as_json: bool) -> None:
    """Run the batch in directory BATCH and show what it does; without --commit nothing is written."""
    executed = run_batch(batch)
    figures = report(executed)
    if commit:
        figures["committed"] = executed.commit()
    emit(figures, as_json, lambda: render(executed, figures))


def report(executed: Executed) -> dict[str, Any]:
    """The figures of an executed batch.

    Units: msat.
    """
    shape = executed.shape()
    return {
        **executed.execution.figures(),
        "transfers": executed.transfers,
        "batch_number": executed.public_values.batch_number + 1,
        "shape": shape,
        "tables": executed.tables(shape),
        "seconds": sum(executed.seconds.values()),
        "steps": executed.seconds,
        "committed": executed.public_values.batch_number + 1 if executed.source.committed else None,
    }


def _failure(item: dict[str, Any]) -> str:
    return f"{item['reason']} {item['detail']}".rstrip()


MOST_LISTED = 10
_LISTED: tuple[tuple[str, str, Callable[[dict[str, Any]], str]], ...] = (
    ("deployed", "deployed", lambda item: f"program {item['program']}"),
    ("events", "event", lambda item: f"program {item['program']} says {item['values']}"),
    ("failures", "failure", _failure),
    ("left_out", "left out", lambda item: str(item["reason"])),
)
"""Lists of `Execution.figures`: name, title, an entry for a person."""


def render(executed: Executed, figures: dict[str, Any]) -> None:
    """The figures for a person."""
    values = executed.public_values
    console.print(
        f"batch {figures['batch_number']}: {figures['transactions']:,} transactions "
        f"({figures['failed']} failed), {values.inbox_count_after - values.inbox_count_before} deposits, "
        f"{values.num_exits} exits"
    )
    console.print(
        f"state root    {figures['state_root_before']}\n           -> {figures['state_root_after']}"
    )
    console.print(f"supply        {btc(values.supply_before)} + deposits {btc(values.deposits)}")
    console.print(f"              - withdrawals {btc(values.withdrawals)} = {btc(values.supply_after)}")
    fees = ", ".join(f"{kind} {amount:,}" for kind, amount in figures["fees_msat"].items())
    console.print(f"fees (msat)   {fees}")
    for kind, title, say in _LISTED:
        for item in figures[kind][:MOST_LISTED]:
            console.print(f"{title}: transaction {item['transaction']}: {say(item)}", markup=False)
        if len(figures[kind]) > MOST_LISTED:
            console.print(f"{title}: and {len(figures[kind]) - MOST_LISTED} more (--json has all)")
    rows = [
        (
            t["name"],
            t["rows"],
            t["capacity"],
            f"{100 * t['rows'] / t['capacity']:.0f} %",
            t["columns"],
            t["cells"],
        )
        for t in figures["tables"]
    ]
    show_table(
        f"tables, shape {figures['shape']}", ("table", "rows", "capacity", "full", "columns", "cells"), rows
    )
    if figures["committed"] is not None:
        console.print(f"the state store is at batch {figures['committed']}")
