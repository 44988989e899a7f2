"""What a proof will cost: field elements to commit, and peak memory, before any work starts. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prover.air.graph import air_graph
from prover.field import DEGREE
from prover.hashing import DIGEST_WORDS
from prover.layout import Layout, TreeName

_WORD = 4


@dataclass(frozen=True)
class Prediction:
    """A proof's cost.

    Attributes:
        cells: trace elements of main and interaction columns; time is about proportional to it.
        committed_elements: elements of all low-degree extensions but the preprocessed.
        peak_bytes: most memory alive at once, tables and preprocessed data included.
        peak_step: where.
    """

    cells: int
    committed_elements: int
    peak_bytes: int
    peak_step: str


def available_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


def _tree_bytes(leaves: int) -> int:
    return 2 * leaves * DIGEST_WORDS * _WORD


def predict(layout: Layout) -> Prediction:
    """Follows the prover's steps and adds up what each keeps and needs beside."""
    blowup = layout.params.blowup
    trace: dict[TreeName, int] = {}
    extended: dict[TreeName, int] = {}
    trees: dict[TreeName, int] = {}
    for tree in layout.trees:
        trace[tree.name] = sum(c.width << c.log_height for c in tree.classes)
        extended[tree.name] = blowup * trace[tree.name]
        # The tallest level is made before its digests are folded; shorter classes' leaves pass through.
        trees[tree.name] = _tree_bytes(1 << tree.log_leaves)
    fixed, main, interaction, quotient = (trace.get(name, 0) for name in TreeName)
    lookups = max(
        (
            (2 * DEGREE * len(air_graph(air).groups) + 3 * DEGREE) << log
            for air, log in zip(layout.system.airs, layout.log_heights, strict=True)
        ),
        default=0,
    )
    tallest = 1 << layout.log_max_height
    kept = _WORD * (fixed + blowup * fixed + main) + trees.get(TreeName.PREPROCESSED, 0)
    steps: dict[str, int] = {}
    kept += _WORD * blowup * main + trees[TreeName.MAIN]
    steps["main commitment"] = kept
    steps["interaction"] = kept + _WORD * (interaction + lookups)
    kept += _WORD * (interaction + blowup * interaction) + trees.get(TreeName.INTERACTION, 0)
    steps["interaction"] = max(steps["interaction"], kept)
    # Parts of the composition (up to four a table), selectors, coefficients and chunks of the tallest class.
    widest = max(
        sum(4 * DEGREE for log in layout.log_heights if log == height) << (height + 1)
        for height in layout.distinct
    )
    work = _WORD * (widest + (2 * tallest) * (DEGREE + 8))
    kept += _WORD * (quotient + blowup * quotient) + trees[TreeName.QUOTIENT]
    steps["quotient"] = kept + work
    steps["openings"] = kept + _WORD * 2 * DEGREE * tallest
    points = tallest * blowup
    codewords = _WORD * DEGREE * points * 2  # the codeword, the folded ones and a joining one
    steps["FRI"] = kept + codewords + 2 * _tree_bytes(points >> 1)
    peak = max(steps, key=lambda name: steps[name])
    cells = main + interaction
    return Prediction(cells, blowup * (cells + quotient), steps[peak], peak)
