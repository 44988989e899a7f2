"""A small statement for the three tables: signatures, hashes, cells, a state tree, and the other tables' side
of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np

from circuits.relations import CELL_WORD, HASH, SIG, TREE
from circuits.tables.chain import Chain
from circuits.tables.p16 import P16
from circuits.tables.p24 import P24
from circuits.tags import TAG_CELL
from circuits.trace import chain, p16, p24
from circuits.trace.signatures import SignatureBatch
from circuits.xmss import batch
from circuits.xmss.batch import Claim, SignRequest
from prover.field import P
from prover.poseidon2 import compress

AIRS = {air.name: air for air in (P16(), P24(), Chain())}
HEIGHTS = {"p16": 1024, "p24": 256, "chain": 256}
DEPTH = 30
CELLS = (5, 9, 1 << 29)


@dataclass
class Level:
    """A level of a tree update."""

    index: np.ndarray
    left_before: np.ndarray
    right_before: np.ndarray
    left_after: np.ndarray
    right_after: np.ndarray
    touched_left: np.ndarray
    touched_right: np.ndarray


@dataclass
class Update:
    """A tree update, `levels` from the root down, with the roots."""

    levels: list[Level]
    root_before: tuple[int, ...]
    root_after: tuple[int, ...]


def make_update(leaves: dict[int, tuple[tuple[int, ...], tuple[int, ...]]], depth: int, rng) -> Update:
    """Nodes above the leaves {index: (before, after)}; siblings are random digests."""
    levels, nodes = [], leaves
    for _ in range(depth):
        parents, rows = {}, []
        for index in sorted({i // 2 for i in nodes}):
            sibling = tuple(rng.integers(0, P, 8).tolist())
            left, right = nodes.get(2 * index, (sibling,) * 2), nodes.get(2 * index + 1, (sibling,) * 2)
            rows.append((index, left, right, 2 * index in nodes, 2 * index + 1 in nodes))
            parents[index] = tuple(compress(16, [*left[t], *right[t]], 8) for t in range(2))
        digests = [
            np.array([row[side][t] for row in rows], dtype=np.uint32).T for t in range(2) for side in (1, 2)
        ]
        flags = [np.array([row[k] for row in rows]) for k in (3, 4)]
        levels.append(Level(np.array([row[0] for row in rows]), *digests, *flags))
        nodes = parents
    return Update(levels[::-1], *nodes[0])


@cache
def claims() -> tuple[Claim, ...]:
    """Three signatures of two keys of height 8, epochs 0, 133 and 255."""
    keys = batch.keygen([bytes([i]) * 32 for i in range(2)], 8)
    requests = [
        SignRequest(keys[k], epoch, tuple(range(10 * i, 10 * i + 8)))
        for i, (k, epoch) in enumerate([(0, 0), (1, 133), (1, 255)])
    ]
    signatures = batch.sign(requests)
    return tuple(
        Claim(r.key.public_key.owner(), r.key.public_key, r.epoch, r.message, s)
        for r, s in zip(requests, signatures, strict=True)
    )


@dataclass
class Sample:
    """Tables and what everything outside them adds to the relations."""

    tables: dict[str, np.ndarray]
    outside: Counter


def make_sample(these: tuple[Claim, ...] | None = None) -> Sample:
    """A fresh valid statement (or, with other claims, what the generators make of them)."""
    these = claims() if these is None else these
    rng = np.random.default_rng(1)
    signatures = SignatureBatch.from_claims(these)
    outside: Counter = Counter()
    for claim in these:
        outside[SIG.name, (*claim.message, *claim.owner, claim.epoch)] += 1

    hashes = rng.integers(0, P, (21, 5)).astype(np.uint32)
    for lane in hashes.T.tolist():
        outside[HASH.name, (*lane, *compress(24, lane, 8))] += 1

    words = rng.integers(0, P, (2, len(CELLS), 5, 4)).astype(np.uint32)
    words[1, 1] = words[0, 1]
    cells = p24.CellUpdates(np.array(CELLS, dtype=np.uint32), words[0], words[1])
    leaves = {}
    for i, index in enumerate(CELLS):
        both = [[TAG_CELL, *words[t, i].reshape(-1).tolist()] for t in range(2)]
        leaves[index] = tuple(compress(24, row, 8) for row in both)
        for w in range(5):
            outside[CELL_WORD.name, (index, w, *words[:, i, w].reshape(-1).tolist())] -= 1
    state = make_update(leaves, DEPTH, rng)
    exits = make_update({3: ((0,) * 8, tuple(range(8)))}, 10, rng)
    outside[TREE.name, (0, 0, *state.root_before, *state.root_after)] += 1
    outside[TREE.name, (64, 0, *exits.root_before, *exits.root_after)] += 1
    outside[TREE.name, (74, 3, *[0] * 8, *range(8))] -= 1
    trees = [(0, state), (64, exits)]
    return Sample(
        {
            "p16": p16.generate(signatures, trees, HEIGHTS["p16"]),
            "p24": p24.generate(hashes, cells, signatures, HEIGHTS["p24"]),
            "chain": chain.generate(signatures, HEIGHTS["chain"]),
        },
        outside,
    )
