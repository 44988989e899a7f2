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

from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.game.graph import NOWHERE, ROOT, SlotGraph, Terms
from verifier.bridge.game.node_scripts import Binding, NodeScripts, node_scripts
from verifier.bridge.game.params import MARGINS, Margins, Windows
from verifier.bridge.game.scripts import committee_output, guarded, reveal_leaf
from verifier.bridge.game.template import Coin
from verifier.bridge.tree import Node, OpeningTree, Wire
from verifier.script.winternitz import LINK_BYTES, WinternitzKey, checksum_digits

Item = TypeVar("Item")
_COINS: Final = {"C": True, "R": True, "D": False, "A": False}
"""First letter of a node's coin -> whether its parent's reveal makes it, not its own."""
_HASH: Final = bytes(32)
"""Of a script whose size alone counts."""


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
        sizes = []
        for node in tree.nodes:
            sizes.append(_measured(tree, node))
            progress((node.index + 1) / len(tree.nodes))
        self._largest: dict[str, int] = {}
        super().__init__(terms, tree, keys, margins, sizes, allow_oversized=True)
        self._largest = {
            "level": super().widest_level_vbytes,
            "disprove": super().largest_disprove_vbytes,
            "leaf": super().largest_leaf_bytes,
        }
        self.scripts = _Made(self.nodes, lambda node: node_scripts(tree, node, keys, terms.committee))
        self._committed = _Made(self.nodes, self._committed_outputs)
        self._disprove_outputs = _Made(self.nodes, self._disprove_output)
        self._start()

    def at(self, funding: OutPoint, windows: Windows | None = None) -> LazyGraph:
        """See `SlotGraph.at`."""
        other = copy(self)
        other.terms = replace(self.terms, funding=funding, windows=windows or self.terms.windows)
        other.terms.windows.check(self.depth, self.widest_level_vbytes, self._margins)
        other._start()
        return other

    @property
    def widest_level_vbytes(self) -> int:
        """What the most expensive level weighs when all of it is revealed."""
        return self._largest.get("level") or super().widest_level_vbytes

    @property
    def largest_disprove_vbytes(self) -> int:
        """An upper bound of every disproof, two more outputs included."""
        return self._largest.get("disprove") or super().largest_disprove_vbytes

    @property
    def largest_leaf_bytes(self) -> int:
        """Of all leaves of disprove outputs, guards included."""
        return self._largest.get("leaf") or super().largest_leaf_bytes

    def _start(self) -> None:
        """The kickoff's coins are there, all others when asked for."""
        self._made, self._digest = {}, None
        self.coins = _Coins(self)
        self._put_kickoff()

    def appear(self, node: int) -> None:
        """Puts the coins that revealing a node makes, its ancestors' first."""
        if node == ROOT:
            self._put("S", NOWHERE, self.stake_sats, committee_output(self.terms.committee))
        self._put_revealed(node, None)
        self._put_revealed(node, self._commitment(node).tx.txid)


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


def _measured(tree: OpeningTree, node: Node) -> NodeScripts:
    """Sizes of a node's scripts, without any of them."""
    bindings = tuple(
        Binding(_HASH, _empty() + sum(map(_check_bytes, group)), sum(map(_links, group)))
        for group in node.wires
    )
    sizes = [tree.leaf_bytes(node.index, number) + _guard() for number in range(node.num_leaves)]
    return NodeScripts(bindings, (_HASH,) * node.num_leaves, sum(sizes), max(sizes, default=0))


def _links(wire: Wire) -> int:
    return wire.digits + checksum_digits(wire.digits)


@cache
def _guard() -> int:
    """Bytes that the committee's guard adds to a leaf."""
    return len(guarded(bytes(32), b""))


@cache
def _empty() -> int:
    """Bytes of a reveal leaf without wires."""
    return len(reveal_leaf(bytes(32), []))


def _check_bytes(wire: Wire) -> int:
    """Bytes that a wire adds to it."""
    return _check_size(wire.digits, _links(wire))


@cache
def _check_size(digits: int, links: int) -> int:
    key = WinternitzKey((bytes(LINK_BYTES),) * links, digits)
    return len(reveal_leaf(bytes(32), [key])) - _empty()
