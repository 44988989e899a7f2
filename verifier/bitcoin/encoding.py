"""Bitcoin's byte encodings and hashes."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

from verifier.bitcoin.ripemd160 import ripemd160

MAX_SIZE: Final = 0x02000000
"""Largest length that a compact size may announce (Core's MAX_SIZE)."""


class DecodeError(ValueError):
    """Bytes that are not what they should encode."""


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def hash256(data: bytes) -> bytes:
    """SHA-256 twice."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256."""
    return ripemd160(hashlib.sha256(data).digest())


@cache
def _tag(tag: str) -> bytes:
    return sha256(tag.encode()) * 2


def tagged_hash(tag: str, data: bytes) -> bytes:
    """The tagged hash of BIP340: SHA256(SHA256(tag) || SHA256(tag) || data)."""
    return sha256(_tag(tag) + data)


def tagged_hasher(tag: str) -> hashlib._Hash:
    """`tagged_hash` of what is yet to come: large data need not be joined with the tag."""
    return hashlib.sha256(_tag(tag))


def compact_size(value: int) -> bytes:
    """A length as 1, 3, 5 or 9 bytes."""
    if value < 0xFD:
        return value.to_bytes(1, "little")
    if value <= 0xFFFF:
        return b"\xfd" + value.to_bytes(2, "little")
    if value <= 0xFFFFFFFF:
        return b"\xfe" + value.to_bytes(4, "little")
    return b"\xff" + value.to_bytes(8, "little")


def var_bytes(data: bytes) -> bytes:
    """Bytes behind their compact size."""
    return compact_size(len(data)) + data


class Reader:
    """Reads from the front of a byte string; every shortage is a `DecodeError`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes.

        Raises:
            DecodeError: the data end before.
        """
        end = self._at + length
        if end > len(self._data):
            raise DecodeError(f"{end - len(self._data)} bytes are missing")
        out = self._data[self._at : end]
        self._at = end
        return out

    def peek(self, length: int) -> bytes:
        """The next `length` bytes (or what is left), left in place."""
        return self._data[self._at : self._at + length]

    def uint(self, length: int) -> int:
        """A little-endian integer without sign."""
        return int.from_bytes(self.take(length), "little")

    def sint(self, length: int) -> int:
        """A little-endian integer with sign."""
        return int.from_bytes(self.take(length), "little", signed=True)

    def size(self) -> int:
        """A compact size in its shortest form, at most `MAX_SIZE`.

        Raises:
            DecodeError: not in its shortest form, or too large.
        """
        first = self.uint(1)
        if first < 0xFD:
            return first
        width = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
        value = self.uint(width)
        if len(compact_size(value)) != width + 1:
            raise DecodeError("compact size is not in its shortest form")
        if value > MAX_SIZE:
            raise DecodeError("compact size is too large")
        return value

    def var_bytes(self) -> bytes:
        """Bytes behind their compact size."""
        return self.take(self.size())

    def finish(self) -> None:
        """Nothing may be left.

        Raises:
            DecodeError: bytes are left.
        """
        if self._at != len(self._data):
            raise DecodeError(f"{len(self._data) - self._at} bytes too many")
