"""Named forgeries and what each breaks, registered one by one."""

from __future__ import annotations

from collections.abc import Callable

from tests.soundness.forger import Forgery

Build = Callable[[], Forgery]
Cases = dict[str, tuple[Build, set[str], set[str]]]


def registry() -> tuple[Cases, Callable[..., Callable[[Build], Build]]]:
    """An empty list, and the decorator that puts a forgery there with its labels and relations."""
    cases: Cases = {}

    def forgery(
        labels: set[str] | None = None, relations: set[str] | None = None
    ) -> Callable[[Build], Build]:
        def register(build: Build) -> Build:
            cases[build.__name__] = (build, labels or set(), relations or set())
            return build

        return register

    return cases, forgery
