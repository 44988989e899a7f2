"""The cases that scenarios play: a small tree of hashes, and the verifier's own tree with a proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verifier.bridge.accuse import ChunkAccuser, accuse
from verifier.bridge.execution import Replay
from verifier.bridge.opening import ChunkTree
from verifier.bridge.simulate.stage import Case, ScenarioFailure
from verifier.bridge.toy import ToyAccuser, ToyExecution, ToyTree
from verifier.bridge.tree import Digits, Execution, OpeningTree


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


def named(tree: OpeningTree, execution: Execution) -> dict[str, Digits]:
    """Every wire's value by its name."""
    return {
        wire.name: value
        for node in tree.nodes
        for wires, values in zip(node.wires, execution.values(node.index), strict=True)
        for wire, value in zip(wires, values, strict=True)
    }


def corrupted(tree: OpeningTree, execution: Execution, wire: str) -> Execution:
    """The execution with the last digit of one wire raised: canonical elements stay so, but for the largest."""
    value = named(tree, execution)[wire]
    return Patched(tree, execution, {wire: (*value[:-1], (value[-1] + 1) % 16)})


def toy_case(queries: int = 2) -> Case:
    """The small tree; its last query is the false one, and no proof stands behind it."""
    tree = ToyTree(queries)
    honest = ToyExecution.make(tree)
    last = queries - 1
    return Case(
        tree=tree,
        honest=honest,
        false=(ToyExecution.make(tree, wrong_sum=last), 3 + queries + last),
        withheld=(honest.withholding(last), 3 + last),
        other=ToyExecution.make(tree, seed=1),
        corrupt=lambda execution, wire: corrupted(tree, execution, wire),
        reads=tree.reads,
        accuser=lambda moves: ToyAccuser(tree, moves.graph.keys),
        queries=queries,
        proven_bits=None,
    )


def proof_case(
    tree: ChunkTree,
    words: Sequence[int],
    public_values: Sequence[int],
    bits: float | None,
    other: Execution,
) -> Case:
    """The verifier's tree and a valid proof; the false proof has another last word.

    Args:
        tree: of the proof's key.
        words: the proof's words.
        public_values: its statement.
        bits: its proven soundness.
        other: of a proof of another statement.

    Raises:
        ScenarioFailure: the proof does not verify.
    """
    honest = Replay(tree, words, public_values)
    if honest.faults:
        raise ScenarioFailure("the proof does not verify")
    false = Replay(tree, [*words[:-1], words[-1] ^ 1], public_values)
    digest = next(wire.name for group in tree.nodes[0].wires for wire in group if wire.digits == 64)
    withheld = Patched(tree, honest, {digest: (5, 10) * 32})
    return Case(
        tree=tree,
        honest=honest,
        false=(false, first_fault(tree, false)),
        withheld=(withheld, first_fault(tree, withheld)),
        other=other,
        corrupt=lambda execution, wire: corrupted(tree, execution, wire),
        reads=lambda node, leaf: tuple(tree.wire_names(tree.leaves[node][leaf])),
        accuser=lambda moves: ChunkAccuser(tree, moves.graph.keys),
        queries=tree.num_queries,
        proven_bits=bits,
    )


def first_fault(tree: ChunkTree, execution: Execution) -> int:
    """The first node that a leaf convicts, parents first.

    Raises:
        ScenarioFailure: there is none.
    """
    values = named(tree, execution)
    for node in tree.nodes:
        for leaf in tree.leaves[node.index]:
            committed = {name: values[name] for name in tree.wire_names(leaf)}
            if accuse(tree, leaf, committed) is not None:
                return node.index
    raise ScenarioFailure("no leaf convicts")
