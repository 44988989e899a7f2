"""`numba.njit` as this package uses it: cached on disk, without the GIL, never parallel; typed for mypy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile on first use."""
    return cast(Function, njit(cache=True, nogil=True)(function))
