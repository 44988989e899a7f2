"""The same graph, made where somebody looks: for a tree whose scripts, all of them, take gigabytes and minutes.

Amounts depend on sizes alone, and sizes on the tree alone, so every node's are worked out without a key. Keys, scripts,
Taproot outputs and txids of a node are made when its coins are asked for: what a game shows on the chain is byte for
byte what the whole graph has there, and nothing stands in for anything. What nobody asks for is never made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any, Final, TypeVar

from verifier.bitcoin.taproot import TaprootOutput, TapTree
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.graph import MAX_WEIGHT, NOWHERE, ROOT, SlotGraph, Terms
from verifier.bridge.params import MARGINS, Margins, Windows
from verifier.bridge.scripts import committee_output, guarded, reveal_leaf
from verifier.bridge.template import Coin, Input
from verifier.bridge.tree import Node, OpeningTree
from verifier.script.winternitz import LINK_BYTES, WinternitzKey, checksum_digits

Item = TypeVar("Item")
_COINS: Final = {"C": True, "R": True, "D": False, "A": False}
"""First letter of a node's coin -> whether its parent's reveal makes it, not its own."""


class LazyGraph(SlotGraph):
    """A `SlotGraph` of which each node is made when it is touched.

    Args:
        terms: keys, outpoint, windows, amounts.
        tree: nodes and leaves.
        keys: of every wire; asked for the wires of nodes that are touched, no others.
        margins: see `SlotGraph`.
        progress: called with the share of nodes measured.

    Raises:
        BridgeError: WINDOWS, AMOUNTS.
    """

    def __init__(
        self,
        terms: Terms,
        tree: OpeningTree,
        keys: Mapping[str, WinternitzKey],
        margins: Margins = MARGINS,
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        terms.amounts.check()
        self.terms, self.tree, self.keys, self._margins = terms, tree, keys, margins
        self.nodes = list(tree.nodes)
        self.disprove_hashes = {}
        self._largest_leaf = [0] * len(self.nodes)
        for node in self.nodes:
            sizes = (tree.leaf_bytes(node.index, number) for number in range(node.num_leaves))
            self._largest_leaf[node.index] = max(sizes, default=-_guard()) + _guard()
            progress((node.index + 1) / len(self.nodes))
        self._operator_scripts()
        self._measuring = True
        self._committed = [[_stand_in(1)] * self.groups(node.index) for node in self.nodes]
        self._disprove_outputs = [_stand_in(n.num_leaves) if n.num_leaves else None for n in self.nodes]
        self._place_values()
        self._measure()
        self._measuring = False
        self._committed = _Made(self.nodes, self._committed_outputs)
        self._disprove_outputs = _Made(self.nodes, self._disprove_output)
        self._start()
        terms.windows.check(self.depth, self.widest_level_vbytes, margins)

    def at(self, funding: OutPoint, windows: Windows | None = None) -> LazyGraph:
        """The same graph from another outpoint, or with other windows: amounts depend on neither.

        Raises:
            BridgeError: WINDOWS.
        """
        other = copy(self)
        other.terms = replace(self.terms, funding=funding, windows=windows or self.terms.windows)
        other.terms.windows.check(self.depth, self.widest_level_vbytes, self._margins)
        other._start()
        return other

    @property
    def widest_level_vbytes(self) -> int:
        """What the most expensive level weighs when all of it is revealed."""
        return super().widest_level_vbytes if self._measuring else self._widest_level_vbytes

    @property
    def largest_disprove_vbytes(self) -> int:
        """An upper bound of every disproof, two more outputs included."""
        return super().largest_disprove_vbytes if self._measuring else self._largest_disprove_vbytes

    def _start(self) -> None:
        """The kickoff's coins are there, all others when asked for."""
        self._made = {}
        self.coins = _Coins(self)
        self._put_kickoff()

    def _measure(self) -> None:
        """Largest transactions, with outputs of the right size in place of each node's own."""
        self._widest_level_vbytes = self.widest_level_vbytes
        self._largest_disprove_vbytes = self.largest_disprove_vbytes
        weights = {n.index: self._commitment(n.index).max_weight for n in self.nodes}
        self.too_wide = tuple(index for index, weight in weights.items() if weight > MAX_WEIGHT)

    def appear(self, node: int) -> None:
        """Puts the coins that revealing a node makes, its ancestors' first."""
        if node == ROOT:
            self._put("S", NOWHERE, self.stake_sats, committee_output(self.terms.committee))
        self._put_revealed(node, None)
        self._put_revealed(node, self._commitment(node).tx.txid)

    def _bound(self, name: str, node: int, group: int) -> Input:
        """The input that binds a group of wires; while sizes are measured, by a script that is not made."""
        wires = self.nodes[node].wires
        if not self._measuring or not wires:
            return super()._bound(name, node, group)
        links = sum(wire.digits + checksum_digits(wire.digits) for wire in wires[group])
        size = _reveal_bytes(()) + sum(_reveal_bytes((w.digits,)) - _reveal_bytes(()) for w in wires[group])
        return self._binding(name, bytes(32), size, links)


class _Coins(dict[str, Coin]):
    """Coins by name, made when asked for."""

    def __init__(self, graph: LazyGraph) -> None:
        super().__init__()
        self._graph = graph

    def __missing__(self, name: str) -> Coin:
        kind, node = name[:1], name[1:].partition(".")[0]
        if name == "S":
            self._graph.appear(ROOT)
        elif kind in _COINS and node.isdigit() and int(node) < len(self._graph.nodes):
            holder = self._graph.nodes[int(node)].parent if _COINS[kind] else int(node)
            if holder >= ROOT:
                self._graph.appear(holder)
        if not dict.__contains__(self, name):
            raise KeyError(name)
        return self[name]

    def __contains__(self, name: object) -> bool:
        try:
            return dict.__contains__(self, name) or (isinstance(name, str) and bool(self[name]))
        except KeyError:
            return False


class _Made(list[Item]):
    """What is made of each node, once, when it is asked for by the node's index."""

    def __init__(self, nodes: list[Node], make: Callable[[Node], Item]) -> None:
        super().__init__()
        self._of = cache(lambda index: make(nodes[index]))

    def __getitem__(self, index: Any) -> Any:
        return self._of(index)


@cache
def _stand_in(leaves: int) -> TaprootOutput:
    """An output whose control blocks have the length that so many leaves ask for."""
    depth = (leaves - 1).bit_length()
    return TaprootOutput(bytes(32), TapTree(bytes(32), (bytes(32 * depth),)), bytes(32), 0)


@cache
def _guard() -> int:
    """Bytes that the committee's guard adds to a leaf."""
    return len(guarded(bytes(32), b""))


@cache
def _reveal_bytes(digits: tuple[int, ...]) -> int:
    """Size of a reveal leaf for wires of these lengths."""
    keys = [WinternitzKey((bytes(LINK_BYTES),) * (n + checksum_digits(n)), n) for n in digits]
    return len(reveal_leaf(bytes(32), keys))
