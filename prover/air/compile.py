"""Compiles a table into straight-line code of the native constraint machine, once an AIR.

Challenges are symbolic constants, bound at each run, so the code depends on the table alone. Values are recorded as
a graph with common subexpressions shared; outputs are emitted a few terms at a time, slots are handed out by last
use and columns are loaded anew in every batch of terms, so that the working set stays in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from prover.air.air import Air, Rows
from prover.air.composition import Row, compose, num_constraints
from prover.air.expression import Space
from prover.air.graph import air_graph, evaluate
from prover.air.logup import LookupChallenges, fraction
from prover.field import DEGREE, ZERO, Kb6, P, add, scale

BATCH = 16
"""Terms of a sum that are emitted together."""


class MachineOp(IntEnum):
    """Opcodes of the native machine (native/csrc/machine.h); an instruction is (opcode, d, a, b)."""

    LOAD = 0
    BCONST = 1
    BADD = 2
    BSUB = 3
    BMUL = 4
    ECONST = 5
    EADD = 6
    ESUB = 7
    EMUL = 8
    EBMUL = 9
    EFROMB = 10
    LOADE = 11
    STOREB = 12
    STOREE = 13
    EMAC = 14
    BADDC = 15
    BMULC = 16
    EMULC = 17
    EADDB = 18


class Symbol(NamedTuple):
    """A constant of KB6 known at run time: sign * challenge[kind][index] + offset."""

    kind: str
    index: int = 0
    sign: int = 1
    offset: int = 0


ONE_SYMBOL = Symbol("zero", 0, 1, 1)


class Term(NamedTuple):
    """A summand: constant * base value (`constant` set) or +- an extension value."""

    value: int
    constant: Symbol | None = None
    sign: int = 1


class Sum(NamedTuple):
    """offset + terms, not yet emitted; the form in which extension values are passed about."""

    offset: Symbol | None
    terms: tuple[Term, ...]


class Node(NamedTuple):
    """A recorded value."""

    op: MachineOp
    a: int = 0
    b: int = 0
    symbol: Symbol | None = None
    sum: Sum | None = None


@dataclass
class MachineCode:
    """Code ready for the machine but for the symbols' values.

    Attributes:
        code: four words an instruction.
        base_slots, ext_slots: working slots needed.
        base_constants: in [0, p).
        symbols: extension constants, to be bound.
        num_outputs: extension outputs.
        loads: (column, offset) pairs read.
    """

    code: list[int]
    base_slots: int
    ext_slots: int
    base_constants: list[int]
    symbols: list[Symbol]
    num_outputs: int

    def bind(self, values: dict[str, Sequence[Kb6]]) -> list[Kb6]:
        """The symbols' values."""
        out = []
        for symbol in self.symbols:
            value = ZERO if symbol.kind == "zero" else values[symbol.kind][symbol.index]
            out.append(add(scale(value, symbol.sign % P), (symbol.offset % P, 0, 0, 0, 0, 0)))
        return out


class Recorder:
    """`composition.Algebra` that records; base values are node numbers, extension values are `Sum`s."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[Node, int] = {}

    def _node(self, node: Node) -> int:
        number = self._known.get(node)
        if number is None:
            number = self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return number

    def load(self, column: int, offset: int) -> int:
        """A base column."""
        return self._node(Node(MachineOp.LOAD, column, offset))

    def load_ext(self, column: int, offset: int) -> Sum:
        """Six neighbouring base columns."""
        return self._sum_of(self._node(Node(MachineOp.LOADE, column, offset)))

    @staticmethod
    def symbol(kind: str, index: int = 0) -> Sum:
        """A challenge."""
        return Sum(Symbol(kind, index), ())

    @staticmethod
    def _sum_of(number: int) -> Sum:
        return Sum(None, (Term(number),))

    # base values
    def constant(self, value: int) -> int:
        """A constant."""
        return self._node(Node(MachineOp.BCONST, value))

    def _constant_of(self, number: int) -> int | None:
        node = self.nodes[number]
        return node.a if node.op is MachineOp.BCONST else None

    def add(self, a: int, b: int) -> int:
        """A + b."""
        for x, y in ((a, b), (b, a)):
            value = self._constant_of(y)
            if value is not None:
                return self._node(Node(MachineOp.BADDC, x, value))
        return self._node(Node(MachineOp.BADD, min(a, b), max(a, b)))

    def sub(self, a: int, b: int) -> int:
        """A - b."""
        value = self._constant_of(b)
        if value is not None:
            return self._node(Node(MachineOp.BADDC, a, (P - value) % P))
        return self._node(Node(MachineOp.BSUB, a, b))

    def mul(self, a: int, b: int) -> int:
        """A * b."""
        return self._node(Node(MachineOp.BMUL, min(a, b), max(a, b)))

    def scale(self, a: int, value: int) -> int:
        """A times a constant."""
        return self._node(Node(MachineOp.BMULC, a, value))

    # extension values
    def materialise(self, a: Sum) -> int:
        """The node of a sum."""
        if a.offset is None and len(a.terms) == 1 and a.terms[0].constant is None and a.terms[0].sign == 1:
            return a.terms[0].value
        return self._node(Node(MachineOp.EMAC, sum=a))

    def embed(self, a: int) -> Sum:
        """A base value."""
        return Sum(None, (Term(a, ONE_SYMBOL),))

    def ext_offset(self, a: Sum, value: int) -> Sum:
        """A plus a base constant."""
        symbol = a.offset or Symbol("zero")
        return Sum(symbol._replace(offset=(symbol.offset + value) % P), a.terms)

    def ext_add(self, a: Sum, b: Sum) -> Sum:
        """A + b."""
        if a.offset is not None and b.offset is not None:
            b = self._sum_of(self.materialise(b))
        return Sum(a.offset or b.offset, a.terms + b.terms)

    def ext_sub(self, a: Sum, b: Sum) -> Sum:
        """A - b."""
        if b.offset is not None:
            b = self._sum_of(self.materialise(b))
        return Sum(a.offset, a.terms + tuple(self._negate(term) for term in b.terms))

    @staticmethod
    def _negate(term: Term) -> Term:
        c = term.constant
        if c is None:
            return term._replace(sign=-term.sign)
        return term._replace(constant=c._replace(sign=-c.sign, offset=-c.offset % P))

    def ext_mul(self, a: Sum, b: Sum) -> Sum:
        """A * b."""
        for x, y in ((a, b), (b, a)):
            if not x.terms and x.offset is not None:
                return self._sum_of(
                    self._node(Node(MachineOp.EMULC, self.materialise(y), symbol=x.offset))
                )
        left, right = sorted((self.materialise(a), self.materialise(b)))
        return self._sum_of(self._node(Node(MachineOp.EMUL, left, right)))

    def ext_scale(self, a: Sum, b: int) -> Sum:
        """A * b."""
        if not a.terms and a.offset is not None:
            return Sum(None, (Term(b, a.offset),))
        return self._sum_of(self._node(Node(MachineOp.EBMUL, self.materialise(a), b)))


@dataclass
class Emission:
    """Linear code over virtual registers, then slots."""

    recorder: Recorder
    lines: list[tuple[MachineOp, int, int, int]] = field(default_factory=list)  # virtual registers
    place: dict[int, int] = field(default_factory=dict)  # node -> virtual register
    ext: list[bool] = field(default_factory=list)  # virtual register -> is it an extension value
    base_constants: dict[int, int] = field(default_factory=dict)
    symbols: dict[Symbol, int] = field(default_factory=dict)
    loaded: list[int] = field(default_factory=list)

    def _register(self, ext: bool) -> int:
        self.ext.append(ext)
        return len(self.ext) - 1

    def _symbol(self, symbol: Symbol) -> int:
        return self.symbols.setdefault(symbol, len(self.symbols))

    def _base_constant(self, value: int) -> int:
        return self.base_constants.setdefault(value, len(self.base_constants))

    def forget_loads(self) -> None:
        """Columns are loaded anew from here on."""
        for number in self.loaded:
            self.place.pop(number, None)
        self.loaded.clear()

    def _operands(self, node: Node) -> list[int]:
        if node.op in (MachineOp.LOAD, MachineOp.LOADE, MachineOp.BCONST):
            return []
        if node.op in (MachineOp.BADDC, MachineOp.BMULC, MachineOp.EMULC):
            return [node.a]
        return [node.a, node.b]

    def emit(self, root: int) -> int:
        """Emits a node and what it needs; gives its register."""
        stack = [root]
        while stack:
            number = stack[-1]
            node = self.recorder.nodes[number]
            if number in self.place:
                stack.pop()
            elif node.sum is not None:
                # Sums nest only a few deep (a fingerprint in a product): recursion is bounded.
                self.place[number] = self.emit_sum(node.sum)
            else:
                waiting = [n for n in self._operands(node) if n not in self.place]
                if waiting:
                    stack += reversed(waiting)
                else:
                    self._emit_node(number, node)
        return self.place[root]

    def _emit_node(self, number: int, node: Node) -> None:
        op = node.op
        ext = op in (MachineOp.LOADE, MachineOp.EMUL, MachineOp.EBMUL, MachineOp.EMULC)
        a, b = node.a, node.b
        if op in (MachineOp.LOAD, MachineOp.LOADE):
            self.loaded.append(number)
        elif op is MachineOp.BCONST:
            a = self._base_constant(a)
        elif op in (MachineOp.BADDC, MachineOp.BMULC):
            a, b = self.place[a], self._base_constant(b)
        elif op is MachineOp.EMULC and node.symbol is not None:
            a, b = self.place[a], self._symbol(node.symbol)
        else:
            a, b = self.place[a], self.place[b]
        register = self._register(ext)
        self.lines.append((op, register, a, b))
        self.place[number] = register

    def emit_sum(self, total: Sum, batched: bool = False) -> int:
        """A sum into a fresh register, BATCH terms at a time."""
        target = self._register(True)
        offset = total.offset or Symbol("zero")
        self.lines.append((MachineOp.ECONST, target, self._symbol(offset), 0))
        for start in range(0, len(total.terms), BATCH):
            terms = total.terms[start : start + BATCH]
            registers = [self.emit(term.value) for term in terms]
            for term, register in zip(terms, registers, strict=True):
                if term.constant is None:
                    op = MachineOp.EADD if term.sign == 1 else MachineOp.ESUB
                    self.lines.append((op, target, target, register))
            for term, register in zip(terms, registers, strict=True):
                if term.constant is not None:
                    self.lines.append((MachineOp.EMAC, target, register, self._symbol(term.constant)))
            if batched:
                self.forget_loads()
        return target

    def store(self, output: int, number: int) -> None:
        """Emits a node and stores it as an output."""
        self.lines.append((MachineOp.STOREE, output, self.emit(number), 0))

    def reads(self, line: tuple[MachineOp, int, int, int]) -> list[int]:
        """Registers that a line reads."""
        op, d, a, b = line
        if op in (MachineOp.LOAD, MachineOp.LOADE, MachineOp.BCONST, MachineOp.ECONST):
            return []
        if op is MachineOp.EMAC:
            return [d, a]
        if op in (MachineOp.BADDC, MachineOp.BMULC, MachineOp.EMULC, MachineOp.STOREE):
            return [a]
        return [a, b]

    def finish(self, num_outputs: int) -> MachineCode:
        """Registers to slots, by last use."""
        last: dict[int, int] = {}
        for at, line in enumerate(self.lines):
            for register in self.reads(line):
                last[register] = at
        slots: dict[int, int] = {}
        free: tuple[list[int], list[int]] = ([], [])
        used = [0, 0]
        code: list[int] = []
        constant_b = (MachineOp.BADDC, MachineOp.BMULC, MachineOp.EMULC, MachineOp.EMAC)
        for at, line in enumerate(self.lines):
            op, d, a, b = line
            read = self.reads(line)
            if read:
                a = slots[a]
                if op not in constant_b and op is not MachineOp.STOREE:
                    b = slots[b]
            # EMAC and sums add into d; every other result may take an operand's slot only where the kernel is
            # element-wise, which EMULC and EMUL (they load all six first) and the rest are.
            for register in set(read):
                if last[register] == at and (register != d or op is MachineOp.STOREE):
                    free[self.ext[register]].append(slots.pop(register))
            if op is not MachineOp.STOREE:
                if d not in slots:
                    kind = self.ext[d]
                    if free[kind]:
                        slots[d] = free[kind].pop()
                    else:
                        slots[d] = used[kind]
                        used[kind] += 1
                if d not in last and d in slots:
                    last[d] = at
                d = slots[d]
            code += [op, d, a, b]
        return MachineCode(
            code,
            max(used[0], 1),
            max(used[1], 1),
            list(self.base_constants) or [0],
            list(self.symbols) or [Symbol("zero")],
            num_outputs,
        )


@dataclass(frozen=True)
class CompiledAir:
    """A table's machine code.

    Attributes:
        fractions: per group, numerator then denominator; None without interactions. Columns: main, preprocessed,
            periodic.
        quotient: per kind of `rows`, the sum of alpha_k C_k. Columns: main, preprocessed, periodic, interaction.
        rows: the kinds of rows, in order of the quotient's outputs.
    """

    fractions: MachineCode | None
    quotient: MachineCode
    rows: tuple[Rows, ...]


def _variable(recorder: Recorder, air: Air, space: Space, index: int, offset: int) -> int:
    starts = {
        Space.MAIN: 0,
        Space.PREPROCESSED: air.Main.width,
        Space.PERIODIC: air.Main.width + air.Fixed.width,
    }
    return recorder.load(starts[space] + index, offset)


def _lookup(recorder: Recorder, longest: int) -> LookupChallenges[Sum]:
    return LookupChallenges(recorder.symbol("alpha_lu"), [recorder.symbol("beta_lu", j) for j in range(longest)])


def _longest(air: Air) -> int:
    return max((i.relation.arity for i in air.record.interactions), default=0)


def _compile_fractions(air: Air) -> MachineCode | None:
    table = air_graph(air)
    if not table.groups:
        return None
    recorder = Recorder()
    roots = [n for group in table.groups for item in group for n in (*item.values, item.multiplicity)]
    values = evaluate(table.graph, recorder, lambda s, i, o: _variable(recorder, air, s, i, o), roots)
    challenges = _lookup(recorder, _longest(air))
    emission, outputs = Emission(recorder), 0
    for group in table.groups:
        for part in fraction(recorder, table, group, values, challenges):
            emission.store(outputs, recorder.materialise(part))
            outputs += 1
        emission.forget_loads()
    return emission.finish(outputs)


def _compile_quotient(air: Air) -> tuple[MachineCode, tuple[Rows, ...]]:
    table = air_graph(air)
    recorder = Recorder()
    start = air.Main.width + air.Fixed.width + len(air.periodic)
    groups = len(table.groups)
    row: Row[int, Sum] = Row(
        lambda s, i, o: _variable(recorder, air, s, i, o),
        [recorder.load_ext(start + DEGREE * g, 0) for g in range(groups)],
        recorder.load_ext(start + DEGREE * (groups - 1), 1) if groups else None,
        recorder.symbol("share") if groups else None,
    )
    alphas = [recorder.symbol("alpha", k) for k in range(num_constraints(air))]
    totals = compose(recorder, air, row, _lookup(recorder, _longest(air)), alphas)
    emission = Emission(recorder)
    for output, total in enumerate(totals.values()):
        register = emission.emit_sum(total, batched=True)
        emission.lines.append((MachineOp.STOREE, output, register, 0))
    return emission.finish(len(totals)), tuple(totals)


@lru_cache(maxsize=256)
def compiled(air: Air) -> CompiledAir:
    """The table's code, compiled once."""
    quotient, rows = _compile_quotient(air)
    return CompiledAir(_compile_fractions(air), quotient, rows)
