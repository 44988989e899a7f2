"""`pegproof bench`: the fields that scripts read, and the memory that was predicted."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

import native
from native import Op
from prover.air.compile import compiled
from prover.air.emission import MachineCode
from prover.layout import Layout
from prover.params import PRESETS
from prover.shape import Shape
from verifier.cli.main import cli
from verifier.measure.air import SYSTEM, Permutations
from verifier.measure.floor import code_products, proof_products


def run(*arguments):
    result = CliRunner().invoke(cli, ["bench", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_air_reports_its_figures():
    figures = json.loads(
        run("air", "--log-permutations", 8, "--preset", "compare-plonky3", "--threads", 1, "--json")
    )
    assert figures["permutations"] == 256
    assert figures["permutations_per_second"] == 256 / figures["seconds"]
    assert (figures["threads"], figures["preset"]) == (1, "compare-plonky3")
    assert figures["peak_rss_bytes"] > 0
    assert {"trace", "main commitment", "quotient", "openings", "FRI", "queries"} <= figures["steps"].keys()
    assert 0 < figures["floor_seconds"] < min(figures["runs"])
    table = run("air", "--log-permutations", 8, "--repeat", 1)
    assert "permutations/s" in table and "floor" in table


def test_a_proofs_products_are_those_of_its_steps():
    """164 columns without lookups, 2^5 rows, rate 1/2, by hand."""
    layout = Layout(SYSTEM, Shape.of(SYSTEM, {Permutations.name: 5}), PRESETS["compare-plonky3"])
    rows, main, quotient = 32, 164, 12
    butterflies = rows * 5 // 2
    transforms = (main + quotient) * (3 * butterflies + 2 * rows) + main * (2 * butterflies + rows)
    opened = 18 * rows * (main + quotient)
    queries = (main + quotient) * (3 * butterflies // 2 + rows)
    composition = 2 * rows * code_products(compiled(SYSTEM.airs[0]).quotient)
    assert proof_products(layout) == transforms + opened + queries + composition + 12 * butterflies


def test_products_of_code_are_those_of_its_instructions():
    code = [[Op.BMUL, 0, 0, 0], [Op.EMUL, 0, 0, 0], [Op.EMAC, 0, 0, 0], [Op.BADD, 8, 8, 8]]
    words = [word for each in code for word in each]
    assert code_products(MachineCode(words, 1, 1, [], [], 0)) == 1 + 18 + 6


def test_kernels_report_rates():
    rates = json.loads(
        run("kernels", "--log-rows", 8, "--threads", 1, "--threads", 2, "--repeat", 1, "--json")
    )
    assert {"poseidon2_w16", "poseidon2_w24", "lde_2x", "merkle_blake3", "ntt"} <= {r["name"] for r in rates}
    assert {r["threads"] for r in rates} == {1, 2}
    for rate in rates:
        assert rate.keys() >= {"name", "size", "threads", "seconds", "rate", "unit", "tier"}
        assert rate["tier"] == native.tier() and rate["rate"] > 0 and rate["floor_seconds"] > 0


@pytest.mark.slow
def test_batch_and_verify_report_their_figures():
    figures = json.loads(run("batch", "--transfers", 2, "--preset", "fast", "--repeat", 1, "--json"))
    assert figures["transfers"] == 2 and figures["signatures"] >= 2
    assert figures["transfers_per_second"] == 2 / figures["seconds"]
    assert figures["proven_bits"] >= 128
    assert len(figures["outside_kernels_share"]) == 1 and 0 < figures["outside_kernels_share"][0] < 1
    assert figures["proof_bytes"] > 0 and figures["peak_rss_bytes"] > 0
    assert 0 < figures["floor_seconds"] < figures["seconds"]
    verified = json.loads(run("verify", "--transfers", 2, "--repeat", 1, "--json"))
    assert 0 < verified["native_seconds"] < verified["reference_seconds"]


@pytest.mark.slow
def test_peak_memory_is_what_was_predicted():
    """A process of its own: what it takes beyond its start is at most the prediction, and most of it."""

    def peak(log):
        command = [sys.executable, "-m", "verifier.cli.main", "bench", "air", "--json", "--repeat", "1"]
        out = subprocess.run(
            [*command, "--log-permutations", str(log), "--threads", "2"], check=True, capture_output=True
        )
        figures = json.loads(out.stdout)
        return figures["peak_rss_bytes"], figures["predicted_peak_bytes"]

    start, small = peak(6)
    taken, predicted = peak(17)
    assert 0.7 * (predicted - small) < taken - start < 1.15 * (predicted - small)


def test_too_little_memory_is_refused_with_the_figure_before_anything_is_made(monkeypatch):
    monkeypatch.setattr("prover.prove.available_bytes", lambda: 10 << 20)
    monkeypatch.setattr("prover.prove.native.idle_bytes", lambda: 0)
    monkeypatch.setattr("verifier.measure.air.native.empty", lambda *shape: pytest.fail("a table was made"))
    result = CliRunner().invoke(cli, ["bench", "air", "--log-permutations", "16", "--json"])
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "ProvingError" and "there are 10 MiB" in error["message"]


def test_kernels_are_refused_where_memory_would_not_do(monkeypatch):
    monkeypatch.setattr("verifier.measure.kernels.available_bytes", lambda: 1 << 30)
    result = CliRunner().invoke(cli, ["bench", "kernels", "--log-rows", "22"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "3072 MiB of memory" in result.stderr and "1024 MiB" in result.stderr


def test_a_sample_that_cannot_be_made_is_one_line():
    result = CliRunner().invoke(cli, ["bench", "batch", "--transfers", str(1 << 30)])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Error: no sample of 1,073,741,824 transfers: "
        "transfers: value out of range, expected 1..524288, got 1073741824"
    ]


@pytest.mark.parametrize("bad", [("--threads", 0), ("--threads", 10000), ("--log-permutations", 40)])
def test_what_is_out_of_range_is_a_usage_error(bad):
    result = CliRunner().invoke(cli, ["bench", "air", "--json", *map(str, bad)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not in the range" in result.stderr


def test_tables_in_a_pipe_are_not_cut():
    assert "poseidon2_w16" in run("kernels", "--log-rows", 8, "--threads", 1, "--repeat", 1)
