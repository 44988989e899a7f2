"""`pegproof bridge`, what is claimed: the proof, the payout, the announcement, and what a watcher makes of them."""

from __future__ import annotations

from pathlib import Path

import click

from circuits.rollup.files import write_atomic
from verifier.bridge.game.announcement import MAX_BYTES, Announcement
from verifier.bridge.game.claims import Claims
from verifier.bridge.game.peg_out import announce as make_announcement
from verifier.bridge.game.peg_out import commit, pay
from verifier.bridge.game.peg_out import expect as expect_statement
from verifier.bridge.game.peg_out import hear as hear_announcement
from verifier.bridge.game.roles import OPERATOR_FEE_RATE, Operator
from verifier.bridge.setup.files import open_claims, open_operator, open_slot, open_store, open_watcher
from verifier.bridge.simulate.setup import NETWORK
from verifier.bridge.simulate.worlds import SAMPLES, sample_proof
from verifier.chain.node import EmbeddedNode
from verifier.cli.bridge_node import DIRECTORY, Command, fee_rate_option, node_option, open_node, report
from verifier.cli.output import console, emit, json_option, reports_errors
from verifier.pipeline import check_output, read_proof, run_batch
from verifier.script.opcodes import Op


def proof_options(command: Command) -> Command:
    """The operator's proof, made durable before anything is signed for it."""
    proof = click.option(
        "--proof", type=DIRECTORY, help="A proof file: its wires are made durable first; no other can follow."
    )
    unchecked = click.option(
        "--unchecked", is_flag=True, help="Take a false proof too, to rehearse how it is convicted."
    )
    return proof(unchecked(command))


def open_claimant(
    directory: Path,
    chain: EmbeddedNode,
    proof: Path | None,
    unchecked: bool,
    fee_rate: int = OPERATOR_FEE_RATE,
) -> tuple[Operator, Claims]:
    """The operator with its proof durable, if one is given."""
    data = None if proof is None else read_proof(proof)
    operator = open_operator(directory, NETWORK, chain, fee_rate=fee_rate)
    claims = open_claims(operator.store, operator.moves)
    if data is not None:
        commit(operator, claims, data, unchecked)
    return operator, claims


@click.command("sample", short_help="a proof to play with, true or not")
@click.argument("directory", type=DIRECTORY)
@click.argument("out", type=DIRECTORY)
@click.option("--case", type=click.Choice(SAMPLES), default=SAMPLES[0], show_default=True)
@json_option
@reports_errors
def sample(directory: Path, out: Path, case: str, as_json: bool) -> None:
    """Write to OUT a proof for the tree of the operator in DIRECTORY.

    Over the small tree it is made of a few hashes; over the verifier's a batch is made and proven, as `pegproof sample`
    and `prove` do for any other. `other` is true and says something else.
    """
    check_output(out)
    moves, _ = open_slot(open_store(directory, "operator", NETWORK))
    data = sample_proof(moves.graph.tree, case)
    write_atomic(out, data)
    emit(
        {"proof": str(out), "bytes": len(data)}, as_json, lambda: console.print(f"{out}: {len(data):,} bytes")
    )


@click.command("payout", short_help="pay a user, with a note of what will be asked for it")
@click.argument("directory", type=DIRECTORY)
@click.option("--withdrawal", type=click.IntRange(0, 2**64 - 1), required=True, help="Its number on L2.")
@click.option("--script", required=True, help="The user's scriptPubKey, hexadecimal.")
@click.option("--sats", type=click.IntRange(330), required=True, help="The amount.")
@proof_options
@fee_rate_option(OPERATOR_FEE_RATE)
@node_option
@json_option
@reports_errors
def payout(
    directory: Path,
    withdrawal: int,
    script: str,
    sats: int,
    proof: Path | None,
    unchecked: bool,
    fee_rate: int,
    node: Path | None,
    as_json: bool,
) -> None:
    """Pay a withdrawal from the purse of the operator in DIRECTORY; the note names withdrawal, claim and slot.

    The same again sends the same transaction, never a second one.
    """
    try:
        to = bytes.fromhex(script)
    except ValueError as error:
        raise click.BadParameter("hexadecimal is needed", param_hint="--script") from error
    if to[:1] in (b"", bytes([Op.RETURN])):
        raise click.BadParameter("a script that its owner can spend is needed", param_hint="--script")
    with open_node(directory, node) as chain:
        operator, claims = open_claimant(directory, chain, proof, unchecked, fee_rate)
        tx = pay(operator, claims, chain, withdrawal, to, sats)
    figures = {"withdrawal": withdrawal, "sats": sats, "txid": tx.txid_hex, "vbytes": tx.vbytes}
    emit(
        figures,
        as_json,
        lambda: console.print(f"withdrawal {withdrawal}: {sats:,} sat paid by {tx.txid_hex}"),
    )


@click.command("announce", short_help="the statement that the operator claims, signed")
@click.argument("directory", type=DIRECTORY)
@click.argument("out", type=DIRECTORY)
@proof_options
@node_option
@json_option
@reports_errors
def announce(
    directory: Path, out: Path, proof: Path | None, unchecked: bool, node: Path | None, as_json: bool
) -> None:
    """Write to OUT what the operator in DIRECTORY publishes with its proof: statement, its signature, payouts."""
    check_output(out)
    with open_node(directory, node) as chain:
        operator, claims = open_claimant(directory, chain, proof, unchecked)
        said = make_announcement(operator, claims)
    write_atomic(out, said.encode())
    data = {
        "announcement": str(out),
        "slot": said.slot,
        "payouts": [each.withdrawal for each in said.payouts],
    }
    emit(data, as_json, lambda: console.print(f"{out}: a statement for {said.slot}"))


@click.command("hear", short_help="take in what an operator announces")
@click.argument("directory", type=DIRECTORY)
@click.argument("announcement", type=DIRECTORY)
@click.option("--proof", type=DIRECTORY, help="The proof that was published with it.")
@node_option
@json_option
@reports_errors
def hear(directory: Path, announcement: Path, proof: Path | None, node: Path | None, as_json: bool) -> None:
    """Let the watcher in DIRECTORY keep an ANNOUNCEMENT: it convicts an operator who asserts something else.

    With the proof the watcher checks it, and finds what to open if it is false. A kickoff for what was never announced,
    or announced without a proof that holds, is challenged.
    """
    with announcement.open("rb") as file:
        said = Announcement.decode(file.read(MAX_BYTES + 1))
    data = None if proof is None else read_proof(proof)
    with open_node(directory, node) as chain:
        watcher = open_watcher(directory, NETWORK, chain)
        claims = open_claims(watcher.store, watcher.moves)
        holds = hear_announcement(watcher, claims, said, data)
    verdict = "no proof was given" if holds is None else "its proof holds" if holds else "its proof is FALSE"
    known = claims.is_known(said.statement)
    figures = {"heard": str(announcement), "proof_holds": holds, "known_state": known}
    more = "" if known else "; it starts from a state that set-up does not know"
    emit(figures, as_json, lambda: console.print(f"{announcement} is kept: {verdict}{more}"))


@click.command("expect", short_help="tell a watcher which statement is true")
@click.argument("directory", type=DIRECTORY)
@click.option("--batch", type=DIRECTORY, help="A batch directory: it is executed here.")
@click.option("--proof", type=DIRECTORY, help="A proof that holds.")
@node_option
@json_option
@reports_errors
def expect(directory: Path, batch: Path | None, proof: Path | None, node: Path | None, as_json: bool) -> None:
    """Tell the watcher in DIRECTORY what an operator must claim: a kickoff for anything else is challenged."""
    if (batch is None) == (proof is None):
        raise click.UsageError("one of --batch and --proof is needed")
    data = None if proof is None else read_proof(proof)
    with open_node(directory, node) as chain:
        watcher = open_watcher(directory, NETWORK, chain)
        claims = open_claims(watcher.store, watcher.moves)
        if data is not None:
            claims.check(data)
            statement = claims.statement(data)
        elif batch is not None:
            statement = tuple(run_batch(batch).public_values.elements())
        expect_statement(watcher, claims, statement)
    source = str(proof or batch)
    emit({"expected": source}, as_json, lambda: console.print(f"what {source} says is expected"))


@click.command("kickoff", short_help="claim a vault with a proof")
@click.argument("directory", type=DIRECTORY)
@proof_options
@fee_rate_option(OPERATOR_FEE_RATE)
@node_option
@json_option
@reports_errors
def kickoff(
    directory: Path, proof: Path | None, unchecked: bool, fee_rate: int, node: Path | None, as_json: bool
) -> None:
    """Start the game with the proof that is durable; no other can be asserted afterwards."""
    with open_node(directory, node) as chain:
        operator, _ = open_claimant(directory, chain, proof, unchecked, fee_rate)
        first = operator.kickoff(chain)
        sent = [first, *operator.lift(chain, first)]
    report(sent, as_json)
