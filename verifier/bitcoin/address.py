"""Addresses: Base58Check, Bech32 and Bech32m (BIP173, BIP350), and the scripts that they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from verifier.bitcoin.encoding import hash256

_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32, _BECH32M = 1, 0x2BC830A3
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
MAX_LENGTH: Final = 90


class AddressError(ValueError):
    """Not an address or key of the network."""


@dataclass(frozen=True, slots=True)
class Network:
    """The prefixes of a network."""

    name: str
    bech32: str
    key_hash: int
    script_hash: int
    secret: int


MAIN = Network("main", "bc", 0, 5, 128)
TESTNET = Network("testnet", "tb", 111, 196, 239)
"""Testnet3, testnet4 and signet write their addresses alike."""
REGTEST = Network("regtest", "bcrt", 111, 196, 239)
_NETWORKS: Final = (MAIN, TESTNET, REGTEST)


def _checksum(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            check ^= generator if top >> i & 1 else 0
    return check


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def bech32_decode(text: str) -> tuple[str, list[int], bool]:
    """Prefix, five-bit words without checksum, and whether the checksum is Bech32m's.

    Raises:
        AddressError: not a Bech32 string of either kind.
    """
    lower = text.lower()
    if text not in (lower, text.upper()):
        raise AddressError(f"{text!r}: upper and lower case are mixed")
    if any(not 33 <= ord(c) <= 126 for c in text):
        raise AddressError(f"{text!r}: a character is not printable ASCII")
    prefix, found, data = lower.rpartition("1")
    if not found or not prefix or len(data) < 6 or len(text) > MAX_LENGTH:
        raise AddressError(f"{text!r}: not of the form prefix, 1, data")
    if any(c not in _CHARSET for c in data):
        raise AddressError(f"{text!r}: a character is not of bech32")
    words = [_CHARSET.index(c) for c in data]
    check = _checksum(_expand(prefix) + words)
    if check not in (_BECH32, _BECH32M):
        raise AddressError(f"{text!r}: the checksum is wrong: mistyped?")
    return prefix, words[:-6], check == _BECH32M


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


def _to_words(data: bytes) -> list[int]:
    """Bytes as five-bit words, padded with zeros."""
    bits = 8 * len(data)
    padded = -bits % 5
    value = int.from_bytes(data, "big") << padded
    return [value >> shift & 31 for shift in range(bits + padded - 5, -1, -5)]


def segwit_script(text: str, network: Network | None = None) -> bytes:
    """The scriptPubKey of a segwit address.

    Args:
        text: the address.
        network: which it must be of; any when None.

    Raises:
        AddressError: it is not one.
    """
    prefix, words, modern = bech32_decode(text)
    allowed = [n.bech32 for n in ((network,) if network else _NETWORKS)]
    if prefix not in allowed:
        raise AddressError(f"{text!r}: not an address of {' or '.join(allowed)}")
    if not words:
        raise AddressError(f"{text!r}: it holds no program")
    version, program = words[0], _to_bytes(words[1:])
    if modern != bool(version):
        raise AddressError(f"{text!r}: the checksum is of the other kind")
    if version > 16 or not 2 <= len(program) <= 40 or (version == 0 and len(program) not in (20, 32)):
        raise AddressError(f"{text!r}: no such witness program")
    return bytes([version + 0x50 if version else 0, len(program)]) + program


def segwit_address(script: bytes, network: Network) -> str:
    """The address of a witness program.

    Raises:
        AddressError: the script is not one.
    """
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2 or script[0] not in (0, *range(0x51, 0x61)):
        raise AddressError("the script is not a witness program")
    version = script[0] - 0x50 if script[0] else 0
    words = [version, *_to_words(script[2:])]
    constant = _BECH32M if version else _BECH32
    check = _checksum(_expand(network.bech32) + words + [0] * 6) ^ constant
    words += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return network.bech32 + "1" + "".join(_CHARSET[word] for word in words)


def base58check(payload: bytes) -> str:
    """Bytes with a four-byte checksum in base 58."""
    data = payload + hash256(payload)[:4]
    value, out = int.from_bytes(data, "big"), ""
    while value:
        value, digit = divmod(value, 58)
        out = _BASE58[digit] + out
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + out


def base58check_decode(text: str) -> bytes:
    """The payload of a Base58Check string.

    Raises:
        AddressError: another character, or a wrong checksum.
    """
    value = 0
    for c in text:
        digit = _BASE58.find(c)
        if digit < 0:
            raise AddressError(f"{text!r}: a character is not of base 58")
        value = 58 * value + digit
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + value.to_bytes((value.bit_length() + 7) // 8, "big")
    if len(data) < 4 or hash256(data[:-4])[:4] != data[-4:]:
        raise AddressError(f"{text!r}: the checksum is wrong: mistyped?")
    return data[:-4]


def address_script(text: str, network: Network) -> bytes:
    """The scriptPubKey of an address of any kind.

    Raises:
        AddressError: not an address of the network.
    """
    if text.lower().startswith(network.bech32 + "1"):
        return segwit_script(text, network)
    payload = base58check_decode(text)
    if len(payload) == 21 and payload[0] == network.key_hash:
        return b"\x76\xa9\x14" + payload[1:] + b"\x88\xac"
    if len(payload) == 21 and payload[0] == network.script_hash:
        return b"\xa9\x14" + payload[1:] + b"\x87"
    raise AddressError(f"{text!r}: not an address of {network.name}")


def secret_key(text: str, network: Network) -> tuple[bytes, bool]:
    """The secret key of wallet import format, and whether its public key is compressed.

    Raises:
        AddressError: not a key of the network.
    """
    payload = base58check_decode(text)
    compressed = len(payload) == 34 and payload[33] == 1
    if payload[:1] != bytes([network.secret]) or not (len(payload) == 33 or compressed):
        raise AddressError(f"not a secret key of {network.name}")
    return payload[1:33], compressed


def script_of(text: str) -> bytes:
    """The scriptPubKey of a segwit address of any network, or of its own hexadecimal digits.

    Raises:
        AddressError: neither.
    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return segwit_script(text)
    except AddressError as error:
        raise AddressError(f"neither a segwit address nor a script in hexadecimal: {error}") from error
