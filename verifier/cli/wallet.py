"""`pegproof wallet`: keys, and signatures that never reuse a leaf."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

import click

from circuits.rollup.codec import elements_bytes
from circuits.xmss.scheme import MAX_HEIGHT, MIN_HEIGHT
from circuits.xmss.wallet import Restored, Wallet
from verifier.bitcoin_address import AddressError, script_of
from verifier.cli.output import btc, console, emit, json_option, reports_errors
from verifier.pipeline import open_batch
from verifier.signing import Order, owned_purses, sign_and_append

DIRECTORY = click.Path(path_type=Path)


@click.group(short_help="keys, and signatures that never reuse a leaf")
def command() -> None:
    """Keep keys, and sign transactions with them; no leaf of a key ever signs twice."""


def read_seed(context: click.Context, parameter: click.Parameter, value: str | None) -> bytes | None:
    """32 bytes in hexadecimal; `-` reads them from standard input."""
    if value is None:
        return None
    text = sys.stdin.readline().strip() if value == "-" else value
    try:
        seed = bytes.fromhex(text)
    except ValueError as error:
        raise click.BadParameter("64 hexadecimal digits are needed") from error
    if len(seed) != 32:
        raise click.BadParameter("64 hexadecimal digits are needed")
    return seed


@command.command("new", short_help="make a wallet")
@click.argument("directory", type=DIRECTORY)
@click.option(
    "--seed", callback=read_seed, help="A FRESH seed in hexadecimal, or - to read it; default: random."
)
@click.option("--height", type=click.IntRange(MIN_HEIGHT, MAX_HEIGHT), default=10, show_default=True)
@json_option
@reports_errors
def new(directory: Path, seed: bytes | None, height: int, as_json: bool) -> None:
    """Make a wallet in DIRECTORY whose key has 2^HEIGHT leaves, one a signature.

    A seed that may have signed before must go to `wallet restore` instead.
    """
    wallet = Wallet.create(directory, seed or secrets.token_bytes(32), height)
    _show(wallet, directory, None, as_json)


@command.command("restore", short_help="make a wallet again from its seed")
@click.argument("directory", type=DIRECTORY)
@click.option("--seed", callback=read_seed, required=True, help="The seed in hexadecimal, or - to read it.")
@click.option("--height", type=click.IntRange(MIN_HEIGHT, MAX_HEIGHT), default=10, show_default=True)
@click.option(
    "--ledger-leaf", type=click.IntRange(min=0), required=True, help="next_leaf of its purses, settled."
)
@click.option(
    "--earlier-restores", type=click.IntRange(min=0), default=0, help="How often it was restored before."
)
@json_option
@reports_errors
def restore(
    directory: Path, seed: bytes, height: int, ledger_leaf: int, earlier_restores: int, as_json: bool
) -> None:
    """Make a wallet from a seed that has signed before; every leaf that may be used is skipped."""
    wallet = Wallet.restore(directory, seed, [Restored(height, ledger_leaf)], earlier_restores)
    _show(wallet, directory, None, as_json)


@command.command("show", short_help="keys and purses of a wallet")
@click.argument("directory", type=DIRECTORY)
@click.option(
    "--batch", type=DIRECTORY, help="Also show the wallet's purses in this batch directory's ledger."
)
@json_option
@reports_errors
def show(directory: Path, batch: Path | None, as_json: bool) -> None:
    """Show the keys in DIRECTORY; the secrets stay where they are."""
    _show(Wallet(directory), directory, batch, as_json)


def _show(wallet: Wallet, directory: Path, batch: Path | None, as_json: bool) -> None:
    ledger = open_batch(batch).ledger if batch else None
    keys: list[dict[str, Any]] = []
    states = wallet.keys()
    for state in states:
        owner = state.public_key.owner()
        purses = owned_purses(ledger, owner) if ledger else {}
        keys.append(
            {
                "number": state.number,
                "owner": elements_bytes(owner).hex(),
                "public_key": state.public_key.encode().hex(),
                "height": state.public_key.height,
                "next_leaf": state.next_leaf,
                "signatures_left": state.signatures_left,
                "purses": [
                    {"cell": cell, "balance_msat": p.balance, "nonce": p.nonce, "next_leaf": p.next_leaf}
                    for cell, p in purses.items()
                ],
            }
        )

    def render() -> None:
        for key in keys:
            console.print(f"{directory}: key {key['number']}, {key['signatures_left']} signatures left")
            console.print(f"  owner {key['owner']}")
            for purse in key["purses"]:
                console.print(
                    f"  purse: cell {purse['cell']}, {btc(purse['balance_msat'])}, nonce {purse['nonce']}"
                )

    emit({"directory": str(directory), "keys": keys}, as_json, render)


@command.command("sign", short_help="sign a transaction into a batch")
@click.argument("directory", type=DIRECTORY)
@click.option(
    "--batch", type=DIRECTORY, required=True, help="Batch directory; its batch file gets the transaction."
)
@click.option("--to", type=click.IntRange(0, 2**32 - 1), help="Cell of the purse to pay.")
@click.option("--withdraw-to", help="Segwit address, or scriptPubKey in hexadecimal, to withdraw to.")
@click.option("--amount-msat", type=click.IntRange(0, 2**64 - 1), required=True, help="1 sat is 1000 msat.")
@click.option("--tip", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Msat per gas.")
@click.option("--max-fee-msat", type=click.IntRange(0, 2**64 - 1), help="Default: twice today's fee.")
@click.option("--cell", type=click.IntRange(min=0), help="The paying purse, where the wallet owns several.")
@json_option
@reports_errors
def sign(
    directory: Path,
    batch: Path,
    to: int | None,
    withdraw_to: str | None,
    amount_msat: int,
    tip: int,
    max_fee_msat: int | None,
    cell: int | None,
    as_json: bool,
) -> None:
    """Sign a transfer (--to) or a withdrawal (--withdraw-to) and append it to a batch."""
    if (to is None) == (withdraw_to is None):
        raise click.UsageError("give either --to CELL or --withdraw-to ADDRESS_OR_SCRIPT")
    try:
        script = script_of(withdraw_to) if withdraw_to is not None else b""
    except AddressError as error:
        raise click.BadParameter(str(error), param_hint="--withdraw-to") from error
    if withdraw_to is not None and (amount_msat == 0 or amount_msat % 1000):
        raise click.BadParameter(
            "a withdrawal is of whole sats: a multiple of 1000 msat", param_hint="--amount-msat"
        )
    order = Order(amount_msat, to, script, tip, max_fee_msat)
    done = sign_and_append(Wallet(directory), batch, order, cell)
    tx = done.transaction
    figures = {
        "batch": str(batch),
        "position": done.position,
        "kind": "transfer" if withdraw_to is None else "withdraw",
        "signer": tx.signer,
        "nonce": tx.nonce,
        "leaf": tx.leaf,
        "amount_msat": tx.amount,
        "fee_msat": done.fee,
        "max_fee_msat": tx.max_fee,
        "tip_msat_per_gas": tx.tip,
        "balance_before_msat": done.balance,
    }
    if withdraw_to is None:
        figures["to"] = tx.to
    else:
        figures["script"] = script.hex()

    def render() -> None:
        target = f"to cell {tx.to}" if withdraw_to is None else f"to script {script.hex()}"
        console.print(
            f"transaction {done.position} of {batch}: cell {tx.signer} sends {tx.amount:,} msat {target}, "
            f"fee {done.fee:,} msat; signed with leaf {tx.leaf}, nonce {tx.nonce}"
        )

    emit(figures, as_json, render)
