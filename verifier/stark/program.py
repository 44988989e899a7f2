"""The verifier as a straight-line Program: the steps recorded once, array-backed.

Memory is a flat run of words, each written once: constants, public values, then results in order. An
instruction is eight words (opcode, destination, a, b, c, count, reason, where). The query is a sub-program
recorded once; FOR_EACH runs it once an item over the same local memory, its reads offset by the query's
number.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from prover.field import DEGREE
from prover.hashing import DIGEST_WORDS, Context
from prover.key import VerifyingKey
from verifier.stark.reasons import RejectReason
from verifier.stark.steps import verify_steps

INSTRUCTION_WORDS = 8
CONTEXTS = list(Context)
REASONS = list(RejectReason)


class Code(IntEnum):
    """Opcodes; operands a, b, c are addresses unless said otherwise."""

    READ_ELEMENTS = 0  # a = offset in the body (in a sub-program: in the item's part)
    READ_WORDS = 1  # a = offset
    COPY = 2  # count words from a
    HASH = 3  # count words from a, context b; 8 words out
    HASH_WIDE = 4  # the same; 16 words out
    BITS = 5  # low count bits of a
    SELECT = 6  # a = bit, b = zero, c = one, count words
    CHALLENGE = 7  # 16 words of a
    MUL = 8
    EXT_ADD = 9
    EXT_SUB = 10
    EXT_MUL = 11
    EXT_SCALE = 12  # b base
    EXT_INVERSE = 13
    EMBED = 14
    POWERS = 15  # count powers of a
    DOT = 16  # a = weights, b = base values, count of them
    EXT_DOT = 17
    ASSERT_EQUAL = 18  # count words of a (got) and b (expected)
    ASSERT_ZERO = 19
    ASSERT_NOT_ALL_ZERO = 20
    FOR_EACH = 21  # a = items, b = words an item, c = sub-program, count items


class Ref(NamedTuple):
    """A run of memory."""

    address: int
    length: int


@dataclass
class Block:
    """Instructions of the main program or of a sub-program.

    Attributes:
        code: eight words each.
        scopes: of each instruction, a number in `Program.scopes`; a sub-program's count from its own top.
        reads: words of the body that it reads.
        item: address where a sub-program finds its item.
    """

    code: array[int] = field(default_factory=lambda: array("I"))
    scopes: array[int] = field(default_factory=lambda: array("I"))
    reads: int = 0
    item: int = 0

    def __len__(self) -> int:
        return len(self.code) // INSTRUCTION_WORDS


class Loop(NamedTuple):
    """A FOR_EACH: its name, its sub-program, how often it runs."""

    name: str
    block: int
    times: int


@dataclass
class Program:
    """The verifier for one key.

    Attributes:
        constants: (address, words) of memory set before the run.
        public: where the public values go.
        blocks: main program first.
        labels: texts of `where`.
        scopes: names of scopes, nested ones with slashes; the first is the top, "".
        memory_words: size of memory.
        body_words: words of the proof's body that it reads in all.
    """

    constants: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    public: Ref = field(default_factory=lambda: Ref(0, 0))
    blocks: list[Block] = field(default_factory=lambda: [Block()])
    labels: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=lambda: [""])
    memory_words: int = 0
    body_words: int = 0

    def counts(self) -> dict[str, int]:
        """Executed instructions by opcode, loops unrolled."""
        out: dict[str, int] = {}
        times = {0: 1} | {loop.block: loop.times for loop in self.loops()}
        for number, block in enumerate(self.blocks):
            for at in range(0, len(block.code), INSTRUCTION_WORDS):
                name = Code(block.code[at]).name
                out[name] = out.get(name, 0) + times[number]
        return out

    def loops(self) -> list[Loop]:
        """The main program's loops, in order."""
        main = self.blocks[0].code
        return [
            Loop(self.labels[main[at + 7]], main[at + 4], main[at + 5])
            for at in range(0, len(main), INSTRUCTION_WORDS)
            if main[at] == Code.FOR_EACH
        ]


class Recorder:
    """`Ops` that writes a Program."""

    def __init__(self, num_public_values: int) -> None:
        self.program = Program()
        self._block = self.program.blocks[0]
        self._known: dict[tuple[int, ...], Ref] = {}
        self._labels: dict[str, int] = {}
        self._scope = 0
        self.program.public = self._allocate(num_public_values)

    def _allocate(self, count: int) -> Ref:
        ref = Ref(self.program.memory_words, count)
        self.program.memory_words += count
        return ref

    def _label(self, where: str) -> int:
        if where not in self._labels:
            self._labels[where] = len(self._labels)
            self.program.labels.append(where)
        return self._labels[where]

    def _emit(
        self,
        code: Code,
        length: int,
        a: int = 0,
        b: int = 0,
        c: int = 0,
        count: int = 0,
        reason: int = 0,
        where: int = 0,
    ) -> Ref:
        out = self._allocate(length)
        self._block.scopes.append(self._scope)
        self._block.code.extend((code, out.address, a, b, c, count, reason, where))
        return out

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Instructions recorded inside carry the name."""
        outer, scopes = self._scope, self.program.scopes
        path = f"{scopes[outer]}/{name}" if outer else name
        if path not in scopes:
            scopes.append(path)
        self._scope = scopes.index(path)
        yield
        self._scope = outer

    def constant(self, words: Sequence[int]) -> Ref:
        """Interned."""
        key = tuple(words)
        if key not in self._known:
            self._known[key] = self._allocate(len(key))
            self.program.constants.append((self._known[key].address, key))
        return self._known[key]

    def public_values(self) -> Ref:
        """Set before the run."""
        return self.program.public

    def _read(self, code: Code, count: int, where: int) -> Ref:
        offset = self._block.reads
        self._block.reads += count
        return self._emit(code, count, offset, count=count, where=where)

    def read_elements(self, count: int, where: str) -> Ref:
        """READ_ELEMENTS."""
        return self._read(Code.READ_ELEMENTS, count, self._label(where))

    def read_words(self, count: int) -> Ref:
        """READ_WORDS."""
        return self._read(Code.READ_WORDS, count, 0)

    def part(self, a: Ref, start: int, count: int) -> Ref:
        """No instruction."""
        if start + count > a.length:
            raise IndexError(f"words {start}..{start + count} of {a.length}")
        return Ref(a.address + start, count)

    def join(self, parts: Sequence[Ref]) -> Ref:
        """One COPY a run of neighbouring parts; none where all are neighbours already."""
        runs: list[Ref] = []
        for part in parts:
            if runs and runs[-1].address + runs[-1].length == part.address:
                runs[-1] = Ref(runs[-1].address, runs[-1].length + part.length)
            else:
                runs.append(part)
        if len(runs) == 1:
            return runs[0]
        start = self.program.memory_words
        for run in runs:
            self._emit(Code.COPY, run.length, run.address, count=run.length)
        return Ref(start, self.program.memory_words - start)

    def hash(self, context: Context, words: Ref) -> Ref:
        """HASH."""
        number = CONTEXTS.index(context)
        return self._emit(Code.HASH, DIGEST_WORDS, words.address, number, count=words.length)

    def hash_wide(self, context: Context, words: Ref) -> Ref:
        """HASH_WIDE."""
        number = CONTEXTS.index(context)
        return self._emit(Code.HASH_WIDE, 2 * DIGEST_WORDS, words.address, number, count=words.length)

    def bits(self, word: Ref, count: int) -> Ref:
        """BITS."""
        return self._emit(Code.BITS, count, word.address, count=count)

    def select(self, bit: Ref, zero: Ref, one: Ref) -> Ref:
        """SELECT."""
        if zero.length != one.length:
            raise IndexError(f"select between {zero.length} and {one.length} words")
        return self._emit(Code.SELECT, zero.length, bit.address, zero.address, one.address, zero.length)

    def challenge(self, block: Ref) -> Ref:
        """CHALLENGE."""
        return self._emit(Code.CHALLENGE, DEGREE, block.address)

    def mul(self, a: Ref, b: Ref) -> Ref:
        """MUL."""
        return self._emit(Code.MUL, 1, a.address, b.address)

    def ext_add(self, a: Ref, b: Ref) -> Ref:
        """EXT_ADD."""
        return self._emit(Code.EXT_ADD, DEGREE, a.address, b.address)

    def ext_sub(self, a: Ref, b: Ref) -> Ref:
        """EXT_SUB."""
        return self._emit(Code.EXT_SUB, DEGREE, a.address, b.address)

    def ext_mul(self, a: Ref, b: Ref) -> Ref:
        """EXT_MUL."""
        return self._emit(Code.EXT_MUL, DEGREE, a.address, b.address)

    def ext_scale(self, a: Ref, b: Ref) -> Ref:
        """EXT_SCALE."""
        return self._emit(Code.EXT_SCALE, DEGREE, a.address, b.address)

    def ext_inverse(self, a: Ref, where: str) -> Ref:
        """EXT_INVERSE."""
        return self._emit(Code.EXT_INVERSE, DEGREE, a.address, where=self._label(where))

    def embed(self, a: Ref) -> Ref:
        """EMBED."""
        return self._emit(Code.EMBED, DEGREE, a.address)

    def powers(self, a: Ref, count: int) -> Ref:
        """POWERS."""
        return self._emit(Code.POWERS, DEGREE * count, a.address, count=count)

    def dot(self, weights: Ref, values: Ref) -> Ref:
        """DOT."""
        if weights.length != DEGREE * values.length:
            raise IndexError(f"{weights.length} words of weights for {values.length} values")
        return self._emit(Code.DOT, DEGREE, weights.address, values.address, count=values.length)

    def ext_dot(self, weights: Ref, values: Ref) -> Ref:
        """EXT_DOT."""
        if weights.length != values.length:
            raise IndexError(f"{weights.length} words of weights for {values.length} of values")
        count = values.length // DEGREE
        return self._emit(Code.EXT_DOT, DEGREE, weights.address, values.address, count=count)

    def _check(self, code: Code, a: Ref, b: int, reason: RejectReason, where: str) -> None:
        number = REASONS.index(reason)
        self._emit(code, 0, a.address, b, count=a.length, reason=number, where=self._label(where))

    def assert_equal(self, got: Ref, expected: Ref, reason: RejectReason, where: str) -> None:
        """ASSERT_EQUAL."""
        if got.length != expected.length:
            raise IndexError(f"{got.length} words against {expected.length}")
        self._check(Code.ASSERT_EQUAL, got, expected.address, reason, where)

    def assert_zero(self, got: Ref, reason: RejectReason, where: str) -> None:
        """ASSERT_ZERO."""
        self._check(Code.ASSERT_ZERO, got, 0, reason, where)

    def assert_not_all_zero(self, got: Ref, reason: RejectReason, where: str) -> None:
        """ASSERT_NOT_ALL_ZERO."""
        self._check(Code.ASSERT_NOT_ALL_ZERO, got, 0, reason, where)

    def for_each(self, name: str, items: Ref, count: int, body: Callable[[Ref], None]) -> None:
        """FOR_EACH, its body a block of its own (no nesting)."""
        width = items.length // count
        outer, number, scope = self._block, len(self.program.blocks), self._scope
        item = self._allocate(width)
        self._block, self._scope = Block(item=item.address), 0
        self.program.blocks.append(self._block)
        body(item)
        inner, self._block, self._scope = self._block, outer, scope
        offset = outer.reads
        outer.reads += count * inner.reads
        outer.scopes.append(scope)
        # The destination word holds the body offset of the first item's part.
        outer.code.extend((Code.FOR_EACH, offset, items.address, width, number, count, 0, self._label(name)))


def record(key: VerifyingKey) -> Program:
    """The Program of a key's verifier."""
    recorder = Recorder(key.system.num_public_values)
    verify_steps(recorder, key)
    recorder.program.body_words = recorder.program.blocks[0].reads
    return recorder.program
