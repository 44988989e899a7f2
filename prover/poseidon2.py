"""Poseidon2 over KoalaBear, widths 16 and 24, in plain Python: the specification of every in-circuit hash.

The instance is `leansig_2025` (constants in `prover.poseidon2_constants`). Two modes are used, and no other:

- `compress`: perm(x) + x, truncated. The feed-forward makes it one-way; the bare truncated permutation is
  not, since whoever knows (or chooses) the cut-off half inverts it: it is forbidden inside the statement.
- `sponge`: rate 15, additive absorption, a capacity of 9 elements that is set once from the lengths of the
  parts and never written from outside.

Source: eprint 2023/323 (Poseidon2); leanSpec dbc2e778 `subspecs/poseidon2` and `subspecs/xmss/poseidon.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prover import poseidon2_constants as constants

P: Final = constants.P
"""The KoalaBear prime, 2^31 - 2^24 + 1."""

SPONGE_WIDTH: Final = 24
SPONGE_CAPACITY: Final = 9
SPONGE_RATE: Final = SPONGE_WIDTH - SPONGE_CAPACITY

_INSTANCES: Final = {16: constants.WIDTH_16, 24: constants.WIDTH_24}


def external_layer(state: Sequence[int]) -> list[int]:
    """Multiply by circ(2 M4, M4, .., M4); reduced mod p.

    Args:
        state: Width elements, any non-negative integers.

    Source: eprint 2023/323, section 5.1, with Plonky3's M4.
    """
    mixed: list[int] = []
    for i in range(0, len(state), 4):
        a, b, c, d = state[i : i + 4]
        total = a + b + c + d
        mixed += (total + a + 2 * b, total + b + 2 * c, total + c + 2 * d, total + d + 2 * a)
    sums = [sum(mixed[k::4]) for k in range(4)]
    return [(x + sums[i & 3]) % P for i, x in enumerate(mixed)]


def permute(state: Sequence[int]) -> list[int]:
    """Apply the permutation of width len(state).

    Args:
        state: 16 or 24 canonical elements.

    Returns:
        As many canonical elements.

    Raises:
        KeyError: The width is neither 16 nor 24.
    """
    instance = _INSTANCES[len(state)]
    current = external_layer(state)
    for round_constants in instance.initial:
        current = external_layer([(x + c) ** 3 % P for x, c in zip(current, round_constants, strict=True)])
    for constant in instance.internal:
        current[0] = (current[0] + constant) ** 3 % P
        total = sum(current)
        current = [(total + v * x) % P for v, x in zip(instance.diagonal, current, strict=True)]
    for round_constants in instance.final:
        current = external_layer([(x + c) ** 3 % P for x, c in zip(current, round_constants, strict=True)])
    return current


def compress(width: int, inputs: Sequence[int], out_len: int) -> tuple[int, ...]:
    """Feed-forward compression: (perm(x) + x)[:out_len] of the inputs padded with zeros to `width`.

    The padding is not injective in the length: every use has a fixed input length (and a tag where two uses
    share a width).

    Args:
        width: 16 or 24.
        inputs: At most `width` canonical elements.
        out_len: Elements returned.

    Raises:
        ValueError: Too many inputs, or more outputs than inputs.
    """
    if not out_len <= len(inputs) <= width:
        raise ValueError(f"{len(inputs)} inputs and {out_len} outputs do not fit width {width}")
    padded = [*inputs, *[0] * (width - len(inputs))]
    return tuple((x + y) % P for x, y in zip(permute(padded)[:out_len], padded, strict=False))


def domain_separator(lengths: Sequence[int]) -> tuple[int, ...]:
    """Initial capacity of a sponge whose input has parts of these lengths.

    The lengths, 32 bits each and first the most significant, form one integer; its base-p digits, least
    significant first, are compressed at width 24 into 9 elements.

    Source: leanSpec dbc2e778 `safe_domain_separator`.
    """
    accumulator = 0
    for length in lengths:
        accumulator = accumulator << 32 | length
    digits = []
    for _ in range(SPONGE_WIDTH):
        accumulator, digit = divmod(accumulator, P)
        digits.append(digit)
    return compress(SPONGE_WIDTH, digits, SPONGE_CAPACITY)


def sponge(capacity: Sequence[int], inputs: Sequence[int], out_len: int) -> tuple[int, ...]:
    """Width-24 sponge, rate 15: each block, padded with zeros, is added to the first 15 elements.

    Args:
        capacity: The 9 elements that separate the domain; they fix the input's length.
        inputs: Canonical elements.
        out_len: At most 15: one squeeze.

    Raises:
        ValueError: The capacity or the output has the wrong length.
    """
    if len(capacity) != SPONGE_CAPACITY or not 0 < out_len <= SPONGE_RATE:
        raise ValueError(f"capacity of {len(capacity)} or output of {out_len} elements")
    state = [0] * SPONGE_RATE + list(capacity)
    for start in range(0, len(inputs), SPONGE_RATE):
        for i, x in enumerate(inputs[start : start + SPONGE_RATE]):
            state[i] = (state[i] + x) % P
        state = permute(state)
    return tuple(state[:out_len])
