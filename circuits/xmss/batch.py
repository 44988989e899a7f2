"""XMSS key generation, signing and verification for many keys at once, on the Poseidon2 kernels.

Same results as `circuits.xmss.scheme`, bit for bit. Arrays are canonical uint32, columns first, as
everywhere.

Costs, in permutations: a key of height h takes 2^h * (64 * 7 of width 16 + 35 of width 24) and 2^h nodes; a
signature about 2^16.5 of width 24; a verification 153 of width 16 and 37 + h of width 24.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

import native
from circuits.tags import KEY_TYPE_XMSS, TAG_MSG, TAG_OWNER
from circuits.xmss import derive, encoding
from circuits.xmss.errors import XmssError, XmssReason
from circuits.xmss.hashing import (
    CHAIN_TOP,
    DIGEST_LENGTH,
    EPOCHS_PER_HIGH,
    LEAF_CAPACITY,
    NUM_CHAINS,
    PARAMETER_LENGTH,
    TREE_LEVEL_HIGH,
    TREE_LEVEL_LOW,
    Digest,
)
from circuits.xmss.scheme import (
    DIGEST_BYTES,
    PublicKey,
    SecretKey,
    Signature,
    check_message,
    check_seed_and_height,
    check_shapes,
)
from prover.poseidon2 import SPONGE_RATE, P

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

LEAVES_PER_BLOCK: Final = 2048
"""Leaves built together: 2^17 chains, 4 MB of starts."""
TRIES_PER_BLOCK: Final = 8192
"""Counters tried together: half a block, 4% of the expected tries, is wasted on average."""


class Kernels(Protocol):
    """What `native` offers and this module needs. States are (width, n), n lanes."""

    def poseidon2_permute(self, states: U32) -> U32:
        """Permute every column; width 16 or 24."""

    def poseidon2_compress(self, inputs: U32, out_len: int) -> U32:
        """Feed-forward compression of every column: (width, n) -> (out_len, n)."""

    def xmss_chains(self, parameter: U32, t0: U32, t1: U32, starts: U32, steps: U32) -> U32:
        """Walk n chains: step k = 0..steps-1 uses the tweak ((t0 + 256 k) mod p, t1).

        Shapes: parameter (5, n), t0, t1, steps (n,), starts and result (8, n).
        """


@dataclass(frozen=True, slots=True)
class SignRequest:
    """One signature to make.

    Attributes:
        key: The secret key.
        epoch: A leaf never used for another message.
        message: Shape (8,).
    """

    key: SecretKey
    epoch: int
    message: Digest


@dataclass(frozen=True, slots=True)
class Claim:
    """One signature to check; fields as the arguments of `scheme.verify`."""

    owner: Digest
    public_key: PublicKey
    epoch: int
    message: Digest
    signature: Signature


def native_kernels() -> Kernels:
    """The C kernels.

    Raises:
        ImportError: The native package is missing.
    """
    return native


def keygen(seeds: Sequence[bytes], height: int, kernels: Kernels | None = None) -> list[SecretKey]:
    """Keys of these seeds, all of one height.

    Args:
        seeds: 32 bytes each.
        height: 8..18.
        kernels: Defaults to the native ones.

    Raises:
        XmssError: SEED or HEIGHT.
    """
    for seed in seeds:
        check_seed_and_height(seed, height)
    kernels = kernels or native_kernels()
    parameters = [derive.parameter(seed, height) for seed in seeds]
    total = len(seeds) << height
    leaves = np.empty((DIGEST_LENGTH, total), dtype=np.uint32)
    for first in range(0, total, LEAVES_PER_BLOCK):
        last = min(first + LEAVES_PER_BLOCK, total)
        leaves[:, first:last] = _build_leaves(seeds, parameters, height, first, last, kernels)
    levels = _build_tree(leaves, parameters, height, kernels)
    keys = []
    for i, (seed, parameter) in enumerate(zip(seeds, parameters, strict=True)):
        sizes = [DIGEST_BYTES << (height - level) for level in range(height + 1)]
        tree = tuple(level[i * size : (i + 1) * size] for level, size in zip(levels, sizes, strict=True))
        keys.append(SecretKey(seed, height, parameter, tree))
    return keys


def _build_leaves(
    seeds: Sequence[bytes],
    parameters: Sequence[tuple[int, ...]],
    height: int,
    first: int,
    last: int,
    kernels: Kernels,
) -> U32:
    """Leaves first..last-1 of the keys' leaves laid end to end; (8, last - first)."""
    places = [(number >> height, number & ((1 << height) - 1)) for number in range(first, last)]
    epochs = np.array([epoch for _, epoch in places], dtype=np.uint64)
    per_leaf = np.array([parameters[key] for key, _ in places], dtype=np.uint32).T
    starts = _chain_starts([(seeds[key], height, epoch) for key, epoch in places])
    t0, t1 = _chain_tweaks(epochs, np.ones((last - first, NUM_CHAINS), dtype=np.uint64))
    ends = kernels.xmss_chains(
        np.ascontiguousarray(np.repeat(per_leaf, NUM_CHAINS, axis=1)),
        t0,
        t1,
        starts,
        np.full(t0.shape, CHAIN_TOP, dtype=np.uint32),
    )
    return _leaf_digests(per_leaf, epochs, ends, kernels)


def _chain_starts(leaves: Sequence[tuple[bytes, int, int]]) -> U32:
    """Chain starts of (seed, height, epoch) leaves; (8, 64 * leaves), a leaf's chains side by side."""
    data = b"".join(
        derive.expand(derive.CONTEXT_STARTS, derive.starts_material(*leaf), derive.STARTS_BYTES)
        for leaf in leaves
    )
    words = np.frombuffer(data, dtype="<u8") % np.uint64(P)
    return np.ascontiguousarray(words.astype(np.uint32).reshape(-1, DIGEST_LENGTH).T)


def _chain_tweaks(epochs: U64, first_steps: U64) -> tuple[U32, U32]:
    """Tweaks of each chain's first step; first_steps is (leaves, 64), both results (64 * leaves,)."""
    chains = np.arange(NUM_CHAINS, dtype=np.uint64) << np.uint64(16)
    t0 = (epochs[:, None] << np.uint64(24)) + chains + (first_steps << np.uint64(8))
    t1 = np.repeat(epochs // np.uint64(EPOCHS_PER_HIGH), NUM_CHAINS)
    return (t0 % np.uint64(P)).astype(np.uint32).ravel(), t1.astype(np.uint32)


def _leaf_digests(parameters: U32, epochs: U64, ends: U32, kernels: Kernels) -> U32:
    """Leaf sponges: parameters (5, n), epochs (n,), ends (8, 64 n) -> (8, n)."""
    count = len(epochs)
    body = PARAMETER_LENGTH + 2 + NUM_CHAINS * DIGEST_LENGTH
    blocks = -(-body // SPONGE_RATE)
    inputs = np.zeros((blocks * SPONGE_RATE, count), dtype=np.uint32)
    inputs[:PARAMETER_LENGTH] = parameters
    inputs[PARAMETER_LENGTH] = epochs.astype(np.uint32) * np.uint32(256) + np.uint32(1)
    by_chain = ends.reshape(DIGEST_LENGTH, count, NUM_CHAINS).transpose(2, 0, 1)
    inputs[PARAMETER_LENGTH + 2 : body] = by_chain.reshape(-1, count)
    state = np.zeros((24, count), dtype=np.uint32)
    state[SPONGE_RATE:] = np.array(LEAF_CAPACITY, dtype=np.uint32)[:, None]
    for start in range(0, len(inputs), SPONGE_RATE):
        total = state[:SPONGE_RATE] + inputs[start : start + SPONGE_RATE]  # < 2p < 2^32
        state[:SPONGE_RATE] = np.minimum(total, total - np.uint32(P))  # total - p wraps when total < p
        state = kernels.poseidon2_permute(state)
    return np.ascontiguousarray(state[:DIGEST_LENGTH])


def _nodes(parameters: U32, level: int, indices: U64, left: U32, right: U32, kernels: Kernels) -> U32:
    """Tree nodes at one level: parameters (5, n), indices (n,), children (8, n) -> (8, n)."""
    inputs = np.zeros((24, len(indices)), dtype=np.uint32)
    inputs[:5] = parameters
    inputs[5] = np.uint64(level * TREE_LEVEL_LOW + 1) + np.uint64(256) * indices
    inputs[6] = level * TREE_LEVEL_HIGH
    inputs[7:15] = left
    inputs[15:23] = right
    return kernels.poseidon2_compress(inputs, DIGEST_LENGTH)


def _build_tree(
    leaves: U32, parameters: Sequence[tuple[int, ...]], height: int, kernels: Kernels
) -> list[bytes]:
    """All levels of all keys' trees, each level encoded, the keys end to end."""
    columns = np.array(parameters, dtype=np.uint32).reshape(-1, PARAMETER_LENGTH).T
    levels = [_encode(leaves)]
    nodes = leaves
    for level in range(1, height + 1):
        size = 1 << (height - level)
        indices = np.tile(np.arange(size, dtype=np.uint64), len(parameters))
        repeated = np.repeat(columns, size, axis=1)
        nodes = _nodes(repeated, level, indices, nodes[:, 0::2], nodes[:, 1::2], kernels)
        levels.append(_encode(nodes))
    return levels


def _encode(nodes: U32) -> bytes:
    return np.ascontiguousarray(nodes.T, dtype="<u4").tobytes()


def digit_sums(digests: U32) -> U32:
    """Sums of the 64 octal digits of message digests; (8, n) -> (n,). Meaningless where an element is p - 1.

    Digits are added in pairs within words: 4 fields of 6 bits (<= 14), then 2 of 12 bits (<= 28 an element,
    <=
    224 over the 8 elements).
    """
    quotients = digests // np.uint32(encoding.QUOTIENT)
    fields = (quotients & np.uint32(0o07070707)) + (quotients >> np.uint32(3) & np.uint32(0o07070707))
    halves = (fields & np.uint32(0o00770077)) + (fields >> np.uint32(6) & np.uint32(0o00770077))
    total: U32 = halves.sum(axis=0, dtype=np.uint32)
    return (total & np.uint32(0xFFF)) + (total >> np.uint32(12))


def _search(request: SignRequest, kernels: Kernels) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`encoding.search` in blocks of counters: first accepted randomness and its codeword."""
    key, epoch, message = request.key, request.epoch, request.message
    base = derive.base_randomness(key.seed, key.height, epoch, message)
    column = np.array([TAG_MSG, epoch, *base, *key.public_key.owner(), *message], dtype=np.uint32)
    inputs = np.repeat(column[:, None], TRIES_PER_BLOCK, axis=1)
    for first in range(0, encoding.MAX_TRIES, TRIES_PER_BLOCK):
        counters = np.arange(first, first + TRIES_PER_BLOCK, dtype=np.uint64)
        inputs[2] = (counters + np.uint64(base[0])) % np.uint64(P)
        digests = kernels.poseidon2_compress(inputs, DIGEST_LENGTH)
        for lane in np.flatnonzero(digit_sums(digests) == encoding.TARGET_SUM):
            digits = encoding.split_digits(tuple(digests[:, lane].tolist()))
            if digits is not None:
                return encoding.nth_randomness(base, first + int(lane)), digits
    raise XmssError(XmssReason.TRIES, f"{encoding.MAX_TRIES} tries")


def sign(requests: Sequence[SignRequest], kernels: Kernels | None = None) -> list[Signature]:
    """Signatures for all requests, in order; searches run on all cores.

    Args:
        requests: Keys may repeat, leaves must not (two requests for one leaf of one key are refused unless
            their messages are equal).
        kernels: Defaults to the native ones.

    Raises:
        XmssError: EPOCH, MALFORMED, LEAF_REUSED or TRIES; nothing is signed then.
    """
    _check_requests(requests)
    if not requests:
        return []
    active = kernels or native_kernels()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda request: _search(request, active), requests))
    starts = _chain_starts([(r.key.seed, r.key.height, r.epoch) for r in requests])
    epochs = np.array([r.epoch for r in requests], dtype=np.uint64)
    t0, t1 = _chain_tweaks(epochs, np.ones((len(requests), NUM_CHAINS), dtype=np.uint64))
    parameters = np.array([r.key.parameter for r in requests], dtype=np.uint32).T
    steps = np.array([digits for _, digits in found], dtype=np.uint32).ravel()
    repeated = np.ascontiguousarray(np.repeat(parameters, NUM_CHAINS, axis=1))
    values = active.xmss_chains(repeated, t0, t1, starts, steps).T.reshape(-1, NUM_CHAINS, DIGEST_LENGTH)
    return [
        Signature(rho, tuple(map(tuple, chains.tolist())), r.key.path(r.epoch))
        for r, (rho, _), chains in zip(requests, found, values, strict=True)
    ]


def _check_requests(requests: Sequence[SignRequest]) -> None:
    used: dict[tuple[bytes, int, int], Digest] = {}
    for request in requests:
        check_message(request.key.height, request.epoch, request.message)
        leaf = (request.key.seed, request.key.height, request.epoch)
        if used.setdefault(leaf, request.message) != request.message:
            raise XmssError(XmssReason.LEAF_REUSED, f"leaf {request.epoch}")


def verify(claims: Sequence[Claim], kernels: Kernels | None = None) -> list[XmssReason | None]:
    """Check many signatures; per claim the reason that `scheme.verify` would give, or None if it is valid.

    Args:
        claims: Any signatures; malformed ones do not disturb the others.
        kernels: Defaults to the native ones.
    """
    active = kernels or native_kernels()
    reasons: list[XmssReason | None] = []
    for claim in claims:
        try:
            check_shapes(claim.public_key, claim.epoch, claim.message, claim.signature)
            reasons.append(None)
        except XmssError as error:
            reasons.append(error.reason)

    def settle(check: Callable[[Sequence[Claim], Kernels], list[XmssReason | None]]) -> None:
        """Runs a check on the claims that are sound so far."""
        sound = [number for number, reason in enumerate(reasons) if reason is None]
        if sound:
            for number, reason in zip(sound, check([claims[i] for i in sound], active), strict=True):
                reasons[number] = reason

    settle(_check_owners)
    settle(_check_signatures)
    return reasons


def _check_owners(claims: Sequence[Claim], kernels: Kernels) -> list[XmssReason | None]:
    """`PublicKey.owner` of each is the owner claimed."""
    rows = [
        (TAG_OWNER, *k.root, *k.parameter, KEY_TYPE_XMSS, k.height) for k in (c.public_key for c in claims)
    ]
    owners = _digests(rows, kernels)
    return [
        None if owner == claim.owner else XmssReason.OWNER_MISMATCH
        for owner, claim in zip(owners, claims, strict=True)
    ]


def _check_signatures(claims: Sequence[Claim], kernels: Kernels) -> list[XmssReason | None]:
    """`encoding.codeword` of each, then chains, leaf and path of those that have one."""
    rows = [(TAG_MSG, c.epoch, *c.signature.rho, *c.owner, *c.message) for c in claims]
    reasons: list[XmssReason | None] = []
    codewords: list[tuple[int, ...]] = []
    for digest in _digests(rows, kernels):
        digits = encoding.split_digits(digest)
        if digits is None:
            reasons.append(XmssReason.ABORTED)
        elif sum(digits) != encoding.TARGET_SUM:
            reasons.append(XmssReason.TARGET_SUM)
        else:
            reasons.append(None)
            codewords.append(digits)
    sound = [number for number, reason in enumerate(reasons) if reason is None]
    if sound:
        matches = _roots_match([claims[i] for i in sound], codewords, kernels)
        for number, matched in zip(sound, matches, strict=True):
            reasons[number] = None if matched else XmssReason.ROOT_MISMATCH
    return reasons


def _digests(rows: Sequence[Sequence[int]], kernels: Kernels) -> list[Digest]:
    """`compress(24, row, 8)` of each row, filled up with zeros."""
    inputs = np.zeros((24, len(rows)), dtype=np.uint32)
    inputs[: len(rows[0])] = np.array(rows, dtype=np.uint32).T
    return [tuple(digest) for digest in kernels.poseidon2_compress(inputs, DIGEST_LENGTH).T.tolist()]


def _roots_match(
    claims: Sequence[Claim], codewords: Sequence[tuple[int, ...]], kernels: Kernels
) -> list[bool]:
    """Chains, leaf and path of well-formed claims with accepted codewords."""
    digits = np.array(codewords, dtype=np.uint64)
    epochs = np.array([c.epoch for c in claims], dtype=np.uint64)
    heights = np.array([c.public_key.height for c in claims])
    parameters = np.array([c.public_key.parameter for c in claims], dtype=np.uint32).T
    values = np.array([c.signature.values for c in claims], dtype=np.uint32).reshape(-1, DIGEST_LENGTH)
    t0, t1 = _chain_tweaks(epochs, digits + np.uint64(1))
    ends = kernels.xmss_chains(
        np.ascontiguousarray(np.repeat(parameters, NUM_CHAINS, axis=1)),
        t0,
        t1,
        np.ascontiguousarray(values.T),
        (CHAIN_TOP - digits.astype(np.uint32)).astype(np.uint32).ravel(),
    )
    nodes = _leaf_digests(parameters, epochs, ends, kernels)
    for level in range(int(heights.max())):
        rows = np.flatnonzero(heights > level)
        siblings = np.array([claims[i].signature.path[level] for i in rows.tolist()], dtype=np.uint32).T
        own = nodes[:, rows]
        is_right = (epochs[rows] >> np.uint64(level) & np.uint64(1)).astype(bool)
        indices = epochs[rows] >> np.uint64(level + 1)
        left, right = np.where(is_right, siblings, own), np.where(is_right, own, siblings)
        nodes[:, rows] = _nodes(parameters[:, rows], level + 1, indices, left, right, kernels)
    roots = np.array([c.public_key.root for c in claims], dtype=np.uint32).T
    return [bool(x) for x in (nodes == roots).all(axis=0)]
