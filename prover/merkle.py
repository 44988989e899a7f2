"""Half-split Merkle trees over columns of several heights (architecture.md, Merkle trees). Uses native."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

import native
from prover.hashing import DIGEST_WORDS, Context, to_bytes

U32 = NDArray[np.uint32]


class MerkleTree:
    """A committed set of matrices.

    Attributes:
        levels: digests (8, M) from the leaves to the root.

    Shapes:
        classes: log of the number of rows -> matrices (width, 2^log), concatenated in order.
    """

    def __init__(self, classes: Mapping[int, Sequence[U32]]) -> None:
        log = max(classes)
        level = native.hash_rows(list(classes[log]), Context.LEAF.value)
        self.levels = [level]
        while log:
            log -= 1
            level = native.hash_nodes(level, Context.NODE.value)
            if log in classes:
                leaves = native.hash_rows(list(classes[log]), Context.LEAF.value)
                level = native.hash_inject(level, leaves, Context.INJECT.value)
            self.levels.append(level)

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return to_bytes(int(word) for word in self.levels[-1][:, 0])

    def paths(self, indices: NDArray[np.int64]) -> U32:
        """Siblings from the leaves up, for every index (taken mod the number of leaves).

        Shapes:
            indices: (queries,); result: (queries, 8 * depth).
        """
        out = np.empty((len(indices), DIGEST_WORDS * (len(self.levels) - 1)), np.uint32)
        for i, level in enumerate(self.levels[:-1]):
            size = level.shape[1]
            siblings = (indices & (size - 1)) ^ (size >> 1)
            out[:, DIGEST_WORDS * i : DIGEST_WORDS * (i + 1)] = level[:, siblings].T
        return out


def rows(matrices: Sequence[U32], indices: NDArray[np.int64]) -> U32:
    """Opened rows of matrices of one height, concatenated; indices are taken mod the height.

    Shapes:
        result: (queries, sum of widths).
    """
    return np.concatenate([m[:, indices & (m.shape[1] - 1)].T for m in matrices], axis=1)
