"""Figures that proof size and on-chain cost hang on: within their limits, and as the baseline has them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from circuits.programs import amm, lending, options, oracle, staking, top
from tests.figures.measure import BASELINE, MANY_READS, measure

README = Path(__file__).parents[2] / "README.md"


@cache
def now() -> dict[str, Any]:
    return measure()


def flat(figures: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(figures, dict):
        return {name: figures}
    return {k: v for key, part in figures.items() for k, v in flat(part, f"{name}/{key}").items()}


def test_figures_are_those_of_the_baseline():
    """A change on purpose: `python -m tests.figures.measure`, and look at the difference."""
    before, after = flat(json.loads(BASELINE.read_text())), flat(now())
    changed = {name: (before.get(name), after.get(name)) for name in {*before, *after}}
    assert {name: both for name, both in sorted(changed.items()) if both[0] != both[1]} == {}


def test_opened_columns_stay_within_a_thousand():
    assert max(now()["opened_columns"].values()) <= 1000


def test_no_constraint_has_a_degree_above_three():
    assert {name: t["max_degree"] for name, t in now()["tables"].items() if t["max_degree"] > 3} == {}


@pytest.mark.parametrize(
    "operation", ["transfer", "transfer between purses already touched", "transfer to an untouched purse"]
)
def test_a_transfer_takes_at_most_sixty_thousand_cells(operation):
    assert now()["cells"][operation] <= 60_000


@pytest.mark.parametrize("shape", ["small", "standard"])
def test_proofs_of_the_default_preset_stay_within_1_5_megabytes(shape):
    assert now()["proof_bytes"][shape]["standard"] <= 1_500_000


def test_constraints_that_read_many_values_are_few():
    """Each value is revealed on chain at 1.25 kvB; the baseline lists those above 40, none reads above 54."""
    tables = now()["tables"].values()
    assert max(t["max_reads"] for t in tables) <= 54
    assert sum(len(t[f"reads_above_{MANY_READS}"]) for t in tables) <= 42


def test_the_readme_has_these_figures():
    found, text = now(), README.read_text()
    cells, sizes = found["cells"], found["proof_bytes"]["standard"]
    for figure in (
        f"{sizes['standard']:,} / {sizes['fast']:,} bytes",
        f"{cells['transfer']:,} on average in a sample; {cells['transfer, both purses untouched']:,} when both",
        f"| {cells['signature alone, key of height 8']:,} |",
        f"{cells['call that only exits']:,} / {cells['call that writes a data cell']:,}, signature included",
        f"| {cells['one more call in a list']:,} |",
        f"| {max(found['opened_columns'].values())} |",
        f"| {found['kernel_instructions']} instructions |",
    ):
        assert figure in text


def test_the_page_of_the_economy_has_these_figures():
    page = (README.parent / "docs/programs/economy.md").read_text()
    told = now()["program_cells"]
    for name in (
        "block of no transactions, hook included", "amm swap", "amm add", "oracle post", "staking stake",
        "staking register", "staking claim", "auction commit", "auction use", "lending deposit", "lending borrow",
        "lending repay", "options write", "options buy", "options exercise",
    ):  # fmt: skip
        assert f"{told[name]:,}" in page, name


def test_the_pages_of_programs_have_their_lengths():
    pages = README.parent / "docs/programs"
    for name, program in (
        ("amm", amm.build()), ("lending", lending.build(1, 2)), ("options", options.build()), ("top", top.build(1)),
        ("staking", staking.build(1)), ("oracle", oracle.build(1, [1, 2, 3], 5)),
    ):  # fmt: skip
        assert f"{len(program):,} instructions" in (pages / f"{name}.md").read_text(), name
