"""Which implementation serves the kernels: C for one of three instruction sets, or numba.

`PEGPROOF_TIER` in {portable, avx2, avx512, numba} forces one.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from native.checks import Columns
from native.errors import KernelError

TIERS = ("portable", "avx2", "avx512", "numba")
ENVIRONMENT = "PEGPROOF_TIER"

_module: Any = None
_load_failure = ""
try:
    _module = importlib.import_module("native._kernels")
except ImportError as failure:
    _load_failure = str(failure)

_numba: dict[str, Callable[..., Any]] | None = None
_active = ""


def tiers() -> list[str]:
    """The tiers that work here, slowest first; numba, the fallback, stands last."""
    found = []
    if _module is not None:
        found = [name for index, name in enumerate(TIERS[:3]) if _module.lib.pp_tier_available(index)]
    if importlib.util.find_spec("numba") is not None:
        found.append("numba")
    return found


def set_tier(name: str) -> None:
    """Makes a tier serve every kernel from now on.

    Raises:
        KernelError: no such tier, or not on this machine.
    """
    global _active
    if name not in tiers():
        raise KernelError("native.set_tier", f"one of {tiers()}", repr(name))
    if name == "numba":
        _load_numba()
    else:
        _module.lib.pp_set_tier(TIERS.index(name))
    _active = name


def tier() -> str:
    """The tier that serves the kernels."""
    if not _active:
        _choose()
    return _active


def _choose() -> None:
    forced = os.environ.get(ENVIRONMENT)
    if forced:
        set_tier(forced)
        return
    available = tiers()
    if not available:
        raise KernelError("native", "the C build (python -m native.build) or numba", _load_failure)
    compiled = [name for name in available if name != "numba"]
    set_tier(compiled[-1] if compiled else "numba")


def _load_numba() -> dict[str, Callable[..., Any]]:
    global _numba
    if _numba is None:
        _numba = importlib.import_module("native.numba_tier").KERNELS
    return _numba


def set_threads(count: int) -> None:
    """Sets how many threads a C kernel uses (the numba tier always uses one).

    Raises:
        KernelError: count < 1.
    """
    if count < 1:
        raise KernelError("native.set_threads", "at least 1", repr(count))
    if _module is not None:
        _module.lib.pool_set_threads(count)


def threads() -> int:
    """How many threads a kernel uses."""
    return int(_module.lib.pool_threads()) if _module is not None and tier() != "numba" else 1


@contextmanager
def using_threads(count: int | None) -> Iterator[None]:
    """Within, a C kernel uses `count` threads; None keeps what is set.

    Raises:
        KernelError: count < 1.
    """
    before = threads()
    if count is not None:
        set_threads(count)
    try:
        yield
    finally:
        if count is not None:
            set_threads(before)


def why() -> list[tuple[str, str]]:
    """What decided the tier, as (check, result) for `pegproof doctor`."""
    lines = [
        ("processor", platform.machine()),
        ("C build (native/_kernels)", "loaded" if _module is not None else f"missing: {_load_failure}"),
    ]
    if _module is not None:
        lines += [
            (name, "yes" if _module.lib.pp_tier_available(i) else "no") for i, name in enumerate(TIERS[:3])
        ]
    lines.append(("numba", "installed" if "numba" in tiers() else "missing"))
    lines.append((ENVIRONMENT, os.environ.get(ENVIRONMENT) or "not set"))
    lines.append(("tier in use", tier()))
    lines.append(("threads", str(threads())))
    return lines


def _argument(value: Any) -> Any:
    """A Python argument as C takes it; Columns become their array of pointers, None a null pointer."""
    if isinstance(value, Columns):
        value = value.pointers
    if isinstance(value, np.ndarray):
        return _module.ffi.cast("void *", value.__array_interface__["data"][0])
    return _module.ffi.NULL if value is None else value


@dataclass
class Meter:
    """CPU seconds that a thread has spent inside kernels."""

    seconds: float = 0.0


class _Metered(threading.local):
    meter: Meter | None = None


_metered = _Metered()


@contextmanager
def metered() -> Iterator[Meter]:
    """Counts the calling thread's CPU time inside kernels while the context lasts (one at a time a thread).

    The pool's workers are not in it: they do nothing but kernels.
    """
    meter = _metered.meter = Meter()
    try:
        yield meter
    finally:
        _metered.meter = None


def run(name: str, *arguments: Any) -> Any:
    """Calls a kernel of the active tier; the arguments are those of csrc/kernel_list.h."""
    if tier() == "numba":
        kernel = _load_numba()[name]
    else:
        kernel = getattr(_module.lib, "pp_" + name)
        arguments = tuple(_argument(value) for value in arguments)
    meter = _metered.meter
    if meter is None:
        return kernel(*arguments)
    start = time.thread_time()
    try:
        return kernel(*arguments)
    finally:
        meter.seconds += time.thread_time() - start


def run_checked(name: str, *arguments: Any) -> None:
    """Calls a kernel that returns 0 when it is out of memory.

    Raises:
        KernelError: out of memory.
    """
    if not run(name, *arguments):
        raise KernelError(f"native.{name}", "memory for scratch space", "none")
