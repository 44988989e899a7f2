"""The wallet's file: schema, durable transactions, and the reasons a wallet refuses.

Source: https://www.sqlite.org/pragma.html#pragma_synchronous (EXTRA also flushes the directory).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

LOCK_SECONDS: Final = 30.0
"""How long an operation waits for another process."""

SCHEMA: Final = """
CREATE TABLE wallet (format INTEGER NOT NULL, seed BLOB NOT NULL, restores INTEGER NOT NULL);
CREATE TABLE keys (
    number INTEGER PRIMARY KEY, height INTEGER NOT NULL, next_leaf INTEGER NOT NULL,
    ledger_leaf INTEGER NOT NULL, restored_limit INTEGER NOT NULL, tree BLOB NOT NULL);
CREATE TABLE leaves (
    number INTEGER NOT NULL REFERENCES keys, leaf INTEGER NOT NULL, message BLOB NOT NULL,
    PRIMARY KEY (number, leaf)) WITHOUT ROWID;
CREATE TRIGGER counters_only_rise BEFORE UPDATE ON keys
    WHEN NEW.next_leaf < OLD.next_leaf OR NEW.ledger_leaf < OLD.ledger_leaf
    BEGIN SELECT RAISE(ABORT, 'a counter would fall'); END;
CREATE TRIGGER leaves_stay BEFORE UPDATE ON leaves BEGIN SELECT RAISE(ABORT, 'leaf is used'); END;
CREATE TRIGGER leaves_are_kept BEFORE DELETE ON leaves BEGIN SELECT RAISE(ABORT, 'leaf is used'); END;
"""


class WalletReason(StrEnum):
    """Why a wallet refuses."""

    EXISTS = "there is a wallet here already"
    MISSING = "there is no wallet here"
    DAMAGED = "not a readable wallet of this format"
    LOCKED = "another process holds the wallet"
    NO_KEY = "no such key"
    NO_LEAF = "this leaf has not been used here"
    EXHAUSTED = "leaves have run out: rotate the key"
    AHEAD = "too far ahead of the ledger"


class WalletError(RuntimeError):
    """A refusal with its reason.

    Attributes:
        reason: The rule that stopped it.
    """

    def __init__(self, reason: WalletReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason


@contextmanager
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that flushes on every commit and leaves transactions to its user."""
    db = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = EXTRA")
        yield db
    finally:
        db.close()


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """One write transaction under the file's lock, durable when the block ends, undone if it raises.

    Raises:
        WalletError: LOCKED or DAMAGED.
    """
    try:
        with connection(path) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        raise WalletError(
            WalletReason.LOCKED if busy else WalletReason.DAMAGED, f"{path}: {error}"
        ) from error


def flush_directory(directory: Path) -> None:
    """Make the directory's entries durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
