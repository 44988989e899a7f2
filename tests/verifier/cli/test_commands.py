"""Every command: figures, JSON fields, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

import native
from circuits.statement import SHAPES
from prover.params import PRESETS
from tests.verifier.cli.conftest import TRANSFERS, Run
from verifier.cli.main import COMMANDS, cli
from verifier.pipeline import run_batch

PROVE = {
    "transfers",
    "transactions",
    "seconds",
    "steps",
    "proof_bytes",
    "peak_rss_bytes",
    "proven_bits",
    "shape",
    "preset",
}
VERIFY = {"accepted", "reason", "seconds", "proven_bits", "preset"}
SECURITY = {"proven_bits", "regime", "terms"}
EXECUTE = {
    "state_root_before",
    "state_root_after",
    "supply_before_msat",
    "supply_after_msat",
    "deposits_msat",
    "withdrawals_msat",
    "fees_msat",
    "failed",
    "tables",
}


def test_help_lists_every_command(run: Run) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    assert all(name in outcome.out for name in COMMANDS)
    assert cli.name == "cli"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: Run, name: str) -> None:
    outcome = run(name, "--help")
    assert outcome.code == 0 and outcome.out.startswith(f"Usage: pegproof {name}")


GROUPS = {name: cli.get_command(click.Context(cli), name) for name in ("wallet", "batch", "program", "bench")}


@pytest.mark.parametrize(
    ("group", "name"), [(g, n) for g, c in GROUPS.items() for n in getattr(c, "commands", {})]
)
def test_every_subcommand_has_help_and_json(run: Run, group: str, name: str) -> None:
    outcome = run(group, name, "--help")
    assert outcome.code == 0 and outcome.out.startswith(f"Usage: pegproof {group} {name}")
    assert "--json" in outcome.out


def test_execute_reports_the_named_fields_and_the_supply_identity(run: Run, made: Path) -> None:
    figures = run("execute", made / "batch", "--json").json
    assert figures.keys() >= EXECUTE
    assert figures["supply_after_msat"] == (
        figures["supply_before_msat"] + figures["deposits_msat"] - figures["withdrawals_msat"]
    )
    assert set(figures["fees_msat"]) == {"base", "tips", "data"}
    assert figures["transfers"] == TRANSFERS and figures["failed"] == 0
    for table in figures["tables"]:
        assert set(table) == {"name", "rows", "capacity", "columns", "cells"}
        assert table["rows"] <= table["capacity"] and table["cells"] == table["rows"] * table["columns"]


def test_execute_writes_nothing_without_commit(run: Run, copied: Path) -> None:
    before = {p.name: p.read_bytes() for p in (copied / "batch").iterdir()}
    assert run("execute", copied / "batch").code == 0
    assert {p.name: p.read_bytes() for p in (copied / "batch").iterdir()} == before


def test_a_committed_batch_can_be_executed_and_proven_again(run: Run, copied: Path) -> None:
    first = run("execute", copied / "batch", "--commit", "--json").json
    again = run("execute", copied / "batch", "--commit", "--json").json
    assert first["committed"] == again["committed"] == 1
    assert first["state_root_after"] == again["state_root_after"]
    assert run("prove", copied / "batch", "-o", copied / "again", "--json").code == 0
    assert (copied / "again").read_bytes() == (copied / "proof").read_bytes()


def test_prove_reports_the_named_fields(run: Run, made: Path, tmp_path: Path) -> None:
    figures = run(
        "prove", made / "batch", "-o", tmp_path / "p", "--preset", "fast", "--threads", 1, "--json"
    ).json
    assert figures.keys() >= PROVE
    assert figures["proof_bytes"] == (tmp_path / "p").stat().st_size
    assert figures["proven_bits"] >= 128 and figures["preset"] == "fast" and figures["shape"] == "small"
    assert figures["transfers"] == TRANSFERS and figures["transactions"] > TRANSFERS
    assert 0 < sum(figures["steps"].values()) <= figures["seconds"]
    assert {"load", "signatures", "transition", "kernel", "main commitment", "FRI", "write"} <= set(
        figures["steps"]
    )


@pytest.mark.parametrize("arguments", [("prove", "-o", "p"), ("bench", "batch", "--repeat", 1, "--batch")])
def test_threads_hold_for_the_execution_as_well_as_for_the_proof(
    run: Run, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    seen = set()

    def watched(*given: object, **named: object) -> object:
        seen.add(native.threads())
        return run_batch(*given, **named)  # type: ignore[arg-type]

    wanted = native.threads() + 1
    monkeypatch.chdir(tmp_path)
    for place in ("verifier.cli.prove", "verifier.measure.batch"):
        monkeypatch.setattr(f"{place}.run_batch", watched)
    assert run(*arguments, made / "batch", "--threads", wanted, "--json").code == 0
    assert seen == {wanted} and native.threads() == wanted - 1


@pytest.mark.parametrize("arguments", [(), ("--reference",)])
def test_verify_accepts(run: Run, made: Path, arguments: tuple[str, ...]) -> None:
    outcome = run("verify", made / "proof", "--json", *arguments)
    figures = outcome.json
    assert outcome.code == 0 and figures.keys() >= VERIFY
    assert figures["accepted"] is True and figures["reason"] is None
    assert figures["preset"] == "standard" and figures["proven_bits"] >= 128


def test_verify_compares_roots(run: Run, made: Path) -> None:
    executed = run("execute", made / "batch", "--json").json
    before, after = executed["state_root_before"], executed["state_root_after"]
    assert run("verify", made / "proof", "--root-before", before, "--root-after", after).code == 0
    outcome = run("verify", made / "proof", "--root-before", after, "--json")
    assert outcome.code == 1 and outcome.json["reason"] == "PUBLIC_VALUES"


def test_verify_refuses_weak_parameters_unless_told_otherwise(run: Run, made: Path, tmp_path: Path) -> None:
    proof = tmp_path / "weak"
    assert run("prove", made / "batch", "-o", proof, "--preset", "compare-plonky3").code == 0
    outcome = run("verify", proof, "--json")
    assert outcome.code == 1 and outcome.json["reason"] == "WEAK_PARAMETERS"
    assert run("verify", proof, "--min-bits", 0).code == 0


def test_inspect_shows_parts_public_values_and_soundness(run: Run, made: Path) -> None:
    figures = run("inspect", made / "proof", "--json").json
    assert sum(figures["parts"].values()) == figures["proof_bytes"] == (made / "proof").stat().st_size
    executed = run("execute", made / "batch", "--json").json
    assert figures["public_values"]["state_root_after"] == executed["state_root_after"]
    assert figures["public_values"]["supply_after_msat"] == executed["supply_after_msat"]
    assert figures["security"]["proven_bits"] >= 128 and figures["verified"] is False
    assert executed["state_root_after"] in run("inspect", made / "proof").out


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_security_of_one_report(run: Run, preset: str, shape: str) -> None:
    figures = run("security", "--preset", preset, "--shape", shape, "--json").json
    assert figures.keys() >= SECURITY and figures["preset"] == preset and figures["shape"] == shape
    assert all({"name", "bits", "source"} <= set(term) for term in figures["terms"])
    assert figures["proven_bits"] == min(term["bits"] for term in figures["terms"])
    assert (figures["proven_bits"] >= 128) == (preset != "compare-plonky3")
    assert figures["statement"]["bits"] == 124 and figures["statement"]["reason"]
    assert set(figures["regimes"]) == {"UDR", "JBR"}


def test_security_of_all_puts_the_weakest_default_on_top(run: Run) -> None:
    figures = run("security", "--json").json
    assert figures["proven_bits"] >= 128 and len(figures["reports"]) == len(PRESETS) * len(SHAPES)
    assert "statement" in run("security").out


def test_cells_of_a_transfer_are_within_budget(run: Run) -> None:
    figures = run("cells", "--json").json
    cells = {operation["name"]: operation["cells"] for operation in figures["operations"]}
    assert cells["transfer"] <= 60_000
    assert cells["signature alone, key of height 8"] < cells["transfer between purses already touched"]
    assert all(value > 0 for value in cells.values())
    for part in ("withdrawal", "forced exit", "rotation", "deployment", "call that", "creates a purse"):
        assert any(part in name for name in cells)
    assert figures["opened_columns"] <= 1000


def test_doctor_says_which_tier_and_why(run: Run) -> None:
    figures = run("doctor", "--json").json
    assert figures["tier"] in {line["check"] for line in figures["why"]} | {"numba"}
    assert figures["threads"] >= 1 and figures["versions"]["numpy"]
    assert "kernels:" in run("doctor").out


def test_doctor_warm_tries_everything(run: Run) -> None:
    assert run("doctor", "--warm", "--json").json["warm"]["seconds"] > 0


def test_sample_is_the_same_for_the_same_seed(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert (
            run("sample", "--transfers", 2, "--seed", 9, "--out", tmp_path / name, "--json").json["transfers"]
            == 2
        )
    assert (tmp_path / "a/batch.bin").read_bytes() == (tmp_path / "b/batch.bin").read_bytes()


def test_a_user_signs_pays_withdraws_and_the_batch_is_proven(run: Run, copied: Path) -> None:
    wallet, batch = copied / "wallet", copied / "batch"
    before = run("execute", batch, "--json").json
    first = run("wallet", "sign", wallet, "--batch", batch, "--to", 2, "--amount-msat", 5000, "--json").json
    address = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    second = run(
        "wallet", "sign", wallet, "--batch", batch, "--withdraw-to", address,
        "--amount-msat", 7000, "--tip", 2, "--json",
    ).json  # fmt: skip
    assert (first["nonce"], second["nonce"]) == (0, 1) and second["leaf"] > first["leaf"]
    assert second["script"] == "0014751e76e8199196d454941c45d1b3a323f1433bd6"
    after = run("execute", batch, "--json").json
    assert after["left_out"] == [] and after["failed"] == 0
    assert after["transactions"] == before["transactions"] + 2
    assert after["withdrawals_msat"] == before["withdrawals_msat"] + 7000
    assert run("prove", batch, "-o", copied / "own", "--json").code == 0
    assert run("verify", copied / "own").code == 0
    shown = run("wallet", "show", wallet, "--batch", batch, "--json").json
    assert shown["keys"][0]["purses"][0]["cell"] == first["signer"] and shown["keys"][0]["next_leaf"] == 2
    assert "11" * 32 not in json.dumps(shown), "the seed is not shown"


def test_a_ledger_goes_on_with_the_next_batch(run: Run, copied: Path) -> None:
    batch = copied / "batch"
    assert run("batch", "next", batch).code == 1, "the batch is not committed yet"
    assert run("execute", batch, "--commit").code == 0
    assert run("batch", "next", batch, "--json").json["batch_number"] == 2
    assert run("wallet", "sign", copied / "wallet", "--batch", batch, "--to", 2, "--amount-msat", 1).code == 0
    second = run("execute", batch, "--commit", "--json").json
    assert second["committed"] == 2 and second["transactions"] == 1
    assert run("prove", batch / "batch-000001.bin", "-o", copied / "first", "--json").code == 0
    assert (copied / "first").read_bytes() == (copied / "proof").read_bytes()


def test_restored_wallet_skips_leaves(run: Run, tmp_path: Path) -> None:
    restored = run(
        "wallet",
        "restore",
        tmp_path / "w",
        "--seed",
        "22" * 32,
        "--height",
        "8",
        "--ledger-leaf",
        5,
        "--json",
    ).json
    assert restored["keys"][0]["next_leaf"] > 5


def test_nothing_but_json_on_standard_output_and_nothing_on_standard_error(
    made: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "verifier.cli.main",
        "prove",
        str(made / "batch"),
        "-o",
        str(tmp_path / "p"),
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["proof_bytes"] > 0 and done.stderr == ""


def test_help_is_instant_because_commands_load_lazily() -> None:
    code = (
        "import sys; from verifier.cli.main import cli; cli(['--help'], standalone_mode=False); "
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("False")
