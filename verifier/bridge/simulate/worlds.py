"""What scenarios are played over: a case and a slot for it. Each world is made once and serves every scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from verifier.bridge.simulate.cases import ToyCase
from verifier.bridge.simulate.on_demand import lazy_setup
from verifier.bridge.simulate.rollup import RollupCase
from verifier.bridge.simulate.setup import SetUp, make_setup
from verifier.bridge.simulate.stage import Case

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class World:
    """A tree with proofs, and a slot over it.

    Attributes:
        name: of the tree.
        case: proofs and how to attack them.
        setup: the slot: made whole beforehand, or on demand where the tree is large.
    """

    name: str
    case: Case
    setup: SetUp

    def as_json(self) -> dict[str, Any]:
        """The figures that `bridge simulate --json` prints of it."""
        graph, nodes = self.setup.moves.graph, self.case.tree.nodes
        return {
            "nodes": len(nodes),
            "leaves": sum(node.num_leaves for node in nodes),
            "nodes_too_wide": len(graph.too_wide),
            "on_demand": not self.setup.members,
            "queries": self.case.queries,
            "proven_bits": self.case.proven_bits,
            "stake_sats": graph.stake_sats,
            "funding_sats": graph.funding_sats,
        }


def toy(directory: Path, progress: Progress) -> World:
    """A small tree of hashes, no proof behind it; a committee of five sets up the whole slot."""
    case = ToyCase()
    return World("toy", case, make_setup(directory, case.tree, progress))


def rollup(directory: Path, progress: Progress) -> World:
    """The verifier's whole tree at shape small and a real batch's proof; of the slot, what is touched."""
    progress("batch and proof", 0.0)
    case = RollupCase()
    return World("rollup", case, lazy_setup(case.tree, progress))


WORLDS: Final[dict[str, Callable[[Path, Progress], World]]] = {"toy": toy, "rollup": rollup}
"""By the name of the tree."""
