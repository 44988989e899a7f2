"""Medians, and what the process has used."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Wall-clock seconds of each of `repeats` runs."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def median(work: Callable[[], object], repeats: int) -> float:
    """Median wall-clock seconds after a run that is not counted."""
    work()
    return statistics.median(seconds(work, repeats))


def peak_rss_bytes() -> int:
    """Most memory that this process has had at once."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
