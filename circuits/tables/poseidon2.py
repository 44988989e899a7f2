"""Poseidon2 as constraints: the permutation of every row of p16 and p24, degree 3.

Columns: the input, the state after each initial full round, the partial rounds' S-box outputs, the state
after each final full round. Between them everything is linear, so that each of these columns is the cube of a
linear form or a sum of such cubes, and each is determined by the input: a row has one valid filling per
input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prover import poseidon2_constants as constants
from prover.air.air import AirBuilder

FULL_ROUNDS_HALF = 4
PARTIAL_ROUNDS = {16: len(constants.INTERNAL_16), 24: len(constants.INTERNAL_24)}
"""Width -> partial rounds: 20 and 23."""

_INSTANCES = {
    16: (
        constants.EXTERNAL_INITIAL_16,
        constants.INTERNAL_16,
        constants.EXTERNAL_FINAL_16,
        constants.DIAGONAL_16,
    ),
    24: (
        constants.EXTERNAL_INITIAL_24,
        constants.INTERNAL_24,
        constants.EXTERNAL_FINAL_24,
        constants.DIAGONAL_24,
    ),
}


def constrain_permutation(
    builder: AirBuilder,
    inputs: Sequence[Any],
    initial: Sequence[Any],
    partial: Sequence[Any],
    final: Sequence[Any],
    outputs: Sequence[Any],
) -> None:
    """States that `outputs` are the first elements of the permutation of `inputs`, on every row.

    Args:
        builder: Where the constraints go.
        inputs: Width elements.
        initial: State after each of the 4 initial full rounds, one after the other.
        partial: S-box output of each partial round.
        final: State after final full rounds 1..3, one after the other.
        outputs: The first elements of the state after the last round.
    """
    width = len(inputs)
    initial_constants, internal_constants, final_constants, diagonal = _INSTANCES[width]
    state: list[Any] = external_layer(inputs)
    for r, round_constants in enumerate(initial_constants):
        state = _full_round(builder, state, round_constants, initial[r * width : (r + 1) * width], f"full{r}")
    for r, constant in enumerate(internal_constants):
        builder.assert_eq(partial[r], _cube(state[0] + constant), f"partial{r}")
        state[0] = partial[r]
        total = _sum(state)
        state = [total + x * v for v, x in zip(diagonal, state, strict=True)]
    last = FULL_ROUNDS_HALF - 1
    for r, round_constants in enumerate(final_constants[:last]):
        after = final[r * width : (r + 1) * width]
        state = _full_round(builder, state, round_constants, after, f"full{FULL_ROUNDS_HALF + r}")
    _full_round(builder, state, final_constants[last], outputs, "out")


def external_layer(state: Sequence[Any]) -> list[Any]:
    """circ(2 M4, M4, .., M4) on symbolic values (`prover.poseidon2.external_layer` on integers)."""
    mixed: list[Any] = []
    for i in range(0, len(state), 4):
        a, b, c, d = state[i : i + 4]
        total = (a + b) + (c + d)
        mixed += [total + a + (b + b), total + b + (c + c), total + c + (d + d), total + d + (a + a)]
    sums = [_sum(mixed[k::4]) for k in range(4)]
    return [x + sums[i & 3] for i, x in enumerate(mixed)]


def _full_round(
    builder: AirBuilder,
    state: Sequence[Any],
    round_constants: Sequence[int],
    after: Sequence[Any],
    label: str,
) -> list[Any]:
    cubes = [_cube(x + c) for x, c in zip(state, round_constants, strict=True)]
    for i, (column, value) in enumerate(zip(after, external_layer(cubes), strict=False)):
        builder.assert_eq(column, value, f"{label}[{i}]")
    return list(after)


def _cube(x: Any) -> Any:
    return x * x * x


def _sum(values: Sequence[Any]) -> Any:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
