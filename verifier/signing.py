"""Signs a transaction with a wallet, appends it to a batch file; either step is durable or did not happen."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from circuits.rollup.books import fees_of
from circuits.rollup.cells import Purse
from circuits.rollup.compose import next_batch
from circuits.rollup.files import write_atomic
from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.transition import apply
from circuits.rollup.types import (
    BankTransaction,
    SignedTransaction,
    Transfer,
    Withdraw,
    withdraw_script,
)
from circuits.xmss.hashing import Digest
from circuits.xmss.wallet import KeyState, Wallet
from verifier.pipeline import BatchDirectory, PipelineError, open_batch

TRIES = 4
"""How often a leaf is chosen anew when another process takes it first; each try costs a leaf."""

Unsigned = Callable[[Purse, int, int], BankTransaction]
"""Makes a transaction of (purse, its cell, leaf)."""


@dataclass(frozen=True)
class Order:
    """What a user wants.

    Attributes:
        amount: to send.
        to: receiving cell, or None for a withdrawal.
        script: scriptPubKey of a withdrawal.
        tip: per gas.
        max_fee: most that may be charged; None for twice today's fee.

    Units: msat.
    """

    amount: int
    to: int | None = None
    script: bytes = b""
    tip: int = 0
    max_fee: int | None = None

    def transaction(self, cell: int, purse: Purse, leaf: int, base_fee: int, l1_rate: int) -> BankTransaction:
        """The transaction, unsigned."""
        tx: BankTransaction
        if self.to is not None:
            tx = Transfer(cell, purse.nonce, leaf, self.to, self.amount, 0, self.tip)
        else:
            script, length = withdraw_script(self.script)
            tx = Withdraw(cell, purse.nonce, leaf, self.amount, 0, script, length, self.tip)
        fee = sum(fees_of(tx, base_fee, l1_rate))
        return replace(tx, max_fee=2 * fee if self.max_fee is None else self.max_fee)


@dataclass(frozen=True)
class Appended:
    """A signed transaction in a batch file.

    Attributes:
        position: its number in the batch.
        transaction: what was signed.
        fee: what it costs at today's rates.
        balance: of the purse before it.
    """

    position: int
    transaction: BankTransaction
    fee: int
    balance: int


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time changes a batch directory."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def start_next_batch(path: Path, producer: int | None = None, l1_rate: int | None = None) -> tuple[Path, int]:
    """Puts a committed batch aside and starts an empty one that follows the ledger.

    Args:
        path: batch directory.
        producer: cell of the purse that gets the tips; the last batch's by default.
        l1_rate: msat per published byte; the last batch's by default.

    Returns:
        Where the committed batch is now, and the new batch's number.

    Raises:
        PipelineError: the batch was not committed.
        RollupError: the directory is damaged or cannot be written.
    """
    with locked(open_batch(path).path):
        source = open_batch(path)
        if not source.committed:
            raise PipelineError("this batch is not committed: `pegproof execute --commit` first")
        number = source.ledger.system.batch_number + 1
        with Store.open(source.path / STATE_FILE) as store:
            ledger = store.ledger()
        header = source.batch.header
        batch = next_batch(
            ledger,
            (),
            (),
            producer=header.producer if producer is None else producer,
            l1_rate=header.l1_rate if l1_rate is None else l1_rate,
        )
        if ledger.btc_purse(batch.header.producer) is None:
            raise PipelineError(f"cell {batch.header.producer} is no purse: the producer needs one")
        kept = source.path / f"batch-{number:06}.bin"
        write_atomic(kept, source.batch.encode())
        write_atomic(source.path / BATCH_FILE, batch.encode())
    return kept, ledger.system.batch_number + 1


def owned_purses(ledger: Ledger, owner: Digest) -> dict[int, Purse]:
    """BTC purses of an owner, by cell."""
    return {
        index: cell
        for index, cell in sorted(ledger.cells.items())
        if isinstance(cell, Purse) and cell.is_btc and cell.owner == owner
    }


def sign_and_append(wallet: Wallet, path: Path, order: Order, cell: int | None = None) -> Appended:
    """Signs an order and appends it to a batch file.

    Nonce, leaf and balance are those after the batch's earlier transactions. The wallet stores the leaf
    before it signs; the batch file is replaced whole.

    Args:
        wallet: signs with its newest key that owns the purse.
        path: batch directory.
        order: what to sign.
        cell: the purse; needed where the wallet owns several.

    Raises:
        PipelineError: no such purse, the batch was committed, or the balance does not cover the order.
        RollupError: the batch directory is damaged, its batch is refused, or the file cannot be written.
        WalletError: the wallet refuses; no leaf was used.
    """
    source = open_batch(path)
    with locked(source.path):
        source = open_batch(source.batch_file)
        if source.committed:
            raise PipelineError("this batch was committed: start the next with `pegproof batch next`")
        after = apply(source.ledger, source.batch).ledger
        key, where, purse = _choose(wallet, after, cell)
        tx, signed, fee = _sign(wallet, key, source, where, purse, order)
        batch = replace(source.batch, transactions=(*source.batch.transactions, signed))
        write_atomic(source.batch_file, batch.encode())
    return Appended(len(batch.transactions) - 1, tx, fee, purse.balance)


def _choose(wallet: Wallet, ledger: Ledger, cell: int | None) -> tuple[KeyState, int, Purse]:
    """The key and the purse that it signs for."""
    found = [
        (key, index, purse)
        for key in reversed(wallet.keys())
        for index, purse in owned_purses(ledger, key.public_key.owner()).items()
    ]
    if cell is not None:
        found = [item for item in found if item[1] == cell]
    if not found:
        what = "no purse" if cell is None else f"cell {cell} is no purse"
        raise PipelineError(f"{what} of this wallet in this ledger; `pegproof sample --wallet` makes one")
    if len(found) > 1:
        raise PipelineError(f"several purses: choose one with --cell: {', '.join(str(f[1]) for f in found)}")
    return found[0]


def _sign(
    wallet: Wallet, key: KeyState, source: BatchDirectory, cell: int, purse: Purse, order: Order
) -> tuple[BankTransaction, SignedTransaction, int]:
    """The order, signed, and its fee; the leaf is part of what is signed, so it is chosen first."""
    base_fee, l1_rate = source.ledger.system.base_fee, source.batch.header.l1_rate
    settled = source.ledger.cells.get(cell)
    settled_leaf = settled.next_leaf if isinstance(settled, Purse) else 0
    for _ in range(TRIES):
        states = wallet.keys()
        state = next(k for k in states if k.number == key.number)
        leaf = max(state.next_leaf, purse.next_leaf, settled_leaf)
        tx = order.transaction(cell, purse, leaf, base_fee, l1_rate)
        fee = sum(fees_of(tx, base_fee, l1_rate))
        if fee > tx.max_fee:
            raise PipelineError(f"the fee is {fee:,} msat, above the maximum of {tx.max_fee:,}")
        if order.amount + fee > purse.balance:
            raise PipelineError(
                f"cell {cell} holds {purse.balance:,} msat; {order.amount:,} and a fee of {fee:,} do not fit"
            )
        signed = wallet.sign(tx.digest(source.batch.chain_id), settled_leaf, key.number)
        if signed.leaf == leaf:
            return tx, SignedTransaction(tx, signed.public_key, signed.signature), fee
    raise PipelineError("other processes keep taking this wallet's leaves; try again")
