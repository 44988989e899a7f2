"""A chain of one-transaction batches for tests of programs; each batch runs in specification and kernel."""

from __future__ import annotations

from dataclasses import replace

from circuits.machine.program import Program
from circuits.rollup.batch import Batch
from circuits.rollup.cells import Cell, DataCell, Purse, owner_cell
from circuits.rollup.inclusion import Receipt
from circuits.rollup.ledger import Ledger
from circuits.rollup.types import Call, Calls, Cosignature, Deploy, Transaction
from tests.circuits.rollup import builders
from tests.circuits.rollup.builders import BLANK_SIGNATURE, key
from tests.circuits.rollup.test_user_kernel import check


class Chain:
    """The ledger so far, the height and slot of the next batch, and each batch with the ledger before it."""

    def __init__(self) -> None:
        self.ledger: Ledger = builders.ledger()
        self.batches: list[tuple[Ledger, Batch]] = []
        self.slot, self.height = 10, 100

    def send(self, tx: Transaction, cosigners: tuple[int, ...] = ()) -> Receipt | None:
        """Include a transaction; None if it is left out."""
        batch = builders.batch(tx, slot=self.slot, bitcoin_height=self.height)
        answers = tuple(Cosignature(key(cell), BLANK_SIGNATURE) for cell in cosigners)
        batch = replace(batch, transactions=(replace(batch.transactions[0], cosignatures=answers),))
        done = check(self.ledger, batch)
        self.batches.append((self.ledger, batch))
        self.ledger = done.ledger
        self.slot += 1
        return done.receipts[0] if done.receipts else None

    def deploy(self, signer: int, program: Program) -> int:
        """Deploy a program; its cell."""
        receipt = self.send(Deploy(signer, **self._next(signer), code=program.encode(), max_fee=10**11))
        assert receipt is not None
        assert receipt.program is not None
        return receipt.program

    def calls(self, signer: int, *calls: Call, cosigners: tuple[int, ...] = ()) -> Receipt | None:
        """Send a list of calls."""
        tx = Calls(signer, **self._next(signer), calls=calls, gas_limit=60_000, max_fee=10**11)
        return self.send(tx, cosigners)

    def succeed(self, signer: int, *calls: Call, cosigners: tuple[int, ...] = ()) -> Receipt:
        """Send calls that must succeed."""
        receipt = self.calls(signer, *calls, cosigners=cosigners)
        assert receipt is not None
        assert receipt.failure is None, receipt.detail
        return receipt

    def fail(self, signer: int, *calls: Call, cosigners: tuple[int, ...] = ()) -> Receipt:
        """Send calls that must fail."""
        before = self.ledger
        receipt = self.calls(signer, *calls, cosigners=cosigners)
        assert receipt is not None
        assert receipt.failure is not None
        for index, cell in self.ledger.cells.items():
            if index not in (0, 1, 2, 3, builders.PRODUCER, signer):
                assert cell == before.cells[index]
        return receipt

    def _next(self, signer: int) -> dict[str, int]:
        purse = self.purse(signer)
        return {"nonce": purse.nonce, "leaf": purse.next_leaf}

    def cell(self, index: int) -> Cell:
        return self.ledger.cells[index]

    def purse(self, index: int) -> Purse:
        found = self.cell(index)
        assert isinstance(found, Purse)
        return found

    def balance(self, index: int) -> int:
        return self.purse(index).balance

    def data(self, index: int) -> tuple[int, int, int, int]:
        found = self.cell(index)
        assert isinstance(found, DataCell)
        return found.values

    def give(self, index: int, owner: int, balance: int, asset: int) -> None:
        """Put a purse into the ledger by hand."""
        cells = {**self.ledger.cells, index: Purse(owner_cell(owner), balance, asset=asset)}
        self.ledger = Ledger.of_cells(cells, self.ledger.codes.values())
