"""`pegproof bridge`, one role at a time: each command reads the chain, sends one kind of transaction, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from verifier.bitcoin.transaction import serialize_stack
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.files import open_operator, open_slot, open_store, open_watcher, read_announcement
from verifier.bridge.graph import commitment_coin
from verifier.bridge.roles import Sent
from verifier.bridge.simulate.rehearsal import deposit
from verifier.bridge.simulate.setup import NETWORK
from verifier.bridge.simulate.worlds import case_of
from verifier.bridge.view import SlotView
from verifier.chain.fees import spending_of
from verifier.chain.node import EmbeddedNode
from verifier.cli.bridge_setup import setup
from verifier.cli.output import console, emit, json_option, reports_errors, show_table

DIRECTORY = click.Path(path_type=Path)
node_option = click.option(
    "--node", type=DIRECTORY, help="The embedded node's directory; default: `node` beside the role's."
)


@contextmanager
def _node(role: Path, node: Path | None) -> Iterator[EmbeddedNode]:
    directory = node or role.resolve().parent / "node"
    if not directory.exists():
        raise BridgeError(BridgeReason.STATE, f"{directory} is no node; `bridge setup` makes one")
    with EmbeddedNode(directory) as opened:
        yield opened


def _report(sent: list[Sent], as_json: bool) -> None:
    """What was sent; a refusal is an error."""
    for each in sent:
        if each.refusal is not None:
            raise BridgeError(BridgeReason.TOO_EARLY, f"{each.name}: {each.refusal}")
    rows = [(each.name, each.spending.tx.txid_hex, each.spending.tx.vbytes) for each in sent]
    data = {"sent": [{"name": name, "txid": txid, "vbytes": vbytes} for name, txid, vbytes in rows]}
    emit(data, as_json, lambda: show_table("Sent", ("transaction", "txid", "vbytes"), rows))


@click.command("mine", short_help="blocks on the embedded node")
@click.argument("node", type=DIRECTORY)
@click.argument("count", type=click.IntRange(1, 100_000), default=1)
@json_option
@reports_errors
def mine(node: Path, count: int, as_json: bool) -> None:
    """Mine COUNT blocks on the embedded node in NODE; the first takes the mempool."""
    with _node(node, node) as chain:
        chain.mine(count)
        height = chain.tip.height
    emit({"height": height}, as_json, lambda: console.print(f"height {height}"))


@click.command("pegin", short_help="deposit, then move it into its vault")
@click.argument("directory", type=DIRECTORY)
@click.option("--number", type=int, default=0, show_default=True, help="Which deposit.")
@node_option
@json_option
@reports_errors
def pegin(directory: Path, number: int, node: Path | None, as_json: bool) -> None:
    """Send the deposit of the user in DIRECTORY; once it is mined, send its peg-in."""
    with _node(directory, node) as chain:
        sent = deposit(directory, number, chain)
    emit({"sent": sent}, as_json, lambda: console.print(f"{sent} {number} sent"))


@click.command("kickoff", short_help="claim a vault with a proof")
@click.argument("directory", type=DIRECTORY)
@click.option(
    "--case", type=click.Choice(["honest", "false", "withheld"]), default="honest", show_default=True
)
@node_option
@json_option
@reports_errors
def kickoff(directory: Path, case: str, node: Path | None, as_json: bool) -> None:
    """Make the wires of a proof durable, then start the game; no other proof can be asserted afterwards."""
    with _node(directory, node) as chain:
        operator = open_operator(directory, NETWORK, chain)
        known = case_of(operator.moves.graph.tree)
        false = known.false if case == "false" else known.withheld if case == "withheld" else None
        operator.commit(known.honest if false is None else false[0])
        sent = [operator.kickoff(chain)]
    _report(sent, as_json)


@click.command("announce", short_help="the operator's signature of what it claims")
@click.argument("directory", type=DIRECTORY)
@click.argument("out", type=DIRECTORY)
@node_option
@json_option
@reports_errors
def announce(directory: Path, out: Path, node: Path | None, as_json: bool) -> None:
    """Write to OUT what the operator in DIRECTORY publishes with its proof: its signature of the claim."""
    with _node(directory, node) as chain:
        out.write_bytes(serialize_stack(open_operator(directory, NETWORK, chain).announce()))
    emit({"announcement": str(out)}, as_json, lambda: console.print(str(out)))


@click.command("hear", short_help="keep what an operator announces")
@click.argument("directory", type=DIRECTORY)
@click.argument("announcement", type=DIRECTORY)
@node_option
@json_option
@reports_errors
def hear(directory: Path, announcement: Path, node: Path | None, as_json: bool) -> None:
    """Let the watcher in DIRECTORY keep an ANNOUNCEMENT: it convicts an operator who asserts something else."""
    items = read_announcement(announcement.read_bytes())
    with _node(directory, node) as chain:
        open_watcher(directory, NETWORK, chain).hear(items)
    emit({"heard": str(announcement)}, as_json, lambda: console.print(f"{announcement} kept"))


def _operator_move(kind: str) -> Any:
    """A command that sends the operator's due transactions of a kind."""

    def move(directory: Path, node: Path | None, as_json: bool) -> None:
        with _node(directory, node) as chain:
            operator = open_operator(directory, NETWORK, chain)
            due = operator.due(chain)
            wanted = [name for name in due if name.startswith(kind)]
            if not wanted:
                raise BridgeError(
                    BridgeReason.TOO_EARLY, f"no {kind} is due; due: {', '.join(due) or 'nothing'}"
                )
            sent = [operator.send(chain, name) for name in wanted]
        _report(sent, as_json)

    return move


def _watcher_move(kind: str) -> Any:
    """A command that sends the watcher's due transactions of a kind."""

    def move(directory: Path, node: Path | None, as_json: bool) -> None:
        with _node(directory, node) as chain:
            watcher = open_watcher(directory, NETWORK, chain)
            watcher.challenge = kind == "challenge"
            wanted = [name for name in watcher.due(chain) if name.startswith(kind)]
            if not wanted:
                reason = BridgeReason.NO_FAULT if kind == "disprove" else BridgeReason.TOO_EARLY
                raise BridgeError(reason, f"no {kind} is due")
            sent = [watcher.send(chain, name) for name in wanted[:1]]
        _report(sent, as_json)

    return move


def _command(name: str, short_help: str, text: str, move: Any) -> click.Command:
    move.__doc__ = text
    wrapped = reports_errors(move)
    for decorate in (json_option, node_option, click.argument("directory", type=DIRECTORY)):
        wrapped = decorate(wrapped)
    return click.command(name, short_help=short_help)(wrapped)


@click.command("open", short_help="pay the operator for revealing a node")
@click.argument("directory", type=DIRECTORY)
@click.argument("number", type=int)
@node_option
@json_option
@reports_errors
def open_node(directory: Path, number: int, node: Path | None, as_json: bool) -> None:
    """Open node NUMBER with the purse of the watcher in DIRECTORY."""
    with _node(directory, node) as chain:
        watcher = open_watcher(directory, NETWORK, chain)
        if f"C{number}" not in watcher.moves.graph.coins:
            raise BridgeError(BridgeReason.UNKNOWN, f"node {number}")
        if not SlotView(chain, watcher.moves.graph).unspent(f"C{number}"):
            raise BridgeError(BridgeReason.TOO_EARLY, f"node {number} cannot be opened")
        sent = [watcher.send(chain, f"open/{number}")]
    _report(sent, as_json)


@click.command("status", short_help="where the game stands")
@click.argument("directory", type=DIRECTORY)
@click.option("--role", type=click.Choice(["operator", "watcher"]), default="watcher", show_default=True)
@node_option
@json_option
@reports_errors
def status(directory: Path, role: str, node: Path | None, as_json: bool) -> None:
    """Show what the chain says of the slot of the role in DIRECTORY, and what the role would do now."""
    with _node(directory, node) as chain:
        store = open_store(directory, role, NETWORK)
        moves, deposits = open_slot(store)
        view = SlotView(chain, moves.graph)
        actor = (
            open_operator(directory, NETWORK, chain)
            if role == "operator"
            else open_watcher(directory, NETWORK, chain)
        )
        pending = {n: view.age(commitment_coin(n, 0)) for n in view.pending()}
        data = {
            "slot": moves.graph.terms.slot,
            "height": view.height,
            "kickoff": view.done(moves.graph.template("kickoff")) is not None,
            "challenged": view.spent("K0") is not None,
            "revealed": view.revealed(),
            "pending": pending,
            "taken": [each.name for each in deposits if view.spender(each.vault) is not None],
            "penalised": view.penalised,
            "due": actor.due(chain),
            "mempool": [
                {"txid": tx.txid_hex, "vbytes": spending_of(chain, tx).tx.vbytes} for tx in chain.mempool()
            ],
        }
    emit(data, as_json, lambda: show_table("Slot", ("", ""), [(k, str(v)) for k, v in data.items()]))


OPERATOR_TEXT = "Send every {} that the chain asks of the operator in DIRECTORY now."
COMMANDS = [
    setup,
    mine,
    pegin,
    kickoff,
    announce,
    hear,
    _command(
        "challenge", "object to a kickoff", "Object, with the watcher's purse.", _watcher_move("challenge")
    ),
    _command("assert", "commit to the root", OPERATOR_TEXT.format("assertion"), _operator_move("assert")),
    open_node,
    _command("reveal", "commit to opened nodes", OPERATOR_TEXT.format("reveal"), _operator_move("reveal")),
    _command("close", "close what nobody opened", OPERATOR_TEXT.format("close"), _operator_move("close")),
    _command("disprove", "convict", "Send the leaf that convicts, if one does.", _watcher_move("disprove")),
    _command(
        "timeout",
        "convict by silence",
        "Send a time-out of the assertion or of a node.",
        _watcher_move(("assert_timeout", "open_timeout")),  # type: ignore[arg-type]
    ),
    _command("take", "take the vault", OPERATOR_TEXT.format("take"), _operator_move("take")),
    status,
]
