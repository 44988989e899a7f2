"""What the commands of a role share: the embedded node beside its directory, and how they tell what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.roles import Sent
from verifier.chain.node import EmbeddedNode
from verifier.cli.output import emit, show_table

DIRECTORY = click.Path(path_type=Path)
node_option = click.option(
    "--node", type=DIRECTORY, help="The embedded node's directory; default: `node` beside the role's."
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
