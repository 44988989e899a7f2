"""Steps on plain integers: what a chunk's script computes, for replays and accusations."""

from __future__ import annotations

from collections.abc import Mapping

from prover import field
from prover.field import DEGREE, P
from verifier.bridge.chunks.steps import BLOCK_WORDS, Kind, Lowered, Step, undomain
from verifier.script.blake3 import IV, PERMUTATION, ROUNDS

_MASK = 0xFFFFFFFF
_MIXES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip


def compress(chaining: list[int], block: list[int], counter: int, length: int, flags: int) -> list[int]:
    """BLAKE3's compression: sixteen words, the first eight the new chaining value."""
    s = [*chaining, *IV[:4], counter & _MASK, counter >> 32, length, flags]
    order = list(range(BLOCK_WORDS))
    for _ in range(ROUNDS):
        for i, (a, b, c, d) in enumerate(_MIXES):
            for word, left, right in ((order[2 * i], 16, 12), (order[2 * i + 1], 8, 7)):
                s[a] = (s[a] + s[b] + block[word]) & _MASK
                x = s[d] ^ s[a]
                s[d] = (x >> left | x << 32 - left) & _MASK
                s[c] = (s[c] + s[d]) & _MASK
                x = s[b] ^ s[c]
                s[b] = (x >> right | x << 32 - right) & _MASK
        order = [order[p] for p in PERMUTATION]
    return [s[i] ^ s[i + 8] for i in range(8)] + [s[i + 8] ^ chaining[i] for i in range(8)]


def value(word: int, memory: Mapping[int, int], lowered: Lowered) -> int:
    """A word: constant, known, or light."""
    if word in lowered.constants:
        return lowered.constants[word]
    if word in memory:
        return memory[word]
    light = lowered.light[word]
    place = light.out.index(word)
    if light.kind is Kind.BIT:
        return value(light.args[0][0], memory, lowered) >> light.number & 1
    chosen = light.args[2] if value(light.args[0][0], memory, lowered) else light.args[1]
    return value(chosen[place], memory, lowered)


def run(step: Step, memory: Mapping[int, int], lowered: Lowered) -> tuple[tuple[int, ...], bool]:
    """What a step writes, and whether it finds fault; reads `memory`, light words made on the way."""
    args = [[value(word, memory, lowered) for word in arg] for arg in step.args]
    kind = step.kind
    if kind in (Kind.COMPRESS, Kind.WIDE):
        out = compress(args[0], args[1], *undomain(step.number))
        return tuple(out[: len(step.out)]), False
    if kind is Kind.EQUAL:
        return (), args[0] != args[1]
    if kind is Kind.ZERO:
        return (), any(args[0])
    if kind is Kind.NOT_ALL_ZERO:
        return (), not any(args[0])
    if kind is Kind.CANONICAL:
        return (), any(word >= P for word in args[0])
    return _arithmetic(kind, args, step.number), False


def _arithmetic(kind: Kind, args: list[list[int]], mask: int) -> tuple[int, ...]:
    if kind is Kind.CHALLENGE:
        (block,) = args
        return tuple((block[2 * i] + (block[2 * i + 1] << 32)) % P for i in range(DEGREE))
    if kind is Kind.MUL:
        return (args[0][0] * args[1][0] % P,)
    elements = [field.to_kb6([word % P for word in arg] + [0] * (DEGREE - len(arg))) for arg in args]
    if kind is Kind.SUM:
        total = field.ZERO
        for i, element in enumerate(elements):
            total = field.sub(total, element) if mask >> i & 1 else field.add(total, element)
        return total
    if kind in (Kind.PRODUCT, Kind.SCALE):
        return field.mul(*elements)
    if kind is Kind.INVERSE:
        return field.inv(elements[0]) if any(elements[0]) else field.ZERO
    total = elements[-1]
    for a, b in zip(elements[:-1:2], elements[1::2], strict=True):
        total = field.add(total, field.mul(a, b))
    return total
