"""Hashes of many lanes at once, on the native kernel; the same values as `prover.poseidon2.compress`.

Shapes: lanes are columns, (elements, lanes), canonical uint32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import native
from circuits.rollup.cells import Cell, words_of
from circuits.rollup.words import ZERO_DIGEST, ZERO_WORD, Digest, Triple, u64_word
from circuits.tags import TAG_CELL, TAG_CODE

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]
DIGEST_LENGTH = 8


def compress_lanes(inputs: U32) -> U32:
    """Feed-forward compression of every column: (16 or 24, n) -> (8, n)."""
    if inputs.shape[1] == 0:
        return np.zeros((DIGEST_LENGTH, 0), dtype=np.uint32)
    return native.poseidon2_compress(np.ascontiguousarray(inputs), DIGEST_LENGTH)


def node_digests(left: U32, right: U32) -> U32:
    """Tree nodes: compress16(left, right); (8, n) each."""
    return compress_lanes(np.concatenate((left, right)))


def leaf_digests(cells: Sequence[Cell | None]) -> U32:
    """Leaf digests of cells; (8, n)."""
    return words_digests(np.array([words_of(cell) for cell in cells], dtype=np.uint32))


def words_digests(words: U32) -> U32:
    """The same of cells as words; (n, 5, 4) -> (8, n)."""
    inputs = np.zeros((24, len(words)), dtype=np.uint32)
    inputs[0] = TAG_CELL
    inputs[1:21] = words.reshape(len(words), 20).T
    return compress_lanes(inputs)


def chain_digests(tag: int, chains: Sequence[Sequence[Triple]]) -> list[Digest]:
    """`words.hash_chain` of many records from zero, step by step over all that are long enough."""
    state = np.zeros((DIGEST_LENGTH, len(chains)), dtype=np.uint32)
    for step in range(max(map(len, chains), default=0)):
        lanes = [i for i, chain in enumerate(chains) if len(chain) > step]
        state[:, lanes] = step_digests(tag, state[:, lanes], [chains[i][step] for i in lanes])
    return columns_digests(state)


def step_digests(tag: int, state: U32, triples: Sequence[Triple]) -> U32:
    """`words.hash_step` of many lanes: (8, n) states, n triples -> (8, n)."""
    inputs = np.zeros((24, len(triples)), dtype=np.uint32)
    inputs[0] = tag
    inputs[1:9] = state
    inputs[9:21] = np.array(triples, dtype=np.uint32).reshape(len(triples), 12).T
    return compress_lanes(inputs)


def one_step(tag: int, state: Digest, triple: Triple) -> Digest:
    """`words.hash_step` on the kernel: for chains that cannot run side by side."""
    column = np.array([tag, *state, *triple[0], *triple[1], *triple[2], 0, 0, 0], dtype=np.uint32)
    digest: list[int] = compress_lanes(column[:, None])[:, 0].tolist()
    return tuple(digest)


@lru_cache(maxsize=256)
def code_digest(code: tuple[int, ...]) -> Digest:
    """Hash of a program's code: a chain of one u64 word a step; shape (8,)."""
    state: Digest = ZERO_DIGEST
    for word in code:
        state = one_step(TAG_CODE, state, (u64_word(word), ZERO_WORD, ZERO_WORD))
    return state


def columns_digests(columns: U32) -> list[Digest]:
    """Columns of an (8, n) array as digests."""
    return [tuple(column) for column in columns.T.tolist()]


def digests_columns(digests: Sequence[Digest]) -> U32:
    """Digests as an (8, n) array."""
    return np.array(digests, dtype=np.uint32).reshape(-1, DIGEST_LENGTH).T
