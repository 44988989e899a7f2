"""Progress and timings of a proof, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

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
    """Seconds by step name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """All steps."""
        return sum(self.seconds.values())


@dataclass
class Clock:
    """Tells progress and takes the time of one step after another."""

    timings: Timings
    progress: Progress | None
    _step: int = 0
    _since: float = 0.0

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
