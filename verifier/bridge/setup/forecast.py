"""How long the set-up of a slot takes: what a tree asks for, times rates that are measured on samples of it.

Left out: what the disk takes, and tree and shapes, which whoever asks has just made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from verifier.bitcoin.encoding import sha256
from verifier.bitcoin.keys import public_key, verify_schnorr, xonly_key
from verifier.bitcoin.musig import Aggregate, sort_keys
from verifier.bitcoin.musig_session import Batch, Job, Member, combine
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.chunks.plan import MAX_WEIGHT, reveal_weight
from verifier.bridge.game.graph import SlotGraph, Terms
from verifier.bridge.game.moves import open_signatures
from verifier.bridge.game.node_scripts import Binding, NodeScripts, node_scripts
from verifier.bridge.game.params import Amounts, Windows
from verifier.bridge.game.presign import Slot
from verifier.bridge.setup.committee import check_openings
from verifier.bridge.setup.key_book import KeyBook, first_repeat, heads_of, num_links
from verifier.bridge.tree import Node, Wire, depth
from verifier.script.winternitz import LINK_BYTES, checksum_digits, public_links

SAMPLE_LINKS: Final = 20_000
SAMPLE_NODES: Final = 60
SAMPLE_SIGNATURES: Final = 100


@dataclass(frozen=True)
class Counts:
    """What the set-up of a tree's slot makes.

    Attributes:
        nodes: of the tree.
        leaves: of all nodes.
        shapes: scripts that differ in more than keys.
        links: chains of one-time keys.
        script_bytes: of all leaves, once; operator and members make them each for themselves.
        signatures: of the committee, for the slot and one vault.
        oversized: nodes whose Reveal is above the standard weight.
    """

    nodes: int
    leaves: int
    shapes: int
    links: int
    script_bytes: int
    signatures: int
    oversized: int


def count(tree: ChunkTree) -> Counts:
    """The figures of a tree; its shapes are compiled."""
    nodes = tree.nodes
    bound = sum(max(1, len(node.wires)) for node in nodes)
    leaves = sum(node.num_leaves for node in nodes)
    convicting = sum(node.num_leaves > 0 for node in nodes)
    silent = len(nodes) - 1
    takes = 4 + 2 + 1
    sizes = [len(tree.shape(leaf).code) for each in tree.leaves for leaf in each]
    return Counts(
        nodes=len(nodes),
        leaves=leaves,
        shapes=len(tree.compiled()),
        links=sum(map(num_links, nodes)),
        script_bytes=sum(sizes),
        signatures=leaves + convicting + 2 + 2 * silent + bound + 1 + silent + takes,
        oversized=sum(reveal_weight(node) > MAX_WEIGHT for node in nodes),
    )


@dataclass(frozen=True)
class Rates:
    """Seconds of one processor.

    Attributes:
        link: to make one.
        script_byte: to make and hash one, the reading of its keys included.
        signature: by all members of a committee, its last verification by each of them included.
    """

    link: float
    script_byte: float
    signature: float


def measure(tree: ChunkTree, members: int) -> Rates:
    """Rates of this machine, now, on samples of a tree that is compiled.

    Args:
        tree: whose scripts are sampled.
        members: of the committee.
    """
    digits = 64
    wires = [(b"wire %d" % i, digits) for i in range(SAMPLE_LINKS // digits)]
    link = _seconds(lambda: public_links(bytes(32), wires)) / (
        len(wires) * (digits + checksum_digits(digits))
    )
    sizes: list[int] = []
    some = tree.nodes[:: max(1, len(tree.nodes) // SAMPLE_NODES)]
    with TemporaryDirectory() as directory:
        book = _any_keys(tree, some, Path(directory) / "keys.db")
        for node in some:  # what is made once a shape
            for number in range(node.num_leaves):
                tree.leaf(node.index, number, book)
        byte = _seconds(
            lambda: sizes.extend(node_scripts(tree, node, book, bytes(32)).script_bytes for node in some)
        )
    return Rates(link, byte / sum(sizes), _seconds(lambda: _sign(members)) / SAMPLE_SIGNATURES)


def predict(counts: Counts, rates: Rates, members: int) -> dict[str, float]:
    """Seconds of one processor, by stage, of those that processes share."""
    return {
        "keys": counts.links * rates.link,
        "scripts": (members + 1) * counts.script_bytes * rates.script_byte,
        "signatures": counts.signatures * rates.signature,
    }


def graph_seconds(tree: ChunkTree, members: int) -> float:
    """Seconds of the graph and its adoption by every member, measured on a graph of the tree with made-up scripts."""
    secret = sha256(b"forecast")
    key, nowhere, levels = xonly_key(secret), OutPoint(bytes(32), 0), depth(tree.nodes)
    terms = Terms("forecast", key, key, nowhere, bytes(34), Windows.longest(levels), Amounts())
    scripts = [
        NodeScripts(
            tuple(_binding(group) for group in node.wires),
            tuple(sha256(b"%d %d" % (node.index, number)) for number in range(node.num_leaves)),
            *(0, max((len(tree.shape(leaf).code) for leaf in leaves), default=0)),
        )
        for node, leaves in zip(tree.nodes, tree.leaves, strict=True)
    ]
    links = os.urandom(LINK_BYTES * sum(map(num_links, tree.nodes)))

    def build() -> tuple[SlotGraph, dict[Slot, bytes]]:
        draft = SlotGraph(terms, tree, {}, scripts=scripts, allow_oversized=True)
        graph = draft.at(nowhere, Windows.for_tree(levels, draft.widest_level_vbytes)).at(
            OutPoint(bytes(32), 1)
        )
        _ = graph.digest
        return graph, open_signatures(graph, secret)

    begun = time.process_time()
    graph, openings = build()
    once = time.process_time() - begun

    def adopt() -> None:
        first_repeat(links)
        heads_of(links)
        check_openings(graph, openings)

    return once + members * _seconds(adopt)


def _binding(group: Sequence[Wire]) -> Binding:
    names = " ".join(wire.name for wire in group).encode()
    count = sum(wire.digits + checksum_digits(wire.digits) for wire in group)
    return Binding(sha256(names), 64 * count, count)


def _any_keys(tree: ChunkTree, some: Sequence[Node], path: Path) -> KeyBook:
    """A book with keys of some nodes and of those above them, of the right lengths."""
    book, needed = KeyBook(path, tree.nodes), set[int]()
    for node in some:
        at = node.index
        while at >= 0 and at not in needed:
            needed.add(at)
            at = tree.nodes[at].parent
    book.put((at, bytes(LINK_BYTES * num_links(tree.nodes[at]))) for at in needed)
    return book


def _sign(members: int) -> None:
    """A session of a committee in one process, each member's part done."""
    secrets = sorted((sha256(b"%d" % i) for i in range(members)), key=public_key)
    keys = sort_keys([public_key(secret) for secret in secrets])
    jobs = Batch(keys, [Job(sha256(b"message %d" % i)) for i in range(SAMPLE_SIGNATURES)])
    parties = [Member(jobs, secret) for secret in secrets]
    nonces = [party.nonces for party in parties]
    signatures = combine(jobs, nonces, [party.sign(nonces) for party in parties])
    committee = Aggregate(keys).key
    for job, signature in zip(jobs.jobs * members, signatures * members, strict=True):
        verify_schnorr(committee, job.message, signature)


def _seconds(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun
