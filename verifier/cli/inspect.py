"""`pegproof inspect`: what a proof contains and says; it is not verified."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from circuits.rollup.codec import elements_bytes
from circuits.rollup.public_values import PublicValues
from prover.proof import ProofFormatError
from verifier.cli.output import console, emit, json_option, refuse, reports_errors, show_table
from verifier.cli.security import figures as security_figures
from verifier.cli.security import show
from verifier.pipeline import identify, proof_of, read_proof
from verifier.stark.reasons import VerificationError


@click.command(short_help="what a proof contains and says")
@click.argument("proof", type=click.Path(path_type=Path))
@json_option
@reports_errors
def command(proof: Path, as_json: bool) -> None:
    """Show the parts, the public values and the soundness of the proof in file PROOF. It is not verified."""
    try:
        file = identify(read_proof(proof))
        parts = proof_of(file).parts()
    except (VerificationError, ProofFormatError) as error:
        refuse(error, as_json)
    values = file.public_values
    security = security_figures(file.preset, file.shape)
    result: dict[str, Any] = {
        "preset": file.preset,
        "shape": file.shape,
        "proof_bytes": len(file.data),
        "parts": parts,
        "public_values": named(values) if values else None,
        "public_elements": list(file.public_elements),
        "security": security,
        "verified": False,
    }

    def render() -> None:
        show_table(f"{proof}: {len(file.data):,} bytes", ("part", "bytes"), list(parts.items()))
        console.print("[bold]what it says (not verified here)[/]")
        for name, value in (result["public_values"] or {"public values": "not those of any batch"}).items():
            console.print(f"  {name:<22}{value}")
        show(security)

    emit(result, as_json, render)


def named(values: PublicValues) -> dict[str, Any]:
    """Public values by name, digests in hexadecimal, amounts with their unit."""
    amounts = (
        "supply_before",
        "supply_after",
        "deposits",
        "withdrawals",
        "base_fees",
        "tips",
        "data_fees",
    )
    result: dict[str, Any] = {}
    for field in fields(values):
        value = getattr(values, field.name)
        if isinstance(value, tuple):
            result[field.name] = elements_bytes(value).hex()
        else:
            result[field.name + ("_msat" if field.name in amounts else "")] = value
    return result
