"""A role's directory: one SQLite file that survives a kill at any instruction.

What is written once can never change: a committed wire, a signature, a name in `meta`. What the chain knows is
not stored at all; a role reads it again. Source: https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from verifier.bitcoin.encoding import Reader
from verifier.bitcoin.transaction import serialize_stack
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.presign import Slot
from verifier.bridge.tree import Digits

FORMAT: Final = "pegproof bridge 1"
_FILE: Final = "role.db"
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE wires (
    slot TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (slot, name)) WITHOUT ROWID;
CREATE TABLE signatures (
    slot TEXT NOT NULL, template TEXT NOT NULL, input INTEGER NOT NULL, leaf INTEGER NOT NULL,
    signature BLOB NOT NULL, PRIMARY KEY (slot, template, input, leaf)) WITHOUT ROWID;
CREATE TABLE seen (
    slot TEXT NOT NULL, name TEXT NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (slot, name, signature)) WITHOUT ROWID;
CREATE TRIGGER wires_stay BEFORE UPDATE ON wires BEGIN SELECT RAISE(ABORT, 'wire is committed'); END;
CREATE TRIGGER wires_are_kept BEFORE DELETE ON wires BEGIN SELECT RAISE(ABORT, 'wire is committed'); END;
CREATE TRIGGER signatures_are_kept BEFORE DELETE ON signatures
    BEGIN SELECT RAISE(ABORT, 'a signature is kept'); END;
"""


class Store:
    """A role's file, of one role and one network.

    Args:
        directory: made where it is missing.
        role: "operator", "watcher", ..; must be the one that made the file.
        network: likewise.

    Raises:
        BridgeError: STATE where the file is another's, or not readable.
    """

    def __init__(self, directory: Path, role: str, network: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # secrets, seeds, purses
        self.directory = directory
        self._path = directory / _FILE
        wanted = {"format": FORMAT, "role": role, "network": network}
        with self._transaction() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                for statement in _statements(_SCHEMA):
                    db.execute(statement)
                db.executemany("INSERT INTO meta VALUES (?, ?)", [(k, v.encode()) for k, v in wanted.items()])
            found = {k: v.decode() for k, v in db.execute("SELECT key, value FROM meta") if k in wanted}
        if found != wanted:
            raise BridgeError(BridgeReason.STATE, f"{self._path} has {found}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Durable when the block ends, undone if it raises."""
        try:
            db = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
            try:
                db.execute("PRAGMA synchronous = EXTRA")
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
            finally:
                db.close()
        except sqlite3.DatabaseError as error:
            raise BridgeError(BridgeReason.STATE, f"{self._path}: {error}") from error

    def meta(self, key: str) -> bytes | None:
        """A value by its name."""
        with self._transaction() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put_meta(self, key: str, value: bytes) -> None:
        """Writes or replaces a value."""
        self.put_metas({key: value})

    def put_metas(self, values: Mapping[str, bytes]) -> None:
        """Writes or replaces values, all of them or none."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def metas(self, head: str) -> dict[str, bytes]:
        """All values whose key begins with `head`."""
        with self._transaction() as db:
            rows = db.execute("SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?", (len(head), head))
            return {key: bytes(value) for key, value in rows}

    def erase_meta(self, key: str) -> None:
        """Forgets a value; the file's page is overwritten."""
        with self._transaction() as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("DELETE FROM meta WHERE key = ?", (key,))

    def commit_wires(self, slot: str, values: Mapping[str, Digits]) -> None:
        """Makes wires durable; the same again is allowed, another value never.

        Raises:
            BridgeError: EQUIVOCATION; nothing is written then.
        """
        with self._transaction() as db:
            for name, digits in values.items():
                value = bytes(digits)
                row = db.execute(
                    "SELECT value FROM wires WHERE slot = ? AND name = ?", (slot, name)
                ).fetchone()
                if row is None:
                    db.execute("INSERT INTO wires VALUES (?, ?, ?)", (slot, name, value))
                elif bytes(row[0]) != value:
                    raise BridgeError(BridgeReason.EQUIVOCATION, f"{slot}: {name}")

    def wires(self, slot: str, names: Iterable[str] | None = None) -> dict[str, Digits]:
        """The committed wires of a slot: all, or those of these names."""
        query = "SELECT name, value FROM wires WHERE slot = ?"
        with self._transaction() as db:
            if names is None:
                rows = db.execute(query, (slot,)).fetchall()
            else:
                rows = [r for name in names for r in db.execute(f"{query} AND name = ?", (slot, name))]
        return {name: tuple(value) for name, value in rows}

    def save_signatures(self, slot: str, signatures: Mapping[Slot, bytes], mark: str | None = None) -> None:
        """Adds signatures; a second session's replace the first's, both hold.

        Args:
            slot: whose.
            signatures: to keep.
            mark: a key of `meta` that gets their number, with them or not at all.
        """
        rows = [(slot, s.template, s.index, s.leaf, raw) for s, raw in signatures.items()]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO signatures VALUES (?, ?, ?, ?, ?)", rows)
            if mark is not None:
                number = len(rows).to_bytes(8, "big")
                db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (mark, number))

    def count_signatures(self, slot: str) -> int:
        """How many signatures of a slot are kept."""
        with self._transaction() as db:
            found = db.execute("SELECT COUNT(*) FROM signatures WHERE slot = ?", (slot,)).fetchone()
        return int(found[0])

    def signatures(self, slot: str) -> dict[Slot, bytes]:
        """All signatures of a slot."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT template, input, leaf, signature FROM signatures WHERE slot = ?", (slot,)
            ).fetchall()
        return {Slot(template, index, leaf): raw for template, index, leaf, raw in rows}

    def see(self, slot: str, signatures: Mapping[str, tuple[bytes, ...]]) -> None:
        """Keeps signatures of wires that were on the chain."""
        rows = [(slot, name, serialize_stack(items)) for name, items in signatures.items()]
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", rows)

    def seen(self, slot: str) -> dict[str, list[tuple[bytes, ...]]]:
        """Every signature of every wire that was ever seen."""
        with self._transaction() as db:
            rows = db.execute("SELECT name, signature FROM seen WHERE slot = ?", (slot,)).fetchall()
        out: dict[str, list[tuple[bytes, ...]]] = {}
        for name, stack in rows:
            reader = Reader(stack)
            out.setdefault(name, []).append(tuple(reader.var_bytes() for _ in range(reader.size())))
        return out


def _statements(schema: str) -> list[str]:
    """The schema's statements one by one: `executescript` would end the transaction."""
    statements, text = [], ""
    for line in schema.splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            statements.append(text.strip())
            text = ""
    return [statement for statement in statements if statement]
