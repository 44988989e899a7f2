"""`pegproof bridge dispute`: a proof file as the bridge would judge it, without a chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from circuits.statement import SHAPES
from verifier.bridge.chunks.statement import known_state
from verifier.bridge.game.dispute import Court, Judgement, Outcome, disproof
from verifier.bridge.tree import depth
from verifier.chain.kernel import kernel_accepts
from verifier.cli.bridge_setup import read_root
from verifier.cli.output import console, emit, json_option, progress_bar, reports_errors, show_table
from verifier.pipeline import DEFAULT_PRESET, identify, read_proof, verifying_key
from verifier.stark.reasons import VerificationError

SEED = bytes(range(32))
"""Of one-time keys that protect nothing."""


@click.command("dispute", short_help="which leaf convicts a proof file")
@click.argument("proof", type=click.Path(path_type=Path))
@click.option(
    "--shape", type=click.Choice(SHAPES), help="The slot's; default: the file's, else the smallest."
)
@click.option(
    "--root-before",
    help="State root (hexadecimal) that the slot's batch must start from, as in `setup`: any other is convicted.",
)
@click.option("--kernel", is_flag=True, help="Spend the leaf that convicts on Bitcoin Core's code.")
@json_option
@reports_errors
def dispute(proof: Path, shape: str | None, root_before: str | None, kernel: bool, as_json: bool) -> None:
    """Say how a dispute over the file PROOF ends: exit code 0 if nobody can convict it, 1 if not.

    A challenger replays the proof and opens one path of the verifier's tree, down to a tapscript that spends. What is
    no proof of the slot's shape commits to nothing: its operator asserts something else, or is convicted by time-out.
    """
    known = known_state(read_root(root_before))
    data = read_proof(proof)
    name = shape or _shape_of(data)
    court = Court(verifying_key(DEFAULT_PRESET, name), known)
    with progress_bar("dispute", as_json) as bar:
        bar("replay", 0.1)
        judgement = court.judge(data)
        figures = _figures(court, judgement)
        if kernel and judgement.conviction is not None:
            bar("disproof", 0.8)
            spending = disproof(court.tree, judgement.conviction, SEED)
            figures["disproof_vbytes"] = spending.tx.vbytes
            figures["kernel_accepts"] = kernel_accepts(spending)
    emit({"shape": name, **figures}, as_json, lambda: _render(judgement, figures))
    if judgement.outcome is not Outcome.RIGHT:
        raise click.exceptions.Exit(1)


def _shape_of(data: bytes) -> str:
    try:
        return identify(data).shape
    except VerificationError:
        return SHAPES[0]


def _figures(court: Court, judgement: Judgement) -> dict[str, Any]:
    refusal, found = judgement.refusal, judgement.conviction
    figures: dict[str, Any] = {
        "outcome": judgement.outcome.value,
        "reason": refusal and refusal.reason.name,
        "detail": refusal and f"{refusal.reason} ({refusal.where})",
    }
    if judgement.outcome is Outcome.CONVICTED and refusal is None:
        figures["detail"] = "the verifier accepts: it starts from another state than the slot's set-up knows"
    if found is not None:
        tree, leaf = court.tree, court.tree.leaves[found.node.index][found.number]
        figures |= {
            "node": found.node.name,
            "leaf": found.number,
            "leaves": found.node.num_leaves,
            "checks": [step.kind.value for step in leaf.chunk.steps],
            "leaf_bytes": tree.leaf_bytes(found.node.index, found.number),
            "opened": [tree.nodes[index].name for index in found.opened],
            "nodes": len(tree.nodes),
            "depth": depth(tree.nodes),
        }
    return figures


def _render(judgement: Judgement, figures: dict[str, Any]) -> None:
    """For a person."""
    if judgement.outcome is Outcome.RIGHT:
        console.print("[bold green]right[/]: the verifier accepts, and no leaf convicts")
    elif judgement.outcome is Outcome.NO_PROOF:
        console.print(f"[bold red]no proof[/] of this shape: {figures['reason']}: {figures['detail']}")
        console.print("nothing to commit: the operator asserts something else, or is convicted by time-out")
    else:
        console.print(f"[bold red]convicted[/] by leaf {figures['leaf']} of {figures['node']}")
        shown = [(name, figures[name]) for name in _SHOWN if figures.get(name) is not None]
        rows = [(name.replace("_", " "), _text(figure)) for name, figure in shown]
        show_table("Dispute", ("figure", "value"), rows)


def _text(figure: object) -> object:
    """Lists by line, yes and no."""
    if isinstance(figure, bool):
        return "yes" if figure else "no"
    return "\n".join(figure) if isinstance(figure, list) else figure


_SHOWN = (
    *("reason", "detail", "opened", "nodes", "depth", "leaves", "checks"),
    *("leaf_bytes", "disproof_vbytes", "kernel_accepts"),
)
