"""XMSS tweakable hash: chain steps, leaves and tree nodes, over Poseidon2-KoalaBear.

The hash of leanSig's last Poseidon2 version (checked against its vectors), with tweaks that a circuit
computes without carries. A digest is 8 elements, a parameter 5, a tweak 2.

**Chain tweak.** leanSig takes the two base-p digits, least significant first, of `acc = epoch * 2^24 +
low`, `low = chain * 2^16 + step * 2^8`. Write epoch = 127 a + b with b < 127. Because p - 1 = 127 * 2^24,
`acc = a p + (b * 2^24 + low - a)`, so ours is `t1 = a`, `t0 = (b * 2^24 + low - a) mod p = (epoch * 2^24 +
low) mod p`: no comparison. The two differ only where the bracket is negative, that is b = 0 and low < a:
there leanSig's digits are (t0, a - 1) and ours (t0, a).

*Ours is injective* for epochs below 127 p: t1 gives a, and (t0 + a) mod p = b * 2^24 + low, where b * 2^24
+ low <= 126 * 2^24 + 63 * 2^16 + 7 * 2^8 < 127 * 2^24 < p, so the residue is the integer itself, whose
base-2^24 digits are b and low, and low's digits chain and step. (The reason to write it down: p > 127 *
2^24.)

**Tree tweak.** acc = level * 2^40 + index * 2^8 + 1, and 2^40 = 516 p + (2^26 - 516), so
`t0 = level * (2^26 - 516) + 256 * index + 1`, `t1 = 516 * level`. These are leanSig's digits while t0 < p; in
a tree of height <= 18 the index at level l is below 2^(18 - l), so t0 <= max over l of l * 2^26 + 2^(26 - l)
< 19 * 2^26 < p. Injective: t1 gives the level, then t0 the index.

Chains use width 16 and trees width 24, so that a chain tweak that equals a tree tweak costs nothing.

Source: leanSpec dbc2e778 `subspecs/xmss/tweak_hash.py`; docs/decisions/0003-xmss-tweaks-and-encoding.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prover.poseidon2 import P, compress, domain_separator, sponge

Digest = tuple[int, ...]
"""Elements of a digest, canonical integers; shape (8,)."""

DIGEST_LENGTH: Final = 8
PARAMETER_LENGTH: Final = 5
NUM_CHAINS: Final = 64
CHAIN_TOP: Final = 7
"""The last position of a chain: positions are octal digits."""

TREE_LEVEL_LOW: Final = 2**26 - 516
"""2^40 mod p."""
TREE_LEVEL_HIGH: Final = 516
"""2^40 div p."""
EPOCHS_PER_HIGH: Final = 127
"""(p - 1) / 2^24: the second element of a chain tweak is epoch // 127."""

LEAF_CAPACITY: Final = domain_separator([PARAMETER_LENGTH, 2, NUM_CHAINS, DIGEST_LENGTH])
"""Initial capacity of the leaf sponge; shape (9,)."""


def chain_tweak(epoch: int, chain: int, step: int) -> tuple[int, int]:
    """Tweak of the step that takes a chain's value from position step - 1 to position `step`.

    Args:
        epoch: Leaf index.
        chain: 0..63.
        step: 1..7.
    """
    return (epoch * 2**24 + chain * 2**16 + step * 2**8) % P, epoch // EPOCHS_PER_HIGH


def tree_tweak(level: int, index: int) -> tuple[int, int]:
    """Tweak of the node `index` at `level`; leaves are level 0.

    Args:
        level: 0..18.
        index: Below 2^(height - level).
    """
    return level * TREE_LEVEL_LOW + 256 * index + 1, TREE_LEVEL_HIGH * level


def walk_chain(
    parameter: Sequence[int], epoch: int, chain: int, position: int, steps: int, value: Digest
) -> Digest:
    """Hash a chain's value at `position` onward for `steps` steps.

    Args:
        parameter: The key's public parameter; shape (5,).
        epoch: Leaf index.
        chain: 0..63.
        position: Where `value` stands, 0..7.
        steps: How far to walk; position + steps <= 7.
        value: Shape (8,).
    """
    for step in range(position + 1, position + steps + 1):
        value = compress(16, [*parameter, *chain_tweak(epoch, chain, step), *value], DIGEST_LENGTH)
    return value


def leaf_digest(parameter: Sequence[int], epoch: int, ends: Sequence[Digest]) -> Digest:
    """Digest of a leaf: sponge of parameter, tweak (level 0), 64 chain ends: 519 elements, 35 blocks.

    Args:
        parameter: Shape (5,).
        epoch: Leaf index.
        ends: Values of the chains at position 7; shape (64, 8).
    """
    inputs = [*parameter, *tree_tweak(0, epoch)]
    for end in ends:
        inputs += end
    return sponge(LEAF_CAPACITY, inputs, DIGEST_LENGTH)


def tree_node(parameter: Sequence[int], level: int, index: int, left: Digest, right: Digest) -> Digest:
    """Digest of the node `index` at `level` (>= 1) over its two children.

    Args:
        parameter: Shape (5,).
        level: The node's own level.
        index: The node's index at that level.
        left: Shape (8,).
        right: Shape (8,).
    """
    return compress(24, [*parameter, *tree_tweak(level, index), *left, *right], DIGEST_LENGTH)


def path_root(parameter: Sequence[int], epoch: int, leaf: Digest, path: Sequence[Digest]) -> Digest:
    """Root that a leaf and its siblings lead to.

    Args:
        parameter: Shape (5,).
        epoch: Leaf index; bit l says whether the node at level l is a right child.
        leaf: Shape (8,).
        path: Siblings from level 0 upward; shape (height, 8).
    """
    node = leaf
    for level, sibling in enumerate(path):
        left, right = (sibling, node) if epoch >> level & 1 else (node, sibling)
        node = tree_node(parameter, level + 1, epoch >> (level + 1), left, right)
    return node
