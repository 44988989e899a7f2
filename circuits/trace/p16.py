"""Trace of p16: all chain steps, then all tree nodes, then permutations of zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

import native
from circuits.tables.p16 import P16, P16Columns
from circuits.trace.capacity import check_capacity
from circuits.trace.signatures import I64, U32, SignatureBatch


class LevelUpdate(Protocol):
    """The touched nodes of one level of a tree (`circuits.rollup.tree.LevelUpdate`).

    Shapes: index (k,), digests (8, k), touched_* (k,) bool.
    """

    @property
    def index(self) -> I64: ...  # noqa: D102
    @property
    def left_before(self) -> U32: ...  # noqa: D102
    @property
    def right_before(self) -> U32: ...  # noqa: D102
    @property
    def left_after(self) -> U32: ...  # noqa: D102
    @property
    def right_after(self) -> U32: ...  # noqa: D102
    @property
    def touched_left(self) -> Any: ...  # noqa: D102
    @property
    def touched_right(self) -> Any: ...  # noqa: D102


class TreeUpdate(Protocol):
    """A tree's touched internal nodes, level 0 (root) first."""

    @property
    def levels(self) -> Sequence[LevelUpdate]: ...  # noqa: D102


Trees = Sequence[tuple[int, TreeUpdate]]
"""(level of the root in the TREE relation: 0 state, 64 exits; the tree's update)."""


def rows_needed(signatures: SignatureBatch, trees: Trees) -> int:
    """Rows without padding: a chain step each, two for a touched node."""
    nodes = sum(len(level.index) for _, tree in trees for level in tree.levels)
    return int(signatures.steps.inputs.shape[1]) + 2 * nodes


def generate(signatures: SignatureBatch, trees: Trees, height: int) -> U32:
    """The table; (161, height).

    Raises:
        CapacityError: More rows than `height`.
    """
    check_capacity(P16.name, rows_needed(signatures, trees), height)
    at = P16Columns
    steps = signatures.steps.inputs.shape[1]
    inputs = np.zeros((16, height), dtype=np.uint32)
    inputs[:, :steps] = signatures.steps.inputs
    row = steps
    for _, tree in trees:
        for level in tree.levels:
            end = row + 2 * len(level.index)
            inputs[:8, row:end:2], inputs[8:, row:end:2] = level.left_before, level.right_before
            inputs[:8, row + 1 : end : 2], inputs[8:, row + 1 : end : 2] = level.left_after, level.right_after
            row = end

    # The kernel's columns up to the first 8 outputs are the table's; the flags take the place of the others.
    table = native.poseidon2_trace(inputs)[: at.width]
    table[at.cont.start :] = 0
    _fill_chains(table, signatures)
    _fill_nodes(table, trees, steps)
    return table


def _fill_chains(table: U32, signatures: SignatureBatch) -> None:
    at = P16Columns
    walked = signatures.steps.counts[signatures.steps.counts > 0]
    ends = np.cumsum(walked)
    table[at.cont.start, : ends[-1] if len(ends) else 0] = 1
    table[at.cont.start, ends - 1] = 0
    table[at.last.start, ends - 1] = 1
    first_t0 = table[at.inputs.start + 5, ends - walked]
    table[at.key.start, : walked.sum()] = np.repeat(first_t0, walked)


def _fill_nodes(table: U32, trees: Trees, row: int) -> None:
    at = P16Columns
    for root_level, tree in trees:
        for depth, level in enumerate(tree.levels):
            end = row + 2 * len(level.index)
            table[at.is_tree.start, row:end:2] = 1
            table[at.touched.start, row:end:2] = level.touched_left
            table[at.touched.start, row + 1 : end : 2] = level.touched_right
            table[at.key.start, row:end:2] = level.index
            table[at.key.start, row + 1 : end : 2] = root_level + depth
            row = end
