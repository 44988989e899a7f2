"""Any file that an outsider makes of a valid proof ends in a leaf that spends, or is no proof; nothing else happens."""

import json
from functools import cache
from math import log2
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from prover.field import P
from prover.params import ProofParams
from prover.proof import Proof
from prover.prove import _Prover, prove
from tests import small_system
from tests.bridge import chunks
from tests.bridge.chunks import PARAMS
from tests.bridge.mutations import READ, REFUSED, mutated
from tests.proofs import decoded, public_values, rejection, small_key, small_proof
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import MAIN
from verifier.bridge.chunks.steps import Kind
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.bisect import Bisection
from verifier.bridge.game.dispute import Court, Judgement, Outcome, disproof
from verifier.bridge.tree import depth
from verifier.chain.kernel import kernel_accepts
from verifier.cli.main import cli
from verifier.stark.reasons import RejectReason

SEED = bytes(32)
KEY = small_key(PARAMS).verifying_key


@cache
def court() -> Court:
    made = Court(KEY)
    made.tree = chunks.tree()
    return made


@cache
def other_proof() -> bytes:
    """A true proof of another statement."""
    tables, public = small_system.make_tables(shift=1)
    return prove(small_key(PARAMS), tables, public).encode()


def check_conviction(where: Court, judgement: Judgement) -> None:
    """One path was opened, its last node has the leaf, and the leaf spends on Bitcoin Core's code."""
    found, tree = judgement.conviction, where.tree
    assert judgement.outcome is Outcome.CONVICTED and found is not None
    assert found.opened[0] == 0 and found.opened[-1] == found.node.index
    assert all(tree.nodes[b].parent == a for a, b in zip(found.opened, found.opened[1:], strict=False))
    assert len(found.opened) <= depth(tree.nodes) + 1 <= log2(sum(map(len, tree.leaves)))
    assert kernel_accepts(disproof(tree, found, SEED))


@pytest.mark.parametrize("kind", READ)
def test_every_mutation_is_convicted_on_the_kernel(kind: str) -> None:
    """200 and more, of every kind."""
    rng = Random(kind)
    for _ in range(-(-200 // len(READ))):
        data = mutated(kind, small_proof(PARAMS), KEY.layout, other_proof(), rng)
        judgement = court().judge(data)
        assert judgement.refusal is not None
        check_conviction(court(), judgement)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_is_no_proof(kind: str) -> None:
    rng = Random(kind)
    for _ in range(20):
        data = mutated(kind, small_proof(PARAMS), KEY.layout, other_proof(), rng)
        judgement = court().judge(data)
        assert judgement.outcome is Outcome.NO_PROOF and judgement.conviction is None
        assert judgement.refusal is not None and judgement.refusal.reason is not RejectReason.NON_CANONICAL


def test_true_proofs_are_right() -> None:
    for data in (small_proof(PARAMS), other_proof()):
        assert court().judge(data) == Judgement(Outcome.RIGHT)


def test_a_proof_of_another_key_is_none_of_this_one() -> None:
    other = ProofParams(2, 5, 14, 12, 2)
    refused = court().judge(small_proof(other)).refusal
    assert refused is not None and refused.reason is RejectReason.PARAMETERS


def test_a_true_proof_about_another_ledger_is_convicted() -> None:
    """The verifier accepts; what set-up knows of the statement does not."""
    (first, *_) = public_values()
    assert Court(KEY, {0: first}).judge(small_proof(PARAMS)).outcome is Outcome.RIGHT
    strict = Court(KEY, {0: first + 1})
    judgement = strict.judge(small_proof(PARAMS))
    assert judgement.refusal is None
    check_conviction(strict, judgement)


class Uncanonical(_Prover):
    """Proves what is true, and writes one opened value with p added: all that follows fits."""

    column = 0

    def _send_openings(self) -> None:
        right = self.at_zeta[self.column]
        self.at_zeta[self.column] = (right[0] + P, *right[1:])
        super()._send_openings()
        self.at_zeta[self.column] = right

    def proof(self) -> Proof:
        """All nine steps."""
        for step in (
            *(self.bind_statement, self.commit_main, self.commit_interaction, self.commit_quotient),
            *(self.open_columns, self.batch, self.commit_fri, self.grind_queries),
        ):
            step()
        return Proof(self.layout, self.public_values, self.open_queries())


@pytest.mark.parametrize("column", [0, -1])
def test_an_opening_above_p_that_all_else_fits_is_convicted(column: int) -> None:
    """No step of the main program checks an opening: each node that reads it does, in its own copy."""
    tables, public = small_system.make_tables()
    prover = Uncanonical(small_key(PARAMS), tables, public, None, None, consume=False)
    prover.column = column
    data = prover.proof().encode()
    assert rejection(KEY, data, public) is RejectReason.NON_CANONICAL
    judgement = court().judge(data)
    check_conviction(court(), judgement)
    assert judgement.conviction is not None
    leaf = court().tree.leaves[judgement.conviction.node.index][judgement.conviction.number]
    assert Kind.CANONICAL in {step.kind for step in leaf.chunk.steps}


def test_who_reads_a_query_is_asked_for_it_only() -> None:
    """A fault in the main program is found before any query is run."""
    words = decoded(PARAMS).words
    words[0] ^= 1
    replay = Replay(chunks.tree(), words, public_values())
    assert Bisection(chunks.tree(), replay).convict() is not None
    assert not replay._queries
    assert {query for query, _ in replay.faults} == {MAIN, *range(len(replay.lowered.items))}


@pytest.mark.parametrize(
    ("words", "public"),
    [
        (decoded(PARAMS).words[:-1], public_values()),
        ([*decoded(PARAMS).words, 0], public_values()),
        ([], public_values()),
        (decoded(PARAMS).words, public_values()[:-1]),
        ([-1, *decoded(PARAMS).words[1:]], public_values()),
        ([1 << 32, *decoded(PARAMS).words[1:]], public_values()),
        (["a", *decoded(PARAMS).words[1:]], public_values()),
    ],
)
def test_what_is_not_the_words_of_a_proof_is_refused(words: list[int], public: list[int]) -> None:
    with pytest.raises(BridgeError) as caught:
        Replay(chunks.tree(), words, public)
    assert caught.value.reason is BridgeReason.WORDS


def test_a_query_is_changed_within_the_length_of_the_proof() -> None:
    with pytest.raises(BridgeError) as caught:
        chunks.replay().changed(decoded(PARAMS).words[:-1], 0)
    assert caught.value.reason is BridgeReason.WORDS


def run(*arguments: object) -> tuple[int, dict[str, object]]:
    outcome = CliRunner().invoke(cli, ["bridge", "dispute", *map(str, arguments), "--json"])
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome.exit_code, json.loads(outcome.output)


@pytest.mark.parametrize("data", [b"", b"PEGP", bytes(100), b"PEGP\3\0\0\0" + bytes(52)])
@pytest.mark.parametrize("shape", [(), ("--shape", "standard")])
def test_the_command_says_what_is_no_proof(tmp_path: Path, data: bytes, shape: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    code, said = run(file, *shape)
    assert (code, said["outcome"]) == (1, "no proof")
    text = CliRunner().invoke(cli, ["bridge", "dispute", str(file)])
    assert text.exit_code == 1 and "time-out" in text.output


def test_the_command_needs_a_file(tmp_path: Path) -> None:
    assert run(tmp_path / "none")[1]["error"] == {
        "kind": "StoreError",
        "reason": "MISSING",
        "message": f"{tmp_path / 'none'}: no such file",
    }
