"""Large arrays' memory: blocks do not overlap, what comes back is used again, neighbours join."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import native
from native.memory import LEAST, PAGE, Arena

WORDS = PAGE // 4
SIZE = 8 * PAGE


def address(array: NDArray[np.uint32]) -> int:
    """Of its first element."""
    return int(array.__array_interface__["data"][0])


@pytest.fixture
def allot() -> Callable[[int], NDArray[np.uint32]]:
    """Arrays of an arena of eight pages, which is there as long as they are."""
    arena = Arena(SIZE)

    def of(words: int) -> NDArray[np.uint32]:
        array = arena.empty(words)
        assert array is not None
        return array

    return of


def test_arrays_start_on_huge_pages_and_do_not_overlap(allot: Callable[[int], NDArray[np.uint32]]) -> None:
    arrays = [allot(words) for words in (1, WORDS, WORDS + 1, 2 * WORDS - 1)]
    for i, array in enumerate(arrays):
        assert address(array) % PAGE == 0
        array.fill(i)
    assert [(array.min(), array.max()) for array in arrays] == [(i, i) for i in range(4)]


def test_a_block_is_used_again_once_no_view_of_it_is_left(allot: Callable[[int], NDArray[np.uint32]]) -> None:
    array = allot(3 * WORDS)
    start, view = address(array), array.reshape(3, WORDS)[1:, 5:]
    del array
    assert address(allot(WORDS)) != start
    del view
    gc.collect()
    assert address(allot(WORDS)) == start


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_neighbours_that_come_back_join(order: tuple[int, ...]) -> None:
    arena = Arena(SIZE)
    arrays = [arena.empty(2 * WORDS) for _ in range(4)]
    assert arena.empty(1) is None, "it is full"
    for i in order:
        arrays[i] = None
    assert arena.empty(8 * WORDS) is not None
    assert arena.empty(8 * WORDS + 1) is None


def test_idle_memory_is_counted_and_can_be_given_back() -> None:
    arena = Arena(SIZE)
    assert arena.idle_bytes() == 0, "never touched"
    first, second = arena.empty(3 * WORDS), arena.empty(WORDS)
    assert first is not None and second is not None
    first.fill(7)
    second.fill(8)
    assert arena.idle_bytes() == 0
    del first
    assert arena.idle_bytes() == 3 * PAGE
    arena.give_back()
    assert second.min() == second.max() == 8
    again = arena.empty(3 * WORDS)
    assert again is not None and not again.any(), "the system's pages are zero"
    del again, second
    arena.give_back()
    assert arena.idle_bytes() == 0


def test_untouched_memory_between_idle_pages_is_not_idle() -> None:
    arena = Arena(SIZE)
    first, last = arena.empty(3 * WORDS), arena.empty(WORDS)
    del first
    arena.give_back()
    again = arena.empty(WORDS)
    del again, last
    assert arena.idle_bytes() == 2 * PAGE


def test_only_large_arrays_of_kernels_are_kept() -> None:
    small = native.empty(LEAST // 4 - 1)
    del small
    before = native.idle_bytes()
    large = native.empty(1 << 4, LEAST // 16)  # more than what is idle from other tests, or part of it
    del large
    after = native.idle_bytes()
    assert after >= max(before, LEAST)
    native.give_back()
    assert native.idle_bytes() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_does_not_write_into_the_parents_arrays() -> None:
    array = native.empty(LEAST)
    array.fill(1)
    child = os.fork()
    if child == 0:
        array.fill(2)
        os._exit(0)
    os.waitpid(child, 0)
    assert array.max() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_forked_while_another_thread_makes_an_array_can_make_one() -> None:
    arena = native.memory._arena
    assert arena is not None
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with arena.lock:
            held.set()
            go_on.wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()  # waits for the other thread
    if child == 0:
        signal.alarm(5)
        native.empty(LEAST)
        os._exit(0)
    go_on.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_where_addresses_are_limited_none_are_reserved() -> None:
    limit = 8 << 30
    code = f"""import resource; resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
import native; from native.memory import LEAST
print(native.memory._arena, native.empty(LEAST).size)"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.split() == ["None", str(LEAST)]
