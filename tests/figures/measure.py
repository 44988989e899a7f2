"""The deterministic figures: `python -m tests.figures.measure` accepts them as the new baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from circuits.machine.kernel import kernel
from circuits.statement import SHAPES, shape, system
from prover.air.evaluate import count
from prover.layout import Layout
from prover.params import PRESETS
from prover.proof import proof_length
from verifier.cost import operations
from verifier.pipeline import opened_columns

BASELINE = Path(__file__).parent / "baseline.json"
MANY_READS = 40
"""Out-of-domain values that a constraint may read without being listed (rollup.md, Tables)."""


def tables() -> dict[str, Any]:
    """Columns, fractions, constraints, degree and reads of each table."""
    found = {}
    for air in system().airs:
        counted = count(air)
        reading_more = {c.label: c.reads for c in counted.constraints if c.reads > MANY_READS}
        found[air.name] = {
            "main": counted.main,
            "preprocessed": counted.preprocessed,
            "interaction": counted.interaction,
            "fractions": len(air.record.interactions),
            "constraints": len(air.record.constraints),
            "max_degree": counted.max_degree,
            "max_reads": counted.max_reads,
            f"reads_above_{MANY_READS}": dict(sorted(reading_more.items())),
        }
    return found


def measure() -> dict[str, Any]:
    """All figures."""
    layouts = {name: {p: Layout(system(), shape(name), PRESETS[p]) for p in PRESETS} for name in SHAPES}
    measured = operations()
    return {
        "opened_columns": {name: opened_columns("standard", name) for name in SHAPES},
        "kernel_instructions": len(kernel()),
        "tables": tables(),
        "cells": {o.name: o.cells for o in measured},
        "kernel_steps": {o.name: o.rows["cpu"] for o in measured if "cpu" in o.rows},
        "proof_bytes": {
            name: {preset: proof_length(layout) for preset, layout in of.items()}
            for name, of in layouts.items()
        },
    }


if __name__ == "__main__":
    BASELINE.write_text(json.dumps(measure(), indent=2) + "\n")
