"""Progress and timings of a proof, step by step. Uses native."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import native

Progress = Callable[[str, float], None]
"""Called with a step's name and the share of the work that is done before it."""

_STEPS = (
    ("bind", 0.0),
    ("main commitment", 0.30),
    ("interaction", 0.20),
    ("quotient", 0.25),
    ("openings", 0.08),
    ("batching", 0.02),
    ("FRI", 0.13),
    ("grinding", 0.01),
    ("queries", 0.01),
)
"""Step names with their usual share of the time."""


@dataclass
class Timings:
    """What a proof has taken.

    Attributes:
        seconds: wall-clock, by step name.
        cpu_seconds: of the process, all threads, over all steps.
        outside_kernels: of these, those of the calling thread outside native's kernels: Python, numpy, new memory's
            page faults there.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    outside_kernels: float = 0.0

    @property
    def total(self) -> float:
        """All steps."""
        return sum(self.seconds.values())

    @property
    def outside_kernels_share(self) -> float:
        """Of the CPU time."""
        return self.outside_kernels / self.cpu_seconds if self.cpu_seconds else 0.0


@dataclass
class Clock:
    """Tells progress and takes the time of one step after another, and of all of them together."""

    timings: Timings
    progress: Progress | None
    _step: int = 0
    _since: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Takes the CPU time of what is done in it, and ends the last step."""
        process, thread = time.process_time(), time.thread_time()
        with native.metered() as kernels:
            try:
                yield
            finally:
                self.stop()
                self.timings.cpu_seconds += time.process_time() - process
                self.timings.outside_kernels += time.thread_time() - thread - kernels.seconds

    def start(self, step: int) -> None:
        """Ends the step before, starts this one (1-based)."""
        self.stop()
        self._step, self._since = step, time.perf_counter()
        if self.progress:
            self.progress(_STEPS[step - 1][0], sum(share for _, share in _STEPS[: step - 1]))

    def stop(self) -> None:
        """Ends the running step."""
        if self._step:
            name = _STEPS[self._step - 1][0]
            spent = time.perf_counter() - self._since
            self.timings.seconds[name] = self.timings.seconds.get(name, 0.0) + spent
        self._step = 0
