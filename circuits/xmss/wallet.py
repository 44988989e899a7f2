"""A wallet on disk: the keys of one seed, and which leaves they have used.

**One leaf never signs two messages.** The leaf and its message are committed to disk (SQLite,
`synchronous=EXTRA`, so the file and its directory are flushed) *before* the signature is computed. A crash
in between costs a leaf, and `repeat` can still make that leaf's signature: the same message, the same
bytes. The commit runs under SQLite's write lock (a lock on the file), so processes that share a directory
take different leaves. Triggers in the database refuse to lower a counter or to change a used leaf.

**Restoring from the seed.** The seed does not say which leaves are used, and the ledger shows only
signatures that landed. So a wallet never runs more than R = `reserved_leaves(height)` (an eighth of the
key) ahead of the `next_leaf` that its caller last read from the ledger, and the n-th restore of a seed
starts at L + n R, where L is the ledger's leaf, and may use R leaves before it has to hear of the ledger.
Keys that a restored wallet adds by `rotate` start at n R too: the lost wallet may have added them before.
*Proof:* the i-th restore (0: the first wallet) uses leaves below max(L_i + (i + 1) R, L' + R), where
L_i <= L was the ledger's leaf when it began and L' <= L the last it heard of; so below L + (i + 1) R.
Read the ledger's leaf from *settled* state (batches that L1 can no longer roll back); of a key that owns
several purses take the largest. Never copy a wallet file back from a backup, its counter is old: keep the
seed, restore, and move to a new seed when convenient.

**Rotation.** The last 2 R leaves sign only with `rotation=True`: to move everything to the next key, which
`rotate` makes from the same seed. Two, so that a wallet lost at the end can still be restored and rotated.

The seed lies in the file unencrypted (mode 0600 in a directory of mode 0700).
"""

from __future__ import annotations

import os
import sqlite3
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from circuits.xmss import batch, derive
from circuits.xmss.batch import Kernels
from circuits.xmss.errors import XmssError, XmssReason
from circuits.xmss.hashing import Digest
from circuits.xmss.scheme import (
    DIGEST_BYTES,
    PublicKey,
    SecretKey,
    Signature,
    check_message,
    check_seed_and_height,
)
from circuits.xmss.wallet_store import (
    SCHEMA,
    WalletError,
    WalletReason,
    connection,
    flush_directory,
    transaction,
)

FILE_NAME: Final = "wallet.db"
FORMAT: Final = 1
CONTEXT_KEY: Final = "pegproof 2026 wallet key"


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key as `Wallet.keys` shows it.

    Attributes:
        number: 0 for the first key of the seed; a rotation adds one.
        public_key: What to publish; `public_key.owner()` names purses.
        next_leaf: First leaf that has not been used.
        ledger_leaf: Largest `next_leaf` of the ledger that the wallet was told.
        signatures_left: Ordinary signatures before EXHAUSTED, were the ledger to keep up.
    """

    number: int
    public_key: PublicKey
    next_leaf: int
    ledger_leaf: int
    signatures_left: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that has left the wallet, with what a verifier needs."""

    number: int
    leaf: int
    message: Digest
    public_key: PublicKey
    signature: Signature


@dataclass(frozen=True, slots=True)
class Restored:
    """A key to restore.

    Attributes:
        height: 8..18.
        ledger_leaf: The ledger's settled `next_leaf`, the largest of the owner's purses.
    """

    height: int
    ledger_leaf: int


@dataclass(frozen=True, slots=True)
class _KeyRow:
    """A key to insert; restored_limit is the first leaf past what a restored key may use at once."""

    height: int
    next_leaf: int = 0
    ledger_leaf: int = 0
    restored_limit: int = 0


def reserved_leaves(height: int) -> int:
    """How far a key may run ahead of the ledger, hence what a restore skips: an eighth of its leaves."""
    return 1 << (height - 3)


def ordinary_leaves(height: int) -> int:
    """Leaves that sign without `rotation=True`: all but the last two reserves, three quarters of the key."""
    return (1 << height) - 2 * reserved_leaves(height)


def _restored_row(height: int, ledger_leaf: int, restores: int) -> _KeyRow:
    """Counters of a key whose leaves earlier wallets of the seed may have used."""
    start = ledger_leaf + restores * reserved_leaves(height)
    return _KeyRow(height, start, ledger_leaf, start + reserved_leaves(height))


class Wallet:
    """The wallet in one directory. Every operation opens the file anew; instances hold no counters."""

    def __init__(self, directory: Path, kernels: Kernels | None = None) -> None:
        """Open an existing wallet.

        Args:
            directory: Where `create` or `restore` made it.
            kernels: For `batch`; defaults to the native ones.

        Raises:
            WalletError: MISSING or DAMAGED.
        """
        self._path = directory / FILE_NAME
        self._kernels = kernels
        self._secret_keys: dict[int, SecretKey] = {}
        if not self._path.is_file():
            raise WalletError(WalletReason.MISSING, str(directory))
        with transaction(self._path) as db:
            rows = db.execute("SELECT format FROM wallet").fetchall()
        if rows != [(FORMAT,)]:
            raise WalletError(WalletReason.DAMAGED, str(directory))

    @classmethod
    def create(cls, directory: Path, seed: bytes, height: int, kernels: Kernels | None = None) -> Wallet:
        """Make a wallet for a **fresh** seed; for a seed that may have signed before, `restore`.

        Args:
            directory: Made if it is missing.
            seed: 32 secret random bytes.
            height: Height of key 0, 8..18.
            kernels: For `batch`.

        Raises:
            WalletError: EXISTS.
            XmssError: SEED or HEIGHT.
        """
        return cls._make(directory, seed, 0, [_KeyRow(height)], kernels)

    @classmethod
    def restore(
        cls,
        directory: Path,
        seed: bytes,
        keys: Sequence[Restored],
        earlier_restores: int = 0,
        kernels: Kernels | None = None,
    ) -> Wallet:
        """Make a wallet from a seed that has signed before; every leaf that may be used is skipped.

        Args:
            directory: Made if it is missing.
            seed: The seed.
            keys: Keys 0, 1, .. of the seed, as the ledger knows them.
            earlier_restores: How often this seed was restored before, ever.
            kernels: For `batch`.

        Raises:
            WalletError: EXISTS.
            XmssError: SEED, HEIGHT, or EPOCH when a ledger leaf or the number of restores cannot be.
        """
        restores = earlier_restores + 1
        rows = []
        for key in keys:
            check_seed_and_height(seed, key.height)
            if not 0 <= key.ledger_leaf <= 1 << key.height or restores < 1:
                raise XmssError(XmssReason.EPOCH, f"leaf {key.ledger_leaf}, restore {restores}")
            rows.append(_restored_row(key.height, key.ledger_leaf, restores))
        return cls._make(directory, seed, restores, rows, kernels)

    @classmethod
    def _make(
        cls, directory: Path, seed: bytes, restores: int, rows: Sequence[_KeyRow], kernels: Kernels | None
    ) -> Wallet:
        """Write a whole file beside the final name, then link it there: never half, never over another."""
        for row in rows:
            check_seed_and_height(seed, row.height)
        target = directory / FILE_NAME
        if target.exists():
            raise WalletError(WalletReason.EXISTS, str(directory))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=FILE_NAME, dir=directory)
        os.close(handle)
        try:
            with connection(Path(name)) as db:
                db.executescript(SCHEMA)
                db.execute("BEGIN IMMEDIATE")
                db.execute("INSERT INTO wallet VALUES (?, ?, ?)", (FORMAT, seed, restores))
                for number, row in enumerate(rows):
                    _insert_key(db, seed, number, row, kernels)
                db.execute("COMMIT")
            os.link(name, target)
        except FileExistsError as error:
            raise WalletError(WalletReason.EXISTS, str(directory)) from error
        finally:
            os.unlink(name)
        flush_directory(directory)
        return cls(directory, kernels)

    def keys(self) -> list[KeyState]:
        """All keys, oldest first; the last is the current one."""
        query = "SELECT number, height, next_leaf, ledger_leaf FROM keys ORDER BY number"
        states = []
        with transaction(self._path) as db:
            for number, height, next_leaf, ledger_leaf in db.execute(query).fetchall():
                public_key = self._secret_key(db, number).public_key
                left = max(0, ordinary_leaves(height) - next_leaf)
                states.append(KeyState(number, public_key, next_leaf, ledger_leaf, left))
        return states

    def backup(self) -> tuple[bytes, int]:
        """The seed, and how often it was restored: with the keys' heights, what `restore` needs."""
        with transaction(self._path) as db:
            seed, restores = db.execute("SELECT seed, restores FROM wallet").fetchone()
        return bytes(seed), int(restores)

    def sign(
        self, message: Digest, ledger_leaf: int = 0, number: int | None = None, rotation: bool = False
    ) -> Signed:
        """`sign_many` of one message."""
        return self.sign_many([message], ledger_leaf, number, rotation)[0]

    def sign_many(
        self,
        messages: Sequence[Digest],
        ledger_leaf: int = 0,
        number: int | None = None,
        rotation: bool = False,
    ) -> list[Signed]:
        """Sign with fresh leaves, one a message; all of them are stored as used before the first is computed.

        Args:
            messages: Shape (n, 8).
            ledger_leaf: The key's `next_leaf` in settled ledger state, if known: leaves start there at least,
                and it moves the limit of AHEAD.
            number: Which key; the current one if None.
            rotation: Whether leaves past `ordinary_leaves` may be used.

        Raises:
            WalletError: EXHAUSTED (rotate), AHEAD (tell it the ledger's leaf, or rotate), NO_KEY, LOCKED; no
                leaf is used then.
            XmssError: MALFORMED; no leaf is used then.
        """
        key, number, first = self._take_leaves(messages, ledger_leaf, number, rotation)
        return self._signed(key, number, [(first + i, message) for i, message in enumerate(messages)])

    def repeat(self, leaf: int, number: int | None = None) -> Signed:
        """The signature of a leaf that was used before, for the message that it was used for.

        Raises:
            WalletError: NO_LEAF or NO_KEY.
        """
        query = "SELECT message FROM leaves WHERE number = ? AND leaf = ?"
        with transaction(self._path) as db:
            number = _key_number(db, number)
            key = self._secret_key(db, number)
            row = db.execute(query, (number, leaf)).fetchone()
        if row is None:
            raise WalletError(WalletReason.NO_LEAF, f"leaf {leaf} of key {number}")
        return self._signed(key, number, [(leaf, struct.unpack("<8I", row[0]))])[0]

    def rotate(self, height: int) -> KeyState:
        """Add the seed's next key, which becomes the current one; the old keys stay usable by number.

        Raises:
            XmssError: HEIGHT.
        """
        with transaction(self._path) as db:
            seed, restores = db.execute("SELECT seed, restores FROM wallet").fetchone()
            check_seed_and_height(seed, height)
            row = _restored_row(height, 0, restores) if restores else _KeyRow(height)
            number = db.execute("SELECT coalesce(max(number) + 1, 0) FROM keys").fetchone()[0]
            _insert_key(db, seed, number, row, self._kernels)
        return self.keys()[-1]

    def _take_leaves(
        self, messages: Sequence[Digest], ledger_leaf: int, number: int | None, rotation: bool
    ) -> tuple[SecretKey, int, int]:
        """Commit the leaves and messages to disk; returns the key, its number and the first leaf."""
        query = "SELECT next_leaf, ledger_leaf, restored_limit FROM keys WHERE number = ?"
        with transaction(self._path) as db:
            number = _key_number(db, number)
            key = self._secret_key(db, number)
            for message in messages:
                check_message(key.height, 0, message)
            next_leaf, known, restored_limit = db.execute(query, (number,)).fetchone()
            known = max(known, ledger_leaf)
            first = max(next_leaf, known)
            end = first + len(messages)
            usable = 1 << key.height if rotation else ordinary_leaves(key.height)
            if end > usable:
                raise WalletError(WalletReason.EXHAUSTED, f"{max(0, usable - first)} left of key {number}")
            limit = max(known + reserved_leaves(key.height), restored_limit)
            if end > limit:
                raise WalletError(WalletReason.AHEAD, f"ledger at {known}, leaf {end - 1} >= {limit}")
            counters = "UPDATE keys SET next_leaf = ?, ledger_leaf = ? WHERE number = ?"
            db.execute(counters, (end, known, number))
            packed = [(number, first + i, struct.pack("<8I", *m)) for i, m in enumerate(messages)]
            db.executemany("INSERT INTO leaves VALUES (?, ?, ?)", packed)
        return key, number, first

    def _signed(self, key: SecretKey, number: int, used: Sequence[tuple[int, Digest]]) -> list[Signed]:
        """Signatures of leaves that are on disk already."""
        requests = [batch.SignRequest(key, leaf, message) for leaf, message in used]
        signatures = batch.sign(requests, self._kernels)
        return [
            Signed(number, leaf, message, key.public_key, signature)
            for (leaf, message), signature in zip(used, signatures, strict=True)
        ]

    def _secret_key(self, db: sqlite3.Connection, number: int) -> SecretKey:
        """The key with its stored tree, checked against the seed on first use."""
        if number not in self._secret_keys:
            query = "SELECT seed, height, tree FROM wallet, keys WHERE number = ?"
            seed, height, tree = db.execute(query, (number,)).fetchone()
            sizes = [DIGEST_BYTES << (height - level) for level in range(height + 1)]
            starts = [sum(sizes[:level]) for level in range(height + 1)]
            levels = [tree[start : start + size] for start, size in zip(starts, sizes, strict=True)]
            self._secret_keys[number] = SecretKey.from_tree(_key_seed(seed, number), height, levels)
        return self._secret_keys[number]


def public_key(seed: bytes, number: int, height: int, kernels: Kernels | None = None) -> PublicKey:
    """Key `number` of a seed, without a wallet: what its purses are looked for by.

    Raises:
        XmssError: SEED or HEIGHT.
    """
    check_seed_and_height(seed, height)
    [key] = batch.keygen([_key_seed(seed, number)], height, kernels)
    return key.public_key


def _key_seed(seed: bytes, number: int) -> bytes:
    """Seed of the wallet's key `number`."""
    return derive.expand(CONTEXT_KEY, seed + number.to_bytes(4, "little"), derive.SEED_BYTES)


def _key_number(db: sqlite3.Connection, number: int | None) -> int:
    """The asked key, or the newest; NO_KEY if there is none."""
    query = "SELECT max(number) FROM keys WHERE ?1 IS NULL OR number = ?1"
    found = db.execute(query, (number,)).fetchone()[0]
    if found is None:
        raise WalletError(WalletReason.NO_KEY, "none" if number is None else str(number))
    return int(found)


def _insert_key(
    db: sqlite3.Connection, seed: bytes, number: int, row: _KeyRow, kernels: Kernels | None
) -> None:
    """Generate a key and store it with its tree."""
    [key] = batch.keygen([_key_seed(seed, number)], row.height, kernels)
    values = (number, row.height, row.next_leaf, row.ledger_leaf, row.restored_limit, b"".join(key.tree))
    db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", values)
