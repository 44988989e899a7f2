"""The open books of one batch: a layer of changed cells over a ledger, and the fee formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from circuits.machine.abi import BOOK
from circuits.rollup.cells import OWNED_BY_CELL, BlockCell, Cell, DataCell, ProgramCell, Purse, SystemCell
from circuits.rollup.errors import BatchReason, BatchRefused
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Code, Ledger
from circuits.rollup.params import (
    BASE_FEE_CEILING,
    BASE_FEE_FLOOR,
    BLOCK_CELL,
    CELL_LIMIT,
    EXIT_LIMIT,
    GAS_TARGET,
    INBOX_CELL,
    MAX_DEPOSIT_SATS,
    MAX_SUPPLY,
    MSAT_PER_SAT,
    SCRIPT_BYTES,
    SYSTEM_CELL,
)
from circuits.rollup.types import BlockHash, ForcedExit, Rotate, Transaction, Withdraw
from circuits.rollup.words import ZERO_DIGEST, Digest, bytes_words, word_u64


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a failing transaction must leave as it was."""

    touched: Mapping[int, Cell | None]
    system: SystemCell
    event_commitment: Digest


class Books:
    """Cells as a batch leaves them so far.

    Balances change in `deposit`, `withdraw`, `forced_exit`, `charge` and `move`; by `put` where a system call moves.

    Attributes:
        ledger: The ledger before the batch.
        system: Cell 0 so far.
        inbox: Cell 1 so far.
        deposits: Msat deposited so far.
        withdrawals: Msat withdrawn so far.
        exits: Exit leaves so far, by number.
        event_commitment: What programs said so far; shape (8,).
        codes: Code deployed in this batch, by its hash.
        started: Code that calls have started, by its hash.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.system = ledger.system
        self.inbox = ledger.inbox
        self.deposits = 0
        self.withdrawals = 0
        self.exits: dict[int, Digest] = {}
        self.event_commitment: Digest = ZERO_DIGEST
        self.codes: dict[Digest, Code] = {}
        self.started: dict[Digest, Code] = {}
        self._touched: dict[int, Cell | None] = {}

    def look(self, index: int) -> Cell | None:
        """Any cell below 2^30; it is touched by looking."""
        return self._touched.setdefault(index, self.ledger.cells.get(index))

    def put(self, index: int, cell: Cell) -> None:
        """Write a cell that was looked at; none of the system's."""
        self._touched[index] = cell

    def snapshot(self) -> Snapshot:
        """What `undo` goes back to."""
        return Snapshot(dict(self._touched), self.system, self.event_commitment)

    def undo(self, saved: Snapshot, *, forget: bool = False) -> None:
        """Go back. Cells touched since stay touched, unless `forget`: the transaction never was."""
        since = {} if forget else {i: self.ledger.cells.get(i) for i in self._touched}
        self._touched = since | dict(saved.touched)
        self.system, self.event_commitment = saved.system, saved.event_commitment

    def code(self, code_hash: Digest) -> Code:
        """A program's code, which is about to start.

        Raises:
            BatchRefused: CODE_MISSING: a ledger that does not hold the code of its programs.
        """
        code = self.codes.get(code_hash) or self.ledger.codes.get(code_hash)
        if code is None:
            raise BatchRefused(BatchReason.CODE_MISSING)
        self.started[code_hash] = code
        return code

    def create(self, cell: Cell, where: str) -> int | None:
        """Put a new cell at the next free index, which is returned; None if none is left.

        Raises:
            BatchRefused: FREE_CELL: a ledger whose counter points at a live cell.
        """
        index = self.system.next_free
        if index >= CELL_LIMIT:
            return None
        if self.look(index) is not None:
            raise BatchRefused(BatchReason.FREE_CELL, where, got=index)
        self._touched[index] = cell
        self.system = replace(self.system, next_free=index + 1)
        return index

    def deploy(self, code: Code, where: str) -> int | None:
        """A new program cell and, behind it, its book; the program's index, or None if no two are left."""
        if self.system.next_free + BOOK >= CELL_LIMIT:
            return None
        digest = code_digest(code)
        index = self.create(ProgramCell(digest, len(code)), where)
        if index is not None:
            self.codes[digest] = code
            self.create(DataCell(index, (0, 0, 0, 0)), where)
        return index

    def rotate(self, tx: Rotate) -> None:
        """Give the signer's purse to another key."""
        purse = self.purse(tx.signer)
        self._touched[tx.signer] = replace(purse, owner=tx.new_owner, next_leaf=tx.first_leaf)

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
        if self.ledger.system.supply + self.deposits + amount > MAX_SUPPLY:
            return
        if self.find(index) is None:
            created = self.create(Purse(owner), f"event {number}")
            if created is None:
                return
            index = created
        self.system = replace(self.system, supply=self.system.supply + amount)
        self.deposits += amount
        self.move(index, amount)

    def withdraw(self, tx: Withdraw) -> int:
        """Debit a withdrawal that was found in order; its exit's number. Supply shrinks."""
        return self._exit(tx.signer, tx.amount, tx)

    def forced_exit(self, event: ForcedExit, where: str) -> None:
        """Carry out a forced exit, unless it is invalid.

        Raises:
            BatchRefused: EXITS_FULL: it is valid, and does not fit this batch.
        """
        if not (0 < event.sats <= MAX_DEPOSIT_SATS and 1 <= event.script_length <= SCRIPT_BYTES):
            return
        if event.owner[4:] == OWNED_BY_CELL:
            return
        purse = self.find(event.cell)
        amount = event.sats * MSAT_PER_SAT
        if purse is None or purse.owner != event.owner or purse.balance < amount:
            return
        if len(self.exits) >= EXIT_LIMIT:
            raise BatchRefused(BatchReason.EXITS_FULL, where)
        self._exit(event.cell, amount, event)

    def _exit(self, index: int, amount: int, leaf: Withdraw | ForcedExit) -> int:
        self.move(index, -amount)
        self.system = replace(self.system, supply=self.system.supply - amount)
        self.withdrawals += amount
        number = len(self.exits)
        self.exits[number] = leaf.exit_digest(number)
        return number

    def block_hash(self, event: BlockHash) -> None:
        """Note a Bitcoin block, if it is above the last one."""
        last = self.look(BLOCK_CELL)
        if event.height > (last.height if isinstance(last, BlockCell) else 0):
            a, b, c, d = (word_u64(word) for word in bytes_words(event.block_hash))
            self._touched[BLOCK_CELL] = BlockCell(event.height, (a, b, c, d))

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
