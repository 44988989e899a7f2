"""`pegproof security`: every soundness term, its bits and its source."""

from __future__ import annotations

from typing import Any

import click

from circuits.statement import SHAPES, STATEMENT, shape, system
from prover.layout import Layout
from prover.params import PRESETS
from prover.security import Regime, report, security
from verifier.cli.output import console, emit, json_option, reports_errors, show_table

COMPARISON = "compare-plonky3"
"""Shown with the others; `verify` refuses it, so it does not decide the figure at the top."""


@click.command(short_help="proven soundness, term by term")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Default: all.")
@click.option("--shape", "shape_name", type=click.Choice(SHAPES), help="Default: all.")
@json_option
@reports_errors
def command(preset: str | None, shape_name: str | None, as_json: bool) -> None:
    """Show what is proven about the proofs' soundness, term by term, with the theorem behind each.

    The JSON object has the weakest report asked for at the top and every report under "reports"; the
    comparison preset counts only where it is named.
    """
    reports = [
        figures(p, s)
        for p in ([preset] if preset else PRESETS)
        for s in ([shape_name] if shape_name else SHAPES)
    ]
    counted = [r for r in reports if preset or r["preset"] != COMPARISON]
    weakest = min(counted, key=lambda r: float(r["proven_bits"]))

    def render() -> None:
        for one in reports:
            show(one)

    emit({**weakest, "reports": reports}, as_json, render)


def figures(preset: str, shape_name: str) -> dict[str, Any]:
    """One report: the regime that proves more, the other regime's figure beside it."""
    params = PRESETS[preset]
    numbers = Layout(system(), shape(shape_name), params).figures
    best = security(params, numbers, STATEMENT)
    both = {r.name: round(report(params, numbers, r).proven_bits, 4) for r in Regime}
    return {
        "proven_bits": best.proven_bits,
        "regime": best.regime.name,
        "terms": [
            {"name": t.name, "bits": t.bits, "source": t.source, "grinding_bits": t.grinding_bits}
            for t in best.terms
        ],
        "preset": preset,
        "shape": shape_name,
        "regimes": both,
        "proximity": best.proximity,
        "list_size": best.list_size,
        "statement": {"name": "statement", "bits": STATEMENT.bits, "reason": STATEMENT.reason},
    }


def show(one: dict[str, Any]) -> None:
    """A report for a person."""
    rows = [(t["name"], f"{t['bits']:8.2f}", t["source"]) for t in one["terms"]]
    rows.append((f"proven ({one['regime']})", f"{one['proven_bits']:8.2f}", "minimum of the above"))
    rows += [
        (f"proven ({name})", f"{bits:8.2f}", "the other regime, for comparison")
        for name, bits in one["regimes"].items()
        if name != one["regime"]
    ]
    rows.append(("statement", f"{one['statement']['bits']:8.2f}", one["statement"]["reason"]))
    show_table(f"preset {one['preset']}, shape {one['shape']}", ("term", "bits", "source"), rows)
    if one["proven_bits"] < 128:
        console.print("below 128 bits: for comparison only, `verify` refuses it")
