"""`pegproof solvency`: the vault against all that is owed."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli.output import btc, emit, fail, json_option, reports_errors, show_table


@click.command(short_help="the vault is what is owed, by kind, after a batch")
@click.argument("batch", type=click.Path(path_type=Path))
@click.option(
    "--at",
    type=click.IntRange(0, 2**32 - 1),
    help="Batch number; default: the last committed one. 0: genesis.",
)
@json_option
@reports_errors
def command(batch: Path, at: int | None, as_json: bool) -> None:
    """Add up every BTC purse of the ledger after a batch, by who may move it, and compare with the supply.

    BATCH is a state store or a directory that holds one. Where names.json lies beside it, programs have their names.
    The supply is the batch's public value, and must follow from that of the batch before by deposits and withdrawals
    alone; the state roots among the public values must be those of the two ledgers. Pending exits are the batch's own.
    """
    from circuits.programs.solvency import implied, solvency
    from circuits.rollup.errors import StoreError, StoreReason
    from verifier.economy import NAMES_FILE, open_store, read_names

    directory = batch if batch.is_dir() else batch.parent
    known = read_names(batch).programs if (directory / NAMES_FILE).is_file() else {}
    with open_store(batch) as store:
        number = store.batch_number() if at is None else at
        values = store.public_values(number) if number else None
        ledger = store.ledger(number)
        before = store.ledger(number - 1) if number else ledger
    if values and (values.state_root_before, values.state_root_after) != (before.root, ledger.root):
        raise StoreError(StoreReason.CORRUPT, f"{batch}, batch {number}", "the public values' state roots")
    state = solvency(ledger, values, {cell: name for name, cell in known.items()})
    unexplained = implied(before.system.supply, values) if values else 0
    figures = {
        "batch": number,
        "vault_msat": state.vault,
        "held_msat": dict(state.held),
        "pending_exits_msat": state.exits,
        "supply_msat": state.supply,
        "difference_msat": state.difference,
        "public_values_difference_msat": unexplained,
    }

    def render() -> None:
        rows = [(kind, btc(amount)) for kind, amount in state.held.items()]
        rows += [
            ("pending exits", btc(state.exits)),
            ("owed in all", btc(sum(state.held.values()) + state.exits)),
        ]
        show_table(f"After batch {number}", ("", ""), [*rows, ("vault", btc(state.vault))])

    emit(figures, as_json, render)
    if state.difference or unexplained:
        fail(
            f"the vault differs from what is owed by {state.difference} msat, the supply from what deposits and "
            f"withdrawals explain by {unexplained} msat"
        )
