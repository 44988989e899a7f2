"""A sparse tree's root by its definition."""

from __future__ import annotations

from collections.abc import Mapping

from circuits.rollup.tree import empty_digests
from circuits.rollup.words import Digest
from prover.poseidon2 import compress


def plain_root(depth: int, empty_leaf: Digest, leaves: Mapping[int, Digest]) -> Digest:
    """The root by its definition, recursively in plain Python."""
    empty = empty_digests(depth, empty_leaf)

    def node(level: int, index: int, below: Mapping[int, Digest]) -> Digest:
        if not below:
            return empty[level]
        if level == depth:
            return below[index]
        middle = (2 * index + 1) << (depth - level - 1)
        left = node(level + 1, 2 * index, {i: d for i, d in below.items() if i < middle})
        right = node(level + 1, 2 * index + 1, {i: d for i, d in below.items() if i >= middle})
        return compress(16, (*left, *right), 8)

    return node(0, 0, leaves)
