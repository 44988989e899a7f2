"""A dishonest prover: runs the kernel with lies, then fills every table as consistently as it can.

The machine here refuses nothing: arithmetic wraps, assertions and signatures are not checked, and a *lie*
may change what an instruction does. All that follows from the lie (registers, memory, cells, trees,
multiplicities, public values) is made to fit, so that what `check` still finds is the rule that forbids the
lie itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import native
from circuits.machine.executor import MachineRun, Shadows
from circuits.machine.isa import CELL_DEPTH, EXIT_LEVEL, READS_A, READS_B, READS_D, WRITES_D, Opcode
from circuits.machine.kernel import CONSTANTS, NUM_PUBLIC_WORDS, kernel
from circuits.machine.program import SYNTAX, Program
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
from tests.whole import SHAPE, U32, check_all

Word = tuple[int, ...]
ZERO = (0, 0, 0, 0)
EMPTY = (ZERO,) * 5
U64 = 1 << 64
MODE = ("user", "saved_pc", "program", "uframe", "space", "gas", "fault")
"""What a run without user programs has as zeros."""


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
    """

    op: Opcode
    va: Word
    vb: Word
    vc: Word
    jumps: bool
    h: Word


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
class _Machine:
    """Registers and memory of a run; the log of its steps."""

    program: Program
    cells: dict[int, tuple[Word, ...]]
    tape: list[Word]
    lines: dict[int, str | int]
    lies: dict[tuple[str | int, int], Lie]
    registers: dict[int, Word] = field(default_factory=dict)
    before: dict[int, tuple[Word, ...]] = field(default_factory=dict)
    public: dict[int, Word] = field(default_factory=dict)
    exits: dict[int, Word] = field(default_factory=dict)
    steps: list[tuple[int, Moment, Word]] = field(default_factory=list)
    visits: Counter = field(default_factory=Counter)
    lied_jumps: dict[int, bool] = field(default_factory=dict)
    skip: tuple[str | int, int] | None = None
    h: Word = (0,) * 8
    pc: int = 0

    def cell(self, index: int) -> list[Word]:
        self.cells.setdefault(index, EMPTY)
        self.before.setdefault(index, self.cells[index])
        return list(self.cells[index])

    def step(self) -> bool:
        line = self.lines.get(self.pc, "")
        if (line, self.visits[line]) == self.skip:
            self.pc += 1
            line, self.skip = self.lines.get(self.pc, ""), None
        i = self.program.instructions[self.pc]
        op, imm = i.op, i.imm0
        va, vb, vc = (
            self.registers.get(r, ZERO) if op in used else ZERO
            for r, used in ((i.a, READS_A), (i.b, READS_B), (i.d, READS_D))
        )
        index = va[0] + 65536 * va[1]
        if op in (Opcode.HINT, Opcode.HINTR):
            if not self.tape:
                raise NoEndError
            vc = tuple(self.tape.pop(0))
        elif op is Opcode.LOAD:
            vc = self.cell(index)[imm]
        moment = Moment(op, va, vb, self._compute(i, va, vb, vc), self._jumps(op, va, vb), self.h)
        moment.h = self._next_h(op, imm, moment)
        honest = moment.jumps
        if (line, self.visits[line]) in self.lies:
            self.lies[line, self.visits[line]](moment)
        self.visits[line] += 1
        if moment.jumps != honest:
            self.lied_jumps[len(self.steps)] = moment.jumps
        self.steps.append((self.pc, moment, self.h))
        self._effects(op, i.d, imm, index, moment)
        self.h, self.pc = moment.h, imm if moment.jumps else self.pc + 1
        return op is not Opcode.HALT

    def _compute(self, i: object, va: Word, vb: Word, vc: Word) -> Word:
        op = i.op
        if op is Opcode.LI:
            return (i.imm0, i.imm1, 0, 0)
        if op is Opcode.MOV:
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
        return vc

    @staticmethod
    def _jumps(op: Opcode, va: Word, vb: Word) -> bool:
        if op in (Opcode.JEQ, Opcode.JNE):
            return (va == vb) == (op is Opcode.JEQ)
        if op in (Opcode.JLT, Opcode.JGE):
            return (number(va) < number(vb)) == (op is Opcode.JLT)
        return op is Opcode.JMP

    def _next_h(self, op: Opcode, imm: int, moment: Moment) -> Word:
        va, vb, vc = moment.va, moment.vb, moment.vc
        if op is Opcode.HSET:
            return va + vb
        if op is Opcode.HASH:
            lane = np.array([[imm, *self.h, *va, *vb, *vc, 0, 0, 0]], dtype=np.uint32).T
            return tuple(native.poseidon2_compress(np.ascontiguousarray(lane), 8)[:, 0].tolist())
        if op is Opcode.MULDIV:
            quotient, remainder = divmod(number(va) * number(vb), number(vc) or 1)
            return word(quotient) + word(remainder)
        return self.h

    def _effects(self, op: Opcode, d: int, imm: int, index: int, moment: Moment) -> None:
        if op is Opcode.STORE:
            words = self.cell(index)
            words[imm] = moment.vc
            self.cells[index] = tuple(words)
        elif op is Opcode.LEAF:
            self.exits[index] = self.h
        elif op is Opcode.OUT:
            self.public[imm] = moment.va
        elif op in WRITES_D:
            self.registers[d] = moment.vc


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
    """
    program = program or kernel()
    named = [*(lies or {}), *([skip] if skip else [])]
    lines = {pc: line for line, _ in named for pc in find(line, program)}
    words = [tuple(w) for w in tape.T.tolist()]
    state = _Machine(program, dict(cells), words, lines, dict(lies or {}), skip=skip)
    while state.step():
        if len(state.steps) > MAX_STEPS or state.pc >= len(program):
            raise NoEndError
    for (index, place), value in (after or {}).items():
        changed = list(state.cells[index])
        changed[place] = value
        state.cells[index] = tuple(changed)
    for index, stale_words in (stale or {}).items():
        state.before[index] = state.cells[index] = stale_words
    if max(state.before) >= 1 << CELL_DEPTH:
        raise NoEndError
    run = _run(state, program)
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


def _run(state: _Machine, program: Program) -> MachineRun:
    pcs = [pc for pc, _, _ in state.steps]
    touched = sorted(state.before)
    words = {
        name: _array([getattr(moment, name) for _, moment, _ in state.steps], 4)
        for name in ("va", "vb", "vc")
    }
    h = [h for _, _, h in state.steps]
    signed = [k for k, (_, moment, _) in enumerate(state.steps) if moment.op is Opcode.SIG]
    for k, (_, moment, _) in enumerate(state.steps):
        if moment.op not in READS_D | WRITES_D:
            words["vc"][:, k] = 0
    exits = sorted(state.exits)
    return MachineRun(
        pc=np.array(pcs, dtype=np.uint32),
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
        instruction=np.array(program.rom_columns()[1:], dtype=np.uint32)[:, pcs],
        **{name: np.zeros(len(pcs), dtype=np.uint32) for name in MODE},
        programs=(),
        shadows=Shadows.none(),
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
