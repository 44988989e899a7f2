"""Words on a stack, and a sum with what must come out, for both judges."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tests.script.spends import judge_tapscript
from verifier.script.bilinear import HINTS, Arithmetic, Bilinear
from verifier.script.errors import ScriptError
from verifier.script.gadget import NIBBLES, drop
from verifier.script.opcodes import Op
from verifier.script.script import decode_number, encode_number, join, number, script
from verifier.script.spend import run_tapscript
from verifier.script.tracker import Name, Tracker
from verifier.script.winternitz import nibbles


def digits(words: Sequence[int]) -> list[int]:
    return [digit for word in words for digit in nibbles(word.to_bytes(4, "little"))]


def items(values: Sequence[int]) -> list[bytes]:
    return [encode_number(value) for value in values]


def known(t: Tracker, count: int) -> list[list[Name]]:
    """Names of words that already lie there."""
    return [[t.push() for _ in range(NIBBLES)] for _ in range(count)]


@dataclass(frozen=True)
class Script:
    """A sum of products on words that lie there as nibbles.

    Attributes:
        code: [hints, columns, addends, digits] -> [halves of the results, the last high one on top].
        size: bytes of the sum alone.
        above: peak of items above the operands by the builder's count.
        operands: items that it finds, hints and halves among them.
    """

    code: bytes
    size: int
    above: int
    operands: int


@cache
def compiled(spec: Bilinear) -> Script:
    """Halves made of nibbles first, then the sum."""
    t = Tracker()
    hints = [t.push() for _ in range(HINTS * len(spec.sums))]
    words = known(t, spec.columns + spec.addends + spec.digits)
    field = Arithmetic(t)
    columns = [field.halves(word) for word in words[: spec.columns]]
    addends = [field.halves(word) for word in words[spec.columns : spec.columns + spec.addends]]
    before, operands, field.peak = len(t.code), len(t), 0
    results = field.sums(spec, columns, words[spec.columns + spec.addends :], addends, hints)
    size = len(t.code) - before
    for half in [half for result in results for half in result]:
        t.roll(half)
        t.emit(Op.TOALTSTACK)
        t.pop()
    t.emit(drop(len(t)), bytes([Op.FROMALTSTACK]) * (2 * len(results)))
    return Script(t.code, size, field.peak - operands, operands)


def outcome(spec: Bilinear, hints: Sequence[int], words: Sequence[int]) -> tuple[ScriptError, list[int], int]:
    """Error, resulting words, and peak of items."""
    ran = run_tapscript(compiled(spec).code, items([*hints, *digits(words)]))
    found = [decode_number(item) for item in ran.stack][::-1]
    if not ran.verdict.accepted:
        return ran.verdict.error, [], 0
    assert ran.alt == ()
    assert len(found) == 2 * len(spec.sums)
    out = [low + (high << 16) for low, high in zip(found[::2], found[1::2], strict=True)]
    return ran.verdict.error, out, ran.verdict.peak_stack


def expects(words: Sequence[int]) -> bytes:
    """[halves of words] -> [1]; fails on any other."""
    halves = [half for word in words for half in (word & 0xFFFF, word >> 16)]
    return join([script(number(half), Op.NUMEQUALVERIFY) for half in halves]) + b"\x51"


def judged(spec: Bilinear, hints: Sequence[int], words: Sequence[int], result: Sequence[int]) -> ScriptError:
    """The verdict of interpreter and kernel on "this is the result"."""
    return judge_tapscript(compiled(spec).code + expects(result), items([*hints, *digits(words)]))
