"""Records a table's arithmetic for the native constraint machine, common subexpressions shared.

Base values are numbers of recorded nodes; extension values are `Sum`s, emitted only where they are used, so
that a sum of products with constants becomes a run of multiply-accumulate instructions.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from prover.field import P


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


# By name: Python 3.11 takes 0.2 us to find a member of an enumeration.
_LOAD, _BCONST, _BADD, _BSUB, _BMUL, _EMUL, _EBMUL, _LOADE, _EMAC, _BADDC, _BMULC, _EMULC = (
    MachineOp.LOAD,
    MachineOp.BCONST,
    MachineOp.BADD,
    MachineOp.BSUB,
    MachineOp.BMUL,
    MachineOp.EMUL,
    MachineOp.EBMUL,
    MachineOp.LOADE,
    MachineOp.EMAC,
    MachineOp.BADDC,
    MachineOp.BMULC,
    MachineOp.EMULC,
)


class Symbol(NamedTuple):
    """A constant of KB6 known at run time: `sign * challenge[kind][number] + offset`."""

    kind: str
    number: int = 0
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


class Recorder:
    """`composition.Algebra` that records; base values are node numbers, extension values are `Sum`s."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[Node, int] = {}
        self._constants: dict[int, int] = {}  # node -> value

    def _node(self, node: Node) -> int:
        number = self._known.get(node)
        if number is None:
            number = self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return number

    def load(self, column: int, offset: int) -> int:
        """A base column."""
        return self._node(Node(_LOAD, column, offset))

    def load_ext(self, column: int, offset: int) -> Sum:
        """Six neighbouring base columns."""
        return self._sum_of(self._node(Node(_LOADE, column, offset)))

    @staticmethod
    def symbol(kind: str, number: int = 0) -> Sum:
        """A challenge."""
        return Sum(Symbol(kind, number), ())

    @staticmethod
    def _sum_of(number: int) -> Sum:
        return Sum(None, (Term(number),))

    # base values
    def constant(self, value: int) -> int:
        """A constant."""
        number = self._node(Node(_BCONST, value))
        self._constants[number] = value
        return number

    def add(self, a: int, b: int) -> int:
        """A + b."""
        if b not in self._constants:
            a, b = b, a
        if b in self._constants:
            return self._node(Node(_BADDC, a, self._constants[b]))
        return self._node(Node(_BADD, min(a, b), max(a, b)))

    def sub(self, a: int, b: int) -> int:
        """A - b."""
        if b in self._constants:
            return self._node(Node(_BADDC, a, (P - self._constants[b]) % P))
        return self._node(Node(_BSUB, a, b))

    def mul(self, a: int, b: int) -> int:
        """A * b."""
        return self._node(Node(_BMUL, min(a, b), max(a, b)))

    def scale(self, a: int, value: int) -> int:
        """A times a constant."""
        return self._node(Node(_BMULC, a, value))

    # extension values
    def materialise(self, a: Sum) -> int:
        """The node of a sum."""
        if a.offset is None and len(a.terms) == 1 and a.terms[0].constant is None and a.terms[0].sign == 1:
            return a.terms[0].value
        return self._node(Node(_EMAC, sum=a))

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
                return self._sum_of(self._node(Node(_EMULC, self.materialise(y), symbol=x.offset)))
        left, right = sorted((self.materialise(a), self.materialise(b)))
        return self._sum_of(self._node(Node(_EMUL, left, right)))

    def ext_scale(self, a: Sum, b: int) -> Sum:
        """A * b."""
        if not a.terms and a.offset is not None:
            return Sum(None, (Term(b, a.offset),))
        return self._sum_of(self._node(Node(_EBMUL, self.materialise(a), b)))
