"""Signs a transaction with a wallet, appends it to a batch file; either step is durable or did not happen."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from circuits.machine.abi import MAX_GAS
from circuits.rollup.cells import Purse
from circuits.rollup.compose import next_batch
from circuits.rollup.errors import FailureReason, TransactionRefused
from circuits.rollup.files import write_atomic
from circuits.rollup.ledger import Ledger
from circuits.rollup.public_values import PublicValues
from circuits.rollup.published import BLANK_SIGNATURE
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.system_calls import cosign_message
from circuits.rollup.transition import Receipt, apply
from circuits.rollup.types import Calls, Cosignature, InboxEvent, SignedTransaction, Transaction
from circuits.xmss.hashing import Digest
from circuits.xmss.wallet import KeyState, Wallet, public_key
from verifier.orders import GAS_SHARE, CallList, Order, Rotation, Setting
from verifier.pipeline import BatchDirectory, PipelineError, open_batch

TRIES = 4
"""How often a leaf is chosen anew when another process takes it first; each try costs a leaf."""
TRIAL_GAS = (25_000, MAX_GAS)
"""Gas limits with which calls are tried, one after the other while they run out of gas."""


@dataclass(frozen=True)
class Appended:
    """A signed transaction in a batch file.

    Attributes:
        position: its number in the batch.
        transaction: what was signed.
        receipt: what becomes of it in the batch as it stands.
        balance: of the purse before it.
    """

    position: int
    transaction: Transaction
    receipt: Receipt
    balance: int


@dataclass(frozen=True)
class Cosigned:
    """An answer to a CHECKSIG.

    Attributes:
        purse: whose owner has signed.
        leaf: that has signed; the call must name it.
        cosignature: goes with the transaction.
    """

    purse: int
    leaf: int
    cosignature: Cosignature


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time changes a batch directory."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def start_next_batch(
    path: Path, producer: int | None = None, l1_rate: int | None = None, bitcoin_height: int | None = None
) -> tuple[Path, int]:
    """Puts a committed batch aside and starts an empty one that follows the ledger.

    Args:
        path: batch directory.
        producer: cell of the purse that gets the tips; the last batch's by default.
        l1_rate: msat per published byte; the last batch's by default.
        bitcoin_height: the producer's claim; the ledger's by default.

    Returns:
        Where the committed batch is now, and the new batch's number.

    Raises:
        PipelineError: the batch was not committed, or the next would be refused.
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
            bitcoin_height=bitcoin_height,
        )
        if batch.header.bitcoin_height < ledger.inbox.bitcoin_height:
            raise PipelineError(f"the ledger is at Bitcoin height {ledger.inbox.bitcoin_height} already")
        if ledger.btc_purse(batch.header.producer) is None:
            raise PipelineError(f"cell {batch.header.producer} is no purse: the producer needs one")
        kept = source.path / f"batch-{number:06}.bin"
        write_atomic(kept, source.batch.encode())
        write_atomic(source.path / BATCH_FILE, batch.encode())
    return kept, ledger.system.batch_number + 1


def append_events(path: Path, events: Sequence[InboxEvent]) -> PublicValues:
    """Appends inbox events to a batch, which must consume them from then on; what the batch does with them.

    Raises:
        PipelineError: the batch was committed.
        RollupError: the directory is damaged, the batch is refused with them, or the file cannot be written.
    """
    with changing(path) as source:
        header = source.batch.header
        due = header.inbox_due_count + len(events)
        batch = replace(
            source.batch, header=replace(header, inbox_due_count=due), events=(*source.batch.events, *events)
        )
        done = apply(source.ledger, batch)
        write_atomic(source.batch_file, batch.encode())
    return done.public_values


def owned_purses(ledger: Ledger, owner: Digest) -> dict[int, Purse]:
    """BTC purses of an owner, by cell."""
    return {
        index: cell
        for index, cell in sorted(ledger.cells.items())
        if isinstance(cell, Purse) and cell.is_btc and cell.owner == owner
    }


def sign_and_append(
    wallet: Wallet, path: Path, order: Order, cell: int | None = None, even_if_it_fails: bool = False
) -> Appended:
    """Signs an order and appends it to a batch file.

    Nonce, leaf and balance are those after the batch's earlier transactions. The transaction is tried before
    it is signed. The wallet stores the leaf before it signs; the batch file is replaced whole.

    Args:
        wallet: signs with its newest key that owns the purse.
        path: batch directory.
        order: what to sign.
        cell: the purse; needed where the wallet owns several.
        even_if_it_fails: sign what would fail (and pay its fee) as well.

    Raises:
        PipelineError: no such purse, the batch was committed, the balance does not cover the order, or it would
            fail.
        RollupError: the batch directory is damaged, its batch or the transaction is refused, or the file cannot
            be written.
        WalletError: the wallet refuses; no leaf was used.
    """
    with changing(path) as source:
        trial = Trial(source)
        key, where, purse = choose(wallet, trial.ledger, cell)
        signed, receipt = _sign(wallet, key, trial, where, purse, order, even_if_it_fails)
        batch = replace(source.batch, transactions=(*source.batch.transactions, signed))
        write_atomic(source.batch_file, batch.encode())
    return Appended(len(batch.transactions) - 1, signed.transaction, receipt, purse.balance)


def rotate_and_append(
    wallet: Wallet, path: Path, height: int, cell: int | None = None, tip: int = 0, max_fee: int | None = None
) -> tuple[Appended, KeyState]:
    """Gives a purse to the wallet's newest key, which is made first if the purse has that already.

    The key is durable before the transaction is signed: an interrupted rotation goes on with it.

    Args:
        wallet: as `sign_and_append`.
        path: batch directory.
        height: of a key that is made.
        cell: as `sign_and_append`.
        tip: as `Order`.
        max_fee: as `Order`.

    Raises:
        PipelineError, RollupError, WalletError: as `sign_and_append`.
        XmssError: the height.
    """
    with changing(path) as source:
        old, where, _ = choose(wallet, Trial(source).ledger, cell)
        new = wallet.keys()[-1]
        if new.number == old.number:
            new = wallet.rotate(height)
    return sign_and_append(wallet, path, Rotation(key=new, tip=tip, max_fee=max_fee), where), new


def cosign(wallet: Wallet, path: Path, program: int, a: int, b: int, cell: int | None = None) -> Cosigned:
    """Signs what a program's CHECKSIG asks of the owner of a purse.

    Args:
        wallet: of the owner.
        path: batch directory.
        program: cell of the program that asks.
        a: first word, of the program's choice.
        b: second word.
        cell: the purse; needed where the wallet owns several.

    Raises:
        PipelineError: no such purse, or the batch was committed.
        RollupError: the batch directory is damaged or its batch is refused.
        WalletError: the wallet refuses; no leaf was used.
    """
    with changing(path) as source:
        key, where, _ = choose(wallet, Trial(source).ledger, cell)
        message = cosign_message(source.batch.chain_id, program, where, a, b)
        signed = wallet.sign(message, settled_leaf(source.ledger, where, key), key.number)
    return Cosigned(where, signed.leaf, Cosignature(signed.public_key, signed.signature))


@contextmanager
def changing(path: Path) -> Iterator[BatchDirectory]:
    """An open batch directory that no other process changes meanwhile.

    Raises:
        PipelineError: the batch was committed.
        RollupError: the directory is damaged.
    """
    source = open_batch(path)
    with locked(source.path):
        source = open_batch(source.batch_file)
        if source.committed:
            raise PipelineError("this batch was committed: start the next with `pegproof batch next`")
        yield source


class Trial:
    """A batch as it stands, to which transactions are added on trial.

    Attributes:
        source: the batch.
        ledger: after it.
    """

    def __init__(self, source: BatchDirectory) -> None:
        """Executes the batch.

        Raises:
            BatchRefused: the batch breaks a rule.
        """
        self.source = source
        done = apply(source.ledger, source.batch)
        self.ledger = done.ledger
        left = {item.position for item in done.left_out}
        self._valid = [position not in left for position in range(len(source.batch.transactions))]

    def run(self, tx: Transaction, key: KeyState, cosignatures: tuple[Cosignature, ...]) -> Receipt:
        """What becomes of one more transaction, were it signed.

        Raises:
            TransactionRefused: it cannot be included.
        """
        batch = self.source.batch
        signed = SignedTransaction(tx, key.public_key, BLANK_SIGNATURE, cosignatures)
        batch = replace(batch, transactions=(*batch.transactions, signed))
        done = apply(self.source.ledger, batch, valid=[*self._valid, True])
        last = done.left_out[-1] if done.left_out else None
        if last is not None and last.position == len(self._valid):
            raise TransactionRefused(last.reason, "this transaction", last.expected, last.got)
        return done.receipts[-1]


def choose(wallet: Wallet, ledger: Ledger, cell: int | None) -> tuple[KeyState, int, Purse]:
    """The key and the purse that it signs for.

    Raises:
        PipelineError: there is none, or there are several.
    """
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


def settled_leaves(path: Path, seed: bytes, heights: Sequence[int]) -> tuple[int, ...]:
    """For `Wallet.restore`: the largest `next_leaf` of each key's purses in a directory's committed ledger.

    A key that was rotated away owns no purse any more; all its leaves count as used.

    Raises:
        StoreError: no store there.
        PipelineError: the last key owns no purse.
        XmssError: seed or height.
    """
    with Store.open(path / STATE_FILE) as store:
        ledger = store.ledger()
    leaves = []
    for number, height in enumerate(heights):
        purses = owned_purses(ledger, public_key(seed, number, height).owner())
        if not purses and number == len(heights) - 1:
            raise PipelineError(
                f"key {number} of height {height} owns no purse in the ledger of {path}: check seed and heights, "
                "or give --ledger-leaf"
            )
        leaves.append(max((purse.next_leaf for purse in purses.values()), default=1 << height))
    return tuple(leaves)


def settled_leaf(ledger: Ledger, cell: int, key: KeyState) -> int:
    """`next_leaf` of a purse before the batch; 0 if it was another key's then."""
    purse = ledger.cells.get(cell)
    owned = isinstance(purse, Purse) and purse.owner == key.public_key.owner()
    return purse.next_leaf if owned and isinstance(purse, Purse) else 0


def _sign(
    wallet: Wallet,
    key: KeyState,
    trial: Trial,
    cell: int,
    purse: Purse,
    order: Order,
    even_if_it_fails: bool,
) -> tuple[SignedTransaction, Receipt]:
    """The order, tried and signed; the leaf is part of what is signed, so it is chosen first."""
    source = trial.source
    settled = settled_leaf(source.ledger, cell, key)
    for _ in range(TRIES):
        states = wallet.keys()
        state = next(k for k in states if k.number == key.number)
        leaf = max(state.next_leaf, purse.next_leaf, settled)
        setting = Setting(cell, purse, leaf, source.ledger.system.base_fee, source.batch.header.l1_rate)
        if isinstance(order, CallList) and order.gas_limit is None:
            order = _with_gas_limit(trial, key, setting, order)
        tx = order.transaction(setting)
        fee = setting.most(tx)
        if fee > tx.max_fee:
            raise PipelineError(f"the fee is {fee:,} msat, above the maximum of {tx.max_fee:,}")
        if order.amount + fee > purse.balance:
            raise PipelineError(
                f"cell {cell} holds {purse.balance:,} msat; {order.amount:,} and a fee of {fee:,} do not fit"
            )
        receipt = trial.run(tx, key, order.cosignatures)
        if receipt.failure is not None and not even_if_it_fails:
            why = f"{receipt.failure.value}{': ' if receipt.detail else ''}{receipt.detail}"
            raise PipelineError(f"this would fail and cost its fee: {why} (--even-if-it-fails signs it)")
        signed = wallet.sign(tx.digest(source.batch.chain_id), settled, key.number, order.rotates)
        if signed.leaf == leaf:
            whole = SignedTransaction(tx, signed.public_key, signed.signature, order.cosignatures)
            return whole, receipt
    raise PipelineError("other processes keep taking this wallet's leaves; try again")


def _with_gas_limit(trial: Trial, key: KeyState, setting: Setting, order: CallList) -> CallList:
    """The order with a gas limit a quarter above what its calls use in the batch as it stands."""
    used = 0
    for gas in TRIAL_GAS:
        tried = order.limited(gas, setting)
        tx = tried.transaction(setting)
        if isinstance(tx, Calls) and tx.gas_limit < tx.first_gas:
            raise PipelineError(
                f"cell {setting.cell} holds {setting.purse.balance:,} msat: with that, and the maximum fee if one was "
                f"given, {tx.gas_limit:,} gas can be paid, and these calls take {tx.first_gas:,} before they run"
            )
        receipt = trial.run(tx, key, order.cosignatures)
        used = receipt.gas
        if receipt.failure is not FailureReason.OUT_OF_GAS:
            break
    return order.limited(used + used // GAS_SHARE, setting)
