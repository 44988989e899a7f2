"""Tweaks, chains, leaves and nodes against leanSig's published vectors, and where ours differ."""

import random

import pytest

from circuits.xmss import hashing
from prover.poseidon2 import P, compress, sponge
from tests.circuits.xmss.leansig import base_p_chain_tweak, base_p_tree_tweak

TALLEST = 18


def test_the_oracle_tweaks_are_the_published_ones(parts):
    for case in parts["tweak_tree"]:
        assert list(base_p_tree_tweak(case["level"], case["index"])) == case["encoded"]
    for case in parts["tweak_chain"]:
        assert list(base_p_chain_tweak(case["epoch"], case["chain_index"], case["step"])) == case["encoded"]


def test_tree_tweak_is_leansigs_at_every_level_in_use():
    for level in range(TALLEST + 1):
        last = 2 ** (TALLEST - level) - 1
        for index in {0, 1, last // 2, last}:
            assert hashing.tree_tweak(level, index) == base_p_tree_tweak(level, index)
            assert hashing.tree_tweak(level, index)[0] < P


def test_chain_tweak_is_leansigs_except_at_multiples_of_127_below_their_quotient():
    rng = random.Random(1)
    epochs = [*range(1000), 127 * 256, 127 * 257, 127 * 2064, *rng.sample(range(2**TALLEST), 500)]
    differing = 0
    for epoch in epochs:
        for chain, step in [(0, 1), (0, 7), (1, 1), (63, 7), (rng.randrange(64), rng.randrange(1, 8))]:
            ours, theirs = hashing.chain_tweak(epoch, chain, step), base_p_chain_tweak(epoch, chain, step)
            differs = epoch > 0 and epoch % 127 == 0 and (chain << 16 | step << 8) < epoch // 127
            assert (ours != theirs) == differs
            if differs:
                differing += 1
                assert ours == (theirs[0], theirs[1] + 1)
    assert differing > 0
    assert hashing.chain_tweak(127 * 257, 0, 1) != base_p_chain_tweak(127 * 257, 0, 1)
    assert hashing.chain_tweak(127 * 256, 0, 1) == base_p_chain_tweak(127 * 256, 0, 1)


def test_chain_tweak_can_be_inverted_as_its_proof_says():
    rng = random.Random(2)
    for epoch in [0, 126, 127, 127 * 257, 2**18 - 1, *rng.sample(range(2**TALLEST), 200)]:
        for chain, step in [(0, 1), (0, 0), (63, 7), (17, 3)]:
            t0, t1 = hashing.chain_tweak(epoch, chain, step)
            whole = (t0 + t1) % P
            assert 127 * t1 + (whole >> 24) == epoch
            assert (whole >> 16 & 255, whole >> 8 & 255, whole & 255) == (chain, step, 0)


def test_a_step_adds_256_to_the_first_element_of_the_tweak():
    for epoch in (0, 5, 127 * 257, 2**18 - 1):
        for step in range(2, 8):
            t0, t1 = hashing.chain_tweak(epoch, 0, step - 1)
            assert hashing.chain_tweak(epoch, 0, step) == ((t0 + 256) % P, t1)


def test_chains(parts):
    checked = 0
    for case in parts["chain"]:
        start, steps = case["start_step"], case["num_steps"]
        position = (case["epoch"], case["chain_index"], start)
        if any(
            base_p_chain_tweak(*position[:2], s) != hashing.chain_tweak(*position[:2], s)
            for s in range(start + 1, start + steps + 1)
        ):
            continue
        value = hashing.walk_chain(parts["parameter"], *position, steps, tuple(case["start"]))
        assert list(value) == case["output"]
        checked += 1
    assert checked == len(parts["chain"])


def test_leaves(parts):
    for case in parts["leaf"]:
        tweak = base_p_tree_tweak(0, case["index"])
        inputs = [*parts["parameter"], *tweak, *[x for part in case["parts"] for x in part]]
        assert list(sponge(hashing.LEAF_CAPACITY, inputs, 8)) == case["output"]
    case = parts["leaf"][0]
    assert list(hashing.leaf_digest(parts["parameter"], case["index"], case["parts"])) == case["output"]


def test_tree_nodes(parts):
    checked = 0
    for case in parts["tree_node"]:
        tweak = base_p_tree_tweak(case["level"], case["index"])
        inputs = [*parts["parameter"], *tweak, *case["left"], *case["right"]]
        assert list(compress(24, inputs, 8)) == case["output"]
        if tweak == hashing.tree_tweak(case["level"], case["index"]):
            node = hashing.tree_node(
                parts["parameter"], case["level"], case["index"], case["left"], case["right"]
            )
            assert list(node) == case["output"]
            checked += 1
    assert checked >= 1


@pytest.mark.parametrize("position", [0, 3, 6])
def test_a_walk_in_two_parts_is_the_walk_in_one(position):
    value, parameter = tuple(range(8)), (1, 2, 3, 4, 5)
    half = hashing.walk_chain(parameter, 9, 4, 0, position, value)
    assert hashing.walk_chain(parameter, 9, 4, position, 7 - position, half) == hashing.walk_chain(
        parameter, 9, 4, 0, 7, value
    )
