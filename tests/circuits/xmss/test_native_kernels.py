"""The native kernels give what the numpy oracle gives, and whole keys and signatures with them too."""

import numpy as np
import pytest

import native
from circuits.xmss import batch
from prover.poseidon2 import P
from tests.circuits.xmss import numpy_kernels
from tests.circuits.xmss.conftest import EPOCHS, HEIGHT, MESSAGES, SEEDS

LENGTHS = [1, 7, 8, 9, 15, 16, 17, 33, 100]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("width", [16, 24])
def test_permutation_and_compression(width, length):
    states = np.random.default_rng(length).integers(0, P, (width, length), dtype=np.uint32)
    states[:, 0] = P - 1
    assert np.array_equal(native.poseidon2_permute(states), numpy_kernels.poseidon2_permute(states))
    for out_len in (1, 8):
        expected = numpy_kernels.poseidon2_compress(states, out_len)
        assert np.array_equal(native.poseidon2_compress(states, out_len), expected)


@pytest.mark.parametrize("length", LENGTHS)
def test_chains_of_mixed_lengths_whose_tweaks_wrap_at_p(length):
    rng = np.random.default_rng(length)
    rows = rng.integers(0, P, (15, length), dtype=np.uint32)
    t0, t1, steps = rows[0], rows[1], rng.integers(0, 8, length, dtype=np.uint32)
    t0[::2] = P - 1 - rng.integers(0, 600, len(t0[::2]), dtype=np.uint32)
    arguments = [np.ascontiguousarray(rows[2:7]), t0, t1, np.ascontiguousarray(rows[7:15]), steps]
    assert np.array_equal(native.xmss_chains(*arguments), numpy_kernels.xmss_chains(*arguments))


def test_keys_signatures_and_verdicts(keys, claims):
    assert batch.keygen(SEEDS, HEIGHT) == keys
    requests = [batch.SignRequest(keys[i], EPOCHS[i], MESSAGES[i]) for i in range(2)]
    assert batch.sign(requests) == [claim.signature for claim in claims]
    assert batch.verify(claims) == [None, None]
