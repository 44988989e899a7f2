"""Poseidon2 against the vectors of leanSpec and Plonky3's older cut."""

import json
from pathlib import Path

import pytest

from prover import poseidon2 as h
from prover import poseidon2_constants as constants

VECTORS = Path(__file__).parents[1] / "vectors"
PARTS = json.loads((VECTORS / "xmss" / "leansig_2025_parts.json").read_text())
CONSTANTS = json.loads((VECTORS / "poseidon2" / "constants_leansig_2025.json").read_text())
PERMUTATIONS = json.loads((VECTORS / "poseidon2" / "leansig_2025_permutation.json").read_text())


@pytest.mark.parametrize("width", [16, 24])
def test_constants_are_the_published_ones(width):
    published = CONSTANTS[f"w{width}"]
    assert [list(r) for r in getattr(constants, f"EXTERNAL_INITIAL_{width}")] == published["external_initial"]
    assert list(getattr(constants, f"INTERNAL_{width}")) == published["internal"]
    assert [list(r) for r in getattr(constants, f"EXTERNAL_FINAL_{width}")] == published["external_final"]
    assert list(getattr(constants, f"DIAGONAL_{width}")) == published["internal_diag_V"]


@pytest.mark.parametrize("width", [16, 24])
def test_permutation(width):
    cases = PERMUTATIONS[f"w{width}"] + PARTS[f"permutation_w{width}"]
    assert len(cases) == 220
    for case in cases:
        assert h.permute(case["input"]) == case["output"]


def test_compress_adds_the_input_back():
    for case in PARTS["compress"]:
        assert list(h.compress(case["width"], case["input"], case["output_len"])) == case["output"]


def test_domain_separator():
    for case in PARTS["safe_domain_separator"]:
        assert list(h.domain_separator(case["lengths"])) == case["output"]


def test_sponge():
    for case in PARTS["sponge_w24"]:
        assert list(h.sponge(case["capacity"], case["input"], case["output_len"])) == case["output"]


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="17 inputs"):
        h.compress(16, [0] * 17, 8)
    with pytest.raises(ValueError, match="7 inputs"):
        h.compress(16, [0] * 7, 8)
    with pytest.raises(ValueError, match="capacity of 8"):
        h.sponge([0] * 8, [1], 8)
    with pytest.raises(ValueError, match="output of 16"):
        h.sponge([0] * 9, [1], 16)
