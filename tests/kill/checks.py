"""What must hold after a kill, looked for in the files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from circuits.rollup.batch import Batch
from circuits.rollup.codec import elements_bytes
from circuits.rollup.errors import RollupError
from circuits.rollup.store import Store
from circuits.xmss.wallet import Wallet
from tests.verifier.cli.conftest import run_command


class Lost(Exception):
    """Something was lost or damaged."""


def demand(holds: bool, what: str) -> None:
    """Raises `Lost` unless `holds`."""
    if not holds:
        raise Lost(what)


def check_store(path: Path) -> int:
    """Opens a store; number of its last batch, whose ledger is whole.

    Raises:
        Lost: It is not.
    """
    try:
        with Store.open(path) as store:
            number = store.batch_number()
            ledger = store.ledger()
            for earlier in range(1, number + 1):
                store.public_values(earlier)
                store.published(earlier)
    except RollupError as error:
        raise Lost(f"the store: {error}") from error
    demand(ledger.total_btc() == ledger.system.supply, "the supply")
    with sqlite3.connect(path) as db:
        (verdict,) = db.execute("PRAGMA integrity_check").fetchone()
    db.close()
    demand(verdict == "ok", f"the store's file: {verdict}")
    return number


def check_proof(path: Path, old: bytes, root_after: tuple[int, ...]) -> bool:
    """The proof file is the old one, or a whole proof of the batch; whether it is the latter.

    Raises:
        Lost: It is neither.
    """
    if path.read_bytes() == old:
        return False
    root = elements_bytes(root_after).hex()
    demand(run_command("verify", path, "--root-after", root).code == 0, "the proof file is half a proof")
    return True


def check_leaves(directory: Path, batch: Batch, before: dict[int, int]) -> None:
    """No counter of a wallet fell, and no leaf that has left it can sign again.

    Raises:
        Lost: One did or can.
    """
    states = Wallet(directory).keys()
    for state in states:
        demand(state.next_leaf >= before.get(state.number, 0), "the wallet's counter")
        used = [
            signed.transaction.leaf for signed in batch.transactions if signed.public_key == state.public_key
        ]
        demand(len(used) == len(set(used)), "a leaf: it has signed twice")
        demand(all(leaf < state.next_leaf for leaf in used), "a leaf that has left the wallet")
