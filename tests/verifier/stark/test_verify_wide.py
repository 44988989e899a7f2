"""A system as large as the real one: a thousand opened columns, seven tables of six heights, 110 queries."""

import time

import pytest

from prover.commit import setup
from prover.params import PRESETS
from prover.prove import prove
from prover.shape import Shape
from tests import wide_system
from tests.proofs import rejection
from verifier.fast.verify import FastVerifier, fast_verifier
from verifier.stark import verify as reference
from verifier.stark.reasons import RejectReason


@pytest.fixture(scope="module")
def wide():
    system = wide_system.SYSTEM
    key = setup(system, Shape.of(system, wide_system.LOGS), PRESETS["standard"])
    return key.verifying_key, prove(key, wide_system.make_tables())


def test_both_verifiers_accept_in_time(wide):
    """Bounds are ten times what a 2-core machine of 2026 needs."""
    key, proof = wide
    data = proof.encode()
    start = time.perf_counter()
    reference.verify(key, data, [])
    middle = time.perf_counter()
    verifier = FastVerifier(key)
    recorded = time.perf_counter()
    verifier.verify(data, [])
    assert middle - start < 2
    assert recorded - middle < 1
    assert time.perf_counter() - recorded < 0.05
    assert key.layout.num_columns > 1000


def test_compressions_a_query_stay_in_the_budget(wide):
    """proof-system.md: 270 to 320 compressions a query, 30 to 35 thousand in all."""
    key, _ = wide
    program = fast_verifier(key).program
    words = {0: 0, 1: 0}
    for number, block in enumerate(program.blocks):
        for at in range(0, len(block.code), 8):
            if block.code[at] in (3, 4):
                count = block.code[at + 5]
                chunks = -(-count // 256)
                words[number] += -(-count // 16) + chunks - 1
    assert words[1] < 320
    assert words[0] + 110 * words[1] < 35_000


def test_mutations_of_rows_of_every_height_are_found(wide):
    key, proof = wide
    for log in key.layout.distinct:
        leaves = [leaf for leaf in proof.leaves() if leaf.path.startswith(f"query 109: main row 2^{log}[")]
        leaf = leaves[len(leaves) // 2]
        values = proof.get(leaf)
        proof.set(leaf, [values[0] ^ 1])
        assert rejection(key, proof.encode(), []) is RejectReason.ROW_PATH
        proof.set(leaf, values)
