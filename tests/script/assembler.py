"""Core's text form of scripts in its test data (`ParseScript` of core_io.cpp)."""

import re

from verifier.script.errors import Flag
from verifier.script.opcodes import Op
from verifier.script.script import encode_number, push, push_raw

_OPS = {op.name.removeprefix("OP_"): op for op in Op if op > Op.OP_16 or op == Op.RESERVED} | {
    "1NEGATE": Op.OP_1NEGATE
}
_ALIASES = {"NOP2": Op.CHECKLOCKTIMEVERIFY, "NOP3": Op.CHECKSEQUENCEVERIFY}


def assemble(text: str) -> bytes:
    out = bytearray()
    for word in text.split():
        if re.fullmatch(r"-?\d+", word):
            value = int(word)
            out += push(encode_number(value)) if -1 <= value <= 16 else push_raw(encode_number(value))
        elif word.startswith("0x"):
            out += bytes.fromhex(word[2:])
        elif len(word) >= 2 and word[0] == word[-1] == "'":
            out += push_raw(word[1:-1].encode())
        else:
            name = word.removeprefix("OP_")
            out.append(_ALIASES[name] if name in _ALIASES else _OPS[name])
    return bytes(out)


def flags_of(text: str) -> Flag:
    flags = Flag.NONE
    for name in text.split(","):
        if name and name != "NONE":
            flags |= Flag[name]
    return flags
