"""A slot's published one-time keys in a file: 150 MB for the rollup's tree, of which a reader holds a few nodes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.tree import Node
from verifier.script.winternitz import LINK_BYTES, WinternitzKey, checksum_digits

_PREFIX: Final = 8
_NODES_HELD: Final = 64
_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS links (node INTEGER PRIMARY KEY, links BLOB NOT NULL)"


def num_links(node: Node) -> int:
    """Chains of all wires of a node, checksums included."""
    return sum(wire.digits + checksum_digits(wire.digits) for group in node.wires for wire in group)


class KeyBook(Mapping[str, WinternitzKey]):
    """Wire name -> key. Nothing is open between two reads, so a process may fork with it.

    Args:
        path: the file.
        nodes: of the tree.
        create: whether it is made where it is missing.
    """

    def __init__(self, path: Path, nodes: Sequence[Node], create: bool = True) -> None:
        self.path, self._nodes = path, nodes
        self._home = {wire.name: n.index for n in nodes for group in n.wires for wire in group}
        self._of_node = lru_cache(_NODES_HELD)(self._read)
        if create:
            with self._open() as db:
                db.execute(_SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=30.0, isolation_level=None)) as db:
                yield db
        except sqlite3.DatabaseError as error:
            raise BridgeError(BridgeReason.STATE, f"{self.path}: {error}") from error

    def put(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Writes links of whole nodes, all or none of them."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO links VALUES (?, ?)", rows)
            db.execute("COMMIT")

    def stored(self) -> set[int]:
        """The nodes whose links are there."""
        with self._open() as db:
            return {node for (node,) in db.execute("SELECT node FROM links")}

    def node_links(self, index: int) -> bytes:
        """A node's links, one after the other.

        Raises:
            BridgeError: STATE where they are missing, or another number of them.
        """
        with self._open() as db:
            return self._row(db, self._nodes[index])

    def links(self) -> Iterator[bytes]:
        """Every node's links, one after the other, parents first.

        Raises:
            BridgeError: STATE where a node is missing, or has another number of links.
        """
        with self._open() as db:
            for node in self._nodes:
                yield self._row(db, node)

    def digest(self) -> bytes:
        """What the key material is committed to by."""
        hasher = hashlib.sha256()
        for links in self.links():
            hasher.update(links)
        return hasher.digest()

    def _row(self, db: sqlite3.Connection, node: Node) -> bytes:
        row = db.execute("SELECT links FROM links WHERE node = ?", (node.index,)).fetchone()
        if row is None or len(row[0]) != LINK_BYTES * num_links(node):
            raise BridgeError(BridgeReason.STATE, f"{self.path}: the links of {node.name}")
        return bytes(row[0])

    def _read(self, index: int) -> dict[str, WinternitzKey]:
        node, at = self._nodes[index], 0
        data = self.node_links(index)
        rows = [data[k : k + LINK_BYTES] for k in range(0, len(data), LINK_BYTES)]
        keys = {}
        for wire in (wire for group in node.wires for wire in group):
            count = wire.digits + checksum_digits(wire.digits)
            keys[wire.name] = WinternitzKey(tuple(rows[at : at + count]), wire.digits)
            at += count
        return keys

    def __getitem__(self, name: str) -> WinternitzKey:
        return self._of_node(self._home[name])[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._home)

    def __len__(self) -> int:
        return len(self._home)


def repeated_link(books: Iterable[Mapping[str, WinternitzKey]]) -> bytes | None:
    """A link that serves twice in these books, None if there is none."""
    return first_repeat(b"".join(part for book in books for part in _all_links(book)))


def _all_links(book: Mapping[str, WinternitzKey]) -> Iterator[bytes]:
    if isinstance(book, KeyBook):
        return book.links()
    return (link for key in book.values() for link in key.links)


def first_repeat(links: bytes) -> bytes | None:
    """A link that comes twice among links one after the other; eight of its bytes are sorted, then a few compared."""
    rows = np.frombuffer(links, np.uint8).reshape(-1, LINK_BYTES)
    prefixes = np.ascontiguousarray(rows[:, :_PREFIX]).view(np.uint64).ravel()
    ordered = np.sort(prefixes)
    suspects = ordered[1:][ordered[1:] == ordered[:-1]]
    seen = set[bytes]()
    for number in np.flatnonzero(np.isin(prefixes, suspects)):
        at = LINK_BYTES * int(number)
        link = links[at : at + LINK_BYTES]
        if link in seen:
            return link
        seen.add(link)
    return None
