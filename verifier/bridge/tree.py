"""The opening tree: what the chunks give to the game, and all that the game knows of a proof.

A node is a scope of the verifier's Program. It has wires (values that the operator commits with one-time
keys when it reveals the node), leaves (tapscripts, each of which re-runs a piece of the Program from wires
of this node and its ancestors, and spends only if the committed values do not fit) and children.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from verifier.script.winternitz import WinternitzKey

_QUERY: Final = re.compile(r"query \d+")
Digits = tuple[int, ...]
"""A wire's value: nibbles, as its Winternitz key signs them."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A committed value.

    Attributes:
        name: unique in the tree; also the label of its key.
        digits: nibbles of the value.
    """

    name: str
    digits: int


@dataclass(frozen=True, slots=True)
class Node:
    """A scope that can be opened.

    Attributes:
        index: place in `OpeningTree.nodes`.
        name: path of scopes, such as "root/query 3/main tree"; "query" and a number at its end is a whole query.
        parent: index of the parent; -1 at the root.
        children: indices, in order.
        wires: what revealing it commits, in groups: a group is checked by one input of the Reveal (a
            tapscript starts with at most 1,000 items).
        num_leaves: tapscripts that can disprove it.
    """

    index: int
    name: str
    parent: int
    children: tuple[int, ...]
    wires: tuple[tuple[Wire, ...], ...]
    num_leaves: int


@dataclass(frozen=True, slots=True)
class Spend:
    """A leaf that convicts: its number in the node, and the witness items above its script, bottom first."""

    leaf: int
    items: tuple[bytes, ...]


class OpeningTree(Protocol):
    """What the planner makes of a verifier's Program; deterministic in (verifying key, shape)."""

    @property
    def nodes(self) -> Sequence[Node]:
        """Parents before children, the root first."""

    @property
    def claim(self) -> Wire:
        """The root's wire that names the statement, as a digest of it."""

    def leaf(self, node: int, number: int, keys: Mapping[str, WinternitzKey]) -> bytes:
        """The tapscript of a leaf; `keys` has the key of every wire of the node and of its ancestors."""

    def leaf_bytes(self, node: int, number: int) -> int:
        """The length of a leaf's tapscript, which does not depend on keys."""


class Execution(Protocol):
    """A run of the Program on one proof: the value of every wire. What an honest operator commits."""

    def values(self, node: int) -> tuple[tuple[Digits, ...], ...]:
        """The node's wires, in the order and groups of `Node.wires`."""


class Accuser(Protocol):
    """Finds the leaves that convict, from what the chain shows alone."""

    def disproofs(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Iterator[Spend]:
        """The leaves of a node that spend, one after the other; none where the node is right.

        Args:
            node: a revealed node.
            signatures: wire name -> Winternitz signature items, of the node's and its ancestors' wires.
        """

    def disprove(self, node: int, signatures: Mapping[str, tuple[bytes, ...]]) -> Spend | None:
        """The first of them, or None."""


def values_of(node: Node, execution: Execution) -> dict[str, Digits]:
    """A node's wires by name."""
    groups = zip(node.wires, execution.values(node.index), strict=True)
    return {wire.name: value for wires, values in groups for wire, value in zip(wires, values, strict=True)}


def levels(nodes: Sequence[Node]) -> list[int]:
    """How many Reveals lead to each node; 0 at the root."""
    found: list[int] = []
    for node in nodes:
        found.append(0 if node.parent < 0 else found[node.parent] + 1)
    return found


def is_query(node: Node) -> bool:
    """Whether it is a whole query."""
    return _QUERY.fullmatch(node.name.rpartition("/")[2]) is not None


def ancestry(nodes: Sequence[Node], node: int) -> list[int]:
    """The root, .., the node."""
    found = [node]
    while nodes[found[-1]].parent >= 0:
        found.append(nodes[found[-1]].parent)
    return found[::-1]


def depth(nodes: Sequence[Node]) -> int:
    """How many Reveals follow each other at most."""
    return max(levels(nodes))


def query_openings(nodes: Sequence[Node], number: int) -> int:
    """How many openings show so many full queries, at most.

    The largest queries with all below them, and every scope that a query lies in: somebody who chooses at random
    chooses among them all. The root is revealed by the assertion.
    """
    sizes, above, queries = [1] * len(nodes), set[int](), list[int]()
    for node in reversed(nodes):
        if node.parent >= 0:
            sizes[node.parent] += sizes[node.index]
        if is_query(node):
            queries.append(sizes[node.index])
            at = node.parent
            while at > 0:
                above.add(at)
                at = nodes[at].parent
    return sum(sorted(queries)[-number:]) + len(above)


def runs(weights: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Consecutive numbers cut into runs (first, end) of about `limit` weight each, one number at least."""
    found, first, total = [], 0, 0
    for number, weight in enumerate(weights):
        if number > first and total + weight > limit:
            found.append((first, number))
            first, total = number, 0
        total += weight
    return [*found, (first, len(weights))]
