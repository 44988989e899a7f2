"""`pegproof bridge setup`: everything of a slot before the game, and how long that will take."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from circuits.statement import SHAPES
from prover.field import P
from prover.hashing import DIGEST_WORDS, to_words
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.setup.forecast import count, graph_seconds, measure, predict
from verifier.bridge.setup.slot_setup import compile_shapes, cpu_seconds
from verifier.bridge.setup.tree_name import TreeName
from verifier.bridge.simulate.rehearsal import ROLES, rehearse
from verifier.bridge.simulate.setup import COMMITTEE_SIZE, SetUp, all_signatures
from verifier.bridge.toy import MAX_QUERIES
from verifier.cli.output import console, emit, json_option, progress_bar, reports_errors, show_table
from verifier.pipeline import DEFAULT_PRESET, verifying_key


@click.command("setup", short_help="a bridge in directories, for rehearsal on regtest")
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option(
    "--shape", type=click.Choice(SHAPES), help="The verifier's tree of this shape, not the small one."
)
@click.option(
    "--queries",
    type=click.IntRange(2, MAX_QUERIES),
    default=2,
    show_default=True,
    help="Of the small tree; even.",
)
@click.option(
    "--root-before",
    help="State root (hexadecimal) that the batch must start from, as `pegproof execute` shows it; with --shape.",
)
@click.option(
    "--processes", type=click.IntRange(1, 256), help="That share the work; default: one a processor."
)
@click.option("--predict", "only_predict", is_flag=True, help="Measure rates and say how long --shape takes.")
@json_option
@reports_errors
def setup(
    directory: Path | None,
    shape: str | None,
    queries: int,
    root_before: str | None,
    processes: int | None,
    only_predict: bool,
    as_json: bool,
) -> None:
    """Make node, committee, user, operator and watcher below DIRECTORY, with every signature of one slot.

    A set-up that was stopped, killed or not, goes on when it is started again. The keys are public: for rehearsal
    alone.
    """
    processes = processes or os.cpu_count() or 1
    if queries % 2:
        raise click.BadParameter("an even number is needed", param_hint="--queries")
    if only_predict:
        if shape is None:
            raise click.UsageError("--predict needs --shape")
        _predict(shape, processes, as_json)
        return
    if directory is None:
        raise click.UsageError("Missing argument 'DIRECTORY'.")
    if root_before is not None and shape is None:
        raise click.BadParameter("the small tree has no ledger: give --shape", param_hint="--root-before")
    ledger = read_root(root_before)
    name = TreeName.toy(queries) if shape is None else TreeName.verifier(DEFAULT_PRESET, shape, ledger)
    with progress_bar("setup", as_json) as bar:
        made = rehearse(directory, name, bar, processes, allow_oversized=True)
    emit(_summary(directory, made), as_json, lambda: _render(directory, made))


def read_root(root: str | None) -> tuple[int, ...]:
    """The elements of a state root as --root-before has it; none where none is given.

    Raises:
        BadParameter: it is no state root.
    """
    if root is None:
        return ()
    try:
        words = to_words(bytes.fromhex(root))
    except ValueError as error:
        raise click.BadParameter("hexadecimal is needed", param_hint="--root-before") from error
    if len(words) != DIGEST_WORDS or any(word >= P for word in words):
        raise click.BadParameter("a state root has 32 bytes, elements below p", param_hint="--root-before")
    return tuple(words)


def _summary(directory: Path, made: SetUp) -> dict[str, Any]:
    graph = made.moves.graph
    return {
        "directory": str(directory),
        "roles": ["node", "committee", *ROLES],
        "nodes": len(graph.nodes),
        "leaves": sum(len(each.leaves) for each in graph.scripts),
        "script_bytes": sum(each.script_bytes for each in graph.scripts),
        "signatures": len(all_signatures(made)),
        "funding_sats": graph.funding_sats,
        "windows": asdict(graph.terms.windows),
        "graph": graph.digest.hex(),
        "playable": not graph.oversized,
        "oversized": {graph.nodes[_node(name)].name: weight for name, weight in graph.oversized.items()},
        "seconds": {name: asdict(took) for name, took in made.took.items()},
    }


def _node(template: str) -> int:
    return int(template.partition("/")[2] or 0)


def _render(directory: Path, made: SetUp) -> None:
    summary = _summary(directory, made)
    names = ("nodes", "leaves", "script_bytes", "signatures", "funding_sats", "graph")
    rows = [(name.replace("_", " "), summary[name]) for name in names]
    rows += [(f"seconds, {name}", round(took.seconds, 1)) for name, took in made.took.items()]
    show_table("Slot", ("figure", "value"), rows)
    console.print(f"{directory}: {summary['roles']}")
    if not summary["playable"]:
        console.print(f"{len(summary['oversized'])} nodes are too large to be revealed: not to be played yet")
        show_table("Oversized", ("node", "weight"), list(summary["oversized"].items()))


def _predict(shape: str, processes: int, as_json: bool) -> None:
    with progress_bar("setup", as_json) as bar:
        bar("tree", 0.0)
        begun = cpu_seconds()
        tree = ChunkTree.of(verifying_key(DEFAULT_PRESET, shape))
        made = cpu_seconds()
        compile_shapes(tree, processes, lambda share: bar("shapes", 0.2 + 0.6 * share))
        shared = {"shapes": cpu_seconds() - made}
        counts = count(tree)
        shared |= predict(counts, measure(tree, COMMITTEE_SIZE), COMMITTEE_SIZE)
        bar("graph", 0.9)
        alone = {"tree": made - begun, "graph": graph_seconds(tree, COMMITTEE_SIZE)}
    total = sum(alone.values()) + sum(shared.values()) / processes
    data = {
        "shape": shape,
        "members": COMMITTEE_SIZE,
        "processes": processes,
        "counts": asdict(counts),
        "processor_seconds": alone | shared,
        "seconds": total,
    }
    rows = [(name.replace("_", " "), value) for name, value in asdict(counts).items()]
    rows += [(f"processor seconds, {name}", round(value, 1)) for name, value in (alone | shared).items()]
    rows.append((f"seconds on {processes} quiet processors", round(total, 1)))
    emit(data, as_json, lambda: show_table(f"Set-up at {shape}", ("figure", "value"), rows))
