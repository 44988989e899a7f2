"""The set-up of one slot on one machine: streamed, resumable, over any tree.

In order: shapes of leaves, one-time keys, every script made and hashed by the operator and again by each member,
the graph, the committee's signatures phase by phase. A script lives as long as its hash takes. Each step is cut
into runs of nodes, a run is written whole or not at all, and whoever starts again does what is not there yet.

The same seed gives the same keys, scripts and txids. Signatures differ each time: MuSig2's nonces are fresh.
"""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from verifier.bitcoin.encoding import Reader
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import SlotGraph
from verifier.bridge.game.moves import wire_label
from verifier.bridge.game.node_scripts import NodeScripts, node_scripts
from verifier.bridge.game.presign import (
    Phase,
    Request,
    Signatures,
    Slot,
    answer_requests,
    check_complete,
    parts,
    pay_requests,
    pegin_requests,
    protect_requests,
)
from verifier.bridge.game.store import Store
from verifier.bridge.game.vault import Deposit
from verifier.bridge.setup.committee import Batch, Member, Offer, sign_batch
from verifier.bridge.setup.key_book import KeyBook, num_links
from verifier.bridge.setup.workers import spread
from verifier.bridge.tree import Node, OpeningTree, runs
from verifier.script.winternitz import public_links

Run = tuple[int, int]
"""First and end of a run of nodes."""
Progress = Callable[[str, float], None]
Requests = Callable[[SlotGraph, Sequence[Node]], Iterator[Request]]

SHAPES_A_TASK: Final = 8
LINKS_A_RUN: Final = 60_000
LEAVES_A_RUN: Final = 1_000
SCRIPTS: Final = "scripts"
STAGES: Final = {"shapes": 0.06, "keys": 0.12, "scripts": 0.16, "graph": 0.06, "signatures": 0.6}
"""Their parts of the progress bar, about as long as they take."""


@dataclass(frozen=True, slots=True)
class Took:
    """What a stage took in this process and its workers.

    Attributes:
        seconds: on the clock.
        cpu_seconds: of all processors.
    """

    seconds: float
    cpu_seconds: float


@dataclass
class SlotSetup:
    """The parties of a slot and how far they are; every step may be called again.

    Attributes:
        slot: its name.
        tree: of the proof shape.
        book: where the operator publishes its one-time keys.
        operator: its store.
        members: the committee, in the order of its keys; None for one that does not answer.
        processes: that share the work.
        progress: called with a step's name and the share of everything that is done.
        took: by stage.
    """

    slot: str
    tree: OpeningTree
    book: KeyBook
    operator: Store
    members: Sequence[Member | None]
    processes: int = 1
    progress: Progress = lambda step, share: None
    took: dict[str, Took] = field(default_factory=dict)

    @property
    def nodes(self) -> Sequence[Node]:
        """Of the tree."""
        return self.tree.nodes

    @property
    def present(self) -> list[Member]:
        """The whole committee.

        Raises:
            BridgeError: OFFLINE where a member does not answer; whoever starts again when it does goes on from here.
        """
        missing = [position for position, member in enumerate(self.members) if member is None]
        if missing:
            raise BridgeError(
                BridgeReason.OFFLINE, f"members {missing}; nothing is locked, go on when they answer"
            )
        return [member for member in self.members if member is not None]

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Measures what is done inside, which reports its share."""
        begun, cpu = time.perf_counter(), cpu_seconds()
        first = sum(list(STAGES.values())[: list(STAGES).index(name)])
        self.progress(name, first)
        yield lambda share: self.progress(name, first + STAGES[name] * share)
        self.took[name] = Took(time.perf_counter() - begun, cpu_seconds() - cpu)

    def compile_shapes(self) -> None:
        """The scripts of a tree of chunks without their keys, in memory: a process that starts again does it again."""
        if isinstance(self.tree, ChunkTree):
            with self.stage("shapes") as report:
                compile_shapes(self.tree, self.processes, report)

    def make_keys(self, seed: bytes) -> None:
        """The operator publishes the one-time keys of all wires; those that are there already are its own.

        Raises:
            BridgeError: STATE where they are not: it could not answer with them, and would lose its stake.
        """
        stored = self.book.stored()

        def links(run: Run) -> list[tuple[int, bytes]]:
            rows = [(node.index, self._links(seed, node)) for node in self.nodes[slice(*run)]]
            for node, row in rows:
                if node in stored and self.book.node_links(node) != row:
                    raise BridgeError(
                        BridgeReason.STATE, f"{self.book.path}: keys of node {node} are not ours"
                    )
            return [(node, row) for node, row in rows if node not in stored]

        with self.stage("keys") as report:
            tasks = runs([num_links(node) for node in self.nodes], LINKS_A_RUN)
            for count, (_, rows) in enumerate(spread(tasks, links, self.processes)):
                self.book.put(rows)
                report((count + 1) / len(tasks))

    def _links(self, seed: bytes, node: Node) -> bytes:
        wires = [(wire_label(self.slot, w.name), w.digits) for group in node.wires for w in group]
        return public_links(seed, wires)

    def make_scripts(self) -> None:
        """The operator and every member make and hash every script, each for itself, from the published keys."""
        committee = self.present[0].committee

        def work(task: tuple[int, Run]) -> bytes:
            made = (
                node_scripts(self.tree, node, self.book, committee) for node in self.nodes[slice(*task[1])]
            )
            return b"".join(scripts.serialize() for scripts in made)

        with self.stage("scripts") as report:
            stores = [self.operator, *(member.store for member in self.present)]
            all_runs = runs([1 + node.num_leaves for node in self.nodes], LEAVES_A_RUN)
            tasks = []
            for who, store in enumerate(stores):
                kept = store.metas(self._scripts_key())
                tasks += [(who, run) for run in all_runs if self._scripts_key(run) not in kept]
            for count, ((who, run), data) in enumerate(spread(tasks, work, self.processes)):
                stores[who].put_meta(self._scripts_key(run), data)
                report((count + 1) / len(tasks))

    def _scripts_key(self, run: Run | None = None) -> str:
        return f"{SCRIPTS} {self.slot} " + ("" if run is None else f"{run[0]:06}-{run[1]:06}")

    def scripts_of(self, store: Store) -> list[NodeScripts]:
        """What somebody has made of every node.

        Raises:
            BridgeError: STATE where a run is missing.
        """
        return read_scripts(store, self.slot, len(self.nodes))

    def adopt(self, offer: Offer, graph: SlotGraph) -> None:
        """Every member checks the offer against its own scripts."""
        for member in self.present:
            member.adopt(offer, self.scripts_of(member.store), graph)

    def sign(self, graph: SlotGraph, phase: Phase, done: float, of: float) -> None:
        """The committee signs what is not signed yet of a phase; each member verifies and keeps it before the next.

        Args:
            graph: adopted.
            phase: PROTECT or ANSWER.
            done: share of the signatures before this phase.
            of: share of this one.
        """

        def work(run: Run) -> int:
            return len(sign_batch(self.members, Batch(phase, self.slot, nodes=run)))

        kept = [member.accepted(self.slot, phase) for member in self.present]
        everywhere = set.intersection(*kept)
        tasks = [run for run in parts(graph, phase) if not everywhere.issuperset(range(*run))]
        for count, _ in enumerate(spread(tasks, work, self.processes)):
            share = done + of * (count + 1) / len(tasks)
            self.progress(f"signatures, {phase.name.lower()}", 1 - STAGES["signatures"] * (1 - share))

    def sign_all(self, graph: SlotGraph, deposits: Sequence[Deposit]) -> dict[Slot, bytes]:
        """Every signature, in the order of rule 3; what any member then serves.

        Raises:
            BridgeError: ORDER, SIGNATURE where what is served does not hold (`check_served`).
        """
        with self.stage("signatures"):
            self.sign(graph, Phase.PROTECT, 0.0, 0.75)
            self.sign(graph, Phase.ANSWER, 0.75, 0.25)
            for deposit in deposits:
                sign_batch(self.members, Batch(Phase.PAY, self.slot, deposit))
            served = self.present[0].store.signatures(self.slot)
            self.check_served(graph, deposits, served)
        return served

    def check_served(self, graph: SlotGraph, deposits: Sequence[Deposit], served: Signatures) -> None:
        """What operator and watchers do with signatures before they rely on them: a member that serves may be false.

        With a bad one the operator could not answer and would lose its stake, or a watcher would have no penalty.

        Raises:
            BridgeError: ORDER, SIGNATURE where one is missing or does not hold.
        """
        committee = graph.terms.committee
        for phase, requests in ((Phase.PROTECT, protect_requests), (Phase.ANSWER, answer_requests)):

            def verify(run: Run, phase: Phase = phase, requests: Requests = requests) -> None:
                asked = requests(graph, graph.nodes[slice(*run)])
                check_complete(asked, served, committee, f"served, {phase.name}")

            for _ in spread(parts(graph, phase), verify, self.processes):
                pass
        for deposit in deposits:
            asked = [*pay_requests(graph, deposit.vault), *pegin_requests(deposit)]
            check_complete(iter(asked), served, committee, f"served, {deposit.name}")


def compile_shapes(
    tree: ChunkTree, processes: int = 1, report: Callable[[float], None] = lambda share: None
) -> None:
    """Compiles what is not compiled yet of a tree's shapes.

    Args:
        tree: that gets them.
        processes: that share the work.
        report: called with the share done.
    """
    new = tree.uncompiled()
    tasks = [new[at : at + SHAPES_A_TASK] for at in range(0, len(new), SHAPES_A_TASK)]
    done = spread(tasks, lambda task: [tree.shape(leaf) for leaf in task], processes)
    for count, (task, shapes) in enumerate(done):
        for leaf, shape in zip(task, shapes, strict=True):
            tree.keep(leaf, shape)
        report((count + 1) / len(tasks))


def read_scripts(store: Store, slot: str, num_nodes: int) -> list[NodeScripts]:
    """The hashes that somebody keeps of every node's scripts.

    Raises:
        BridgeError: STATE where they are not complete.
    """
    found: list[NodeScripts] = []
    head = f"{SCRIPTS} {slot} "
    for key, data in sorted(store.metas(head).items()):
        first, _, end = key[len(head) :].partition("-")
        if not (first.isdigit() and end.isdigit()):
            continue  # of a slot whose name begins as this one's
        if int(first) == len(found):
            reader = Reader(data)
            found += [NodeScripts.read(reader) for _ in range(int(first), int(end))]
            reader.finish()
    if len(found) != num_nodes:
        raise BridgeError(BridgeReason.STATE, f"scripts of {len(found)} nodes instead of {num_nodes}")
    return found


def identity(tree: OpeningTree, *parts: bytes) -> bytes:
    """What a set-up was begun with: it goes on with nothing else.

    Args:
        tree: its nodes, and the shapes of its leaves as far as they are compiled.
        parts: names and public keys.
    """
    hasher = hashlib.sha256()
    for part in (*parts, *(repr(node).encode() for node in tree.nodes)):
        hasher.update(hashlib.sha256(part).digest())
    if isinstance(tree, ChunkTree):
        for shape in tree.compiled():
            hasher.update(hashlib.sha256(shape.code).digest())
    return hasher.digest()


def cpu_seconds() -> float:
    """What this process and its workers that have ended took of all processors."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)
