"""The toy tree as a case: no proof stands behind it."""

from __future__ import annotations

from verifier.bridge.simulate.stage import Case
from verifier.bridge.toy import Patched, ToyAccuser, ToyExecution, ToyTree
from verifier.bridge.tree import Execution


def toy_case(queries: int = 2) -> Case:
    """Queries of the toy tree; the last one is false."""
    tree = ToyTree(queries)
    honest = ToyExecution.make(tree)

    def corrupt(execution: Execution, wire: str) -> Execution:
        for node in tree.nodes:
            for group, values in zip(node.wires, execution.values(node.index), strict=True):
                for each, value in zip(group, values, strict=True):
                    if each.name == wire:
                        return Patched(tree, execution, {wire: ((value[0] + 1) % 16, *value[1:])})
        raise KeyError(wire)

    last = queries - 1
    return Case(
        *(tree, honest, (ToyExecution.make(tree, wrong_sum=last), 3 + queries + last)),
        *((honest.withholding(last), 3 + last), corrupt, tree.reads),
        *(lambda moves: ToyAccuser(tree, moves.graph.keys), queries, None),
    )
