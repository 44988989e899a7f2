"""The durable state store: an SQLite file with every version of every cell and one row a batch.

Write-ahead log, synchronous, one transaction a batch: after kill -9 the store is at the last committed batch.
The tree is not stored: it is rebuilt from the cells on opening and must give the stored root, so a damaged
cell is found at once.

Schema: `batches` (number, root, public values, tape, published bytes, inbox events; batch 0 is genesis), `cells`
(cell index, batch that wrote it, 20 elements), `codes` (batch that deployed it, words).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np

from circuits.rollup.cells import Cell, cell_from_words, words_of
from circuits.rollup.codec import Reader, elements_bytes
from circuits.rollup.errors import CodecError, CodecReason, RollupError, StoreError, StoreReason
from circuits.rollup.files import os_reason, sync_directory
from circuits.rollup.hashing import U32
from circuits.rollup.ledger import Code, Ledger
from circuits.rollup.public_values import NUM_PUBLIC_ELEMENTS, PublicValues
from circuits.rollup.published import encode_batch, encode_events
from circuits.rollup.transition import Transition
from circuits.rollup.words import Word

APPLICATION_ID: Final = 0x50454747
"""SQLite application id: `PEGG`."""
SCHEMA_VERSION: Final = 2
BUSY_SECONDS: Final = 2.0

_SCHEMA: Final = """
CREATE TABLE batches (
    number INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    public_values BLOB,
    tape BLOB,
    published BLOB,
    events BLOB
) STRICT;
CREATE TABLE cells (
    cell INTEGER NOT NULL,
    batch INTEGER NOT NULL REFERENCES batches (number),
    elements BLOB NOT NULL,
    PRIMARY KEY (cell, batch)
) STRICT, WITHOUT ROWID;
CREATE TABLE codes (
    batch INTEGER NOT NULL REFERENCES batches (number),
    words BLOB NOT NULL
) STRICT;
"""
_FULL_CODES: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
_LOCKED_CODES: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CORRUPT_CODES: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Store:
    """An open store; a context manager. One process writes at a time, others may read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Used by `create` and `open`."""
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, path: Path, genesis: Mapping[int, Cell], codes: Iterable[Code] = ()) -> Store:
        """A new store at batch 0; the file appears complete or not at all. `codes`: of the genesis' programs.

        Raises:
            StoreError: EXISTS, MISSING (no such directory), DISK_FULL or IO.
            CodecError: The genesis cells are not in order.
        """
        if path.exists():
            raise StoreError(StoreReason.EXISTS, str(path))
        if not path.parent.is_dir():
            raise StoreError(StoreReason.MISSING, str(path.parent))
        ledger = Ledger.of_cells(genesis, codes)
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with _translated(draft), contextlib.closing(_connect(draft, create=True)) as connection:
                connection.executescript(_SCHEMA)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                with _write(connection):
                    connection.execute(
                        "INSERT INTO batches VALUES (0, ?, NULL, NULL, NULL, NULL)",
                        (elements_bytes(ledger.root),),
                    )
                    _insert_cells(connection, 0, ledger.cells)
                    _insert_codes(connection, 0, ledger.codes.values())
            os.replace(draft, path)
            sync_directory(path.parent)
        except OSError as error:
            raise StoreError(os_reason(error), str(path), got=error) from error
        finally:
            for suffix in ("", "-wal", "-shm", "-journal"):
                draft.with_name(draft.name + suffix).unlink(missing_ok=True)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Store:
        """An existing store.

        Raises:
            StoreError: MISSING, VERSION, CORRUPT, LOCKED or IO.
        """
        if not path.is_file():
            raise StoreError(StoreReason.MISSING, str(path))
        connection: sqlite3.Connection | None = None
        try:
            with _translated(path):
                connection = _connect(path, create=False)
                (application,) = connection.execute("PRAGMA application_id").fetchone()
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if application != APPLICATION_ID:
                    raise StoreError(StoreReason.CORRUPT, str(path), "a pegproof store")
                if version != SCHEMA_VERSION:
                    raise StoreError(StoreReason.VERSION, str(path), SCHEMA_VERSION, version)
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        return cls(path, connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def batch_number(self) -> int:
        """Number of the last committed batch: the ledger is what it left.

        Raises:
            StoreError: CORRUPT, LOCKED or IO.
        """
        with _translated(self.path):
            (number,) = self._connection.execute("SELECT max(number) FROM batches").fetchone()
        if number is None:
            raise StoreError(StoreReason.CORRUPT, str(self.path), "a genesis batch")
        return int(number)

    def ledger(self, number: int | None = None) -> Ledger:
        """The ledger after a batch (default: the last one), checked against the stored root.

        Raises:
            StoreError: NO_SUCH_BATCH, CORRUPT, LOCKED or IO.
        """
        number = self.batch_number() if number is None else number
        with _translated(self.path):
            root = self._one("SELECT root FROM batches WHERE number = ?", number)
            rows = self._connection.execute(  # SQLite: with max(), bare columns come from that row
                "SELECT cell, elements, max(batch) FROM cells WHERE batch <= ? GROUP BY cell", (number,)
            ).fetchall()
            deployed = self._connection.execute(
                "SELECT words FROM codes WHERE batch <= ?", (number,)
            ).fetchall()
        try:
            cells = {index: cell for index, blob, _ in rows if (cell := _cell(blob, index)) is not None}
            ledger = Ledger.of_cells(cells, [_code(blob) for (blob,) in deployed])
        except RollupError as error:
            raise StoreError(StoreReason.CORRUPT, str(self.path), got=error) from error
        if elements_bytes(ledger.root) != root:
            raise StoreError(StoreReason.CORRUPT, str(self.path), f"the stored root of batch {number}")
        if ledger.system.batch_number != number:
            raise StoreError(StoreReason.CORRUPT, str(self.path), number, ledger.system.batch_number)
        return ledger

    def public_values(self, number: int) -> PublicValues:
        """Public values of a committed batch (from 1).

        Raises:
            StoreError: NO_SUCH_BATCH, CORRUPT, LOCKED or IO.
        """
        with _translated(self.path):
            blob = self._one("SELECT public_values FROM batches WHERE number = ?", number)
        try:
            reader = Reader(blob)
            elements = reader.elements(NUM_PUBLIC_ELEMENTS, "public values")
            reader.done()
            return PublicValues.from_elements(elements)
        except RollupError as error:
            raise StoreError(StoreReason.CORRUPT, str(self.path), got=error) from error

    def tape(self, number: int) -> U32:
        """The words of a committed batch (from 1): with the genesis cells they rebuild the state; (4, n).

        Raises:
            StoreError: NO_SUCH_BATCH, CORRUPT, LOCKED or IO.
        """
        with _translated(self.path):
            blob = self._one("SELECT tape FROM batches WHERE number = ?", number)
        if len(blob) % 16:
            raise StoreError(StoreReason.CORRUPT, str(self.path), "whole words", len(blob))
        return np.frombuffer(blob, dtype="<u4").astype(np.uint32).reshape(4, -1)

    def published(self, number: int) -> bytes:
        """What was published of a committed batch (from 1).

        Raises:
            StoreError: NO_SUCH_BATCH, CORRUPT, LOCKED or IO.
        """
        with _translated(self.path):
            return self._one("SELECT published FROM batches WHERE number = ?", number)

    def events(self, number: int) -> bytes:
        """Canonical bytes of the inbox events of a committed batch (from 1).

        Raises:
            StoreError: NO_SUCH_BATCH, CORRUPT, LOCKED or IO.
        """
        with _translated(self.path):
            return self._one("SELECT events FROM batches WHERE number = ?", number)

    def commit(self, transition: Transition) -> int:
        """Write a batch; when this returns, it stays. Returns its number.

        Raises:
            StoreError: STALE (the store is not where the batch starts), LOCKED, DISK_FULL, CORRUPT or IO;
                nothing was written.
        """
        values = transition.public_values
        number = values.batch_number + 1
        with _translated(self.path), _write(self._connection):
            (last,) = self._connection.execute("SELECT max(number) FROM batches").fetchone()
            if last != number - 1:
                raise StoreError(StoreReason.STALE, str(self.path), number - 1, last)
            root = self._one("SELECT root FROM batches WHERE number = ?", last)
            if root != elements_bytes(values.state_root_before):
                raise StoreError(StoreReason.STALE, str(self.path), "the batch's state root")
            self._connection.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)",
                (
                    number,
                    elements_bytes(values.state_root_after),
                    elements_bytes(values.elements()),
                    transition.tape.astype("<u4").tobytes(),
                    encode_batch(transition.batch),
                    encode_events(transition.batch.events),
                ),
            )
            before = transition.cells_before
            changed = {i: cell for i, cell in transition.cells_after.items() if cell != before[i]}
            _insert_cells(self._connection, number, changed)
            _insert_codes(self._connection, number, transition.deployed)
        return number

    def _one(self, query: str, number: int) -> bytes:
        row = self._connection.execute(query, (number,)).fetchone()
        if row is None or row[0] is None:
            raise StoreError(StoreReason.NO_SUCH_BATCH, str(self.path), got=number)
        if not isinstance(row[0], bytes):
            raise StoreError(StoreReason.CORRUPT, str(self.path), "bytes", type(row[0]).__name__)
        return row[0]


def _connect(path: Path, create: bool) -> sqlite3.Connection:
    mode = "rwc" if create else "rw"
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    try:
        connection.execute(f"PRAGMA journal_mode = {'DELETE' if create else 'WAL'}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _write(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: committed whole, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as `StoreError`."""
    try:
        yield
    except UnicodeDecodeError as error:  # text of a damaged schema, met while SQLite reports the damage
        raise StoreError(StoreReason.CORRUPT, str(path), got=error) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        primary = code & 0xFF
        reason = StoreReason.IO
        if primary in _FULL_CODES or code in _FULL_CODES:
            reason = StoreReason.DISK_FULL
        elif primary in _LOCKED_CODES:
            reason = StoreReason.LOCKED
        elif primary in _CORRUPT_CODES or (primary == sqlite3.SQLITE_ERROR and "no such" in str(error)):
            reason = StoreReason.CORRUPT
        raise StoreError(reason, str(path), got=error) from error


def _insert_cells(
    connection: sqlite3.Connection, number: int, cells: Mapping[int, Cell] | Mapping[int, Cell | None]
) -> None:
    rows = [(i, number, elements_bytes(_elements(cell))) for i, cell in cells.items()]
    connection.executemany("INSERT INTO cells VALUES (?, ?, ?)", rows)


def _insert_codes(connection: sqlite3.Connection, number: int, codes: Iterable[Code]) -> None:
    rows = [(number, struct.pack(f"<{len(code)}Q", *code)) for code in codes]
    connection.executemany("INSERT INTO codes VALUES (?, ?)", rows)


def _code(blob: object) -> Code:
    """Stored code; a damaged file can give values of any type."""
    if not isinstance(blob, bytes) or len(blob) % 8:
        raise CodecError(CodecReason.KIND, "stored code", "whole words")
    return struct.unpack(f"<{len(blob) // 8}Q", blob)


def _elements(cell: Cell | None) -> tuple[int, ...]:
    return tuple(element for word in words_of(cell) for element in word)


def _cell(blob: object, index: object) -> Cell | None:
    """A stored cell; a damaged file can give values of any type."""
    if not isinstance(blob, bytes) or not isinstance(index, int):
        raise CodecError(CodecReason.KIND, "stored cell", "number and bytes")
    reader = Reader(blob)
    words: list[Word] = []
    for _ in range(5):
        a, b, c, d = reader.elements(4, f"cell {index}")
        words.append((a, b, c, d))
    reader.done()
    return cell_from_words(words, f"cell {index}")
