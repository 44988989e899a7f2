"""A slow, plain interpreter of the machine, and what the other tables (p24, the verifier) would add.

Independent of circuits.machine's executor and of circuits.trace: integers and lists only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from circuits.machine.isa import Opcode
from circuits.machine.isa import Opcode as O
from circuits.relations import CELL_WORD, HASH, PUBLIC, SIG, TREE
from circuits.tags import TAG_CODE
from prover.field import P
from prover.poseidon2 import compress

Word = list[int]
ZERO = [0, 0, 0, 0]
U64 = 1 << 64
MAX_STEPS = 2000

READS_A = (
    O.MOV, O.ADD, O.SUB, O.MULDIV, O.PACK, O.LO, O.HI, O.JEQ, O.JNE, O.JLT, O.JGE, O.ASSERT, O.LOAD, O.STORE,
    O.HSET, O.HASH, O.SIG, O.LEAF, O.OUT, O.ENTRY, O.UGET, O.UPUT, O.SPACE, O.GASSET,
)  # fmt: skip
READS_B = (
    O.ADD, O.SUB, O.MULDIV, O.PACK, O.JEQ, O.JNE, O.JLT, O.JGE, O.ASSERT, O.HSET, O.HASH, O.SIG, O.GASSET,
)  # fmt: skip
READS_D = (O.MULDIV, O.STORE, O.HASH, O.SIG)
WRITES_D = (
    O.LI, O.MOV, O.ADD, O.SUB, O.PACK, O.LO, O.HI, O.HINT, O.HINTR, O.LOAD, O.HGETL, O.HGETH,
    O.ENTRY, O.UGET, O.UPUT, O.GAS, O.HWORD,
)  # fmt: skip


def u64(value: int) -> Word:
    return [value >> 16 * i & 0xFFFF for i in range(4)]


def number(word: Word) -> int:
    assert all(0 <= limb < 1 << 16 for limb in word), word
    return sum(limb << 16 * i for i, limb in enumerate(word))


def fake_hash(items: list[int]) -> list[int]:
    """Any function will do: the HASH relation's other side is a test double."""
    return [(sum((i + 3) ** (k + 1) * x for i, x in enumerate(items)) + 17 * k + 1) % P for k in range(8)]


def columns(program: list[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """As Program.rom_columns()."""
    return tuple(zip(*[(pc, *map(int, row)) for pc, row in enumerate(program)], strict=True))


def code_states(code: list[tuple[int, ...]]) -> list[list[int]]:
    """Hash states before each instruction of a program, and its hash."""
    states = [[0] * 8]
    for row in code:
        states.append(compress(24, [TAG_CODE, *states[-1], *limbs_of(row), *[0] * 11], 8))
    return [list(state) for state in states]


def limbs_of(row: tuple[int, ...]) -> Word:
    opcode, d, a, b, imm0, imm1 = map(int, row)
    return [opcode | d << 8, a | b << 8, imm0, imm1]


@dataclass
class MiniRun:
    """The shape of circuits.trace.execution.Execution."""

    pc: np.ndarray
    instruction: np.ndarray
    va: np.ndarray
    vb: np.ndarray
    vc: np.ndarray
    h: np.ndarray
    user: np.ndarray
    saved_pc: np.ndarray
    program: np.ndarray
    uframe: np.ndarray
    space: np.ndarray
    gas: np.ndarray
    fault: np.ndarray
    cell_indices: np.ndarray
    cells_before: np.ndarray
    cells_after: np.ndarray
    programs: list
    shadows: SimpleNamespace
    outside: list[tuple[object, tuple[int, ...], int]] = field(default_factory=list)


MODE = ("user", "saved_pc", "program", "uframe", "space", "gas")


@dataclass
class State:
    """What a step finds. A lie may set any of it for the following step."""

    pc: int = 0
    h: list[int] = field(default_factory=lambda: [0] * 8)
    user: int = 0
    saved_pc: int = 0
    program: int = 0
    uframe: int = 0
    space: int = 0
    gas: int = 0


class Machine:
    """One run. Arithmetic wraps silently in kernel mode, so that runs without a trace exist to be refused."""

    def __init__(self, program, tape, cells, lies, programs):
        self.rom, self.tape, self.lies = program, [list(w) for w in tape], lies
        self.codes = programs
        self.hashes = [code_states(code)[-1] for code in programs]
        self.entered: list[int] = []
        self.before = {i: [list(w) for w in words] for i, words in cells.items()}
        self.after = {i: [list(w) for w in words] for i, words in self.before.items()}
        self.registers: dict[tuple[int, int], Word] = {}
        self.shadow: dict[tuple[int, int, int], Word] = {}
        self.seeds: dict[tuple[int, int, int], Word] = {}
        self.s = State(**lies.get("start", {}))
        self.log: list[tuple] = []
        self.outside: list = []

    def fetch(self, lie):
        if "op" in lie:
            return lie["op"]
        if self.s.user:
            return self.codes[self.entered[self.s.program - 1]][self.s.pc]
        return self.rom[self.s.pc]

    def cell(self, index, word):
        """Where the word is, in the present space."""
        if not self.s.space:
            return self.after[index], word
        key = (self.s.space, index, word)
        if key not in self.shadow:
            self.seeds[key] = list(self.after[index][word])
            self.shadow[key] = list(self.after[index][word])
        return self.shadow, key

    def step(self):
        s, lie = self.s, self.lies.get(len(self.log), {})
        if isinstance(lie, bool):
            lie = {"jump": lie}
        elif isinstance(lie, list):
            lie = {"va": lie}
        instruction = self.fetch(lie)
        op, d, a, b, imm0, imm1 = map(int, instruction)
        theirs = s.uframe + 1
        file_a = theirs if s.user or op in (O.ENTRY, O.UGET) else 0
        file_d = theirs if s.user or op == O.UPUT else 0
        file_a, file_d = lie.get("file_a", file_a), lie.get("file_d", file_d)
        read = lambda file, r: list(self.registers.get((file, r), ZERO))  # noqa: E731
        va = lie.get("va", read(file_a, a)) if op in READS_A else ZERO
        vb = read(file_a, b) if op in READS_B else ZERO
        vc = read(file_d, d) if op in READS_D else ZERO
        h, fault, jump = list(s.h), 0, op in (O.JMP, O.SYS)
        clk = len(self.log) + 1
        if op == O.LI:
            vc = [imm0, imm1, 0, 0]
        elif op in (O.MOV, O.ENTRY, O.UGET, O.UPUT):
            vc = va
        elif op in (O.ADD, O.SUB):
            total = number(va) + (number(vb) if op == O.ADD else -number(vb))
            vc, fault = u64(total), int(not 0 <= total < U64)
        elif op == O.MULDIV:
            product, divisor = number(va) * number(vb), number(vc)
            fault = int(product >= divisor << 64)
            if fault and s.user:
                h = u64(product) + u64(product >> 64)
            else:
                quotient, remainder = divmod(product, divisor or 1)
                h = u64(quotient) + u64(remainder)
        elif op == O.PACK:
            vc = va[:2] + vb[:2]
        elif op == O.LO:
            vc = [*va[:2], 0, 0]
        elif op == O.HI:
            vc = [*va[2:], 0, 0]
        elif op == O.JEQ:
            jump = va == vb
        elif op == O.JNE:
            jump = va != vb
        elif op == O.JLT:
            jump = number(va) < number(vb)
        elif op == O.JGE:
            jump = number(va) >= number(vb)
        elif op == O.ASSERT:
            assert va == vb
        elif op in (O.HINT, O.HINTR):
            vc = self.tape.pop(0)
        elif op in (O.LOAD, O.STORE):
            place, key = self.cell(va[0] + 65536 * va[1], imm0)
            if op == O.LOAD:
                vc = list(place[key])
            else:
                place[key] = list(vc)
        elif op == O.HSET:
            h = va + vb
        elif op == O.HASH:
            h = fake_hash([imm0, *s.h, *va, *vb, *vc])
            self.outside.append((HASH, (imm0, *s.h, *va, *vb, *vc, *h), -1))
        elif op == O.HGETL:
            vc = s.h[:4]
        elif op == O.HGETH:
            vc = s.h[4:]
        elif op == O.GAS:
            vc = u64(s.gas)
        elif op == O.HWORD:
            vc = u64(s.h[0] | s.h[1] << 32)
        elif op == O.SIG:
            self.outside.append((SIG, (*s.h, *va, *vb, vc[0] + 65536 * vc[1]), -1))
        elif op == O.LEAF:
            self.outside.append((TREE, (74, va[0] + 65536 * va[1], *[0] * 8, *s.h), 1))
        elif op == O.OUT:
            self.outside.append((PUBLIC, (imm0, *va), 1))
        vc = list(lie.get("vc", vc))
        if op in WRITES_D:
            self.registers[file_d, d] = vc
        jump = lie.get("jump", jump)
        fault = lie.get("fault", fault if s.user else 0)
        self.log.append(
            (s.pc, instruction, va, vb, vc, list(s.h), *(getattr(s, name) for name in MODE), fault)
        )
        self.follow(op, imm0, imm1, va, jump, fault, h, clk)
        for name, value in lie.items():
            if hasattr(s, name):
                setattr(s, name, value)
        return op != O.HALT

    def follow(self, op, imm0, imm1, va, jump, fault, h, clk):
        """The state of the following step."""
        s = self.s
        target = imm0 if jump else s.pc + 1
        gas_before = s.gas
        s.gas += s.user * (70 if op == O.MULDIV else 10)
        if op == O.SYS:
            s.user, s.saved_pc = 0, s.pc + 1
        elif op == O.TRAP:
            s.user, target = 0, 1
        elif fault:
            s.user, target = 0, 2
        elif op == O.ENTRY:
            target, s.gas = imm1, s.gas + imm0
        elif op == O.SRET:
            s.user, target, h = 1, s.saved_pc, [0] * 8
        elif op == O.ENTER:
            which = self.hashes.index(s.h) if s.h in self.hashes else 0
            if which not in self.entered:
                self.entered.append(which)
            s.user, s.program, target, h = 1, self.entered.index(which) + 1, 0, [0] * 8
        elif op == O.FRAME:
            s.uframe += 1
        elif op == O.SPACE:
            s.space = va[0] * clk % P
        elif op == O.GASSET:
            s.gas += va[0] + 65536 * va[1] - gas_before
        s.pc, s.h = target, h

    def result(self) -> MiniRun:
        array = lambda items: np.array(items, dtype=np.uint32)  # noqa: E731
        for index, words in self.before.items():
            self.outside += [(CELL_WORD, (index, w, *words[w], *self.after[index][w]), 1) for w in range(5)]
        programs = []
        for which in self.entered:
            code, states = self.codes[which], code_states(self.codes[which])
            words = [sum(limb << 16 * i for i, limb in enumerate(limbs_of(row))) for row in code]
            programs.append(SimpleNamespace(code=words, code_hash=states[-1]))
            for k, row in enumerate(code):
                item = (TAG_CODE, *states[k], *limbs_of(row), *[0] * 8, *states[k + 1])
                self.outside.append((HASH, item, -1))
        keys = sorted(self.seeds)
        shadows = SimpleNamespace(
            space=array([k[0] for k in keys]),
            cell=array([k[1] for k in keys]),
            word=array([k[2] for k in keys]),
            seed=array([self.seeds[k] for k in keys]).reshape(-1, 4),
        )
        k = len(self.before)
        modes = zip(*[x[6:] for x in self.log], strict=True)
        return MiniRun(
            array([x[0] for x in self.log]),
            *(array([x[i] for x in self.log]).T for i in (1, 2, 3, 4, 5)),
            *(array([value % P for value in values]) for values in modes),
            array(list(self.before)),
            array([self.before[i] for i in self.before]).reshape(k, 5, 4),
            array([self.after[i] for i in self.before]).reshape(k, 5, 4),
            programs,
            shadows,
            self.outside,
        )


def run(program, tape=(), cells=None, lies=None, programs=()) -> MiniRun:
    """Executes.

    Args:
        lies: step (from 0) -> jump or not, against the rule; or the word that its read of register a returns; or
            a dict: "op" (the instruction, whatever was to be fetched), "va", "vc", "jump", "fault", "file_a",
            "file_d", or what the following step is to find ("pc", "user", "saved_pc", "gas", ..); "start" ->
            what the first step finds.
        programs: user programs, found by code hash (an unknown hash finds the first).
    """
    machine = Machine(program, tape, cells or {}, lies or {}, list(programs))
    while machine.step():
        if len(machine.log) == MAX_STEPS:
            raise RuntimeError(f"no HALT within {MAX_STEPS} steps")
    return machine.result()


__all__ = ["MiniRun", "Opcode", "code_states", "columns", "fake_hash", "number", "run", "u64"]
