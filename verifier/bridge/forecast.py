"""How long the set-up of a slot takes: what a tree asks for, times rates that are measured on samples of it.

Left out: what the kernel and the disk take, and the making of the tree itself, which whoever asks has just done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from verifier.bitcoin.encoding import sha256
from verifier.bitcoin.keys import public_key, verify_schnorr
from verifier.bitcoin.musig import Aggregate, sort_keys
from verifier.bitcoin.musig_session import Batch, Job, Member, combine
from verifier.bridge.arithmetic import compile_chunk
from verifier.bridge.key_book import num_links
from verifier.bridge.node_scripts import node_scripts
from verifier.bridge.opening import ChunkTree
from verifier.bridge.plan import MAX_WEIGHT, reveal_weight
from verifier.script.winternitz import LINK_BYTES, WinternitzKey, checksum_digits, public_links

SAMPLE_LINKS: Final = 20_000
SAMPLE_BYTES: Final = 50_000_000
SAMPLE_SIGNATURES: Final = 60
SAMPLE_SHAPES: Final = 40


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
        shape: to compile one.
        link: to make one.
        script_byte: to make and hash one, key look-up included.
        signature: by all members of a committee, its last verification by each of them included.
    """

    shape: float
    link: float
    script_byte: float
    signature: float


def measure(tree: ChunkTree, members: int) -> Rates:
    """Rates of this machine, now, on samples of a tree that is compiled.

    Args:
        tree: whose shapes and scripts are sampled.
        members: of the committee.
    """
    some = [
        leaf for leaves in tree.leaves[:: max(1, len(tree.leaves) // SAMPLE_SHAPES)] for leaf in leaves[:1]
    ]
    shape = _seconds(lambda: [compile_chunk(leaf.chunk, tree.lowered) for leaf in some]) / len(some)
    digits = 64
    wires = [(b"wire %d" % i, digits) for i in range(SAMPLE_LINKS // digits)]
    link = _seconds(lambda: public_links(bytes(32), wires)) / (
        len(wires) * (digits + checksum_digits(digits))
    )
    keys, total = _any_keys(tree), 0

    def scripts() -> None:
        nonlocal total
        for node in tree.nodes[1:]:
            total += node_scripts(tree, node, keys, bytes(32)).script_bytes
            if total > SAMPLE_BYTES:
                break

    byte = _seconds(scripts) / max(total, 1)
    return Rates(shape, link, byte, _seconds(lambda: _sign(members)) / SAMPLE_SIGNATURES)


def predict(counts: Counts, rates: Rates, members: int) -> dict[str, float]:
    """Seconds of one processor, by stage."""
    return {
        "shapes": counts.shapes * rates.shape,
        "keys": counts.links * rates.link,
        "scripts": (members + 1) * counts.script_bytes * rates.script_byte,
        "signatures": counts.signatures * rates.signature,
    }


def _any_keys(tree: ChunkTree) -> dict[str, WinternitzKey]:
    """Keys of the right length for all wires; those of one length are the same."""
    wires = [wire for node in tree.nodes for group in node.wires for wire in group]
    of_length = {
        digits: WinternitzKey((bytes(LINK_BYTES),) * (digits + checksum_digits(digits)), digits)
        for digits in {wire.digits for wire in wires}
    }
    return {wire.name: of_length[wire.digits] for wire in wires}


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
