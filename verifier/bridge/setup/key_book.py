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
from numpy.typing import NDArray

from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.tree import Node
from verifier.script.winternitz import LINK_BYTES, WinternitzKey, checksum_digits

_HEAD: Final = 8
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


def all_links(book: Mapping[str, WinternitzKey]) -> bytes:
    """Every link of a book, one after the other."""
    if isinstance(book, KeyBook):
        return b"".join(book.links())
    return b"".join(link for key in book.values() for link in key.links)


def first_repeat(links: bytes) -> bytes | None:
    """A link that comes twice among links one after the other; eight of its bytes are sorted, then a few compared."""
    heads = _heads(links)
    ordered = np.sort(heads)
    suspects = ordered[1:][ordered[1:] == ordered[:-1]]
    seen = set[bytes]()
    for number in np.flatnonzero(np.isin(heads, suspects)):
        at = LINK_BYTES * int(number)
        link = links[at : at + LINK_BYTES]
        if link in seen:
            return link
        seen.add(link)
    return None


def heads_of(links: bytes) -> bytes:
    """What is kept of a slot's links, to find one of them in another slot: eight bytes of each, sorted."""
    return np.sort(_heads(links)).tobytes()


def common_head(one: bytes, other: bytes) -> bytes | None:
    """A head that two slots have in common, None if there is none.

    A link in both is always found. Two links that differ share a head by chance once in 2^64 pairs: of slots with
    seven million links, once in 300,000 pairs of them.
    """
    few, many = (np.frombuffer(each, np.uint64) for each in (one, other))
    if not len(few) or not len(many):
        return None
    places = np.minimum(np.searchsorted(many, few), len(many) - 1)
    common = few[many[places] == few]
    return common[0].tobytes() if len(common) else None


def _heads(links: bytes) -> NDArray[np.uint64]:
    rows = np.frombuffer(links, np.uint8).reshape(-1, LINK_BYTES)
    return np.ascontiguousarray(rows[:, :_HEAD]).view(np.uint64).ravel()
