"""Sparse Merkle trees of fixed depth: the state tree (depth 30) and a batch's exit tree (depth 10).

Level 0 is the root, level `depth` the leaves; a node is compress16(left, right). A subtree without leaves has
the level's empty digest and is not stored. `SparseTree` is immutable: `update` says what a change of leaves
does to every node on the way, `advance` gives the tree after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from circuits.rollup.cells import leaf_digest
from circuits.rollup.hashing import I64, U32, columns_digests, digests_columns, node_digests
from circuits.rollup.params import CELL_DEPTH, EXIT_DEPTH
from circuits.rollup.words import ZERO_DIGEST, Digest
from prover.poseidon2 import compress


@dataclass(frozen=True, slots=True)
class LevelUpdate:
    """The touched internal nodes of one level: a node is touched if a leaf below it is (the root always is).

    Shapes: index (k,) int64, increasing; digests (8, k) uint32; touched_* (k,) bool: whether the child is
    touched. An untouched child has before = after.
    """

    index: I64
    left_before: U32
    right_before: U32
    left_after: U32
    right_after: U32
    touched_left: np.ndarray[tuple[int], np.dtype[np.bool_]]
    touched_right: np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class TreeUpdate:
    """What a change of leaves does to a tree: one row a touched internal node, one a touched leaf.

    Attributes:
        levels: Item l holds the nodes of level l, 0 (root) to depth - 1.
        leaf_index: Touched leaves, increasing; (k,) int64.
        leaf_before: (8, k).
        leaf_after: (8, k).
        root_before: Shape (8,).
        root_after: Shape (8,).
    """

    levels: tuple[LevelUpdate, ...]
    leaf_index: I64
    leaf_before: U32
    leaf_after: U32
    root_before: Digest
    root_after: Digest

    @property
    def num_nodes(self) -> int:
        """Touched internal nodes; each takes two rows of p16."""
        return sum(len(level.index) for level in self.levels)


@dataclass(frozen=True, slots=True)
class _Level:
    """Stored nodes of a level: index (n,) increasing, digests (8, n)."""

    index: I64
    digests: U32

    def get(self, index: I64, empty: Digest) -> U32:
        """Digests at any indices; (8, k)."""
        found, places = self._find(index)
        result = np.repeat(np.array(empty, dtype=np.uint32)[:, None], len(index), axis=1)
        result[:, found] = self.digests[:, places[found]]
        return result

    def put(self, index: I64, digests: U32) -> _Level:
        """The level with these nodes replaced or added; index increasing."""
        found, places = self._find(index)
        merged = self.digests.copy()
        merged[:, places[found]] = digests[:, found]
        if found.all():
            return _Level(self.index, merged)
        new = ~found
        where = places[new]
        return _Level(
            np.insert(self.index, where, index[new]),
            np.insert(merged, where, digests[:, new], axis=1),
        )

    def _find(self, index: I64) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], I64]:
        places = np.searchsorted(self.index, index)
        if not len(self.index):
            return np.zeros(len(index), dtype=np.bool_), places
        return self.index[np.minimum(places, len(self.index) - 1)] == index, places


@cache
def empty_digests(depth: int, empty_leaf: Digest) -> tuple[Digest, ...]:
    """Digest of an empty subtree by level, 0 (the whole tree) to depth."""
    digests = [empty_leaf]
    for _ in range(depth):
        digests.append(compress(16, digests[-1] * 2, 8))
    return tuple(reversed(digests))


class SparseTree:
    """An immutable sparse Merkle tree.

    Attributes:
        depth: Number of levels below the root.
        empty: Empty subtree digests by level.
    """

    def __init__(self, depth: int, empty_leaf: Digest, leaves: Mapping[int, Digest] | None = None) -> None:
        """Build the tree of some leaves.

        Raises:
            IndexError: A leaf is not below 2^depth.
        """
        self.depth = depth
        self.empty = empty_digests(depth, empty_leaf)
        self._levels: tuple[_Level, ...] = tuple(
            _Level(np.zeros(0, dtype=np.int64), np.zeros((8, 0), dtype=np.uint32)) for _ in range(depth + 1)
        )
        if leaves:
            self._levels = self.advance(self.update(leaves))._levels

    @property
    def root(self) -> Digest:
        """Digest of level 0; shape (8,)."""
        return self.node(0, 0)

    def node(self, level: int, index: int) -> Digest:
        """Digest of any node; shape (8,)."""
        where = np.array([index], dtype=np.int64)
        return columns_digests(self._levels[level].get(where, self.empty[level]))[0]

    def path(self, index: int) -> tuple[Digest, ...]:
        """Siblings of a leaf's path, from the leaf upward; shape (depth, 8)."""
        return tuple(
            self.node(level, index >> (self.depth - level) ^ 1) for level in range(self.depth, 0, -1)
        )

    def update(self, leaves: Mapping[int, Digest]) -> TreeUpdate:
        """What new leaf digests (equal ones too: a cell that was only read) do to the tree.

        Raises:
            IndexError: A leaf is not below 2^depth.
        """
        index = np.array(sorted(leaves), dtype=np.int64)
        if len(index) and (index[0] < 0 or index[-1] >= 1 << self.depth):
            raise IndexError(f"leaf {index[-1]} in a tree of depth {self.depth}")
        after = digests_columns([leaves[i] for i in index.tolist()])
        leaf_index, leaf_after = index, after
        levels: list[LevelUpdate] = []
        for level in range(self.depth - 1, -1, -1):
            below = self._levels[level + 1]
            parents = np.unique(index >> 1) if level else np.zeros(1, dtype=np.int64)
            sides = []
            for side in (0, 1):
                child = 2 * parents + side
                before = below.get(child, self.empty[level + 1])
                touched = np.isin(child, index, assume_unique=True)
                child_after = before.copy()
                child_after[:, touched] = after[:, (index & 1) == side]
                sides.append((before, child_after, touched))
            (left, left_after, touched_left), (right, right_after, touched_right) = sides
            levels.append(
                LevelUpdate(parents, left, right, left_after, right_after, touched_left, touched_right)
            )
            index, after = parents, node_digests(left_after, right_after)
        before = self._levels[self.depth].get(leaf_index, self.empty[self.depth])
        root_after = columns_digests(after)[0]
        return TreeUpdate(tuple(reversed(levels)), leaf_index, before, leaf_after, self.root, root_after)

    def advance(self, update: TreeUpdate) -> SparseTree:
        """The tree after an update that was computed on this tree (or on one with the same root).

        Raises:
            ValueError: The update starts from another root.
        """
        if update.root_before != self.root:
            raise ValueError("update starts from another root")
        tree = SparseTree.__new__(SparseTree)
        tree.depth, tree.empty = self.depth, self.empty
        root = (np.zeros(1, dtype=np.int64), digests_columns([update.root_after]))
        changes = [root]
        for level in update.levels:
            index = np.concatenate(
                (2 * level.index[level.touched_left], 2 * level.index[level.touched_right] + 1)
            )
            digests = np.concatenate(
                (level.left_after[:, level.touched_left], level.right_after[:, level.touched_right]), axis=1
            )
            order = np.argsort(index)
            changes.append((index[order], digests[:, order]))
        tree._levels = tuple(
            stored.put(index, digests) for stored, (index, digests) in zip(self._levels, changes, strict=True)
        )
        return tree


def state_tree(leaves: Mapping[int, Digest] | None = None) -> SparseTree:
    """The state tree: depth 30 over leaf digests of cells."""
    return SparseTree(CELL_DEPTH, leaf_digest(None), leaves)


def exit_tree() -> SparseTree:
    """An empty exit tree: depth 10, empty leaf 0^8."""
    return SparseTree(EXIT_DEPTH, ZERO_DIGEST)
