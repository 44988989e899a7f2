"""XMSS keys and signatures: generation, signing, verification and byte encodings, in plain Python.

This is the specification; `circuits.xmss.batch` gives the same keys and signatures with the kernels, many
at once. A signature carries randomness, one value a chain, and the path; its leaf number (epoch) travels
beside it.

All elements are canonical integers below p, 4 bytes little-endian in the encodings:

- public key, 53 bytes: root (32), parameter (20), height (1);
- signature, 2072 + 32 * height bytes: rho (24), values (64 * 32), path (height * 32).

Source: eprint 2025/055, sections 4 and 5; hash layouts in `hashing`, message encoding in `encoding`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from circuits.tags import KEY_TYPE_XMSS, TAG_OWNER
from circuits.xmss import derive, encoding
from circuits.xmss.derive import RHO_LENGTH, SEED_BYTES
from circuits.xmss.errors import XmssError, XmssReason
from circuits.xmss.hashing import (
    CHAIN_TOP,
    DIGEST_LENGTH,
    NUM_CHAINS,
    PARAMETER_LENGTH,
    Digest,
    leaf_digest,
    path_root,
    tree_node,
    walk_chain,
)
from prover.poseidon2 import P, compress

MIN_HEIGHT: Final = 8
MAX_HEIGHT: Final = 18
DIGEST_BYTES: Final = 4 * DIGEST_LENGTH
PUBLIC_KEY_BYTES: Final = DIGEST_BYTES + 4 * PARAMETER_LENGTH + 1
_SIGNATURE_FIXED_BYTES: Final = 4 * RHO_LENGTH + NUM_CHAINS * DIGEST_BYTES


def signature_bytes(height: int) -> int:
    """Length of an encoded signature of a key of this height."""
    return _SIGNATURE_FIXED_BYTES + DIGEST_BYTES * height


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a verifier needs of a key.

    Attributes:
        root: Merkle root; shape (8,).
        parameter: Public parameter of the tweakable hash; shape (5,).
        height: Tree height, 8..18: the key has 2^height leaves.
    """

    root: Digest
    parameter: tuple[int, ...]
    height: int

    def owner(self) -> Digest:
        """The digest that a purse names as its owner; shape (8,).

        compress24(TAG_OWNER, root (8), parameter (5), KEY_TYPE_XMSS, height).
        """
        inputs = [TAG_OWNER, *self.root, *self.parameter, KEY_TYPE_XMSS, self.height]
        return compress(24, inputs, DIGEST_LENGTH)

    def encode(self) -> bytes:
        """The 53 canonical bytes."""
        return encode_elements(self.root + self.parameter) + bytes([self.height])

    @classmethod
    def decode(cls, data: bytes) -> PublicKey:
        """Read what `encode` wrote.

        Raises:
            XmssError: MALFORMED or HEIGHT.
        """
        if len(data) != PUBLIC_KEY_BYTES:
            raise XmssError(XmssReason.MALFORMED, f"public key of {len(data)} bytes")
        elements = decode_elements(data[:-1])
        _check_height(data[-1])
        return cls(elements[:DIGEST_LENGTH], elements[DIGEST_LENGTH:], data[-1])


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature; the epoch is not in it.

    Attributes:
        rho: Message randomness; shape (6,).
        values: Chain i's value at position digit i; shape (64, 8).
        path: Siblings from the leaf upward; shape (height, 8).
    """

    rho: tuple[int, ...]
    values: tuple[Digest, ...]
    path: tuple[Digest, ...]

    def encode(self) -> bytes:
        """The 2072 + 32 * height canonical bytes."""
        elements = [*self.rho]
        for digest in (*self.values, *self.path):
            elements += digest
        return encode_elements(elements)

    @classmethod
    def decode(cls, data: bytes) -> Signature:
        """Read what `encode` wrote; the height follows from the length.

        Raises:
            XmssError: MALFORMED.
        """
        height, rest = divmod(len(data) - _SIGNATURE_FIXED_BYTES, DIGEST_BYTES)
        if rest or not MIN_HEIGHT <= height <= MAX_HEIGHT:
            raise XmssError(XmssReason.MALFORMED, f"signature of {len(data)} bytes")
        elements = decode_elements(data)
        digests = split_digests(elements[RHO_LENGTH:])
        return cls(elements[:RHO_LENGTH], digests[:NUM_CHAINS], digests[NUM_CHAINS:])


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key that can sign: its seed, and its tree so that no signature rebuilds it.

    Attributes:
        seed: 32 secret bytes (not shown by repr).
        height: 8..18.
        parameter: Shape (5,).
        tree: Encoded digests by level, leaves first: level l has 32 * 2^(height - l) bytes. Public.
    """

    seed: bytes = field(repr=False)
    height: int
    parameter: tuple[int, ...]
    tree: tuple[bytes, ...] = field(repr=False)

    @property
    def public_key(self) -> PublicKey:
        """The key to publish."""
        return PublicKey(decode_elements(self.tree[-1]), self.parameter, self.height)

    def node(self, level: int, index: int) -> Digest:
        """A node of the tree; shape (8,)."""
        return decode_elements(self.tree[level][DIGEST_BYTES * index : DIGEST_BYTES * (index + 1)])

    def path(self, epoch: int) -> tuple[Digest, ...]:
        """Siblings of a leaf's path, from the leaf upward; shape (height, 8)."""
        return tuple(self.node(level, epoch >> level ^ 1) for level in range(self.height))

    @classmethod
    def from_tree(cls, seed: bytes, height: int, tree: Sequence[bytes]) -> SecretKey:
        """A key whose tree was stored: lengths, elements and the first leaf are checked, the rest is trusted.

        Raises:
            XmssError: SEED, HEIGHT, MALFORMED, or TREE when the tree is not this seed's.
        """
        check_seed_and_height(seed, height)
        expected = [DIGEST_BYTES << (height - level) for level in range(height + 1)]
        if [len(level) for level in tree] != expected:
            raise XmssError(XmssReason.MALFORMED, "tree has the wrong shape")
        key = cls(seed, height, derive.parameter(seed, height), tuple(tree))
        leaf = build_leaf(seed, height, key.parameter, 0)
        if key.node(0, 0) != leaf or path_root(key.parameter, 0, leaf, key.path(0)) != key.node(height, 0):
            raise XmssError(XmssReason.TREE)
        return key


def encode_elements(elements: Sequence[int]) -> bytes:
    """Elements as 4-byte little-endian words."""
    return struct.pack(f"<{len(elements)}I", *elements)


def decode_elements(data: bytes) -> tuple[int, ...]:
    """Canonical elements from 4-byte little-endian words.

    Raises:
        XmssError: MALFORMED: a partial word, or an element not below p.
    """
    if len(data) % 4:
        raise XmssError(XmssReason.MALFORMED, f"{len(data)} bytes are not whole words")
    elements = struct.unpack(f"<{len(data) // 4}I", data)
    if elements and max(elements) >= P:
        raise XmssError(XmssReason.MALFORMED, "element not below p")
    return elements


def split_digests(elements: Sequence[int]) -> tuple[Digest, ...]:
    """A flat run of elements as digests of 8."""
    return tuple(zip(*[iter(elements)] * DIGEST_LENGTH, strict=True))


def build_leaf(seed: bytes, height: int, parameter: Sequence[int], epoch: int) -> Digest:
    """Derive a leaf's 64 chains, walk them to the top, and hash the ends; shape (8,)."""
    starts = derive.chain_starts(seed, height, epoch)
    ends = [walk_chain(parameter, epoch, i, 0, CHAIN_TOP, start) for i, start in enumerate(starts)]
    return leaf_digest(parameter, epoch, ends)


def keygen(seed: bytes, height: int) -> SecretKey:
    """Make the key of a seed and a height: 2^height leaves of 64 chains and the tree over them.

    About 15 s at height 8 in plain Python; use `batch.keygen` for real keys.

    Args:
        seed: 32 bytes.
        height: 8..18.

    Raises:
        XmssError: SEED or HEIGHT.
    """
    check_seed_and_height(seed, height)
    parameter = derive.parameter(seed, height)
    nodes = [build_leaf(seed, height, parameter, epoch) for epoch in range(1 << height)]
    tree = [b"".join(map(encode_elements, nodes))]
    for level in range(1, height + 1):
        nodes = [
            tree_node(parameter, level, i, nodes[2 * i], nodes[2 * i + 1]) for i in range(len(nodes) // 2)
        ]
        tree.append(b"".join(map(encode_elements, nodes)))
    return SecretKey(seed, height, parameter, tuple(tree))


def sign(key: SecretKey, epoch: int, message: Digest) -> Signature:
    """Sign with one leaf. Signing two messages with one leaf gives the key away: only a `wallet` may decide.

    About 2^16.5 tries of the message hash (15 s in plain Python; use `batch.sign`).

    Args:
        key: The secret key.
        epoch: Leaf index, below 2^height; never used before for another message.
        message: Shape (8,).

    Raises:
        XmssError: EPOCH, MALFORMED, or TRIES.
    """
    check_message(key.height, epoch, message)
    base = derive.base_randomness(key.seed, key.height, epoch, message)
    rho, digits = encoding.search(key.public_key.owner(), epoch, base, message)
    return reveal(key, epoch, rho, digits)


def reveal(key: SecretKey, epoch: int, rho: tuple[int, ...], digits: Sequence[int]) -> Signature:
    """The signature for an accepted codeword: each chain walked to its digit, and the path."""
    starts = derive.chain_starts(key.seed, key.height, epoch)
    values = tuple(
        walk_chain(key.parameter, epoch, i, 0, digit, start)
        for i, (digit, start) in enumerate(zip(digits, starts, strict=True))
    )
    return Signature(rho, values, key.path(epoch))


def verify(owner: Digest, public_key: PublicKey, epoch: int, message: Digest, signature: Signature) -> None:
    """Check a signature; returns if it is valid.

    1 shapes and ranges; 2 the public key is the owner's; 3 the codeword; 4 the 153 chain steps; 5 leaf and
    path.

    Args:
        owner: Digest that the purse names; shape (8,).
        public_key: Key shown with the signature; its height says how many leaves there are.
        epoch: Leaf index that the signature claims.
        message: Shape (8,).
        signature: The signature.

    Raises:
        XmssError: HEIGHT, EPOCH, MALFORMED, OWNER_MISMATCH, ABORTED, TARGET_SUM or ROOT_MISMATCH.
    """
    check_shapes(public_key, epoch, message, signature)
    if public_key.owner() != owner:
        raise XmssError(XmssReason.OWNER_MISMATCH)
    digits = encoding.codeword(owner, epoch, signature.rho, message)
    parameter = public_key.parameter
    ends = [
        walk_chain(parameter, epoch, i, digit, CHAIN_TOP - digit, value)
        for i, (digit, value) in enumerate(zip(digits, signature.values, strict=True))
    ]
    if path_root(parameter, epoch, leaf_digest(parameter, epoch, ends), signature.path) != public_key.root:
        raise XmssError(XmssReason.ROOT_MISMATCH)


def is_valid(owner: Digest, public_key: PublicKey, epoch: int, message: Digest, signature: Signature) -> bool:
    """`verify` as a yes or no."""
    try:
        verify(owner, public_key, epoch, message, signature)
    except XmssError:
        return False
    return True


def check_message(height: int, epoch: int, message: Digest) -> None:
    """Refuse an epoch outside the tree or a message that is not 8 canonical elements.

    Raises:
        XmssError: EPOCH or MALFORMED.
    """
    if not 0 <= epoch < 1 << height:
        raise XmssError(XmssReason.EPOCH, f"{epoch} in a key of {1 << height} leaves")
    _check_elements(message, DIGEST_LENGTH)


def check_shapes(public_key: PublicKey, epoch: int, message: Digest, signature: Signature) -> None:
    """Refuse anything whose shape or range is wrong, before a hash is computed.

    Raises:
        XmssError: HEIGHT, EPOCH or MALFORMED.
    """
    _check_height(public_key.height)
    check_message(public_key.height, epoch, message)
    _check_elements(public_key.root, DIGEST_LENGTH)
    _check_elements(public_key.parameter, PARAMETER_LENGTH)
    _check_elements(signature.rho, RHO_LENGTH)
    if len(signature.values) != NUM_CHAINS or len(signature.path) != public_key.height:
        raise XmssError(XmssReason.MALFORMED, "number of chain values or path length")
    digests = (*signature.values, *signature.path)
    if set(map(len, digests)) != {DIGEST_LENGTH}:
        raise XmssError(XmssReason.MALFORMED, f"expected digests of {DIGEST_LENGTH} elements")
    _check_elements(list(chain.from_iterable(digests)), DIGEST_LENGTH * len(digests))


def _check_elements(elements: Sequence[int], length: int) -> None:
    if len(elements) != length or min(elements) < 0 or max(elements) >= P:
        raise XmssError(XmssReason.MALFORMED, f"expected {length} elements below p")


def _check_height(height: int) -> None:
    if not MIN_HEIGHT <= height <= MAX_HEIGHT:
        raise XmssError(XmssReason.HEIGHT, f"{height} is not in {MIN_HEIGHT}..{MAX_HEIGHT}")


def check_seed_and_height(seed: bytes, height: int) -> None:
    """Refuse a seed that is not 32 bytes or a height outside 8..18.

    Raises:
        XmssError: SEED or HEIGHT.
    """
    if len(seed) != SEED_BYTES:
        raise XmssError(XmssReason.SEED, f"{len(seed)} bytes")
    _check_height(height)
