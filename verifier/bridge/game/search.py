"""What a watcher opens who does not have the data of the proof that is asserted.

It heard none, or another than the operator asserts: then it cannot know where to look, and whoever compares node by
node with a proof that does not fit opens what differs, all of which may be true. So the nodes are fixed beforehand, and
their price with them:

- of the main program the nodes that together commit every word that it reads. Once they are revealed, the watcher has
  these data after all, runs the main program on them, and knows each wrong step in it, wherever it is;
- whole queries by lot: what a query has wrong, a leaf of one of its own nodes shows.

The lot is the watcher's secret, and the same after a restart: nothing is opened that was not drawn before.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import cache, cached_property

from prover.hashing import to_words
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.game.bisect import Bisection
from verifier.bridge.game.params import PRICED_QUERIES
from verifier.bridge.game.plans import Plan, by_lot, ways_to, whole, within_reach
from verifier.bridge.tree import Digits, depth, is_query, levels
from verifier.script.winternitz import from_nibbles


class Search:
    """What is opened without data, over a verifier's tree.

    Args:
        tree: nodes and leaves.
        lot: secret; draws the queries.
        queries: how many.
        index: of the same tree, if there is one already.
    """

    def __init__(
        self, tree: ChunkTree, lot: bytes, queries: int = PRICED_QUERIES, index: Bisection | None = None
    ) -> None:
        self.tree, self._index = tree, index
        self._lot, self._number = lot, queries
        self._queries = whole(tree.nodes, by_lot(tree.nodes, lot, queries))
        self._replays: dict[tuple[int, ...], Bisection] = {}

    @cached_property
    def nodes(self) -> frozenset[int]:
        """All that is drawn, and opened whatever the operator answers."""
        return frozenset(self._queries | self._main_part)

    @property
    def openings(self) -> int:
        """How many nodes are opened at most: the budget, which only an operator who answers slowly can use up."""
        return len((self.nodes | self.main) - {0}) + depth(self.tree.nodes)

    @property
    def prompt_openings(self) -> int:
        """How many at most where the operator shows the data before a node could be closed."""
        return len(self.nodes) + depth(self.tree.nodes)

    # The main program's data

    @cached_property
    def main(self) -> frozenset[int]:
        """The nodes outside of queries."""
        found: set[int] = set()
        for node in self.tree.nodes:
            if not is_query(node) and (node.parent < 0 or node.parent in found):
                found.add(node.index)
        return frozenset(found)

    def _source(self, word: int) -> int:
        copy_of = self.tree.partition.copy_of
        while word in copy_of:
            word = copy_of[word]
        return word

    @cached_property
    def _data(self) -> frozenset[int]:
        """Words that the main program reads: the statement, the proof's head, the opened values."""
        lowered, (start, count) = self.tree.lowered, self.tree.program.public
        head = {word for words, _ in lowered.data[0] for word in words if word in lowered.offsets}
        opened = {word for words in lowered.opening.leaves for word in words}
        return frozenset(head | opened | set(range(start, start + count)))

    @cached_property
    def _held(self) -> dict[int, frozenset[int]]:
        """Main node -> data that its wires commit."""
        return {
            at: frozenset(
                source
                for run, _ in self.tree.runs[at]
                for source in map(self._source, run.words)
                if source in self._data
            )
            for at in self.main
        }

    @cached_property
    def _cover(self) -> frozenset[int]:
        """Few nodes that together commit all data, none deeper than must be."""
        level, held = levels(self.tree.nodes), self._held
        all_held = frozenset[int]().union(*held.values())
        for deepest in range(max(level) + 1):
            near = sorted(at for at in self.main if level[at] <= deepest)
            if all_held == frozenset[int]().union(*(held[at] for at in near)):
                break
        missing, chosen = all_held - held[0], {0}
        while missing:
            best = max(near, key=lambda at: (len(held[at] & missing), -at))
            chosen.add(best)
            missing -= held[best]
        return frozenset(chosen)

    @cached_property
    def _main_part(self) -> set[int]:
        """The cover with all above it; and of what is deep so much, at once, that T3 has time for the rest of the way.

        Reveals follow each other: first those of the cover, then those that lead from what is revealed by then to the
        fault. Together they are no more than the tree is deep.
        """
        nodes, level = self.tree.nodes, levels(self.tree.nodes)
        bottom = list(level)
        for node in reversed(nodes):
            if node.parent >= 0:
                bottom[node.parent] = max(bottom[node.parent], bottom[node.index])
        found = ways_to(nodes, self._cover)
        last = max(level[at] for at in found)
        left = depth(nodes) - last
        found |= {at for at in self.main if level[at] <= last and bottom[at] - level[at] + 1 > left}
        return ways_to(nodes, found)

    def _recovered(self, committed: Mapping[str, Digits]) -> Bisection:
        """The main program, run on the data that the cover shows."""
        tree, found = self.tree, dict[int, int]()
        for at in sorted(self._cover):
            for run, query in tree.runs[at]:
                digits = committed[tree.name(run, query)]
                found.update(zip(map(self._source, run.words), to_words(from_nibbles(digits)), strict=True))
        start, count = tree.program.public
        body = array("I", bytes(4 * tree.program.blocks[0].reads))
        for word, place in tree.lowered.offsets.items():
            if word in self._data:
                body[place] = found[word]
        key = (*body, *(found[word] for word in range(start, start + count)))
        if key not in self._replays:
            replay = Replay(tree, body, key[len(body) :])
            if self._index is None:
                self._index = Bisection(tree, replay)
            self._replays[key] = self._index.of(replay)
        return self._replays[key]

    # Queries of a proof whose main program is right

    def doubtful(self, replay: Replay) -> tuple[set[int], set[int]]:
        """Nodes that are drawn of a proof's false queries, and those of its other false queries.

        Where the root is this proof's, so are all commitments, and a query can only be false where this proof's is;
        other words there may be right. Which, its openings show. If it has more false queries than may be opened, the
        first and others by lot are.
        """
        if replay.main_faults:
            return set(), set()  # they convict
        nodes = self.tree.nodes
        number = {int(node.name.rpartition(" ")[2]): node.index for node in nodes if is_query(node)}
        false = list(dict.fromkeys(number[query] for query, _ in replay.find_faults()))
        drawn = {*false[:1], *by_lot(nodes, self._lot, self._number, false[1:])}
        left = set(false) - drawn
        return whole(nodes, drawn), whole(nodes, left) - ways_to(nodes, left) | left

    # What to open

    def wanted(self, revealed: Sequence[int], committed: Mapping[str, Digits]) -> list[int]:
        """The nodes to open now, whose parents are revealed.

        Args:
            revealed: nodes that the operator has revealed, parents before children.
            committed: their wires.
        """
        found = within_reach(self.tree.nodes, self.nodes, revealed)
        if self._cover <= set(revealed):
            target = self._recovered(committed).in_main(self.main, revealed, committed)
            found += [] if target is None or target in found else [target]
        return found

    def undecided(self, revealed: Sequence[int]) -> list[int]:
        """Nodes of the main program of which nobody knows yet whether the fault lies below them.

        An operator may show the data slowly, and close meanwhile what is not opened: for ever. So these must be opened
        before they can be closed, if the data are not there by then.
        """
        return [] if self._cover <= set(revealed) else within_reach(self.tree.nodes, self.main, revealed)


def investigate(search: Search, bisection: Bisection | None = None) -> Plan:
    """The plan of a watcher: by its proof as far as that fits, else by search.

    All else hangs on the root. Where only some of its wires differ, a slip may have made them, which bisection finds
    for few openings: it goes first, for at most as many as the tree is deep.
    """
    if bisection is None:
        return lambda revealed, committed: (search.wanted(revealed, committed), search.undecided(revealed))
    nodes = search.tree.nodes

    @cache
    def doubtful() -> tuple[set[int], set[int]]:
        return search.doubtful(bisection.replay)

    def plan(revealed: Sequence[int], committed: Mapping[str, Digits]) -> tuple[list[int], list[int]]:
        if not bisection.fits(committed):
            target, drawn = bisection.way(revealed, committed), search.wanted(revealed, committed)
            undecided = search.undecided(revealed)
            return (drawn, undecided) if target is None else ([target], [*drawn, *undecided])
        place, _ = bisection.next(list(revealed), committed)
        if place is not None:  # unless no miner takes its disproof
            return [], search.wanted(revealed, committed)
        false, others = doubtful()
        now = [at for at in bisection.wanted(list(revealed), committed) if at not in others]
        drawn = within_reach(nodes, false, revealed)
        return (now, drawn) if now else (drawn, [])

    return plan
