"""The rollup's own proof at the small shape, 110 queries, 128 bits: honest leaves, and a sample of the campaign."""

import json
import re
from random import Random

import pytest
from click.testing import CliRunner

from prover.hashing import to_bytes
from tests.bridge.attacks import (
    PARTS,
    QUERIES,
    Tally,
    case,
    files,
    hint_sets,
    honest_leaves,
    public_values,
    wires,
)
from tests.bridge.mutations import READ, REFUSED, mutated
from verifier.bridge.chunks.opening import MAIN
from verifier.bridge.chunks.statement import claim_of
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.claims import VerifierClaims
from verifier.cli.main import cli
from verifier.pipeline import DEFAULT_PRESET

pytestmark = pytest.mark.slow


def survived(tally: Tally, tried: int, on_kernel: int) -> list[str]:
    assert (tally.tried, tally.on_kernel) == (tried, on_kernel)
    return tally.survivors


def test_no_leaf_of_an_honest_run_convicts():
    leaves = sum(map(len, case().tree.leaves))
    assert survived(honest_leaves(case(), Random(8), kernel=12), leaves, 12) == []


def test_sampled_wrong_wires_are_convicted():
    rng = Random(9)
    assert survived(wires(case(), rng.sample(sorted(case().values), 600), rng, 12), 600, 12) == []


def test_malformed_hints_never_spend():
    assert survived(hint_sets(case(), Random(10), 200, a_leaf=20), 200, 200) == []


def test_a_file_of_every_kind_is_found_within_a_path():
    kinds = len(READ) + len(REFUSED)
    assert survived(files(case(), Random(11), kinds), kinds, len(READ)) == []


def test_each_public_value_wrong_alone_is_convicted_on_the_kernel():
    assert survived(public_values(case(), Random(12)), 116, 116) == []


def test_every_wire_belongs_to_one_part():
    assert sum(len(case().names(part)) for part in (*PARTS, "rest")) == len(case().values)
    queries = {query for name in case().names("rest") for query in re.findall(r"/query (\d+)", name)}
    assert len(queries) == case().tree.num_queries - len(QUERIES)


def test_every_check_of_the_verifier_has_its_leaf():
    """So bisection need not look for one."""
    tree, lowered = case().tree, case().tree.lowered
    bisection = case().court.bisection(case().replay)
    for query, steps in ((MAIN, lowered.blocks[0]), (0, lowered.blocks[1]), (109, lowered.blocks[1])):
        assert all(bisection.leaves_that_check(query, step) for step in steps if not step.out)
    opened = {word for words in lowered.opening.leaves for word in words}
    assert opened and set(tree.partition.copy_of.values()) >= opened


def test_a_watcher_replays_an_opening_above_p_and_no_file_of_another_length():
    it = case()
    claims = VerifierClaims(it.tree, it.court.key, (DEFAULT_PRESET, "small"), ())
    data = mutated("opening plus p", it.data, it.court.key.layout, it.other, Random(13))
    assert it.court.bisection(claims.execution(data)).convict() is not None
    with pytest.raises(BridgeError) as caught:
        claims.execution(it.data[:-4])
    assert caught.value.reason is BridgeReason.PROOF


def dispute(file, *options):
    outcome = CliRunner().invoke(cli, ["bridge", "dispute", str(file), "--json", *options])
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome.exit_code, json.loads(outcome.output)


def test_the_command_convicts_a_file_and_leaves_a_true_one_alone(tmp_path):
    file = tmp_path / "batch.proof"
    file.write_bytes(case().data)
    code, said = dispute(file)
    assert (code, said["outcome"], said["shape"], said["reason"]) == (0, "right", "small", None)
    code, said = dispute(file, "--shape", "standard")
    assert (code, said["outcome"], said["reason"]) == (1, "no proof", "SHAPE")
    file.write_bytes(case().data[:-1] + bytes([case().data[-1] ^ 1]))
    code, said = dispute(file, "--kernel")
    assert (code, said["outcome"], said["reason"]) == (1, "convicted", "FRI_PATH")
    assert said["kernel_accepts"] is True
    assert said["opened"][-1] == said["node"] and "/query 109/" in said["node"]
    assert len(said["opened"]) <= said["depth"] + 1


def test_the_command_convicts_a_true_proof_about_another_ledger(tmp_path):
    file = tmp_path / "batch.proof"
    file.write_bytes(case().data)
    root = to_bytes(case().proof.public_values[:8]).hex()
    code, said = dispute(file, "--root-before", root)
    assert (code, said["outcome"]) == (0, "right")
    code, said = dispute(file, "--kernel", "--root-before", "00" * 4 + root[8:])
    assert (code, said["outcome"], said["reason"], said["kernel_accepts"]) == (1, "convicted", None, True)
    assert "another state" in said["detail"]


@pytest.mark.parametrize("root", ["zz", "", "11" * 31, "ff" * 32])
def test_the_command_refuses_what_is_no_state_root(tmp_path, root):
    arguments = ["bridge", "dispute", str(tmp_path / "none"), "--root-before", root]
    outcome = CliRunner().invoke(cli, arguments)
    assert outcome.exit_code == 2 and "--root-before" in outcome.output


def test_the_claim_of_the_root_is_of_the_key_and_the_statement():
    it = case()
    assert it.values[it.tree.claim.name] == claim_of(it.court.key, it.proof.public_values)
