"""The cases that scenarios play: a small tree of hashes, and the verifier's own tree with a proof."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from verifier.bridge.chunks.accuse import ChunkAccuser, hints_of
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.game.bisect import Bisection
from verifier.bridge.game.moves import Moves
from verifier.bridge.game.plans import open_by
from verifier.bridge.game.roles import Guide, open_at_random, open_towards
from verifier.bridge.game.search import Search, investigate
from verifier.bridge.game.view import SlotView
from verifier.bridge.simulate.stage import ScenarioFailure
from verifier.bridge.toy import ToyAccuser, ToyExecution, ToyTree
from verifier.bridge.tree import Accuser, Digits, Execution, OpeningTree, values_of
from verifier.script.script import encode_number


@dataclass(frozen=True)
class Patched:
    """An execution with some wires changed.

    Attributes:
        tree: whose wires.
        base: the execution.
        changes: wire name -> value.
    """

    tree: OpeningTree
    base: Execution
    changes: Mapping[str, Digits]

    def values(self, node: int) -> tuple[tuple[Digits, ...], ...]:
        """The node's wires."""
        groups = zip(self.tree.nodes[node].wires, self.base.values(node), strict=True)
        return tuple(
            tuple(self.changes.get(wire.name, value) for wire, value in zip(wires, values, strict=True))
            for wires, values in groups
        )


def corrupted(tree: OpeningTree, execution: Execution, wire: str) -> Execution:
    """The execution with the last digit of one wire raised: canonical elements stay so, but for the largest."""
    node = next(n for n in tree.nodes if any(w.name == wire for group in n.wires for w in group))
    value = values_of(node, execution)[wire]
    return Patched(tree, execution, {wire: (*value[:-1], (value[-1] + 1) % 16)})


class ToyCase:
    """The small tree; its last query is the false one, and no proof stands behind it.

    Args:
        queries: an even number.
    """

    proven_bits = None

    def __init__(self, queries: int = 2) -> None:
        self.tree = ToyTree(queries)
        self.queries = queries
        self.honest = ToyExecution.make(self.tree)
        self.false: tuple[ToyExecution, int] = (
            ToyExecution.make(self.tree, wrong_sum=queries - 1),
            3 + 2 * queries - 1,
        )
        self.other = ToyExecution.make(self.tree, seed=1)
        withheld = ToyExecution.make(self.tree).withholding(queries - 1)
        self.withheld: tuple[ToyExecution, int | None] = (withheld, 3 + queries - 1)
        self.scope: Sequence[int] = range(len(self.tree.nodes))

    def corrupt(self, execution: Execution, wire: str) -> Execution:
        """See `Case.corrupt`."""
        return corrupted(self.tree, execution, wire)

    def reads(self, node: int, leaf: int) -> Sequence[str]:
        """See `Case.reads`."""
        return self.tree.reads(node, leaf)

    def hints(self, node: int, leaf: int, values: Mapping[str, Digits]) -> tuple[bytes, ...]:
        """None: hashes and sums are computed from what is committed."""
        return ()

    def accuser(self, moves: Moves) -> Accuser:
        """See `Case.accuser`."""
        return ToyAccuser(self.tree, moves.graph.keys)

    def random_guide(self, rng: random.Random) -> Guide:
        """One child of each node."""
        return open_at_random(rng)

    def guide(self, execution: Execution) -> Guide:
        """Towards what is known to be wrong."""
        for known, fault in (self.false, self.withheld):
            if execution is known and fault is not None:
                return open_towards(fault)
        raise ScenarioFailure("nobody knows what is wrong with this execution")


class ProofCase:
    """The verifier's tree and a valid proof; in the false proof the last word is another.

    Args:
        tree: of the proof's key.
        words: the proof's words.
        public_values: its statement.
        bits: its proven soundness.
        other: of a proof of another statement, for who needs one.

    Raises:
        ScenarioFailure: the proof does not verify.
    """

    def __init__(
        self,
        tree: ChunkTree,
        words: Sequence[int],
        public_values: Sequence[int],
        bits: float | None,
        other: Execution | None = None,
    ) -> None:
        self._other = other
        self.tree, self.proven_bits, self.queries = tree, bits, tree.num_queries
        self._words, self.statement = words, public_values
        self._replay = Replay(tree, words, public_values)
        self.honest: Execution = self._replay
        if self._replay.faults:
            raise ScenarioFailure("the proof does not verify")
        self._bisection = Bisection(tree, self._replay)

    @property
    def other(self) -> Execution:
        """See `Case.other`."""
        if self._other is None:
            raise ScenarioFailure("there is no proof of another statement")
        return self._other

    @cached_property
    def false(self) -> tuple[Execution, int]:
        """See `Case.false`."""
        words = [*self._words[:-1], self._words[-1] ^ 1]
        query = self._replay.query_of(len(words) - 1)
        replay = self._replay.changed(words, query)
        return replay, self.fault_of(replay)

    @cached_property
    def withheld(self) -> tuple[Execution, int | None]:
        """A root of the proof's is nobody's hash: no query can be answered."""
        words = list(self._words)
        words[:8] = [0x5A5A5A5A] * 8
        return Replay(self.tree, words, self.statement), None

    @cached_property
    def scope(self) -> Sequence[int]:
        """The way to the false node."""
        _, fault = self.false
        path = [fault]
        while path[0]:
            path.insert(0, self.tree.nodes[path[0]].parent)
        return path

    def claiming(self, place: int, value: int) -> tuple[Replay, int]:
        """The valid proof under a statement of which one public value is another, and the node that convicts it."""
        public = list(self.statement)
        public[place] = value
        replay = Replay(self.tree, self._words, public)
        return replay, self.fault_of(replay)

    def fault_of(self, replay: Replay) -> int:
        """The node of the leaf that convicts a false proof, found by bisection.

        Raises:
            ScenarioFailure: there is none.
        """
        found = self._bisection.of(replay).convict()
        if found is None:
            raise ScenarioFailure("no leaf convicts")
        return found.node.index

    def corrupt(self, execution: Execution, wire: str) -> Execution:
        """See `Case.corrupt`."""
        return corrupted(self.tree, execution, wire)

    def reads(self, node: int, leaf: int) -> Sequence[str]:
        """See `Case.reads`."""
        return self.tree.wire_names(self.tree.leaves[node][leaf])

    def hints(self, node: int, leaf: int, values: Mapping[str, Digits]) -> tuple[bytes, ...]:
        """See `Case.hints`; none where a divisor is zero, which another leaf convicts."""
        found, _ = hints_of(self.tree, self.tree.leaves[node][leaf], values)
        return tuple(encode_number(hint) for hint in reversed(found or []))

    def accuser(self, moves: Moves) -> Accuser:
        """See `Case.accuser`."""
        return ChunkAccuser(self.tree, moves.graph.keys)

    def random_guide(self, rng: random.Random) -> Guide:
        """One query, all of it: a part of a query shows little."""
        last = (node.name.rpartition("/")[2] for node in self.tree.nodes)
        query = rng.choice([index for index, name in enumerate(last) if name.startswith("query ")])
        towards = open_towards(query)

        def guide(view: SlotView, node: int) -> Sequence[int]:
            inside = query in view.graph.ancestry(node)
            return view.graph.nodes[node].children if inside else towards(view, node)

        return guide

    def guide(self, execution: Execution) -> Guide:
        """Bisection, as far as the execution fits what is asserted."""
        if not isinstance(execution, Replay):
            raise ScenarioFailure("only a run of a proof can be bisected")
        bisection = self._bisection.of(execution)
        search = Search(self.tree, bytes(32), index=bisection)
        return open_by(self.tree.nodes, investigate(search, bisection))
