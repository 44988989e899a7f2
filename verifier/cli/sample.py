"""`pegproof sample`: a signed batch over a fresh ledger."""

from __future__ import annotations

from pathlib import Path

import click

from circuits.rollup.cells import Purse
from circuits.rollup.sample import sample
from circuits.xmss.wallet import Wallet
from verifier.cli.output import btc, console, emit, json_option, progress_bar, reports_errors

WALLET_MSAT = 10**9
"""What a wallet's purse holds at genesis: a million sats."""


@click.command(short_help="make a signed batch over a fresh ledger")
@click.option(
    "--transfers",
    type=click.IntRange(min=1),
    required=True,
    help="Transfers; deposits and withdrawals extra.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same batch.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Directory to write; made if missing."
)
@click.option(
    "--wallet",
    "wallets",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A wallet directory: the ledger then holds a funded purse of its key. May be given several times.",
)
@json_option
@reports_errors
def command(transfers: int, seed: int, out: Path, wallets: tuple[Path, ...], as_json: bool) -> None:
    """Make a signed batch over a fresh ledger.

    The directory then holds the state store at genesis, the batch file and a summary. Its keys come from the
    seed and protect nothing.
    """
    purses = [Purse(Wallet(wallet).keys()[-1].public_key.owner(), WALLET_MSAT) for wallet in wallets]
    with progress_bar("sample", as_json) as tell:
        summary = sample(
            transfers, seed, out, purses=purses, progress=lambda step, done, total: tell(step, done / total)
        )
    figures = {**summary, "directory": str(out)}

    def render() -> None:
        console.print(
            f"{out}: {transfers:,} transfers, {summary['deposits']} deposits, "
            f"{summary['withdrawals']} withdrawals among {summary['accounts']} accounts, "
            f"{btc(int(str(summary['supply_msat'])))} in all"
        )
        for wallet, cell in zip(wallets, summary["own_cells"], strict=True):  # type: ignore[call-overload]
            console.print(f"purse of {wallet}: cell {cell}, {btc(WALLET_MSAT)}")
        console.print(f"next: pegproof execute {out}")

    emit(figures, as_json, render)
