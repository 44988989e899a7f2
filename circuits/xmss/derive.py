"""Secret derivation: everything secret in a key comes from a 32-byte seed through BLAKE3's derive_key mode.

The key material is always `seed || height || ...`: keys of two heights from one seed share nothing, so that
a leaf of one is never a second use of a leaf of the other. Elements are 64-bit little-endian words of the
extended output mod p; each is within 2^-33 of uniform, which costs a digest of 8 elements less than 2^-30
of statistical distance and no entropy worth naming.

Contexts: `pegproof 2026 xmss parameter`, `pegproof 2026 xmss chain starts`, `pegproof 2026 xmss rho`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from blake3 import blake3

from circuits.tags import TAG_LIMIT
from circuits.xmss.hashing import DIGEST_LENGTH, NUM_CHAINS, PARAMETER_LENGTH, Digest
from prover.poseidon2 import P

SEED_BYTES: Final = 32
RHO_LENGTH: Final = 6
CONTEXT_PARAMETER: Final = "pegproof 2026 xmss parameter"
CONTEXT_STARTS: Final = "pegproof 2026 xmss chain starts"
CONTEXT_RHO: Final = "pegproof 2026 xmss rho"

STARTS_BYTES: Final = NUM_CHAINS * DIGEST_LENGTH * 8
"""Extended output that gives one leaf's 64 chain starts."""


def expand(context: str, material: bytes, length: int) -> bytes:
    """`length` bytes of BLAKE3 derive_key output."""
    return blake3(material, derive_key_context=context).digest(length=length)


def parameter(seed: bytes, height: int) -> tuple[int, ...]:
    """Public parameter of the key; shape (5,); the first element is at least TAG_LIMIT (`circuits.tags`)."""
    words = struct.unpack("<5Q", expand(CONTEXT_PARAMETER, key_material(seed, height), PARAMETER_LENGTH * 8))
    return (TAG_LIMIT + words[0] % (P - TAG_LIMIT), *[word % P for word in words[1:]])


def key_material(seed: bytes, height: int) -> bytes:
    """`seed || height`, 36 bytes: what every derivation of a key starts with."""
    return seed + height.to_bytes(4, "little")


def starts_material(seed: bytes, height: int, epoch: int) -> bytes:
    """Key material of one leaf's chain starts, 40 bytes."""
    return key_material(seed, height) + epoch.to_bytes(4, "little")


def chain_starts(seed: bytes, height: int, epoch: int) -> tuple[Digest, ...]:
    """Values at position 0 of a leaf's 64 chains; shape (64, 8). Secret."""
    data = expand(CONTEXT_STARTS, starts_material(seed, height, epoch), STARTS_BYTES)
    words = [word % P for word in struct.unpack(f"<{STARTS_BYTES // 8}Q", data)]
    return tuple(tuple(words[i : i + DIGEST_LENGTH]) for i in range(0, len(words), DIGEST_LENGTH))


def base_randomness(seed: bytes, height: int, epoch: int, message: Sequence[int]) -> tuple[int, ...]:
    """Randomness of try 0, shape (6,); try c uses `encoding.nth_randomness(base, c)`."""
    material = starts_material(seed, height, epoch) + b"".join(x.to_bytes(4, "little") for x in message)
    return tuple(word % P for word in struct.unpack("<6Q", expand(CONTEXT_RHO, material, RHO_LENGTH * 8)))
