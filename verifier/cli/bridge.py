"""`pegproof bridge`: the game of challenge and disproof on Bitcoin."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from verifier.bridge.simulate.cases import ToyCase
from verifier.bridge.simulate.engine import SCENARIOS, Result, run
from verifier.bridge.simulate.setup import make_setup
from verifier.chain.policy import fee_of
from verifier.cli.bridge_plan import plan
from verifier.cli.bridge_roles import COMMANDS
from verifier.cli.output import console, emit, fail, json_option, progress_bar, reports_errors, show_table


@click.group(short_help="the game of challenge and disproof on Bitcoin")
def command() -> None:
    """Play the game by which Bitcoin judges a proof."""


@command.command("simulate", short_help="whole games on an embedded Bitcoin node")
@click.option("--scenario", default="all", show_default=True, help="A name of --list, its head, or all.")
@click.option("--list", "only_list", is_flag=True, help="List the scenarios and how they must end.")
@click.option("--export", type=click.Path(path_type=Path), help="Write each scenario's raw blocks here.")
@json_option
@reports_errors
def simulate(scenario: str, only_list: bool, export: Path | None, as_json: bool) -> None:
    """Play scenarios on Bitcoin Core's own validation code, in process.

    Each has a node of its own; the set-up (committee, keys, every signature) is made once. The tree is a small one of
    hashes, without a proof behind it: `proven_bits` is null.
    """
    titles = {name: (play.__doc__ or "").splitlines()[0] for name, (play, _) in SCENARIOS.items()}
    if only_list:
        rows = [(name, wanted, titles[name]) for name, (_, wanted) in SCENARIOS.items()]
        listed = [{"name": name, "outcome": wanted, "title": title} for name, wanted, title in rows]
        emit({"scenarios": listed}, as_json, lambda: show_table("Scenarios", ("name", "ends", "story"), rows))
        return
    chosen = [name for name in SCENARIOS if scenario == "all" or name.startswith(scenario)]
    if not chosen:
        raise click.BadParameter("no such scenario; see --list", param_hint="--scenario")
    case = ToyCase()
    results: list[Result] = []
    with TemporaryDirectory(prefix="pegproof-") as directory, progress_bar("simulate", as_json) as bar:
        setup = make_setup(Path(directory), case.tree, bar)
        for at, name in enumerate(chosen):
            bar(name, at / len(chosen))
            results.append(run(name, setup, case, export))
    data: dict[str, Any] = {
        "passed": all(result.passed for result in results),
        "tree": "toy",
        "scenarios": [result.as_json() for result in results],
    }
    emit(data, as_json, lambda: _render(results, titles))
    if not data["passed"]:
        failed = ", ".join(result.name for result in results if not result.passed)
        if as_json:
            raise click.exceptions.Exit(1)
        fail(f"failed: {failed}")


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


for each in (plan, *COMMANDS):
    command.add_command(each)
