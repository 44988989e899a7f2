"""`pegproof verify`: accept or refuse a proof file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from circuits.rollup.errors import StoreError
from verifier.cli.output import btc, console, emit, json_option, reports_errors
from verifier.pipeline import ProofFile, check_roots, identify, prepare, read_proof, verify_proof
from verifier.stark.reasons import VerificationError
from verifier.stark.verify import MIN_BITS


@click.command(short_help="verify a proof")
@click.argument("proof", type=click.Path(path_type=Path))
@click.option(
    "--min-bits",
    type=click.FloatRange(0),
    default=MIN_BITS,
    show_default=True,
    help="Refuse what proves less.",
)
@click.option("--reference", is_flag=True, help="Use the plain-integer verifier: slower, the same verdict.")
@click.option("--root-before", help="State root (hexadecimal) that the batch must start from.")
@click.option("--root-after", help="State root (hexadecimal) that the batch must lead to.")
@json_option
@reports_errors
def command(
    proof: Path,
    min_bits: float,
    reference: bool,
    root_before: str | None,
    root_after: str | None,
    as_json: bool,
) -> None:
    """Check the proof in file PROOF: exit code 0 if it is accepted, 1 if not.

    The proof carries its public values; compare the state roots with those that you hold, or give them here.
    """
    start = checked_from = time.perf_counter()
    file: ProofFile | None = None
    refusal: VerificationError | StoreError | None = None
    try:
        file = identify(read_proof(proof))
        check_roots(file, {"state_root_before": root_before, "state_root_after": root_after})
        prepare(file, reference)
        checked_from = time.perf_counter()
        verify_proof(file, min_bits, reference)
    except (VerificationError, StoreError) as error:  # a file that cannot be read is no proof either
        refusal = error
    figures: dict[str, Any] = {
        "accepted": refusal is None,
        "reason": refusal and refusal.reason.name,
        "seconds": time.perf_counter() - start,
        "check_seconds": time.perf_counter() - checked_from,
        "proven_bits": file and file.key.security().proven_bits,
        "preset": file and file.preset,
        "shape": file and file.shape,
        "detail": refusal and f"{refusal.reason} ({refusal.where})",
    }
    emit(figures, as_json, lambda: render(figures, file))
    if refusal:
        raise click.exceptions.Exit(1)


def render(figures: dict[str, Any], file: ProofFile | None) -> None:
    """The verdict for a person."""
    if not figures["accepted"]:
        console.print(f"[bold red]refused[/]: {figures['reason']}: {figures['detail']}")
        return
    console.print(
        f"[bold green]accepted[/]: {figures['proven_bits']:.0f} proven bits, preset {figures['preset']}, "
        f"shape {figures['shape']}, {1000 * figures['check_seconds']:.1f} ms once the key is ready "
        f"({1000 * figures['seconds']:.0f} ms in all)"
    )
    values = file.public_values if file else None
    if values is None:
        return
    console.print(
        f"batch {values.batch_number + 1} of chain {values.chain_id}: {values.num_txs:,} transactions "
        f"({values.num_failed} failed), deposits {btc(values.deposits)}, "
        f"withdrawals {btc(values.withdrawals)}"
    )
    console.print("`pegproof inspect` shows all that it says")
