"""Taproot: leaves, trees, control blocks, output keys (BIP341)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from verifier.bitcoin.encoding import compact_size, tagged_hash, tagged_hasher
from verifier.bitcoin.keys import KeyFault, tweak_secret, tweak_xonly, xonly_key

TAPSCRIPT: Final = 0xC0
MAX_DEPTH: Final = 128
NUMS_KEY: Final = bytes.fromhex("50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0")
"""The point of BIP341 whose discrete logarithm nobody knows: an internal key that cannot sign."""


Shape = bytes | tuple["Shape", "Shape"]
"""A leaf hash, or two trees."""


def leaf_hash(script: bytes, version: int = TAPSCRIPT) -> bytes:
    """Hash of a leaf: version, length, script."""
    hasher = tagged_hasher("TapLeaf")
    hasher.update(bytes([version]) + compact_size(len(script)))
    hasher.update(script)
    return hasher.digest()


def branch_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node; the order of its children does not matter."""
    return tagged_hash("TapBranch", min(left, right) + max(left, right))


def root_of_path(leaf: bytes, path: bytes) -> bytes:
    """The root above a leaf hash and the 32-byte siblings of its path."""
    node = leaf
    for start in range(0, len(path), 32):
        node = branch_hash(node, path[start : start + 32])
    return node


@dataclass(frozen=True, slots=True)
class TapTree:
    """A tree of leaf hashes: the root and the path of each leaf, in the order given."""

    root: bytes
    paths: tuple[bytes, ...]


def shaped_tree(shape: Shape) -> TapTree:
    """The tree of a given shape: a leaf hash, or a pair of shapes; leaves count from left to right."""
    if isinstance(shape, bytes):
        return TapTree(shape, (b"",))
    left, right = shaped_tree(shape[0]), shaped_tree(shape[1])
    paths = [path + right.root for path in left.paths] + [path + left.root for path in right.paths]
    return TapTree(branch_hash(left.root, right.root), tuple(paths))


def balanced_tree(leaves: Sequence[bytes], weights: Sequence[int] | None = None) -> TapTree:
    """The tree of least expected path length (Huffman), deterministic.

    Scripts stay outside: 20,000 leaves of 390 kB are never held at once.

    Args:
        leaves: leaf hashes.
        weights: how often each is expected to be used; all alike when None.

    Raises:
        ValueError: no leaf, another number of weights, or a path longer than 128.
    """
    if not leaves:
        raise ValueError("a tree needs a leaf")
    if weights is not None and len(weights) != len(leaves):
        raise ValueError(f"{len(weights)} weights for {len(leaves)} leaves")
    queue: list[tuple[int, int, bytes, tuple[int, ...]]] = [
        (1 if weights is None else weights[i], i, node, (i,)) for i, node in enumerate(leaves)
    ]
    heapq.heapify(queue)
    siblings: list[list[bytes]] = [[] for _ in leaves]
    turn = len(leaves)
    while len(queue) > 1:
        weight_a, _, a, below_a = heapq.heappop(queue)
        weight_b, _, b, below_b = heapq.heappop(queue)
        for i in below_a:
            siblings[i].append(b)
        for i in below_b:
            siblings[i].append(a)
        heapq.heappush(queue, (weight_a + weight_b, turn, branch_hash(a, b), below_a + below_b))
        turn += 1
    if max(map(len, siblings)) > MAX_DEPTH:
        raise ValueError("a path is longer than 128")
    return TapTree(queue[0][2], tuple(b"".join(path) for path in siblings))


@dataclass(frozen=True, slots=True)
class TaprootOutput:
    """A taproot output with what its spender must show."""

    internal_key: bytes
    tree: TapTree | None
    key: bytes
    parity: int

    @property
    def script(self) -> bytes:
        """The scriptPubKey: OP_1 and the output key."""
        return b"\x51\x20" + self.key

    def control_block(self, leaf: int, version: int = TAPSCRIPT) -> bytes:
        """What shows that leaf `leaf` belongs to the output.

        Raises:
            ValueError: the output has no scripts.
        """
        if self.tree is None:
            raise ValueError("the output has no scripts")
        return bytes([version | self.parity]) + self.internal_key + self.tree.paths[leaf]


def taproot_output(internal_key: bytes, tree: TapTree | None = None) -> TaprootOutput:
    """The output of an internal key and a tree.

    Raises:
        KeyFault: not an x-only key, or (never by chance) the tweak is not below the order.
    """
    root = b"" if tree is None else tree.root
    key, parity = tweak_xonly(internal_key, tagged_hash("TapTweak", internal_key + root))
    return TaprootOutput(internal_key, tree, key, parity)


def output_secret(secret: bytes, root: bytes = b"") -> bytes:
    """The secret key that signs the key path of `taproot_output` of this secret's key."""
    return tweak_secret(secret, tagged_hash("TapTweak", xonly_key(secret) + root))


def commits(output_key: bytes, control: bytes, leaf: bytes) -> bool:
    """Whether a control block of well-formed length proves that a leaf hash is under the output key."""
    internal = control[1:33]
    root = root_of_path(leaf, control[33:])
    try:
        key, parity = tweak_xonly(internal, tagged_hash("TapTweak", internal + root))
    except KeyFault:
        return False
    return key == output_key and parity == control[0] & 1
