"""`pegproof batch`: one batch after another over the same ledger."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli.output import console, emit, json_option, reports_errors
from verifier.signing import start_next_batch


@click.group(short_help="start the next batch of a ledger")
def command() -> None:
    """Go on after a batch was committed."""


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
