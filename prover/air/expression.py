"""Symbolic polynomials over the columns of a table: the one form in which constraints are recorded.

An `Expression` is a node of a directed acyclic graph over base-field constants and column variables. Every
evaluator (degree counter, trace checker, quotient, verifier, Program recorder) walks the same graph.
"""

from __future__ import annotations

from enum import IntEnum

from prover.field import P


class Op(IntEnum):
    """Kinds of node."""

    CONST = 0
    VARIABLE = 1
    ADD = 2
    SUB = 3
    MUL = 4


CONST, VARIABLE, ADD, SUB, MUL = Op
"""The same by name: Python 3.11 takes 0.2 us to find a member of an enumeration, and millions are asked for."""


class Space(IntEnum):
    """Where a variable lives."""

    PREPROCESSED = 0
    MAIN = 1
    PERIODIC = 2


class Expression:
    """One node; immutable.

    Attributes:
        op: the kind of node.
        left, right: operands of ADD, SUB, MUL.
        value: the constant of CONST, in [0, p).
        space, index, offset: the variable of VARIABLE; offset 0 is this row, 1 the following one (cyclic).
        degree: as a multiple of the trace length; a column has 1, a constant 0.
    """

    __slots__ = ("degree", "index", "left", "offset", "op", "right", "space", "value")

    def __init__(
        self,
        op: Op,
        left: Expression | None = None,
        right: Expression | None = None,
        value: int = 0,
        space: Space = Space.MAIN,
        index: int = 0,
        offset: int = 0,
        degree: int = 0,
    ) -> None:
        self.op, self.left, self.right, self.value = op, left, right, value
        self.space, self.index, self.offset, self.degree = space, index, offset, degree

    def __add__(self, other: Expression | int) -> Expression:
        return _add(self, lift(other))

    def __radd__(self, other: int) -> Expression:
        return _add(lift(other), self)

    def __sub__(self, other: Expression | int) -> Expression:
        return _sub(self, lift(other))

    def __rsub__(self, other: int) -> Expression:
        return _sub(lift(other), self)

    def __mul__(self, other: Expression | int) -> Expression:
        return _mul(self, lift(other))

    def __rmul__(self, other: int) -> Expression:
        return _mul(lift(other), self)

    def __neg__(self) -> Expression:
        return _sub(constant(0), self)


def constant(value: int) -> Expression:
    """A constant, reduced mod p."""
    return Expression(CONST, value=value % P)


def variable(space: Space, index: int, offset: int) -> Expression:
    """A column of the table, on this row (offset 0) or the following one (offset 1)."""
    return Expression(VARIABLE, space=space, index=index, offset=offset, degree=1)


def lift(value: Expression | int) -> Expression:
    """An integer as a constant, an expression as itself."""
    return value if isinstance(value, Expression) else constant(value)


def _add(a: Expression, b: Expression) -> Expression:
    if a.op is CONST and b.op is CONST:
        return constant(a.value + b.value)
    if a.op is CONST and a.value == 0:
        return b
    if b.op is CONST and b.value == 0:
        return a
    return Expression(ADD, a, b, degree=max(a.degree, b.degree))


def _sub(a: Expression, b: Expression) -> Expression:
    if a.op is CONST and b.op is CONST:
        return constant(a.value - b.value)
    if b.op is CONST and b.value == 0:
        return a
    return Expression(SUB, a, b, degree=max(a.degree, b.degree))


def _mul(a: Expression, b: Expression) -> Expression:
    if a.op is CONST and b.op is CONST:
        return constant(a.value * b.value)
    for factor, other in ((a, b), (b, a)):
        if factor.op is CONST:
            if factor.value == 0:
                return factor
            if factor.value == 1:
                return other
    return Expression(MUL, a, b, degree=a.degree + b.degree)
