"""XMSS signatures as arrays, with the chain steps that verifying them takes: for p16, p24 and chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import native
from circuits.tags import TAG_MSG
from circuits.xmss.batch import Claim
from circuits.xmss.encoding import DIGITS_PER_ELEMENT, QUOTIENT
from circuits.xmss.hashing import CHAIN_TOP, EPOCHS_PER_HIGH, NUM_CHAINS
from prover.field import P

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

STEP = 256
"""What t0 grows by from one chain step to the next."""


@dataclass(frozen=True, slots=True)
class ChainSteps:
    """Every chain step of a batch, chain by chain (signature by signature, chain 0 first), in walking order.

    Attributes:
        inputs: The permutations' inputs; (16, s).
        counts: Steps of each chain, 7 - digit; (64 n,).
        ends: Each chain's value at position 7; (8, 64 n).
    """

    inputs: U32
    counts: I64
    ends: U32


@dataclass(frozen=True, slots=True)
class SignatureBatch:
    """n signatures. A lane is a chain of a signature: 64 * signature + chain.

    Attributes:
        parameter: (5, n).
        height: (n,).
        epoch: (n,).
        rho: (6, n).
        values: Chain values at their digit's position; (8, 64 n).
        path: Siblings from the leaf upward, zero above a key's height; (height max, 8, n).
        owner: (8, n).
        message: (8, n).
        encoded: The message hash A; (8, n).
        digits: Its octal digits; (64 n,).
        steps: The chain steps.
    """

    parameter: U32
    height: I64
    epoch: I64
    rho: U32
    values: U32
    path: U32
    owner: U32
    message: U32
    encoded: U32
    digits: I64
    steps: ChainSteps

    @property
    def count(self) -> int:
        """Number of signatures."""
        return len(self.epoch)

    @classmethod
    def from_claims(cls, claims: Sequence[Claim]) -> SignatureBatch:
        """Arrays of well-formed claims, and everything that is hashed on the chains.

        Validity is not checked: an invalid signature gives traces that break a constraint.
        """
        keys = [c.public_key for c in claims]
        height = np.array([key.height for key in keys], dtype=np.int64)
        epoch = np.array([c.epoch for c in claims], dtype=np.int64)
        path = np.zeros((int(height.max(initial=0)), 8, len(claims)), dtype=np.uint32)
        for i, claim in enumerate(claims):
            path[: height[i], :, i] = claim.signature.path
        parameter = _columns([key.parameter for key in keys], 5)
        rho = _columns([c.signature.rho for c in claims], 6)
        values = _columns([value for c in claims for value in c.signature.values], 8)
        owner = _columns([c.owner for c in claims], 8)
        message = _columns([c.message for c in claims], 8)
        encoded = native.poseidon2_compress(message_inputs(epoch, rho, owner, message), 8)
        digits = octal_digits(encoded)
        steps = walk_chains(parameter, epoch, digits, values)
        return cls(parameter, height, epoch, rho, values, path, owner, message, encoded, digits, steps)


def _columns(rows: Sequence[Sequence[int]], width: int) -> U32:
    return np.ascontiguousarray(np.array(rows, dtype=np.uint32).reshape(-1, width).T)


def message_inputs(epoch: I64, rho: U32, owner: U32, message: U32) -> U32:
    """Inputs of the message hash; (24, n)."""
    inputs = np.empty((24, len(epoch)), dtype=np.uint32)
    inputs[0], inputs[1] = TAG_MSG, epoch
    inputs[2:8], inputs[8:16], inputs[16:] = rho, owner, message
    return inputs


def octal_digits(encoded: U32) -> I64:
    """The 64 digits of each message hash; (8, n) -> (64 n,). An element p - 1 (no digits) gives zeros."""
    quotient = encoded.T.astype(np.int64) // QUOTIENT
    shifts = 3 * np.arange(DIGITS_PER_ELEMENT - 1, -1, -1)
    return (quotient[:, :, None] >> shifts & CHAIN_TOP).reshape(-1)


def walk_chains(parameter: U32, epoch: I64, digits: I64, values: U32) -> ChainSteps:
    """Walks every chain from its digit to position 7, all chains together, one position at a time.

    Shapes: (5, n), (n,), (64 n,), (8, 64 n).
    """
    counts = CHAIN_TOP - digits
    starts = np.cumsum(counts) - counts
    inputs = np.zeros((16, int(counts.sum())), dtype=np.uint32)
    ends = values.copy()
    for position in range(1, CHAIN_TOP + 1):
        lanes = np.flatnonzero(digits < position)
        signature, chain = lanes // NUM_CHAINS, lanes % NUM_CHAINS
        step = np.zeros((16, len(lanes)), dtype=np.uint32)
        step[:5] = parameter[:, signature]
        step[5] = chain_t0(epoch[signature], chain, position)
        step[6] = epoch[signature] // EPOCHS_PER_HIGH
        step[7:15] = ends[:, lanes]
        inputs[:, starts[lanes] + position - 1 - digits[lanes]] = step
        # The value is the first 8 outputs plus the first 8 inputs: the feed-forward of `compress`.
        ends[:, lanes] = native.poseidon2_compress(step, 8)
    return ChainSteps(inputs, counts, ends)


def chain_t0(epoch: I64, chain: I64, position: int | I64) -> I64:
    """First tweak element of the step to `position`."""
    result: I64 = (epoch * 2**24 + chain * 2**16 + position * STEP) % P
    return result
