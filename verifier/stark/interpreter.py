"""The Program on plain integers: what every instruction writes, for whoever must show a single step.

Slow and plain; the native interpreter (`verifier.fast`) must agree word by word.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from prover.field import DEGREE
from verifier.stark.program import CONTEXTS, INSTRUCTION_WORDS, REASONS, Code, Program
from verifier.stark.reasons import VerificationError
from verifier.stark.reference import ReferenceOps, Words

_BINARY = {
    Code.MUL: ("mul", 1, 1),
    Code.EXT_ADD: ("ext_add", DEGREE, DEGREE),
    Code.EXT_SUB: ("ext_sub", DEGREE, DEGREE),
    Code.EXT_MUL: ("ext_mul", DEGREE, DEGREE),
    Code.EXT_SCALE: ("ext_scale", DEGREE, 1),
}
_ASSERTIONS = {
    Code.ASSERT_EQUAL: "assert_equal",
    Code.ASSERT_ZERO: "assert_zero",
    Code.ASSERT_NOT_ALL_ZERO: "assert_not_all_zero",
}


@dataclass
class Execution:
    """A run.

    Attributes:
        memory: at the end of the run; a loop leaves the words of its last item.
        rejection: why it stopped; None where it accepted.
        items: block number -> memory words that its instructions wrote, one dict a run of the block.
    """

    memory: array[int]
    rejection: VerificationError | None
    items: dict[int, list[dict[int, int]]]


class _Run:
    def __init__(self, program: Program, body: array[int], public_values: Sequence[int]) -> None:
        self.program, self.body = program, body
        self.memory = array("I", bytes(4 * program.memory_words))
        for address, words in program.constants:
            self.memory[address : address + len(words)] = array("I", words)
        start, length = program.public
        self.memory[start : start + length] = array("I", public_values)
        self.items: dict[int, list[dict[int, int]]] = {}

    def words(self, address: int, count: int) -> Words:
        return tuple(self.memory[address : address + count])

    def block(self, number: int, base: int, scope: str) -> dict[int, int]:
        """Runs a block whose reads count from `base`; gives what it wrote."""
        code, written = self.program.blocks[number].code, dict[int, int]()
        for at in range(0, len(code), INSTRUCTION_WORDS):
            line = code[at : at + INSTRUCTION_WORDS]
            if line[0] == Code.FOR_EACH:
                self.loop(line)
                continue
            result = self.step(line, base, scope)
            self.memory[line[1] : line[1] + len(result)] = array("I", result)
            written.update(enumerate(result, line[1]))
        return written

    def loop(self, line: array[int]) -> None:
        _, offset, items, width, number, count, _, name = line
        block = self.program.blocks[number]
        runs = self.items.setdefault(number, [])
        for i in range(count):
            self.memory[block.item : block.item + width] = array("I", self.words(items + i * width, width))
            scope = f"{self.program.labels[name]} {i}: "
            runs.append(self.block(number, offset + i * block.reads, scope))

    def step(self, line: array[int], base: int, scope: str) -> Words:
        """One instruction's result."""
        code, _, a, b, c, count, reason, where = line
        code = Code(code)
        label = scope + self.program.labels[where] if self.program.labels else scope
        if code in (Code.READ_ELEMENTS, Code.READ_WORDS):
            source = self.body[base + a : base + a + count]
            ops = ReferenceOps(source, ())
            return ops.read_elements(count, label) if code is Code.READ_ELEMENTS else ops.read_words(count)
        ops = ReferenceOps(array("I"), ())
        if code in _BINARY:
            name, left, right = _BINARY[code]
            result: Words = getattr(ops, name)(self.words(a, left), self.words(b, right))
            return result
        if code in _ASSERTIONS:
            operands = [self.words(a, count)]
            if code is Code.ASSERT_EQUAL:
                operands.append(self.words(b, count))
            getattr(ops, _ASSERTIONS[code])(*operands, REASONS[reason], label)
            return ()
        if code is Code.COPY:
            return self.words(a, count)
        if code is Code.HASH:
            return ops.hash(CONTEXTS[b], self.words(a, count))
        if code is Code.HASH_WIDE:
            return ops.hash_wide(CONTEXTS[b], self.words(a, count))
        if code is Code.BITS:
            return ops.bits(self.words(a, 1), count)
        if code is Code.SELECT:
            return ops.select(self.words(a, 1), self.words(b, count), self.words(c, count))
        if code is Code.CHALLENGE:
            return ops.challenge(self.words(a, 16))
        if code is Code.EXT_INVERSE:
            return ops.ext_inverse(self.words(a, DEGREE), label)
        if code is Code.EMBED:
            return ops.embed(self.words(a, 1))
        if code is Code.POWERS:
            return ops.powers(self.words(a, DEGREE), count)
        if code is Code.DOT:
            return ops.dot(self.words(a, DEGREE * count), self.words(b, count))
        return ops.ext_dot(self.words(a, DEGREE * count), self.words(b, DEGREE * count))


def execute(program: Program, body: array[int], public_values: Sequence[int]) -> Execution:
    """Runs a Program on a proof's body.

    Args:
        program: from `verifier.stark.program.record`.
        body: `Proof.words`.
        public_values: `Proof.public_values`.
    """
    run = _Run(program, body, public_values)
    try:
        run.block(0, 0, "")
    except VerificationError as error:
        return Execution(run.memory, error, run.items)
    return Execution(run.memory, None, run.items)
