"""`pegproof exit`: a user's way home when every sequencer is silent."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli.output import btc, console, emit, json_option, reports_errors


@click.command(short_help="the batch of one's own forced exit, from published data alone")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("inbox", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--account", "cell", type=click.IntRange(0, 2**30 - 1), required=True, help="Cell of the purse."
)
@click.option("--sats", type=click.IntRange(1), help="How much; default: all whole sats of the purse.")
@click.option("--script", required=True, help="scriptPubKey to pay, in hexadecimal.")
@click.option(
    "--txid",
    help="Of the Bitcoin transaction that posts it; 32 bytes in hexadecimal. Default: of one in the inbox, or 0.",
)
@click.option("--vout", type=click.IntRange(0, 2**32 - 1), default=0)
@click.option(
    "--bitcoin-height", type=click.IntRange(0, 2**32 - 1), help="Now; default: as in the last batch."
)
@click.option("--slot", type=click.IntRange(1, 2**32 - 1), help="Default: the next one.")
@click.option("--producer", type=click.IntRange(0, 2**30 - 1), help="Default: the exiting account itself.")
@click.option(
    "--take", type=click.IntRange(1), help="So many events at most; the exit may be left to a later batch."
)
@json_option
@reports_errors
def command(
    data: Path, inbox: Path, out: Path, cell: int, sats: int | None, script: str, txid: str | None, vout: int,
    bitcoin_height: int | None, slot: int | None, producer: int | None, take: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Rebuild the ledger from the files DATA and INBOX and make, in the directory OUT, the batch of a forced exit.

    Nothing of it needs a key, a server or a sequencer. OUT gets the state store, the batch with whatever the inbox
    still holds and the exit behind it, and exit.json: the event's canonical bytes for Bitcoin, the leaf of the exit
    and its path to the batch's exit root. `pegproof prove OUT` proves it. Where a hook elects producers, a batch by
    the account itself is refused until anyone may produce: then say by --bitcoin-height how late it is.

    If INBOX holds the exit already, that one is carried out and none is added. If more is pending than a batch holds,
    --take makes a batch of the first events; prove and publish it, and run this again behind it. Compare
    state_root_before with the last proof: what a publisher leaves out or invents shows there.
    """
    from verifier.exits import forced_exit_batch

    made = forced_exit_batch(
        data,
        inbox,
        out,
        cell,
        sats,
        script,
        txid=txid,
        vout=vout,
        height=bitcoin_height,
        slot=slot,
        producer=producer,
        take=take,
    )

    def render() -> None:
        console.print(
            f"{btc(made.msat)} from cell {cell}; {made.pending:,} events of the inbox come before it"
        )
        told = "the inbox has it" if made.posted else "post on Bitcoin"
        console.print(f"{told}: {made.figures()['event']}")
        if made.index is None:
            console.print(f"not in this batch: {made.left:,} events are left to the next ones")
        console.print(f"it follows the state root {made.figures()['state_root_before']}")
        console.print(f"then: pegproof prove {out} --output exit.proof")

    emit(made.figures(), as_json, render)
