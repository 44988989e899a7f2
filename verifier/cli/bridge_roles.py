"""`pegproof bridge`, one role at a time: each command reads the chain, sends one kind of transaction, and ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import SlotGraph, commitment_coin
from verifier.bridge.game.peg_out import announcements, expected, paid
from verifier.bridge.game.roles import OPERATOR_FEE_RATE, WATCHER_FEE_RATE, Operator, Watcher
from verifier.bridge.game.store import Store
from verifier.bridge.game.view import SlotView
from verifier.bridge.setup.files import open_claims, open_operator, open_slot, open_store, open_watcher
from verifier.bridge.simulate.rehearsal import ROLES, deposit, due_deposits
from verifier.bridge.simulate.setup import NETWORK
from verifier.chain.fees import spending_of
from verifier.chain.node import EmbeddedNode
from verifier.cli.bridge_claim import announce, expect, hear, kickoff, payout, sample
from verifier.cli.bridge_node import DIRECTORY, fee_rate_option, node_option, open_node, report
from verifier.cli.bridge_setup import setup
from verifier.cli.output import console, emit, json_option, reports_errors, show_table


@click.command("mine", short_help="blocks on the embedded node")
@click.argument("node", type=DIRECTORY)
@click.argument("count", type=click.IntRange(1, 100_000), default=1)
@json_option
@reports_errors
def mine(node: Path, count: int, as_json: bool) -> None:
    """Mine COUNT blocks on the embedded node in NODE; the first takes the mempool."""
    with open_node(node, node) as chain:
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
    with open_node(directory, node) as chain:
        sent = deposit(directory, number, chain)
    emit({"sent": sent}, as_json, lambda: console.print(f"{sent} {number} sent"))


def _operator_move(kind: str) -> Any:
    """A command that sends the operator's due transactions of a kind."""

    def move(directory: Path, node: Path | None, fee_rate: int, as_json: bool, vault: int = 0) -> None:
        with open_node(directory, node) as chain:
            operator = open_operator(directory, NETWORK, chain, vault, fee_rate)
            due = operator.due(chain)
            wanted = [name for name in due if name.startswith(kind)]
            if not wanted:
                raise BridgeError(
                    BridgeReason.TOO_EARLY, f"no {kind} is due; due: {', '.join(due) or 'nothing'}"
                )
            sent = []
            for name in wanted:
                sent.append(operator.send(chain, name))
                sent += operator.lift(chain, sent[-1])
        report(sent, as_json)

    return fee_rate_option(OPERATOR_FEE_RATE)(move)


def _watcher_move(kind: str | tuple[str, ...], what: str) -> Any:
    """A command that sends the watcher's first due transaction of a kind."""

    def move(directory: Path, node: Path | None, fee_rate: int, as_json: bool) -> None:
        with open_node(directory, node) as chain:
            watcher = open_watcher(directory, NETWORK, chain, fee_rate)
            watcher.challenge |= kind == "challenge"
            wanted = [name for name in watcher.due(chain) if name.startswith(kind)]
            if not wanted:
                reason = BridgeReason.NO_FAULT if kind == "disprove" else BridgeReason.TOO_EARLY
                due = ", ".join(watcher.due(chain)) or "nothing"
                raise BridgeError(reason, f"no {what} is due; due: {due}")
            sent = [watcher.send(chain, name) for name in wanted[:1]]
        report(sent, as_json)

    return fee_rate_option(WATCHER_FEE_RATE)(move)


def _command(name: str, short_help: str, text: str, move: Any) -> click.Command:
    move.__doc__ = text
    wrapped = reports_errors(move)
    for decorate in (json_option, node_option, click.argument("directory", type=DIRECTORY)):
        wrapped = decorate(wrapped)
    return click.command(name, short_help=short_help)(wrapped)


@click.command("open", short_help="pay the operator for revealing a node")
@click.argument("directory", type=DIRECTORY)
@click.argument("number", type=int, required=False)
@fee_rate_option(WATCHER_FEE_RATE)
@node_option
@json_option
@reports_errors
def open_number(directory: Path, number: int | None, fee_rate: int, node: Path | None, as_json: bool) -> None:
    """Open node NUMBER with the purse of the watcher in DIRECTORY; without it, those that what it heard leads to."""
    with open_node(directory, node) as chain:
        watcher = open_watcher(directory, NETWORK, chain, fee_rate)
        if number is None:
            wanted = [name for name in watcher.due(chain) if name.startswith("open/")]
            if not wanted:
                raise BridgeError(BridgeReason.NO_FAULT, "nothing that was heard leads to a node")
        else:
            wanted = [f"open/{number}"]
            if f"C{number}" not in watcher.moves.graph.coins:
                raise BridgeError(BridgeReason.UNKNOWN, f"node {number}")
            if not SlotView(chain, watcher.moves.graph).unspent(f"C{number}"):
                raise BridgeError(BridgeReason.TOO_EARLY, f"node {number} cannot be opened")
        sent = watcher.send_all(chain, wanted) if len(wanted) > 1 else []
        if len(wanted) == 1 or (sent and all(each.missing for each in sent)):
            sent = [watcher.send(chain, wanted[0])]  # raises where the purse cannot pay
    report(sent, as_json)


@click.command("status", short_help="where the game stands")
@click.argument("directory", type=DIRECTORY)
@click.option(
    "--role", type=click.Choice(ROLES), help="Whose directory it must be; default: the directory's."
)
@node_option
@json_option
@reports_errors
def status(directory: Path, role: str | None, node: Path | None, as_json: bool) -> None:
    """Show what the chain says of the slot of the role in DIRECTORY, and what the role would do now."""
    with open_node(directory, node) as chain:
        store = open_store(directory, role, NETWORK)
        moves, deposits = open_slot(store)
        view = SlotView(chain, moves.graph)
        actor = _actor(store, chain)
        pending = {n: view.age(commitment_coin(n, 0)) for n in view.pending()}
        data = {
            "role": store.role,
            "slot": moves.graph.terms.slot,
            "height": view.height,
            "kickoff": view.done(moves.graph.template("kickoff")) is not None,
            "challenged": view.spent("K0") is not None,
            "revealed": view.revealed(),
            "pending": pending,
            "taken": [each.name for each in deposits if view.spender(each.vault) is not None],
            "penalised": view.penalised,
            "due": due_deposits(deposits, chain) if actor is None else actor.due(chain),
            "mempool": [
                {"txid": tx.txid_hex, "vbytes": spending_of(chain, tx).tx.vbytes} for tx in chain.mempool()
            ],
        }
        if isinstance(actor, Watcher):
            data |= _heard(actor, view)
    emit(data, as_json, lambda: show_table("Slot", ("", ""), _rows(data, moves.graph)))


def _actor(store: Store, chain: EmbeddedNode) -> Operator | Watcher | None:
    """The role of a directory; None for a user, whose moves are before the game."""
    if store.role == "operator":
        return open_operator(store.directory, NETWORK, chain)
    return open_watcher(store.directory, NETWORK, chain) if store.role == "watcher" else None


def _rows(data: dict[str, Any], graph: SlotGraph) -> list[tuple[str, str]]:
    """A status for a person: nodes with their names."""

    def named(move: str) -> str:
        kind, _, number = move.partition("/")
        return f"{kind} {number} {graph.nodes[int(number)].name}" if number.isdigit() else move

    text = {
        "revealed": [named(f"node/{each}") for each in data["revealed"]],
        "pending": [f"{named(f'node/{each}')}, {age} blocks old" for each, age in data["pending"].items()],
        "due": [named(each) for each in data["due"]],
        "mempool": [f"{each['txid']}, {each['vbytes']} vB" for each in data["mempool"]],
        "announced": [_said(each) for each in data.get("announced", [])],
    }
    rows = []
    for key, value in data.items():
        if isinstance(value, bool):
            shown = "yes" if value else "no"
        else:
            shown = "\n".join(text.get(key, value)) if isinstance(value, list | dict) else str(value)
        rows.append((key, shown or "-"))
    return rows


def _said(heard: dict[str, Any]) -> str:
    """An announcement for a person."""
    expected = "what is expected" if heard["expected"] else "NOT what is expected"
    known = "" if heard["known_state"] else ", from an UNKNOWN state"
    paid_out = [f"withdrawal {number}: {state}" for number, state in heard["payouts"].items()]
    return "; ".join([expected + known, *paid_out])


def _heard(watcher: Watcher, view: SlotView) -> dict[str, Any]:
    """What a watcher was told, and what the chain shows of it."""
    claims, slot = open_claims(watcher.store, watcher.moves), watcher.moves.graph.terms.slot
    wanted = expected(watcher.store, slot)
    said = list(announcements(watcher.store, slot))
    return {
        "expects": wanted is not None,
        "announced": [
            {
                "expected": each.statement == wanted,
                "known_state": claims.is_known(each.statement),
                "payouts": {every.withdrawal: paid(view, claims, each, every) for every in each.payouts},
            }
            for each in said
        ],
    }


OPERATOR_TEXT = "Send every {} that the chain asks of the operator in DIRECTORY now."
COMMANDS = [
    setup,
    mine,
    pegin,
    sample,
    payout,
    announce,
    hear,
    expect,
    kickoff,
    _command(
        *("challenge", "object to a kickoff", "Object, with the watcher's purse."),
        _watcher_move("challenge", "challenge"),
    ),
    _command("assert", "commit to the root", OPERATOR_TEXT.format("assertion"), _operator_move("assert")),
    open_number,
    _command("reveal", "commit to opened nodes", OPERATOR_TEXT.format("reveal"), _operator_move("reveal")),
    _command("close", "close what nobody opened", OPERATOR_TEXT.format("close"), _operator_move("close")),
    _command(
        *("disprove", "convict", "Send the leaf that convicts, if one does."),
        _watcher_move("disprove", "disproof"),
    ),
    _command(
        *("timeout", "convict by silence", "Send a time-out of the assertion or of a node."),
        _watcher_move(("assert_timeout", "open_timeout"), "time-out"),
    ),
    _command(
        *("take", "take the vault", OPERATOR_TEXT.format("take")),
        click.option(
            "--vault", type=int, default=0, show_default=True, help="Which one; a slot takes one alone."
        )(_operator_move("take")),
    ),
    status,
]
