"""HASH160 chains on numpy arrays: the tier without C. Source: FIPS 180-4; RIPEMD-160 (1996)."""

from __future__ import annotations

import numpy as np

from native.checks import U32

_SHA_K = (
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
)  # fmt: skip
_SHA_IV = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip
_RIPE_IV = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_RIPE_K = (
    (0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E),
    (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0),
)
_LEFT_WORDS = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8),
    (3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12),
    (1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2),
    (4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13),
)  # fmt: skip
_LEFT_TURNS = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12),
    (11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5),
    (11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12),
    (9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6),
)  # fmt: skip
_RIGHT_WORDS = (
    (5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12),
    (6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2),
    (15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13),
    (8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14),
    (12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11),
)  # fmt: skip
_RIGHT_TURNS = (
    (8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6),
    (9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11),
    (9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5),
    (15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8),
    (8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11),
)  # fmt: skip


def _swap(a: U32) -> U32:
    return np.asarray(a.byteswap(), dtype=np.uint32)


def _ror(a: U32, k: int) -> U32:
    return (a >> np.uint32(k)) | (a << np.uint32(32 - k))


def _sha256(w: list[U32]) -> list[U32]:
    """Of one padded block of 16 words."""
    w = list(w)
    state = [np.full_like(w[0], iv) for iv in _SHA_IV]
    for i in range(64):
        if i >= 16:
            x, y = w[i - 15], w[i - 2]
            s0, s1 = (
                _ror(x, 7) ^ _ror(x, 18) ^ (x >> np.uint32(3)),
                _ror(y, 17) ^ _ror(y, 19) ^ (y >> np.uint32(10)),
            )
            w.append(w[i - 16] + s0 + w[i - 7] + s1)
        a, b, c, d, e, f, g, h = state
        t = h + (_ror(e, 6) ^ _ror(e, 11) ^ _ror(e, 25)) + (g ^ (e & (f ^ g))) + w[i] + np.uint32(_SHA_K[i])
        u = (_ror(a, 2) ^ _ror(a, 13) ^ _ror(a, 22)) + ((a & b) ^ (c & (a ^ b)))
        state = [t + u, a, b, c, d + t, e, f, g]
    return [value + np.uint32(iv) for value, iv in zip(state, _SHA_IV, strict=True)]


def _choose(number: int, x: U32, y: U32, z: U32) -> U32:
    """The five functions of RIPEMD160."""
    if number == 0:
        return x ^ y ^ z
    if number == 1:
        return z ^ (x & (y ^ z))
    if number == 2:
        return (x | ~y) ^ z
    if number == 3:
        return y ^ (z & (x ^ y))
    return x ^ (y | ~z)


def _line(
    m: list[U32], words: tuple[tuple[int, ...], ...], turns: tuple[tuple[int, ...], ...], right: int
) -> list[U32]:
    a, b, c, d, e = (np.full_like(m[0], iv) for iv in _RIPE_IV)
    for number in range(5):
        constant = np.uint32(_RIPE_K[right][number])
        for word, turn in zip(words[number], turns[number], strict=True):
            t = (
                _ror(a + _choose(4 - number if right else number, b, c, d) + m[word] + constant, 32 - turn)
                + e
            )
            a, e, d, c, b = e, d, _ror(c, 22), b, t
    return [a, b, c, d, e]


def _ripemd160(m: list[U32]) -> list[U32]:
    """Of one padded block of 16 words."""
    left, right = _line(m, _LEFT_WORDS, _LEFT_TURNS, 0), _line(m, _RIGHT_WORDS, _RIGHT_TURNS, 1)
    return [np.uint32(_RIPE_IV[(i + 1) % 5]) + left[(i + 2) % 5] + right[(i + 3) % 5] for i in range(5)]


def hash160_chains(starts: U32, out: U32, _n: int, steps: int) -> None:
    """Kernel."""
    link = [row.copy() for row in starts]
    zero = np.zeros_like(link[0])
    for _ in range(steps):
        block = (
            [_swap(word) for word in link]
            + [zero + np.uint32(1 << 31)]
            + [zero] * 9
            + [zero + np.uint32(160)]
        )
        digest = [_swap(word) for word in _sha256(block)]
        link = _ripemd160([*digest, zero + np.uint32(128), *[zero] * 5, zero + np.uint32(256), zero])
    for row, word in zip(out, link, strict=True):
        row[...] = word
