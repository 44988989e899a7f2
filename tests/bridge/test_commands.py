"""The bridge's commands: each starts from a role's directory alone, so every story is one of restarts."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.bridge.shell import Shell, funded
from verifier.bitcoin.transaction import TxOut
from verifier.bridge.game.store import Store
from verifier.bridge.setup.files import PURSE, SECRET
from verifier.bridge.simulate.setup import NETWORK
from verifier.chain.node import EmbeddedNode
from verifier.chain.rivals import Rival
from verifier.chain.wallet import Wallet, key_script
from verifier.cli.main import cli


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
    assert shell("status", "operator")["taken"] == ["vault 0"]


def test_a_status_is_of_whoever_has_the_directory(shell: Shell) -> None:
    assert [shell("status", role)["role"] for role in ("user", "operator", "watcher")] == [
        *("user", "operator", "watcher"),
    ]
    assert shell("status", "user")["due"] == ["deposit 1"]
    assert shell.works("pegin", "user", "--number", 1) == {"sent": "deposit"}
    assert shell("status", "user")["due"] == []
    shell("mine", "node", 1)
    assert shell("status", "user")["due"] == ["pegin 1"]
    shell.works("pegin", "user", "--number", 1)
    assert shell("status", "user")["due"] == []
    for role in ("node", "committee", "."):
        assert shell.refusal("status", role) == "STATE"
    assert shell.refusal("status", "user", "--role", "watcher") == "STATE"


def test_the_vault_that_is_asked_for_is_taken(shell: Shell) -> None:
    assert [shell.done("pegin", "user", "--number", 1) for _ in range(2)] == [["deposit"], ["pegin"]]
    shell.done("kickoff", "operator", "--proof", shell.sample())
    shell("mine", "node", 431)
    for number in (2, -1):
        assert shell.refusal("take", "operator", "--vault", number) == "UNKNOWN"
    assert shell.done("take", "operator", "--vault", 1) == ["take1/vault 1"]
    assert shell("status", "operator", "--role", "operator")["taken"] == ["vault 1"]


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
    assert len(shell.works("timeout", "watcher", "--fee-rate", 9)["sent"]) == 1
    assert rates(shell) == [9]
    shell("mine", "node", 1)
    assert shell("status", "watcher")["penalised"]


def rates(shell: Shell) -> list[int]:
    """Satoshis a vbyte of what waits, with its children."""
    with EmbeddedNode(shell.home / "node") as node:
        return [int(Rival.of(node, tx).rate) for tx in node.mempool()]


def test_what_is_sent_pays_the_rate_that_is_asked_for(shell: Shell) -> None:
    """A watcher's transactions by themselves, an operator's with a child: their own fees are set-up's."""

    def sends(command: str, role: str, *more: object) -> list[str]:
        sent = shell.works(command, role, *more)["sent"]
        found = rates(shell)
        assert found and set(found) == {30}, (command, found)
        shell("mine", "node", 1)
        return [each["name"] for each in sent]

    rate = ("--fee-rate", 30)
    proof = shell.sample("false")
    money = ("--withdrawal", 1, "--script", "5120" + "11" * 32, "--sats", 50_000)
    shell.works("payout", "operator", *money, "--unchecked", "--proof", proof, *rate)
    assert rates(shell) == [30]
    shell("mine", "node", 1)
    assert sends("kickoff", "operator", *rate) == ["kickoff", "bump kickoff"]
    assert sends("challenge", "watcher", *rate) == ["challenge"]
    assert sends("assert", "operator", *rate) == ["assert", "bump assert"]
    assert sends("open", "watcher", 2, *rate) == ["open/2"]
    assert sends("reveal", "operator", *rate) == ["reveal/2", "bump reveal/2"]
    for node in (4, 6):
        assert shell.done("open", "watcher", node) == [f"open/{node}"]
        assert shell.done("reveal", "operator") == [f"reveal/{node}"], "no child at the default"
    assert sends("disprove", "watcher", *rate) == ["disprove/6"]


def test_closes_and_takes_pay_the_rate_that_is_asked_for(shell: Shell) -> None:
    shell.done("kickoff", "operator", "--proof", shell.sample())
    other = shell.copy(shell.home.parent / "other")
    shell("mine", "node", 431)
    assert len(shell.works("take", "operator", "--fee-rate", 7)["sent"]) == 2
    assert rates(shell) == [7, 7]
    other.done("challenge", "watcher")
    other.done("assert", "operator")
    other("mine", "node", 287)
    sent = other.works("close", "operator", "--fee-rate", 7)["sent"]
    assert [each["name"] for each in sent] == ["close/1", "bump close/1", "close/2", "bump close/2"]
    assert rates(other) == [7] * 4


@pytest.mark.parametrize("rate", ["0", "-1", "10001", "1.5", "many", ""])
@pytest.mark.parametrize("command", ["kickoff", "payout", "challenge", "open", "assert", "take", "timeout"])
def test_a_fee_rate_that_can_only_be_a_mistake_is_refused(shell: Shell, command: str, rate: str) -> None:
    role = "watcher" if command in ("challenge", "open", "timeout") else "operator"
    arguments = ["bridge", command, str(shell.home / role), "--fee-rate", rate]
    outcome = CliRunner().invoke(cli, arguments)
    assert outcome.exit_code == 2
    assert "--fee-rate" in outcome.output


@pytest.mark.parametrize("script", ["", "6a", "6a0411223344", "zz", "5"])
def test_nobody_is_paid_who_could_not_spend_it(shell: Shell, script: str) -> None:
    """It would be the withdrawal's one payout for ever."""
    proof = str(shell.sample())
    arguments = ["bridge", "payout", str(shell.home / "operator"), "--withdrawal", "1", "--sats", "1000"]
    outcome = CliRunner().invoke(cli, [*arguments, "--script", script, "--proof", proof])
    assert outcome.exit_code == 2
    assert "--script" in outcome.output
    assert rates(shell) == []


PAUPER = b"\x2a" * 32


def purse(shell: Shell, sats: int) -> None:
    """A coin for the pauper's purse, in a block without anything else."""
    secret = Store(shell.home / "watcher", "watcher", NETWORK).meta(SECRET)
    assert secret is not None
    with EmbeddedNode(shell.home / "node") as node:
        node.mine_these([Wallet(secret, node).pay([TxOut(sats, key_script(PAUPER))], 1000)])


def test_a_move_whose_child_the_purse_cannot_pay_is_sent_and_the_child_follows(shell: Shell) -> None:
    """How much is missing is said, and so much is enough; before the first coin, and between two."""
    shell.done("kickoff", "operator", "--proof", shell.sample())
    shell.done("challenge", "watcher")
    Store(shell.home / "operator", "operator", NETWORK).put_meta(PURSE, PAUPER)
    for have in (0, 10_000):
        if have:
            purse(shell, have)
        out = shell.works("assert", "operator", "--fee-rate", 30)
        assert [each["name"] for each in out["sent"]] == ["assert"]
        (waiting,) = out["waiting"]
        assert waiting["name"] == "bump assert" and waiting["missing_sats"] > 100_000
        assert "insufficient fee funds" in waiting["reason"]
        assert len(rates(shell)) == 1, "at its own fee it may be mined"
    purse(shell, waiting["missing_sats"] - 1)
    (still,) = shell.works("assert", "operator", "--fee-rate", 30)["waiting"]
    assert still["missing_sats"] > 0
    purse(shell, still["missing_sats"])
    out = shell.works("assert", "operator", "--fee-rate", 30)
    assert [each["name"] for each in out["sent"]] == ["assert", "bump assert"]
    assert "waiting" not in out
    assert set(rates(shell)) == {30}


def test_a_person_reads_what_a_child_waits_for(shell: Shell) -> None:
    shell.done("kickoff", "operator", "--proof", shell.sample())
    shell.done("challenge", "watcher")
    Store(shell.home / "operator", "operator", NETWORK).put_meta(PURSE, PAUPER)
    outcome = CliRunner().invoke(cli, ["bridge", "assert", str(shell.home / "operator"), "--fee-rate", "30"])
    assert outcome.exit_code == 0
    assert re.search(r"bump assert waits: [\d,]+ sat are missing in the purse", outcome.output)


def test_openings_that_the_purse_cannot_pay_wait_for_the_next_coin(shell: Shell) -> None:
    """Nobody published the proof: two nodes at once, and a coin for one of them."""
    announced = shell.home / "announced"
    shell.works("announce", "operator", announced, "--proof", shell.sample())
    shell.works("hear", "watcher", announced)
    shell.done("kickoff", "operator")
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")
    purse(shell, 50_000)
    Store(shell.home / "watcher", "watcher", NETWORK).put_meta(SECRET, PAUPER)
    out = shell.works("open", "watcher")
    assert [each["name"] for each in out["sent"]] == ["open/1"]
    assert [each["name"] for each in out["waiting"]] == ["open/2"]
    assert shell("open", "watcher")["error"]["kind"] == "InsufficientFunds"
