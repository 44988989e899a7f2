"""The machine in plain Python: the specification of the instruction set (docs/machine.md).

Stricter than the tables in one point: arithmetic on a raw word is refused here, while the `add` table leaves
one operand's limbs to its caller. A program that runs here keeps that discipline, on what it was run with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from circuits.machine.errors import MachineError, MachineReason
from circuits.machine.isa import CELL_DEPTH, EXIT_DEPTH, READS_A, READS_B, READS_D, WRITES_D, Opcode
from circuits.machine.program import Instruction, Program
from circuits.machine.words import (
    EMPTY_CELL,
    U32_LIMIT,
    U64_LIMIT,
    ZERO,
    Cell,
    Word,
    int_from_word,
    is_u64,
    pack,
    raw_word,
    word_from_int,
)
from prover.poseidon2 import P, compress

NUM_PUBLIC_WORDS: Final = 21
"""Public words that OUT can set."""
MAX_STEPS: Final = (1 << 20) - 1
"""Times 4 clk + 3 stay below those of drains (isa.MEMORY_DRAIN_TS)."""
CELL_WORDS: Final = 5

Digest = tuple[int, ...]
CheckSignature = Callable[[Digest, Digest, int], bool]
"""(message, owner, leaf) -> valid; digests have shape (8,)."""


@dataclass(frozen=True)
class Step:
    """A row of the cpu table. `h` is the hash state before the step; vc is 0 for what has no register d."""

    clk: int
    pc: int
    va: Word
    vb: Word
    vc: Word
    h: Digest


@dataclass
class Execution:
    """State of the machine while it runs, and its results.

    Attributes:
        public: Public words that were set.
        exit_leaves: Exit leaf number to digest.
        cells_before: Each touched cell as it was, in order of first touch.
        cells: Every cell that is not empty, as it is now.
        signatures: Requests (message, owner, leaf), in order.
        steps: The log.
    """

    cells: dict[int, Cell]
    public: dict[int, Word] = field(default_factory=dict)
    exit_leaves: dict[int, Digest] = field(default_factory=dict)
    cells_before: dict[int, Cell] = field(default_factory=dict)
    signatures: list[tuple[Digest, Digest, int]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    registers: dict[int, Word] = field(default_factory=dict)
    h: Digest = (0,) * 8
    pc: int = 0
    tape_position: int = 0

    def touch(self, index: int) -> Cell:
        """The cell's present words; the first time, they are noted as `before`."""
        cell = self.cells.get(index, EMPTY_CELL)
        self.cells_before.setdefault(index, cell)
        return cell


class _NoTraceError(Exception):
    """A step without a trace; `run` adds where."""

    def __init__(self, reason: MachineReason) -> None:
        self.reason = reason


def _require(condition: bool, reason: MachineReason) -> None:
    if not condition:
        raise _NoTraceError(reason)


def _u64(word: Word) -> int:
    _require(is_u64(word), MachineReason.NOT_U64)
    return int_from_word(word)


def _u32(word: Word) -> int:
    value = _u64(word)
    _require(value < U32_LIMIT, MachineReason.NOT_U32)
    return value


def _compute(op: Opcode, instruction: Instruction, va: Word, vb: Word, h: Digest) -> Word:
    """Result of an instruction that writes d from its operands alone."""
    if op is Opcode.LI:
        return instruction.imm0, instruction.imm1, 0, 0
    if op is Opcode.MOV:
        return va
    if op is Opcode.ADD:
        total = _u64(va) + _u64(vb)
        _require(total < U64_LIMIT, MachineReason.CARRY)
        return word_from_int(total)
    if op is Opcode.SUB:
        difference = _u64(va) - _u64(vb)
        _require(difference >= 0, MachineReason.BORROW)
        return word_from_int(difference)
    if op is Opcode.PACK:
        return pack(_u32(va), _u32(vb))
    if op is Opcode.LO:
        return word_from_int(_u64(va) % U32_LIMIT)
    if op is Opcode.HI:
        return word_from_int(_u64(va) // U32_LIMIT)
    return raw_word(h[:4] if op is Opcode.HGETL else h[4:])


def _jumps(op: Opcode, va: Word, vb: Word) -> bool:
    """Whether a jump is taken."""
    if op in (Opcode.JEQ, Opcode.JNE):
        return (va == vb) == (op is Opcode.JEQ)
    if op in (Opcode.JLT, Opcode.JGE):
        return (_u64(va) < _u64(vb)) == (op is Opcode.JLT)
    return op is Opcode.JMP


def _next_hash(op: Opcode, tag: int, h: Digest, va: Word, vb: Word, vc: Word) -> Digest:
    """The hash state after a step."""
    if op is Opcode.HSET:
        return va + vb
    if op is Opcode.HASH:
        return compress(24, [tag, *h, *va, *vb, *vc], 8)
    if op is Opcode.MULDIV:
        a, b, c = _u64(va), _u64(vb), _u64(vc)
        _require(c != 0, MachineReason.DIVISOR)
        quotient, remainder = divmod(a * b, c)
        _require(quotient < U64_LIMIT, MachineReason.QUOTIENT)
        return word_from_int(quotient) + word_from_int(remainder)
    return h


def _hint(op: Opcode, state: Execution, tape: Sequence[Sequence[int]]) -> Word:
    """The next word of the tape."""
    _require(state.tape_position < len(tape), MachineReason.TAPE)
    word = raw_word(tape[state.tape_position])
    limit = 1 << 16 if op is Opcode.HINT else P
    _require(all(0 <= element < limit for element in word), MachineReason.ELEMENT)
    state.tape_position += 1
    return word


def _cell_index(va: Word, word: int) -> int:
    index = _u64(va)
    _require(index < 1 << CELL_DEPTH, MachineReason.ADDRESS)
    _require(word < CELL_WORDS, MachineReason.CELL_WORD)
    return index


def _effects(
    op: Opcode, imm: int, state: Execution, va: Word, vb: Word, vc: Word, check: CheckSignature
) -> None:
    """What a step does outside registers, pc and h."""
    if op is Opcode.STORE:
        index = _cell_index(va, imm)
        words = list(state.touch(index))
        words[imm] = vc
        first, second, third, fourth, fifth = words
        state.cells[index] = (first, second, third, fourth, fifth)
    elif op is Opcode.ASSERT:
        _require(va == vb, MachineReason.ASSERTION)
    elif op is Opcode.SIG:
        request = (state.h, va + vb, _u32(vc))
        _require(check(*request), MachineReason.SIGNATURE)
        state.signatures.append(request)
    elif op is Opcode.LEAF:
        leaf = _u64(va)
        _require(leaf < 1 << EXIT_DEPTH and leaf not in state.exit_leaves, MachineReason.EXIT_LEAF)
        state.exit_leaves[leaf] = state.h
    elif op is Opcode.OUT:
        _require(imm < NUM_PUBLIC_WORDS and imm not in state.public, MachineReason.PUBLIC)
        state.public[imm] = va


def _step(program: Program, state: Execution, tape: Sequence[Sequence[int]], check: CheckSignature) -> bool:
    """One step.

    Returns:
        Whether the machine goes on.
    """
    _require(state.pc < len(program), MachineReason.PC)
    instruction = program.instructions[state.pc]
    op, imm = instruction.op, instruction.imm0
    _require(op is not Opcode.PAD, MachineReason.OPCODE)
    va = state.registers.get(instruction.a, ZERO) if op in READS_A else ZERO
    vb = state.registers.get(instruction.b, ZERO) if op in READS_B else ZERO
    vc = state.registers.get(instruction.d, ZERO) if op in READS_D else ZERO
    if op in (Opcode.HINT, Opcode.HINTR):
        vc = _hint(op, state, tape)
    elif op is Opcode.LOAD:
        vc = state.touch(_cell_index(va, imm))[imm]
    elif op in WRITES_D:
        vc = _compute(op, instruction, va, vb, state.h)
    next_h = _next_hash(op, imm, state.h, va, vb, vc)
    next_pc = imm if _jumps(op, va, vb) else state.pc + 1
    _effects(op, imm, state, va, vb, vc, check)
    state.steps.append(Step(len(state.steps) + 1, state.pc, va, vb, vc, state.h))
    if op in WRITES_D:
        state.registers[instruction.d] = vc
    state.h, state.pc = next_h, next_pc
    return op is not Opcode.HALT


def interpret(
    program: Program,
    cells: Mapping[int, Cell],
    tape: Sequence[Sequence[int]],
    check_signature: CheckSignature,
    max_steps: int = MAX_STEPS,
) -> Execution:
    """Run a program to its HALT.

    Args:
        program: What to run, from instruction 0.
        cells: Cells that are not empty, by index.
        tape: Words for HINT and HINTR, in order.
        check_signature: Decides each SIG.
        max_steps: Steps allowed, HALT included.

    Raises:
        MachineError: A step has no trace; with its reason, pc and clk.
    """
    state = Execution(dict(cells))
    try:
        while True:
            _require(len(state.steps) < max_steps, MachineReason.STEPS)
            if not _step(program, state, tape, check_signature):
                return state
    except _NoTraceError as stop:
        place = program.place(state.pc)
        raise MachineError(stop.reason, state.pc, len(state.steps) + 1, place) from None
