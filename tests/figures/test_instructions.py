"""Kernels take the instructions that the baseline has."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.figures.instructions import BASELINE, compiler, measure

SLACK = 0.001
"""Of libc's own share: copies and clears of buffers."""


@pytest.mark.slow
def test_kernels_take_the_instructions_of_the_baseline():
    """A change on purpose: `python -m tests.figures.instructions`, and look at the difference."""
    known = json.loads(BASELINE.read_text())
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    if compiler() != known["compiler"]:
        pytest.skip(f"counts are of {known['compiler']}, this is {compiler() or 'no compiler'}")
    now = measure()
    assert now.keys() == known["instructions"].keys()
    for tier, before in known["instructions"].items():
        assert now[tier] == pytest.approx(before, rel=SLACK), tier
