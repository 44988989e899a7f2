"""Which leaf to go for: the challenger's own replay against what the operator has committed so far.

A committed value that differs from the replay's was made wrongly, or from a value that differs too: go for the
leaf that makes it (for data, for one that reads it). Where nothing differs, the proof itself is false, and the
replay has found the step. Every opening either convicts or shows a wrong value further back on a path of the
tree, so the nodes opened are few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from verifier.bridge.chunks.accuse import accuse
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import MAIN, ChunkTree
from verifier.bridge.chunks.steps import Kind, Step, Words
from verifier.bridge.tree import Digits, Execution, Node, depth, is_query, values_of

Place = tuple[int, int]
"""A leaf: node, number."""
Check = tuple[int, Kind, tuple[Words, ...]]
"""A check: query or MAIN, kind, what it reads, a node's own copies under the names of what they copy."""


@dataclass(frozen=True, slots=True)
class Conviction:
    """How a dispute ends where something is wrong.

    Attributes:
        node: whose leaf convicts.
        number: which of its leaves.
        opened: nodes that the operator has revealed, the root first.
        committed: their wires.
    """

    node: Node
    number: int
    opened: tuple[int, ...]
    committed: Mapping[str, Digits]


class Bisection:
    """A challenger who has the proof.

    Args:
        tree: nodes and leaves.
        replay: the challenger's run of the operator's proof.
    """

    def __init__(self, tree: ChunkTree, replay: Replay) -> None:
        self.tree, self.replay = tree, replay

    def of(self, replay: Replay) -> Bisection:
        """The same for another proof; the index of the tree's leaves, which takes a while, is shared."""
        other = Bisection(self.tree, replay)
        other.__dict__.update(_uses=self._uses, _order=self._order)
        return other

    @cached_property
    def _uses(self) -> tuple[dict[str, list[Place]], dict[str, list[Place]], dict[Check, list[Place]]]:
        makers: dict[str, list[Place]] = {}
        readers: dict[str, list[Place]] = {}
        checks: dict[Check, list[Place]] = {}
        for node, leaves in enumerate(self.tree.leaves):
            for number, leaf in enumerate(leaves):
                for wire in leaf.chunk.writes:
                    makers.setdefault(self.tree.name(wire, leaf.query), []).append((node, number))
                for wire in leaf.chunk.reads:
                    readers.setdefault(self.tree.name(wire, leaf.query), []).append((node, number))
                for step in leaf.chunk.steps:
                    if not step.out:
                        checks.setdefault(self._check(leaf.query, step), []).append((node, number))
        return makers, readers, checks

    @cached_property
    def _order(self) -> dict[str, int]:
        """When the Program makes a wire: what it is made of is made before. A copy follows the seal that binds it."""
        lowered, copied = self.tree.lowered, self.tree.partition.copy_of
        made = {word: i for i, step in enumerate(chain(*lowered.blocks)) for word in step.out}
        sealed = {word: made[seal.digest[0]] for seal in lowered.seals for word in seal.words}
        order: dict[str, int] = {}
        for leaf in chain(*self.tree.leaves):
            for wire in leaf.chunk.writes:
                word = wire.words[0]
                source = copied.get(word, word)
                when = made.get(source, 0)
                order[self.tree.name(wire, leaf.query)] = sealed.get(source, when) if word in copied else when
        return order

    def _check(self, query: int, step: Step) -> Check:
        copied = self.tree.partition.copy_of
        return query, step.kind, tuple(tuple(copied.get(word, word) for word in arg) for arg in step.args)

    def leaves_that_check(self, query: int, step: Step) -> Sequence[Place]:
        """The leaves that make a check of the verifier's: one, or one in every node that has its own copies."""
        return self._uses[2].get(self._check(query, step), ())

    def differing(self, node: int, committed: Mapping[str, Digits]) -> Iterator[str]:
        """The node's wires that are not what the replay has."""
        for wires, values in zip(self.tree.nodes[node].wires, self.replay.values(node), strict=True):
            for wire, value in zip(wires, values, strict=True):
                if committed[wire.name] != value:
                    yield wire.name

    def convicting(self, place: Place, committed: Mapping[str, Digits]) -> bool:
        """Whether the leaf spends on what is committed."""
        leaf = self.tree.leaves[place[0]][place[1]]
        return (
            accuse(self.tree, leaf, {name: committed[name] for name in self.tree.wire_names(leaf)})
            is not None
        )

    def suspects(self, revealed: Sequence[int], committed: Mapping[str, Digits]) -> Iterator[Place]:
        """The leaves of what the operator has committed otherwise than the replay, the likeliest first.

        That is the one that makes what was made first: all that it reads on its path is right, or was made before. So
        the way leads downwards only, and no more nodes follow each other than T3 has time for.

        Args:
            revealed: nodes that the operator has revealed, the root first.
            committed: their wires.
        """
        makers, readers, _ = self._uses
        wrong = [name for node in revealed for name in self.differing(node, committed)]
        wrong.sort(key=lambda name: self._order.get(name, 0))
        for uses in (makers, readers):
            for name in wrong:
                yield from uses.get(name, ())

    def next(self, revealed: list[int], committed: Mapping[str, Digits]) -> tuple[Place | None, int | None]:
        """What to do now: the leaf that convicts, else the node to open, else neither: all is right.

        Args:
            revealed: nodes that the operator has revealed, parents before children.
            committed: their wires.
        """
        known = set(revealed)
        place, target = self._first(self.suspects(revealed, committed), known, committed)
        if place is not None:
            return place, None
        for place in self._faulty():
            if place[0] not in known:
                target = place[0] if target is None else target
                break  # the way to one fault is enough
            if self.convicting(place, committed):
                return place, None
        return None, self._towards(target, known)

    def _first(
        self, places: Iterable[Place], known: set[int], committed: Mapping[str, Digits]
    ) -> tuple[Place | None, int | None]:
        """The first of these leaves that convicts, and the node of the first that is not revealed."""
        target: int | None = None
        for place in places:
            if place[0] in known:
                if self.convicting(place, committed):
                    return place, target
            elif target is None:
                target = place[0]
        return None, target

    def _towards(self, target: int | None, known: set[int]) -> int | None:
        """The node to open on the way to another."""
        while target is not None and self.tree.nodes[target].parent not in known:
            target = self.tree.nodes[target].parent
        return target

    # Of a proof that need not be the replay's

    def fits(self, committed: Mapping[str, Digits]) -> bool:
        """Whether the root commits what the replay has: all else hangs on it."""
        return not any(self.differing(0, committed))

    def way(self, revealed: Iterable[int], committed: Mapping[str, Digits]) -> int | None:
        """The node to open where the root differs, by what differs alone; None where nothing more is to be learnt.

        It is followed from the root again, through the nodes that it has itself asked for: at most as many as the tree
        is deep, whatever else is revealed.
        """
        answered, known = set(revealed), [0]
        for _ in range(depth(self.tree.nodes)):
            place, target = self._first(self.suspects(known, committed), set(known), committed)
            target = self._towards(target, set(known))
            if place is not None or target is None:
                return None
            if target not in answered:
                return target
            known.append(target)
        return None

    def in_main(
        self, main: Collection[int], revealed: Iterable[int], committed: Mapping[str, Digits]
    ) -> int | None:
        """The node to open, were the main program alone the replay's; None where a leaf convicts or all is right.

        Args:
            main: the nodes outside of queries.
            revealed: nodes that the operator has revealed.
            committed: their wires.
        """
        known = [at for at in revealed if at in main]
        faulty = (place for step in self.replay.main_faults for place in self.leaves_that_check(MAIN, step))
        places = (each for each in chain(self.suspects(known, committed), faulty) if each[0] in main)
        place, target = self._first(places, set(known), committed)
        return None if place is not None else self._towards(target, set(known))

    def wanted(self, revealed: list[int], committed: Mapping[str, Digits]) -> list[int]:
        """The nodes to open now; none where a leaf convicts, or where nothing is wrong.

        One, but where the operator commits another query than the replay has: what it wrote there for the proof's words
        is found by what they are hashed to, and as T3 has time for few reveals one after the other, all of the query is
        opened at once.
        """
        place, target = self.next(revealed, committed)
        if place is not None:
            return []
        nodes, known = self.tree.nodes, set(revealed)
        strange = [at for at in revealed if self._query_above(at) >= 0 and any(self.differing(at, committed))]
        queries = {self._query_above(at) for at in strange}
        inside = [at for at in revealed if self._query_above(at) in queries]
        below = [child for at in inside for child in nodes[at].children if child not in known]
        return below or ([] if target is None else [target])

    def _query_above(self, node: int) -> int:
        """The node of the query that a node is of, or -1."""
        while node >= 0 and not is_query(self.tree.nodes[node]):
            node = self.tree.nodes[node].parent
        return node

    def _faulty(self) -> Iterator[Place]:
        """The leaves of what the proof itself has wrong."""
        for query, step in self.replay.find_faults():
            yield from self.leaves_that_check(query, step)

    def convict(self, operator: Execution | None = None) -> Conviction | None:
        """The whole dispute, without a chain: opens what is asked for until a leaf convicts; None where all is right.

        Args:
            operator: what it commits; the run of its proof if None.
        """
        execution: Execution = operator or self.replay
        opened: list[int] = []
        committed: dict[str, Digits] = {}
        node: int | None = 0
        while node is not None:
            opened.append(node)
            committed |= values_of(self.tree.nodes[node], execution)
            place, node = self.next(opened, committed)
            if place is not None:
                return Conviction(self.tree.nodes[place[0]], place[1], tuple(opened), committed)
        return None
