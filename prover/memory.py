"""Memory that this process can still have. Plain Python."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")
_CGROUP_FILES = {
    "": ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    "memory": (
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}
"""By controller (version 2, version 1): folder, limit, use, and the part of it that is given back when asked for."""


def available_bytes(root: Path = _ROOT) -> int | None:
    """Memory that can be had without swapping and within every limit; None where the system does not say.

    Args:
        root: where /proc and /sys are.
    """
    found = [*_of_the_machine(root), *_of_the_container(root), *_of_the_process(root)]
    return max(min(found), 0) if found else None


def _fields(path: Path) -> dict[str, int]:
    """Lines of a name and a number; nothing where there is no such file."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0].rstrip(":"): int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}


def _number(path: Path) -> int | None:
    """A file of one number; None where there is no such file, or no limit."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _of_the_machine(root: Path) -> Iterator[int]:
    kibibytes = _fields(root / "proc/meminfo").get("MemAvailable")
    if kibibytes is not None:
        yield 1024 * kibibytes


def _of_the_container(root: Path) -> Iterator[int]:
    """Control groups: the process's own and those around it (a container sees its own as the outermost)."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in _CGROUP_FILES:
                folder, limit_file, used_file, given_back = _CGROUP_FILES[controller]
                own = root / folder / path.lstrip("/")
                for group in (own, *own.parents):
                    limit, used = _number(group / limit_file), _number(group / used_file)
                    if limit is not None and used is not None:
                        yield limit - used + _fields(group / "memory.stat").get(given_back, 0)


def _of_the_process(root: Path) -> Iterator[int]:
    """`ulimit -v`; what is mapped already counts, touched or not."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    kibibytes = _fields(root / "proc/self/status").get("VmSize")
    if limit != resource.RLIM_INFINITY and kibibytes is not None:
        yield limit - 1024 * kibibytes
