"""Winternitz signatures that a script checks: the operator binds itself to a wire's value, once.

A value is a row of nibbles m_0 .. m_{n-1} and the nibbles of its checksum sum(15 - m_i), most significant
first. Each nibble d has a chain of 15 HASH160; its signature is the d-th link, its public key the last one.
Whoever hashes a link forward raises its nibble, and then the checksum would have to fall, which needs a
link that only the signer has.

Why nibbles, and why half a list: a digit of w bits costs 43 bytes for link and public key, 2^w - 1 for
hashing and about 30 to find the right link. Conditional hashing costs 1 byte a hash and 9 a bit, a list to
PICK from 2.5 bytes a hash, so eight are hashed under OP_IF and the other seven listed. 23.6 weight units a
bit for 32 bytes.

Two scripts check the same signature. `check` leaves the value: who convicts repeats a signature in front of it.
`bind` leaves nothing and is the signer's: it takes no link that could not be repeated. A link may be of any length
where its chain begins, and a witness item of more than 80 bytes does not relay. OP_CHECKLOCKTIMEVERIFY compares two
numbers without a constant and without a result, so the length of a link is held against the transaction's own
nLockTime, `LINK_BYTES`: a block height long past, and committed to by who signs the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from native import hash160_chains, links_words, words_links
from verifier.bitcoin.encoding import hash160, tagged_hasher
from verifier.script.opcodes import Op
from verifier.script.script import (
    MAX_NUMBER_BYTES,
    decode_number,
    encode_number,
    number,
    script,
)

BASE: Final = 16
LAST: Final = BASE - 1
_HALF: Final = BASE // 2
LINK_BYTES: Final = 20


class WinternitzError(ValueError):
    """Not the digits of the wire."""


@dataclass(frozen=True, slots=True)
class WinternitzKey:
    """The public key of a wire: the last link of every chain, nibbles first, then the checksum's.

    Attributes:
        links: 20 bytes each.
        digits: number of nibbles of the value.
    """

    links: tuple[bytes, ...]
    digits: int

    def check(self) -> bytes:
        """[signature (see `sign`)] -> [m_0 .. m_{n-1}], m_{n-1} on top; fails unless the key signed them.

        Size: 64 bytes a link, 3 a nibble and up to 25 more. Peak: 11 items above the signature.
        """
        return self._digits(b"") + _collect(self.digits, len(self.links) - self.digits, keep=True)

    def bind(self) -> bytes:
        """[signature (see `sign`)] -> []; fails unless the key signed a value and each link is at most nLockTime bytes.

        For transactions whose nLockTime is `LINK_BYTES`. Size: 68 bytes a link, 2 a nibble and up to 25 more. Peak:
        11 items above the signature.
        """
        return self._digits(_SHORT_LINK) + _collect(self.digits, len(self.links) - self.digits, keep=False)

    def _digits(self, guard: bytes) -> bytes:
        """[signature] -> [], alt [] -> [checksum, m_{n-1} .. m_0]; `guard` runs at each [link digit]."""
        head, tail = _check_digit()
        return guard + head + (tail + guard + head).join(reversed(self.links)) + tail


_SHORT_LINK: Final = bytes([Op.OVER, Op.SIZE, Op.CHECKLOCKTIMEVERIFY, Op.OP_2DROP])
"""[s d] -> [s d]; fails where s has more bytes than the transaction's nLockTime."""


def checksum_digits(digits: int) -> int:
    """How many nibbles hold the checksum of `digits` nibbles."""
    return -(-(LAST * digits).bit_length() // 4)


@cache
def _check_digit() -> tuple[bytes, bytes]:
    """[s d] -> [], alt [] -> [d]; fails unless the (15 - d)th hash of s is the link between the two parts. 64 bytes.

    A d above 15 counts as 15; a negative one fails at PICK.
    """
    hashes = bytes([Op.HASH160]) * _HALF
    low_half = script(Op.TOALTSTACK, hashes)  # [s r] -> [s hashed 8 times], r = d
    high_half = script(number(_HALF), Op.SUB, Op.TOALTSTACK)  # r = d - 8
    head = script(
        *(number(LAST), Op.MIN, Op.DUP, Op.TOALTSTACK),  # [s d], alt [d]
        *(Op.DUP, number(_HALF), Op.LESSTHAN),
        *(Op.IF, low_half, Op.ELSE, high_half, Op.ENDIF),  # [h_0], alt [d r]
        bytes([Op.DUP, Op.HASH160]) * (_HALF - 1),  # [h_0 .. h_7]
        *(Op.FROMALTSTACK, Op.PICK, LINK_BYTES),  # the link is pushed, h_(7-r) is the link
    )
    return head, script(Op.EQUALVERIFY, bytes([Op.OP_2DROP]) * (_HALF // 2))


@cache
def _collect(digits: int, checksums: int, keep: bool) -> bytes:
    """[], alt [checksum, m_{n-1} .. m_0] -> [m_0 .. m_{n-1}] to `keep`; fails unless checksum + sum = 15 n."""
    times_16 = bytes([Op.DUP, Op.ADD]) * 4
    first, other = ([Op.FROMALTSTACK, Op.DUP], [Op.FROMALTSTACK, Op.TUCK, Op.ADD])
    if not keep:
        first, other = [Op.FROMALTSTACK], [Op.FROMALTSTACK, Op.ADD]
    return script(
        bytes(first) + bytes(other) * (digits - 1),  # [m_0 .. m_{n-1} sum]
        Op.FROMALTSTACK,
        script(times_16, Op.FROMALTSTACK, Op.ADD) * (checksums - 1),  # [.. sum checksum]
        *(Op.ADD, number(LAST * digits), Op.NUMEQUALVERIFY),
    )


def _chain_starts(seed: bytes, label: bytes, count: int) -> list[bytes]:
    head = tagged_hasher("pegproof/winternitz")
    head.update(seed + len(label).to_bytes(2, "big") + label)
    starts = []
    for index in range(count):
        hasher = head.copy()
        hasher.update(index.to_bytes(4, "big"))
        starts.append(hasher.digest()[:LINK_BYTES])
    return starts


def _advance(link: bytes, steps: int) -> bytes:
    for _ in range(steps):
        link = hash160(link)
    return link


def public_key(seed: bytes, label: bytes, digits: int) -> WinternitzKey:
    """The key of one wire.

    Args:
        seed: the operator's secret of the slot.
        label: the wire's name, unique under the seed: a key signs one value, ever.
        digits: nibbles of the value.

    Raises:
        WinternitzError: no digit, or a seed of less than 16 bytes.
    """
    return public_keys(seed, [(label, digits)])[0]


def public_keys(seed: bytes, wires: Sequence[tuple[bytes, int]]) -> list[WinternitzKey]:
    """The keys of many wires, label and number of digits of each; their chains run side by side.

    Raises:
        WinternitzError: as `public_key`.
    """
    ends = public_links(seed, wires)
    links = [ends[at : at + LINK_BYTES] for at in range(0, len(ends), LINK_BYTES)]
    keys, at = [], 0
    for _, digits in wires:
        count = digits + checksum_digits(digits)
        keys.append(WinternitzKey(tuple(links[at : at + count]), digits))
        at += count
    return keys


def public_links(seed: bytes, wires: Sequence[tuple[bytes, int]]) -> bytes:
    """The links of `public_keys`, one after the other.

    Raises:
        WinternitzError: as `public_key`.
    """
    starts: list[bytes] = []
    for label, digits in wires:
        if digits < 1 or len(seed) < 16:
            raise WinternitzError(f"{digits} digits, seed of {len(seed)} bytes")
        starts += _chain_starts(seed, label, digits + checksum_digits(digits))
    return words_links(hash160_chains(links_words(b"".join(starts)), LAST)) if starts else b""


def sign(seed: bytes, label: bytes, value: Sequence[int]) -> tuple[bytes, ...]:
    """The signature of a wire as witness items, bottom first: link and nibble of each, then the checksum's.

    Deterministic: signing the same value again gives the same bytes. The caller makes sure that no other
    value is ever signed under the label.

    Raises:
        WinternitzError: no value, or a digit outside 0..15.
    """
    if not value or any(not 0 <= digit <= LAST for digit in value):
        raise WinternitzError("a value is one or more numbers from 0 to 15")
    total = sum(LAST - digit for digit in value)
    places = checksum_digits(len(value))
    digits = [*value, *(total >> 4 * i & LAST for i in reversed(range(places)))]
    items: list[bytes] = []
    for start, digit in zip(_chain_starts(seed, label, len(digits)), digits, strict=True):
        items += (_advance(start, digit), encode_number(digit))
    return tuple(items)


def read(key: WinternitzKey, items: Sequence[bytes]) -> tuple[int, ...] | None:
    """The value of a signature found on chain, None if it is not one.

    Agrees with `WinternitzKey.bind` on every input, also on odd encodings that a miner may let pass: a
    watcher must read whatever the script accepts.
    """
    if len(items) != 2 * len(key.links):
        return None
    digits = []
    for link, start, encoded in zip(key.links, items[::2], items[1::2], strict=True):
        digit = min(decode_number(encoded), LAST)
        if len(start) > LINK_BYTES or len(encoded) > MAX_NUMBER_BYTES or digit < 0:
            return None
        if _advance(start, LAST - digit) != link:
            return None
        digits.append(digit)
    value, checksum = digits[: key.digits], digits[key.digits :]
    claimed = sum(digit << 4 * i for i, digit in enumerate(reversed(checksum)))
    return tuple(value) if claimed == sum(LAST - digit for digit in value) else None


def plain(items: Sequence[bytes]) -> tuple[bytes, ...]:
    """The same signature with its digits as `sign` writes them: as such it relays, whatever a miner has let pass."""
    return tuple(
        encode_number(min(decode_number(item), LAST)) if place % 2 else item
        for place, item in enumerate(items)
    )


def nibbles(data: bytes) -> tuple[int, ...]:
    """The digits of bytes, high half first."""
    return tuple(half for byte in data for half in (byte >> 4, byte & 15))


def from_nibbles(digits: Iterable[int]) -> bytes:
    """The bytes of an even number of digits."""
    row = list(digits)
    if len(row) % 2:
        raise WinternitzError("an odd number of nibbles")
    return bytes(high << 4 | low for high, low in zip(row[::2], row[1::2], strict=True))
