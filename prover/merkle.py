"""Half-split Merkle trees over rows of several heights (architecture.md, Merkle trees). Uses native."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

import native
from prover.hashing import DIGEST_WORDS, Context, to_bytes

U32 = NDArray[np.uint32]


class MerkleTree:
    """A committed set of rows. Only leaves are kept: levels above are cheaper to hash again than to keep.

    Attributes:
        leaves: log of the number of rows -> their digests (8, 2^log).
        root: 32 bytes.
    """

    def __init__(self, leaves: Mapping[int, U32]) -> None:
        self.leaves = dict(leaves)
        *_, top = self._levels()
        self.root = to_bytes(int(word) for word in top[:, 0])

    def _levels(self) -> Iterator[U32]:
        """From the tallest class's leaves to the root: (8, M) each."""
        log = max(self.leaves)
        level = self.leaves[log]
        yield level
        while log:
            log -= 1
            level = native.hash_nodes(level, Context.NODE.value)
            if log in self.leaves:
                level = native.hash_inject(level, self.leaves[log], Context.INJECT.value)
            yield level

    def paths(self, indices: NDArray[np.int64]) -> U32:
        """Siblings from the leaves up, for every index (taken mod the number of leaves).

        Shapes:
            indices: (queries,); result: (queries, 8 * depth).
        """
        depth = max(self.leaves)
        out = np.empty((len(indices), DIGEST_WORDS * depth), np.uint32)
        for i, level in enumerate(self._levels()):
            if i < depth:
                size = level.shape[1]
                siblings = (indices & (size - 1)) ^ (size >> 1)
                out[:, DIGEST_WORDS * i : DIGEST_WORDS * (i + 1)] = level[:, siblings].T
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
