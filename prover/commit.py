"""Commitments: low-degree extensions of matrices by table, and their Merkle tree. Uses native."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import native
from prover.air.air import AirError, AirSystem
from prover.domains import coset_shift
from prover.key import VerifyingKey
from prover.layout import Layout, Tree, TreeName
from prover.merkle import MerkleTree, rows
from prover.params import ProofParams
from prover.shape import Shape

U32 = NDArray[np.uint32]


@dataclass
class Commitment:
    """One tree and the matrices under it.

    Attributes:
        tree: its place in the layout.
        matrices: by class, (width, N) low-degree extensions in column order; one matrix a table (the
            quotient: one).
        merkle: the tree.
    """

    tree: Tree
    matrices: dict[int, list[U32]]
    merkle: MerkleTree

    def open(self, indices: NDArray[np.int64]) -> list[U32]:
        """Rows of every class, then paths: (queries, words) each."""
        opened = [rows(self.matrices[c.log_height], indices) for c in self.tree.classes]
        return [*opened, self.merkle.paths(indices)]

    def table(self, index: int) -> U32:
        """A table's extension."""
        for c in self.tree.classes:
            for position, (table, _, _) in enumerate(c.tables):
                if table == index:
                    return self.matrices[c.log_height][position]
        raise KeyError(f"table {index} has no {self.tree.name} columns")


def commit(layout: Layout, tree: Tree, matrices: dict[int, list[U32]]) -> Commitment:
    """Builds the tree over low-degree extensions (by log height)."""
    log_blowup = layout.params.log_blowup
    merkle = MerkleTree({log + log_blowup: columns for log, columns in matrices.items()})
    return Commitment(tree, matrices, merkle)


def extend(layout: Layout, log_height: int, values: U32) -> U32:
    """Low-degree extension of trace columns.

    Shapes:
        values: (width, n); result: (width, n * blowup).
    """
    return np.asarray(native.coset_lde(values, layout.params.log_blowup, coset_shift(layout, log_height)))


@dataclass
class ProvingKey:
    """What a prover keeps from proof to proof.

    Attributes:
        verifying_key: for the verifier.
        fixed: table index -> preprocessed columns on the trace domain.
        preprocessed: their commitment; None without any.
    """

    verifying_key: VerifyingKey
    fixed: dict[int, U32]
    preprocessed: Commitment | None


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
    matrices = {
        c.log_height: [extend(layout, c.log_height, fixed[i]) for i, _, _ in c.tables] for c in tree.classes
    }
    preprocessed = commit(layout, tree, matrices)
    return ProvingKey(VerifyingKey(system, shape, params, preprocessed.merkle.root), fixed, preprocessed)
