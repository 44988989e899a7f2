"""The bridge's commands: each starts from a role's directory alone, so every story is one of restarts."""

from pathlib import Path

import pytest

from tests.bridge.shell import Shell, funded


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return funded(tmp_path_factory.mktemp("rehearsal") / "bridge")


@pytest.fixture
def shell(ready: Shell, tmp_path: Path) -> Shell:
    return ready.copy(tmp_path / "bridge")


def test_an_unchallenged_take(shell: Shell) -> None:
    assert shell.done("kickoff", "operator", "--proof", shell.sample()) == ["kickoff"]
    assert shell.refusal("take", "operator") == "TOO_EARLY"
    shell("mine", "node", 431)
    assert shell.done("take", "operator") == ["take1/vault 0"]
    assert shell("status", "operator", "--role", "operator")["taken"] == ["vault 0"]


def test_a_false_proof_is_disproved(shell: Shell) -> None:
    assert shell.done("kickoff", "operator", "--unchecked", "--proof", shell.sample("false")) == ["kickoff"]
    assert shell.refusal("kickoff", "operator", "--proof", shell.sample()) == "EQUIVOCATION"
    assert shell.done("challenge", "watcher") == ["challenge"]
    assert shell.refusal("disprove", "watcher") == "NO_FAULT"
    assert shell.done("assert", "operator") == ["assert"]
    assert shell.refusal("close", "operator") == "TOO_EARLY"
    for node in (2, 4, 6):
        assert shell.done("open", "watcher", node) == [f"open/{node}"]
        assert shell.done("reveal", "operator") == [f"reveal/{node}"]
    assert shell.refusal("open", "watcher", 6) == "TOO_EARLY"
    assert shell.done("disprove", "watcher") == ["disprove/6"]
    status = shell("status", "watcher")
    assert status["penalised"] and not status["taken"]
    assert shell.refusal("take", "operator") == "TOO_EARLY"


def test_silence_is_timed_out(shell: Shell) -> None:
    shell.done("kickoff", "operator", "--proof", shell.sample())
    shell.done("challenge", "watcher")
    assert shell.refusal("timeout", "watcher") == "TOO_EARLY"
    shell("mine", "node", 863)
    assert shell.done("timeout", "watcher") == ["assert_timeout"]
