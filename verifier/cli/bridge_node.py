"""What the commands of a role share: the embedded node beside its directory, and how they tell what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.roles import Sent
from verifier.chain.node import EmbeddedNode
from verifier.cli.output import emit, show_table

Command = Callable[..., Any]
DIRECTORY = click.Path(path_type=Path)
node_option = click.option(
    "--node", type=DIRECTORY, help="The embedded node's directory; default: `node` beside the role's."
)
MAX_FEE_RATE = 10_000
"""What Core, too, takes for a mistake: 0.1 BTC for 1,000 vbytes."""


def fee_rate_option(default: int) -> Callable[[Command], Command]:
    """What the transactions of a command pay, their children included."""
    return click.option(
        *("--fee-rate", "fee_rate"),
        type=click.IntRange(1, MAX_FEE_RATE),
        default=default,
        show_default=True,
        metavar="SAT_PER_VB",
        help="What miners take today; whole satoshis a vbyte.",
    )


@contextmanager
def open_node(role: Path, node: Path | None) -> Iterator[EmbeddedNode]:
    """The node of a role's directory.

    Raises:
        BridgeError: STATE where there is none.
    """
    directory = node or role.resolve().parent / "node"
    if not (directory / "blocks.dat").exists():
        raise BridgeError(BridgeReason.STATE, f"{directory} is no node; `bridge setup` makes one")
    with EmbeddedNode(directory) as opened:
        yield opened


def report(sent: list[Sent], as_json: bool) -> None:
    """What was sent; a refusal is an error."""
    for each in sent:
        if each.refusal is not None:
            raise BridgeError(BridgeReason.TOO_EARLY, f"{each.name}: {each.refusal}")
    rows = [(each.name, each.spending.tx.txid_hex, each.spending.tx.vbytes) for each in sent]
    data = {"sent": [{"name": name, "txid": txid, "vbytes": vbytes} for name, txid, vbytes in rows]}
    emit(data, as_json, lambda: show_table("Sent", ("transaction", "txid", "vbytes"), rows))
