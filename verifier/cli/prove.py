"""`pegproof prove`: from a batch directory to a proof file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

import native
from circuits.statement import SHAPES
from prover.params import PRESETS
from verifier.cli.output import console, emit, json_option, progress_bar, reports_errors, show_table
from verifier.measure.clock import peak_rss_bytes
from verifier.pipeline import (
    DEFAULT_PRESET,
    Plan,
    check_output,
    megabytes,
    plan,
    prove_batch,
    run_batch,
)


@click.command(short_help="prove a batch")
@click.argument("batch", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The proof file to write."
)
@click.option("--preset", type=click.Choice(list(PRESETS)), default=DEFAULT_PRESET, show_default=True)
@click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
@click.option("--shape", type=click.Choice(SHAPES), help="Default: the smallest that holds the batch.")
@json_option
@reports_errors
def command(
    batch: Path, output: Path, preset: str, threads: int | None, shape: str | None, as_json: bool
) -> None:
    """Execute the batch in directory BATCH and prove it; the proof file appears whole or not at all."""
    start = time.perf_counter()
    check_output(output)
    with progress_bar("execute", as_json) as tell, native.using_threads(threads):
        executed = run_batch(batch, tell)
    work = plan(executed, preset, shape, threads)
    if not as_json:
        announce(work)
    with progress_bar("prove", as_json) as tell, native.using_threads(threads):
        proven = prove_batch(work, output, tell)
    figures: dict[str, Any] = {
        "transfers": executed.transfers,
        "transactions": executed.transactions,
        "seconds": time.perf_counter() - start,
        "steps": proven.steps,
        "proof_bytes": proven.proof_bytes,
        "peak_rss_bytes": peak_rss_bytes(),
        "proven_bits": proven.proven_bits,
        "shape": work.shape,
        "preset": preset,
        "threads": work.threads,
        "predicted_seconds": work.seconds,
        "predicted_peak_bytes": work.peak_bytes,
        "cells": work.cells,
        "proof": str(output),
    }
    emit(figures, as_json, lambda: render(figures))


def announce(work: Plan) -> None:
    """What is about to be done, and its price."""
    free = work.available_bytes
    console.print(
        f"{work.executed.transactions:,} transactions, shape {work.shape}, preset {work.preset}: "
        f"about {work.seconds:.1f} s (an estimate) on {work.threads} threads and "
        f"{megabytes(work.peak_bytes)} of memory" + (f" ({megabytes(free)} free)" if free else "")
    )


def render(figures: dict[str, Any]) -> None:
    """The figures for a person."""
    show_table("steps", ("step", "seconds"), [(name, round(s, 3)) for name, s in figures["steps"].items()])
    console.print(
        f"{figures['proof']}: {figures['proof_bytes']:,} bytes, {figures['proven_bits']:.0f} proven bits, "
        f"{figures['seconds']:.1f} s in all, peak memory {megabytes(figures['peak_rss_bytes'])}"
    )
    console.print(f"next: pegproof verify {figures['proof']}")
