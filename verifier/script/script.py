"""Builds and reads scripts; a script is `bytes`, and scripts are joined with `+` or `join`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from verifier.script.opcodes import Op

MAX_ELEMENT: Final = 520
MAX_NUMBER_BYTES: Final = 4


class ScriptSyntaxError(ValueError):
    """A push reaches beyond the end of the script, or a word is no opcode."""


def encode_number(value: int) -> bytes:
    """A number as a stack item: little-endian, sign in the top bit, as short as can be."""
    if value == 0:
        return b""
    magnitude = abs(value)
    size = magnitude.bit_length() // 8 + 1
    if value < 0:
        magnitude |= 0x80 << 8 * (size - 1)
    return magnitude.to_bytes(size, "little")


def decode_number(item: bytes) -> int:
    """The number of a stack item, of any length and however padded."""
    if not item:
        return 0
    value = int.from_bytes(item, "little")
    sign = 0x80 << 8 * (len(item) - 1)
    return -(value ^ sign) if value & sign else value


def is_minimal_number(item: bytes) -> bool:
    """Whether no shorter item encodes the same number."""
    return not item or bool(item[-1] & 0x7F) or (len(item) > 1 and bool(item[-2] & 0x80))


def push(item: bytes) -> bytes:
    """[] -> [item], in the fewest bytes.

    Raises:
        ScriptSyntaxError: more than 520 bytes, which no script can push.
    """
    if len(item) > MAX_ELEMENT:
        raise ScriptSyntaxError(f"item of {len(item)} bytes")
    if not item:
        return b"\0"
    if len(item) == 1 and (1 <= item[0] <= 16 or item[0] == 0x81):
        return bytes([Op.OP_1NEGATE if item[0] == 0x81 else 0x50 + item[0]])
    return push_raw(item)


def push_raw(item: bytes) -> bytes:
    """The push of an item by its length alone, as Core's `CScript << vector` writes it."""
    if len(item) < Op.PUSHDATA1:
        return bytes([len(item)]) + item
    if len(item) <= 0xFF:
        return bytes([Op.PUSHDATA1, len(item)]) + item
    if len(item) <= 0xFFFF:
        return bytes([Op.PUSHDATA2]) + len(item).to_bytes(2, "little") + item
    return bytes([Op.PUSHDATA4]) + len(item).to_bytes(4, "little") + item


@lru_cache(maxsize=1 << 16)
def number(value: int) -> bytes:
    """[] -> [value]; 1 byte for -1..16, 2 for up to 127, 3 for up to 32,767."""
    return push(encode_number(value))


def join(parts: Iterable[bytes | int]) -> bytes:
    """Scripts and single opcodes, one after the other."""
    return b"".join(bytes((part,)) if isinstance(part, int) else part for part in parts)


def script(*parts: bytes | int) -> bytes:
    """`join` of its arguments."""
    return join(parts)


def instructions(code: bytes) -> Iterator[tuple[int, bytes | None, int]]:
    """Each opcode, its data (None where it pushes none) and the position behind it.

    Raises:
        ScriptSyntaxError: a push reaches beyond the end, when the iteration comes to it.
    """
    at, end = 0, len(code)
    while at < end:
        opcode = code[at]
        at += 1
        if opcode > Op.PUSHDATA4:
            yield opcode, None, at
            continue
        size = opcode
        if opcode >= Op.PUSHDATA1:
            width = 1 << (opcode - Op.PUSHDATA1)
            size = int.from_bytes(code[at : at + width], "little")
            at += width
        if at + size > end:
            raise ScriptSyntaxError("a push reaches beyond the end")
        yield opcode, code[at : at + size], at + size
        at += size


def contains_opcode(code: bytes, wanted: frozenset[int]) -> bool:
    """Whether one of the opcodes comes before the end, executed or not; fast on long scripts.

    Raises:
        ScriptSyntaxError: a malformed push comes first.
    """
    at, end = 0, len(code)
    while at < end:
        opcode = code[at]
        at += 1
        if opcode < 0x4C:
            at += opcode
        elif opcode <= 0x4E:
            width = 1 << (opcode - 0x4C)
            at += width + int.from_bytes(code[at : at + width], "little")
        elif opcode in wanted:
            return True
    if at > end:
        raise ScriptSyntaxError("a push reaches beyond the end")
    return False


def is_push_only(code: bytes) -> bool:
    """Whether nothing is executed but pushes (OP_RESERVED counts as one)."""
    try:
        return all(opcode <= Op.OP_16 for opcode, _, _ in instructions(code))
    except ScriptSyntaxError:
        return False


def without_separators(code: bytes) -> bytes:
    """The script without its OP_CODESEPARATORs; what follows a malformed push stays as it is."""
    if Op.CODESEPARATOR not in code:
        return code
    out, start = [], 0
    try:
        for opcode, _, behind in instructions(code):
            if opcode == Op.CODESEPARATOR:
                out.append(code[start : behind - 1])
                start = behind
    except ScriptSyntaxError:
        pass
    return b"".join(out) + code[start:]


def find_and_delete(code: bytes, pattern: bytes) -> tuple[bytes, int]:
    """The script without the pattern wherever an instruction starts with it, and how often it was there."""
    if not pattern or pattern not in code:
        return code, 0
    out, kept, at, found = [], 0, 0, 0
    while True:
        out.append(code[kept:at])
        while code.startswith(pattern, at):
            at += len(pattern)
            found += 1
        kept = at
        try:
            _, _, at = _next(code, at)
        except ScriptSyntaxError:
            break
    return b"".join(out) + code[kept:], found


def _next(code: bytes, at: int) -> tuple[int, bytes | None, int]:
    for opcode, data, behind in instructions(code[at:]):
        return opcode, data, at + behind
    raise ScriptSyntaxError("the end")


def witness_program(code: bytes) -> tuple[int, bytes] | None:
    """Version and program of a witness scriptPubKey, None for any other."""
    if not 4 <= len(code) <= 42 or code[1] + 2 != len(code):
        return None
    if code[0] == 0:
        return 0, code[2:]
    return (code[0] - 0x50, code[2:]) if Op.OP_1 <= code[0] <= Op.OP_16 else None


def is_p2sh(code: bytes) -> bool:
    """Whether it is HASH160 <20 bytes> EQUAL."""
    return len(code) == 23 and code[:2] == b"\xa9\x14" and code[22] == Op.EQUAL


P2A: Final = b"\x51\x02\x4e\x73"
"""Pay to anchor: anybody may spend it, with an empty witness."""


def disassemble(code: bytes) -> str:
    """The script in words, for people."""
    words = []
    try:
        for opcode, data, _ in instructions(code):
            if data is not None and opcode:
                words.append(data.hex())
            else:
                words.append(Op(opcode).name if opcode in Op._value2member_map_ else f"0x{opcode:02x}")
    except ScriptSyntaxError:
        words.append("[cut]")
    return " ".join(words)
