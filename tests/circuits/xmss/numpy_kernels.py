"""The kernels that `batch` needs, in plain numpy: an oracle for the native ones and a stand-in for them."""

import numpy as np

from prover import poseidon2_constants as constants
from prover.poseidon2 import P


def _external(s):
    a, b, c, d = (s[k::4] for k in range(4))
    total = a + b + c + d
    mixed = np.empty_like(s)
    mixed[0::4], mixed[1::4] = total + a + 2 * b, total + b + 2 * c
    mixed[2::4], mixed[3::4] = total + c + 2 * d, total + d + 2 * a
    for k in range(4):
        mixed[k::4] += mixed[k::4].sum(axis=0)
    return mixed % P


def _cube(x):
    return x * x % P * x % P


def _check(*arrays):
    """What the native kernels demand, and that elements are canonical."""
    for array in arrays:
        assert array.dtype == np.uint32
        assert array.flags.c_contiguous
        assert array.max(initial=0) < P


def poseidon2_permute(states):
    width = len(states)
    _check(states)
    get = {name: getattr(constants, f"{name}_{width}") for name in ("EXTERNAL_INITIAL", "INTERNAL")}
    final, diagonal = (getattr(constants, f"{name}_{width}") for name in ("EXTERNAL_FINAL", "DIAGONAL"))
    column = np.array(diagonal, dtype=np.uint64)[:, None]
    s = _external(states.astype(np.uint64))
    for row in get["EXTERNAL_INITIAL"]:
        s = _external(_cube((s + np.array(row, dtype=np.uint64)[:, None]) % P))
    for constant in get["INTERNAL"]:
        s[0] = _cube((s[0] + constant) % P)
        s = (s.sum(axis=0) + s * column) % P
    for row in final:
        s = _external(_cube((s + np.array(row, dtype=np.uint64)[:, None]) % P))
    return s.astype(np.uint32)


def poseidon2_compress(inputs, out_len):
    outputs = poseidon2_permute(inputs)[:out_len].astype(np.uint64)
    return ((outputs + inputs[:out_len]) % P).astype(np.uint32)


def xmss_chains(parameter, t0, t1, starts, steps):
    _check(parameter, t0, t1, starts, steps)
    values = starts.copy()
    for k in range(int(steps.max(initial=0))):
        rows = np.flatnonzero(steps > k)
        inputs = np.zeros((16, len(rows)), dtype=np.uint32)
        inputs[:5] = parameter[:, rows]
        inputs[5] = (t0[rows].astype(np.uint64) + 256 * k) % P
        inputs[6] = t1[rows]
        inputs[7:15] = values[:, rows]
        values[:, rows] = poseidon2_compress(inputs, 8)
    return values
