"""What roles do when things are missing, beyond the scenarios."""

from collections.abc import Iterator

import pytest

from tests.bridge.test_scenarios import CASE, setup  # noqa: F401
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.roles import open_towards
from verifier.bridge.simulate import silence
from verifier.bridge.simulate.setup import SetUp, open_node
from verifier.bridge.simulate.stage import Stage
from verifier.chain.wallet import Wallet


@pytest.fixture
def stage(setup: SetUp) -> Iterator[Stage]:  # noqa: F811
    with open_node(setup) as node:
        made = Stage(setup, CASE, node)
        yield made
        made.close()


def test_a_watcher_with_an_empty_purse_still_sends_the_penalty(stage: Stage) -> None:
    silence._start(stage, silent_from=1)
    stage.play(until=lambda: any(name.startswith("open/") for name in stage.names))
    watcher = stage.watchers["watcher"]
    watcher.wallet = Wallet(b"\x44" * 32, stage.node)
    watcher.guide = lambda view, node: view.graph.nodes[node].children
    assert stage.play() == "penalised"
    assert any("insufficient fee funds" in reason for _, who, reason in stage.refusals if who == "watcher")


def test_an_operator_does_not_start_before_its_wires_are_durable(stage: Stage) -> None:
    stage.pegin()
    operator = stage.open_operator()
    with pytest.raises(BridgeError) as error:
        operator.kickoff(stage.node)
    assert error.value.reason is BridgeReason.ORDER
    assert stage.node.mempool() == ()


def test_a_watcher_looks_at_the_same_wires_once(stage: Stage) -> None:
    stage.kickoff(CASE.honest)
    watcher = stage.watch(challenge=True, guide=open_towards(5))
    looked: list[int] = []
    inner = watcher.accuser.disprove
    object.__setattr__(watcher.accuser, "disprove", lambda n, s: looked.append(n) or inner(n, s))
    stage.play(until=lambda: stage.view.commitment(5) is not None)
    for _ in range(3):
        watcher.step(stage.node)
    assert looked == [3, 5]
