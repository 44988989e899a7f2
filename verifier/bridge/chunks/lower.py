"""From a recorded Program to steps: see `steps`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from native.hashing import blake3_context_key
from prover.field import DEGREE
from prover.hashing import DIGEST_WORDS, Context, digest, to_bytes, to_words
from verifier.bridge.chunks.steps import (
    BLOCK_WORDS,
    DERIVE,
    END,
    MAX_LEAVES,
    MAX_TERMS,
    ROOT,
    START,
    Kind,
    Lowered,
    Opening,
    Seal,
    Step,
    Words,
    compressions,
    domain,
)
from verifier.stark.program import CONTEXTS, INSTRUCTION_WORDS, Code, Program
from verifier.stark.steps import Scope

WINDOW = 4
"""Base values that one step of Horner's rule takes in, each times a small power."""

_DIRECT = {
    Code.MUL: (Kind.MUL, (1, 1)),
    Code.EXT_ADD: (Kind.SUM, (DEGREE, DEGREE)),
    Code.EXT_SUB: (Kind.SUM, (DEGREE, DEGREE)),
    Code.EXT_MUL: (Kind.PRODUCT, (DEGREE, DEGREE)),
    Code.EXT_SCALE: (Kind.SCALE, (DEGREE, 1)),
    Code.EXT_INVERSE: (Kind.INVERSE, (DEGREE,)),
}


def lower(program: Program, known: Mapping[int, int] | None = None) -> Lowered:
    """All steps of a Program, in order.

    Args:
        program: a recorded verifier.
        known: place of a public value -> what it must be.
    """
    return _Lowering(program, known or {}).run()


class _Lowering:
    def __init__(self, program: Program, known: Mapping[int, int]) -> None:
        self.program, self.known = program, known
        self.out = Lowered(program, words=program.memory_words)
        self.alias: dict[int, int] = {}
        self.interned: dict[int, int] = {}
        self.powers: list[tuple[int, int, Words]] = []
        self.bases: dict[Words, int] = {}  # of the main program's powers; their scope
        self.small: dict[tuple[Words, int], Words] = {}
        self.unmade: dict[int, tuple[int, int]] = {}  # word -> (its run of powers, exponent)
        self.places: list[tuple[int, int]] = []  # scope and instruction of each run of powers
        self.digests: dict[Words, tuple[Words, Words, int, int]] = {}
        self.leaves: list[tuple[Words, Words, int]] = []
        self.base_data = _base_ranges(program)
        self.scope = self.source = 0
        self.steps: list[Step] = []
        self.units: list[tuple[Words, int]] = []

    def run(self) -> Lowered:
        program, out = self.program, self.out
        for address, values in program.constants:
            out.constants.update(enumerate(values, address))
        for number, block in enumerate(program.blocks):
            self.steps, self.units = [], []
            if not number:
                self.take_public_values()
            for index in range(len(block)):
                line = block.code[INSTRUCTION_WORDS * index : INSTRUCTION_WORDS * (index + 1)]
                self.scope, self.source = block.scopes[index], index
                before = len(self.steps), len(self.units)
                self.instruction(*line)
                if before == (len(self.steps), len(self.units)):
                    out.passive.add((number, index))
            out.blocks.append(self.steps)
            out.data.append(self.units)
        self.close_opening()
        shared, zero = _shared(out), self.zero(DEGREE)
        out.blocks = [fuse(steps, shared, out.opening, zero) for steps in out.blocks]
        return out

    def take_public_values(self) -> None:
        """The statement's words in units, each below p: the transcript absorbs words, sums take residues."""
        start, length = self.program.public
        self.scope = self.program.scopes.index(Scope.STATEMENT)
        for at in range(start, start + length, BLOCK_WORDS):
            words = tuple(range(at, min(at + BLOCK_WORDS, start + length)))
            self.units.append((words, self.scope))
            self.add(Kind.CANONICAL, (), words)
        if self.known:
            places = sorted(self.known)
            named = tuple(start + place for place in places)
            self.add(Kind.EQUAL, (), named, self.constant([self.known[place] for place in places]))

    def word(self, address: int) -> int:
        return self.alias.get(address, address)

    def run_of(self, address: int, count: int) -> Words:
        """The words of a run; powers among them are made."""
        for word in range(address, address + count):
            if word in self.unmade:
                self.make_power(*self.unmade[word])
        return tuple(map(self.word, range(address, address + count)))

    def fresh(self, count: int) -> Words:
        self.out.words += count
        return tuple(range(self.out.words - count, self.out.words))

    def constant(self, values: Sequence[int]) -> Words:
        for value in values:
            if value not in self.interned:
                (self.interned[value],) = self.fresh(1)
                self.out.constants[self.interned[value]] = value
        return tuple(self.interned[value] for value in values)

    def add(self, kind: Kind, out: Words, *args: Words, number: int = 0) -> Words:
        self.steps.append(Step(kind, out, args, number, self.scope, self.source))
        return out

    def make_light(self, kind: Kind, out: Words, *args: Words, number: int = 0) -> None:
        step = Step(kind, out, args, number, self.scope, self.source)
        self.out.light.update(dict.fromkeys(out, step))

    def instruction(
        self, opcode: int, out: int, a: int, b: int, c: int, count: int, _reason: int, _where: int
    ) -> None:
        code, run_of = Code(opcode), self.run_of
        if code in (Code.READ_ELEMENTS, Code.READ_WORDS):
            self.out.offsets.update(zip(range(out, out + count), range(a, a + count), strict=True))
            self.read(code, out, count)
        elif code is Code.COPY:
            self.rename(range(out, out + count), run_of(a, count))
        elif code is Code.EMBED:
            self.rename(range(out, out + DEGREE), run_of(a, 1) + self.constant([0] * (DEGREE - 1)))
        elif code is Code.HASH:
            self.hash(CONTEXTS[b], run_of(a, count), tuple(range(out, out + DIGEST_WORDS)))
        elif code is Code.HASH_WIDE:
            block = run_of(a, count) + self.constant([0] * (BLOCK_WORDS - count))
            key = self.constant(blake3_context_key(CONTEXTS[b]))
            flags = domain(0, 4 * count, START | END | ROOT | DERIVE)
            self.add(Kind.WIDE, tuple(range(out, out + 2 * DIGEST_WORDS)), key, block, number=flags)
        elif code is Code.BITS:
            for i in range(count):
                self.make_light(Kind.BIT, (out + i,), run_of(a, 1), number=i)
        elif code is Code.SELECT:
            written = tuple(range(out, out + count))
            self.make_light(Kind.SELECT, written, run_of(a, 1), run_of(b, count), run_of(c, count))
        elif code is Code.CHALLENGE:
            self.add(Kind.CHALLENGE, tuple(range(out, out + DEGREE)), run_of(a, 2 * DEGREE))
        elif code in _DIRECT:
            kind, sizes = _DIRECT[code]
            written = tuple(range(out, out + (1 if kind is Kind.MUL else DEGREE)))
            args = [run_of(address, size) for address, size in zip((a, b), sizes, strict=False)]
            if kind is Kind.INVERSE:
                self.add(Kind.NOT_ALL_ZERO, (), args[0])
            self.add(kind, written, *args, number=2 if code is Code.EXT_SUB else 0)
        elif code is Code.POWERS:
            self.take_powers(out, run_of(a, DEGREE), count)
        elif code in (Code.DOT, Code.EXT_DOT):
            self.dot(tuple(range(out, out + DEGREE)), a, b, count, 1 if code is Code.DOT else DEGREE)
        elif code is Code.ASSERT_EQUAL:
            self.add(Kind.EQUAL, (), run_of(a, count), run_of(b, count))
        elif code is Code.ASSERT_ZERO:
            self.add(Kind.ZERO, (), run_of(a, count))
        elif code is Code.ASSERT_NOT_ALL_ZERO:
            self.add(Kind.NOT_ALL_ZERO, (), run_of(a, count))
        else:
            self.out.items = tuple(self.word(a + i * b) for i in range(count))
            self.out.item = self.program.blocks[c].item

    def rename(self, names: Sequence[int], words: Words) -> None:
        self.alias.update(zip(names, words, strict=True))

    def read(self, code: Code, out: int, count: int) -> None:
        """Data in units: rows by BLAKE3 block, other elements one by one, digests, nonces."""
        if code is Code.READ_ELEMENTS:
            unit = BLOCK_WORDS if any(out <= at < out + count for at in self.base_data) else DEGREE
        else:
            unit = min(DIGEST_WORDS, count)
        for at in range(out, out + count, unit):
            words = tuple(range(at, min(at + unit, out + count)))
            self.units.append((words, self.scope))
            if code is Code.READ_ELEMENTS:
                self.add(Kind.CANONICAL, (), words)

    def take_powers(self, out: int, x: Words, count: int) -> None:
        self.powers.append((out, count, x))
        if not self.out.blocks:
            self.bases.setdefault(x, self.scope)
        self.rename(range(out, out + DEGREE), self.constant((1, 0, 0, 0, 0, 0)))
        if count > 1:
            self.rename(range(out + DEGREE, out + 2 * DEGREE), x)
        number = len(self.places)
        self.places.append((self.scope, self.source))
        for k in range(2, count):
            self.unmade.update(dict.fromkeys(range(out + DEGREE * k, out + DEGREE * (k + 1)), (number, k)))

    def make_power(self, number: int, k: int) -> None:
        """x^k from what there is: x^(k-1) x, else by halves."""
        out, _, x = self.powers[number]

        def words(exponent: int) -> Words:
            at = out + DEGREE * exponent
            if at in self.unmade:
                self.make_power(number, exponent)
            return x if exponent == 1 else tuple(range(at, at + DEGREE))

        at = out + DEGREE * k
        halve = at - DEGREE in self.unmade and k % 2 == 0
        factors = (words(k // 2), words(k // 2)) if halve else (words(k - 1), x)
        written = tuple(range(at, at + DEGREE))
        for word in written:
            del self.unmade[word]
        if self.out.blocks:  # a query reads it: the main program makes it
            scope, source = self.places[number]
            self.out.blocks[0].append(Step(Kind.PRODUCT, written, factors, 0, scope, source))
        else:
            self.add(Kind.PRODUCT, written, *factors)

    def hash(self, context: Context, words: Words, out: Words) -> None:
        known = self.out.constants
        if all(word in known for word in words):  # of the key alone
            data = to_bytes(known[word] for word in words)
            known.update(zip(out, to_words(digest(context, data)), strict=True))
            return
        if self.program.scopes[self.scope].endswith(Scope.OPENINGS):
            self.out.opening.hashes.append((context, words, out))
            if context is Context.OOD_LEAF:
                self.leaves.append((words, out, self.source))
                return
            left, right = words[:DIGEST_WORDS], words[DIGEST_WORDS:]
            self.digests[left] = (out, right, 0, self.source)
            self.digests[right] = (out, left, 1, self.source)
            return
        if context is Context.SEAL:
            self.out.seals.append(Seal(words, out, self.scope))
        if self.program.scopes[self.scope] == Scope.STATEMENT:
            self.out.claim = out
        key = self.constant(blake3_context_key(context))
        inner, zero = partial(self.fresh, DIGEST_WORDS), self.zero
        for chaining, block, number, result in compressions(key, words, out, inner, zero):
            self.add(Kind.COMPRESS, result, chaining, block, number=number)

    def zero(self, count: int) -> Words:
        return self.constant([0] * count)

    def dot(self, out: Words, weights: int, values: int, count: int, size: int) -> None:
        """Horner where the weights are powers of one element; else products one by one."""
        items = [self.run_of(values + size * i, size) for i in range(count)]
        for address, number, x in self.powers:
            first = (weights - address) // DEGREE
            if address <= weights and first + count <= number:
                self.horner(out, x, items, first)
                return
        factors = [self.run_of(weights + DEGREE * i, DEGREE) for i in range(count)]
        if all(word in self.out.constants for item in items for word in item) and count <= WINDOW:
            pairs = [words for pair in zip(factors, items, strict=True) for words in pair]
            self.add(Kind.HORNER, out, *pairs, self.zero(DEGREE))
            return
        if size == DEGREE and count == DEGREE and all(map(self.is_unit, factors, range(DEGREE))):
            self.horner(out, self.constant((0, 1, 0, 0, 0, 0)), items, 0)
            return
        total = self.constant([0] * DEGREE)
        for i, (factor, item) in enumerate(zip(factors, items, strict=True)):
            kind = Kind.SCALE if size == 1 else Kind.PRODUCT
            product = self.add(kind, self.fresh(DEGREE), factor, item)
            total = self.add(Kind.SUM, out if i == count - 1 else self.fresh(DEGREE), total, product)

    def is_unit(self, words: Words, i: int) -> bool:
        return [self.out.constants.get(word) for word in words] == [int(j == i) for j in range(DEGREE)]

    def horner(self, out: Words, x: Words, items: list[Words], first: int) -> None:
        """Sum of x^(first + i) items[i]; of a query's long rows several values a step, with small powers of x."""
        wide = self.out.blocks and len(items[0]) == 1 and len(items) > BLOCK_WORDS
        window = WINDOW if wide and x in self.bases else 1
        acc = items[-1] if len(items[-1]) == DEGREE else items[-1] + self.constant([0] * (DEGREE - 1))
        top = len(items) - 1
        while top > 0:
            start = (top - 1) // window * window
            # acc x^(top - start) + items[top - 1] x^(top - 1 - start) + .. + items[start]
            pairs = [acc, self.small_power(x, top - start)]
            for i in reversed(range(start + 1, top)):
                pairs += [items[i], self.small_power(x, i - start)]
            result = self.fresh(DEGREE) if start or first else out
            acc = self.add(Kind.HORNER, result, *pairs, items[start])
            top = start
        if first:
            power = next(address for address, count, y in self.powers if y == x and first < count)
            factor = self.run_of(power + DEGREE * first, DEGREE)
            self.add(Kind.PRODUCT, out, factor, acc)
        elif acc is not out:
            self.rename(out, acc)

    def small_power(self, x: Words, exponent: int) -> Words:
        """x^exponent for a query: the main program makes it, and every node that reads it makes it again."""
        if exponent == 1:
            return x
        if (x, exponent) not in self.small:
            factors = self.small_power(x, exponent - 1), x
            written = self.small[x, exponent] = self.fresh(DEGREE)
            step = Step(Kind.PRODUCT, written, factors, 0, self.bases[x], self.source)
            self.out.powers[written] = step
            self.out.blocks[0].append(step)
        return self.small[x, exponent]

    def close_opening(self) -> None:
        """Paths from the recorded tree; its words are no longer plain data."""
        opening = self.out.opening
        for leaf, (words, node, source) in enumerate(self.leaves):
            opening.leaves.append(words)
            opening.leaf.update(dict.fromkeys(words, leaf))
            opening.digests.append(node)
            path, sources = [], [source]
            while node in self.digests:
                parent, sibling, side, made_by = self.digests[node]
                path.append((sibling, side, parent))
                sources.append(made_by)
                node = parent
            opening.paths.append(path)
            opening.sources.append(sources)
            opening.root = node
        opened = opening.leaf
        self.out.data[0] = [unit for unit in self.out.data[0] if unit[0][0] not in opened]
        self.out.blocks[0] = [
            step
            for step in self.out.blocks[0]
            if not (step.kind is Kind.CANONICAL and step.args[0][0] in opened)
        ]
        if opening.root:
            scope = self.program.scopes.index(Scope.TRANSCRIPT)
            self.out.data[0].append((opening.root, scope))


def _shared(lowered: Lowered) -> set[int]:
    """Words that more than one reader has, or one that is no step of the same block."""
    seen: dict[int, int] = {}
    shared = set(lowered.items) | {word for light in lowered.light.values() for word in light.reads}
    for number, steps in enumerate(lowered.blocks):
        made = {word for step in steps for word in step.out}
        for step in steps:
            for arg in step.args:
                for word in arg:
                    if word in seen or word not in made:
                        shared.add(word)
                    seen[word] = number
    return shared


def fuse(steps: list[Step], shared: set[int], opening: Opening, zero: Words) -> list[Step]:
    """Sums of sums as one sum, a product added to as HORNER, where nobody else reads what is between.

    A sum reads at most `MAX_LEAVES` leaves of openings, since its node brings them all.
    """
    makers: dict[int, Step] = {}
    gone: set[int] = set()
    out: list[Step] = []

    def maker(step: Step, words: Words, kinds: tuple[Kind, ...]) -> Step | None:
        """The step whose only reader is this one."""
        made = makers.get(words[0])
        same = made is not None and made.out == words and made.scope == step.scope
        return made if same and made and made.kind in kinds and not shared & set(words) else None

    for step in steps:
        if step.kind is Kind.SUM:
            step = _absorb(step, maker, gone, opening, zero)
        out.append(step)
        makers.update(dict.fromkeys(step.out, step))
    return [step for step in out if id(step) not in gone]


def _absorb(
    step: Step,
    maker: Callable[[Step, Words, tuple[Kind, ...]], Step | None],
    gone: set[int],
    opening: Opening,
    zero: Words,
) -> Step:
    terms: list[tuple[int, Words]] = []
    merged: list[int] = []
    for i, arg in enumerate(step.args):
        sign = step.number >> i & 1
        inner = maker(step, arg, (Kind.SUM,))
        if (
            inner is None
            or len(inner.args) + len(terms) + len(step.args) - i - 1 > MAX_TERMS
            or len(opening.leaves_of([*inner.reads, *step.reads, *(w for _, a in terms for w in a)]))
            > MAX_LEAVES
        ):
            terms.append((sign, arg))
            continue
        terms += [(sign ^ (inner.number >> j & 1), word) for j, word in enumerate(inner.args)]
        merged += [inner.source, *inner.merged]
        gone.add(id(inner))
    if len(terms) == 2 and not terms[0][0] and not terms[1][0]:
        for (_, arg), (_, other) in (terms, terms[::-1]):
            product = maker(step, arg, (Kind.PRODUCT, Kind.SCALE))
            if product is not None:
                gone.add(id(product))
                merged += [product.source, *product.merged]
                a, b = product.args
                return replace(step, kind=Kind.HORNER, args=(a, b, other), number=0, merged=tuple(merged))
            dot = maker(step, arg, (Kind.HORNER,))
            if dot is not None and dot.args[-1] == zero:
                gone.add(id(dot))
                merged += [dot.source, *dot.merged]
                args = (*dot.args[:-1], other)
                return replace(step, kind=Kind.HORNER, args=args, number=0, merged=tuple(merged))
    mask = sum(sign << i for i, (sign, _) in enumerate(terms))
    return replace(step, args=tuple(arg for _, arg in terms), number=mask, merged=tuple(merged))


def _base_ranges(program: Program) -> set[int]:
    """First addresses of rows: the base operands of dot products."""
    found = set()
    for block in program.blocks:
        for at in range(0, len(block.code), INSTRUCTION_WORDS):
            if block.code[at] == Code.DOT:
                found.add(block.code[at + 3])
    return found
