"""`pegproof yield`, `solvency` and `exit` over a short season."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from circuits.programs.income import split, trail
from circuits.programs.staking import SCALE, Said
from circuits.rollup.rebuild import rebuild
from examples.economy.season import Season
from examples.economy.world import RULES
from tests.verifier.cli.seasons import kept_season
from verifier.cli.main import cli
from verifier.economy import NAMES_FILE, read_names, replayed

BLOCKS = 60
SCRIPT = "0014" + "ab" * 20


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> tuple[Season, Path]:
    path = tmp_path_factory.mktemp("season")
    return kept_season(path, 11, BLOCKS), path


def run(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def test_yields_are_what_stakes_may_claim_and_add_up_to_the_income(season) -> None:
    played, path = season
    shared = 0
    for who, (_, earned) in played.earned().items():
        figures = run("yield", path, "--account", who)
        assert abs(figures["income_msat"] - earned) <= sum(stake.who == who for stake in played.people.stakes)
        assert sum(figures["stakes_msat"].values()) == figures["income_msat"]
        shared += figures["income_msat"]
        part = run("yield", path, "--account", who, "--from", 30, "--to", 40)
        assert part["income_msat"] == sum(
            sum(b["stakes_msat"].values()) for b in figures["blocks"] if 30 <= b["block"] <= 40
        )
    stakers = played.account.shared["stakers"]
    carry = played.people.data(played.world.staking.totals)[3]
    assert 0 <= stakers - shared <= carry // SCALE + len(played.people.stakes) + 1
    commission = sum(
        run("yield", path, "--account", name)["income_msat"] for name in ("sara", "sven", "suzu")
    )
    assert commission == played.account.shared["sequencers"]


def test_each_claim_is_covered_by_the_trail(season) -> None:
    """Stake by stake: what was claimed by a block is no more than the trail has until then, and the rest is due."""
    played, path = season
    names = read_names(path)
    for who in ("ann", "eli"):
        cell, had, claimed = names.account(who), 0, 0
        for done, income in zip(replayed(path), trail(replayed(path), names.layout, cell), strict=True):
            had += income.total
            mine = {stake.cell for stake in played.people.stakes if stake.who == who}
            claimed += sum(
                e.values[2] for r in done.receipts for e in r.events
                if e.program == names.layout.program and e.values[0] == Said.CLAIMED and e.values[1] in mine
            )  # fmt: skip
            assert claimed <= had + len(mine)


def test_split_is_exact() -> None:
    assert split(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert split(7, {"a": 5, "b": 0}) == {"a": 7}
    assert split(0, {"a": 5}) == {} == split(5, {})


def test_solvency_of_every_batch(season) -> None:
    _, path = season
    kinds = set()
    for number in (0, 1, 20, BLOCKS):
        figures = run("solvency", path, "--at", number)
        assert figures["difference_msat"] == figures["public_values_difference_msat"] == 0
        assert sum(figures["held_msat"].values()) == figures["supply_msat"]
        assert figures["vault_msat"] == figures["supply_msat"] + figures["pending_exits_msat"]
        kinds |= set(figures["held_msat"])
    assert kinds >= {"accounts", "fee purses", "staking", "amm", "lending", "auction"}
    run("solvency", path, "--at", BLOCKS + 1, code=1)


def test_exit_from_published_data_alone(season, tmp_path) -> None:
    played, path = season
    data, inbox, out = tmp_path / "data", tmp_path / "inbox", tmp_path / "out"
    run("publish", path, data, inbox)
    cell = played.world.people["tom"]
    balance = played.world.chain.balance(cell)
    refused = run("exit", data, inbox, out, "--account", cell, "--script", SCRIPT, code=1)
    assert "hook" in refused["error"]["message"] and not out.exists(), "others' turn, and nothing is written"
    late = played.height + RULES.open_blocks
    figures = run("exit", data, inbox, out, "--account", cell, "--script", SCRIPT, "--bitcoin-height", late)
    assert figures["sats"] == balance // 1000 and len(figures["exit_path"]) == 10
    executed = run("execute", out)
    assert executed["withdrawals_msat"] == balance // 1000 * 1000
    assert executed["state_root_after"] == figures["state_root_after"]
    assert rebuild(data.read_bytes(), inbox.read_bytes()).num_batches == BLOCKS


@pytest.mark.slow
def test_exit_is_proven(season, tmp_path) -> None:
    played, path = season
    data, inbox, out, proof = (tmp_path / name for name in ("data", "inbox", "out", "proof"))
    run("publish", path, data, inbox)
    cell, late = played.world.people["uma"], played.height + RULES.open_blocks
    run(
        "exit", data, inbox, out, "--account", cell, "--sats", 5, "--script", SCRIPT, "--bitcoin-height", late
    )
    run("prove", out, "--output", proof)
    assert run("verify", proof)["accepted"] is True


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--account", "36"), "no purse"),
        (("--sats", "99999999999"), "sats"),
        (("--script", "xy"), "hexadecimal"),
    ],
)
def test_bad_input_is_told_and_nothing_written(season, tmp_path, options, told) -> None:
    played, path = season
    data, inbox, out = tmp_path / "data", tmp_path / "inbox", tmp_path / "out"
    run("publish", path, data, inbox)
    usual = {"--account": str(played.world.people["tom"]), "--script": SCRIPT, "--bitcoin-height": "999"}
    usual |= dict([options])
    found = run("exit", data, inbox, out, *(word for pair in usual.items() for word in pair), code=1)
    assert told in found["error"]["message"] and not out.exists()


def test_unknown_names_are_told(season, tmp_path) -> None:
    _, path = season
    assert "nobody" in run("yield", path, "--account", "nobody", code=1)["error"]["message"]
    (tmp_path / NAMES_FILE).write_text("{}")
    assert "names" in run("yield", tmp_path, "--account", "1", code=1)["error"]["message"]
