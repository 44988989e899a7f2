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
from verifier.cli.output import btc, console, emit, json_option, reports_errors
from verifier.cli.wallet_sign import COMMANDS
from verifier.pipeline import open_batch
from verifier.signing import owned_purses, settled_leaves

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
@click.option(
    "--height",
    "heights",
    type=click.IntRange(MIN_HEIGHT, MAX_HEIGHT),
    multiple=True,
    default=(10,),
    show_default=True,
    help="Of each key of the seed, oldest first: once, and once more for every rotation.",
)
@click.option("--batch", type=DIRECTORY, help="Read the leaves of its purses from this directory's ledger.")
@click.option(
    "--ledger-leaf",
    "leaves",
    type=click.IntRange(min=0),
    multiple=True,
    help="Instead of --batch: next_leaf of each key's purses, settled.",
)
@click.option(
    "--earlier-restores", type=click.IntRange(min=0), default=0, help="How often it was restored before."
)
@json_option
@reports_errors
def restore(
    directory: Path,
    seed: bytes,
    heights: tuple[int, ...],
    batch: Path | None,
    leaves: tuple[int, ...],
    earlier_restores: int,
    as_json: bool,
) -> None:
    """Make a wallet from a seed that has signed before; every leaf that may be used is skipped.

    A ledger tells which leaves have landed; the lost wallet may have used up to an eighth of the key beyond
    them, and so may each wallet that was restored since. Use a ledger that Bitcoin can no longer roll back.
    """
    if (batch is None) == (not leaves):
        raise click.UsageError("give either --batch, or --ledger-leaf once for each key")
    if batch is not None:
        leaves = settled_leaves(batch, seed, heights)
    if len(leaves) != len(heights):
        raise click.UsageError(f"{len(heights)} keys (--height) need {len(heights)} leaves (--ledger-leaf)")
    keys = [Restored(height, leaf) for height, leaf in zip(heights, leaves, strict=True)]
    wallet = Wallet.restore(directory, seed, keys, earlier_restores)
    _show(wallet, directory, batch, as_json)


@command.command("seed", short_help="print the seed, for a backup")
@click.argument("directory", type=DIRECTORY)
@json_option
@reports_errors
def seed_(directory: Path, as_json: bool) -> None:
    """Print the secret seed in DIRECTORY, and what else `wallet restore` asks for. Whoever has it can sign.

    Write it down again after a rotation or a restore. A copy of the wallet's file is no backup: its counters
    would be old, and leaves would sign twice.
    """
    wallet = Wallet(directory)
    seed, restores = wallet.backup()
    states = wallet.keys()
    heights = [state.public_key.height for state in states]
    figures = {"seed": seed.hex(), "heights": heights, "earlier_restores": restores}

    def render() -> None:
        options = "".join(f" --height {height}" for height in heights)
        console.print(f"seed {figures['seed']}")
        console.print(f"restore with: --seed -{options} --earlier-restores {restores}")

    emit(figures, as_json, render)


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


for _signing in COMMANDS:
    command.add_command(_signing)
