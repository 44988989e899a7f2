"""Message encoding: a hash cut into octal digits, retried until the digits have the target sum.

`A = compress24(TAG_MSG, epoch, rho (6), owner (8), msg (8))`, 8 elements. p - 1 = 127 * 2^24, so each A_e
other than p - 1 is 127 d + r with r < 127 and d < 2^24, in exactly one way (127 d + r <= p - 2: no wrap).
Digit 8e + k of the codeword is octal digit k of d, the most significant first. The codeword is accepted
when its 64 digits sum to 295, so that a verifier walks 64 * 7 - 295 = 153 chain steps, always.

Why this is secure:

- *Incomparable.* Of two different codewords of equal sum neither is >= the other everywhere. Chains can
  only be walked upward, so a forger who holds one signature of a leaf needs either the same codeword or a
  preimage of some chain value.
- *Uniform.* If A is uniform over F_p^8 then, given that no element is p - 1 (each aborts with probability
  1/p), the 64 digits are exactly uniform and independent: every d has exactly 127 remainders. Accepted
  codewords are uniform over the layer of sum 295, which holds a fraction 2^-16.51 of all: about 2^16.5
  tries a signature.
- *Same codeword.* Epoch and owner are hashed, so that a try helps against one leaf of one key only; rho is
  a PRF output that the adversary learns only with the signature, so the codeword to hit is fixed first: a
  target collision, probability 2^-192 a try. That each codeword has 127^8 = 2^55.9 preimages is in that
  number.
- *Chains and tree* need one target each to be hit in a tweaked function (parameter, epoch, chain, step), 8
  elements = 247.9 bits: no multi-target loss, far above 128. A collision that the adversary may choose
  freely in 8-element digests costs 2^124; forging needs none, since all nodes that it would have to collide
  with were made by the honest signer. (The owner digest and the ledger's cells are where the 124 counts;
  the security report prints it as `statement`.)
- *Counter.* Try c uses (rho_0 + c mod p, rho_1..rho_5); rho is a PRF of (seed, height, epoch, message), 186
  bits. The argument needs every tried point to be new to the random oracle when the signer gets there; then
  the answers are as independent as with fresh randomness a try. q earlier queries have hit one of the <=
  2^24 tries of one of the <= 2^18 signatures with probability q * 2^(24 + 18 - 186): it takes 2^144
  queries. Same seed, epoch and message give the same signature, so that signing again shows nothing new.

Source: eprint 2025/055 (incomparable encodings, target sum, XMSS from tweakable hashes), eprint 2025/1332;
leanSig's `aborting` parameter sets (same split, 127 and 8 octal digits);
docs/decisions/0003-xmss-tweaks-and-encoding.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from circuits.tags import TAG_MSG
from circuits.xmss.errors import XmssError, XmssReason
from circuits.xmss.hashing import CHAIN_TOP, DIGEST_LENGTH, NUM_CHAINS, Digest
from prover.poseidon2 import P, compress

TARGET_SUM: Final = 295
QUOTIENT: Final = 127
"""(p - 1) / 2^24."""
DIGITS_PER_ELEMENT: Final = 8
VERIFY_STEPS: Final = NUM_CHAINS * CHAIN_TOP - TARGET_SUM
"""Chain steps that verifying one signature takes: 153."""
MAX_TRIES: Final = 2**24
"""Expected tries are 2^16.5; all of these fail with probability e^-179."""


def message_digest(owner: Digest, epoch: int, rho: Sequence[int], message: Digest) -> Digest:
    """The hash that is cut into digits; shape (8,).

    Args:
        owner: Digest of the public key; shape (8,).
        epoch: Leaf index.
        rho: Randomness; shape (6,).
        message: Shape (8,).
    """
    return compress(24, [TAG_MSG, epoch, *rho, *owner, *message], DIGEST_LENGTH)


def split_digits(digest: Digest) -> tuple[int, ...] | None:
    """The 64 octal digits of a message digest, or None if an element is p - 1."""
    digits: list[int] = []
    for element in digest:
        if element == P - 1:
            return None
        quotient = element // QUOTIENT
        digits += [quotient >> 3 * (DIGITS_PER_ELEMENT - 1 - k) & 7 for k in range(DIGITS_PER_ELEMENT)]
    return tuple(digits)


def codeword(owner: Digest, epoch: int, rho: Sequence[int], message: Digest) -> tuple[int, ...]:
    """Where each chain's value stands in a signature; shape (64,), sum 295.

    Raises:
        XmssError: ABORTED or TARGET_SUM.
    """
    digits = split_digits(message_digest(owner, epoch, rho, message))
    if digits is None:
        raise XmssError(XmssReason.ABORTED)
    if sum(digits) != TARGET_SUM:
        raise XmssError(XmssReason.TARGET_SUM, f"{sum(digits)} instead of {TARGET_SUM}")
    return digits


def nth_randomness(base: Sequence[int], counter: int) -> tuple[int, ...]:
    """Randomness of try `counter`: the counter is added to the first element."""
    return ((base[0] + counter) % P, *base[1:])


def search(
    owner: Digest, epoch: int, base: Sequence[int], message: Digest
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """First randomness that gives an accepted codeword, and that codeword.

    Args:
        owner: Shape (8,).
        epoch: Leaf index.
        base: Randomness of try 0; shape (6,).
        message: Shape (8,).

    Raises:
        XmssError: TRIES.
    """
    for counter in range(MAX_TRIES):
        rho = nth_randomness(base, counter)
        digits = split_digits(message_digest(owner, epoch, rho, message))
        if digits is not None and sum(digits) == TARGET_SUM:
            return rho, digits
    raise XmssError(XmssReason.TRIES, f"{MAX_TRIES} tries")
