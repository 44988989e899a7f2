"""The bridge's commands: each starts from a role's directory alone, so every story is one of restarts."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from verifier.bridge.files import SECRET
from verifier.bridge.store import Store
from verifier.cli.main import cli


class Shell:
    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, command: str, role: str, *more: object) -> Any:
        arguments = ["bridge", command, str(self.home / role), *map(str, more), "--json"]
        outcome = CliRunner().invoke(cli, arguments)
        assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
        return json.loads(outcome.output)

    def done(self, command: str, role: str, *more: object) -> list[str]:
        """Runs a command, then mines a block."""
        out = self(command, role, *more)
        assert "error" not in out, out
        self("mine", "node", 1)
        return [each["name"] for each in out["sent"]] if isinstance(out["sent"], list) else [out["sent"]]


@pytest.fixture(scope="module")
def funded(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    made = Shell(tmp_path_factory.mktemp("rehearsal") / "bridge")
    done = made("setup", ".")
    assert "error" not in done, done
    assert (done["nodes"], done["leaves"], done["playable"]) == (7, 7, True)
    assert made("setup", ".")["error"]["reason"] == "STATE"
    assert made.done("pegin", "user") == ["deposit"]
    assert made.done("pegin", "user") == ["pegin"]
    return made


@pytest.fixture
def shell(funded: Shell, tmp_path: Path) -> Shell:
    return Shell(Path(shutil.copytree(funded.home, tmp_path / "bridge")))


def test_an_unchallenged_take(shell: Shell) -> None:
    assert shell.done("kickoff", "operator") == ["kickoff"]
    assert shell("take", "operator")["error"]["reason"] == "TOO_EARLY"
    shell("mine", "node", 431)
    assert shell.done("take", "operator") == ["take1/vault 0"]
    assert shell("status", "operator", "--role", "operator")["taken"] == ["vault 0"]


def test_a_false_proof_is_disproved(shell: Shell) -> None:
    assert shell.done("kickoff", "operator", "--case", "false") == ["kickoff"]
    assert shell("kickoff", "operator", "--case", "honest")["error"]["reason"] == "EQUIVOCATION"
    assert shell.done("challenge", "watcher") == ["challenge"]
    assert shell("disprove", "watcher")["error"]["reason"] == "NO_FAULT"
    assert shell.done("assert", "operator") == ["assert"]
    assert shell("close", "operator")["error"]["reason"] == "TOO_EARLY"
    for node in (2, 4, 6):
        assert shell.done("open", "watcher", node) == [f"open/{node}"]
        assert shell.done("reveal", "operator") == [f"reveal/{node}"]
    assert shell("open", "watcher", 6)["error"]["reason"] == "TOO_EARLY"
    assert shell.done("disprove", "watcher") == ["disprove/6"]
    status = shell("status", "watcher")
    assert status["penalised"] and not status["taken"]
    assert shell("take", "operator")["error"]["reason"] == "TOO_EARLY"


def test_silence_is_timed_out(shell: Shell) -> None:
    shell.done("kickoff", "operator")
    shell.done("challenge", "watcher")
    assert shell("timeout", "watcher")["error"]["reason"] == "TOO_EARLY"
    shell("mine", "node", 863)
    assert shell.done("timeout", "watcher") == ["assert_timeout"]


def test_bad_directories_are_refused_and_nothing_is_signed(shell: Shell) -> None:
    assert shell("setup", ".")["error"]["reason"] == "STATE"
    assert shell("kickoff", "nowhere")["error"]["reason"] == "STATE"
    assert shell("kickoff", "watcher")["error"]["reason"] == "STATE"
    assert shell("challenge", "operator")["error"]["reason"] == "STATE"
    database = shell.home / "operator" / "role.db"
    good = database.read_bytes()
    database.write_bytes(good[: len(good) // 2])
    assert shell("kickoff", "operator")["error"]["reason"] == "STATE"
    database.write_bytes(b"\0" * len(good))
    assert shell("kickoff", "operator")["error"]["reason"] == "STATE"
    database.write_bytes(good)
    assert shell.done("kickoff", "operator") == ["kickoff"]


def test_another_networks_directory_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.cli.bridge_roles.NETWORK", "signet")
    assert shell("kickoff", "operator")["error"]["reason"] == "STATE"


def test_an_empty_purse_is_a_typed_error(shell: Shell) -> None:
    shell.done("kickoff", "operator")
    Store(shell.home / "watcher", "watcher", "regtest").put_meta(SECRET, b"\x2a" * 32)
    assert shell("challenge", "watcher")["error"]["kind"] == "InsufficientFunds"


def test_what_is_announced_convicts_beside_what_is_asserted(shell: Shell, tmp_path: Path) -> None:
    """The operator's directory as it was before it changed its mind still signs the other claim."""
    before = Shell(Path(shutil.copytree(shell.home, tmp_path / "before")))
    shell.done("kickoff", "operator", "--case", "withheld")
    before.done("kickoff", "operator")
    assert "error" not in before("announce", "operator", tmp_path / "announcement")
    assert "error" not in shell("hear", "watcher", tmp_path / "announcement")
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")
    assert shell.done("disprove", "watcher") == ["disprove/0"]


def test_a_bad_announcement_is_refused(shell: Shell, tmp_path: Path) -> None:
    assert shell("announce", "operator", tmp_path / "none")["error"]["reason"] == "ORDER"
    shell.done("kickoff", "operator")
    shell("announce", "operator", tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    for bad in (good[:-1], good + b"\0", b"", b"\0", b"\xff" * 9):
        (tmp_path / "bad").write_bytes(bad)
        assert shell("hear", "watcher", tmp_path / "bad")["error"]["reason"] == "SIGNATURE"
    assert shell("hear", "watcher", tmp_path / "missing")["error"]["kind"] == "FileNotFoundError"
    assert "error" not in shell("hear", "watcher", tmp_path / "good")
