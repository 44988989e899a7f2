"""Files that are either the old ones or the new ones, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import tempfile
import time
from pathlib import Path

from circuits.rollup.errors import StoreError, StoreReason

ABANDONED_SECONDS = 3600.0
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def os_reason(error: OSError) -> StoreReason:
    """The reason that an operating system error stands for."""
    if error.errno in _DISK_FULL:
        return StoreReason.DISK_FULL
    return StoreReason.MISSING if isinstance(error, FileNotFoundError) else StoreReason.IO


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file durably: temporary file beside it, fsync, rename, fsync of the directory.

    A process that dies leaves the old file (or none), and at most a temporary `.<name>.*.tmp`, which a later write
    of the same file removes.

    Raises:
        StoreError: DISK_FULL, MISSING (no such directory) or IO; the old file is untouched.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise StoreError(os_reason(error), str(path), got=error) from error
    _remove_abandoned(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), _usual_mode())
            os.fsync(file.fileno())
        os.replace(name, path)
        sync_directory(path.parent)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise StoreError(os_reason(error), str(path), got=error) from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_abandoned(path: Path) -> None:
    """Temporary files of `path` whose writer must be dead: no write takes so long."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                left.unlink()


def _usual_mode() -> int:
    """Mode of a file that `open` makes: the temporary one is private, the final one need not be."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def sync_directory(path: Path) -> None:
    """Make renames inside a directory durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_file(path: Path) -> bytes:
    """A whole file.

    Raises:
        StoreError: MISSING or IO.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(os_reason(error), str(path), got=error) from error
