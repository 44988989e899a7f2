"""Bad inputs: one clear line, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from circuits.rollup.store import Store
from tests.verifier.cli.conftest import Outcome, Run


def refused(outcome: Outcome, *words: str) -> None:
    """Exit code 1, one line on standard error that holds the words."""
    assert outcome.code == 1, outcome
    assert outcome.out == "" and len(outcome.err.strip().splitlines()) == 1, outcome
    assert outcome.err.startswith("Error: ") and "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("sample", "--out", "x"),
        ("sample", "--transfers", "0", "--out", "x"),
        ("sample", "--transfers", "many", "--out", "x"),
        ("execute",),
        ("prove", "x"),
        ("prove", "x", "-o", "y", "--preset", "nope"),
        ("prove", "x", "-o", "y", "--shape", "nope"),
        ("prove", "x", "-o", "y", "--threads", "0"),
        ("verify",),
        ("verify", "x", "--min-bits", "-1"),
        ("security", "--preset", "nope"),
        ("wallet", "new", "x", "--seed", "12"),
        ("wallet", "new", "x", "--height", "7"),
        ("wallet", "sign", "x", "--batch", "y", "--amount-msat", "1"),
        ("wallet", "sign", "x", "--batch", "y", "--amount-msat", "1", "--to", "1", "--withdraw-to", "00"),
        ("wallet", "sign", "x", "--batch", "y", "--amount-msat", "1000", "--withdraw-to", "bc1qqqqqq"),
        ("wallet", "sign", "x", "--batch", "y", "--amount-msat", "1", "--withdraw-to", "0014" + "00" * 20),
        ("wallet", "sign", "x", "--batch", "y", "--amount-msat", "-1", "--to", "1"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_help(run: Run, arguments: tuple[str, ...]) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2 and "Usage:" in outcome.err and "Error: " in outcome.err


@pytest.mark.parametrize("command", [("execute",), ("prove", "-o", "proof")])
def test_no_batch_directory(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(run(*command, tmp_path / "nowhere"), "nowhere", "no such file")
    refused(run(*command, tmp_path), "batch.bin", "pegproof sample")
    outcome = run(*command, tmp_path / "nowhere", "--json")
    assert outcome.code == 1 and outcome.err == "" and outcome.json["error"]["reason"] == "MISSING"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"", ("bytes end too early",)),
        (lambda data: b"XXXX" + data[4:], ("not a file of this kind",)),
        (lambda data: data[:4] + b"\x09" + data[5:], ("unknown format version",)),
        (lambda data: data[:-1], ("bytes end too early",)),
        (lambda data: data + b"\0", ("bytes follow the end",)),
        (lambda data: data[:8] + b"\x07" + data[9:], ("another chain",)),
    ],
)
def test_damaged_batch_file(run: Run, copied: Path, damage: object, words: tuple[str, ...]) -> None:
    file = copied / "batch/batch.bin"
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    refused(run("execute", copied / "batch", "--commit"), *words)
    refused(run("prove", copied / "batch", "-o", copied / "p"), *words)
    assert not (copied / "p").exists()
    with Store.open(copied / "batch/state.db") as store:
        assert store.batch_number() == 0


def test_store_of_another_version(run: Run, copied: Path) -> None:
    with sqlite3.connect(copied / "batch/state.db") as db:
        db.execute("PRAGMA user_version = 99")
    refused(run("execute", copied / "batch"), "store of another version")


def test_damaged_store(run: Run, copied: Path) -> None:
    (copied / "batch/state.db").write_bytes(b"no database" * 1000)
    refused(run("execute", copied / "batch"), "store is damaged")


def test_sample_does_not_overwrite(run: Run, copied: Path) -> None:
    before = (copied / "batch/batch.bin").read_bytes()
    refused(run("sample", "--transfers", 1, "--out", copied / "batch"), "exists already")
    assert (copied / "batch/batch.bin").read_bytes() == before


def test_wallets_refuse(run: Run, copied: Path) -> None:
    wallet, batch = copied / "wallet", copied / "batch"
    refused(run("wallet", "new", wallet), "already")
    refused(run("wallet", "show", copied), "no wallet")
    sign = ("wallet", "sign", wallet, "--batch", batch)
    refused(run(*sign, "--to", 2, "--amount-msat", 10**12), "do not fit")
    refused(run(*sign, "--to", 2, "--amount-msat", 1, "--max-fee-msat", 1), "above the maximum")
    refused(run(*sign, "--to", 2, "--amount-msat", 1, "--cell", 2), "no purse of this wallet")
    shown = run("wallet", "show", wallet, "--json").json
    assert shown["keys"][0]["next_leaf"] == 0, "a refusal costs no leaf"
    assert run("execute", batch, "--commit").code == 0
    refused(run(*sign, "--to", 2, "--amount-msat", 1), "was committed")


def test_overfull_shape_names_the_table_and_where_to_split(run: Run, tmp_path: Path) -> None:
    batch = tmp_path / "big"
    assert run("sample", "--transfers", 70, "--out", batch).code == 0
    outcome = run("prove", batch, "-o", tmp_path / "p", "--shape", "small")
    refused(outcome, "too large for shape small", "table chain", "split the batch", "of its 71 transactions")
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("output", ["missing/p", "."])
def test_unwritable_output_is_refused_before_the_work(
    run: Run, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    def unexpected(*arguments: object) -> None:
        pytest.fail("the batch was executed although the proof cannot be written")

    monkeypatch.setattr("verifier.cli.prove.run_batch", unexpected)
    refused(run("prove", made / "batch", "-o", tmp_path / output))


def test_too_little_memory_is_refused_with_the_figure(
    run: Run, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.pipeline.available_bytes", lambda: 10 << 20)
    monkeypatch.setattr("verifier.pipeline.resident_bytes", lambda: 0)
    refused(run("prove", made / "batch", "-o", tmp_path / "p"), "not enough memory", "MB")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "MAGIC"),
        (lambda data: os.urandom(1000), "MAGIC"),
        (lambda data: b"P" + data, "MAGIC"),
        (lambda data: data[:4] + b"\xff" + data[5:], "VERSION"),
        (lambda data: data[:20], "LENGTH"),
        (lambda data: data[:8] + b"\x07" + data[9:], "PARAMETERS"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "SHAPE"),
        (lambda data: data[:72], "LENGTH"),
        (lambda data: data[:-1], "LENGTH"),
        (lambda data: data[:-1000], "LENGTH"),
        (lambda data: data + b"\0", "LENGTH"),
        (lambda data: data[:72] + b"\xff" * 4 + data[76:], "NON_CANONICAL"),
        (lambda data: data[:72] + bytes([data[72] ^ 1]) + data[73:], "LOOKUP_SUM"),
    ],
)
@pytest.mark.parametrize("arguments", [(), ("--reference",)])
def test_malformed_proofs_are_refused_with_a_typed_reason(
    run: Run, made: Path, tmp_path: Path, damage: object, reason: str, arguments: tuple[str, ...]
) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(damage((made / "proof").read_bytes()))  # type: ignore[operator]
    outcome = run("verify", bad, "--json", *arguments)
    assert outcome.code == 1 and outcome.json["accepted"] is False and outcome.json["reason"] == reason
    assert run("verify", bad, *arguments).code == 1
    if reason not in ("LOOKUP_SUM",):
        assert run("inspect", bad).code == (0 if reason == "PUBLIC_VALUES" else 1)


def test_verify_of_no_file(run: Run, tmp_path: Path) -> None:
    outcome = run("verify", tmp_path / "none", "--json")
    assert outcome.code == 1 and outcome.json["accepted"] is False and outcome.json["reason"] == "MISSING"


def test_publish_and_rebuild_refuse(run: Run, copied: Path) -> None:
    batch, data, inbox = copied / "batch", copied / "data", copied / "inbox"
    refused(run("publish", copied / "none", data, inbox), "no such file")
    refused(run("publish", batch, data, copied / "no/inbox"), "no such file")
    assert not data.exists()
    assert run("execute", batch, "--commit").code == 0 and run("publish", batch, data, inbox).code == 0
    refused(run("rebuild", copied / "none", inbox), "no such file")
    refused(run("rebuild", data, copied / "none"), "no such file")
    refused(run("rebuild", inbox, data), "not a file of this kind")
    refused(run("rebuild", data, inbox, "--check", copied / "none"), "no such file")
    content = data.read_bytes()
    for bad in (content[:-1], content[:30], content + b"\0"):
        data.write_bytes(bad)
        refused(run("rebuild", data, inbox), "bytes end too early")
    for place in range(1, 120, 7):
        data.write_bytes(
            content[:-place] + bytes([content[-place] ^ 1]) + content[len(content) - place + 1 :]
        )
        assert run("rebuild", data, inbox, "--check", batch).code == 1


@pytest.mark.parametrize(("tx", "code"), [("999", 1), ("-1", 2), ("x", 2)])
def test_trace_refuses(run: Run, made: Path, tmp_path: Path, tx: str, code: int) -> None:
    assert run("trace", made / "batch", tx).code == code
    refused(run("trace", tmp_path, "0"), "batch.bin")


def prove_in_a_process(batch: Path, output: Path, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    def limit() -> None:
        if limit_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, "-m", "verifier.cli.main", "prove", str(batch), "-o", str(output)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit
    )


def test_full_disk_while_writing_the_proof(copied: Path) -> None:
    (copied / "proof").write_bytes(b"the old one")
    process = prove_in_a_process(copied / "batch", copied / "proof", limit_bytes=600_000)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "disk is full" in err and "Traceback" not in err
    assert (copied / "proof").read_bytes() == b"the old one"
    assert not list(copied.glob(".*tmp"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("execute", "batch", "--commit"),
        ("wallet", "sign", "wallet", "--batch", "batch", "--to", "2", "--amount-msat", "1"),
        ("wallet", "new", "other"),
        ("sample", "--transfers", "8", "--out", "other"),
    ],
)
def test_full_disk_leaves_everything_as_it_was(copied: Path, arguments: tuple[str, ...]) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    before = (copied / "batch/batch.bin").read_bytes()
    command = [sys.executable, "-m", "verifier.cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        command, cwd=copied, env=environment, capture_output=True, text=True, preexec_fn=limit
    )
    refused(Outcome(done.returncode, done.stdout, done.stderr), "disk")
    assert (copied / "batch/batch.bin").read_bytes() == before
    with Store.open(copied / "batch/state.db") as store:
        assert store.batch_number() == 0
    assert not (copied / "other/wallet.db").exists() and not (copied / "other/summary.json").exists()


@pytest.mark.parametrize("after", [0.6, 1.2, 1.8])
def test_kill_9_while_proving_leaves_no_partial_proof(run: Run, copied: Path, after: float) -> None:
    output = copied / "killed"
    process = prove_in_a_process(copied / "batch", output)
    time.sleep(after)
    process.kill()
    process.communicate(timeout=60)
    assert not output.exists() or run("verify", output).code == 0
    assert run("execute", copied / "batch", "--commit", "--json").json["committed"] == 1
    assert run("prove", copied / "batch", "-o", output, "--json").code == 0
    assert run("verify", output).code == 0


def test_kill_9_while_sampling_leaves_a_directory_that_sample_fills_again(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "s"
    command = [sys.executable, "-m", "verifier.cli.main", "sample", "--transfers", "40", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.8)
    process.kill()
    process.wait(timeout=60)
    if (out / "summary.json").exists():
        shutil.rmtree(out)
    assert run("sample", "--transfers", 2, "--out", out).code == 0
    assert run("execute", out).code == 0
