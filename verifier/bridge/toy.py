"""A small opening tree with real keys and real tapscripts, for the game's tests and first simulations.

The statement: the claim is the BLAKE3 hashes of the query digests, two by two; under a digest, every query's block
is two halves whose hash it is; the left half is the hash of a path block; the first three nibbles of a path block
add up (a + b = c, mod 16).

    root: query digests, claim    group: no wires    query i: its block    path i: block under the left half
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from blake3 import blake3

from verifier.bridge.tree import Digits, Node, Spend, Wire, values_of
from verifier.script.blake3 import IV, compress
from verifier.script.opcodes import Op
from verifier.script.script import number, script
from verifier.script.winternitz import LINK_BYTES, WinternitzKey, checksum_digits, nibbles, read

_ONE_BLOCK = 1 | 2 | 8
DIGEST, BLOCK = 64, 128
_MARK = b"pegproof small tree 1\0"
MAX_QUERIES = 10
"""With more, a leaf that reads the claim would start with more than 1,000 items."""
_START = nibbles(b"".join(word.to_bytes(4, "little") for word in IV))


@lru_cache(1)
def _hash_block() -> bytes:
    """[128 nibbles of a block] -> [64 nibbles of its BLAKE3 hash]."""
    return script(*(number(digit) for digit in _START), compress(0, 64, _ONE_BLOCK))


def _differs(count: int) -> bytes:
    """[r_0 .. r_{n-1}], alt [w_{n-1} .. w_0] -> [whether some r_i is not w_i]."""
    step = [
        script(Op.FROMALTSTACK, number(count - i + 1), Op.ROLL, Op.NUMNOTEQUAL, Op.BOOLOR)
        for i in range(count)
    ]
    return script(number(0), *step)


def _hash_leaf(digest: WinternitzKey, blocks: Sequence[WinternitzKey], first: int) -> bytes:
    """[signatures of the block's parts, signature of digest] -> [hash of block is not digest[first : first + 64]].

    Args:
        digest: holds the hash, and perhaps more.
        blocks: the block's parts, the last checked first.
        first: nibble of `digest`.
    """
    drop = bytes([Op.DROP])
    above = digest.digits - first - DIGEST
    keep = script(drop * above, bytes([Op.TOALTSTACK]) * DIGEST, drop * first)
    later = [script(part.check(), bytes([Op.TOALTSTACK]) * part.digits) for part in reversed(blocks[1:])]
    back = bytes([Op.FROMALTSTACK]) * sum(part.digits for part in blocks[1:])
    return script(digest.check(), keep, *later, blocks[0].check(), back, _hash_block(), _differs(DIGEST))


def _sum_leaf(block: WinternitzKey) -> bytes:
    """[signature of block] -> [its first nibbles a, b, c are not a + b = c mod 16]."""
    rest = bytes([Op.DROP]) * (BLOCK - 3)
    wrap = script(Op.DUP, number(16), Op.GREATERTHANOREQUAL, Op.IF, number(16), Op.SUB, Op.ENDIF)
    return script(block.check(), rest, Op.TOALTSTACK, Op.ADD, wrap, Op.FROMALTSTACK, Op.NUMNOTEQUAL)


@dataclass(frozen=True)
class ToyTree:
    """Two groups of queries, a path below each query.

    Attributes:
        queries: an even number, at most `MAX_QUERIES`.
    """

    queries: int = 2

    @cached_property
    def nodes(self) -> Sequence[Node]:
        """Root, groups, queries, paths."""
        q, groups = self.queries, 2
        first_query, first_path = 1 + groups, 1 + groups + q
        half = q // groups
        digests = tuple(Wire(f"query {i} digest", DIGEST) for i in range(q))
        nodes = [Node(0, "root", -1, (1, 2), (digests[:half], digests[half:], (self.claim,)), half)]
        for g in range(groups):
            below = tuple(first_query + g * half + i for i in range(half))
            nodes.append(Node(1 + g, f"root/group {g}", 0, below, (), 0))
        for i in range(q):
            wires = ((Wire(f"query {i} block", BLOCK),),)
            parent, at = 1 + i // half, first_query + i
            nodes.append(Node(at, f"{nodes[parent].name}/query {i}", parent, (first_path + i,), wires, 1))
        for i in range(q):
            wires = ((Wire(f"path {i} block", BLOCK),),)
            parent = first_query + i
            nodes.append(Node(first_path + i, f"{nodes[parent].name}/path", parent, (), wires, 2))
        return nodes

    @property
    def claim(self) -> Wire:
        """A hash of every two digests."""
        return Wire("claim", DIGEST * (self.queries // 2))

    def reads(self, node: int, number: int) -> tuple[str, ...]:
        """The wires that a leaf reads, in the order of its checks."""
        if node == 0:
            return ("claim", f"query {2 * number + 1} digest", f"query {2 * number} digest")
        i = (node - 3) % self.queries
        if node < 3 + self.queries:
            return (f"query {i} digest", f"query {i} block")
        return (f"query {i} block", f"path {i} block") if number == 0 else (f"path {i} block",)

    def leaf(self, node: int, number: int, keys: Mapping[str, WinternitzKey]) -> bytes:
        """The tapscript of a leaf."""
        read_keys = [keys[name] for name in self.reads(node, number)]
        if len(read_keys) == 1:
            return _sum_leaf(read_keys[0])
        return _hash_leaf(read_keys[0], read_keys[:0:-1], 0 if node else DIGEST * number)

    def leaf_bytes(self, node: int, number: int) -> int:
        """The length of a leaf's tapscript."""
        return len(self.leaf(node, number, self._blank_keys))

    @cached_property
    def _blank_keys(self) -> Mapping[str, WinternitzKey]:
        """Keys of the right lengths."""
        wires = [wire for node in self.nodes for group in node.wires for wire in group]
        return {
            w.name: WinternitzKey((bytes(LINK_BYTES),) * (w.digits + checksum_digits(w.digits)), w.digits)
            for w in wires
        }


def claim_of_digests(tree: ToyTree, digests: bytes) -> Digits:
    """The value of the small tree's claim.

    Raises:
        ValueError: there is another number of digests.
    """
    if len(digests) != tree.queries * DIGEST // 2:
        raise ValueError(f"{tree.queries} digests of {DIGEST // 2} bytes are needed")
    pairs = (digests[at : at + DIGEST] for at in range(0, len(digests), DIGEST))
    return nibbles(b"".join(blake3(pair).digest() for pair in pairs))


@dataclass(frozen=True)
class ToyExecution:
    """The blocks behind every query; honest unless they are changed.

    Attributes:
        tree: whose wires.
        path_blocks: one a query.
        query_blocks: one a query.
        digests: one a query.
    """

    tree: ToyTree
    path_blocks: tuple[bytes, ...]
    query_blocks: tuple[bytes, ...]
    digests: tuple[bytes, ...]

    @classmethod
    def make(cls, tree: ToyTree, seed: int = 0, wrong_sum: int | None = None) -> ToyExecution:
        """Consistent hashes; the sum of path `wrong_sum` is false."""
        rng = random.Random(seed)
        paths, queries, digests = [], [], []
        for i in range(tree.queries):
            a, b = rng.randrange(16), rng.randrange(16)
            c = (a + b + (i == wrong_sum)) % 16
            paths.append(bytes([a << 4 | b, c << 4 | rng.randrange(16)]) + rng.randbytes(62))
            queries.append(blake3(paths[-1]).digest() + rng.randbytes(32))
            digests.append(blake3(queries[-1]).digest())
        return cls(tree, tuple(paths), tuple(queries), tuple(digests))

    def encode(self) -> bytes:
        """A proof file of the small tree: mark, path blocks, query blocks, digests."""
        return _MARK + b"".join((*self.path_blocks, *self.query_blocks, *self.digests))

    @classmethod
    def decode(cls, tree: ToyTree, data: bytes) -> ToyExecution:
        """Inverse of `encode`.

        Raises:
            ValueError: it is no proof of this tree.
        """
        q, block, digest = tree.queries, BLOCK // 2, DIGEST // 2
        if data[: len(_MARK)] != _MARK or len(data) != len(_MARK) + q * (2 * block + digest):
            raise ValueError(f"no proof for the small tree of {q} queries")
        sizes, at, parts = [block] * (2 * q) + [digest] * q, len(_MARK), []
        for size in sizes:
            parts.append(data[at : at + size])
            at += size
        return cls(tree, tuple(parts[:q]), tuple(parts[q : 2 * q]), tuple(parts[2 * q :]))

    def fault(self) -> int | None:
        """The first node that a leaf convicts; None where all is right."""
        values: dict[str, Digits] = {}
        for node in self.tree.nodes:
            values |= values_of(node, self)
        for node in self.tree.nodes:
            for leaf in range(node.num_leaves):
                reads = [values[name] for name in self.tree.reads(node.index, leaf)]
                if _convicts(reads, 0 if node.index else DIGEST * leaf):
                    return node.index
        return None

    def withholding(self, query: int) -> ToyExecution:
        """The same with a digest in the root that is nobody's hash."""
        digests = list(self.digests)
        digests[query] = b"\x5a" * 32
        return replace(self, digests=tuple(digests))

    def values(self, node: int) -> tuple[tuple[Digits, ...], ...]:
        """The node's wires."""
        q = self.tree.queries
        i = (node - 3) % q
        if node == 0:
            digests = tuple(nibbles(digest) for digest in self.digests)
            claim = claim_of_digests(self.tree, b"".join(self.digests))
            return digests[: q // 2], digests[q // 2 :], (claim,)
        if node < 3:
            return ()
        return ((nibbles(self.query_blocks[i] if node < 3 + q else self.path_blocks[i]),),)


@dataclass(frozen=True)
class ToyAccuser:
    """Reads what was committed and finds the leaf that convicts."""

    tree: ToyTree
    keys: Mapping[str, WinternitzKey]

    def disprove(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Spend | None:
        """See `Accuser.disprove`."""
        return next(self.disproofs(node, signatures), None)

    def disproofs(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Iterator[Spend]:
        """See `Accuser.disproofs`."""
        for leaf in range(self.tree.nodes[node].num_leaves):
            names = self.tree.reads(node, leaf)
            values = [read(self.keys[name], signatures[name]) for name in names]
            if any(value is None for value in values):
                continue
            if _convicts([value for value in values if value is not None], 0 if node else DIGEST * leaf):
                yield Spend(leaf, tuple(item for name in reversed(names) for item in signatures[name]))


def _convicts(values: Sequence[Digits], first: int) -> bool:
    if len(values) == 1:
        a, b, c = values[0][:3]
        return (a + b) % 16 != c
    digest, block = values[0], sum(values[:0:-1], ())
    data = bytes(high << 4 | low for high, low in zip(block[::2], block[1::2], strict=True))
    return nibbles(blake3(data).digest()) != digest[first : first + DIGEST]
