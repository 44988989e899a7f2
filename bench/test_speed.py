"""pytest-benchmark suites of kernels and prover steps: `make bench`."""

from __future__ import annotations

import numpy as np
import pytest

import native
from prover.hashing import Context
from prover.merkle import MerkleTree, leaf_digests
from verifier.measure import air


def _random(*shape: int):
    return np.random.default_rng(1).integers(0, native.P, shape, dtype=np.uint32)


@pytest.mark.parametrize("width", [16, 24])
def test_poseidon2(benchmark, width) -> None:
    states = _random(width, 1 << 16)
    benchmark(native.poseidon2_permute, states, out=np.empty_like(states))


@pytest.mark.parametrize("log_rows", [14, 16, 18])
def test_lde_2x(benchmark, log_rows) -> None:
    matrix = _random(32, 1 << log_rows)
    out = np.empty((32, 2 << log_rows), np.uint32)
    benchmark(native.coset_lde, matrix, 1, 3, out=out)


@pytest.mark.parametrize("log_rows", [14, 16, 18])
def test_coset_to_coset(benchmark, log_rows) -> None:
    matrix = _random(32, 1 << log_rows)
    benchmark(native.coset_lde, matrix, 0, 3, out=matrix)


def test_points_of_queries(benchmark) -> None:
    matrix, indices = _random(32, 1 << 16), np.arange(28) * 997
    benchmark(native.coset_points, matrix, [(3, indices), (9, indices), (27, indices)])


def test_merkle(benchmark) -> None:
    matrix = _random(64, 1 << 16)
    benchmark(lambda: MerkleTree({16: leaf_digests([matrix])}))


def test_row_hashes_in_parts(benchmark) -> None:
    matrix = _random(64, 1 << 16)

    def work() -> None:
        hasher = native.RowHasher(64, 1 << 16, Context.LEAF.value)
        for first in range(0, 64, 16):
            hasher.update(matrix[first : first + 16])
        hasher.digests()

    benchmark(work)


def test_proof_of_permutations(benchmark) -> None:
    benchmark.pedantic(air.run, args=(14, "compare-plonky3", native.threads(), 1), rounds=5)
