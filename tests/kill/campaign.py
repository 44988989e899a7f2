"""kill -9 at random moments of the commands that an operator runs: `python -m tests.kill.campaign --moments 200`.

One ledger lives through all of it. Each moment starts a command as a process of its own and kills it, either
anywhere in the time that it takes, or just after it has begun to write. Then, with no repair in between:
what was there is intact (or `Lost` is raised), the same command runs again, and the result is the one that an
undisturbed execution gives. At the end the ledger is rebuilt from what it published.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from circuits.rollup.batch import Batch
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from circuits.rollup.store import Store
from tests.kill.checks import Lost, check_leaves, check_proof, check_store, demand
from tests.verifier.cli.conftest import Outcome, run_command
from verifier.pipeline import run_batch

ROOT = Path(__file__).parents[2]
COUNTED = ("execute", "prove", "commit")
"""What the moments are of; a share of `sign` and `next` comes on top."""
WEIGHTS = {"execute": 1, "prove": 2, "commit": 3, "sign": 0.6, "next": 6}
AIMED = 0.5
"""Share of the moments that wait for the command to begin to write."""
AFTER_WRITING = {"prove": 0.004, "commit": 0.012, "sign": 0.02, "next": 0.004}
"""Longest wait after that, in seconds."""
COUNTER = """
    .reg book total
    CALL    CONTEXT, PROGRAM
    LI      book, 1
    ADD     book, book, r1
    CALL    DLOAD, book, 0
    LI      total, 1
    ADD     total, total, r1
    CALL    DSTORE, book, 0, total
    SYS     EXIT
"""


def _holds_bytes(file: Path) -> bool:
    """Whether there is something in it; the last connection to close takes a log away."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Moment:
    """A kill and what was found.

    Attributes:
        number: From 1; 0 of a command that was done before it could be killed.
        command: Which.
        when: Seconds after its start.
        aimed: Whether it had begun to write.
        found: What was there afterwards: `old` or `new`.
    """

    number: int
    command: str
    when: float
    aimed: bool
    found: str

    def line(self) -> str:
        """For people."""
        how = "writing" if self.aimed else "anywhere"
        return f"{self.number:4d}  {self.command:<8}{self.when:7.3f} s  {how:<9} {self.found}, and again: ok"


class Life:
    """A ledger, a wallet, a proof file, and batch after batch.

    Args:
        root: Directory, empty.
        rng: Chooses commands and moments.
    """

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self.rng = root, rng
        self.batch, self.wallet, self.proof = root / "batch", root / "wallet", root / "proof"
        self.done("wallet", "new", self.wallet, "--height", 10, "--seed", rng.randbytes(32).hex())
        sample = ("sample", "--transfers", 6, "--seed", rng.randrange(1000), "--out", self.batch)
        self.done(*sample, "--wallet", self.wallet)
        (root / "counter.asm").write_text(COUNTER)
        deploy = ("wallet", "deploy", self.wallet, root / "counter.asm", "--batch", self.batch, "--json")
        self.program = self.done(*deploy).json["program"]
        self.done("wallet", "rotate", self.wallet, "--batch", self.batch)
        self.committed = False
        self.calls = 0
        self.fill()
        self.seconds = {"execute": 1.0, "prove": 2.0, "commit": 1.0, "sign": 1.0, "next": 0.6}
        self.done("prove", self.batch, "-o", self.proof)

    def done(self, *arguments: object) -> Outcome:
        """A command that must succeed, in this process."""
        outcome = run_command(*arguments)
        demand(outcome.code == 0, f"{arguments}: {outcome.err or outcome.out}")
        return outcome

    def fill(self) -> None:
        """The wallet's transactions of a batch: a call."""
        self.done("wallet", "call", self.wallet, f"{self.program}:0", "--batch", self.batch)
        self.calls += 1

    def arguments(self, command: str) -> tuple[object, ...]:
        """As a person types it."""
        return {
            "execute": ("execute", self.batch),
            "prove": ("prove", self.batch, "-o", self.proof),
            "commit": ("execute", self.batch, "--commit"),
            "sign": ("wallet", "sign", self.wallet, "--batch", self.batch, "--to", 2, "--amount-msat", 1),
            "next": ("batch", "next", self.batch),
        }[command]

    def choose(self) -> str:
        """A command that makes sense now."""
        fitting = ("execute", "prove", "next") if self.committed else ("execute", "prove", "commit", "sign")
        return self.rng.choices(fitting, [WEIGHTS[name] for name in fitting])[0]

    def writes(self, command: str) -> Callable[[], bool]:
        """Tells whether the command has begun to write what it is for."""
        if command == "commit":
            return lambda: _holds_bytes(self.batch / f"{STATE_FILE}-wal")
        if command == "sign":
            return lambda: (self.wallet / "wallet.db-journal").exists()
        directory = self.root if command == "prove" else self.batch
        left = set(directory.glob(".*.tmp"))
        return lambda: any(p not in left and "probe" not in p.name for p in directory.glob(".*.tmp"))

    def moment(self, number: int) -> Moment:
        """One kill, the search for damage, and the same command again.

        Raises:
            Lost: Something is not as it must be.
        """
        command = self.choose()
        before = self.snapshot()
        aimed = command in AFTER_WRITING and self.rng.random() < AIMED
        share = self.rng.random()
        seconds, killed, told = self.kill(command, aimed, share)
        found = self.check(command, before, told)
        self.repeat(command, before, found)
        return Moment(number if killed else 0, command, seconds, aimed, found)

    def kill(self, command: str, aimed: bool, share: float) -> tuple[float, bool, str]:
        """Start a command and kill it; seconds, whether it was still there, what it had said."""
        writes, patience = self.writes(command), 10 * self.seconds[command]
        start = time.perf_counter()
        line = [sys.executable, "-m", "verifier.cli.main", *map(str, self.arguments(command))]
        child = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if aimed:
            while child.poll() is None and not writes() and time.perf_counter() - start < patience:
                time.sleep(0.0002)
            time.sleep(share * AFTER_WRITING[command])
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(share * self.seconds[command])
        seconds = time.perf_counter() - start
        child.send_signal(signal.SIGKILL)
        told, _ = child.communicate()
        killed = child.returncode == -signal.SIGKILL
        if not killed:
            demand(child.returncode == 0, f"{command} failed by itself: {told}")
            self.seconds[command] = 0.9 * seconds
        elif not aimed and share > 0.9:  # the machine is slower than it was
            self.seconds[command] *= 1.1
        return seconds, killed, told

    def snapshot(self) -> Snapshot:
        """What must not be lost."""
        with Store.open(self.batch / STATE_FILE) as store:
            number = store.batch_number()
        content = (self.batch / BATCH_FILE).read_bytes()
        executed = run_batch(self.batch)
        after = executed.execution.transition.ledger.root
        keys = self.done("wallet", "show", self.wallet, "--json").json["keys"]
        leaves = {key["number"]: key["next_leaf"] for key in keys}
        return Snapshot(number, content, after, self.proof.read_bytes(), leaves)

    def check(self, command: str, before: Snapshot, told: str) -> str:
        """Look for damage.

        Raises:
            Lost: There is some.
        """
        number = check_store(self.batch / STATE_FILE)
        new = number > before.number
        demand(number == before.number or (command == "commit" and number == before.number + 1), "a batch")
        if command == "commit" and "the state store is at batch" in told:
            demand(new, "a commit that was reported")
        proven = check_proof(self.proof, before.proof, before.root_after)
        new = new or (proven and command == "prove")
        demand(not proven or command == "prove", "the proof file")
        content = (self.batch / BATCH_FILE).read_bytes()
        if command in ("sign", "next"):
            new = content != before.batch
            signed = Batch.decode(content).transactions
            old = Batch.decode(before.batch).transactions
            demand(not new or command == "next" or signed[:-1] == old, "earlier transactions")
            demand(not new or command == "sign" or signed == (), "an empty batch")
        else:
            demand(content == before.batch, "the batch file")
        check_leaves(self.wallet, Batch.decode(content), before.leaves)
        return "new" if new else "old"

    def repeat(self, command: str, before: Snapshot, found: str) -> None:
        """The same command again; its result is the undisturbed one's.

        Raises:
            Lost: It fails, or gives another.
        """
        if command == "next" and found == "new":  # as it says: the batch before is not the open one any more
            demand(run_command(*self.arguments(command)).code == 1, "a refusal of `batch next`")
        elif not (command == "sign" and found == "new"):  # which would sign a second payment
            self.done(*self.arguments(command))
        if command == "commit":
            self.committed = True
            with Store.open(self.batch / STATE_FILE) as store:
                demand(store.batch_number() == before.number + 1, "the batch")
                demand(store.ledger().root == before.root_after, "the state")
        elif command == "prove":
            demand(check_proof(self.proof, b"", before.root_after), "the proof")
        elif command == "next":
            self.committed = False
            kept = self.batch / f"batch-{before.number:06}.bin"
            demand(kept.read_bytes() == before.batch, "the batch that was put aside")
            self.fill()
        elif command == "sign":
            count = len(Batch.decode((self.batch / BATCH_FILE).read_bytes()).transactions)
            demand(count == len(Batch.decode(before.batch).transactions) + 1, "the transaction")

    def end(self) -> str:
        """Rebuild the ledger from what it published.

        Raises:
            Lost: It is another, or the counter did not count every call.
        """
        if not self.committed:
            self.done(*self.arguments("commit"))
        data, inbox = self.root / "data", self.root / "inbox"
        self.done("publish", self.batch, data, inbox)
        figures = self.done("rebuild", data, inbox, "--check", self.batch, "--json").json
        with Store.open(self.batch / STATE_FILE) as store:
            book = store.ledger().cells[self.program + 1]
        demand(book.words()[1][0] == self.calls % 2**16, "a call")
        self.done("verify", self.proof)
        return f"{len(figures['batches'])} batches with {self.calls} calls, rebuilt from published data: the same"


@dataclass(frozen=True)
class Snapshot:
    """What is there before a command.

    Attributes:
        number: Last committed batch.
        batch: The batch file.
        root_after: State root that the open batch leads to.
        proof: The proof file.
        leaves: First unused leaf of each of the wallet's keys.
    """

    number: int
    batch: bytes
    root_after: tuple[int, ...]
    proof: bytes
    leaves: dict[int, int]


def campaign(root: Path, moments: int, seed: int) -> Iterator[Moment | str]:
    """Kills until `moments` of `COUNTED` are reached; commands that were done first come with number 0.

    Raises:
        Lost: Something was lost, or needs a repair.
    """
    life = Life(root, random.Random(f"pegproof kill {seed}"))
    reached = 0
    for _ in range(5 * moments):
        if reached == moments:
            break
        moment = life.moment(reached + 1)
        reached += moment.number > 0 and moment.command in COUNTED
        yield moment
    demand(reached == moments, "enough moments: the commands end before they can be killed")
    yield life.end()


def main() -> None:
    """Print each moment, then sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="pegproof-kill-"))
    tally: Counter[tuple[str, str]] = Counter()
    first = 0
    try:
        for item in campaign(root, wanted.moments, wanted.seed):
            if isinstance(item, str):
                print(item)
            elif item.number:
                print(item.line(), flush=True)
                tally[item.command, item.found] += 1
            else:
                first += 1
    except Lost as lost:
        sys.exit(f"LOST: {lost} (seed {wanted.seed}; the directory is {root})")
    shutil.rmtree(root)
    for command in WEIGHTS:
        old, new = tally[command, "old"], tally[command, "new"]
        print(
            f"{command:<8} {old + new:4d} kills: {old} left the old state, {new} the new one, none anything else"
        )
    counted = sum(count for (command, _), count in tally.items() if command in COUNTED)
    print(
        f"{counted} kills of {', '.join(COUNTED)} (and {first} commands that were done first): nothing was lost"
    )


if __name__ == "__main__":
    main()
