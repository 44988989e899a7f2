"""`pegproof bench`: speed here, beside the figures of others and the machine's own limits.

Each benchmark is imported when it runs: what another one loads would count as its memory.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

import native
from prover.params import PRESETS
from verifier.cli.output import console, emit, json_option, reports_errors, show_table
from verifier.measure import anchors

_DEFAULT_PRESET = "standard"
_presets = click.Choice(list(PRESETS))
_threads = click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
_repeat = click.option(
    "--repeat", type=click.IntRange(1), default=3, show_default=True, help="Runs; their median is the figure."
)
_batch = click.option(
    "--batch",
    type=click.Path(path_type=Path, exists=True),
    help="A batch directory; default: one is sampled (not timed).",
)


def _ratio(figure: float, anchor: float | None) -> str:
    return f"{figure / anchor:.2f}" if anchor else "-"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"


def _amount(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


@click.group(short_help="speed of kernels, proofs and verification")
def command() -> None:
    """Speed here, beside the figures of others (anchors) and the machine's own limits (floor)."""


@command.command(short_help="single kernels")
@click.option(
    "--threads", type=click.IntRange(1, 256), multiple=True, help="May be repeated; default: 1 and all."
)
@click.option("--log-rows", type=click.IntRange(8, 22), default=20, show_default=True, help="Of transforms.")
@_repeat
@json_option
@reports_errors
def kernels(threads: tuple[int, ...], log_rows: int, repeat: int, as_json: bool) -> None:
    """Time the kernels at the sizes of the anchors."""
    from verifier.measure import kernels as kernel_bench

    counts = threads or tuple(sorted({1, native.threads()}))
    rates, limits = kernel_bench.run(counts, log_rows, repeat)
    if as_json:
        click.echo(json.dumps([rate.json() for rate in rates]))
        return
    rows = [
        (
            rate.name,
            rate.size,
            str(rate.threads),
            f"{_amount(rate.rate)} {rate.unit}/s",
            f"{_amount(rate.anchor)}/s" if rate.anchor else "-",
            _ratio(rate.rate, rate.anchor),
            f"{rate.seconds * 1e3:.1f} ms",
            f"{rate.floor_seconds * 1e3:.1f} ms",
        )
        for rate in rates
    ]
    header = ("kernel", "size", "threads", "figure", "anchor", "ratio", "time", "floor")
    show_table(f"kernels ({native.tier()})", header, rows)
    for limit in limits:
        console.print(
            f"{limit.threads} threads: {_amount(limit.multiplications)} field products and "
            f"{_amount(limit.copied_bytes)}B copied a second"
        )


@command.command(short_help="a proof of Poseidon2 permutations")
@click.option(
    "--log-permutations",
    type=click.IntRange(5, 22),
    default=18,
    show_default=True,
    help="log2 of their number.",
)
@click.option("--preset", type=_presets, default="compare-plonky3", show_default=True)
@_threads
@_repeat
@json_option
@reports_errors
def air(log_permutations: int, preset: str, threads: int | None, repeat: int, as_json: bool) -> None:
    """Prove independent Poseidon2 permutations (KoalaBear, width 16), trace generation included."""
    from verifier.measure import air as air_bench

    figures = air_bench.run(log_permutations, preset, threads or native.threads(), repeat)

    def render() -> None:
        anchor = anchors.AIR.get((log_permutations, figures.threads)) if preset == "compare-plonky3" else None
        rate = figures.permutations / figures.seconds
        memory = anchors.AIR_BYTES.get(log_permutations)
        rows = [
            (
                "permutations/s",
                _amount(rate),
                _amount(anchor) if anchor else "-",
                _ratio(rate, anchor),
                f"{_amount(figures.permutations / figures.floor_seconds)} in {figures.floor_seconds:.2f} s",
            ),
            (
                "peak memory (less is better)",
                _megabytes(figures.peak_rss_bytes),
                _megabytes(memory) if memory else "-",
                _ratio(figures.peak_rss_bytes, memory),
                "-",
            ),
        ]
        title = f"2^{log_permutations} permutations, {preset}, {figures.threads} threads"
        show_table(title, ("", "figure", "anchor", "ratio", "floor"), rows)
        show_table("steps", ("step", "seconds"), [(k, round(v, 3)) for k, v in figures.steps.items()])
        spent = ", ".join(f"{taken:.2f}" for taken in figures.runs)
        console.print(
            f"runs: {spent} s; proof {figures.proof_bytes:,} bytes, verified; "
            f"predicted {_megabytes(figures.predicted_peak_bytes)} for the prover alone"
        )

    emit(figures.json(), as_json, render)


@command.command(short_help="a proof of a batch of transfers")
@click.option("--transfers", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--preset", type=_presets, default=_DEFAULT_PRESET, show_default=True)
@_threads
@_repeat
@_batch
@json_option
@reports_errors
def batch(
    transfers: int, preset: str, threads: int | None, repeat: int, batch: Path | None, as_json: bool
) -> None:
    """Prove a batch of signed transfers, from the batch file to the proof file."""
    from verifier.measure import batch as batch_bench

    figures = batch_bench.run(transfers, preset, threads or native.threads(), repeat, batch)

    def render() -> None:
        rate = figures.signatures / figures.seconds
        anchor = anchors.SIGNATURES
        rows = [
            ("transfers/s", f"{figures.transfers / figures.seconds:.1f}", "-", "-",
             f"{figures.transfers / figures.floor_seconds:.0f} in {figures.floor_seconds:.2f} s"),
            ("signatures/s", f"{rate:.1f}", f"{anchor}", _ratio(rate, anchor),
             f"{figures.signatures / figures.floor_seconds:.0f}"),
            ("proof bytes", f"{figures.proof_bytes:,}", "-", "-", "-"),
            ("proven bits", f"{figures.proven_bits:.0f}", "-", "-", "-"),
            ("peak memory", _megabytes(figures.peak_rss_bytes), "-", "-", "-"),
        ]  # fmt: skip
        header = ("", "figure", "anchor", "ratio", "floor")
        show_table(f"{figures.transfers:,} transfers, {preset}", header, rows)
        show_table("steps", ("step", "seconds"), [(k, round(v, 3)) for k, v in figures.steps.items()])
        console.print("runs: " + ", ".join(f"{taken:.2f}" for taken in figures.runs) + " s")
        shares = ", ".join(f"{share:.1%}" for share in figures.outside_kernels_share)
        console.print(f"outside kernels, of the prover's CPU time, by run: {shares}")

    emit(figures.json(), as_json, render)


@command.command(short_help="both verifiers")
@click.option("--transfers", type=click.IntRange(1), default=100, show_default=True)
@click.option("--preset", type=_presets, default=_DEFAULT_PRESET, show_default=True)
@_repeat
@_batch
@json_option
@reports_errors
def verify(transfers: int, preset: str, repeat: int, batch: Path | None, as_json: bool) -> None:
    """Verify the proof of a batch, natively and with plain integers."""
    from verifier.measure import batch as batch_bench

    figures = batch_bench.verify(transfers, preset, repeat, batch)

    def render() -> None:
        best, worst = anchors.VERIFY_SECONDS
        rows = [
            ("native", f"{figures.native_seconds * 1e3:.1f} ms", f"{best * 1e3:.0f} to {worst * 1e3:.0f} ms",
             f"{_ratio(figures.native_seconds, best)} to {_ratio(figures.native_seconds, worst)}"),
            ("recording, once a key", f"{figures.prepare_seconds:.2f} s", "-", "-"),
            ("plain integers", f"{figures.reference_seconds:.2f} s", "-", "-"),
        ]  # fmt: skip
        show_table(f"verification, {preset}; less is better", ("verifier", "time", "anchor", "ratio"), rows)

    emit(figures.json(), as_json, render)
