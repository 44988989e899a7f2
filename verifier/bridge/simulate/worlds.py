"""What scenarios are played over: a case and a slot for it. Each world is made once and serves every scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeGuard

from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.lazy import LazyGraph
from verifier.bridge.simulate.cases import ToyCase
from verifier.bridge.simulate.on_demand import lazy_graph, lazy_setup
from verifier.bridge.simulate.rehearsal import reopen
from verifier.bridge.simulate.rollup import SHAPE, RollupCase, rollup_proof
from verifier.bridge.simulate.setup import SetUp, make_setup
from verifier.bridge.simulate.stage import Case
from verifier.bridge.toy import ToyTree
from verifier.bridge.tree import OpeningTree
from verifier.pipeline import DEFAULT_PRESET, verifying_key
from verifier.stark.program import record

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
            "on_demand": isinstance(graph, LazyGraph),
            "queries": self.case.queries,
            "proven_bits": self.case.proven_bits,
            "stake_sats": graph.stake_sats,
            "funding_sats": graph.funding_sats,
        }


TREES: Final = ("rollup", "toy")


def make_world(tree: str, directory: Path, progress: Progress = lambda step, share: None) -> World:
    """A world of its own.

    Over the toy's tree a committee of five sets up the whole slot; over the rollup's, everything of a node is made
    when it is touched.

    Args:
        tree: of `TREES`.
        directory: for the committee.
        progress: called with a step and the share done.
    """
    if tree == "toy":
        case = ToyCase()
        return World(tree, case, make_setup(directory, case.tree, progress))
    progress("batch and proof", 0.0)
    rollup = RollupCase()
    return World(tree, rollup, lazy_setup(lazy_graph(rollup.tree, progress)))


def open_world(directory: Path) -> World:
    """The world of a slot whose set-up is done.

    Raises:
        BridgeError: STATE where it is not, or nobody knows a proof for its tree.
    """
    setup = reopen(directory)
    case = case_of(setup.tree)
    return World("toy" if isinstance(case, ToyCase) else "rollup", case, setup)


SAMPLES: Final = ("honest", "false", "withheld", "other")
"""Proofs to play with: true; false in a query; with a hash that nobody can open; true, of another statement."""


def sample_proof(tree: OpeningTree, kind: str) -> bytes:
    """A proof file for a tree that was made from its name.

    Raises:
        BridgeError: STATE where nobody knows how to make one.
    """
    if isinstance(tree, ToyTree):
        toy = ToyCase(tree.queries)
        made = {"honest": toy.honest, "false": toy.false[0], "withheld": toy.withheld[0], "other": toy.other}
        return made[kind].encode()
    if _is_rollup(tree):
        return rollup_proof(kind)
    raise BridgeError(BridgeReason.STATE, f"no proof for a tree of {len(tree.nodes)} nodes")


def _is_rollup(tree: OpeningTree) -> TypeGuard[ChunkTree]:
    return isinstance(tree, ChunkTree) and tree.program == record(verifying_key(DEFAULT_PRESET, SHAPE))


def case_of(tree: OpeningTree) -> ToyCase | RollupCase:
    """Proofs for a tree that was made from its name.

    Raises:
        BridgeError: STATE where there are none.
    """
    if isinstance(tree, ToyTree):
        return ToyCase(tree.queries)
    if _is_rollup(tree):
        return RollupCase(tree)
    raise BridgeError(BridgeReason.STATE, f"no proof for a tree of {len(tree.nodes)} nodes")
