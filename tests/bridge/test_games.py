"""Whole games on a chain in memory: roles alone decide what is sent."""

from pathlib import Path

from tests.bridge.slot import TREE
from tests.bridge.world import World
from verifier.bridge.roles import open_towards
from verifier.bridge.toy import ToyExecution

HONEST = ToyExecution.make(TREE)
FALSE = ToyExecution.make(TREE, wrong_sum=1)


def test_an_unchallenged_claim_is_paid(tmp_path: Path) -> None:
    world = World(tmp_path, HONEST)
    world.play()
    assert world.names == ["kickoff", "take1/vault"]
    assert world.outcome == "paid"
    assert sum(tx.tx.vbytes for tx in world.sent) <= 1_500


def test_an_honest_claim_survives_a_challenge_and_openings(tmp_path: Path) -> None:
    world = World(tmp_path, HONEST)
    world.watch(challenge=True, guide=open_towards(5))
    world.play()
    assert world.outcome == "paid"
    assert world.names == [
        *("kickoff", "challenge", "assert", "open/1", "reveal/1", "open/3", "reveal/3", "open/5", "reveal/5"),
        *("close/2", "take2/vault"),
    ]


def test_a_false_claim_is_disproved(tmp_path: Path) -> None:
    world = World(tmp_path, FALSE)
    world.watch(challenge=True, guide=open_towards(6))
    world.play()
    assert world.outcome == "penalised"
    assert world.names[-1] == "disprove/6"
