"""leanSig's last Poseidon2 version, the parts that pegproof does otherwise: an oracle for its vectors.

Written from the description in eprint 2025/1332 and leanSpec dbc2e778; checked against
leansig_2025_parts.json.
"""

from functools import cache

from circuits.xmss import hashing
from prover.poseidon2 import P, compress

BASE, DIMENSION, FINAL_LAYER, TARGET_SUM = 8, 64, 77, 375


def _digits(value, count):
    return tuple(value // P**i % P for i in range(count))


def base_p_chain_tweak(epoch, chain, step):
    return _digits(epoch << 24 | chain << 16 | step << 8, 2)


def base_p_tree_tweak(level, index):
    return _digits(level << 40 | index << 8 | 1, 2)


@cache
def layer_sizes(dimension):
    """Vertices by layer (distance from the all-top vertex)."""
    if dimension == 0:
        return (1,)
    below = layer_sizes(dimension - 1)
    return tuple(
        sum(below[layer - j] for j in range(BASE) if 0 <= layer - j < len(below))
        for layer in range(len(below) + BASE - 1)
    )


def part_size(layer):
    return sum(layer_sizes(DIMENSION)[: layer + 1])


def vertex(layer, index):
    """Vertex `index` of a layer."""
    digits = []
    for rest in range(DIMENSION - 1, -1, -1):
        sizes = layer_sizes(rest)
        for drop in range(BASE):
            size = sizes[layer - drop] if 0 <= layer - drop < len(sizes) else 0
            if index < size:
                break
            index -= size
        digits.append(BASE - 1 - drop)
        layer -= drop
    return digits


def message_hash(parameter, epoch, rho, message):
    """Codeword of a message; its sum is not checked."""
    message_elements = _digits(int.from_bytes(message, "little"), 9)
    epoch_elements = _digits(epoch << 8 | 2, 2)
    output = compress(24, [*rho, *parameter, *epoch_elements, *message_elements, 0], 15)
    index = 0
    for element in output:
        index = index * P + element
    index %= part_size(FINAL_LAYER)
    layer = 0
    while index >= layer_sizes(DIMENSION)[layer]:
        index -= layer_sizes(DIMENSION)[layer]
        layer += 1
    return vertex(layer, index)


def root_of(parameter, epoch, digits, values, path):
    """Root of a signature: our chains and leaf, nodes with leanSig's own tweaks (levels up to 32)."""
    ends = [
        hashing.walk_chain(parameter, epoch, i, digit, 7 - digit, tuple(value))
        for i, (digit, value) in enumerate(zip(digits, values, strict=True))
    ]
    node = hashing.leaf_digest(parameter, epoch, ends)
    for level, sibling in enumerate(path):
        left, right = (sibling, node) if epoch >> level & 1 else (node, sibling)
        tweak = base_p_tree_tweak(level + 1, epoch >> (level + 1))
        node = compress(24, [*parameter, *tweak, *left, *right], 8)
    return node
