"""Bitcoin addresses of witness programs (bech32 and bech32m) as scriptPubKeys.

Source: BIP173 and BIP350, reference implementations.
"""

from __future__ import annotations

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32, _BECH32M = 1, 0x2BC830A3
_PREFIXES = ("bc", "tb", "bcrt")
MAX_LENGTH = 90


class AddressError(ValueError):
    """Not the address of a witness program."""


def _checksum(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            check ^= generator if top >> i & 1 else 0
    return check


def _to_bytes(words: list[int]) -> bytes:
    """Five-bit words as bytes; the rest must be fewer than five bits, all zero."""
    value, bits, out = 0, 0, bytearray()
    for word in words:
        value, bits = value << 5 | word, bits + 5
        if bits >= 8:
            bits -= 8
            out.append(value >> bits & 0xFF)
            value &= (1 << bits) - 1
    if bits >= 5 or value:
        raise AddressError("padding is not zero")
    return bytes(out)


def script_of(text: str) -> bytes:
    """The scriptPubKey of an address, or of its own hexadecimal digits.

    Args:
        text: a segwit address of any Bitcoin network, or a script in hexadecimal.

    Raises:
        AddressError: neither.
    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    lower = text.lower()
    prefix, found, data = lower.rpartition("1")
    if text not in (lower, text.upper()) or not found or prefix not in _PREFIXES or len(text) > MAX_LENGTH:
        raise AddressError(
            f"{text!r} is neither a segwit address ({', '.join(_PREFIXES)}) nor a script in hexadecimal"
        )
    if len(data) < 8 or any(c not in _CHARSET for c in data):
        raise AddressError(f"{text!r}: a character is not of bech32, or it is too short")
    words = [_CHARSET.index(c) for c in data]
    version, program = words[0], _to_bytes(words[1:-6])
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    if _checksum(expanded + words) != (_BECH32M if version else _BECH32):
        raise AddressError(f"{text!r}: the checksum is wrong: mistyped?")
    if version > 16 or not 2 <= len(program) <= 40 or (version == 0 and len(program) not in (20, 32)):
        raise AddressError(f"{text!r}: no such witness program")
    return bytes([version + 0x50 if version else 0, len(program)]) + program
