"""A dishonest prover: runs the kernel with lies, then fills every table as consistently as it can.

The machine here refuses nothing: arithmetic wraps, assertions and signatures are not checked, and a *lie*
may change what an instruction does. All that follows from the lie (registers, memory, cells, trees,
multiplicities, public values) is made to fit, so that what `check` still finds is the rule that forbids the
lie itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

import native
from circuits.machine.executor import LoadedProgram, MachineRun, Shadows
from circuits.machine.isa import (
    CELL_DEPTH,
    EXIT_LEVEL,
    FAULT_PC,
    MULDIV_GAS,
    READS_A,
    READS_B,
    READS_D,
    STEP_GAS,
    TRAP_PC,
    USER_A,
    USER_D,
    WRITES_D,
    Opcode,
)
from circuits.machine.kernel import CONSTANTS, NUM_PUBLIC_WORDS, kernel
from circuits.machine.program import SYNTAX, Instruction, Program, parse
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger
from circuits.rollup.tree import TreeUpdate, exit_tree
from circuits.statement import heights, system
from circuits.tables.cpu import CpuColumns
from circuits.tags import TAG_CELL
from circuits.trace import chain, machine, p16, p24
from circuits.trace import word as word_trace
from circuits.trace.execution import pack_words
from circuits.trace.p24 import CellUpdates
from circuits.trace.signatures import SignatureBatch
from circuits.xmss.batch import Claim
from prover.air.check import Violations, _Bus, _check_table
from prover.field import P
from tests.whole import SHAPE, U32, check_all

Word = tuple[int, ...]
ZERO = (0, 0, 0, 0)
EMPTY = (ZERO,) * 5
U64 = 1 << 64
MODE = ("user", "saved_pc", "program", "uframe", "space", "gas", "fault")
"""Per step, at its start: mode and counters (`MachineRun`)."""
USER = "user"
"""The line of every step in user mode, for lies: (USER, n) is the n-th."""


def number(word: Sequence[int]) -> int:
    return sum(limb << 16 * i for i, limb in enumerate(word)) % U64


def word(value: int) -> Word:
    return tuple(value % U64 >> 16 * i & 0xFFFF for i in range(4))


def find(text: str | int, program: Program | None = None) -> list[int]:
    """The instruction numbers of a line of the kernel, such as "SUB balance, balance, fee"."""
    program = program or kernel()
    if isinstance(text, int):
        return [text]
    name, _, rest = text.partition(" ")
    op, fields = Opcode[name], {"d": 0, "a": 0, "b": 0}
    names: dict[str, int] = {**CONSTANTS, **program.labels}
    immediate = 0
    for kind, operand in zip(SYNTAX[op].split(), (x.strip() for x in rest.split(",") if x), strict=True):
        if kind in fields:
            fields[kind] = program.registers[operand]
        else:
            immediate = names[operand] if operand in names else int(operand)
    wanted = (op, *fields.values(), immediate & 0xFFFF, immediate >> 16)
    found = [
        pc for pc, i in enumerate(program.instructions) if (i.op, i.d, i.a, i.b, i.imm0, i.imm1) == wanted
    ]
    if not found:
        raise KeyError(text)
    return found


@dataclass
class Moment:
    """A step that a lie may change, after the machine has worked it out.

    Attributes:
        vc: word of register d (of a STORE: what is stored).
        jumps: whether the step jumps.
        h: hash state after the step.
        fault: whether a user's arithmetic overflows.
        follow: what the next step finds in mode, pc and counters, where it is not what follows.
    """

    op: Opcode
    va: Word
    vb: Word
    vc: Word
    jumps: bool
    h: Word
    fault: int = 0
    follow: dict[str, int] = field(default_factory=dict)


Lie = Callable[[Moment], None]
Lies = Mapping[tuple[str | int, int], Lie]
"""(line of the kernel or instruction number, n): what its n-th execution (from 0) does besides."""
MAX_STEPS = 4000


class NoEndError(Exception):
    """The run asks for more hints than there are, leaves the program or the tree, or does not halt."""


def result(value: int) -> Lie:
    """The instruction's result is another number."""

    def lie(moment: Moment) -> None:
        moment.vc = word(value)

    return lie


def keep(which: str) -> Lie:
    """The result is operand a or b, unchanged."""

    def lie(moment: Moment) -> None:
        moment.vc = getattr(moment, f"v{which}")

    return lie


def other_way(moment: Moment) -> None:
    """The branch goes the other way."""
    moment.jumps = not moment.jumps


def hash_is(digest: Sequence[int]) -> Lie:
    """The hash state afterwards."""

    def lie(moment: Moment) -> None:
        moment.h = tuple(digest)

    return lie


@dataclass
class _Mode:
    """Mode and counters, as a step finds them."""

    pc: int = 0
    user: int = 0
    saved_pc: int = 0
    program: int = 0
    uframe: int = 0
    space: int = 0
    gas: int = 0


@dataclass(frozen=True)
class _Step:
    """A step that was made: what it found, what was done."""

    mode: _Mode
    instruction: Instruction
    moment: Moment
    h: Word


@dataclass
class _Machine:
    """Registers and memory of a run; the log of its steps."""

    program: Program
    cells: dict[int, tuple[Word, ...]]
    tape: list[Word]
    lines: dict[int, str | int]
    lies: dict[tuple[str | int, int], Lie]
    codes: dict[Word, tuple[int, ...]]
    traps: frozenset[int]
    registers: dict[tuple[int, int], Word] = field(default_factory=dict)
    before: dict[int, tuple[Word, ...]] = field(default_factory=dict)
    public: dict[int, Word] = field(default_factory=dict)
    exits: dict[int, Word] = field(default_factory=dict)
    entered: list[LoadedProgram] = field(default_factory=list)
    shadow: dict[tuple[int, int, int], Word] = field(default_factory=dict)
    seeds: dict[tuple[int, int, int], Word] = field(default_factory=dict)
    steps: list[_Step] = field(default_factory=list)
    visits: Counter = field(default_factory=Counter)
    lied_jumps: dict[int, bool] = field(default_factory=dict)
    skip: tuple[str | int, int] | None = None
    h: Word = (0,) * 8
    trap_gas: int = U64
    mode: _Mode = field(default_factory=_Mode)

    def words(self, index: int) -> list[Word]:
        """A cell of the ledger; from now on it is a touched one."""
        self.cells.setdefault(index, EMPTY)
        self.before.setdefault(index, self.cells[index])
        return list(self.cells[index])

    def load(self, index: int, place: int) -> Word:
        """A cell's word in the present space."""
        key = (self.mode.space, index, place)
        word_now = self.words(index)[place]
        if not self.mode.space:
            return word_now
        self.seeds.setdefault(key, word_now)
        return self.shadow.setdefault(key, word_now)

    def store(self, index: int, place: int, value: Word) -> None:
        """The same, written."""
        self.load(index, place)
        if self.mode.space:
            self.shadow[self.mode.space, index, place] = value
        else:
            words = self.words(index)
            words[place] = value
            self.cells[index] = tuple(words)

    def fetch(self) -> tuple[str | int, Instruction]:
        """The line that lies name, and the instruction."""
        if self.mode.user:
            if self.visits[USER] in self.traps or self.mode.gas + STEP_GAS > self.trap_gas:
                return USER, Instruction(Opcode.TRAP)
            code = self.entered[self.mode.program - 1].code
            if self.mode.pc >= len(code):
                raise NoEndError
            return USER, parse(code[self.mode.pc])
        if self.mode.pc >= len(self.program):
            raise NoEndError
        line = self.lines.get(self.mode.pc, "")
        if (line, self.visits[line]) == self.skip:
            self.mode.pc += 1
            line, self.skip = self.lines.get(self.mode.pc, ""), None
        return line, self.program.instructions[self.mode.pc]

    def step(self) -> bool:
        line, i = self.fetch()
        op, imm, mode = i.op, i.imm0, self.mode
        file_a = mode.uframe + 1 if mode.user or op in USER_A else 0
        file_d = mode.uframe + 1 if mode.user or op in USER_D else 0
        va, vb, vc = (
            self.registers.get((file, r), ZERO) if op in used else ZERO
            for file, r, used in ((file_a, i.a, READS_A), (file_a, i.b, READS_B), (file_d, i.d, READS_D))
        )
        index = va[0] + 65536 * va[1]
        if op in (Opcode.HINT, Opcode.HINTR):
            if not self.tape:
                raise NoEndError
            vc = tuple(self.tape.pop(0))
        elif op is Opcode.LOAD:
            vc = self.load(index, imm)
        moment = Moment(op, va, vb, self._compute(i, va, vb, vc), self._jumps(op, va, vb), self.h)
        moment.fault = int(bool(mode.user) and self._overflows(op, va, vb, vc))
        moment.h = self._next_h(op, imm, moment)
        honest = moment.jumps
        if (line, self.visits[line]) in self.lies:
            self.lies[line, self.visits[line]](moment)
        self.visits[line] += 1
        if moment.jumps != honest:
            self.lied_jumps[len(self.steps)] = moment.jumps
        self.steps.append(_Step(replace(mode), i, moment, self.h))
        self._effects(op, (file_d, i.d), imm, index, moment)
        self._follow(i, moment)
        for name, value in moment.follow.items():
            setattr(self.mode, name, value)
        return op is not Opcode.HALT

    def _compute(self, i: Instruction, va: Word, vb: Word, vc: Word) -> Word:
        op = i.op
        if op is Opcode.LI:
            return (i.imm0, i.imm1, 0, 0)
        if op in (Opcode.MOV, Opcode.ENTRY, Opcode.UGET, Opcode.UPUT):
            return va
        if op is Opcode.ADD:
            return word(number(va) + number(vb))
        if op is Opcode.SUB:
            return word(number(va) - number(vb))
        if op is Opcode.PACK:
            return (va[0], va[1], vb[0], vb[1])
        if op is Opcode.LO:
            return (va[0], va[1], 0, 0)
        if op is Opcode.HI:
            return (va[2], va[3], 0, 0)
        if op is Opcode.HGETL:
            return self.h[:4]
        if op is Opcode.HGETH:
            return self.h[4:]
        if op is Opcode.GAS:
            return word(self.mode.gas)
        if op is Opcode.HWORD:
            return word(self.h[0] | self.h[1] << 32)
        return vc

    @staticmethod
    def _overflows(op: Opcode, va: Word, vb: Word, vc: Word) -> bool:
        if op is Opcode.ADD:
            return number(va) + number(vb) >= U64
        if op is Opcode.SUB:
            return number(va) < number(vb)
        return op is Opcode.MULDIV and number(va) * number(vb) >= number(vc) * U64

    @staticmethod
    def _jumps(op: Opcode, va: Word, vb: Word) -> bool:
        if op in (Opcode.JEQ, Opcode.JNE):
            return (va == vb) == (op is Opcode.JEQ)
        if op in (Opcode.JLT, Opcode.JGE):
            return (number(va) < number(vb)) == (op is Opcode.JLT)
        return op in (Opcode.JMP, Opcode.SYS)

    def _next_h(self, op: Opcode, imm: int, moment: Moment) -> Word:
        va, vb, vc = moment.va, moment.vb, moment.vc
        if op is Opcode.HSET:
            return va + vb
        if op is Opcode.HASH:
            lane = np.array([[imm, *self.h, *va, *vb, *vc, 0, 0, 0]], dtype=np.uint32).T
            return tuple(native.poseidon2_compress(np.ascontiguousarray(lane), 8)[:, 0].tolist())
        if op is Opcode.MULDIV:
            product = number(va) * number(vb)
            if moment.fault:
                return word(product) + word(product >> 64)
            quotient, remainder = divmod(product, number(vc) or 1)
            return word(quotient) + word(remainder)
        return (0,) * 8 if op in (Opcode.SRET, Opcode.ENTER) else self.h

    def _effects(self, op: Opcode, d: tuple[int, int], imm: int, index: int, moment: Moment) -> None:
        if op is Opcode.STORE:
            self.store(index, imm, moment.vc)
        elif op is Opcode.LEAF:
            self.exits[index] = self.h
        elif op is Opcode.OUT:
            self.public[imm] = moment.va
        elif op in WRITES_D:
            self.registers[d] = moment.vc

    def _enter(self) -> int:
        """Number of the listing whose hash is the hash state."""
        hashes = [listing.code_hash for listing in self.entered]
        if self.h not in hashes:
            if self.h not in self.codes:
                raise NoEndError
            self.entered.append(LoadedProgram(self.codes[self.h], self.h))
            hashes.append(self.h)
        return hashes.index(self.h) + 1

    def _follow(self, i: Instruction, moment: Moment) -> None:
        """Mode and counters of the next step."""
        mode, op, given = self.mode, i.op, moment.va[0] + 65536 * moment.va[1]
        price = STEP_GAS + (MULDIV_GAS if i.op is Opcode.MULDIV else 0)
        clk, gas, pc = len(self.steps), mode.gas + price * mode.user, mode.pc + 1
        if op is Opcode.SYS:
            mode.user, mode.saved_pc, pc = 0, mode.pc + 1, i.imm0
        elif op is Opcode.TRAP:
            mode.user, pc = 0, TRAP_PC
        elif moment.fault:
            mode.user, pc = 0, FAULT_PC
        elif op is Opcode.ENTRY:
            gas, pc = gas + i.imm0, i.imm1
        elif op is Opcode.SRET:
            mode.user, pc = 1, mode.saved_pc
        elif op is Opcode.ENTER:
            mode.program, mode.user, pc = self._enter(), 1, 0
        elif op is Opcode.FRAME:
            mode.uframe += 1
        elif op is Opcode.SPACE:
            mode.space = moment.va[0] * clk
        elif op is Opcode.GASSET:
            gas, self.trap_gas = given, number(moment.vb)
        elif moment.jumps:
            pc = i.imm0
        self.h, mode.gas, mode.pc = moment.h, gas, pc


def _array(rows: Sequence[Sequence[int]], width: int) -> U32:
    return np.ascontiguousarray(np.array(rows, dtype=np.uint32).reshape(-1, width).T)


def _leaves(words: U32) -> list[tuple[int, ...]]:
    """Leaf digests of (k, 5, 4) cells."""
    inputs = np.zeros((24, len(words)), dtype=np.uint32)
    inputs[0], inputs[1:21] = TAG_CELL, words.reshape(-1, 20).T
    return [tuple(column) for column in native.poseidon2_compress(inputs, 8).T.tolist()]


@dataclass
class Forgery:
    """The tables and public values of a dishonest run; change them at will before `broken`.

    Attributes:
        run: the steps.
        tables: name -> (width, height).
        public_values: the 116 elements.
        state_update, exit_update: what the run does to the trees.
    """

    run: MachineRun
    tables: dict[str, U32]
    public_values: list[int]
    state_update: TreeUpdate
    exit_update: TreeUpdate

    def claim_word(self, k: int, value: Sequence[int]) -> None:
        """Public word k as the verifier has it."""
        self.public_values[24 + 4 * k : 28 + 4 * k] = value

    def broken(self) -> tuple[set[str], set[str]]:
        """Labels of violated constraints, names of unbalanced relations."""
        found = check_all(self.tables, tuple(self.public_values))
        return {v.label for v in found.constraints}, {t.relation for t in found.tuples}

    def row(self, line: str, nth: int = 0, program: Program | None = None) -> int:
        """The cpu row of the n-th execution of a line."""
        return int(np.flatnonzero(np.isin(self.run.pc, find(line, program)))[nth])


def forge(
    ledger: Ledger,
    cells: Mapping[int, tuple[Word, ...]],
    tape: U32,
    claims: Sequence[Claim],
    *,
    lies: Lies | None = None,
    program: Program | None = None,
    extra_exits: Mapping[int, tuple[int, ...]] | None = None,
    stale: Mapping[int, tuple[Word, ...]] | None = None,
    skip: tuple[str, int] | None = None,
    after: Mapping[tuple[int, int], Word] | None = None,
    codes: Sequence[Sequence[int]] = (),
    traps: Collection[int] = (),
    swap: Mapping[Word, Sequence[int]] | None = None,
) -> Forgery:
    """Runs the kernel (or another program) dishonestly and fills the tables.

    Args:
        ledger: the true ledger; its tree is opened.
        cells: the cells that the run starts from, by index; they may differ from the ledger's.
        tape: words of the hints, (4, n).
        claims: the signatures that are shown, one after the other.
        lies: what is not as the instruction says.
        program: what is run; the ROM of the statement is the kernel, always.
        extra_exits: exit leaves that no LEAF instruction sets.
        stale: cells opened besides, before = after = these words, under an index that nothing touches.
        skip: the n-th execution of a line that is left out of the run.
        after: words (cell, word number) that the ledger has after the run, whatever was stored.
        codes: user programs that may be entered.
        traps: steps in user mode, counted from 0, that are TRAPs.
        swap: by code hash, what is run in the place of the code that has it.
    """
    program = program or kernel()
    named = [line for line in (*(lies or {}), *([skip] if skip else [])) if line[0] != USER]
    lines = {pc: line for line, _ in named for pc in find(line, program)}
    words = [tuple(w) for w in tape.T.tolist()]
    known = {code_digest(tuple(code)): tuple(code) for code in codes} | dict(swap or {})
    state = _Machine(program, dict(cells), words, lines, dict(lies or {}), known, frozenset(traps), skip=skip)
    while state.step():
        if len(state.steps) > MAX_STEPS:
            raise NoEndError
    for (index, place), value in (after or {}).items():
        changed = list(state.cells[index])
        changed[place] = value
        state.cells[index] = tuple(changed)
    for index, stale_words in (stale or {}).items():
        state.before[index] = state.cells[index] = stale_words
    if max(state.before) >= 1 << CELL_DEPTH:
        raise NoEndError
    run = _run(state)
    leaves = dict(zip(run.cell_indices.tolist(), _leaves(run.cells_after), strict=True))
    real = {index: leaf for index, leaf in leaves.items() if index not in (stale or {})}
    state_update = ledger.tree.update(real)
    exit_update = exit_tree().update({**state.exits, **(extra_exits or {})})
    tables = _tables(run, program, claims, state_update, exit_update)
    _lie_about_jumps(tables["cpu"], state.lied_jumps, run)
    public = [*state_update.root_before, *state_update.root_after, *exit_update.root_after]
    for k in range(NUM_PUBLIC_WORDS):
        public += state.public.get(k, ZERO)
    return Forgery(run, tables, public, state_update, exit_update)


def _run(state: _Machine) -> MachineRun:
    steps, touched = state.steps, sorted(state.before)
    words = {name: _array([getattr(step.moment, name) for step in steps], 4) for name in ("va", "vb", "vc")}
    h = [step.h for step in steps]
    signed = [k for k, step in enumerate(steps) if step.moment.op is Opcode.SIG]
    for k, step in enumerate(steps):
        if step.moment.op not in READS_D | WRITES_D:
            words["vc"][:, k] = 0
    exits, seeds = sorted(state.exits), sorted(state.seeds)
    modes = {
        name: np.array([getattr(step.mode, name) % P for step in steps], dtype=np.uint32)
        for name in MODE
        if name != "fault"
    }
    return MachineRun(
        pc=np.array([step.mode.pc for step in steps], dtype=np.uint32),
        **words,
        h=_array(h, 8),
        public=np.array([state.public.get(k, ZERO) for k in range(NUM_PUBLIC_WORDS)], dtype=np.uint32),
        exit_indices=np.array(exits, dtype=np.uint32),
        exit_leaves=_array([state.exits[i] for i in exits], 8).T,
        cell_indices=np.array(touched, dtype=np.uint32),
        cells_before=np.array([state.before[i] for i in touched], dtype=np.uint32),
        cells_after=np.array([state.cells[i] for i in touched], dtype=np.uint32),
        signature_messages=_array([h[k] for k in signed], 8).T,
        signature_owners=np.concatenate((words["va"], words["vb"]))[:, signed].T,
        signature_leaves=words["vc"][0, signed] | words["vc"][1, signed] << np.uint32(16),
        instruction=_array([step.instruction.fields() for step in steps], 6),
        **modes,
        fault=np.array([step.moment.fault for step in steps], dtype=np.uint32),
        programs=tuple(state.entered),
        shadows=Shadows(
            np.array([k[0] for k in seeds], dtype=np.uint32),
            np.array([k[1] for k in seeds], dtype=np.uint32),
            np.array([k[2] for k in seeds], dtype=np.uint32),
            np.array([state.seeds[k] for k in seeds], dtype=np.uint32).reshape(-1, 4),
            np.array([state.shadow[k] for k in seeds], dtype=np.uint32).reshape(-1, 4),
        ),
    )


def _tables(
    run: MachineRun, program: Program, claims: Sequence[Claim], state: TreeUpdate, exits: TreeUpdate
) -> dict[str, U32]:
    height = heights(SHAPE)
    traces = machine.generate(run, program.rom_columns(), height)
    signatures = SignatureBatch.from_claims(claims)
    updates = CellUpdates(run.cell_indices, run.cells_before, run.cells_after)
    return {
        **traces.tables,
        "p16": p16.generate(signatures, ((0, state), (EXIT_LEVEL, exits)), height["p16"]),
        "p24": p24.generate(traces.hashes[:21], updates, signatures, height["p24"]),
        "chain": chain.generate(signatures, height["chain"]),
    }


def _lie_about_jumps(cpu: U32, lied: Mapping[int, bool], run: MachineRun) -> None:
    """Bit e, and the comparison's bit, as the run claims; no witness of inequality where words are equal."""
    row = CpuColumns(list(cpu))
    for k, jumps in lied.items():
        row.e[k] = jumps
        if row.flag[Opcode.JLT - 1][k] or row.flag[Opcode.JGE - 1][k]:
            row.vc[0][k] = jumps if row.flag[Opcode.JLT - 1][k] else not jumps
        else:
            for limb in row.vc:
                limb[k] = 0


def recount(tables: dict[str, U32]) -> None:
    """The word table for what is asked of it now, with range's multiplicities: no u64 is missing."""
    buses: dict[str, _Bus] = {}
    for air in system().airs:
        if air.name in ("cpu", "code", "add", "muldiv"):
            nothing = np.zeros((0, tables[air.name].shape[1]), np.uint32)
            _check_table(air, tables[air.name], nothing, Violations(), buses, 0)
    limbs = np.concatenate(buses["limbs"].values, axis=1)
    octets = np.concatenate(buses["bytes"].values, axis=1)
    limbs, octets = limbs[:, (limbs < 1 << 16).all(axis=0)], octets[:, (octets < 256).all(axis=0)]
    by_bytes = pack_words(octets[0::2] + 256 * octets[1::2])
    tables["word"] = word_trace.generate(
        word_trace.collect(by_bytes, pack_words(limbs)), tables["word"].shape[1]
    )
    tables["range"] = machine._range(tables["memory"], tables["cells"], tables["word"])
