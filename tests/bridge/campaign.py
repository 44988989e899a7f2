"""`make disprove`: the rollup's own proof at the small shape, attacked wire by wire, hint by hint, word by word.

Wires: each public value, each wire of the root, of the statement, of every node of the constraints and of everything
below two queries is committed wrong alone; a leaf that reads it must convict, by evaluation, a seeded sample of them on
the kernel. Hints: leaves
of an honest run are given malformed hints on the kernel; none may spend. Proofs: a word of the proof is
changed and everything made again from it; bisection must find the leaf that convicts within a path of the tree.
"""

from __future__ import annotations

import argparse
import sys
from array import array
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from random import Random
from time import monotonic

from prover.proof import Proof
from prover.prove import prove
from tests.bridge.chunks import SEED
from tests.script.spends import tapscript_spend
from tests.whole import SHAPE
from tests.whole import honest as batch
from verifier.bridge.accuse import accuse, hints_of
from verifier.bridge.bisect import Bisection, Place
from verifier.bridge.execution import Replay
from verifier.bridge.opening import MAIN, ChunkTree, Leaf
from verifier.bridge.tree import Digits, depth
from verifier.chain.kernel import kernel_accepts
from verifier.pipeline import DEFAULT_PRESET, proving_key
from verifier.script.errors import ScriptError
from verifier.script.script import encode_number
from verifier.script.spend import verify_input
from verifier.script.winternitz import public_key, sign

QUERIES = ("query 0", "query 77")
ODD = (
    b"",
    b"\1",
    b"\x81",
    b"\xff",
    b"\0\1",
    b"\1\0",
    b"\xff\0",
    b"\0\1\0",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0\1",
)
"""Zero, one, minus one, numbers out of range, numbers not minimal, a number too long to be one."""


@dataclass
class Case:
    """A tree, an accepted proof and its run."""

    tree: ChunkTree
    proof: Proof
    replay: Replay
    _signed: dict[tuple[str, Digits], tuple[bytes, ...]] = field(default_factory=dict)

    @cached_property
    def values(self) -> dict[str, Digits]:
        """Every wire's honest value."""
        return values_of(self.tree, self.replay)

    @cached_property
    def readers(self) -> dict[str, list[Place]]:
        """Wire -> the leaves that check it."""
        found: dict[str, list[Place]] = {name: [] for name in self.values}
        for node, leaves in enumerate(self.tree.leaves):
            for number, leaf in enumerate(leaves):
                for name in self.tree.wire_names(leaf):
                    found[name].append((node, number))
        return found

    def names(self, where: str) -> list[str]:
        """The wires of a part: the root alone, or every node on whose path a name stands."""
        nodes = [
            n for n in self.tree.nodes if where in n.name.split("/") and (where != "root" or n.parent < 0)
        ]
        return [wire.name for node in nodes for group in node.wires for wire in group]

    def run(self, words: Sequence[int]) -> Replay:
        """The run of a proof with other words."""
        return Replay(self.tree, words, self.proof.public_values)

    def signature(self, name: str, value: Digits) -> tuple[bytes, ...]:
        """The operator's signature of a value."""
        if (name, value) not in self._signed:
            self._signed[name, value] = sign(SEED, name.encode(), value)
        return self._signed[name, value]

    def witness(self, leaf: Leaf, values: Mapping[str, Digits], hints: list[bytes]) -> list[bytes]:
        """What spends the leaf, or is refused by it; hints in the order in which the script takes them."""
        names = self.tree.wire_names(leaf)
        signed = [item for name in reversed(names) for item in self.signature(name, values[name])]
        return [*reversed(hints), *signed]

    def script(self, leaf: Leaf) -> bytes:
        """The leaf under the operator's keys."""
        names = self.tree.wire_names(leaf)
        return self.tree.shape(leaf).leaf(public_key(SEED, n.encode(), len(self.values[n])) for n in names)


def values_of(tree: ChunkTree, replay: Replay) -> dict[str, Digits]:
    """Every wire's value in a run."""
    return {name: value for node in tree.nodes for name, value in wires_of(tree, replay, node.index)}


def wires_of(tree: ChunkTree, replay: Replay, node: int) -> Iterator[tuple[str, Digits]]:
    """A node's wires with their values."""
    for wires, row in zip(tree.nodes[node].wires, replay.values(node), strict=True):
        yield from ((wire.name, value) for wire, value in zip(wires, row, strict=True))


@cache
def case() -> Case:
    """The honest batch, proven.

    Raises:
        RuntimeError: the replay finds fault with an honest proof.
    """
    key = proving_key(DEFAULT_PRESET, SHAPE)
    data = prove(key, batch().tables, batch().public_values).encode()
    proof = Proof.decode(data, key.verifying_key.layout)
    tree = ChunkTree.of(key.verifying_key)
    replay = Replay(tree, proof.words, proof.public_values)
    if replay.faults:
        raise RuntimeError(f"an honest proof is refused: {replay.faults[:3]}")
    return Case(tree, proof, replay)


def corrupted(value: Digits, rng: Random) -> Digits:
    """A value with one digit changed."""
    digits = list(value)
    digits[rng.randrange(len(digits))] ^= rng.randrange(1, 16)
    return tuple(digits)


@dataclass
class Outcome:
    """Of one attack: how many were tried, how many of them on the kernel, and what went wrong."""

    tried: int = 0
    on_kernel: int = 0
    survivors: list[str] = field(default_factory=list)
    figures: str = ""


def wires(names: list[str], rng: Random, on_kernel: int) -> Outcome:
    """Commits each wire wrong alone."""
    values = case().values
    return wrong([(name, corrupted(values[name], rng)) for name in names], rng, on_kernel)


def public_values(rng: Random, on_kernel: int) -> Outcome:
    """Commits each public value wrong alone."""
    it = case()
    start, length = it.tree.program.public
    changes = []
    for node, runs in zip(it.tree.nodes, it.tree.runs, strict=True):
        names = (wire.name for group in node.wires for wire in group)
        for name, (run, _) in zip(names, runs, strict=True):
            for place, word in enumerate(run.words):
                if start <= word < start + length:
                    digits = list(it.values[name])
                    digits[8 * place + rng.randrange(8)] ^= rng.randrange(1, 16)
                    changes.append((name, tuple(digits)))
    outcome = wrong(changes, rng, on_kernel)
    if len(changes) != length:
        outcome.survivors.append(f"{len(changes)} of {length} public values are committed")
    return outcome


def wrong(changes: list[tuple[str, Digits]], rng: Random, on_kernel: int) -> Outcome:
    """Commits each of these values alone beside honest ones; a sample is judged by the kernel."""
    it = case()
    outcome = Outcome()
    sample = set(rng.sample(range(len(changes)), min(on_kernel, len(changes))))
    for number, (name, value) in enumerate(changes):
        values = ChainMap({name: value}, it.values)
        outcome.tried += 1
        for node, place in it.readers[name]:
            leaf = it.tree.leaves[node][place]
            found = accuse(it.tree, leaf, values)
            if found is not None:
                break
        else:
            outcome.survivors.append(name)
            continue
        if number in sample:
            items = it.witness(leaf, values, [encode_number(hint) for hint in found])
            outcome.on_kernel += 1
            if not kernel_accepts(tapscript_spend(it.script(leaf), items)):
                outcome.survivors.append(f"{name} (kernel)")
    return outcome


def malformed(honest: list[bytes], rng: Random) -> list[bytes]:
    """Hints that differ from the honest ones in one to three places, or in their number."""
    hints = list(honest)
    way = rng.randrange(8)
    if way == 0:
        del hints[rng.randrange(len(hints))]
    elif way == 1:
        hints.insert(rng.randrange(len(hints) + 1), rng.choice(ODD))
    else:
        for place in rng.sample(range(len(hints)), min(len(hints), rng.randint(1, 3))):
            near = [encode_number(number) for number in range(-2, 3)]
            others = (*ODD, *near, rng.randbytes(rng.randint(1, 3)), rng.choice(honest))
            hints[place] = rng.choice([item for item in others if item != honest[place]])
    return hints


def hint_sets(where: tuple[str, ...], rng: Random, count: int, a_leaf: int = 100) -> Outcome:
    """Gives malformed hints to leaves of the honest run, as many shapes of leaf as the count allows."""
    it = case()
    outcome = Outcome()
    shapes: dict[int, Leaf] = {}
    for node in it.tree.nodes:
        if set(where) & set(node.name.split("/")):
            for leaf in it.tree.leaves[node.index]:
                if it.tree.shape(leaf).hints:
                    shapes.setdefault(id(it.tree.shape(leaf)), leaf)
    chosen = rng.sample(list(shapes.values()), min(len(shapes), -(-count // a_leaf)))
    for leaf in chosen:
        found, _ = hints_of(it.tree, leaf, it.values)
        honest = [encode_number(hint) for hint in found or ()]
        script = it.script(leaf)
        verdict = verify_input(tapscript_spend(script, it.witness(leaf, it.values, honest)), 0)
        if verdict.error is not ScriptError.EVAL_FALSE:
            outcome.survivors.append(f"honest hints give {verdict.error.name}")
        for _ in range(-(-count // len(chosen))):
            hints = malformed(honest, rng)
            outcome.tried += 1
            outcome.on_kernel += 1
            if kernel_accepts(tapscript_spend(script, it.witness(leaf, it.values, hints))):
                outcome.survivors.append(f"{it.tree.wire_names(leaf)[-1]} {[hint.hex() for hint in hints]}")
    outcome.figures = f"{len(chosen)} shapes of leaf"
    return outcome


def proofs(rng: Random, count: int, on_kernel: int) -> Outcome:
    """Changes a word of the proof, commits what follows from it, and looks for the leaf that convicts."""
    it = case()
    outcome = Outcome()
    bisection = Bisection(it.tree, it.replay)  # its index of readers and makers serves all
    bisection.next([0], dict(wires_of(it.tree, it.replay, 0)))
    head, most, longest = 0, 0, 0.0
    for number in range(count):
        words = array("I", it.proof.words)
        place = rng.randrange(len(words))
        words[place] ^= 1 << rng.randrange(31)
        query = it.replay.query_of(place)
        head += query == MAIN
        replay = it.replay.changed(words, query) if query != MAIN else it.run(words)
        started = monotonic()
        bisection.replay = replay
        found, committed, revealed = bisect(bisection)
        longest, most = max(longest, monotonic() - started), max(most, len(revealed))
        outcome.tried += 1
        if found is None or len(revealed) > depth(it.tree.nodes) + 1:
            outcome.survivors.append(f"word {place}: {len(revealed)} nodes")
        elif number < on_kernel:
            leaf = it.tree.leaves[found[0]][found[1]]
            hints = [encode_number(hint) for hint in accuse(it.tree, leaf, committed) or ()]
            outcome.on_kernel += 1
            if not kernel_accepts(tapscript_spend(it.script(leaf), it.witness(leaf, committed, hints))):
                outcome.survivors.append(f"word {place} (kernel)")
    outcome.figures = (
        f"{head} in the head, at most {most} of {len(it.tree.nodes):,} nodes opened, {longest:.1f} s to find"
    )
    return outcome


def bisect(bisection: Bisection) -> tuple[Place | None, dict[str, Digits], list[int]]:
    """Opens what the challenger asks for: the leaf that convicts, what was committed, the nodes revealed."""
    tree, replay = bisection.tree, bisection.replay
    revealed, committed = [0], dict(wires_of(tree, replay, 0))
    while True:
        place, node = bisection.next(revealed, committed)
        if place is not None or node is None:
            return place, committed, revealed
        revealed.append(node)
        committed.update(wires_of(tree, replay, node))


def main(arguments: list[str] | None = None) -> int:
    """Prints a line an attack; fails where something wrong is not convicted or something right is."""
    parser = argparse.ArgumentParser(prog="make disprove")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--wires", type=int, default=0, help="of each part; 0 is all")
    parser.add_argument("--kernel", type=int, default=100, help="wires of each part that the kernel judges")
    parser.add_argument("--hints", type=int, default=10_000)
    parser.add_argument("--proofs", type=int, default=200)
    options = parser.parse_args(arguments)
    rng = Random(options.seed)
    started = monotonic()
    it = case()
    print(
        f"{len(it.values):,} wires, seed {options.seed}: proven and replayed in {monotonic() - started:.0f} s"
    )
    failed = 0

    def report(name: str, outcome: Outcome, since: float) -> None:
        nonlocal failed
        failed += len(outcome.survivors)
        print(
            f"{name:20}{outcome.tried:8,} tried{outcome.on_kernel:8,} on the kernel"
            f"{len(outcome.survivors):4} survive{monotonic() - since:8.0f} s  {outcome.figures}",
            flush=True,
        )
        for survivor in outcome.survivors[:10]:
            print(f"    {survivor}")

    since = monotonic()
    report("public values", public_values(rng, options.kernel), since)
    for part in ("root", "statement", "constraints", *QUERIES):
        since, names = monotonic(), it.names(part)
        names = rng.sample(names, min(options.wires or len(names), len(names)))
        report(f"wires: {part}", wires(names, rng, options.kernel), since)
    since = monotonic()
    report("hints", hint_sets(("constraints", *QUERIES), rng, options.hints), since)
    since = monotonic()
    report("proofs", proofs(rng, options.proofs, options.kernel), since)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
