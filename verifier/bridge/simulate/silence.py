"""An operator who does not answer, or answers as late as it can: scenario 6."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from verifier.bridge.game.graph import commitment_coin
from verifier.bridge.game.params import MARGINS
from verifier.bridge.game.roles import Operator, open_towards
from verifier.bridge.game.store import Store
from verifier.bridge.game.view import SlotView
from verifier.bridge.simulate.money import EARLY
from verifier.bridge.simulate.setup import NETWORK, secret_of
from verifier.bridge.simulate.stage import Stage, expect
from verifier.chain.chain import Chain
from verifier.chain.policy import fee_of


@dataclass
class Sluggish(Operator):
    """Answers nothing below some level, or only when a window is all but over.

    Attributes:
        silent_from: first level that it never reveals; -1 stands for the assertion.
        late: how old a node must be before it is revealed.
    """

    silent_from: int = 99
    late: int = 0

    def due(self, chain: Chain) -> list[str]:
        """What an honest operator would do, less what this one leaves."""
        view = SlotView(chain, self.moves.graph)
        out = []
        for name in super().due(chain):
            kind, _, rest = name.partition("/")
            if kind == "assert" and (self.silent_from < 0 or view.age("K1.0") < self.late):
                continue
            if kind in ("reveal", "close"):
                node = int(rest)
                on_path = view.spent(f"C{node}") is not None
                if on_path and self.moves.graph.level(node) >= self.silent_from:
                    continue
                if kind == "reveal" and view.age(commitment_coin(node, 0)) < self.late:
                    continue
            out.append(name)
        return out


def _start(stage: Stage, silent_from: int = 99, late: int = 0) -> Sluggish:
    stage.pegin()
    store = Store(stage.directory / "operator", "operator", NETWORK)
    operator = Sluggish(
        *(store, stage.moves, secret_of("operator"), stage.setup.seed, stage.vault),
        silent_from=silent_from,
        late=late,
    )
    operator.commit(stage.case.false[0])
    stage.send("kickoff", operator.kickoff(stage.node).spending, "operator")
    stage.mine()
    stage.operators["operator"] = operator
    stage.watch(challenge=True, guide=open_towards(stage.case.false[1]))
    return operator


def no_assertion(stage: Stage) -> str:
    """6a: challenged, and no assertion comes."""
    _start(stage, silent_from=-1)
    stage.play(until=lambda: "challenge" in stage.names)
    _refused_early(stage, "assert_timeout", "K1.0", stage.graph.terms.windows.assert_timeout)
    outcome = stage.play_to("assert_timeout")
    _expect_in_time(stage, "K1.0", stage.graph.terms.windows.assert_timeout)
    return outcome


def no_reveal_1(stage: Stage) -> str:
    """6b: a node of the first level is opened, and never revealed."""
    return _no_reveal(stage, 1)


def no_reveal_2(stage: Stage) -> str:
    """6c: a node of the second level is opened, and never revealed."""
    return _no_reveal(stage, 2)


def no_reveal_3(stage: Stage) -> str:
    """6d: a node of the third level is opened, and never revealed."""
    return _no_reveal(stage, 3)


def _no_reveal(stage: Stage, level: int) -> str:
    _start(stage, silent_from=level)
    node, windows = stage.graph.ancestry(stage.case.false[1])[level], stage.graph.terms.windows
    coin = commitment_coin(node, 0)
    stage.play(until=partial(_is_old, stage, coin, windows.close + 2))  # what nobody opened is closed
    _refused_early(stage, f"open_timeout/{node}", coin, windows.reveal_timeout)
    outcome = stage.play_to(f"open_timeout/{node}")
    _expect_in_time(stage, coin, windows.reveal_timeout)
    return outcome


def _refused_early(stage: Stage, name: str, coin: str, window: int) -> None:
    """A time-out does not come a block before its time."""
    stage.mine(window - 1 - stage.view.age(coin))
    watcher = stage.watchers["watcher"]
    stage.refused(name, watcher.moves.penalty(name, watcher.reward, 2), "watcher", EARLY)


def _expect_in_time(stage: Stage, coin: str, window: int) -> None:
    """Rule 2: a time-out comes in the first block that may hold it."""
    spender = stage.view.spent(coin)
    age = (spender.height if spender else 0) - (stage.view.born(stage.graph.coins[coin]) or 0)
    expect(age == window, f"a time-out {age} blocks after {coin}, not {window}")


def never_answered(stage: Stage) -> str:
    """6e: a kickoff that nobody challenges, and an operator who then does nothing: the time-out all the same."""
    _start(stage, silent_from=-1)
    stage.operators.clear()
    stage.watchers.clear()
    stage.watch()
    outcome = stage.play_to("assert_timeout")
    expect("challenge" not in stage.names, "nobody challenged")
    _expect_in_time(stage, "K1.0", stage.graph.terms.windows.assert_timeout)
    return outcome


def latest_reveals(stage: Stage) -> str:
    """6f: every time-out is confirmed 144 blocks late, every false reveal just before it; the disproof is in time.

    At each level the operator's transaction comes in the last block before a watcher's would, which itself is
    as late as the rules allow for.
    """
    windows, graph = stage.graph.terms.windows, stage.graph
    wait = windows.reveal_timeout + MARGINS.lateness
    operator = _start(stage, late=wait)
    fault = stage.case.false[1]
    stage.play(until=lambda: "challenge" in stage.names)
    operator.late = windows.assert_timeout
    stage.sleep("watcher")
    stage.mine(windows.assert_timeout - stage.view.age("K1.0"))
    stage.play(until=lambda: stage.view.commitment(0) is not None)
    operator.late = wait
    for node in graph.ancestry(fault)[1:]:
        stage.wake("watcher")
        stage.play(until=partial(_has, stage, f"open/{node}"))
        stage.sleep("watcher")
        coin = commitment_coin(node, 0)
        stage.play(until=partial(_is_old, stage, coin, windows.close + 2))  # what nobody opened is closed
        stage.mine(wait - stage.view.age(coin))
        stage.play(until=partial(_has, stage, f"reveal/{node}"))
    left = windows.take2 - stage.view.age("S")
    expect(left + 1 >= MARGINS.disprove, f"only {left} blocks are left to disprove")
    stage.mine(left - 1)
    stage.wake("watcher")
    return stage.play_to(f"disprove/{fault}")


def _has(stage: Stage, name: str) -> bool:
    return name in stage.names


def last_block_race(stage: Stage) -> str:
    """6g: reveal and time-out meet in one mempool: a miner takes one, the other is dead; both ways."""
    operator = _start(stage, silent_from=1)
    watcher = stage.watchers["watcher"]
    first, second = stage.graph.ancestry(stage.case.false[1])[1:3]
    for node, wins in ((first, "reveal"), (second, "open_timeout")):
        stage.play(until=partial(_has, stage, f"open/{node}"))
        stage.sleep("watcher")
        due = stage.graph.terms.windows.reveal_timeout
        stage.play(until=partial(_is_old, stage, commitment_coin(node, 0), due))
        reveal = operator.sign(f"reveal/{node}")
        rate = (
            20 + fee_of(reveal) // 200
        )  # a time-out of 212 vB replaces a reveal that waits if it pays more in all
        timeout = watcher.moves.penalty(f"open_timeout/{node}", watcher.reward, rate)
        rivals = {
            "reveal": (f"reveal/{node}", reveal, "operator"),
            "open_timeout": (f"open_timeout/{node}", timeout, "watcher"),
        }
        stage.send(*rivals["reveal"])
        stage.send(*rivals["open_timeout"])
        stage.mine_only(rivals.pop(wins))
        for loser in rivals.values():
            stage.refused(*loser)
        stage.wake("watcher")
    return stage.outcome


def _is_old(stage: Stage, coin: str, age: int) -> bool:
    return stage.view.age(coin) >= age
