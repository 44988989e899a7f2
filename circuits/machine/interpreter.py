"""The machine in plain Python: the specification of the instruction set (docs/machine.md).

Stricter than the tables in one point: arithmetic on a raw word is refused here, while the tables leave some
limbs to their caller. A program that runs here keeps that discipline, on what it was run with.

One choice is the prover's: when to TRAP. Here it is made as operand b of GASSET advises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from circuits.machine.code import code_hash
from circuits.machine.errors import MachineError, MachineReason
from circuits.machine.isa import (
    CELL_DEPTH,
    EXIT_DEPTH,
    FAULT_PC,
    FAULTING,
    KERNEL_ONLY,
    MULDIV_GAS,
    NUM_PUBLIC_WORDS,
    READS_A,
    READS_B,
    READS_D,
    STEP_GAS,
    TRAP_PC,
    USER_A,
    USER_D,
    USER_ONLY,
    WRITES_D,
    Opcode,
)
from circuits.machine.program import Instruction, Program, parse
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

MAX_STEPS: Final = (1 << 20) - 1
"""Times 4 clk + 3 stay below those of drains (isa.MEMORY_DRAIN_TS)."""
CELL_WORDS: Final = 5
KERNEL_FRAME: Final = 0

Digest = tuple[int, ...]
CheckSignature = Callable[[Digest, Digest, int], bool]
"""(message, owner, leaf) -> valid; digests have shape (8,)."""


@dataclass(frozen=True)
class Step:
    """A row of the cpu table: its instruction, its words, and the state before it.

    vc is 0 for what has no register d. `fault`: the step is a user's arithmetic that overflows.
    """

    clk: int
    pc: int
    instruction: Instruction
    va: Word
    vb: Word
    vc: Word
    h: Digest
    user: int
    saved_pc: int
    program: int
    uframe: int
    space: int
    gas: int
    fault: int


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
        entered: Programs in the order of their first ENTER, as numbers of `interpret`'s `programs`.
        seeds: (space, cell, word) touched in a shadow, with the value that it was opened with.
        shadows: The same, as left.
    """

    cells: dict[int, Cell]
    public: dict[int, Word] = field(default_factory=dict)
    exit_leaves: dict[int, Digest] = field(default_factory=dict)
    cells_before: dict[int, Cell] = field(default_factory=dict)
    signatures: list[tuple[Digest, Digest, int]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    registers: dict[tuple[int, int], Word] = field(default_factory=dict)
    entered: list[int] = field(default_factory=list)
    seeds: dict[tuple[int, int, int], Word] = field(default_factory=dict)
    shadows: dict[tuple[int, int, int], Word] = field(default_factory=dict)
    h: Digest = (0,) * 8
    pc: int = 0
    tape_position: int = 0
    user: bool = False
    saved_pc: int = 0
    program: int = 0
    uframe: int = 0
    space: int = 0
    gas: int = 0
    trap_gas: int = U64_LIMIT
    called: bool = False

    def touch(self, index: int) -> Cell:
        """The cell's present words; the first time, they are noted as `before`."""
        cell = self.cells.get(index, EMPTY_CELL)
        self.cells_before.setdefault(index, cell)
        return cell

    def load(self, index: int, word: int) -> Word:
        """A cell word in the present space."""
        value = self.touch(index)[word]
        if not self.space:
            return value
        key = (self.space, index, word)
        self.seeds.setdefault(key, value)
        return self.shadows.setdefault(key, value)

    def store(self, index: int, word: int, value: Word) -> None:
        """Write a cell word in the present space."""
        if self.space:
            self.load(index, word)
            self.shadows[self.space, index, word] = value
            return
        words = list(self.touch(index))
        words[word] = value
        first, second, third, fourth, fifth = words
        self.cells[index] = (first, second, third, fourth, fifth)

    def frames(self, op: Opcode) -> tuple[int, int, int]:
        """Register files of operands a, b, d."""
        frame = self.uframe if self.user else KERNEL_FRAME
        return (self.uframe if op in USER_A else frame, frame, self.uframe if op in USER_D else frame)


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


def _overflows(op: Opcode, va: Word, vb: Word, vc: Word) -> MachineReason | None:
    """Whether arithmetic does not fit, and how."""
    if op is Opcode.ADD:
        return MachineReason.CARRY if _u64(va) + _u64(vb) >= U64_LIMIT else None
    if op is Opcode.SUB:
        return MachineReason.BORROW if _u64(va) < _u64(vb) else None
    if op is not Opcode.MULDIV:
        return None
    a, b, c = _u64(va), _u64(vb), _u64(vc)
    if c == 0:
        return MachineReason.DIVISOR
    return MachineReason.QUOTIENT if a * b // c >= U64_LIMIT else None


def _compute(op: Opcode, instruction: Instruction, va: Word, vb: Word, state: Execution) -> Word:
    """Result of an instruction that writes d from its operands and the state."""
    if op is Opcode.LI:
        return instruction.imm0, instruction.imm1, 0, 0
    if op in (Opcode.MOV, Opcode.ENTRY, Opcode.UGET, Opcode.UPUT):
        return va
    if op is Opcode.ADD:
        return word_from_int((_u64(va) + _u64(vb)) % U64_LIMIT)
    if op is Opcode.SUB:
        return word_from_int((_u64(va) - _u64(vb)) % U64_LIMIT)
    if op is Opcode.PACK:
        if state.user:
            return pack(_u64(va) % U32_LIMIT, _u64(vb) % U32_LIMIT)
        return pack(_u32(va), _u32(vb))
    if op is Opcode.LO:
        return word_from_int(_u64(va) % U32_LIMIT)
    if op is Opcode.HI:
        return word_from_int(_u64(va) // U32_LIMIT)
    if op is Opcode.GAS:
        return word_from_int(state.gas)
    if op is Opcode.HWORD:
        return pack(state.h[0], state.h[1])
    return raw_word(state.h[:4] if op is Opcode.HGETL else state.h[4:])


def _jumps(op: Opcode, va: Word, vb: Word) -> bool:
    """Whether a jump is taken."""
    if op in (Opcode.JEQ, Opcode.JNE):
        return (va == vb) == (op is Opcode.JEQ)
    if op in (Opcode.JLT, Opcode.JGE):
        return (_u64(va) < _u64(vb)) == (op is Opcode.JLT)
    return op is Opcode.JMP


def _next_hash(op: Opcode, tag: int, h: Digest, va: Word, vb: Word, vc: Word, overflow: bool) -> Digest:
    """The hash state after a step."""
    if op is Opcode.HSET:
        return va + vb
    if op is Opcode.HASH:
        return compress(24, [tag, *h, *va, *vb, *vc], 8)
    if op is Opcode.MULDIV:
        product = _u64(va) * _u64(vb)
        if overflow:
            return word_from_int(product % U64_LIMIT) + word_from_int(product // U64_LIMIT)
        quotient, remainder = divmod(product, _u64(vc))
        return word_from_int(quotient) + word_from_int(remainder)
    return (0,) * 8 if op in (Opcode.ENTER, Opcode.SRET) else h


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
    """What a step does outside registers, pc, mode and h."""
    if op is Opcode.STORE:
        state.store(_cell_index(va, imm), imm, vc)
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


def _set_mode(
    op: Opcode, imm: int, state: Execution, va: Word, vb: Word, fault: bool, hashes: Sequence[Digest]
) -> int | None:
    """Mode, frame, space and gas after a step; the pc where the mode decides it."""
    if state.user:
        state.gas += STEP_GAS + (MULDIV_GAS if op is Opcode.MULDIV else 0)
    state.called = op is Opcode.SYS
    if op is Opcode.SYS:
        state.user, state.saved_pc = False, state.pc + 1
        return imm
    if op is Opcode.TRAP or fault:
        state.user = False
        return TRAP_PC if op is Opcode.TRAP else FAULT_PC
    if op is Opcode.SRET:
        state.user = True
        return state.saved_pc
    if op is Opcode.ENTER:
        _require(state.h in hashes, MachineReason.CODE)
        found = hashes.index(state.h)
        if found not in state.entered:
            state.entered.append(found)
        state.user, state.program = True, state.entered.index(found) + 1
        return 0
    if op is Opcode.FRAME:
        state.uframe += 1
    elif op is Opcode.SPACE:
        _require(va in (ZERO, word_from_int(1)), MachineReason.SPACE)
        state.space = va[0] * (len(state.steps) + 1)
    elif op is Opcode.GASSET:
        state.gas, state.trap_gas = _u32(va), _u64(vb)
    elif op is Opcode.ENTRY:
        state.gas += imm
    return None


def _fetch(program: Program, state: Execution, programs: Sequence[Sequence[Instruction]]) -> Instruction:
    """The instruction of this step, of the mode's code; TRAP where gas has run out."""
    if state.user and state.gas + STEP_GAS > state.trap_gas:
        return Instruction(Opcode.TRAP)
    code = programs[state.entered[state.program - 1]] if state.user else program.instructions
    _require(state.pc < len(code), MachineReason.PC)
    instruction = code[state.pc]
    _require(instruction.op is not Opcode.PAD, MachineReason.OPCODE)
    _require(instruction.op not in (KERNEL_ONLY if state.user else USER_ONLY), MachineReason.MODE)
    _require((instruction.op is Opcode.ENTRY) == state.called, MachineReason.MODE)
    return instruction


def _step(
    program: Program,
    state: Execution,
    tape: Sequence[Sequence[int]],
    check: CheckSignature,
    programs: Sequence[Sequence[Instruction]],
    hashes: Sequence[Digest],
) -> bool:
    """One step.

    Returns:
        Whether the machine goes on.
    """
    instruction = _fetch(program, state, programs)
    op, imm = instruction.op, instruction.imm0
    frame_a, frame_b, frame_d = state.frames(op)
    va = state.registers.get((frame_a, instruction.a), ZERO) if op in READS_A else ZERO
    vb = state.registers.get((frame_b, instruction.b), ZERO) if op in READS_B else ZERO
    vc = state.registers.get((frame_d, instruction.d), ZERO) if op in READS_D else ZERO
    overflow = _overflows(op, va, vb, vc) if op in FAULTING else None
    if overflow and not state.user:
        raise _NoTraceError(overflow)
    if op in (Opcode.HINT, Opcode.HINTR):
        vc = _hint(op, state, tape)
    elif op is Opcode.LOAD:
        vc = state.load(_cell_index(va, imm), imm)
    elif op in WRITES_D:
        vc = _compute(op, instruction, va, vb, state)
    next_h = _next_hash(op, imm, state.h, va, vb, vc, overflow is not None)
    taken = _jumps(op, va, vb)
    _effects(op, imm, state, va, vb, vc, check)
    step = Step(
        len(state.steps) + 1, state.pc, instruction, va, vb, vc, state.h,
        int(state.user), state.saved_pc, state.program, state.uframe, state.space, state.gas,
        int(overflow is not None),
    )  # fmt: skip
    target = _set_mode(op, imm, state, va, vb, overflow is not None, hashes)
    _require(state.gas < P, MachineReason.GAS)
    state.steps.append(step)
    if op in WRITES_D:
        state.registers[frame_d, instruction.d] = vc
    if target is None:
        target = imm if taken else instruction.imm1 if op is Opcode.ENTRY else state.pc + 1
    state.h, state.pc = next_h, target
    return op is not Opcode.HALT


def interpret(
    program: Program,
    cells: Mapping[int, Cell],
    tape: Sequence[Sequence[int]],
    check_signature: CheckSignature,
    max_steps: int = MAX_STEPS,
    programs: Sequence[Sequence[int]] = (),
) -> Execution:
    """Run a program to its HALT.

    Args:
        program: What to run, from instruction 0: the ROM.
        cells: Cells that are not empty, by index.
        tape: Words for HINT and HINTR, in order.
        check_signature: Decides each SIG.
        max_steps: Steps allowed, HALT included.
        programs: Code that ENTER may start, as u64 words; found by its hash.

    Raises:
        MachineError: A step has no trace; with its reason, pc and clk.
    """
    state = Execution(dict(cells))
    hashes = [code_hash(code) for code in programs]
    decoded = [[parse(word) for word in code] for code in programs]
    try:
        while True:
            _require(len(state.steps) < max_steps, MachineReason.STEPS)
            if not _step(program, state, tape, check_signature, decoded, hashes):
                return state
    except _NoTraceError as stop:
        place = "user" if state.user else program.place(state.pc)
        raise MachineError(stop.reason, state.pc, len(state.steps) + 1, place) from None
