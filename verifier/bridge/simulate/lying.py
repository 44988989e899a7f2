"""A false proof of the rollup, four times: scenario 7 over the verifier's own tree."""

from __future__ import annotations

from collections.abc import Callable

from verifier.bridge.simulate.faults import convict
from verifier.bridge.simulate.lies import Lie
from verifier.bridge.simulate.rollup import RollupCase
from verifier.bridge.simulate.stage import ScenarioFailure, Stage


def scenario(lie: Lie) -> Callable[[Stage], str]:
    """The operator proves a lie as cunningly as it can; a watcher who has the proof bisects and convicts."""

    def play(stage: Stage) -> str:
        if not isinstance(stage.case, RollupCase):
            raise ScenarioFailure("only the rollup's proof can tell this lie")
        return convict(stage, *stage.case.told(lie))

    play.__doc__ = f"7: {lie.name}: {lie.story}; bisection finds the leaf that convicts."
    return play
