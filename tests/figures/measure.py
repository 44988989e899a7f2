"""The deterministic figures: `python -m tests.figures.measure` accepts them as the new baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from circuits.machine.kernel import kernel
from circuits.statement import SHAPES, shape, system
from prover.air.compile import compiled
from prover.air.evaluate import count
from prover.layout import Layout
from prover.params import PRESETS
from prover.predict import predict
from prover.proof import proof_length
from tests.figures import programs
from tests.script.sizes import sizes
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


def machine_instructions() -> dict[str, dict[str, int]]:
    """Instructions a row of the constraint machine: what fractions and quotients cost."""
    found = {}
    for air in system().airs:
        code = compiled(air)
        fractions = len(code.fractions.code) // 4 if code.fractions else 0
        found[air.name] = {"fractions": fractions, "quotient": len(code.quotient.code) // 4}
    return found


def bytes_per_cell(layout: Layout) -> float:
    """The prover's peak memory on two threads, over the cells of main and interaction columns."""
    prediction = predict(layout, consume=True, workers=2)
    return round(prediction.peak_bytes / prediction.cells, 2)


def measure() -> dict[str, Any]:
    """All figures."""
    layouts = {name: {p: Layout(system(), shape(name), PRESETS[p]) for p in PRESETS} for name in SHAPES}
    measured = operations()
    return {
        "machine_instructions": machine_instructions(),
        "prover_bytes_per_cell": {name: bytes_per_cell(of["standard"]) for name, of in layouts.items()},
        "opened_columns": {name: opened_columns("standard", name) for name in SHAPES},
        "kernel_instructions": len(kernel()),
        "tables": tables(),
        "script_bytes": sizes(),
        "cells": {o.name: o.cells for o in measured},
        "program_cells": programs.measure(),
        "kernel_steps": {o.name: o.rows["cpu"] for o in measured if "cpu" in o.rows},
        "proof_bytes": {
            name: {preset: proof_length(layout) for preset, layout in of.items()}
            for name, of in layouts.items()
        },
    }


if __name__ == "__main__":
    BASELINE.write_text(json.dumps(measure(), indent=2) + "\n")
