"""Checks at the boundary: types, shapes and layout of arrays, ranges of scalars.

Array *elements* are taken to be canonical (a pass over the data would cost as much as many kernels);
`native.is_canonical` checks them where data comes from outside. Scalars are always checked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from native import memory
from native.errors import KernelError

P = 2**31 - 2**24 + 1
TWO_ADICITY = 24

U32: TypeAlias = npt.NDArray[np.uint32]
KB6: TypeAlias = Sequence[int]
"""An element of F_p[X]/(X^6 + X^3 + 1): six canonical integers, X^0 first."""


def describe(value: object) -> str:
    """A value in an error message."""
    if isinstance(value, np.ndarray):
        layout = "C-contiguous" if value.flags.c_contiguous else "strided"
        return f"{layout} {value.dtype} {value.shape}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def array(where: str, value: Any, *shape: int | None) -> U32:
    """Checks a C-contiguous uint32 array; None in the shape stands for any length.

    Raises:
        KernelError: wrong type, layout or shape.
    """
    ok = isinstance(value, np.ndarray) and value.dtype == np.uint32 and value.flags.c_contiguous
    if ok:
        ok = value.ndim == len(shape) and all(
            want is None or want == have for want, have in zip(shape, value.shape, strict=True)
        )
    if not ok:
        wanted = ", ".join("n" if length is None else str(length) for length in shape)
        raise KernelError(where, f"C-contiguous uint32 ({wanted})", describe(value))
    result: U32 = value
    return result


def empty(*shape: int) -> U32:
    """An array that is not initialised and starts on a cache line, which kernels read and write fastest."""
    words = math.prod(shape)
    large = memory.empty(words)
    if large is not None:
        return large.reshape(shape)
    some = np.empty(words + 15, dtype=np.uint32)
    skip = -some.__array_interface__["data"][0] % 64 // 4
    return some[skip : skip + words].reshape(shape)


def output(where: str, out: U32 | None, *shape: int) -> U32:
    """The given output array, checked, or a new one.

    Raises:
        KernelError: wrong type, layout or shape, or not writeable.
    """
    if out is None:
        return empty(*shape)
    if not isinstance(out, np.ndarray) or not out.flags.writeable:
        raise KernelError(where, "a writeable array", describe(out))
    return array(where, out, *shape)


def element(where: str, value: int) -> int:
    """Checks a canonical base field element.

    Raises:
        KernelError: not in 0..p-1.
    """
    if not isinstance(value, int | np.integer) or not 0 <= value < P:
        raise KernelError(where, f"a canonical field element below {P}", describe(value))
    return int(value)


def kb6(where: str, value: KB6) -> U32:
    """Checks a KB6 scalar, and turns it into an array of six words.

    Raises:
        KernelError: not six canonical coefficients.
    """
    if len(value) != 6:
        raise KernelError(where, "six coefficients", describe(value))
    return np.array([element(where, coefficient) for coefficient in value], dtype=np.uint32)


def log2(where: str, length: int, most: int = TWO_ADICITY) -> int:
    """Checks that a length is a power of two up to 2^most, and returns its logarithm.

    Raises:
        KernelError: another length.
    """
    if length < 1 or length & (length - 1) or length.bit_length() - 1 > most:
        raise KernelError(where, f"a power of two, at most 2^{most}", describe(length))
    return length.bit_length() - 1


class Columns:
    """Columns of equal length somewhere in memory, as a C kernel takes them: an array of pointers.

    Attributes:
        parts: the arrays the columns live in (kept alive with the pointers).
        pointers: address of each column.
        count: number of columns.
        rows: length of each.
    """

    def __init__(self, where: str, columns: U32 | Sequence[U32], rows: int | None = None) -> None:
        """Takes one array or a list of arrays, each (n,) or (c, n) with contiguous rows, all with n rows.

        Raises:
            KernelError: wrong type, layout or unequal lengths.
        """
        self.parts: list[U32] = [columns] if isinstance(columns, np.ndarray) else list(columns)
        addresses: list[int] = []
        for part in self.parts:
            if not isinstance(part, np.ndarray) or part.dtype != np.uint32 or part.ndim not in (1, 2):
                raise KernelError(where, "uint32 columns (n) or (c, n)", describe(part))
            if part.size and part.shape[-1] > 1 and part.strides[-1] != 4:
                raise KernelError(where, "columns with contiguous rows", describe(part))
            rows = part.shape[-1] if rows is None else rows
            if part.shape[-1] != rows:
                raise KernelError(where, f"columns of {rows} rows", describe(part))
            count, stride = (1, 0) if part.ndim == 1 else (part.shape[0], part.strides[0])
            start = part.__array_interface__["data"][0]
            addresses += range(start, start + stride * count, stride) if stride else [start] * count
        self.pointers = np.array(addresses, dtype=np.uintp)
        self.count = len(self.pointers)
        self.rows = rows or 0

    def part(self, start: int, count: int) -> Columns:
        """`count` of the columns, from `start` on."""
        if start == 0 and count == self.count:
            return self
        part = object.__new__(Columns)
        part.parts = self.views()[start : start + count]
        part.pointers = self.pointers[start : start + count].copy()
        part.count, part.rows = count, self.rows
        return part

    def views(self) -> list[U32]:
        """The columns as one-dimensional arrays."""
        return [row for part in self.parts for row in (part if part.ndim == 2 else part[np.newaxis])]

    def stacked(self) -> U32:
        """The columns copied into one (count, rows) array."""
        if len(self.parts) == 1 and self.parts[0].ndim == 2 and self.parts[0].flags.c_contiguous:
            return self.parts[0]
        out = np.empty((self.count, self.rows), dtype=np.uint32)
        for row, view in zip(out, self.views(), strict=True):
            row[:] = view
        return out
