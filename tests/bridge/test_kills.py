"""Roles are killed at any line and started again from their directories: the game goes on as if nothing were."""

import gc
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.bridge.shell import funded
from tests.bridge.test_moves import FALSE, HONEST
from tests.bridge.test_scenarios import CASE, setup  # noqa: F401
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.roles import open_towards
from verifier.bridge.game.store import Store
from verifier.bridge.simulate.setup import SetUp, open_node
from verifier.bridge.simulate.stage import Stage


class Killed(BaseException):
    """The process is gone: nobody may catch it."""


def killed_after(lines: int, call: Callable[[], object]) -> bool:
    """Runs a call until it has run so many lines of the bridge's code; whether it was killed."""
    left = lines

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if "verifier/bridge" not in frame.f_code.co_filename:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise Killed
        return trace

    sys.settrace(trace)
    try:
        call()
    except Killed:
        pass
    else:
        return False
    finally:
        sys.settrace(None)
    gc.collect()  # a process that is gone holds no lock
    return True


def revive(stage: Stage) -> None:
    """Both roles anew, from their directories."""
    fault = CASE.false[1]
    stage.operators["operator"] = stage.open_operator()
    stage.watch(challenge=True, guide=open_towards(fault))


@pytest.mark.parametrize("seed", range(3))
def test_a_game_with_a_kill_in_every_step(seed: int, setup: SetUp) -> None:  # noqa: F811
    rng, kills = random.Random(seed), 0
    node = open_node(setup)
    stage = Stage(setup, CASE, node)
    try:
        stage.kickoff(CASE.false[0])
        revive(stage)
        while not stage.outcome:
            kills += killed_after(int(10 ** rng.uniform(0, 4.3)), stage.step)
            revive(stage)
            stage.play_on()
        assert stage.outcome == "penalised"
        assert [name for name in stage.names if "/" in name][-7:] == [
            *("open/2", "reveal/2", "open/4", "reveal/4", "open/6", "reveal/6", "disprove/6")
        ]
        assert kills > 3
    finally:
        stage.close()
        node.close()


def test_a_kill_at_every_line_of_a_commitment_leaves_all_wires_or_none(tmp_path: Path) -> None:
    lines, outcomes = 1, set()
    while True:
        store = Store(tmp_path / str(lines), "operator", "regtest")
        killed = killed_after(lines, lambda store=store: store.commit_wires("slot", HONEST))
        found = Store(tmp_path / str(lines), "operator", "regtest").wires("slot")
        assert found in ({}, HONEST)
        outcomes.add(bool(found))
        if not killed:
            break
        lines += 3
    assert outcomes == {True, False}


WRITER = """
import sys
from pathlib import Path
from verifier.bridge.game.store import Store
store = Store(Path(sys.argv[1]), "operator", "regtest")
print("ready", flush=True)
for slot in range(100_000):
    store.commit_wires(f"slot {slot}", {f"wire {i}": (slot % 16,) * 8 for i in range(40)})
    print(slot, flush=True)
"""


@pytest.mark.parametrize("moment", range(4))
def test_kill_9_loses_nothing_that_was_reported(moment: int, tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    time.sleep(0.02 + 0.07 * moment)
    writer.send_signal(signal.SIGKILL)
    reported = [int(line) for line in writer.stdout.read().splitlines()]
    writer.wait()
    store = Store(tmp_path, "operator", "regtest")
    for slot in range(len(reported) + 1):
        assert len(store.wires(f"slot {slot}")) in ((40,) if slot in reported else (0, 40))
    last = f"slot {len(reported)}"
    store.commit_wires(last, {f"wire {i}": (len(reported) % 16,) * 8 for i in range(40)})


def test_wires_cannot_be_changed_behind_the_stores_back(tmp_path: Path) -> None:
    store = Store(tmp_path, "operator", "regtest")
    store.commit_wires("slot", HONEST)
    for statement in ("UPDATE wires SET value = x'00'", "DELETE FROM wires"):
        with pytest.raises(BridgeError) as error, store._transaction() as db:
            db.execute(statement)
        assert error.value.reason is BridgeReason.STATE
    assert store.wires("slot") == HONEST != FALSE


def lines_of(call: Callable[[], object]) -> int:
    """How many lines of the bridge's code a call runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if "verifier/bridge" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return count


@pytest.mark.slow
def test_a_kill_at_any_line_of_an_announcement_leaves_nothing_signed_that_is_not_durable(
    tmp_path: Path,
) -> None:
    """`announce` and `hear` as commands: proof and wires are there both or not at all, and the same again completes."""
    home, calm = funded(tmp_path / "bridge"), tmp_path / "calm.json"
    proof = home.sample()
    other = home.copy(tmp_path / "calm")
    lines = lines_of(lambda: other.works("announce", "operator", calm, "--proof", proof))
    heard = lines_of(lambda: other.works("hear", "watcher", calm, "--proof", proof))
    rng, outcomes = random.Random(2), set()
    for number in range(14):
        shell, out = home.copy(tmp_path / f"{number}"), tmp_path / f"{number}.json"
        before_end = rng.randrange(1, 500 if number % 2 else lines)
        announce = partial(shell, "announce", "operator", out, "--proof", proof)
        assert killed_after(lines - before_end, announce)
        store = Store(shell.home / "operator", "operator", "regtest")
        durable = bool(store.wires("slot A"))
        assert durable == (store.meta("proof slot A") == proof.read_bytes())
        assert durable or not out.exists()
        outcomes.add((durable, out.exists()))
        announce()
        assert out.read_bytes() == calm.read_bytes()
        hear = partial(shell, "hear", "watcher", out, "--proof", proof)
        assert killed_after(heard - rng.randrange(1, 300 if number % 2 else heard), hear)
        hear()
        (said,) = shell("status", "watcher")["announced"]
        assert said["expected"] and said["known_state"]
        shutil.rmtree(shell.home)
    assert {(False, False), (True, False)} <= outcomes
