"""Figures of an opening tree: sizes, set-up work, and what a dispute costs on chain.

Sizes of transactions follow the game's table (bridge.md) from the scripts themselves: the inputs of a Reveal
check their wires' signatures and the committee's, its outputs are the disprove output and a challenge and a
reveal connector per child and input. Small transactions count with a fixed allowance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache

from verifier.bridge.chunks.opening import ChunkTree, Leaf
from verifier.bridge.tree import Node
from verifier.script.winternitz import LAST, LINK_BYTES, WinternitzKey, checksum_digits

LINK_WITNESS = 1 + LINK_BYTES + 2
"""Link and nibble with their lengths; a nibble of 0 is a byte shorter."""
HINT_WITNESS = 4
"""A hint with its length: three bytes at most (a quotient's part, its sign)."""
GUARD = 34
"""The committee's key and CHECKSIGVERIFY before a leaf."""
SIGNATURE = 66
OUTPUT = 43
INPUT = 41
FRAME = 11
"""Version, counts, lock time; the segwit marker is counted with the witness."""
SMALL_VBYTES = 200
"""Kickoff, Challenge or Open, each with its anchor or fee input, on average."""
MAX_WEIGHT = 400_000


@dataclass(frozen=True)
class Plan:
    """What `pegproof bridge plan` prints.

    Attributes:
        nodes: of the opening tree.
        leaves: tapscripts, all nodes.
        script_shapes: scripts that differ in more than keys.
        script_bytes: of all leaves.
        largest_leaf_bytes: the longest leaf, without the committee's guard.
        peak_stack: most items at any step of any leaf.
        wires: committed values.
        key_digits: Winternitz chains, checksums included.
        setup_hash160: hashes that make the keys.
        queries: of the proof.
        dispute_vbytes: the dearest path from the root to a disproof.
        dispute_vbytes_by_kind: the same by kind of leaf.
        everything_vbytes: Assert and every Reveal.
        oversized_nodes: nodes whose Reveal is above the standard weight: 0 in a tree that can be played.
    """

    nodes: int
    leaves: int
    script_shapes: int
    script_bytes: int
    largest_leaf_bytes: int
    peak_stack: int
    wires: int
    key_digits: int
    setup_hash160: int
    queries: int
    dispute_vbytes: int
    dispute_vbytes_by_kind: dict[str, int]
    everything_vbytes: int
    oversized_nodes: int

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def plan(tree: ChunkTree, progress: Callable[[float], None] = lambda share: None) -> Plan:
    """Compiles every shape and adds up.

    Raises:
        ChunkError: a chunk that cannot be written within the limits.
    """
    weights = [reveal_weight(node) for node in tree.nodes]
    paths: list[int] = []
    for node in tree.nodes:
        above = paths[node.parent] if node.parent >= 0 else 2 * 4 * SMALL_VBYTES
        paths.append(above + weights[node.index] + (4 * SMALL_VBYTES if node.parent >= 0 else 0))
    by_kind: dict[str, int] = {}
    script_bytes = largest = peak = leaves = 0
    shapes = set[int]()
    for node in tree.nodes:
        depth = max(len(tree.leaves[node.index]) - 1, 0).bit_length()
        for leaf in tree.leaves[node.index]:
            shape = tree.shape(leaf)
            shapes.add(id(shape))
            script_bytes += len(shape.code)
            largest, peak = max(largest, len(shape.code)), max(peak, shape.peak_stack)
            leaves += 1
            total = -(-(paths[node.index] + disprove_weight(tree, leaf, depth)) // 4)
            kind = kind_of(node)
            by_kind[kind] = max(by_kind.get(kind, 0), total)
        progress((node.index + 1) / len(tree.nodes))
    links = [
        wire.digits + checksum_digits(wire.digits) for node in tree.nodes for g in node.wires for wire in g
    ]
    return Plan(
        nodes=len(tree.nodes),
        leaves=leaves,
        script_shapes=len(shapes),
        script_bytes=script_bytes,
        largest_leaf_bytes=largest,
        peak_stack=peak,
        wires=len(links),
        key_digits=sum(links),
        setup_hash160=LAST * sum(links),
        queries=tree.num_queries,
        dispute_vbytes=max(by_kind.values()),
        dispute_vbytes_by_kind=dict(sorted(by_kind.items())),
        everything_vbytes=-(-sum(weights) // 4),
        oversized_nodes=sum(weight > MAX_WEIGHT for weight in weights),
    )


def kind_of(node: Node) -> str:
    """The node's place without numbers: "query/main path", "constraints/p16"."""
    names = [
        name for name in node.name.split("/")[1:] if not name.startswith(("queries ", "group ", "part "))
    ]
    words = ["query" if name.startswith("query ") else name for name in names]
    kinds = [name.partition(" part ")[0] for name in words[:2]]
    return "/".join(kinds) or "root"


@cache
def _bind_size(digits: int) -> int:
    """A wire's part of a Reveal's script."""
    links = tuple(bytes(LINK_BYTES) for _ in range(digits + checksum_digits(digits)))
    return len(WinternitzKey(links, digits).bind())


def reveal_weight(node: Node) -> int:
    """Weight of the node's Reveal (the root's: Assert) with its anchor."""
    inputs = max(len(node.wires), 1)
    outputs = 2 + len(node.children) * 2
    weight = 4 * (FRAME + INPUT * inputs + OUTPUT * outputs) + 2
    for group in node.wires:
        script = GUARD + 1 + sum(_bind_size(wire.digits) for wire in group)
        links = sum(wire.digits + checksum_digits(wire.digits) for wire in group)
        weight += script + 3 + LINK_WITNESS * links + SIGNATURE + 34 + 4
    return weight


def disprove_weight(tree: ChunkTree, leaf: Leaf, depth: int) -> int:
    """Weight of a Disprove by this leaf, `depth` levels below its output."""
    shape = tree.shape(leaf)
    links = sum(wire.links for wire in (*leaf.chunk.reads, *leaf.chunk.writes))
    witness = len(shape.code) + GUARD + 5 + LINK_WITNESS * links + HINT_WITNESS * shape.hints
    return 4 * (FRAME + 2 * INPUT + 2 * OUTPUT) + 2 + witness + 34 + 32 * depth + 2 * SIGNATURE + 4
