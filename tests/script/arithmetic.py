"""Words on a stack, and a gadget with what must come out, for both judges."""

from collections.abc import Sequence

from tests.script.spends import judge_tapscript
from verifier.script.errors import ScriptError
from verifier.script.gadget import NIBBLES, Gadget
from verifier.script.opcodes import Op
from verifier.script.script import decode_number, encode_number, join, number, script
from verifier.script.spend import run_tapscript
from verifier.script.tracker import Name, Tracker
from verifier.script.winternitz import from_nibbles, nibbles


def digits(words: Sequence[int]) -> list[int]:
    return [digit for word in words for digit in nibbles(word.to_bytes(4, "little"))]


def items(values: Sequence[int]) -> list[bytes]:
    return [encode_number(value) for value in values]


def known(t: Tracker, count: int) -> list[list[Name]]:
    """Names of words that already lie there."""
    return [[t.push() for _ in range(NIBBLES)] for _ in range(count)]


def outcome(gadget: Gadget, hints: Sequence[int], words: Sequence[int]) -> tuple[ScriptError, list[int], int]:
    """Error, resulting words, and peak of items above the inputs."""
    stack = items([*hints, *digits(words)])
    ran = run_tapscript(gadget.code, stack)
    found = [decode_number(item) for item in ran.stack][::-1]
    if not ran.verdict.accepted:
        return ran.verdict.error, [], 0
    assert ran.alt == ()
    assert len(found) == gadget.results
    data = from_nibbles(found)
    out = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
    return ran.verdict.error, out, ran.verdict.peak_stack - len(stack)


def expects(words: Sequence[int]) -> bytes:
    """[results of a gadget] -> [1]; fails on any other."""
    return join([script(number(digit), Op.NUMEQUALVERIFY) for digit in digits(words)]) + b"\x51"


def judged(gadget: Gadget, hints: Sequence[int], words: Sequence[int], result: Sequence[int]) -> ScriptError:
    """The verdict of interpreter and kernel on "this is the result"."""
    return judge_tapscript(gadget.code + expects(result), items([*hints, *digits(words)]))
