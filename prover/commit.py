"""Commitments to tables whose low-degree extension is never stored: it is made anew, a few columns at a time.

A table is kept once, as its values on a coset of the trace domain, and moved from coset to coset in place.
Hashing the extension and opening its rows take a pass over it each; storing it would take `blowup` times the
table's memory, and touching that memory for the first time costs more than the transforms
(docs/performance.md). Uses native.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import native
from prover.air.air import AirError, AirSystem
from prover.domains import coset_shift
from prover.field import TWO_ADIC_ROOTS, P, inverse
from prover.hashing import Context
from prover.key import VerifyingKey
from prover.layout import Layout, Tree, TreeName, streamed_columns
from prover.merkle import MerkleTree
from prover.params import ProofParams
from prover.shape import Shape

U32 = NDArray[np.uint32]


class TableColumns:
    """Columns of one table, as their values on offset * H.

    Attributes:
        values: (width, n).
        offset: of the coset; 1 is the trace domain.
        owned: whether `values` may be overwritten; otherwise the first move makes a copy.
    """

    def __init__(self, values: U32, offset: int = 1, *, owned: bool) -> None:
        self.values, self.offset, self.owned = values, offset, owned

    def move(self, offset: int) -> U32:
        """The values on another coset."""
        if offset != self.offset:
            ratio = offset * inverse(self.offset) % P
            out = self.values if self.owned else None
            self.values = np.asarray(native.coset_lde(self.values, 0, ratio, out=out))
            self.offset, self.owned = offset, True
        return self.values


def _groups(tables: Sequence[TableColumns], size: int) -> Iterator[list[U32]]:
    """The columns of all tables in order, `size` at a time."""
    group: list[U32] = []
    space = size
    for table in tables:
        start = 0
        while start < len(table.values):
            part = table.values[start : start + space]
            group.append(part)
            start += len(part)
            space -= len(part)
            if not space:
                yield group
                group, space = [], size
    if group:
        yield group


def extension(
    tables: Sequence[TableColumns], log_blowup: int, shift: int, *, move: bool = False
) -> Iterator[U32]:
    """The extension on shift * H_N of tables of one height, all on one coset, some columns at a time.

    Args:
        tables: Of one height.
        log_blowup: Of the extension.
        shift: Of its domain.
        move: Overwrite the tables, which is cheaper here than later, with their values on shift * H.

    Shapes:
        each: (columns, N), overwritten by the next.
    """
    offset = tables[0].offset
    points = tables[0].values.shape[1] << log_blowup
    size = min(streamed_columns(points), sum(len(table.values) for table in tables))
    buffer = native.empty(size, points)
    for group in _groups(tables, size):
        out = buffer[: sum(len(part) for part in group)]
        first = group if move else None
        yield native.coset_lde(group, log_blowup, shift * inverse(offset) % P, out=out, first=first)
    for table in tables if move else ():
        table.offset = shift


@dataclass
class Commitment:
    """One tree and the tables under it.

    Attributes:
        layout: figures.
        tree: its place in the layout.
        classes: by log height, the tables in column order (the quotient: one), all on one coset.
        merkle: the tree.
    """

    layout: Layout
    tree: Tree
    classes: dict[int, list[TableColumns]]
    merkle: MerkleTree

    def open(self, indices: NDArray[np.int64]) -> list[U32]:
        """Rows of every class, then paths: (queries, words) each."""
        opened = [self._rows(c.log_height, indices) for c in self.tree.classes]
        return [*opened, self.merkle.paths(indices)]

    def _rows(self, log_height: int, indices: NDArray[np.int64]) -> U32:
        """Rows of one class: those on the tables' own coset are there, those on the others are evaluated."""
        tables, log_blowup = self.classes[log_height], self.layout.params.log_blowup
        points = indices & ((1 << log_height + log_blowup) - 1)
        cosets, within = points & ((1 << log_blowup) - 1), points >> log_blowup
        columns, own = [table.values for table in tables], tables[0].offset
        rows = native.empty(len(indices), sum(len(values) for values in columns))
        elsewhere: list[tuple[int, NDArray[np.int64]]] = []
        for j, offset in enumerate(coset_offsets(self.layout, log_height)):
            places = np.flatnonzero(cosets == j)
            if offset == own:
                rows[places] = np.concatenate([values[:, within[places]] for values in columns]).T
            elif len(places):
                elsewhere.append((offset * inverse(own) % P, places))
        if elsewhere:
            found = native.coset_points(columns, [(ratio, within[places]) for ratio, places in elsewhere])
            rows[np.concatenate([places for _, places in elsewhere])] = found.T
        return rows

    def table(self, index: int) -> TableColumns:
        """A table's columns."""
        for c in self.tree.classes:
            for position, (table, _, _) in enumerate(c.tables):
                if table == index:
                    return self.classes[c.log_height][position]
        raise KeyError(f"table {index} has no {self.tree.name} columns")


def coset_offsets(layout: Layout, log_height: int) -> list[int]:
    """Offsets of the cosets of H that make up the LDE domain: point i is on coset i mod blowup."""
    shift, g = coset_shift(layout, log_height), TWO_ADIC_ROOTS[log_height + layout.params.log_blowup]
    return [shift * pow(g, j, P) % P for j in range(layout.params.blowup)]


def commit(
    layout: Layout, tree: Tree, classes: dict[int, list[TableColumns]], *, leave: bool = False
) -> Commitment:
    """Builds the tree over the low-degree extensions of tables.

    Args:
        layout: figures.
        tree: their place.
        classes: tables by log height, in column order.
        leave: the trace domain's values are not needed any more; tables that may be overwritten are left on the
            first coset of the extension, which saves moving them there.
    """
    leaves = {
        log + layout.params.log_blowup: _leaves(layout, log, tables, leave) for log, tables in classes.items()
    }
    return Commitment(layout, tree, classes, MerkleTree(leaves))


def _leaves(layout: Layout, log: int, tables: list[TableColumns], leave: bool) -> U32:
    """Hashes of a class's extended rows; the extension's buffer is free again when the tree above them is built."""
    log_blowup, shift = layout.params.log_blowup, coset_shift(layout, log)
    width = sum(len(table.values) for table in tables)
    hasher = native.RowHasher(width, 1 << log + log_blowup, Context.LEAF.value)
    move = leave and all(table.owned for table in tables)
    for columns in extension(tables, log_blowup, shift, move=move):
        hasher.update(columns)
    return hasher.digests()


@dataclass
class ProvingKey:
    """What a prover keeps from proof to proof.

    Attributes:
        verifying_key: for the verifier.
        fixed: table index -> preprocessed columns on the trace domain.
        merkle: the tree over their extensions; None without any.
    """

    verifying_key: VerifyingKey
    fixed: dict[int, U32]
    merkle: MerkleTree | None

    def preprocessed(self) -> Commitment | None:
        """The commitment to the preprocessed columns, for one proof."""
        tree = self.verifying_key.layout.tree(TreeName.PREPROCESSED)
        if tree is None or self.merkle is None:
            return None
        return Commitment(self.verifying_key.layout, tree, _fixed_classes(tree, self.fixed), self.merkle)


def _fixed_classes(tree: Tree, fixed: dict[int, U32]) -> dict[int, list[TableColumns]]:
    return {c.log_height: [TableColumns(fixed[i], owned=False) for i, _, _ in c.tables] for c in tree.classes}


def setup(system: AirSystem, shape: Shape, params: ProofParams) -> ProvingKey:
    """Computes preprocessed columns, their commitment and the verifying key.

    Raises:
        ShapeError, AirError: the parts do not fit together.
    """
    layout = Layout(system, shape, params)
    fixed: dict[int, U32] = {}
    for i, air in enumerate(system.airs):
        if air.Fixed.width:
            columns = np.asarray(air.fixed_columns(layout.log_heights[i]), dtype=np.uint32)
            if columns.shape != (air.Fixed.width, 1 << layout.log_heights[i]):
                raise AirError(f"{air.name}: preprocessed columns of shape {columns.shape}")
            fixed[i] = np.ascontiguousarray(columns)
    tree = layout.tree(TreeName.PREPROCESSED)
    if tree is None:
        return ProvingKey(VerifyingKey(system, shape, params, b""), {}, None)
    merkle = commit(layout, tree, _fixed_classes(tree, fixed)).merkle
    return ProvingKey(VerifyingKey(system, shape, params, merkle.root), fixed, merkle)
