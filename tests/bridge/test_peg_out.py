"""A peg-out by commands alone: payout, announcement and proof go from directory to directory, and decide the game."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bridge.shell import Shell, funded
from verifier.bridge.game.announcement import MAX_BYTES, Announcement
from verifier.bridge.game.claims import ToyClaims
from verifier.bridge.game.peg_out import guide_of, hear, inform
from verifier.bridge.game.plans import Plan, within_reach
from verifier.bridge.game.view import SlotView
from verifier.bridge.setup.files import open_watcher
from verifier.bridge.simulate.setup import NETWORK
from verifier.bridge.toy import ToyTree
from verifier.chain.node import EmbeddedNode

USER = "5120" + "11" * 32


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return funded(tmp_path_factory.mktemp("rehearsal") / "bridge")


@pytest.fixture
def shell(ready: Shell, tmp_path: Path) -> Shell:
    return ready.copy(tmp_path / "bridge")


@pytest.fixture
def announcement(shell: Shell) -> Path:
    """Of the honest proof."""
    path = shell.home / "announcement"
    shell.works("announce", "operator", path, "--proof", shell.sample())
    return path


def pays(shell: Shell, *more: object, withdrawal: int = 3, sats: int = 100_000) -> list[str]:
    return ["--withdrawal", withdrawal, "--script", USER, "--sats", sats, *more]


# Whole games


def test_what_is_paid_announced_and_proven_is_not_challenged(shell: Shell) -> None:
    proof, announcement = shell.sample(), shell.home / "announcement"
    shell.works("payout", "operator", *pays(shell, "--proof", proof))
    shell("mine", "node", 1)
    assert shell.works("announce", "operator", announcement)["payouts"] == [3]
    assert shell.done("kickoff", "operator") == ["kickoff"]
    assert shell("status", "watcher")["due"] == ["challenge"]
    heard = shell.works("hear", "watcher", announcement, "--proof", proof)
    assert (heard["proof_holds"], heard["known_state"]) == (True, True)
    status = shell("status", "watcher")
    assert status["due"] == []
    (said,) = status["announced"]
    assert said["expected"] and said["known_state"]
    assert said["payouts"]["3"].startswith("in block ")
    shell("mine", "node", 431)
    assert shell.done("take", "operator") == ["take1/vault 0"]


def test_a_false_proof_is_convicted_by_what_was_heard(shell: Shell) -> None:
    """Nobody names a node: the proof leads there, command by command."""
    proof, announcement = shell.sample("false"), shell.home / "announcement"
    assert shell.refusal("announce", "operator", announcement, "--proof", proof) == "PROOF"
    shell.works("announce", "operator", announcement, "--proof", proof, "--unchecked")
    shell.done("kickoff", "operator")
    assert shell.works("hear", "watcher", announcement, "--proof", proof)["proof_holds"] is False
    assert shell("status", "watcher")["due"] == ["challenge"]
    assert shell.done("challenge", "watcher") == ["challenge"]
    assert shell.done("assert", "operator") == ["assert"]
    for node in (2, 4, 6):
        assert shell.done("open", "watcher") == [f"open/{node}"]
        assert shell.done("reveal", "operator") == [f"reveal/{node}"]
    assert shell.done("disprove", "watcher") == ["disprove/6"]
    assert shell("status", "watcher")["penalised"]


def test_announced_one_asserted_another(shell: Shell, announcement: Path, tmp_path: Path) -> None:
    """The operator's directory as it was before the announcement asserts a true proof of other digests."""
    other = shell.sample("other")
    assert shell.refusal("kickoff", "operator", "--proof", other) == "EQUIVOCATION"
    shell.works("hear", "watcher", announcement)
    assert shell("status", "watcher")["due"] == []  # no kickoff yet
    (shell.home / "operator" / "role.db").write_bytes(before_announcing(shell))
    shell.done("kickoff", "operator", "--proof", other)
    assert shell("status", "watcher")["due"] == ["challenge"]  # nothing shows it true
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")
    assert shell("status", "watcher")["due"] == ["disprove/0"]
    assert shell.done("disprove", "watcher") == ["disprove/0"]
    assert shell("status", "watcher")["penalised"]


def before_announcing(shell: Shell) -> bytes:
    return (shell.home / "before.db").read_bytes()


@pytest.fixture(autouse=True)
def keep_the_operator_as_it_was(shell: Shell) -> None:
    (shell.home / "before.db").write_bytes((shell.home / "operator" / "role.db").read_bytes())


@dataclass(frozen=True)
class Comparing(ToyClaims):
    """As over the verifier's tree: another proof of the statement than the asserted one differs everywhere."""

    def plan(self, proof: bytes | None, lot: bytes) -> Plan:
        nodes = self.tree.nodes
        return lambda revealed, committed: (within_reach(nodes, range(1, len(nodes)), revealed), [])


def test_nothing_is_opened_of_a_statement_that_is_known_to_be_true(shell: Shell, announcement: Path) -> None:
    """The operator may challenge itself, and assert another true proof than it announced."""
    shell.done("kickoff", "operator")
    shell.works("hear", "watcher", announcement)
    assert shell.done("challenge", "watcher") == ["challenge"]
    shell.done("assert", "operator")
    with EmbeddedNode(shell.home / "node") as node:
        watcher = open_watcher(shell.home / "watcher", NETWORK, node)
        view, claims = SlotView(node, watcher.moves.graph), Comparing(ToyTree(2))
        said = Announcement.decode(announcement.read_bytes())
        proof = shell.sample().read_bytes()
        assert hear(watcher, claims, said, proof)
        children = list(view.graph.nodes[0].children)
        informed = guide_of(watcher, claims, bytes(32))
        assert list(informed(view, 0)) == children, "it knows no more than what it heard"
        inform(watcher, claims, bytes(32))
        assert watcher.claim is not None and list(watcher.guide(view, 0)) == []
        assert watcher.due(node) == []


def insisted(shell: Shell) -> None:
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")


def opened_until_nothing_is_due(shell: Shell) -> list[str]:
    """Whatever the watcher's directory leads to, and the operator's answers."""
    opened: list[str] = []
    while not any(name.startswith("disprove/") for name in shell("status", "watcher")["due"]):
        out = shell("open", "watcher")
        if "error" in out:
            assert out["error"]["reason"] == "NO_FAULT"
            return opened
        opened += [each["name"] for each in out["sent"]]
        shell("mine", "node", 1)
        shell.done("reveal", "operator")
    shell.done("disprove", "watcher")
    return opened


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("case", ["honest", "false", "withheld"])
def test_a_proof_that_nobody_published_is_opened_by_lot(shell: Shell, case: str, heard: bool) -> None:
    """Its statement at most was announced: what is false is convicted, what is true is paid for and stands."""
    proof, announced = shell.sample(case), shell.home / "announced"
    shell.works("announce", "operator", announced, "--proof", proof, "--unchecked")
    if heard:
        shell.works("hear", "watcher", announced)
    shell.done("kickoff", "operator")
    insisted(shell)
    opened = opened_until_nothing_is_due(shell)
    assert shell("status", "watcher")["penalised"] == (case != "honest")
    assert len(set(opened)) == len(opened) <= 6
    if case == "honest":
        assert len(opened) == 6, "every query of the small tree is drawn"


def test_what_is_not_what_the_watcher_expects_is_challenged(shell: Shell, announcement: Path) -> None:
    shell.works("expect", "watcher", "--proof", shell.sample("other"))
    assert shell.works("hear", "watcher", announcement, "--proof", shell.sample())["proof_holds"]
    shell.done("kickoff", "operator")
    status = shell("status", "watcher")
    assert status["due"] == ["challenge"]
    assert [each["expected"] for each in status["announced"]] == [False]


def test_a_second_announcement_is_evidence_and_is_challenged(
    shell: Shell, announcement: Path, tmp_path: Path
) -> None:
    second = shell.copy(tmp_path / "second")
    (second.home / "operator" / "role.db").write_bytes(before_announcing(shell))
    second.works("announce", "operator", tmp_path / "other", "--proof", second.sample("other"))
    shell.works("hear", "watcher", announcement, "--proof", shell.sample())
    shell.works("hear", "watcher", tmp_path / "other", "--proof", second.sample("other"))
    shell.done("kickoff", "operator")
    status = shell("status", "watcher")
    assert status["due"] == ["challenge"]
    assert sorted(each["expected"] for each in status["announced"]) == [False, True]
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")
    assert shell.done("disprove", "watcher") == ["disprove/0"]


# The payout


def test_a_withdrawal_is_paid_once(shell: Shell) -> None:
    assert shell.refusal("payout", "operator", *pays(shell)) == "ORDER"
    first = shell.works("payout", "operator", *pays(shell, "--proof", shell.sample()))
    for _ in range(2):
        assert shell.works("payout", "operator", *pays(shell)) == first
        shell("mine", "node", 1)
    assert shell.refusal("payout", "operator", *pays(shell, sats=100_001)) == "EQUIVOCATION"
    assert shell.works("payout", "operator", *pays(shell, withdrawal=4))["txid"] != first["txid"]
    shell("mine", "node", 1)
    assert shell.done("kickoff", "operator") == ["kickoff"]  # the slot's outpoint is no coin of the purse


def test_a_payout_that_the_chain_refuses_is_not_the_last_word(shell: Shell) -> None:
    proof = shell.sample()
    shell.works("announce", "operator", shell.home / "announcement", "--proof", proof)
    nowhere = ["--withdrawal", 3, "--script", "51" * 99, "--sats", 100_000]
    assert shell("payout", "operator", *nowhere)["error"]["kind"] == "Refused"
    assert shell.works("payout", "operator", *pays(shell))["withdrawal"] == 3


def test_a_payout_for_another_claim_is_told_apart(shell: Shell, announcement: Path) -> None:
    paid = shell.works("payout", "operator", *pays(shell))
    unpaid = {"withdrawal": 4, "txid": "ab" * 32}
    said = json.loads(announcement.read_text())
    payouts = [{"withdrawal": 5, "txid": bytes.fromhex(paid["txid"])[::-1].hex()}, unpaid]
    announcement.write_text(json.dumps({**said, "payouts": payouts}))
    shell.works("hear", "watcher", announcement)
    (heard,) = shell("status", "watcher")["announced"]
    assert heard["payouts"] == {"5": "does not name this withdrawal, claim and slot", "4": "unknown"}


# What is malformed, or of something else: a typed error, and no directory changes


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("slot", "slot B", "MESSAGE"),
        ("slot", 7, "MESSAGE"),
        ("format", "pegproof announcement 2", "MESSAGE"),
        ("statement", [1, 2, 3], "MESSAGE"),
        ("statement", [256] * 64, "MESSAGE"),
        ("statement", [True] * 64, "MESSAGE"),
        ("statement", ["1"] * 64, "MESSAGE"),
        ("statement", [7] * 64, "SIGNATURE"),
        ("signature", "zz", "MESSAGE"),
        ("signature", "fd", "MESSAGE"),
        ("signature", "00", "SIGNATURE"),
        ("payouts", [{"withdrawal": -1, "txid": "00" * 32}], "MESSAGE"),
        ("payouts", [{"withdrawal": 1, "txid": "00"}], "MESSAGE"),
        ("payouts", [{"withdrawal": 1}], "MESSAGE"),
        ("payouts", {}, "MESSAGE"),
    ],
)
def test_an_announcement_with_one_thing_changed(
    name: str, value: object, reason: str, shell: Shell, announcement: Path
) -> None:
    said = json.loads(announcement.read_text())
    announcement.write_text(json.dumps({**said, name: value}))
    assert shell.refusal("hear", "watcher", announcement) == reason
    announcement.write_text(json.dumps({key: each for key, each in said.items() if key != name}))
    assert shell.refusal("hear", "watcher", announcement) == "MESSAGE"
    announcement.write_text(json.dumps(said))
    shell.works("hear", "watcher", announcement)


def test_a_file_that_is_no_announcement(shell: Shell, announcement: Path) -> None:
    good = announcement.read_bytes()
    broken = (
        good[:-1],
        good + b"x",
        b"",
        b"[]",
        b"null",
        b"\xff" * 9,
        b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
    )
    for data in broken:
        announcement.write_bytes(data)
        assert shell.refusal("hear", "watcher", announcement) == "MESSAGE"
    assert shell.refused("hear", "watcher", shell.home / "missing")["kind"] == "FileNotFoundError"


def test_an_announcement_signed_for_another_slot(shell: Shell, announcement: Path) -> None:
    """The signature of slot B's one-time key, which says slot A."""
    from tests.bridge.slot import SEED
    from verifier.bitcoin.transaction import serialize_stack
    from verifier.bridge.game.moves import wire_label
    from verifier.bridge.toy import ToyTree, claim_of_digests
    from verifier.script.winternitz import sign

    said = json.loads(announcement.read_text())
    claim = claim_of_digests(ToyTree(2), bytes(said["statement"]))
    said["signature"] = serialize_stack(sign(SEED, wire_label("slot B", "claim"), claim)).hex()
    announcement.write_text(json.dumps(said))
    assert shell.refusal("hear", "watcher", announcement) == "SIGNATURE"


def test_a_proof_of_another_tree_or_statement(shell: Shell, announcement: Path) -> None:
    larger = Shell(shell.home.parent / "larger")
    larger.works("setup", ".", "--queries", 4)
    foreign = larger.sample()
    (shell.home / "junk").write_bytes(b"junk")
    for proof in (foreign, shell.home / "junk"):
        assert shell.refusal("kickoff", "operator", "--proof", proof) == "PROOF"
        assert shell.refusal("kickoff", "operator", "--proof", proof, "--unchecked") == "PROOF"
        assert shell.refusal("hear", "watcher", announcement, "--proof", proof) == "PROOF"
        assert shell.refusal("expect", "watcher", "--proof", proof) == "PROOF"
    assert shell.refusal("hear", "watcher", announcement, "--proof", shell.sample("other")) == "PROOF"
    assert shell.refusal("expect", "watcher", "--proof", shell.sample("false")) == "PROOF"
    assert shell.refused("kickoff", "operator", "--proof", shell.home / "missing")["kind"] == "StoreError"


def test_nothing_is_signed_before_a_proof_is_durable(shell: Shell) -> None:
    assert shell.refusal("announce", "operator", shell.home / "none") == "ORDER"
    assert shell.refusal("kickoff", "operator") == "ORDER"
    assert not (shell.home / "none").exists()
