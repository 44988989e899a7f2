"""Every scenario of the design on the embedded node, over the toy tree."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.bridge.setup.files import open_slot, open_store
from verifier.bridge.setup.tree_name import TreeName
from verifier.bridge.simulate.cases import ToyCase
from verifier.bridge.simulate.engine import ONLY, SCENARIOS, chosen, playable, run
from verifier.bridge.simulate.rehearsal import rehearse
from verifier.bridge.simulate.setup import NETWORK, SetUp, make_setup
from verifier.bridge.simulate.worlds import World
from verifier.cli.main import cli

CASE = ToyCase()
SLOW = {
    *("03-challenged-honest", "06f-latest-reveals", "09-double-claims", "10b-restarted-in-mid-reveal"),
    *("11-malicious-challenger", "15c-cycled-close", "15d-bumped-answers", "15e-pinned-child"),
}
"""Those that mine thousands of blocks."""


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> SetUp:
    return make_setup(tmp_path_factory.mktemp("setup"), CASE.tree)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in playable("toy")]
)
def test_scenario(name: str, setup: SetUp) -> None:
    result = run(name, World("toy", CASE, setup))
    assert result.passed, result.detail
    assert result.outcome == SCENARIOS[name][1]


def test_all_twenty_scenarios_of_the_design_are_there() -> None:
    assert {int(name[:2]) for name in SCENARIOS} == set(range(1, 21))
    assert {int(name[:2]) for name in playable("toy")} == set(range(1, 21))
    assert playable("rollup") == list(SCENARIOS)
    assert set(ONLY) < set(SCENARIOS)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("1", ["01-pegin-and-refund"]),
        ("10", ["10a-equivocation", "10b-restarted-in-mid-reveal"]),
        ("7b", ["07b-minted-sats"]),
        ("07-", ["07-false-proof"]),
        ("14-largest-leaf", ["14-largest-leaf"]),
        *((wanted, []) for wanted in ("", "21", "0b", "x", "1x", "-1", "ALL")),
    ],
)
def test_a_scenario_is_found_by_number_head_or_name(wanted: str, found: list[str]) -> None:
    assert chosen("rollup", wanted) == found


def test_each_number_of_the_design_names_its_stories() -> None:
    assert [name for number in range(1, 21) for name in chosen("rollup", str(number))] == list(SCENARIOS)
    assert chosen("rollup", "7") == chosen("rollup", "07") == [name for name in SCENARIOS if name[:2] == "07"]
    assert chosen("toy", "all") == playable("toy")


def test_a_scenario_that_ends_otherwise_fails(setup: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    play, _ = SCENARIOS["02-unchallenged"]
    monkeypatch.setitem(SCENARIOS, "02-unchallenged", (play, "penalised"))
    result = run("02-unchallenged", World("toy", CASE, setup))
    assert not result.passed
    assert result.detail == "ended paid, not penalised"


def test_the_command_prints_what_was_mined_and_exports_the_blocks(tmp_path: Path) -> None:
    arguments = ["bridge", "simulate", "--tree", "toy", "--scenario", "07", "--json"]
    outcome = CliRunner().invoke(cli, [*arguments, "--export", str(tmp_path)])
    assert outcome.exit_code == 0, outcome.output
    (scenario,) = json.loads(outcome.output)["scenarios"]
    assert scenario["passed"] and scenario["outcome"] == "penalised"
    assert scenario["transactions"][-1]["name"] == "disprove/6"
    assert set(scenario) == {
        *("name", "tree", "passed", "outcome", "detail", "transactions", "dispute_vbytes", "max_stack"),
        *("max_leaf_bytes", "queries", "proven_bits"),
    }
    for transaction in scenario["transactions"]:
        assert set(transaction) == {"name", "txid", "vbytes", "weight", "fee_sats", "who"}
    assert scenario["proven_bits"] is None
    assert list(tmp_path.glob("07-false-proof/*"))


def test_an_unknown_scenario_is_a_usage_error() -> None:
    assert CliRunner().invoke(cli, ["bridge", "simulate", "--scenario", "99"]).exit_code == 2
    over_hashes = ["bridge", "simulate", "--scenario", "07b", "--tree", "toy"]
    assert CliRunner().invoke(cli, over_hashes).exit_code == 2


def test_scenarios_over_a_slot_whose_set_up_is_done(tmp_path: Path) -> None:
    """The same signatures and txids as the roles' directories have, not ones made for the occasion."""
    rehearse(tmp_path / "slot", TreeName.toy(2))
    arguments = ["bridge", "simulate", "--slot", str(tmp_path / "slot"), "--scenario", "07", "--json"]
    outcome = CliRunner().invoke(cli, arguments)
    assert outcome.exit_code == 0, outcome.output
    found = json.loads(outcome.output)
    assert found["trees"]["toy"]["on_demand"] is False
    (scenario,) = found["scenarios"]
    assert (scenario["tree"], scenario["outcome"]) == ("toy", "penalised")
    moves, _ = open_slot(open_store(tmp_path / "slot" / "watcher", "watcher", NETWORK))
    txids = {each["name"]: each["txid"] for each in scenario["transactions"]}
    assert txids["assert"] == moves.graph.template("assert").tx.txid_hex
    unfinished = CliRunner().invoke(cli, ["bridge", "simulate", "--slot", str(tmp_path), "--json"])
    assert json.loads(unfinished.output)["error"]["reason"] == "STATE"
