"""Numba loops for BLAKE3 and Poseidon2: what numba_tier builds its kernels from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from native.checks import P
from native.numba_field import jit

_P = np.uint64(P)
_IV = np.array([0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A], dtype=np.uint32)
_PERMUTATION = np.array([2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8])
_MIXES = np.array(
    [
        (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
        (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
    ]
)  # fmt: skip


@jit
def _rotate(x: Any, k: int) -> Any:
    return np.uint32(x >> np.uint32(k)) | np.uint32(x << np.uint32(32 - k))


@jit
def _compress(s: Any, m: Any, spare: Any) -> None:
    """Seven rounds on the state s (16 words) with the message m, which is permuted on the way."""
    for _ in range(7):
        for k in range(8):
            ia, ib, ic, id_ = _MIXES[k]
            a, b, c, d = s[ia], s[ib], s[ic], s[id_]
            a = np.uint32(a + b + m[2 * k])
            d = _rotate(d ^ a, 16)
            c = np.uint32(c + d)
            b = _rotate(b ^ c, 12)
            a = np.uint32(a + b + m[2 * k + 1])
            d = _rotate(d ^ a, 8)
            c = np.uint32(c + d)
            b = _rotate(b ^ c, 7)
            s[ia], s[ib], s[ic], s[id_] = a, b, c, d
        for k in range(16):
            spare[k] = m[_PERMUTATION[k]]
        m[:] = spare


@jit
def compress_rows(cv: Any, words: Any, counter: int, length: int, flags: int) -> None:
    """Cv = compression of each row's block. Shapes: cv (8, n), words (16, n)."""
    s = np.empty(16, np.uint32)
    m = np.empty(16, np.uint32)
    spare = np.empty(16, np.uint32)
    for i in range(cv.shape[1]):
        for k in range(8):
            s[k] = cv[k, i]
        for k in range(4):
            s[8 + k] = _IV[k]
        s[12] = np.uint32(counter)
        s[13] = np.uint32(0)
        s[14] = np.uint32(length)
        s[15] = np.uint32(flags)
        for k in range(16):
            m[k] = words[k, i]
        _compress(s, m, spare)
        for k in range(8):
            cv[k, i] = s[k] ^ s[8 + k]


@jit
def grind(prefix: Any, bits: int, key: Any, flags: int) -> Any:
    """The smallest nonce whose hash has the low bits zero."""
    s = np.empty(16, np.uint32)
    m = np.empty(16, np.uint32)
    spare = np.empty(16, np.uint32)
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    nonce = np.uint64(0)
    while True:
        s[:8] = key
        s[8:12] = _IV
        s[12] = 0
        s[13] = 0
        s[14] = 40
        s[15] = np.uint32(flags)
        m[:8] = prefix
        m[8] = np.uint32(nonce & np.uint64(0xFFFFFFFF))
        m[9] = np.uint32(nonce >> np.uint64(32))
        m[10:] = 0
        _compress(s, m, spare)
        low = np.uint64(s[0] ^ s[8]) | (np.uint64(s[1] ^ s[9]) << np.uint64(32))
        if low & mask == 0:
            return nonce
        nonce += np.uint64(1)


def _round_constants(width: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The numbers of csrc/poseidon2_constants.h, in round order."""
    header = (Path(__file__).parent / "csrc" / "poseidon2_constants.h").read_text()
    section = header.split(f"POSEIDON2_{width}_ROUNDS(F)")[1].split("#")[0]
    return np.array(re.findall(r"F\((\d+)u\)", section), dtype=np.uint64)


def _diagonal(*entries: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A / 2^k for each (a, k)."""
    return np.array([a * pow(2, -k, P) % P for a, k in entries], dtype=np.uint64)


_HEAD = ((-2, 0), (1, 0), (2, 0), (1, 1), (3, 0), (4, 0), (-1, 1), (-3, 0), (-4, 0), (1, 8))
CONSTANTS = {width: _round_constants(width) for width in (16, 24)}
DIAGONALS = {
    16: _diagonal(*_HEAD, (1, 3), (1, 24), (-1, 8), (-1, 3), (-1, 4), (-1, 24)),
    24: _diagonal(
        *_HEAD, (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 24),
        (-1, 8), (-1, 3), (-1, 4), (-1, 5), (-1, 6), (-1, 7), (-1, 9), (-1, 24),
    ),
}  # fmt: skip


@jit
def _external(s: Any) -> None:
    width = s.shape[0]
    sums = np.zeros(4, np.uint64)
    two, three = np.uint64(2), np.uint64(3)
    for i in range(0, width, 4):
        a, b, c, d = s[i], s[i + 1], s[i + 2], s[i + 3]
        s[i] = two * a + three * b + c + d
        s[i + 1] = a + two * b + three * c + d
        s[i + 2] = a + b + two * c + three * d
        s[i + 3] = three * a + b + c + two * d
        for k in range(4):
            sums[k] += s[i + k]
    for i in range(width):
        s[i] = (s[i] + sums[i % 4]) % _P


@jit
def _cube(x: Any) -> Any:
    x %= _P
    return x * x % _P * x % _P


@jit
def permute(s: Any, constants: Any, diagonal: Any, trace: Any) -> None:
    """The permutation of one state (uint64) in place; a non-empty trace gets the columns after the input."""
    width = s.shape[0]
    partial = constants.shape[0] - 8 * width
    tracing = trace.shape[0] > 0
    at, c = 0, 0
    _external(s)
    for phase in range(8):
        if phase == 4:
            for _ in range(partial):
                s[0] = _cube(s[0] + constants[c])
                c += 1
                if tracing:
                    trace[at] = s[0]
                    at += 1
                total = np.uint64(0)
                for i in range(width):
                    total += s[i]
                for i in range(width):
                    s[i] = (total + diagonal[i] * s[i]) % _P
        for i in range(width):
            s[i] = _cube(s[i] + constants[c + i])
        c += width
        _external(s)
        if tracing:
            for i in range(width):
                trace[at + i] = s[i]
            at += width


@jit
def permute_all(states: Any, constants: Any, diagonal: Any, feed_forward: bool, out: Any) -> None:
    """The first rows of out: the permutation of each column, plus the column itself where told."""
    width, n = states.shape
    s = np.empty(width, np.uint64)
    none = np.empty(0, np.uint64)
    for i in range(n):
        for k in range(width):
            s[k] = states[k, i]
        permute(s, constants, diagonal, none)
        for k in range(out.shape[0]):
            out[k, i] = (s[k] + states[k, i]) % _P if feed_forward else s[k]


@jit
def trace_all(states: Any, constants: Any, diagonal: Any, out: Any) -> None:
    """The columns of `poseidon2_trace`."""
    width, n = states.shape
    s = np.empty(width, np.uint64)
    trace = np.empty(out.shape[0] - width, np.uint64)
    for i in range(n):
        for k in range(width):
            s[k] = states[k, i]
            out[k, i] = states[k, i]
        permute(s, constants, diagonal, trace)
        for k in range(trace.shape[0]):
            out[width + k, i] = trace[k]


@jit
def chains(
    parameter: Any, t0: Any, t1: Any, starts: Any, steps: Any, constants: Any, diagonal: Any, out: Any
) -> None:
    """The kernel `xmss_chains`."""
    x = np.empty(16, np.uint64)
    s = np.empty(16, np.uint64)
    none = np.empty(0, np.uint64)
    for i in range(steps.shape[0]):
        x[:5] = parameter[:, i]
        x[5] = t0[i]
        x[6] = t1[i]
        x[7:15] = starts[:, i]
        x[15] = 0
        for _ in range(steps[i]):
            s[:] = x
            permute(s, constants, diagonal, none)
            for k in range(8):
                s[k] = (s[k] + x[k]) % _P
            x[7:15] = s[:8]
            x[5] = (x[5] + np.uint64(256)) % _P
        out[:, i] = x[7:15]
