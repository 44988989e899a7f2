"""The open books of one batch: a layer of changed cells over a ledger, and the fee formulas."""

from __future__ import annotations

from dataclasses import replace

from circuits.rollup.cells import Cell, Purse
from circuits.rollup.errors import BatchReason, BatchRefused
from circuits.rollup.ledger import Ledger
from circuits.rollup.params import (
    BASE_FEE_CEILING,
    BASE_FEE_FLOOR,
    CELL_LIMIT,
    GAS_TARGET,
    INBOX_CELL,
    MAX_SUPPLY,
    MSAT_PER_SAT,
    SYSTEM_CELL,
)
from circuits.rollup.types import Transaction, Withdraw
from circuits.rollup.words import Digest


class Books:
    """Cells as a batch leaves them so far. Only `deposit`, `withdraw`, `charge` and `move` change a balance.

    Attributes:
        ledger: The ledger before the batch.
        system: Cell 0 so far.
        inbox: Cell 1 so far.
        deposits: Msat deposited so far.
        withdrawals: Msat withdrawn so far.
        exits: Exit leaves so far, by number.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.system = ledger.system
        self.inbox = ledger.inbox
        self.deposits = 0
        self.withdrawals = 0
        self.exits: dict[int, Digest] = {}
        self._touched: dict[int, Cell | None] = {}

    def peek(self, index: int) -> Purse | None:
        """The BTC purse in a cell, if there is one; the cell does not become a touched one."""
        cell = self._touched.get(index) if index in self._touched else self.ledger.cells.get(index)
        return cell if isinstance(cell, Purse) and cell.is_btc else None

    def find(self, index: int) -> Purse | None:
        """The BTC purse in a cell, if there is one; a cell that exists is touched by looking."""
        if index < CELL_LIMIT:
            self._touched.setdefault(index, self.ledger.cells.get(index))
        return self.peek(index)

    def purse(self, index: int) -> Purse:
        """The BTC purse in a cell that is known to hold one.

        Raises:
            KeyError: It does not.
        """
        purse = self.find(index)
        if purse is None:
            raise KeyError(index)
        return purse

    def move(self, index: int, amount: int) -> None:
        """Credit (or, negative, debit) a purse; the caller has checked that the balance covers it."""
        purse = self.purse(index)
        self._touched[index] = replace(purse, balance=purse.balance + amount)

    def charge(self, index: int, fee: int, leaf: int) -> None:
        """Debit a fee, advance the nonce, and pass the signature's leaf."""
        purse = self.purse(index)
        self._touched[index] = replace(
            purse, balance=purse.balance - fee, nonce=purse.nonce + 1, next_leaf=leaf + 1
        )

    def deposit(self, index: int, owner: Digest, amount: int, number: int) -> None:
        """Credit a purse, or a new one at the next free cell; supply grows.

        Nothing happens if the supply would exceed its maximum or no cell is left.

        Raises:
            BatchRefused: FREE_CELL: a ledger whose counter points at a live cell.
        """
        system = self.system
        if system.supply + amount > MAX_SUPPLY:
            return
        if self.find(index) is None:
            index = system.next_free
            if index >= CELL_LIMIT:
                return
            if self.ledger.cells.get(index) or self._touched.get(index):
                raise BatchRefused(BatchReason.FREE_CELL, f"event {number}", got=index)
            system = replace(system, next_free=index + 1)
            self._touched[index] = Purse(owner)
        self.system = replace(system, supply=system.supply + amount)
        self.deposits += amount
        self.move(index, amount)

    def withdraw(self, tx: Withdraw) -> int:
        """Debit a withdrawal that was found in order; its exit's number. Supply shrinks."""
        self.move(tx.signer, -tx.amount)
        self.system = replace(self.system, supply=self.system.supply - tx.amount)
        self.withdrawals += tx.amount
        number = len(self.exits)
        self.exits[number] = tx.exit_digest(number)
        return number

    def cells_after(self) -> dict[int, Cell | None]:
        """All touched cells, system cells included, by increasing index."""
        cells = {**self._touched, SYSTEM_CELL: self.system, INBOX_CELL: self.inbox}
        return {index: cells[index] for index in sorted(cells)}


def fees_of(tx: Transaction, base_fee: int, l1_rate: int) -> tuple[int, int, int]:
    """Base fee, tip and data fee of a transaction.

    Args:
        tx: The transaction.
        base_fee: Msat per gas.
        l1_rate: Msat per published byte.

    Units: msat.
    """
    return tx.gas * base_fee, tx.gas * tx.tip, tx.num_bytes * l1_rate


def next_base_fee(base_fee: int, gas: int) -> int:
    """Base fee of the next batch: times 7/8 when empty, 9/8 when twice the target or more; rounded down.

    Above the target it rises by 1 at least: rounding cannot hold a small fee down.

    Units: msat per gas.
    """
    factor = 7 * GAS_TARGET + min(gas, 2 * GAS_TARGET)
    following = base_fee * factor // (8 * GAS_TARGET)
    if gas > GAS_TARGET:
        following = max(following, base_fee + 1)
    return min(max(following, BASE_FEE_FLOOR), BASE_FEE_CEILING)


def whole_sats(amount: int) -> bool:
    """Whether msat are a positive number of whole sats."""
    return amount > 0 and amount % MSAT_PER_SAT == 0
