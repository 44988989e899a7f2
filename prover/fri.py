"""FRI's prover: commit groups, fold, join shorter codewords; final polynomial in clear. Uses native."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import native
from prover.domains import coset_shift
from prover.field import Kb6, power
from prover.hashing import Context, digest, to_bytes
from prover.layout import Layout
from prover.merkle import MerkleTree, leaf_digests, rows
from prover.transcript import Transcript

U32 = NDArray[np.uint32]


@dataclass
class FriProof:
    """What the query phase opens.

    Attributes:
        layers: by layer, its members: views (6, leaves) of the codeword, the t-th from index t * leaves on.
        trees: by layer; a leaf is a group, member by member.
        final: coefficients of the final polynomial.
    """

    layers: list[list[U32]] = field(default_factory=list)
    trees: list[MerkleTree] = field(default_factory=list)
    final: list[Kb6] = field(default_factory=list)

    def open(self, indices: NDArray[np.int64]) -> list[U32]:
        """Per layer, groups and paths: the FRI part of every query, (queries, words)."""
        out = []
        for members, tree in zip(self.layers, self.trees, strict=True):
            out += [rows(members, indices), tree.paths(indices)]
        return out


def commit(layout: Layout, quotient: Callable[[int], U32], transcript: Transcript) -> FriProof:
    """Step 7.

    Args:
        layout: gives the rounds.
        quotient: log height -> its DEEP codeword (6, N); called once each, tallest first.
        transcript: absorbs roots and final polynomial, gives the betas.
    """
    proof = FriProof()
    codeword = quotient(layout.log_max_height)
    for i, layer in enumerate(layout.fri_layers):
        arity, leaves = 1 << layer.fold.log_arity, 1 << layer.log_leaves
        members = [codeword[:, t * leaves : (t + 1) * leaves] for t in range(arity)]
        tree = MerkleTree({layer.log_leaves: leaf_digests(members)})
        proof.layers.append(members)
        proof.trees.append(tree)
        transcript.absorb(f"FRI root {i}", tree.root)
        beta = transcript.challenge(f"beta {i}")
        log_height = layer.fold.log_size - layout.params.log_blowup
        codeword = native.fri_fold(codeword, arity, beta, coset_shift(layout, log_height))
        if layer.fold.joins:
            joining = quotient(layer.log_leaves - layout.params.log_blowup)
            native.kb6_axpy(codeword, power(beta, arity), joining)
    shift = coset_shift(layout, layout.params.log_final_degree)
    coefficients = native.coset_intt(codeword, shift)
    proof.final = [
        (int(c[0]), int(c[1]), int(c[2]), int(c[3]), int(c[4]), int(c[5]))
        for c in coefficients[:, : layout.final_degree].T
    ]
    final = to_bytes(word for coefficient in proof.final for word in coefficient)
    transcript.absorb("final polynomial", digest(Context.SEAL, final))
    return proof
