"""Words and the table of touched cells as scalar numba functions: parts of the executor's loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from circuits.machine.jit import jit

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

_LIMB = np.uint64(1 << 16)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_S16, _S32, _S48, _S63 = np.uint64(16), np.uint64(32), np.uint64(48), np.uint64(63)
_MASK16, _MASK32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)


@jit
def is_u64(word: U64) -> bool:
    """Whether every limb is below 2^16."""
    return bool((word[0] | word[1] | word[2] | word[3]) < _LIMB)


@jit
def value(word: U64) -> np.uint64:
    """Integer of a checked word."""
    return np.uint64(word[0] | (word[1] << _S16) | (word[2] << _S32) | (word[3] << _S48))


@jit
def put(word: U64, number: np.uint64) -> None:
    """Write the limbs of a value."""
    word[0] = number & _MASK16
    word[1] = (number >> _S16) & _MASK16
    word[2] = (number >> _S32) & _MASK16
    word[3] = number >> _S48


@jit
def muldiv(a: np.uint64, b: np.uint64, c: np.uint64) -> tuple[bool, np.uint64, np.uint64]:
    """Divide: a b = q c + r with r < c, by a 128-bit product and a bitwise division.

    Args:
        a: Any.
        b: Any.
        c: Any; 0 does not fit.

    Returns:
        Whether q < 2^64; q, or the product's low word; r, or its high word.
    """
    low_low = (a & _MASK32) * (b & _MASK32)
    low_high = (a & _MASK32) * (b >> _S32)
    high_low = (a >> _S32) * (b & _MASK32)
    high_high = (a >> _S32) * (b >> _S32)
    middle = (low_low >> _S32) + (low_high & _MASK32) + (high_low & _MASK32)
    low = (low_low & _MASK32) | (middle << _S32)
    high = high_high + (low_high >> _S32) + (high_low >> _S32) + (middle >> _S32)
    if high >= c:
        return False, low, high
    if high == _ZERO:
        return True, low // c, low % c
    quotient, remainder = _ZERO, high
    for i in range(64):
        top = remainder >> _S63
        remainder = (remainder << _ONE) | ((low >> np.uint64(63 - i)) & _ONE)
        quotient = quotient << _ONE
        if top == _ONE or remainder >= c:
            remainder = remainder - c
            quotient = quotient | _ONE
    return True, quotient, remainder


@jit
def slot(index: np.int64, keys: I64) -> np.int64:
    """Place of a cell in the open-addressed table: its own, or the free one where it belongs."""
    mask = keys.shape[0] - 1
    place = np.int64((index * 0x9E3779B1 >> 7) & mask)
    while keys[place] != -1 and keys[place] != index:
        place = np.int64((place + 1) & mask)
    return place
