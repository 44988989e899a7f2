"""Raw blocks in a file, as Bitcoin Core's own block files hold them: magic, length, block, one after another.

With the genesis block first, such a file is read by `bitcoind -regtest -loadblock=FILE`. A process that is
killed while it appends leaves a prefix of a record, which the next one cuts off; anything else that is no
record is damage, and is said.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from verifier.chain.chain import ChainError

MAGIC: Final = bytes.fromhex("fabfb5da")
"""Regtest's message start."""
_HEAD: Final = 8


class CorruptLog(ChainError):
    """The file holds something else than blocks."""


class BlockLog:
    """An append-only file of blocks, for one process at a time.

    Args:
        path: the file; made if it does not exist.

    Raises:
        ChainError: another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise ChainError(f"{path} is open in another process") from error

    def replay(self) -> Iterator[bytes]:
        """The blocks; a torn last record is cut off once all before it are read.

        Raises:
            CorruptLog: bytes that are neither a record nor the start of one.
        """
        data, at = self._path.read_bytes(), 0
        while at + _HEAD <= len(data):
            end = at + _HEAD + int.from_bytes(data[at + 4 : at + _HEAD], "little")
            if data[at : at + 4] != MAGIC:
                raise CorruptLog(f"{self._path}: no block at byte {at}")
            if end > len(data):
                break
            yield data[at + _HEAD : end]
            at = end
        tail = data[at : at + 4]
        if not MAGIC.startswith(tail):
            raise CorruptLog(f"{self._path}: no block at byte {at}")
        if at < len(data):
            os.ftruncate(self._file.fileno(), at)
            self.sync()

    def append(self, raw: bytes) -> None:
        """Adds a block; it survives the end of the process at once, that of the machine after `sync`."""
        view = memoryview(record(raw))
        while view:
            view = view[self._file.write(view) :]

    def sync(self) -> None:
        """Waits until the disk has it all."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Lets another process in."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def record(raw: bytes) -> bytes:
    """A block as the file holds it."""
    return MAGIC + len(raw).to_bytes(4, "little") + raw


def export_blocks(blocks: Iterable[bytes], directory: Path) -> Path:
    """Writes blocks, from the genesis block on, to `directory/blk00000.dat`, which `bitcoind -loadblock` reads."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "blk00000.dat"
    with path.open("wb") as out:
        out.writelines(map(record, blocks))
    return path
