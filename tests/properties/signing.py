"""Real signatures for a batch whose own and co-signatures are blank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from circuits.rollup import signing
from circuits.rollup.batch import Batch
from circuits.rollup.cells import Cell, KeyCell
from circuits.rollup.ledger import Ledger
from circuits.xmss.batch import keygen
from circuits.xmss.scheme import SecretKey
from tests.circuits.rollup import builders
from tests.properties.random_programs import SIGNERS


def signers(cells: Sequence[int] = SIGNERS) -> dict[int, SecretKey]:
    """Keys of 256 leaves for the purses in some cells."""
    return dict(zip(cells, keygen([bytes([cell % 251]) * 32 for cell in cells], 8), strict=True))


def with_keys(before: Ledger, keys: Mapping[int, SecretKey]) -> Ledger:
    """The ledger whose purses, and key cells, have real keys."""
    owned: dict[int, Cell] = {
        cell: replace(before.cells[cell], owner=key.public_key.owner())  # type: ignore[type-var]
        for cell, key in keys.items()
    }
    real = {builders.key(cell).owner(): key.public_key.owner() for cell, key in keys.items()}
    owned |= {
        index: replace(cell, owner=real.get(cell.owner, cell.owner))
        for index, cell in before.cells.items()
        if isinstance(cell, KeyCell)
    }
    return Ledger.of_cells({**before.cells, **owned}, before.codes.values())


def sign_batch(before: Ledger, batch: Batch, keys: Mapping[int, SecretKey]) -> Batch:
    """The transactions that can be included, signed in place of the stand-in keys."""
    real = {builders.key(cell): key.public_key for cell, key in keys.items()}
    transactions = tuple(
        replace(
            tx,
            public_key=keys[tx.transaction.signer].public_key,
            cosignatures=tuple(
                replace(given, public_key=real[given.public_key]) for given in tx.cosignatures
            ),
        )
        for tx in batch.transactions
    )
    by_owner = {key.public_key.owner(): key for key in keys.values()}
    return signing.sign_batch(before, replace(batch, transactions=transactions), by_owner)
