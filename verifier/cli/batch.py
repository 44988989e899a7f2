"""`pegproof batch`: one batch after another over the same ledger."""

from __future__ import annotations

import json
from pathlib import Path

import click

from circuits.rollup.compose import event_from_json
from circuits.rollup.files import read_file
from verifier.cli.output import btc, console, emit, json_option, reports_errors
from verifier.pipeline import PipelineError
from verifier.signing import append_events, start_next_batch


@click.group(short_help="start the next batch of a ledger")
def command() -> None:
    """Start batches, and take in what happened on Bitcoin."""


@command.command("next", short_help="put the committed batch aside, start an empty one")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--producer", type=click.IntRange(0, 2**32 - 1), help="Cell that gets the tips; default: as before."
)
@click.option(
    "--l1-rate", type=click.IntRange(0, 2**32 - 1), help="Msat per published byte; default: as before."
)
@click.option(
    "--bitcoin-height", type=click.IntRange(0, 2**32 - 1), help="What programs see; default: as before."
)
@json_option
@reports_errors
def next_(
    directory: Path, producer: int | None, l1_rate: int | None, bitcoin_height: int | None, as_json: bool
) -> None:
    """Put the committed batch in DIRECTORY aside and start an empty one that follows the ledger.

    The old batch stays in the directory; `pegproof prove DIRECTORY/batch-000001.bin` still proves it.
    """
    kept, number = start_next_batch(directory, producer, l1_rate, bitcoin_height)

    def render() -> None:
        console.print(f"batch {number} is open in {directory}; the one before is {kept}")

    emit({"directory": str(directory), "batch_number": number, "kept": str(kept)}, as_json, render)


@command.command("events", short_help="append what happened on Bitcoin")
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("events", type=click.Path(path_type=Path))
@json_option
@reports_errors
def events_(directory: Path, events: Path, as_json: bool) -> None:
    """Append the inbox events of the JSON file EVENTS, a list, to the batch in DIRECTORY.

    An event is an object with `kind` and `height`; of a "deposit" also `txid`, `vout`, `sats`, `owner`, and `cell` if
    the purse exists; of a "forced_exit" `txid`, `vout`, `sats`, `owner`, `cell`, `script`; of a "block" `hash`. Bytes
    are in hexadecimal, hashes in the order of their bytes (block explorers reverse them); `owner` is what `wallet show`
    prints. The batch runs events before its transactions, and what is not valid is consumed without effect. Nothing
    here looks at Bitcoin: a proof shows what was taken in.
    """
    try:
        items = json.loads(read_file(events))
    except ValueError as error:
        raise PipelineError(f"{events}: no JSON: {error}") from error
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise PipelineError(f"{events}: a list of objects is needed")
    values = append_events(directory, [event_from_json(item) for item in items])
    figures = {
        "events": len(items),
        "inbox_count_after": values.inbox_count_after,
        "deposits_msat": values.deposits,
        "exits": values.num_exits,
    }

    def render() -> None:
        console.print(
            f"{len(items)} events taken in; in all the batch deposits {btc(values.deposits)}, "
            f"and has {values.num_exits} exits"
        )

    emit(figures, as_json, render)
