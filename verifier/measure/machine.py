"""The machine's ceilings, measured: field multiplications and bytes copied a second."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

import native
from native import Op
from verifier.measure.clock import median

_MULTIPLICATIONS = 512
_ROWS = 1 << 16
_COPIED = 1 << 26


@dataclass(frozen=True)
class Ceilings:
    """Of so many threads.

    Attributes:
        threads: that ran.
        multiplications: KoalaBear products a second, operands in the first-level cache.
        copied_bytes: a second, read and written each counted, from memory to memory.
    """

    threads: int
    multiplications: float
    copied_bytes: float


def ceilings(threads: int, repeats: int = 3) -> Ceilings:
    """Measures them; the multiplications are a product chain of the constraint machine, eight apart."""
    loads = [[Op.LOAD, k, 0, 0] for k in range(8)]
    products = [[Op.BMUL, k % 8, k % 8, (k + 1) % 8] for k in range(_MULTIPLICATIONS)]
    code = np.array([*loads, *products, [Op.STOREB, 0, 0, 0]], np.uint32)
    one = np.ones(1, np.uint32)
    machine = native.Machine(code, 8, 1, one, np.zeros((6, 1), np.uint32))
    column, out = np.full((1, _ROWS), 3, np.uint32), np.empty(_ROWS, np.uint32)
    with native.using_threads(threads):
        spent = median(lambda: machine.run([column], 1, _ROWS, base_outputs=[out]), repeats)
    source = np.ones((threads, _COPIED // threads), np.uint32)
    target = np.empty_like(source)
    with ThreadPoolExecutor(threads) as pool:
        copying = median(lambda: list(pool.map(np.copyto, target, source)), repeats)
    return Ceilings(threads, _MULTIPLICATIONS * _ROWS / spent, 2 * source.nbytes / copying)
