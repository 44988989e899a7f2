"""A table's expressions as one hash-consed graph in topological order: what every evaluator walks.

Equal subexpressions are one node, whatever the Python objects were; evaluation is a loop, never a recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, TypeVar

from prover.air.air import Air, Constraint, Interaction
from prover.air.expression import ADD, CONST, MUL, SUB, VARIABLE, Expression, Op, Space

T = TypeVar("T")


@dataclass
class Graph:
    """Nodes in topological order.

    Attributes:
        op: kind of each node.
        left, right: operand nodes of ADD, SUB, MUL; CONST: (value, 0); VARIABLE: (variable number, 0).
        variables: the variables read, (space, index, offset).
    """

    op: list[Op] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    variables: list[tuple[Space, int, int]] = field(default_factory=list)
    _known: dict[tuple[int, int, int], int] = field(default_factory=dict)
    _numbers: dict[tuple[Space, int, int], int] = field(default_factory=dict)
    _orders: dict[tuple[int, ...], list[int]] = field(default_factory=dict)

    def _node(self, op: Op, left: int, right: int) -> int:
        if op in (ADD, MUL) and left > right:
            left, right = right, left
        key = (op, left, right)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.op)
            self.op.append(op)
            self.left.append(left)
            self.right.append(right)
        return number

    def _leaf(self, node: Expression) -> int:
        if node.op is CONST:
            return self._node(CONST, node.value, 0)
        key = (node.space, node.index, node.offset)
        if key not in self._numbers:
            self._numbers[key] = len(self.variables)
            self.variables.append(key)
        return self._node(VARIABLE, self._numbers[key], 0)

    def add(self, root: Expression, seen: dict[int, int]) -> int:
        """Adds an expression; `seen` maps id(expression) to node and must not outlive the expressions."""
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in seen:
                stack.pop()
            elif node.left is None or node.right is None:
                seen[id(node)] = self._leaf(node)
            else:
                waiting = [child for child in (node.left, node.right) if id(child) not in seen]
                if waiting:
                    stack += waiting
                else:
                    seen[id(node)] = self._node(node.op, seen[id(node.left)], seen[id(node.right)])
        return seen[id(root)]

    def reachable(self, roots: Iterable[int]) -> list[int]:
        """The nodes that `roots` need, in topological order; walked once for the same roots."""
        key = tuple(roots)
        if key not in self._orders:
            self._orders[key] = self._walk(key)
        return self._orders[key]

    def _walk(self, roots: tuple[int, ...]) -> list[int]:
        needed, stack = set(), list(roots)
        while stack:
            node = stack.pop()
            if node not in needed:
                needed.add(node)
                if self.op[node] in (ADD, SUB, MUL):
                    stack += (self.left[node], self.right[node])
        return sorted(needed)


@dataclass(frozen=True)
class InteractionNodes:
    """An interaction's expressions as nodes."""

    interaction: Interaction
    values: tuple[int, ...]
    multiplicity: int


@dataclass(frozen=True)
class AirGraph:
    """A table's record as a graph.

    Attributes:
        graph: the nodes.
        constraints: each constraint with its node, in order of statement.
        groups: the interactions by interaction column (`AirRecord.fraction_groups`).
    """

    graph: Graph
    constraints: tuple[tuple[Constraint, int], ...]
    groups: tuple[tuple[InteractionNodes, ...], ...]

    def lookup_roots(self) -> list[int]:
        """Every node that some interaction states."""
        return [n for group in self.groups for item in group for n in (*item.values, item.multiplicity)]

    def roots(self) -> list[int]:
        """Every node that some constraint or interaction states."""
        return [*(node for _, node in self.constraints), *self.lookup_roots()]

    def looked(self) -> tuple[int, ...]:
        """Numbers of the main columns that interactions read, on either row, ascending."""
        graph = self.graph
        leaves = [n for n in graph.reachable(self.lookup_roots()) if graph.op[n] is VARIABLE]
        read = (graph.variables[graph.left[n]] for n in leaves)
        return tuple(sorted({index for space, index, _ in read if space is Space.MAIN}))


@lru_cache(maxsize=256)
def air_graph(air: Air) -> AirGraph:
    """The table's graph, built once."""
    graph, seen = Graph(), dict[int, int]()
    record = air.record
    constraints = tuple((c, graph.add(c.expression, seen)) for c in record.constraints)
    groups = tuple(
        tuple(
            InteractionNodes(i, tuple(graph.add(v, seen) for v in i.values), graph.add(i.multiplicity, seen))
            for i in group
        )
        for group in record.fraction_groups()
    )
    return AirGraph(graph, constraints, groups)


class Ring(Protocol[T]):
    """What evaluation needs of a ring over F_p."""

    def constant(self, value: int) -> T:
        """An integer in [0, p)."""

    def add(self, a: T, b: T) -> T:
        """A + b."""

    def sub(self, a: T, b: T) -> T:
        """A - b."""

    def mul(self, a: T, b: T) -> T:
        """A * b."""

    def scale(self, a: T, value: int) -> T:
        """A times a constant."""


def evaluate(
    graph: Graph, ring: Ring[T], variable: Callable[[Space, int, int], T], roots: Iterable[int]
) -> dict[int, T]:
    """The values of the nodes that `roots` need.

    Args:
        graph: the nodes.
        ring: the arithmetic.
        variable: (space, index, offset) -> value; called once a variable.
        roots: nodes wanted.
    """
    values: dict[int, T] = {}
    for node in graph.reachable(roots):
        op, left, right = graph.op[node], graph.left[node], graph.right[node]
        if op is CONST:
            values[node] = ring.constant(left)
        elif op is VARIABLE:
            values[node] = variable(*graph.variables[left])
        elif op is ADD:
            values[node] = ring.add(values[left], values[right])
        elif op is SUB:
            values[node] = ring.sub(values[left], values[right])
        elif graph.op[left] is CONST:
            values[node] = ring.scale(values[right], graph.left[left])
        elif graph.op[right] is CONST:
            values[node] = ring.scale(values[left], graph.left[right])
        else:
            values[node] = ring.mul(values[left], values[right])
    return values
