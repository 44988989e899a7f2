"""RIPEMD-160: OpenSSL's where the Python build offers it (OpenSSL 3.0.0 to 3.0.6 do not), else plain Python.

Source: "RIPEMD-160: A Strengthened Version of RIPEMD" (Dobbertin, Bosselaers, Preneel, 1996), appendix A.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

_MASK = 0xFFFFFFFF
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_LEFT_ADD = (0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_ADD = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0)
# One hexadecimal digit a step: which message word it reads, and by how much it rotates.
_LEFT_WORD = "0123456789abcdef74d1a6f3c0952eb83ae49f812706db5c19ba08c4d37fe56240597c2ae138b6fd"
_RIGHT_WORD = "5e7092b4d6f81a3c6b370d5aef8c4912f5137e69b8c2a04d86413bf05c2d97aecfa4158762de039b"
_LEFT_TURN = "befc5879bdef6798768db97f7cf9b7dcbd67e9dfe8d65c75bcefef989e56865c9f5b68dc5cdeb856"
_RIGHT_TURN = "899bdff5778beec69df7c89b77c76fdb97fb866ecd5edd75f58bee6e69c9c5f885c9c5e68d65fdbb"


def _mix(kind: int, x: int, y: int, z: int) -> int:
    if kind == 0:
        return x ^ y ^ z
    if kind == 1:
        return (x & y) | (~x & z)
    if kind == 2:
        return (x | ~y) ^ z
    if kind == 3:
        return (x & z) | (y & ~z)
    return x ^ (y | ~z)


def _rotate(x: int, by: int) -> int:
    x &= _MASK
    return (x << by | x >> (32 - by)) & _MASK


def _line(
    state: list[int], block: list[int], words: str, turns: str, add: tuple[int, ...], left: bool
) -> list[int]:
    a, b, c, d, e = state
    for step in range(80):
        group = step >> 4
        mixed = a + _mix(group if left else 4 - group, b, c, d) + block[int(words[step], 16)] + add[group]
        a, b, c, d, e = e, (_rotate(mixed, int(turns[step], 16)) + e) & _MASK, b, _rotate(c, 10), d
    return [a, b, c, d, e]


def ripemd160_plain(data: bytes) -> bytes:
    """RIPEMD-160 without a library."""
    padded = data + b"\x80" + b"\0" * ((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "little")
    state = list(_START)
    for start in range(0, len(padded), 64):
        block = [int.from_bytes(padded[start + i : start + i + 4], "little") for i in range(0, 64, 4)]
        left = _line(state, block, _LEFT_WORD, _LEFT_TURN, _LEFT_ADD, True)
        right = _line(state, block, _RIGHT_WORD, _RIGHT_TURN, _RIGHT_ADD, False)
        state = [(state[(i + 1) % 5] + left[(i + 2) % 5] + right[(i + 3) % 5]) & _MASK for i in range(5)]
    return b"".join(word.to_bytes(4, "little") for word in state)


def _openssl(data: bytes) -> bytes:
    return hashlib.new("ripemd160", data, usedforsecurity=False).digest()


def _choose() -> Callable[[bytes], bytes]:
    try:
        _openssl(b"")
    except ValueError:
        return ripemd160_plain
    return _openssl


ripemd160 = _choose()
"""RIPEMD-160 of the bytes, 20 bytes."""
