"""What an arithmetic step states: which sums of products (see `verifier.script.field`), and on which words.

One definition for scripts (on names of items) and for hints (on numbers). A product looks up one factor's multiples
by the other's nibbles. Words that a chunk makes are halves, so the nibbles are those of a factor that it reads;
where it makes both, one is split into nibbles by further hints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from prover.field import DEGREE
from verifier.bridge.chunks.steps import CHECKS, HASHING, Kind, Lowered, Step, Words
from verifier.script.bilinear import HINTS, SPLIT_HINTS, Bilinear
from verifier.script.field import challenge, linear, product_sum, words_of
from verifier.script.gadget import NIBBLES
from verifier.script.winternitz import nibbles

HALVES = 2
ONE = (1, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Relation:
    """A step as sums of products.

    Attributes:
        step: whose.
        spec: the sums.
        columns, digits, addends: words that they take.
        split: digits that are halves until now.
        shared: whether other steps of the chunk use the same digits on a table of the same size.
    """

    step: Step
    spec: Bilinear
    columns: Words = ()
    digits: Words = ()
    addends: Words = ()
    split: Words = ()
    shared: bool = False

    @property
    def num_hints(self) -> int:
        """Hint items; an inverse's halves are hints as other results are."""
        return SPLIT_HINTS * len(self.split) + HINTS * len(self.spec.sums)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where digits can be shared."""
        return self.spec.stride, self.spec.differences, self.digits

    def hints(self, value: Callable[[int], int], out: Sequence[int]) -> list[int]:
        """The step's hints in the order in which its script takes them.

        Args:
            value: of a word.
            out: what the step writes.
        """
        found: list[int] = []
        for word in self.split:
            found += nibbles(value(word).to_bytes(4, "big"))
        digits = list(map(value, self.digits))
        if self.step.kind is Kind.INVERSE:
            found += [half for word in out for half in (word & 0xFFFF, word >> 16)]
            return found + self.spec.quotients(out, digits, ONE)
        columns, addends = (list(map(value, words)) for words in (self.columns, self.addends))
        return [*found, *self.spec.hints(columns, digits, addends)]


def relations(steps: Sequence[Step], lowered: Lowered) -> list[Relation | None]:
    """Of a chunk's steps, None for those that take no hints."""
    pairs = [_pairs(step, lowered) for step in steps]
    uses = Counter(operand for row in pairs for pair in row for operand in pair)
    halves: set[int] = set()
    found: list[Relation | None] = []
    for step, row in zip(steps, pairs, strict=True):
        found.append(None if step.kind in HASHING | CHECKS else _relation(step, row, uses, halves, lowered))
        halves.update(step.out)
    keys = Counter(relation.key for relation in found if relation)
    return [r and replace(r, shared=bool(r.columns) and keys[r.key] > 1) for r in found]


def _pairs(step: Step, lowered: Lowered) -> list[tuple[Words, Words]]:
    """The factors of its products."""
    if step.kind is Kind.INVERSE:
        return [(step.out, step.args[0])]
    if step.kind is Kind.HORNER:
        factors = step.args[:-1]
    elif step.kind in (Kind.MUL, Kind.PRODUCT, Kind.SCALE):
        factors = step.args
    else:
        return []
    trimmed = [_trimmed(words, lowered) for words in factors]
    if step.kind is not Kind.HORNER and max(map(len, trimmed)) < len(step.out):
        trimmed[0] = factors[0]  # of an addend HORNER takes all words instead
    return list(zip(trimmed[::2], trimmed[1::2], strict=True))


def _trimmed(words: Words, lowered: Lowered) -> Words:
    """One word where the others are constants 0."""
    zero = all(lowered.constants.get(word) == 0 for word in words[1:])
    return words[:1] if zero else words


def _relation(
    step: Step, pairs: list[tuple[Words, Words]], uses: Counter[Words], halves: set[int], lowered: Lowered
) -> Relation:
    if step.kind is Kind.SUM:
        args = [_trimmed(arg, lowered) for arg in step.args]
        signs = tuple(-1 if step.number >> i & 1 else 1 for i in range(len(args)))
        if len(max(args, key=len)) < len(step.out):
            args[0] = step.args[0]
        return Relation(step, linear(tuple(map(len, args)), signs), addends=tuple(words_of(args)))
    if step.kind is Kind.CHALLENGE:
        return Relation(step, challenge(), addends=step.args[0][: 2 * DEGREE])

    def rank(operand: Words) -> tuple[bool, int, int]:
        ready = not halves & set(operand)
        return ready, len(operand) if ready else -len(operand), uses[operand]

    fixed = step.kind is Kind.INVERSE  # its own words are hinted in halves
    sides = [(a, b) if fixed or rank(b) >= rank(a) else (b, a) for a, b in pairs]
    columns, digits = (tuple(words_of([pair[i] for pair in sides])) for i in (0, 1))
    addends = _trimmed(step.args[-1], lowered) if step.kind is Kind.HORNER else ()
    spec = product_sum(tuple((len(a), len(b)) for a, b in sides), len(addends))
    if len(spec.sums) < len(step.out):
        addends = step.args[-1]
        spec = product_sum(tuple((len(a), len(b)) for a, b in sides), len(addends))
    split = tuple(dict.fromkeys(word for word in digits if word in halves))
    halves.difference_update(split)
    return Relation(step, spec, columns, digits, addends, split)


def in_nibbles(found: Iterable[Relation | None], lowered: Lowered) -> set[int]:
    """Words that the chunk needs as nibbles: digits, and what selections are made of."""
    relations_ = [relation for relation in found if relation]
    words = {word for r in relations_ for word in r.digits}
    todo = [word for r in relations_ for word in (*r.columns, *r.digits, *r.addends)]
    while todo:
        light = lowered.light.get(todo.pop())
        if light is not None:
            words.update(light.reads)
            todo += light.reads
    return words


def items(found: Sequence[Relation | None], wires: Iterable[Words], written: int, lowered: Lowered) -> int:
    """Items of the stack while the chunk runs, at most.

    Args:
        found: its relations.
        wires: words of the wires that it reads.
        written: words of the wires that it writes.
        lowered: the steps.
    """
    relations_ = [relation for relation in found if relation]
    nibbled = in_nibbles(relations_, lowered)
    total = HALVES * written
    for words in wires:
        total += (NIBBLES if nibbled & set(words) else HALVES) * len(words)
    taken = {word for r in relations_ for word in (*r.columns, *r.digits, *r.addends)}
    total += NIBBLES * len(taken & lowered.light.keys())
    total += HALVES * len({word for r in relations_ for word in (*r.columns, *r.addends)} & nibbled)
    shared = {r.key: r.spec.form_items for r in relations_ if r.shared}
    total += sum(shared.values())
    total += sum(HALVES * len(r.step.out) + NIBBLES * len(r.split) + r.num_hints for r in relations_)
    return total + max(r.spec.peak(r.shared) for r in relations_)
