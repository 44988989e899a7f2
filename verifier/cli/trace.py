"""`pegproof trace`: each step of a transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from verifier.cli.output import console, emit, json_option, reports_errors
from verifier.pipeline import PipelineError, open_batch


@click.command(short_help="each step of a transaction, with registers and gas")
@click.argument("batch", type=click.Path(path_type=Path))
@click.argument("tx", type=click.IntRange(min=0))
@click.option("--kernel", "with_kernel", is_flag=True, help="Also the kernel's own steps.")
@json_option
@reports_errors
def command(batch: Path, tx: int, with_kernel: bool, as_json: bool) -> None:
    """Show each step of transaction TX (its number in the batch file, from 0) of the batch in directory BATCH.

    Steps of user programs and their system calls; of a transaction without any, the kernel's.
    """
    from circuits.machine.executor import run
    from circuits.machine.kernel import kernel
    from circuits.machine.tracer import trace
    from circuits.rollup.execute import execute_batch

    source = open_batch(batch)
    transition = execute_batch(source.ledger, source.batch).transition
    machine = run(kernel(), transition.words_before, transition.tape, programs=transition.programs)
    positions = [receipt.position for receipt in transition.receipts]
    if tx not in positions:
        left = next((item for item in transition.left_out if item.position == tx), None)
        raise PipelineError(
            f"transaction {tx} was left out: {left.reason.value}" if left else f"no transaction {tx}"
        )
    number = positions.index(tx)
    receipt = transition.receipts[number]
    steps = list(trace(machine, number))
    if not with_kernel and any(step.user for step in steps):
        steps = [step for step in steps if step.user or step.text.startswith("ENTRY")]
    figures: dict[str, Any] = {
        "transaction": tx,
        "failure": receipt.failure.value if receipt.failure else None,
        "detail": receipt.detail,
        "gas": receipt.gas,
        "fee_msat": receipt.fee,
        "events": [[event.program, *event.values] for event in receipt.events],
        "steps": [
            {
                "clk": step.clk,
                "user": step.user,
                "pc": step.pc,
                "place": step.place,
                "instruction": step.text,
                "reads": dict(step.reads),
                "writes": dict([step.writes]) if step.writes else {},
                "gas": step.gas,
                "fault": step.fault,
            }
            for step in steps
        ],
    }

    def render() -> None:
        console.print("    clk     gas    pc  instruction")
        for step in steps:
            console.print(step.line(), markup=False)
        outcome = f"fails: {receipt.failure.value} {receipt.detail}" if receipt.failure else "succeeds"
        console.print(
            f"transaction {tx} {outcome}; gas {receipt.gas:,}, fee {receipt.fee:,} msat", markup=False
        )

    emit(figures, as_json, render)
