"""The rollup's own proof at the small shape, 110 queries, 128 bits: honest leaves, and a sample of the campaign."""

from random import Random

import pytest

from tests.bridge.campaign import QUERIES, Outcome, case, hint_sets, proofs, public_values, wires
from tests.whole import SHAPE
from verifier.bridge.accuse import accuse
from verifier.bridge.statement import claim_of
from verifier.pipeline import DEFAULT_PRESET, proving_key

pytestmark = pytest.mark.slow


def test_no_leaf_of_the_checks_and_two_queries_convicts():
    it = case()
    count = 0
    for node in it.tree.nodes:
        if node.name.startswith("root/queries") and not set(QUERIES) & set(node.name.split("/")):
            continue
        for leaf in it.tree.leaves[node.index]:
            count += 1
            names = it.tree.wire_names(leaf)
            assert accuse(it.tree, leaf, {name: it.values[name] for name in names}) is None, node.name
    assert count > 10_000


def survived(outcome: Outcome, tried: int, on_kernel: int) -> list[str]:
    assert (outcome.tried, outcome.on_kernel) == (tried, on_kernel)
    return outcome.survivors


def test_sampled_wrong_wires_are_convicted():
    rng = Random(9)
    assert survived(wires(rng.sample(sorted(case().values), 600), rng, 12), 600, 12) == []


def test_malformed_hints_never_spend():
    assert survived(hint_sets(("constraints", *QUERIES), Random(10), 200, a_leaf=20), 200, 200) == []


def test_false_proofs_are_found_within_a_path():
    assert survived(proofs(Random(11), 4, 4), 4, 4) == []


def test_each_public_value_wrong_alone_is_convicted_on_the_kernel():
    assert survived(public_values(Random(12), 116), 116, 116) == []


def test_the_claim_of_the_root_is_of_the_key_and_the_statement():
    it = case()
    key = proving_key(DEFAULT_PRESET, SHAPE).verifying_key
    assert it.values[it.tree.claim.name] == claim_of(key, it.proof.public_values)
