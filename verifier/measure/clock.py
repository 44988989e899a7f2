"""Medians, and what the process has used."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path


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
    """The most memory that this process has held; what it had of its parent's before it began is not counted."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
