"""A false proof of the rollup, four times, and a true one of something else: scenarios 7 and 8 over its own tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prover.field import P
from verifier.bridge.simulate.faults import convict
from verifier.bridge.simulate.lies import Lie
from verifier.bridge.simulate.rollup import RollupCase
from verifier.bridge.simulate.stage import ScenarioFailure, Stage

CHANGED: Final = 8
"""The public value that scenario 8 changes: the first word of the state root after the batch."""


def corrupted_public_value(stage: Stage) -> str:
    """8: the true proof under a statement of which one public value is another."""
    if not isinstance(stage.case, RollupCase):
        raise ScenarioFailure("only the rollup's proof has public values")
    value = (stage.case.statement[CHANGED] + 1) % P
    return convict(stage, *stage.case.claiming(CHANGED, value))


def scenario(lie: Lie) -> Callable[[Stage], str]:
    """The operator proves a lie as cunningly as it can; a watcher who has the proof bisects and convicts."""

    def play(stage: Stage) -> str:
        if not isinstance(stage.case, RollupCase):
            raise ScenarioFailure("only the rollup's proof can tell this lie")
        return convict(stage, *stage.case.told(lie))

    play.__doc__ = f"7: {lie.name}: {lie.story}; bisection finds the leaf that convicts."
    return play
