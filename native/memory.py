"""Memory of large arrays, kept by the process: what one array gives back, the next one gets.

Memory that goes back to the system is zeroed when it comes again; in a virtual machine the hypervisor takes it away
meanwhile, and fetching it costs more than most kernels (docs/performance.md). All large arrays come from one range of
addresses, lowest first, so that neighbours that are given back join and little more is ever touched than is needed.
"""

from __future__ import annotations

import mmap
import os
import resource
import threading
import weakref
from bisect import insort
from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

PAGE = 1 << 21
"""Blocks are whole huge pages."""

LEAST = 2 * PAGE
"""Bytes of the smallest array that is kept here."""


class Arena:
    """A range of addresses, most of them never touched, and what is free of it.

    Args:
        size: bytes of the range, a multiple of `PAGE`: more than that can never be in use.
    """

    def __init__(self, size: int) -> None:
        # Shared with a forked child it would be if it were not private.
        self._memory = mmap.mmap(-1, size + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        address = np.frombuffer(self._memory, np.uint8).__array_interface__["data"][0]
        self._base = -address % PAGE
        self._free = [(0, size)]  # (start, bytes), in order, no two of them neighbours
        self._touched = np.zeros(size // PAGE, np.bool_)  # pages that the system has given
        self._returned: deque[tuple[int, int]] = deque()
        self.lock = threading.Lock()

    def empty(self, words: int) -> npt.NDArray[np.uint32] | None:
        """An array that is not initialised; None if there is no room for it."""
        size = -(-4 * words // PAGE) * PAGE
        with self.lock:
            self._join()
            for i, (start, space) in enumerate(self._free):
                if space >= size:
                    self._free[i : i + 1] = [(start + size, space - size)] if space > size else []
                    self._touched[start // PAGE : (start + size) // PAGE] = True
                    break
            else:
                return None
        array = np.frombuffer(self._memory, np.uint32, words, self._base + start)
        # The collector may call this at any moment, also while this thread has the lock: so it only takes a note.
        weakref.finalize(array, self._returned.append, (start, size)).atexit = False
        return array

    def _join(self) -> None:
        """Puts blocks that came back among the free ones."""
        while self._returned:
            insort(self._free, self._returned.popleft())
            joined: list[tuple[int, int]] = []
            for start, size in self._free:
                if joined and sum(joined[-1]) == start:
                    joined[-1] = joined[-1][0], joined[-1][1] + size
                else:
                    joined.append((start, size))
            self._free = joined

    def _idle(self) -> Iterator[tuple[int, int]]:
        """What is free and not the system's: (start, bytes), without the untouched pages in between."""
        for start, size in self._free:
            pages = np.flatnonzero(self._touched[start // PAGE : (start + size) // PAGE])
            if pages.size:
                for run in np.split(pages, np.flatnonzero(np.diff(pages) > 1) + 1):
                    yield start + PAGE * int(run[0]), PAGE * len(run)

    def idle_bytes(self) -> int:
        """What the process holds and no array needs."""
        with self.lock:
            self._join()
            return sum(size for _, size in self._idle())

    def give_back(self) -> None:
        """Gives what is free to the system."""
        with self.lock:
            self._join()
            for start, size in self._idle():
                self._memory.madvise(mmap.MADV_DONTNEED, self._base + start, size)
                self._touched[start // PAGE : (start + size) // PAGE] = False


def _whole() -> Arena | None:
    """Addresses for three quarters of the machine's memory; None where they are limited, or not to be had."""
    try:
        if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
            return None
        return Arena(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4 // PAGE * PAGE)
    except (AttributeError, OSError, ValueError):
        return None


_arena = _whole()
if _arena and hasattr(
    os, "register_at_fork"
):  # a child has this thread alone: nobody else would release the lock
    os.register_at_fork(
        before=_arena.lock.acquire, after_in_parent=_arena.lock.release, after_in_child=_arena.lock.release
    )


def empty(words: int) -> npt.NDArray[np.uint32] | None:
    """A large array that starts on a huge page; None: there is no such memory, or the array is not large."""
    return _arena.empty(words) if _arena and 4 * words >= LEAST else None


def idle_bytes() -> int:
    """Memory that the process keeps for large arrays and none of them needs now."""
    return _arena.idle_bytes() if _arena else 0


def give_back() -> None:
    """Gives the system the memory that the process keeps for large arrays and none of them needs now."""
    if _arena:
        _arena.give_back()
