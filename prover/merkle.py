"""Half-split Merkle trees over rows of several heights (architecture.md, Merkle trees). Uses native."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

import native
from prover.hashing import DIGEST_WORDS, Context, to_bytes
from prover.layout import UNKEPT_LEVELS

U32 = NDArray[np.uint32]


class MerkleTree:
    """A committed set of rows: its leaves, and the levels from UNKEPT_LEVELS above them on.

    Attributes:
        leaves: log of the number of rows -> their digests (8, 2^log).
        depth: log of the number of the tallest class's leaves.
        root: 32 bytes.
    """

    def __init__(self, leaves: Mapping[int, U32]) -> None:
        self.leaves = dict(leaves)
        self.depth = max(self.leaves)
        self._again = min(UNKEPT_LEVELS, self.depth)
        self._upper = list(islice(self._climb(self.depth), self._again, None))
        self.root = to_bytes(int(word) for word in self._upper[-1][:, 0])

    def _climb(self, levels: int, nodes: NDArray[np.int64] | None = None) -> Iterator[U32]:
        """The tallest class's leaves, or those numbered `nodes`, and so many levels above them: (8, M) each.

        Of the nodes of any level, the first half must be left children, and the second half their siblings.
        """

        def leaves(log: int, count: int) -> U32:
            return self.leaves[log] if nodes is None else np.take(self.leaves[log], nodes[:count], axis=1)

        level = leaves(self.depth, 1 << self.depth if nodes is None else len(nodes))
        yield level
        for log in range(self.depth - 1, self.depth - levels - 1, -1):
            level = native.hash_nodes(level, Context.NODE.value)
            if log in self.leaves:
                level = native.hash_inject(level, leaves(log, level.shape[1]), Context.INJECT.value)
            yield level

    def paths(self, indices: NDArray[np.int64]) -> U32:
        """Siblings from the leaves up, for every index (taken mod the number of leaves).

        Shapes:
            indices: (queries,); result: (queries, 8 * depth).
        """
        out = np.empty((len(indices), DIGEST_WORDS * self.depth), np.uint32)

        def put(i: int, level: U32, siblings: NDArray[np.int64]) -> None:
            out[:, DIGEST_WORDS * i : DIGEST_WORDS * (i + 1)] = level[:, siblings].T

        # Leaf number + (j << kept), for each j, is under the lowest kept node over the query: j by j, query by query.
        kept, queries = self.depth - self._again, np.arange(len(indices))
        number, j = indices & ((1 << kept) - 1), (indices & ((1 << self.depth) - 1)) >> kept
        nodes = (np.arange(1 << self._again)[:, None] << kept) + number
        for i, level in enumerate(islice(self._climb(self._again, nodes.reshape(-1)), self._again)):
            half = 1 << (self._again - i - 1)
            put(i, level, ((j & (2 * half - 1)) ^ half) * len(indices) + queries)
        for i, level in enumerate(self._upper[:-1], self._again):
            size = level.shape[1]
            put(i, level, (indices & (size - 1)) ^ (size >> 1))
        return out


def leaf_digests(matrices: Sequence[U32]) -> U32:
    """Hashes of the rows of matrices of one height, concatenated. Shapes: (width, M) each -> (8, M)."""
    return np.asarray(native.hash_rows(list(matrices), Context.LEAF.value))


def rows(matrices: Sequence[U32], indices: NDArray[np.int64]) -> U32:
    """Opened rows of matrices of one height, concatenated; indices are taken mod the height.

    Shapes:
        result: (queries, sum of widths).
    """
    return np.concatenate([m[:, indices & (m.shape[1] - 1)].T for m in matrices], axis=1)
