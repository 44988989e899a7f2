"""Rows of the word table: each distinct word once, with how often it is asked for by bytes and by limbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuits.tables.word import WordColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.execution import I64, U32, finish, to_bytes

U64 = NDArray[np.uint64]


@dataclass(frozen=True)
class Words:
    """Distinct words, ascending, and their requests."""

    values: U64
    mult_bytes: I64
    mult_limbs: I64


def collect(by_bytes: U64, by_limbs: U64, extra: tuple[tuple[int, int, int], ...] = ()) -> Words:
    """Counts requests.

    Args:
        by_bytes: words asked for by BYTES, with repetition.
        by_limbs: words asked for by LIMBS.
        extra: (word, times by bytes, times by limbs), for padding rows of others.
    """
    more = np.array([word for word, _, _ in extra], dtype=np.uint64)
    values, place = np.unique(np.concatenate([by_bytes, by_limbs, more]), return_inverse=True)
    n, k = by_bytes.size, by_limbs.size
    mult_bytes = np.bincount(place[:n], minlength=values.size)
    mult_limbs = np.bincount(place[n : n + k], minlength=values.size)
    for at, (_, bytes_times, limbs_times) in zip(place[n + k :], extra, strict=True):
        mult_bytes[at] += bytes_times
        mult_limbs[at] += limbs_times
    return Words(values, mult_bytes, mult_limbs)


def generate(words: Words, height: int) -> U32:
    """The table.

    Raises:
        CapacityError: more distinct words than rows.
    """
    m = words.values.size
    check_capacity("word", m, height)
    rows = np.zeros((WordColumns.width, height), dtype=np.int64)
    rows[:8, :m] = to_bytes(words.values)
    rows[8, :m], rows[9, :m] = words.mult_bytes, words.mult_limbs
    return finish(rows)
