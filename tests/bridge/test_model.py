"""The explored properties hold at windows as short as set-up allows, and break where a window is shorter.

Explored exhaustively: one or two children a node, one or two levels, honest transactions held back for up to one
block, up to three adversary's transactions a block, one reorg of depth up to two. At random: the same with two
levels of two, two reorgs. Not explored: wider trees, fees and mempools (scenarios 15), several watchers.
"""

import random
from dataclasses import replace

import pytest

from verifier.bridge.game.model import Model, ModelTree, Rules, Violation, model_graph, questions
from verifier.bridge.game.params import Margins, Windows
from verifier.bridge.game.roles import open_towards


def windows(lateness: int, depth: int) -> tuple[Windows, Margins]:
    """As short as the rules allow."""
    s, answer = lateness, lateness + 2
    reveal = s + answer
    return Windows(s, s + answer, s, reveal, depth * (reveal + s) + s, s), Margins(s, answer, s)


def explore(fanout: int, depth: int, rules: Rules, lateness: int) -> dict[str, Model]:
    made = dict(questions(ModelTree(fanout, depth), *windows(lateness, depth), rules))
    for model in made.values():
        model.exhaust(limit=120_000)
    return made


SHAPES = [
    (1, 1, Rules(moves=3), 2),
    (2, 1, Rules(moves=3), 2),
    (1, 2, Rules(moves=2), 2),
    (1, 1, Rules(moves=2, reorgs=1), 6),
    (2, 1, Rules(moves=1, reorgs=1), 6),
]


@pytest.mark.parametrize("fanout, depth, rules, lateness", SHAPES)
def test_every_reachable_state_is_safe(fanout: int, depth: int, rules: Rules, lateness: int) -> None:
    for name, model in explore(fanout, depth, rules, lateness).items():
        assert set(model.ends) == {"paid" if name == "honest operator" else "penalised"}
        assert model.states > 20


@pytest.mark.slow
def test_two_levels_of_two_by_the_place_of_the_fault() -> None:
    """The last of them has 143,084 states."""
    for name, model in questions(ModelTree(2, 2), *windows(2, 2), Rules(moves=1)):
        model.exhaust(limit=200_000)
        assert set(model.ends) == {"paid" if name == "honest operator" else "penalised"}


@pytest.mark.parametrize("seed", range(3))
def test_random_games_with_two_reorgs(seed: int) -> None:
    rng = random.Random(seed)
    for _, model in questions(ModelTree(2, 2), *windows(9, 2), Rules(moves=2, reorgs=2)):
        for _ in range(10):
            model.walk(rng)


def broken(change: dict[str, int], fault: int | None) -> None:
    """Windows that set-up refuses, let through for the model's sake."""
    short = replace(windows(2, 1)[0], **change)
    graph, vault = model_graph(ModelTree(2, 1), short, Margins(-99, -99, -999))
    guide = open_towards(fault) if fault is not None else open_towards(0)
    Model(graph, vault, Rules(moves=2), fault, guide).exhaust()


@pytest.mark.parametrize(
    "change, fault, message",
    [
        ({"take2": 5}, 1, "is paid|both possible"),
        ({"close": 1}, 1, "false proof is paid"),
        ({"take1": 1}, 0, "false proof is paid"),
        ({"assert_timeout": 1}, None, "honest operator is penalised"),
        ({"reveal_timeout": 1}, None, "honest operator is penalised"),
        ({"take2": 6}, 1, "are both possible"),
    ],
)
def test_a_shorter_window_breaks_a_property(change: dict[str, int], fault: int | None, message: str) -> None:
    with pytest.raises(Violation, match=message):
        broken(change, fault)


def test_a_watcher_that_is_distracted_loses() -> None:
    """Time-outs that the operator escapes one by one must not keep a watcher from opening."""
    shape = ModelTree(2, 2)
    graph, vault = model_graph(shape, *windows(2, 2))
    model = Model(graph, vault, Rules(moves=1), 3, open_towards(3))
    watcher = model._role
    due = watcher.due
    watcher.due = lambda chain: [n for n in due(chain) if "timeout" in n][:1] or due(chain)  # type: ignore
    with pytest.raises(Violation, match="false proof is paid"):
        model.exhaust(limit=120_000)
