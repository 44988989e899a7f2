"""Poseidon2 over KoalaBear (the `leansig_2025` constants) in batches, and XMSS hash chains."""

from __future__ import annotations

import numpy as np

from native import checks
from native.backend import run
from native.checks import U32
from native.errors import KernelError

PARTIAL_ROUNDS = {16: 20, 24: 23}


def _width(where: str, states: U32) -> int:
    checks.array(where, states, None, None)
    if states.shape[0] not in PARTIAL_ROUNDS:
        raise KernelError(where, "16 or 24 rows of state", str(states.shape[0]))
    return int(states.shape[0])


def trace_columns(width: int) -> int:
    """How many columns `poseidon2_trace` writes: 164 for width 16, 239 for width 24."""
    return 9 * width + PARTIAL_ROUNDS[width]


def poseidon2_permute(states: U32, out: U32 | None = None) -> U32:
    """The permutation of every column of states. Shapes: (16 or 24, n) -> the same; `out` may be `states`."""
    width = _width("poseidon2_permute", states)
    out = checks.output("poseidon2_permute", out, *states.shape)
    run("poseidon2_permute", states, out, width, states.shape[1])
    return out


def poseidon2_compress(inputs: U32, out_len: int, out: U32 | None = None) -> U32:
    """(perm(x) + x)[:out_len]. Shapes: (16 or 24, n) -> (out_len, n).

    Raises:
        KernelError: out_len not in 1..width.
    """
    width = _width("poseidon2_compress", inputs)
    if not 1 <= out_len <= width:
        raise KernelError("poseidon2_compress", f"out_len 1..{width}", str(out_len))
    out = checks.output("poseidon2_compress", out, out_len, inputs.shape[1])
    run("poseidon2_compress", inputs, out, width, out_len, inputs.shape[1])
    return out


def poseidon2_trace(inputs: U32, out: U32 | None = None) -> U32:
    """Input and intermediate values of every permutation, one a row.

    Shapes: (16 or 24, n) -> (`trace_columns(width)`, n). Columns in order: the input (w); the state after
    each of the four initial full rounds (4 w; a full round is x -> M_E((x + rc)^3), and M_E comes before the
    first); the S-box output (s_0 + rc)^3 of each partial round (20 or 23); the state after each of the last
    four full rounds (4 w, the last of them the permutation's output). `out` may be a (columns, n) view whose
    rows are contiguous.
    """
    width = _width("poseidon2_trace", inputs)
    n = inputs.shape[1]
    columns = trace_columns(width)
    if out is None:
        out = checks.empty(columns, n)
    contiguous = n < 2 or (isinstance(out, np.ndarray) and out.ndim == 2 and out.strides[1] == 4)
    if out.dtype != np.uint32 or out.shape != (columns, n) or not contiguous or not out.flags.writeable:
        raise KernelError(
            "poseidon2_trace", f"uint32 ({columns}, {n}), rows contiguous", checks.describe(out)
        )
    run("poseidon2_trace", inputs, out, width, n, out.strides[0] // 4)
    return out


def xmss_chains(parameter: U32, t0: U32, t1: U32, starts: U32, steps: U32, out: U32 | None = None) -> U32:
    """Hash chains of XMSS, n of them, each of its own length.

    A step is value = compress([parameter 5, t0, t1, value 8, 0])[:8] of width 16; the given t0 is that of
    the first step, and 256 is added before each further one.

    Shapes: (5, n), (n), (n), (8, n), (n) -> (8, n).
    """
    where = "xmss_chains"
    checks.array(where, parameter, 5, None)
    n = parameter.shape[1]
    checks.array(where, t0, n)
    checks.array(where, t1, n)
    checks.array(where, starts, 8, n)
    checks.array(where, steps, n)
    out = checks.output(where, out, 8, n)
    if n and int(steps.max()) > 1 << 16:
        raise KernelError(where, "at most 65536 steps", str(int(steps.max())))
    order = np.argsort(steps, kind="stable").astype(np.uint32)
    run("xmss_chains", parameter, t0, t1, starts, steps, order, out, n)
    return out
