"""A graph's nodes as affine forms: sums of constant multiples of columns and of products of columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prover.air.expression import Op
from prover.air.graph import Graph
from prover.field import P


@dataclass(frozen=True, eq=False)
class Affine:
    """constant + sum of factor times node. Two of them are equal only if they are one.

    Attributes:
        constant: in [0, p).
        terms: VARIABLE or MUL node -> its factor, not 0; products of two products are nodes of their own.
    """

    constant: int
    terms: Mapping[int, int]


class AffineForms:
    """The affine form of any node of a graph, made once.

    Args:
        graph: whose.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._known: dict[int, Affine] = {}

    def __call__(self, node: int) -> Affine:
        """The node's form: linear operations are carried out, products of non-constants are not."""
        for n in self.graph.reachable([node]):
            if n not in self._known:
                self._known[n] = self._form(n)
        return self._known[node]

    def _form(self, node: int) -> Affine:
        op, left, right = self.graph.op[node], self.graph.left[node], self.graph.right[node]
        if op is Op.CONST:
            return Affine(left, {})
        if op is Op.VARIABLE:
            return Affine(0, {node: 1})
        a, b = self._known[left], self._known[right]
        if op is Op.ADD:
            return _combine(a, 1, b)
        if op is Op.SUB:
            return _combine(a, P - 1, b)
        for factor, other in ((a, b), (b, a)):
            if not factor.terms:
                return _combine(Affine(0, {}), factor.constant, other)
        return Affine(0, {node: 1})


def _combine(a: Affine, factor: int, b: Affine) -> Affine:
    """A + factor b."""
    terms = dict(a.terms)
    for node, value in b.terms.items():
        terms[node] = (terms.get(node, 0) + factor * value) % P
    kept = {node: value for node, value in terms.items() if value}
    return Affine((a.constant + factor * b.constant) % P, kept)
