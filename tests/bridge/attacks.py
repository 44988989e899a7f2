"""Attacks on the rollup's own proof: wires, hints, leaves of an honest run, files. `campaign` runs them in full.

Whatever is convicted is convicted by evaluation first (`accuse`); of how many the kernel has judged the very spend
besides, each outcome says.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from itertools import islice
from random import Random
from typing import Any

from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import build_sample
from prover.proof import Proof
from prover.prove import prove
from tests.bridge.chunks import SEED
from tests.bridge.mutations import READ, REFUSED, mutated
from tests.script.spends import tapscript_spend
from tests.whole import Whole, honest, whole
from verifier.bridge.chunks.accuse import accuse, hints_of
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import ChunkTree, Leaf
from verifier.bridge.game.bisect import Place
from verifier.bridge.game.dispute import Court, Outcome, disproof
from verifier.bridge.setup.workers import spread
from verifier.bridge.tree import Digits, depth, values_of
from verifier.chain.kernel import kernel_accepts
from verifier.pipeline import DEFAULT_PRESET, proving_key
from verifier.script.errors import ScriptError
from verifier.script.script import encode_number
from verifier.script.spend import verify_input
from verifier.script.winternitz import WinternitzKey, public_key, sign

PARTS = ("root", "statement", "constraints", "query 0", "query 77")
QUERIES = PARTS[3:]
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
    """A key's tree, an accepted proof and its run.

    Attributes:
        court: of the key.
        data: the proof's file.
        other: another batch's.
        replay: the run.
        shapes: a leaf of every shape.
    """

    court: Court
    data: bytes
    other: bytes
    replay: Replay
    shapes: Sequence[Leaf]

    @property
    def tree(self) -> ChunkTree:
        """Of the key."""
        return self.court.tree

    @cached_property
    def proof(self) -> Proof:
        """In memory."""
        return Proof.decode(self.data, self.court.key.layout)

    @cached_property
    def values(self) -> dict[str, Digits]:
        """Every wire's honest value."""
        found: dict[str, Digits] = {}
        for node in self.tree.nodes:
            found |= values_of(node, self.replay)
        return found

    @cached_property
    def readers(self) -> dict[str, list[Place]]:
        """Wire -> the leaves that check it."""
        found: dict[str, list[Place]] = {name: [] for name in self.values}
        for node, leaves in enumerate(self.tree.leaves):
            for number, leaf in enumerate(leaves):
                for name in self.tree.wire_names(leaf):
                    found[name].append((node, number))
        return found

    def names(self, part: str) -> list[str]:
        """The wires of a part: the root alone, every node on whose path a name stands, or "rest", all others."""
        return [
            wire.name
            for node in self.tree.nodes
            if part == _part(node.name.split("/"))
            for group in node.wires
            for wire in group
        ]

    def witness(self, leaf: Leaf, values: Mapping[str, Digits], hints: list[bytes]) -> list[bytes]:
        """What spends the leaf, or is refused by it; hints in the order in which the script takes them."""
        names = self.tree.wire_names(leaf)
        signed = [item for name in reversed(names) for item in signature(name, values[name])]
        return [*reversed(hints), *signed]

    def script(self, leaf: Leaf) -> bytes:
        """The leaf under the operator's keys."""
        return self.tree.shape(leaf).leaf(
            key(name, len(self.values[name])) for name in self.tree.wire_names(leaf)
        )


def _part(path: Sequence[str]) -> str:
    found = [part for part in PARTS[1:] if part in path]
    return found[0] if found else "rest" if len(path) > 1 else "root"


@lru_cache(8_000)
def signature(name: str, value: Digits) -> tuple[bytes, ...]:
    """The operator's of a value."""
    return sign(SEED, name.encode(), value)


@lru_cache(8_000)
def key(name: str, digits: int) -> WinternitzKey:
    """The operator's of a wire."""
    return public_key(SEED, name.encode(), digits)


@cache
def case(shape: str = "small") -> Case:
    """An honest batch, proven at a shape.

    Raises:
        RuntimeError: the replay finds fault with an honest proof.
    """
    proving = proving_key(DEFAULT_PRESET, shape)

    def proof_of(done: Whole) -> bytes:
        tables = done.witness.tables(shape)
        return prove(proving, tables, done.public_values, consume=True).encode()

    cells, batch = build_sample(5, 2)
    data, other = proof_of(honest()), proof_of(whole(Ledger.of_cells(cells), batch))
    court = Court(proving.verifying_key)
    proof = Proof.decode(data, court.key.layout)
    replay = Replay(court.tree, proof.words, proof.public_values)
    if replay.faults:
        raise RuntimeError(f"an honest proof is refused: {replay.faults[:3]}")
    return Case(court, data, other, replay, court.tree.uncompiled())


def corrupted(value: Digits, rng: Random) -> Digits:
    """A value with one digit changed."""
    digits = list(value)
    digits[rng.randrange(len(digits))] ^= rng.randrange(1, 16)
    return tuple(digits)


@dataclass
class Tally:
    """Of one attack.

    Attributes:
        tried: how many.
        on_kernel: of how many of them the kernel has judged the spend, besides the evaluation.
        survivors: what went wrong.
        opened: nodes that a dispute opened, at most.
        unread: files that are no proof.
        figures: for the reader.
    """

    tried: int = 0
    on_kernel: int = 0
    survivors: list[str] = field(default_factory=list)
    opened: int = 0
    unread: int = 0
    figures: str = ""

    def __iadd__(self, other: Tally) -> Tally:
        """Both."""
        self.tried += other.tried
        self.on_kernel += other.on_kernel
        self.survivors += other.survivors
        self.opened, self.unread = max(self.opened, other.opened), self.unread + other.unread
        return self


def spread_out(
    tasks: Sequence[Any], attack: Callable[[Any], Tally], processes: int, size: int = 250
) -> Tally:
    """The attack on each task, `size` of them at a time by a process that is free, added up."""

    def several(slice_: Sequence[Any]) -> Tally:
        total = Tally()
        for task in slice_:
            total += attack(task)
        return total

    total = Tally()
    for _, found in spread([tasks[at : at + size] for at in range(0, len(tasks), size)], several, processes):
        total += found
    return total


def sampled(items: Sequence[Any], count: int | None, rng: Random) -> list[Any]:
    """So many of them in their order, all if None."""
    if count is None or count >= len(items):
        return list(items)
    return [items[place] for place in sorted(rng.sample(range(len(items)), count))]


# Wires


def wires(
    it: Case, names: Sequence[str], rng: Random, kernel: int | None = None, processes: int = 1
) -> Tally:
    """Commits each wire wrong alone; so many are judged by the kernel too, all if None."""
    return wrong(it, [(name, corrupted(it.values[name], rng)) for name in names], rng, kernel, processes)


def public_values(it: Case, rng: Random, kernel: int | None = None, processes: int = 1) -> Tally:
    """Commits each public value wrong alone."""
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
    tally = wrong(it, changes, rng, kernel, processes)
    if len(changes) != length:
        tally.survivors.append(f"{len(changes)} of {length} public values are committed")
    return tally


def wrong(
    it: Case, changes: Sequence[tuple[str, Digits]], rng: Random, kernel: int | None, processes: int
) -> Tally:
    """Commits each of these values alone beside honest ones: some leaf that reads it must convict."""
    judged = set(sampled(range(len(changes)), kernel, rng))
    assert it.readers  # made before the processes part

    def attack(number: int) -> Tally:
        name, value = changes[number]
        values = ChainMap({name: value}, it.values)
        for node, place in it.readers[name]:
            leaf = it.tree.leaves[node][place]
            hints = accuse(it.tree, leaf, values)
            if hints is not None:
                break
        else:
            return Tally(1, 0, [name])
        if number not in judged:
            return Tally(1)
        items = it.witness(leaf, values, [encode_number(hint) for hint in hints])
        spends = kernel_accepts(tapscript_spend(it.script(leaf), items))
        return Tally(1, 1, [] if spends else [f"{name} (kernel)"])

    return spread_out(range(len(changes)), attack, processes)


# Honest runs


def honest_leaves(
    it: Case, rng: Random, count: int | None = None, kernel: int | None = None, processes: int = 1
) -> Tally:
    """Leaves of the honest run, all if no count is given, with their own hints: none may spend."""
    leaves = sampled([leaf for leaves in it.tree.leaves for leaf in leaves], count, rng)
    judged = set(sampled(range(len(leaves)), kernel, rng))
    assert it.values

    def attack(number: int) -> Tally:
        leaf = leaves[number]
        hints, convicts = hints_of(it.tree, leaf, it.values)
        name = it.tree.wire_names(leaf)[-1]
        if convicts or hints is None:
            return Tally(1, 0, [f"a leaf of {name}"])
        if number not in judged:
            return Tally(1)
        items = it.witness(leaf, it.values, [encode_number(hint) for hint in hints])
        spends = kernel_accepts(tapscript_spend(it.script(leaf), items))
        return Tally(1, 1, [f"a leaf of {name} (kernel)"] if spends else [])

    return spread_out(range(len(leaves)), attack, processes)


# Hints


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


def hint_sets(it: Case, rng: Random, count: int, a_leaf: int = 100, processes: int = 1) -> Tally:
    """Gives malformed hints to leaves of the honest run on the kernel, of as many shapes as the count allows."""
    hinted = (leaf for leaf in rng.sample(it.shapes, len(it.shapes)) if it.tree.shape(leaf).hints)
    chosen = list(islice(hinted, -(-count // a_leaf)))
    seed = rng.randrange(1 << 32)
    assert it.values

    def attack(number: int) -> Tally:
        leaf, own = chosen[number], Random(f"{seed} {number}")
        found, _ = hints_of(it.tree, leaf, it.values)
        honest = [encode_number(hint) for hint in found or ()]
        script = it.script(leaf)
        tally = Tally()
        verdict = verify_input(tapscript_spend(script, it.witness(leaf, it.values, honest)), 0)
        if verdict.error is not ScriptError.EVAL_FALSE:
            tally.survivors.append(f"honest hints give {verdict.error.name}")
        for _ in range(-(-count // len(chosen))):
            hints = malformed(honest, own)
            tally += Tally(1, 1)
            if kernel_accepts(tapscript_spend(script, it.witness(leaf, it.values, hints))):
                tally.survivors.append(f"{it.tree.wire_names(leaf)[-1]} {[hint.hex() for hint in hints]}")
        return tally

    total = spread_out(range(len(chosen)), attack, processes, size=1)
    total.figures = f"{len(chosen)} shapes of leaf"
    return total


# Files


def files(it: Case, rng: Random, count: int, kernel: int | None = None, processes: int = 1) -> Tally:
    """Mutated files of the proof, every kind in turn: each must end in a leaf that spends, or be no proof."""
    kinds = [*READ, *REFUSED]
    seed, judged = rng.randrange(1 << 32), set(sampled(range(count), kernel, rng))
    assert it.court.bisection(it.replay).convict() is None  # and the index of leaves is made

    def attack(number: int) -> Tally:
        kind = kinds[number % len(kinds)]
        name = f"{kind} {seed} {number}"
        data = mutated(kind, it.data, it.court.key.layout, it.other, Random(name))
        judgement = it.court.judge(data)
        tally = Tally(1)
        if kind in REFUSED:
            tally.unread = 1
            tally.survivors = [] if judgement.outcome is Outcome.NO_PROOF else [name]
            return tally
        conviction = judgement.conviction
        if conviction is None or len(conviction.opened) > depth(it.tree.nodes) + 1:
            return Tally(1, 0, [name])
        tally.opened = len(conviction.opened)
        if number in judged:
            tally.on_kernel = 1
            if not kernel_accepts(disproof(it.tree, conviction, SEED)):
                tally.survivors.append(f"{name} (kernel)")
        return tally

    total = spread_out(range(count), attack, processes, size=5)
    total.figures = (
        f"{len(kinds)} kinds, {total.unread} files are no proof, at most {total.opened} nodes opened"
    )
    return total
