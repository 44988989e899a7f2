"""A Poseidon2 width-16 table of one permutation a row (164 columns), for speed and size at scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import native
from prover.air.air import Air, AirSystem
from prover.air.columns import Columns, columns

_CONSTANTS = json.loads(
    (Path(__file__).parent / "vectors/poseidon2/constants_leansig_2025.json").read_text()
)["w16"]
_M4 = ((2, 3, 1, 1), (1, 2, 3, 1), (1, 1, 2, 3), (3, 1, 1, 2))


def _external(state):
    chunks = [
        [sum((row[j] * state[4 * c + j] for j in range(1, 4)), row[0] * state[4 * c]) for row in _M4]
        for c in range(4)
    ]
    sums = [chunks[0][i] + chunks[1][i] + chunks[2][i] + chunks[3][i] for i in range(4)]
    return [chunks[c][i] + sums[i] for c in range(4) for i in range(4)]


def _cube(x):
    return x * x * x


class PoseidonColumns(Columns):
    start = columns(16)
    first = columns(64)
    middle = columns(20)
    last = columns(64)


class Poseidon(Air):
    name = "poseidon"
    Main = PoseidonColumns

    def eval(self, builder, local, following):
        c = _CONSTANTS
        state = _external(list(local.start))
        for part, constants, name in (
            (local.first, c["external_initial"], "first"),
            (None, None, None),
            (local.last, c["external_final"], "last"),
        ):
            if part is None:
                for r, rc in enumerate(c["internal"]):
                    builder.assert_eq(local.middle[r], _cube(state[0] + rc), f"middle{r}")
                    state[0] = local.middle[r]
                    total = sum(state[1:], state[0])
                    state = [total + d * s for d, s in zip(c["internal_diag_V"], state, strict=True)]
                continue
            for r in range(4):
                after = _external([_cube(s + k) for s, k in zip(state, constants[r], strict=True)])
                state = list(part[16 * r : 16 * r + 16])
                builder.assert_all_eq(state, after, f"{name}{r}")


SYSTEM = AirSystem((Poseidon(),))


def make_tables(log_height, seed=1):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 2**31 - 2**24 + 1, (16, 1 << log_height), dtype=np.uint32)
    return {"poseidon": native.poseidon2_trace(inputs)}
