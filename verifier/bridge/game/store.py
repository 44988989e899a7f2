"""A role's directory: one SQLite file that survives a kill at any instruction.

What is written once can never change: a committed wire, a signature, a name in `meta`. What the chain knows is
not stored at all; a role reads it again. Each value carries a checksum, which SQLite does not make: a wire read back
with a flipped bit would be signed, and convict. Source: https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from verifier.bitcoin.encoding import Reader
from verifier.bitcoin.transaction import serialize_stack
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.presign import Slot
from verifier.bridge.tree import Digits

FORMAT: Final = "pegproof bridge 2"
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


_SEAL_BYTES: Final = 8


def _seal(value: bytes, place: tuple[str | int, ...]) -> bytes:
    return hashlib.sha256(repr(place).encode() + value).digest()[:_SEAL_BYTES]


def _sealed(value: bytes, *place: str | int) -> bytes:
    """A value as it is stored at a place of a table."""
    return value + _seal(value, place)


class Store:
    """A role's file, of one role and one network.

    Args:
        directory: made where it is missing.
        role: "operator", "watcher", ..; must be the one that made the file. None: whoever made it.
        network: likewise.
        create: whether it is made where it is missing; else nothing is written.

    Attributes:
        role: of the file.

    Raises:
        BridgeError: STATE where the file is another's, missing or not readable.
    """

    def __init__(self, directory: Path, role: str | None, network: str, create: bool = True) -> None:
        create = create and role is not None
        if create:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # secrets, seeds, purses
        elif not (directory / _FILE).exists():
            raise BridgeError(BridgeReason.STATE, f"{directory} has no state; `bridge setup` makes it")
        self.directory = directory
        self._path = directory / _FILE
        wanted = {"format": FORMAT, **({} if role is None else {"role": role}), "network": network}
        with self._transaction() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                if not create:
                    raise BridgeError(BridgeReason.STATE, f"{self._path} is empty: what was in it is lost")
                for statement in _statements(_SCHEMA):
                    db.execute(statement)
                self._put_metas(db, {key: value.encode() for key, value in wanted.items()})
            named = ("format", "role", "network")
            found = {key: (self._meta(db, key) or b"").decode(errors="replace") for key in named}
        self.role = found["role"]
        wrong = [f"{k} {found[k]!r}, not {v!r}" for k, v in wanted.items() if found[k] != v]
        if wrong:
            raise BridgeError(BridgeReason.STATE, f"{self._path} is of {', '.join(wrong)}")

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
                    if db.in_transaction:  # a full disk has undone it already
                        db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
            finally:
                db.close()
        except sqlite3.DatabaseError as error:
            hint = "is the disk full, or the file damaged? Then restore it from a copy"
            raise BridgeError(BridgeReason.STATE, f"{self._path}: {error}: {hint}") from error

    def _unsealed(self, raw: bytes, *place: str | int) -> bytes:
        """The value that was stored.

        Raises:
            BridgeError: STATE where it is another.
        """
        value = raw[:-_SEAL_BYTES]
        if raw[-_SEAL_BYTES:] != _seal(value, place):
            where = " ".join(map(str, place))
            raise BridgeError(BridgeReason.STATE, f"{self._path}: {where} is damaged, or of another version")
        return value

    def _meta(self, db: sqlite3.Connection, key: str) -> bytes | None:
        row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else self._unsealed(bytes(row[0]), "meta", key)

    def _put_metas(self, db: sqlite3.Connection, values: Mapping[str, bytes]) -> None:
        rows = [(key, _sealed(value, "meta", key)) for key, value in values.items()]
        db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def meta(self, key: str) -> bytes | None:
        """A value by its name."""
        with self._transaction() as db:
            return self._meta(db, key)

    def put_meta(self, key: str, value: bytes) -> None:
        """Writes or replaces a value."""
        self.put_metas({key: value})

    def put_metas(self, values: Mapping[str, bytes]) -> None:
        """Writes or replaces values, all of them or none."""
        with self._transaction() as db:
            self._put_metas(db, values)

    def metas(self, head: str) -> dict[str, bytes]:
        """All values whose key begins with `head`."""
        with self._transaction() as db:
            rows = db.execute("SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?", (len(head), head))
            return {key: self._unsealed(bytes(value), "meta", key) for key, value in rows}

    def erase_meta(self, key: str) -> None:
        """Forgets a value; the file's page is overwritten."""
        with self._transaction() as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("DELETE FROM meta WHERE key = ?", (key,))

    def commit_wires(
        self, slot: str, values: Mapping[str, Digits], beside: Mapping[str, bytes] | None = None
    ) -> None:
        """Makes wires durable; the same again is allowed, another value never.

        Args:
            slot: whose.
            values: by name.
            beside: entries of `meta` that are written with them or not at all.

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
                    sealed = _sealed(value, "wire", slot, name)
                    db.execute("INSERT INTO wires VALUES (?, ?, ?)", (slot, name, sealed))
                elif self._unsealed(bytes(row[0]), "wire", slot, name) != value:
                    raise BridgeError(BridgeReason.EQUIVOCATION, f"{slot}: {name}")
            self._put_metas(db, beside or {})

    def wires(self, slot: str, names: Iterable[str] | None = None) -> dict[str, Digits]:
        """The committed wires of a slot: all, or those of these names."""
        query = "SELECT name, value FROM wires WHERE slot = ?"
        with self._transaction() as db:
            if names is None:
                rows = db.execute(query, (slot,)).fetchall()
            else:
                rows = [r for name in names for r in db.execute(f"{query} AND name = ?", (slot, name))]
        return {name: tuple(self._unsealed(bytes(raw), "wire", slot, name)) for name, raw in rows}

    def save_signatures(self, slot: str, signatures: Mapping[Slot, bytes], mark: str | None = None) -> None:
        """Adds signatures; a second session's replace the first's, both hold.

        Args:
            slot: whose.
            signatures: to keep.
            mark: a key of `meta` that gets their number, with them or not at all.
        """
        rows = []
        for at, raw in signatures.items():
            place = (slot, at.template, at.index, at.leaf)
            rows.append((*place, _sealed(raw, "signature", *place)))
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO signatures VALUES (?, ?, ?, ?, ?)", rows)
            if mark is not None:
                self._put_metas(db, {mark: len(rows).to_bytes(8, "big")})

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
        return {Slot(*place): self._unsealed(bytes(raw), "signature", slot, *place) for *place, raw in rows}

    def see(self, slot: str, signatures: Mapping[str, tuple[bytes, ...]]) -> None:
        """Keeps signatures of wires that were on the chain."""
        rows = [
            (slot, name, _sealed(serialize_stack(items), "seen", slot, name))
            for name, items in signatures.items()
        ]
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", rows)

    def seen(self, slot: str) -> dict[str, list[tuple[bytes, ...]]]:
        """Every signature of every wire that was ever seen."""
        with self._transaction() as db:
            rows = db.execute("SELECT name, signature FROM seen WHERE slot = ?", (slot,)).fetchall()
        out: dict[str, list[tuple[bytes, ...]]] = {}
        for name, raw in rows:
            reader = Reader(self._unsealed(bytes(raw), "seen", slot, name))
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
