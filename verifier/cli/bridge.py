"""`pegproof bridge`: the game of challenge and disproof on Bitcoin."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from verifier.bridge.simulate.engine import ONLY, SCENARIOS, WITH_COMMITTEE, Result, chosen, run
from verifier.bridge.simulate.worlds import TREES, World, make_world, open_world
from verifier.chain.policy import fee_of
from verifier.cli.bridge_dispute import dispute
from verifier.cli.bridge_plan import plan
from verifier.cli.bridge_roles import COMMANDS
from verifier.cli.output import console, emit, fail, json_option, progress_bar, reports_errors, show_table


@click.group(short_help="the game of challenge and disproof on Bitcoin")
def command() -> None:
    """Play the game by which Bitcoin judges a proof."""


@command.command("simulate", short_help="whole games on an embedded Bitcoin node")
@click.option(
    "--scenario", default="all", show_default=True, help="A name of --list, its head, its number, or all."
)
@click.option(
    "--tree",
    type=click.Choice(TREES),
    default="rollup",
    show_default=True,
    help="rollup: a real batch's proof at shape small, all queries, 128 bits. toy: hashes, no proof, in seconds.",
)
@click.option(
    "--slot",
    type=click.Path(path_type=Path),
    help="A finished `bridge setup DIR`, in place of one on demand.",
)
@click.option("--list", "only_list", is_flag=True, help="List the scenarios and how they must end.")
@click.option("--export", type=click.Path(path_type=Path), help="Write each scenario's raw blocks here.")
@json_option
@reports_errors
def simulate(
    scenario: str, tree: str, slot: Path | None, only_list: bool, export: Path | None, as_json: bool
) -> None:
    """Play scenarios on Bitcoin Core's own validation code, in process.

    Each has a node of its own; batch, proof and slot are made once. Over the rollup's tree keys, scripts and
    signatures of a node are made when a scenario touches it, with the bytes that a whole set-up has; a scenario about
    set-up itself is played over the toy's all the same.
    """
    titles = {name: (play.__doc__ or "").splitlines()[0] for name, (play, _) in SCENARIOS.items()}
    if only_list:
        _list(as_json, titles)
        return
    results: list[Result] = []
    with TemporaryDirectory(prefix="pegproof-") as directory, progress_bar("simulate", as_json) as bar:
        worlds: dict[str, World] = {}
        if slot is not None:
            bar("slot", 0.0)
            opened = open_world(slot)
            tree, worlds[opened.name] = opened.name, opened
        names = chosen(tree, scenario)
        if not names:
            raise click.BadParameter("no such scenario over this tree; see --list", param_hint="--scenario")
        for at, name in enumerate(names):
            over = ONLY.get(name, tree)
            world = worlds.get(over)
            if world is None:
                world = worlds[over] = make_world(over, Path(directory), bar)
            elif name in WITH_COMMITTEE and not world.setup.members:
                world = make_world(over, Path(directory), bar)
            bar(name, at / len(names))
            results.append(run(name, world, export))
    data: dict[str, Any] = {
        "passed": all(result.passed for result in results),
        "trees": {name: world.as_json() for name, world in worlds.items()},
        "scenarios": [result.as_json() for result in results],
    }
    emit(data, as_json, lambda: _render(results, titles))
    if not data["passed"]:
        failed = ", ".join(result.name for result in results if not result.passed)
        if as_json:
            raise click.exceptions.Exit(1)
        fail(f"failed: {failed}")


def _list(as_json: bool, titles: dict[str, str]) -> None:
    """What there is to play."""
    rows = [(name, ONLY.get(name, "both"), wanted, titles[name]) for name, (_, wanted) in SCENARIOS.items()]
    listed = [
        {"name": name, "tree": tree, "outcome": ends, "title": title} for name, tree, ends, title in rows
    ]
    emit(
        {"scenarios": listed},
        as_json,
        lambda: show_table("Scenarios", ("name", "tree", "ends", "story"), rows),
    )


def _render(results: list[Result], titles: dict[str, str]) -> None:
    if len(results) == 1:
        result = results[0]
        console.print(titles[result.name])
        rows = [
            (record.name, record.who, record.spending.tx.vbytes, fee_of(record.spending))
            for record in result.records
        ]
        show_table(result.name, ("transaction", "sent by", "vbytes", "fee, sat"), rows)
        console.print(f"{'passed' if result.passed else 'FAILED'}: {result.outcome} {result.detail}")
        return
    show_table(
        "Scenarios",
        ("name", "", "ends", "dispute, vB", "stack", "what was amiss"),
        [
            (r.name, "ok" if r.passed else "FAILED", r.outcome, r.dispute_vbytes, r.max_stack, r.detail)
            for r in results
        ],
    )


for each in (plan, dispute, *COMMANDS):
    command.add_command(each)
