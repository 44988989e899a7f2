"""`pegproof cells`: trace cells of each operation."""

from __future__ import annotations

import click

from circuits.statement import SHAPES
from verifier.cli.output import console, emit, json_option, reports_errors, show_table
from verifier.cost import operations
from verifier.pipeline import DEFAULT_PRESET, opened_columns, table_columns


@click.command(short_help="trace cells of each operation")
@json_option
@reports_errors
def command(as_json: bool) -> None:
    """Measure what each operation adds to a batch: rows by table, and cells.

    Cells are rows x (main + interaction columns), summed over the tables.
    """
    measured = operations()
    opened = {shape: opened_columns(DEFAULT_PRESET, shape) for shape in SHAPES}
    figures = {
        "operations": [{"name": o.name, "cells": o.cells, "rows": dict(o.rows)} for o in measured],
        "columns": dict(table_columns()),
        "opened_columns": max(opened.values()),
        "opened_columns_by_shape": opened,
    }

    def render() -> None:
        rows = [(o.name, o.cells, ", ".join(f"{t} {n:g}" for t, n in o.rows.items())) for o in measured]
        show_table("cells of each operation", ("operation", "cells", "rows"), rows)
        for shape, count in opened.items():
            console.print(f"opened columns, shape {shape}: {count} (main + 6 x interaction + quotient)")

    emit(figures, as_json, render)
