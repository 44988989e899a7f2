"""What an arithmetic step states: per coordinate, a sum of products and of elements.

One definition for scripts (on names of bytes) and for hints (on numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prover.field import DEGREE
from verifier.bridge.steps import Kind, Step
from verifier.script.koalabear import BYTES, byte_hints, quotient_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Relation(Generic[T]):
    """One coordinate of a result: sum of sign x y over products, and of sign z over terms, mod p.

    Attributes:
        products: sign and factors.
        terms: sign and element.
        quotients: parts of the hinted quotient.
    """

    products: tuple[tuple[int, T, T], ...]
    terms: tuple[tuple[int, T], ...]
    quotients: int


def _product(a: Sequence[T], b: Sequence[T]) -> list[list[tuple[int, T, T]]]:
    """Coordinates of a b in F_p[X]/(X^6 + X^3 + 1); factors may have fewer coordinates than six."""
    out: list[list[tuple[int, T, T]]] = [[] for _ in range(DEGREE)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            k = (i + j) % 9  # X^9 = 1, and X^6 = -X^3 - 1
            places = ((1, k),) if k < DEGREE else ((-1, k - DEGREE), (-1, k - 3))
            for sign, place in places:
                out[place].append((sign, x, y))
    return out


def relations(kind: Kind, args: Sequence[Sequence[T]], mask: int = 0) -> list[Relation[T]]:
    """By coordinate of the result; INVERSE is `inverse_relations`.

    Args:
        kind: an arithmetic kind, not CHALLENGE.
        args: operands' coordinates.
        mask: of a SUM.
    """
    if kind is Kind.MUL:
        return [Relation(((1, args[0][0], args[1][0]),), (), 3)]
    if kind is Kind.SUM:
        signs = [-1 if mask >> i & 1 else 1 for i in range(len(args))]
        return [Relation((), tuple(zip(signs, row, strict=True)), 1) for row in zip(*args, strict=True)]
    products = _product(args[0], args[1])
    added = args[2] if kind is Kind.HORNER else ()
    return [
        Relation(tuple(row), ((1, added[k]),) if k < len(added) else (), 3) for k, row in enumerate(products)
    ]


def inverse_relations(a: Sequence[T], inverse: Sequence[T]) -> list[Relation[T]]:
    """The coordinates of a times its inverse, which are 1, 0, 0, 0, 0, 0."""
    return [Relation(tuple(row), (), 3) for row in _product(a, inverse)]


CHALLENGE_QUOTIENTS = 3


def num_hints(kind: Kind) -> int:
    """Hint items of an arithmetic step."""
    if kind is Kind.MUL:
        return BYTES + 3
    if kind is Kind.SUM:
        return DEGREE * (BYTES + 1)
    return DEGREE * (BYTES + 3)


def hints(step: Step, args: Sequence[Sequence[int]], out: Sequence[int]) -> list[int]:
    """The step's hints in the order in which its script takes them.

    Args:
        step: arithmetic.
        args: operands' values.
        out: the result's, canonical.
    """
    if step.kind is Kind.CHALLENGE:
        (block,) = args
        values = [block[2 * i] + (block[2 * i + 1] << 32) for i in range(DEGREE)]
        rows = [
            (*byte_hints(r), *quotient_hints(value, CHALLENGE_QUOTIENTS))
            for value, r in zip(values, out, strict=True)
        ]
        return [hint for row in rows for hint in row]
    if step.kind is Kind.INVERSE:
        found = [hint for word in out for hint in byte_hints(word)]
        for k, relation in enumerate(inverse_relations(args[0], out)):
            found += quotient_hints(_total(relation) - (k == 0), relation.quotients)
        return found
    found = []
    for relation, r in zip(relations(step.kind, args, step.number), out, strict=True):
        found += (*byte_hints(r), *quotient_hints(_total(relation), relation.quotients))
    return found


def _total(relation: Relation[int]) -> int:
    products = sum(sign * x * y for sign, x, y in relation.products)
    return products + sum(sign * z for sign, z in relation.terms)
