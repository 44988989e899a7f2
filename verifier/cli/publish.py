"""`pegproof publish`: what a chain publishes, as files."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli.output import console, emit, json_option, reports_errors


@click.command(short_help="write what a ledger has published, and its inbox events")
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("inbox", type=click.Path(path_type=Path))
@json_option
@reports_errors
def command(store: Path, data: Path, inbox: Path, as_json: bool) -> None:
    """Write the genesis and the published bytes of all committed batches of STORE to DATA, the events to INBOX.

    STORE is a state store or a directory that holds one. `pegproof rebuild` is the way back.
    """
    from circuits.rollup.files import write_atomic
    from circuits.rollup.published import encode_genesis, encode_inbox
    from circuits.rollup.sample import STATE_FILE
    from circuits.rollup.store import Store
    from verifier.pipeline import check_output

    for output in (data, inbox):
        check_output(output)
    with Store.open(store / STATE_FILE if store.is_dir() else store) as opened:
        last = opened.batch_number()
        numbers = range(1, last + 1)
        content = encode_genesis(opened.ledger(0)) + b"".join(opened.published(i) for i in numbers)
        events = encode_inbox(()) + b"".join(opened.events(i) for i in numbers)
    write_atomic(data, content)
    write_atomic(inbox, events)
    figures = {"batches": last, "data_bytes": len(content), "inbox_bytes": len(events)}
    emit(
        figures,
        as_json,
        lambda: console.print(
            f"{last} batch{'' if last == 1 else 'es'}: {len(content):,} bytes of data, {len(events):,} of inbox events"
        ),
    )
