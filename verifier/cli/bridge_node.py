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
from verifier.cli.output import console, emit, show_table

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
    """What was sent, and what waits until the purse can pay for it.

    A move is sent without the child that would lift it; the same command again sends the child once the purse holds
    what is missing.

    Raises:
        BridgeError: TOO_EARLY where a move was refused.
    """
    done = [each for each in sent if each.refusal is None]
    waiting = [each for each in sent if each.refusal is not None and (each.missing or _is_child(each))]
    for each in sent:
        if each.refusal is not None and each not in waiting:
            rest = f"; sent: {', '.join(other.name for other in done)}" if done else ""
            raise BridgeError(BridgeReason.TOO_EARLY, f"{each.name}: {each.refusal}{rest}")
    rows = [(each.name, each.spending.tx.txid_hex, each.spending.tx.vbytes) for each in done]
    data: dict[str, Any] = {
        "sent": [{"name": name, "txid": txid, "vbytes": vbytes} for name, txid, vbytes in rows]
    }
    if waiting:
        data["waiting"] = [
            {"name": each.name, "missing_sats": each.missing, "reason": each.refusal} for each in waiting
        ]

    def show() -> None:
        show_table("Sent", ("transaction", "txid", "vbytes"), rows)
        for each in waiting:
            funds = f"{each.missing:,} sat are missing in the purse" if each.missing else each.refusal
            console.print(f"{each.name} waits: {funds}; the same command again sends it")

    emit(data, as_json, show)


def _is_child(sent: Sent) -> bool:
    return sent.name.startswith("bump ")
