"""Bad input at the commands of the roles: a typed error with exit code 1, no directory changed, nothing sent."""

import random
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.shell import Shell, funded
from tests.disk import full_disk
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.store import Store
from verifier.bridge.setup.files import PUBLICATION, PURSE, SECRET, SEED
from verifier.bridge.simulate.setup import NETWORK

COMMANDS = {
    "user": ["pegin"],
    "operator": ["announce", "payout", "kickoff", "assert", "reveal", "close", "take"],
    "watcher": ["hear", "expect", "challenge", "open", "disprove", "timeout", "status"],
}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    made = funded(tmp_path_factory.mktemp("rehearsal") / "bridge")
    made.works("announce", "operator", made.home / "announcement", "--proof", made.sample())
    return made


@pytest.fixture
def shell(ready: Shell, tmp_path: Path) -> Shell:
    return ready.copy(tmp_path / "bridge")


def arguments(shell: Shell, command: str) -> list[object]:
    return {
        "announce": [shell.home / "again"],
        "payout": ["--withdrawal", 1, "--script", "51", "--sats", 1_000],
        "hear": [shell.home / "announcement", "--proof", shell.home / "honest.proof"],
        "expect": ["--proof", shell.home / "honest.proof"],
        "open": [4],
    }.get(command, [])


def every_command(shell: Shell, role: str, directory: str | None = None) -> set[str]:
    """The reasons with which all commands of a role refuse; `status` is of whoever has the directory."""
    return {
        shell.refusal(command, directory or role, *arguments(shell, command))
        for command in COMMANDS[role]
        if command != "status" or directory not in COMMANDS
    }


def database(shell: Shell, role: str) -> Path:
    return shell.home / role / "role.db"


def halves(good: bytes) -> list[bytes]:
    """What may be left of a file: half of it, zeros, nothing, something else."""
    return [good[: len(good) // 2], bytes(len(good)), b"", b"not a database" * 99]


@pytest.mark.parametrize("role", list(COMMANDS))
def test_a_corrupt_state_file(role: str, shell: Shell) -> None:
    good = database(shell, role).read_bytes()
    for bad in halves(good):
        database(shell, role).write_bytes(bad)
        assert every_command(shell, role) == {"STATE"}
    database(shell, role).unlink()
    assert every_command(shell, role) == {"STATE"}
    database(shell, role).write_bytes(good)
    assert "error" not in shell("status", "watcher")


@pytest.mark.parametrize("role", list(COMMANDS))
def test_a_directory_that_is_missing_or_anothers(role: str, shell: Shell) -> None:
    other = next(each for each in COMMANDS if each != role)
    assert every_command(shell, role, "nowhere") == {"STATE"}
    assert not (shell.home / "nowhere").exists()
    assert every_command(shell, role, other) == {"STATE"}


@pytest.mark.parametrize("role", list(COMMANDS))
def test_another_network(role: str, shell: Shell) -> None:
    Store(shell.home / role, role, NETWORK).put_meta("network", b"signet")
    error = shell.refused(COMMANDS[role][0], role, *arguments(shell, COMMANDS[role][0]))
    assert error["message"].endswith("is of network 'signet', not 'regtest'")
    assert every_command(shell, role) == {"STATE"}


@pytest.mark.parametrize("key", [PUBLICATION, "scripts slot A 000000-000007"])
@pytest.mark.parametrize("bad", [b"", b"{}", b"\xff", b"[" * 50_000, None])
def test_an_entry_that_cannot_be_read(key: str, bad: bytes | None, shell: Shell) -> None:
    for role in ("operator", "watcher"):
        store = Store(shell.home / role, role, NETWORK)
        assert store.meta(key) is not None
        store.erase_meta(key)
        if bad is not None:
            store.put_meta(key, bad)
        assert every_command(shell, role) == {"STATE"}


@pytest.mark.parametrize("key", [SECRET, SEED])
def test_a_secret_that_is_not_the_slots_signs_nothing(key: str, shell: Shell) -> None:
    for bad in (b"\x2a" * 32, b"", bytes(32)):
        Store(shell.home / "operator", "operator", NETWORK).put_meta(key, bad)
        assert every_command(shell, "operator") == {"STATE"}


def test_published_keys_that_are_missing_or_damaged(shell: Shell) -> None:
    path = shell.home / "published" / "keys.db"
    good = path.read_bytes()
    for bad in halves(good):
        path.write_bytes(bad)
        assert every_command(shell, "operator") == {"STATE"}
    path.unlink()
    assert every_command(shell, "watcher") == {"STATE"}
    assert not path.exists()
    path.write_bytes(good)
    assert shell.done("kickoff", "operator") == ["kickoff"]


@pytest.mark.parametrize("at", [0, 100, 4_096, 20_000])
def test_a_full_disk_is_told_and_loses_nothing(at: int, shell: Shell) -> None:
    with full_disk(at):
        for role, commands in COMMANDS.items():
            error = shell.refused(commands[0], role, *arguments(shell, commands[0]))
            assert (error["kind"], "is the disk full" in error["message"]) == ("ChainError", True), error
    assert shell.done("kickoff", "operator") == ["kickoff"]


def test_a_store_on_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has undone the transaction by itself then: undoing it again must not hide why."""
    store = Store(tmp_path, "watcher", NETWORK)
    store.put_meta("kept", b"1")
    connect = sqlite3.connect

    def connect_full(*args: Any, **options: Any) -> sqlite3.Connection:
        db = connect(*args, **options)
        db.execute("PRAGMA max_page_count = 20")
        return db

    with monkeypatch.context() as context:
        context.setattr(sqlite3, "connect", connect_full)
        with pytest.raises(BridgeError, match="full: is the disk full") as error:
            store.put_metas({f"{number}": bytes(4_000) for number in range(100)})
    assert error.value.reason is BridgeReason.STATE
    assert (store.meta("kept"), store.meta("0")) == (b"1", None)


def test_no_node(shell: Shell) -> None:
    shutil.move(shell.home / "node", shell.home / "elsewhere")
    (shell.home / "node").mkdir()
    for role in COMMANDS:
        assert every_command(shell, role) == {"STATE"}
    assert not list((shell.home / "node").iterdir())
    assert "error" not in shell("status", "watcher", "--node", shell.home / "elsewhere")


def test_purses_without_funds(shell: Shell) -> None:
    def drained(role: str, key: str) -> None:
        Store(shell.home / role, role, NETWORK).put_meta(key, b"\x2a" * 32)

    drained("operator", PURSE)
    pay = ["--withdrawal", 1, "--script", "51", "--sats", 1_000]
    error = shell.refused("payout", "operator", *pay)
    assert error["kind"] == "InsufficientFunds"
    assert "satoshis needed, 0 available" in error["message"]
    shell.done("kickoff", "operator")
    funded_purse = Store(shell.home / "watcher", "watcher", NETWORK).meta(SECRET)
    assert funded_purse is not None
    drained("watcher", SECRET)
    assert shell.refused("challenge", "watcher")["kind"] == "InsufficientFunds"
    Store(shell.home / "watcher", "watcher", NETWORK).put_meta(SECRET, funded_purse)
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")
    drained("watcher", SECRET)
    assert shell.refused("open", "watcher", 2)["kind"] == "InsufficientFunds"
    Store(shell.home / "watcher", "watcher", NETWORK).put_meta(SECRET, funded_purse)
    assert shell.done("open", "watcher", 2) == ["open/2"]


@pytest.mark.parametrize("command", ["kickoff", "assert"])
def test_a_flipped_bit_anywhere_is_refused_or_does_no_harm(command: str, shell: Shell) -> None:
    """What is sent is what would have been sent, or nothing with a typed error: a flipped wire would convict."""
    if command == "assert":
        shell.done("kickoff", "operator")
        shell.done("challenge", "watcher")
    path, node, kept = database(shell, "operator"), shell.home / "node", shell.home.parent / "kept"
    good, rng = path.read_bytes(), random.Random(1)
    shutil.copytree(node, kept)
    calm = shell.works(command, "operator")
    sent = waiting(shell)
    wires = [found.start() for found in re.finditer(b"query . digest|claim", good)]  # where keys of wires are
    places = [*(at + rng.randrange(8, 60) for at in wires), *(rng.randrange(len(good)) for _ in range(30))]
    refused = 0
    for at in places:
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :])
        shutil.rmtree(node)
        shutil.copytree(kept, node)
        out = shell(command, "operator")
        refused += "error" in out
        if "error" in out:
            assert out["error"]["kind"] == "BridgeError"
            assert waiting(shell) != sent
        else:
            assert (out, waiting(shell)) == (calm, sent)
    assert refused >= len(wires) // 2


def waiting(shell: Shell) -> bytes:
    """The node's mempool, witnesses included."""
    return (shell.home / "node" / "mempool.dat").read_bytes()
