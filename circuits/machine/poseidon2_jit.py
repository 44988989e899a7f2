"""`prover.poseidon2.compress` at width 24 as a scalar numba function: the executor's HASH.

Bounds (all in uint64, elements below p < 2^31): a cube reduces after each product (< 2^62); a block of the
external matrix sums 7 elements, the column sums 6 blocks, and the output one block and one sum: 49 p < 2^37;
the internal layer adds a product (< 2^62) to a sum of 24 elements (< 2^36).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from circuits.machine.jit import jit
from prover import poseidon2_constants as constants

_P: Final = np.uint64(2130706433)
_TWO: Final = np.uint64(2)
_INITIAL: Final[NDArray[np.uint64]] = np.array(constants.EXTERNAL_INITIAL_24, dtype=np.uint64)
_INTERNAL: Final[NDArray[np.uint64]] = np.array(constants.INTERNAL_24, dtype=np.uint64)
_FINAL: Final[NDArray[np.uint64]] = np.array(constants.EXTERNAL_FINAL_24, dtype=np.uint64)
_DIAGONAL: Final[NDArray[np.uint64]] = np.array(constants.DIAGONAL_24, dtype=np.uint64)


@jit
def _external(state: NDArray[np.uint64]) -> None:
    """Multiply by circ(2 M4, M4, .., M4), in place. Shape (24,)."""
    s0 = s1 = s2 = s3 = np.uint64(0)
    for i in range(0, 24, 4):
        a, b, c, d = state[i], state[i + 1], state[i + 2], state[i + 3]
        total = a + b + c + d
        state[i] = total + a + _TWO * b
        state[i + 1] = total + b + _TWO * c
        state[i + 2] = total + c + _TWO * d
        state[i + 3] = total + d + _TWO * a
        s0 += state[i]
        s1 += state[i + 1]
        s2 += state[i + 2]
        s3 += state[i + 3]
    for i in range(0, 24, 4):
        state[i] = (state[i] + s0) % _P
        state[i + 1] = (state[i + 1] + s1) % _P
        state[i + 2] = (state[i + 2] + s2) % _P
        state[i + 3] = (state[i + 3] + s3) % _P


@jit
def _cube(x: np.uint64) -> np.uint64:
    """x^3 of an element that is below 2p."""
    x = x % _P
    return x * x % _P * x % _P


@jit
def compress24(inputs: NDArray[np.uint64], out: NDArray[np.uint64]) -> None:
    """Compute out = (perm(inputs) + inputs)[:8].

    Args:
        inputs: Canonical elements; shape (24,). Not changed.
        out: Written; shape (8,).
    """
    state = inputs.copy()
    _external(state)
    for r in range(4):
        for i in range(24):
            state[i] = _cube(state[i] + _INITIAL[r, i])
        _external(state)
    for r in range(_INTERNAL.shape[0]):
        state[0] = _cube(state[0] + _INTERNAL[r])
        total = np.uint64(0)
        for i in range(24):
            total += state[i]
        for i in range(24):
            state[i] = (state[i] * _DIAGONAL[i] + total) % _P
    for r in range(4):
        for i in range(24):
            state[i] = _cube(state[i] + _FINAL[r, i])
        _external(state)
    for i in range(8):
        out[i] = (state[i] + inputs[i]) % _P


@jit
def hash_words(words: NDArray[np.uint64], tag: int) -> NDArray[np.uint64]:
    """A chain of compressions from zero, one u64 word a step.

    Args:
        words: Any u64; shape (n,).
        tag: First element of each input.

    Returns:
        Shape (8,).
    """
    digest = np.zeros(8, dtype=np.uint64)
    inputs = np.zeros(24, dtype=np.uint64)
    inputs[0] = np.uint64(tag)
    for word in words:
        inputs[1:9] = digest
        for i in range(4):
            inputs[9 + i] = (word >> np.uint64(16 * i)) & np.uint64(0xFFFF)
        compress24(inputs, digest)
    return digest
