"""Work spread over processes forked from this one: they see its objects, only tasks' numbers and results travel.

Fork and not threads: what takes the time (joining scripts, MuSig2's Python side) holds the interpreter's lock.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Final, TypeVar

from native import set_threads

Task = TypeVar("Task")
Result = TypeVar("Result")

_PARENT_CHECK_SECONDS: Final = 0.2
_work: Callable[[int], object] | None = None


def spread(
    tasks: Sequence[Task], work: Callable[[Task], Result], processes: int
) -> Iterator[tuple[Task, Result]]:
    """Each task with its result, as they come.

    A worker ends when its parent is gone, killed or not; what a task writes by itself must bear being written again.

    Args:
        tasks: in the order in which they are begun.
        work: called in a worker; its result is pickled.
        processes: how many; 1 works in this process.
    """
    global _work
    if processes <= 1 or len(tasks) <= 1:
        yield from ((task, work(task)) for task in tasks)
        return
    _work = lambda number: work(tasks[number])  # noqa: E731
    pool = ProcessPoolExecutor(processes, get_context("fork"), _begin, (os.getpid(),))
    try:
        numbers = {pool.submit(_do, number): number for number in range(len(tasks))}
        for future in as_completed(numbers):
            yield tasks[numbers.pop(future)], future.result()  # type: ignore[misc]
    finally:
        pool.shutdown(cancel_futures=True)
        _work = None


def _begin(parent: int) -> None:
    gc.freeze()  # what was there before the fork is never collected here: its pages stay shared
    set_threads(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)


def _do(number: int) -> object:
    if _work is None:
        raise RuntimeError("a worker outlived its tasks")
    return _work(number)
