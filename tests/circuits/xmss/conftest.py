"""Keys and signatures made once for all XMSS tests."""

import json
from pathlib import Path

import pytest

from circuits.xmss import batch
from tests.circuits.xmss import numpy_kernels

VECTORS = Path(__file__).parents[2] / "vectors" / "xmss"
HEIGHT = 8
SEEDS = [bytes([i]) * 32 for i in (1, 2)]
MESSAGES = [tuple(range(8)), (2130706432,) * 8]
EPOCHS = [0, 201]


@pytest.fixture(scope="session")
def parts():
    return json.loads((VECTORS / "leansig_2025_parts.json").read_text())


@pytest.fixture(scope="session")
def keys():
    return batch.keygen(SEEDS, HEIGHT, numpy_kernels)


@pytest.fixture(scope="session")
def claims(keys):
    requests = [batch.SignRequest(keys[i], EPOCHS[i], MESSAGES[i]) for i in range(2)]
    signatures = batch.sign(requests, numpy_kernels)
    return [
        batch.Claim(r.key.public_key.owner(), r.key.public_key, r.epoch, r.message, s)
        for r, s in zip(requests, signatures, strict=True)
    ]
