"""The scenarios by name, and what a run of one reports."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from verifier.bridge.simulate import adversaries, faults, lying, money, silence, trouble
from verifier.bridge.simulate.lies import LIES
from verifier.bridge.simulate.setup import open_node
from verifier.bridge.simulate.stage import Record, ScenarioFailure, Stage
from verifier.bridge.simulate.worlds import World
from verifier.chain.chain import TestChain
from verifier.chain.node import EmbeddedNode
from verifier.chain.policy import fee_of

Scenario = Callable[[Stage], str]

SCENARIOS: Final[dict[str, tuple[Scenario, str]]] = {
    "01-pegin-and-refund": (money.pegin_and_refund, "refunded"),
    "02-unchallenged": (money.unchallenged, "paid"),
    "03-challenged-honest": (money.challenged_honest, "paid"),
    "04-every-wire": (faults.every_wire, "penalised"),
    "05-honest-everywhere": (faults.honest_everywhere, "paid"),
    "06a-no-assertion": (silence.no_assertion, "penalised"),
    "06b-no-reveal-level-1": (silence.no_reveal_1, "penalised"),
    "06c-no-reveal-level-2": (silence.no_reveal_2, "penalised"),
    "06d-no-reveal-level-3": (silence.no_reveal_3, "penalised"),
    "06e-never-answered": (silence.never_answered, "penalised"),
    "06f-latest-reveals": (silence.latest_reveals, "penalised"),
    "06g-last-block-race": (silence.last_block_race, "penalised"),
    "07-false-proof": (faults.false_proof, "penalised"),
    **{
        f"07{letter}-{lie.name.replace(' ', '-')}": (lying.scenario(lie), "penalised")
        for letter, lie in zip("abcd", LIES, strict=True)
    },
    "08-corrupted-root": (faults.corrupted_root, "penalised"),
    "08a-public-value": (lying.corrupted_public_value, "penalised"),
    "08b-other-statement": (faults.other_statement, "penalised"),
    "09-double-claims": (adversaries.double_claims, "paid"),
    "10a-equivocation": (adversaries.equivocation, "penalised"),
    "10b-restarted-in-mid-reveal": (adversaries.restarted_in_mid_reveal, "paid"),
    "11-malicious-challenger": (adversaries.malicious_challenger, "paid"),
    "12-data-withheld": (faults.data_withheld, "penalised"),
    "13-colluders-steer": (adversaries.colluders_steer, "penalised"),
    "14-largest-leaf": (faults.largest_leaf, "penalised"),
    "15a-reorg-each-step": (trouble.reorg_each_step, "penalised"),
    "15b-fee-spike": (trouble.fee_spike, "penalised"),
    "15c-cycled-close": (trouble.cycled_close, "paid"),
    "15d-bumped-answers": (trouble.bumped_answers, "paid"),
    "15e-pinned-child": (trouble.pinned_child, "paid"),
    "16-concurrent-pegins": (money.concurrent_pegins, "paid"),
    "17-lost-state": (trouble.lost_state, "penalised"),
    "18-redirected-penalty": (adversaries.redirected, "penalised"),
    "19-absent-member": (trouble.absent_member, "refused"),
    "20-three-places": (faults.three_places, "penalised"),
}
"""Name -> what plays it, and how it must end."""

ONLY: Final[dict[str, str]] = {
    **{name: "rollup" for name in SCENARIOS if name[:3] in ("07a", "07b", "07c", "07d", "08a")},
    "19-absent-member": "toy",
}
"""The tree that a scenario needs: lies and public values need a proof, a committee that refuses a set-up made whole."""


WITH_COMMITTEE: Final = frozenset({"19-absent-member"})
"""Scenarios that set a slot up anew: not over one that was opened."""


def playable(tree: str) -> list[str]:
    """The scenarios that can be told where a tree is asked for: with the rollup's all of them, one over the toy's."""
    return [name for name in SCENARIOS if tree == "rollup" or ONLY.get(name, tree) == tree]


def chosen(tree: str, wanted: str) -> list[str]:
    """The playable scenarios that are meant: `all`, a whole name, a name's head, or a number of the design.

    A number means all stories of that number (7: 07-.., 07a-.., ..), with a letter one of them (7b).
    """
    names = playable(tree)
    if wanted == "all":
        return names
    number = re.fullmatch(r"0*([1-9]\d*)([a-z]?)", wanted)
    if number is None:
        return [name for name in names if wanted and name.startswith(wanted)]
    head = f"{int(number[1]):02}{number[2]}"
    return [name for name in names if name.startswith(head)]


DISPUTE: Final = ("challenge", "assert", "open", "reveal", "disprove", "assert_timeout", "open_timeout")


@dataclass(frozen=True, slots=True)
class Result:
    """What a scenario came to.

    Attributes:
        name: of the scenario.
        tree: over which it was played.
        passed: whether it ended as it must, with nothing amiss on the way.
        outcome: `paid`, `penalised`, `refunded`, `refused`; empty where it did not end.
        detail: what was amiss.
        records: the transactions that were mined.
        max_stack: most items of any script.
        max_leaf_bytes: of the slot's leaves.
        queries: of the proof.
        proven_bits: of the proof; None for a tree that is no proof's.
        seconds: of processor time.
    """

    name: str
    tree: str
    passed: bool
    outcome: str
    detail: str
    records: tuple[Record, ...]
    max_stack: int
    max_leaf_bytes: int
    queries: int
    proven_bits: float | None
    seconds: float

    @property
    def dispute_vbytes(self) -> int:
        """Of everything that only a dispute needs."""
        return sum(r.spending.tx.vbytes for r in self.records if r.name.partition("/")[0] in DISPUTE)

    def as_json(self) -> dict[str, Any]:
        """The object that `bridge simulate --json` prints."""
        return {
            "name": self.name,
            "tree": self.tree,
            "passed": self.passed,
            "outcome": self.outcome,
            "detail": self.detail,
            "transactions": [
                {
                    "name": record.name,
                    "txid": record.spending.tx.txid_hex,
                    "vbytes": record.spending.tx.vbytes,
                    "weight": record.spending.tx.weight,
                    "fee_sats": fee_of(record.spending),
                    "who": record.who,
                }
                for record in self.records
            ],
            "dispute_vbytes": self.dispute_vbytes,
            "max_stack": self.max_stack,
            "max_leaf_bytes": self.max_leaf_bytes,
            "queries": self.queries,
            "proven_bits": self.proven_bits,
        }


def run(name: str, world: World, export: Path | None = None, node: TestChain | None = None) -> Result:
    """Plays one scenario.

    Args:
        name: one of `SCENARIOS`.
        world: shared by all, on nodes of their own.
        export: where an embedded node's raw blocks go, in a directory of the scenario's name.
        node: where it is played, everybody's coins there; an embedded one of its own when None.
    """
    scenario, wanted = SCENARIOS[name]
    setup, case = world.setup, world.case
    start = time.process_time()
    with open_node(setup) if node is None else nullcontext(node) as chain:
        stage = Stage(setup, case, chain)
        outcome, detail = "", ""
        try:
            outcome = scenario(stage)
            detail = "" if outcome == wanted else f"ended {outcome or 'openly'}, not {wanted}"
        except ScenarioFailure as failure:
            detail = str(failure)
        finally:
            if export is not None and isinstance(chain, EmbeddedNode):
                chain.export(export / name)
            stage.close()
    return Result(
        *(name, world.name, not detail, outcome, detail, tuple(stage.records), stage.max_stack),
        *(stage.graph.largest_leaf_bytes, case.queries, case.proven_bits, time.process_time() - start),
    )
