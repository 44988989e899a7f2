"""Peg-outs by commands over a verifier's tree and STARK proofs: a small system whose first public value is its state.

Shape "small" names that system here instead of the rollup's, whose slot takes minutes; all else is what a person runs.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from circuits.statement import shape
from prover.params import PRESETS
from prover.proof import MAGIC, VERSION, Proof, header_bytes
from prover.prove import prove
from tests import small_system
from tests.bridge.chunks import tree
from tests.bridge.shell import Shell
from tests.bridge.test_search import another_true_proof
from tests.proofs import decoded, public_values, small_key, small_proof
from verifier import pipeline
from verifier.bridge.game import claims
from verifier.bridge.game.search import Search

pytestmark = pytest.mark.slow
USER = "5120" + "11" * 32


@pytest.fixture(scope="module", autouse=True)
def small_shape() -> Iterator[None]:
    """The registry of keys and files has the small system under the name of a shape of the rollup."""
    key, known = small_key().verifying_key, pipeline.identify
    header = header_bytes(key.layout)

    def identify(data: bytes) -> pipeline.ProofFile:
        of_small = data[: len(header)] == header
        return pipeline.ProofFile(data, "standard", "small") if of_small else known(data)

    check = pipeline.verify_proof
    with pytest.MonkeyPatch.context() as patch:
        for module in ("verifier.pipeline", "verifier.bridge.setup.tree_name"):
            patch.setattr(f"{module}.verifying_key", lambda preset, name: key)
        patch.setattr("verifier.pipeline.system", lambda: small_system.SYSTEM)
        patch.setattr("verifier.bridge.game.claims.identify", identify)
        patch.setattr("verifier.bridge.game.claims.verify_proof", lambda file: check(file, 0.0))
        patch.setattr("verifier.cli.bridge_setup.DIGEST_WORDS", 1)
        yield


def slot(home: Path, *more: object) -> Shell:
    made = Shell(home)
    made.works("setup", ".", "--shape", "small", "--processes", 2, *more)
    made.done("pegin", "user")
    made.done("pegin", "user")
    other, public = small_system.make_tables(shift=1)
    words = decoded().words
    words[-1] ^= 1
    files = {
        "true": small_proof(),
        "other": prove(small_key(), other, public).encode(),
        "false": Proof(small_key().verifying_key.layout, tuple(public_values()), words).encode(),
        "another": another_true_proof().encode(),
        "false head": false_in_the_head().encode(),
    }
    for name, data in files.items():
        (home / f"{name}.proof").write_bytes(data)
    return made


def false_in_the_head() -> Proof:
    """A value opened at zeta is another; all that follows is honest about the words that are there."""
    layout = small_key().verifying_key.layout
    words = another_true_proof().words[:]
    words[layout.head_words // 2] ^= 1
    return Proof(layout, tuple(public_values()), words)


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A slot that knows the state from which a statement must start."""
    root = public_values()[0].to_bytes(4, "little").hex()
    return slot(tmp_path_factory.mktemp("bound") / "bridge", "--root-before", root)


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A slot that knows nothing."""
    return slot(tmp_path_factory.mktemp("free") / "bridge")


def claimed(shell: Shell, name: str, *more: object) -> Path:
    """A proof is announced and kicked off; what was announced."""
    path = shell.home / f"{name}.announced"
    shell.works("announce", "operator", path, "--proof", shell.home / f"{name}.proof", *more)
    shell.done("kickoff", "operator")
    return path


def convict(shell: Shell) -> list[str]:
    """Challenge, assertion, whatever the watcher's directory leads to, disproof; the nodes on the way."""
    assert shell("status", "watcher")["due"] == ["challenge"]
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")
    opened: list[str] = []
    while not (due := shell("status", "watcher")["due"]) or not due[0].startswith("disprove"):
        opened += shell.done("open", "watcher")
        shell.done("reveal", "operator")
        assert len(opened) < 6
    shell.done("disprove", "watcher")
    assert shell("status", "watcher")["penalised"]
    return opened


def test_a_true_proof_from_the_known_state_is_believed_and_cannot_be_convicted(
    bound: Shell, tmp_path: Path
) -> None:
    shell = bound.copy(tmp_path / "bridge")
    proof = shell.home / "true.proof"
    pay = ["--withdrawal", 3, "--script", USER, "--sats", 100_000, "--proof", proof]
    shell.works("payout", "operator", *pay)
    announced = claimed(shell, "true")
    assert shell("status", "watcher")["due"] == ["challenge"]
    heard = shell.works("hear", "watcher", announced, "--proof", proof)
    assert (heard["proof_holds"], heard["known_state"]) == (True, True)
    status = shell("status", "watcher")
    assert status["due"] == []
    assert status["announced"][0]["payouts"]["3"].startswith("in block")
    shell.done("challenge", "watcher")  # somebody insists
    shell.done("assert", "operator")
    assert shell.refusal("open", "watcher") == "NO_FAULT"
    assert shell("disprove", "watcher")["error"]["reason"] == "NO_FAULT"


def test_a_statement_that_starts_from_an_unknown_state_is_convicted(bound: Shell, tmp_path: Path) -> None:
    """Its proof is true and the watcher has none: the announced statement alone leads to the leaf."""
    shell = bound.copy(tmp_path / "bridge")
    other = shell.home / "other.proof"
    assert shell.refusal("kickoff", "operator", "--proof", other) == "PROOF"
    announced = claimed(shell, "other", "--unchecked")
    assert shell.refusal("expect", "watcher", "--proof", other) == "PROOF"
    heard = shell.works("hear", "watcher", announced)
    assert (heard["proof_holds"], heard["known_state"]) == (None, False)
    assert convict(shell)


def test_an_unknown_state_that_nobody_announced_is_convicted(bound: Shell, tmp_path: Path) -> None:
    shell = bound.copy(tmp_path / "bridge")
    shell.done("kickoff", "operator", "--unchecked", "--proof", shell.home / "other.proof")
    assert convict(shell)


def test_announced_one_statement_asserted_another(free: Shell, tmp_path: Path) -> None:
    """Both proofs are true, and set-up knows no state: only the two signatures convict."""
    shell = free.copy(tmp_path / "bridge")
    before = (shell.home / "operator" / "role.db").read_bytes()
    announced = shell.home / "announced"
    shell.works("announce", "operator", announced, "--proof", shell.home / "true.proof")
    (shell.home / "operator" / "role.db").write_bytes(before)
    shell.works("hear", "watcher", announced)
    shell.done("kickoff", "operator", "--proof", shell.home / "other.proof")
    assert convict(shell)


def test_another_true_statement_is_challenged_but_not_convicted(free: Shell, tmp_path: Path) -> None:
    shell = free.copy(tmp_path / "bridge")
    shell.works("expect", "watcher", "--proof", shell.home / "true.proof")
    announced = claimed(shell, "other")
    assert shell.works("hear", "watcher", announced, "--proof", shell.home / "other.proof")["proof_holds"]
    assert shell("status", "watcher")["due"] == ["challenge"]
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")
    assert shell.refusal("open", "watcher") == "NO_FAULT"


def test_a_false_proof_is_bisected_from_the_directory(bound: Shell, tmp_path: Path) -> None:
    shell = bound.copy(tmp_path / "bridge")
    proof = shell.home / "false.proof"
    assert shell.refusal("kickoff", "operator", "--proof", proof) == "PROOF"
    announced = claimed(shell, "false", "--unchecked")
    assert shell.works("hear", "watcher", announced, "--proof", proof)["proof_holds"] is False
    assert len(convict(shell)) >= 2


def test_a_proof_of_another_shape_or_cut_short_is_refused(bound: Shell, tmp_path: Path) -> None:
    shell = bound.copy(tmp_path / "bridge")
    header = MAGIC + VERSION.to_bytes(4, "little") + PRESETS["standard"].encode() + shape("standard").id
    good = (shell.home / "true.proof").read_bytes()
    announced = shell.home / "announced"
    shell.copy(tmp_path / "copy").works(
        "announce", "operator", announced, "--proof", shell.home / "true.proof"
    )
    bad = shell.home / "bad.proof"
    for data in (header + bytes(1_000), good[:-4], b""):
        bad.write_bytes(data)
        for command in (["kickoff", "operator"], ["hear", "watcher", announced]):
            assert shell.refusal(*command, "--proof", bad) == "PROOF"
    bad.write_bytes(header + bytes(1_000))
    message = shell.refused("kickoff", "operator", "--proof", bad)["message"]
    assert message.endswith(
        "it is of preset standard, shape standard; this slot takes preset standard, shape small"
    )
    assert claims.identify(bad.read_bytes()).shape == "standard"
    assert shell.done("kickoff", "operator", "--proof", shell.home / "true.proof") == ["kickoff"]


def searched(shell: Shell) -> tuple[list[str], bool]:
    """Challenge, assertion, and whatever the watcher's directory leads to; the openings, and whether it convicted."""
    shell.done("challenge", "watcher")
    shell.done("assert", "operator")
    opened: list[str] = []
    while True:
        due = shell("status", "watcher")["due"]
        if any(name.startswith("disprove") for name in due):
            shell.done("disprove", "watcher")
            return opened, shell("status", "watcher")["penalised"]
        if not due:
            return opened, False
        opened += shell.done("open", "watcher")
        if any(
            name.startswith("reveal") for name in shell("status", "operator", "--role", "operator")["due"]
        ):
            shell.done("reveal", "operator")


@pytest.mark.parametrize("asserted", ["another", "false head"])
def test_another_proof_than_the_one_that_was_heard(bound: Shell, tmp_path: Path, asserted: str) -> None:
    """What is false is convicted, without its data; what is true is paid for, within the budget, and taken."""
    shell = bound.copy(tmp_path / "bridge")
    announced = claimed(shell, asserted, "--unchecked")
    heard = shell.works("hear", "watcher", announced, "--proof", shell.home / "false.proof")
    assert heard["proof_holds"] is False
    opened, convicted = searched(shell)
    assert convicted == (asserted == "false head")
    assert len(opened) == len(set(opened)) <= Search(tree(), bytes(32)).openings
    if not convicted:
        assert len(opened) >= len(Search(tree(), bytes(32)).nodes)
        shell("mine", "node", 300)
        shell.done("close", "operator")
        shell("mine", "node", 6_000)
        assert shell.done("take", "operator") == ["take2/vault 0"]
