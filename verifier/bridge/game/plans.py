"""Plans: what a watcher opens by what is revealed, and when.

A plan names nodes to open now, and nodes to open only if the first ones are not answered in time, or convict nobody.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from verifier.bitcoin.transaction import Transaction
from verifier.bridge.game.graph import commitment_coin
from verifier.bridge.game.params import MARGINS
from verifier.bridge.game.roles import Guide
from verifier.bridge.game.view import SlotView
from verifier.bridge.tree import Digits, Node, ancestry, is_query
from verifier.script.winternitz import read

Plan = Callable[[Sequence[int], Mapping[str, Digits]], tuple[list[int], list[int]]]
"""Revealed nodes and their wires -> nodes to open now, and nodes to open if nothing has come of it in time."""


def by_lot(nodes: Sequence[Node], lot: bytes, number: int, among: Iterable[int] | None = None) -> set[int]:
    """So many whole queries, by their nodes; the same for the same lot.

    Args:
        nodes: of the tree.
        lot: a secret.
        number: how many; fewer where there are fewer.
        among: nodes of queries; None for all.
    """
    queries = sorted(among if among is not None else (node.index for node in nodes if is_query(node)))
    return set(random.Random(lot).sample(queries, min(number, len(queries))))


def whole(nodes: Sequence[Node], queries: Collection[int]) -> set[int]:
    """All nodes of queries, with the ways to them."""
    inside: set[int] = set()
    for node in nodes:
        if node.index in queries or node.parent in inside:
            inside.add(node.index)
    return ways_to(nodes, queries) | inside


def ways_to(nodes: Sequence[Node], targets: Iterable[int]) -> set[int]:
    """Nodes with all that lies above them, but the root, which nobody opens."""
    return {above for target in targets for above in ancestry(nodes, target)} - {0}


def within_reach(nodes: Sequence[Node], wanted: Iterable[int], revealed: Sequence[int]) -> list[int]:
    """Those of the nodes that can be opened: their parents are revealed, they are not."""
    known = set(revealed)
    return [at for at in sorted(wanted) if at not in known and nodes[at].parent in known]


def first(nodes: Sequence[Node], targets: Iterable[int], plan: Plan) -> Plan:
    """The ways to some nodes, then another plan."""
    ways = ways_to(nodes, targets)

    def both(revealed: Sequence[int], committed: Mapping[str, Digits]) -> tuple[list[int], list[int]]:
        now, later = plan(revealed, committed)
        if ways <= set(revealed):
            return now, later
        return within_reach(nodes, ways, revealed), [*now, *later]

    return both


def open_by(nodes: Sequence[Node], plan: Plan) -> Guide:
    """A watcher's guide by a plan.

    What is opened only if need be waits until a node has as many blocks left before it can be closed as an opening may
    take to be confirmed. The operator's time to reveal runs meanwhile, so nothing is lost.
    """
    known: dict[tuple[Transaction, ...], tuple[list[int], list[int]]] = {}

    def guide(view: SlotView, node: int) -> Sequence[int]:
        revealed = view.revealed()
        seen = tuple(found.tx for found in map(view.commitment, revealed) if found is not None)
        if seen not in known:
            known[seen] = plan(revealed, committed_on(view, revealed))
        now, later = known[seen]
        limit = view.graph.terms.windows.close - MARGINS.lateness
        later = [at for at in later if view.age(commitment_coin(at, 0)) >= limit]
        return [at for at in dict.fromkeys((*now, *later)) if nodes[at].parent == node]

    return guide


def committed_on(view: SlotView, revealed: Iterable[int]) -> dict[str, Digits]:
    """The wires of nodes as the chain shows them."""
    return dict(_committed(view, revealed))


def _committed(view: SlotView, revealed: Iterable[int]) -> Iterator[tuple[str, Digits]]:
    for at in revealed:
        for name, signature in view.wire_signatures(at).items():
            yield name, read(view.graph.keys[name], signature) or ()
