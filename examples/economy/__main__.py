"""`make demo-economy`: a season of blocks, every batch proven, every sat traced. Options: --help."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import native
from circuits.programs.solvency import Solvency
from circuits.rollup.sample import STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.transition import Transition
from circuits.witness import witness
from examples.economy.report import write
from examples.economy.season import Season
from examples.economy.world import RULES
from prover.prove import prove
from verifier.cli.output import console
from verifier.economy import NAMES_FILE
from verifier.fast.verify import fast_verifier
from verifier.pipeline import proving_key

OUT = Path("out/economy")
PRESET = "standard"


def prove_and_verify(done: Transition, preset: str = PRESET) -> str:
    """Prove a batch in the smallest shape and have the verifier accept it; the shape.

    Raises:
        VerificationError: It does not (a defect).
    """
    ready = witness(done)
    shape = ready.smallest_shape()
    key = proving_key(preset, shape)
    proof = prove(key, ready.tables(shape), ready.public_values, threads=native.threads(), consume=True)
    fast_verifier(key.verifying_key).verify(proof.encode(), done.public_values.elements())
    return shape


@click.command()
@click.option("--blocks", default=200, show_default=True, help="Blocks of the season, one a batch.")
@click.option("--seed", default=7, show_default=True, help="The same seed, the same season.")
@click.option("--prove/--no-prove", "proving", default=True, help="Prove every batch, or only execute.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON at the end.")
def main(blocks: int, seed: int, proving: bool, as_json: bool) -> None:
    """Stakers, traders, borrowers and option writers for a season; pictures in out/economy."""
    start = time.perf_counter()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    season = Season(seed, blocks)
    ledger = season.world.chain.ledger
    held: list[Solvency] = []
    proven, failed = 0, 0
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, disable=as_json,
    )  # fmt: skip
    with Store.create(OUT / STATE_FILE, ledger.cells, ledger.codes.values()) as store, bar:
        task = bar.add_task("blocks", total=blocks)
        for block in season.play():
            if proving:
                prove_and_verify(block.transition)
                proven += 1
            store.commit(block.transition)
            held.append(block.solvency)
            failed += sum(receipt.failure is not None for receipt in block.transition.receipts)
            bar.advance(task)
    names = {
        "programs": season.world.programs, "accounts": season.world.people, "staking": asdict(RULES),
    }  # fmt: skip
    (OUT / NAMES_FILE).write_text(json.dumps(names, indent=1))
    png, html = write(season, held, OUT)
    account = season.account
    figures = {
        "batches": len(held),
        "proven": proven,
        "supply_identity_msat": account.supply,
        "income_msat": sum(account.income.values()),
        "sources_msat": dict(account.income),
        "untraced_msat": account.untraced,
        "stakers": len(season.earned()),
        "election_chi2_p": round(season.chi2_p(), 4),
        "shared_msat": dict(account.shared),
        "failed_transactions": failed,
        "seconds": round(time.perf_counter() - start, 1),
    }
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        console.print(f"{name:24} {value}")
    console.print(f"pictures: {png}, {html}; the state of every batch: {OUT / STATE_FILE}")


if __name__ == "__main__":
    main()
