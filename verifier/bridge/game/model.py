"""Explores the game: every interleaving of what the templates allow, against the decisions of the real roles.

A state is which templates are confirmed, and when. What may happen next comes from the templates (coins, relative
locks, what conflicts) and what the honest party wants from `Operator.due` and `Watcher.due`, run on the state as
if it were a chain: no rule is written twice. The adversary has everything else: it moves when and as it likes,
orders blocks, holds the honest party's transactions back for up to `lateness` blocks, and undoes blocks.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, cast

from verifier.bitcoin.keys import xonly_key
from verifier.bitcoin.taproot import NUMS_KEY, taproot_output
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.game.graph import ROOT, SlotGraph, Terms, commitment_coin
from verifier.bridge.game.moves import Moves
from verifier.bridge.game.params import Amounts, Margins, Windows
from verifier.bridge.game.roles import Guide, Operator, Watcher, open_nothing, open_towards
from verifier.bridge.game.template import Coin, Template
from verifier.bridge.game.view import SlotView
from verifier.bridge.tree import Node, Spend, Wire
from verifier.chain.chain import Chain, Seen, Tip
from verifier.script.winternitz import WinternitzKey, public_key

TAKES: Final = ("take1", "take2")
PENALTIES: Final = ("assert_timeout", "open_timeout", "disprove")
OPERATORS: Final = ("assert", "reveal", "close", *TAKES)


@dataclass(frozen=True)
class ModelTree:
    """A complete tree of nodes with a one-digit wire and a leaf each.

    Attributes:
        fanout: children of every inner node.
        depth: levels below the root.
    """

    fanout: int
    depth: int

    @cached_property
    def nodes(self) -> Sequence[Node]:
        """Breadth first."""
        levels = [[-1]]
        made: list[Node] = []
        for level in range(self.depth + 1):
            here = []
            for parent in levels[-1]:
                for _ in range(self.fanout if level else 1):
                    index = len(made)
                    made.append(Node(index, f"node {index}", parent, (), ((Wire(f"wire {index}", 1),),), 1))
                    here.append(index)
                    if parent >= 0:
                        above = made[parent]
                        made[parent] = replace(above, children=(*above.children, index))
            levels.append(here)
        return made

    @property
    def claim(self) -> Wire:
        """The root's wire."""
        return self.nodes[0].wires[0][0]

    def leaf(self, node: int, number: int, keys: Mapping[str, WinternitzKey]) -> bytes:
        """Nothing: the model decides what convicts."""
        return b"\x51"

    def leaf_bytes(self, node: int, number: int) -> int:
        """Of `leaf`."""
        return 1


def model_graph(tree: ModelTree, windows: Windows, margins: Margins) -> tuple[SlotGraph, Coin]:
    """The real graph at small windows, and a vault."""
    keys = {w.name: public_key(bytes(32), w.name.encode(), 1) for n in tree.nodes for g in n.wires for w in g}
    key = xonly_key(b"\1" * 32)
    funding, pot = OutPoint(b"\1" * 32, 0), taproot_output(key).script
    terms = Terms("model", NUMS_KEY, key, funding, pot, windows, Amounts())
    vault = Coin("vault", OutPoint(b"\2" * 32, 0), 10_000_000, taproot_output(NUMS_KEY))
    return SlotGraph(terms, tree, keys, margins), vault


@dataclass(frozen=True, slots=True)
class Rules:
    """What the adversary may do.

    Attributes:
        lateness: blocks for which it holds back an honest transaction.
        moves: transactions of its choice in one block, at most.
        reorgs: how often it undoes blocks.
        depth: how many blocks at once.
    """

    lateness: int = 1
    moves: int = 2
    reorgs: int = 0
    depth: int = 2


@dataclass(frozen=True, slots=True)
class State:
    """A chain.

    Attributes:
        tip: height.
        confirmed: template name and height, sorted.
        waited: honest transactions that were due before, and for how many blocks they were held back.
        reorgs: that are left.
    """

    tip: int
    confirmed: tuple[tuple[str, int], ...]
    waited: tuple[tuple[str, int], ...]
    reorgs: int


class Violation(AssertionError):
    """A property does not hold; the message has the story."""


@dataclass
class Model:
    """One question to the graph.

    Attributes:
        graph: at small windows.
        vault: what is taken.
        rules: of the adversary.
        fault: the node whose wires are false; None where the operator is the honest party.
        guide: how the honest watcher opens.
    """

    graph: SlotGraph
    vault: Coin
    rules: Rules
    fault: int | None = None
    guide: Guide = open_nothing
    states: int = 0
    ends: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = {template.name: template for template in self.graph.templates()}
        takes = (self.graph.take1(self.vault), self.graph.take2(self.vault))
        self.templates: dict[str, Template] = made | {template.name: template for template in takes}
        self.inputs = {n: frozenset(i.coin.outpoint for i in t.inputs) for n, t in self.templates.items()}
        self.by_txid = {template.tx.txid: name for name, template in self.templates.items()}
        moves = Moves(self.graph, {})
        if self.fault is None:
            self._role: Operator | Watcher = Operator(
                cast(Any, None), moves, b"", b"", self.vault, Margins(lateness=self.rules.lateness + 1)
            )
        else:
            self._role = _ModelWatcher(
                *(cast(Any, None), moves, cast(Any, None), cast(Any, None), b"", True, self.guide)
            )
            self._role.fault = self.fault
        longest: dict[OutPoint, int] = {}
        for template in self.templates.values():
            for each in template.inputs:
                point = each.coin.outpoint
                longest[point] = max(longest.get(point, 0), each.csv)
        self._aging = [
            (name, coin.outpoint, longest[coin.outpoint])
            for name, coin in self.graph.coins.items()
            if coin.outpoint in longest
        ]
        self._first = [self.graph.coins[commitment_coin(n.index, 0)].outpoint for n in self.graph.nodes]

    @property
    def start(self) -> State:
        """The kickoff is buried."""
        return State(1, (("kickoff", 1),), (), self.rules.reorgs)

    def successors(self, state: State) -> Iterator[State]:
        """What the next block may be."""
        chain = _ModelChain(self, state)
        due = [name for name in self._role.due(cast(Chain, chain)) if self._ripe(chain, name)]
        waited = dict(state.waited)
        forced: list[str] = []
        for name in due:
            if waited.get(name, 0) >= self.rules.lateness and self._compatible((*forced, name)):
                forced.append(name)
        optional = [name for name in due if name not in forced]
        free = [*optional, *(n for n in self._adversary(chain) if n not in due)]
        for count in range(self.rules.moves + 1):
            for chosen in itertools.combinations(free, count):
                block = self._compatible((*forced, *chosen))
                if block is not None:
                    yield self._extend(state, block, due)
        if state.reorgs:
            for depth in range(1, self.rules.depth + 1):
                kept = tuple(
                    (name, height) for name, height in state.confirmed if height <= state.tip - depth
                )
                if kept != state.confirmed and ("kickoff", 1) in kept:
                    yield State(state.tip + 1, kept, (), state.reorgs - 1)

    def _extend(self, state: State, block: Sequence[str], due: Sequence[str]) -> State:
        waited = dict(state.waited)
        late = tuple(sorted((name, waited.get(name, 0) + 1) for name in due if name not in block))
        confirmed = tuple(sorted((*state.confirmed, *((name, state.tip + 1) for name in block))))
        return State(state.tip + 1, confirmed, late, state.reorgs)

    def _compatible(self, names: Sequence[str]) -> tuple[str, ...] | None:
        """The names, if no two spend the same coin."""
        used: set[OutPoint] = set()
        for name in names:
            if used & self.inputs[name]:
                return None
            used |= self.inputs[name]
        return tuple(names)

    def _adversary(self, chain: _ModelChain) -> list[str]:
        return [
            name
            for name, template in self.templates.items()
            if (self.fault is not None or template.kind not in OPERATORS)
            and (template.kind != "disprove" or self._convicts(name))
            and self._ripe(chain, name)
        ]

    def _convicts(self, name: str) -> bool:
        return self.fault is not None and name == f"disprove/{self.fault}"

    def _ripe(self, chain: _ModelChain, name: str) -> bool:
        return all(
            chain.spender(each.coin.outpoint) is None
            and (born := chain.born(each.coin.outpoint)) is not None
            and chain.tip.height + 1 - born >= each.csv
            for each in self.templates[name].inputs
        )

    def outcome(self, state: State) -> str:
        """How a game ended, if it did."""
        kinds = {self.templates[name].kind for name, _ in state.confirmed}
        paid, penalised = kinds & set(TAKES), kinds & set(PENALTIES)
        if paid and penalised:
            raise Violation(f"paid and penalised: {state}")
        return "paid" if paid else "penalised" if penalised else ""

    def check(self, state: State) -> str:
        """The properties of a state; its outcome.

        Raises:
            Violation: one does not hold.
        """
        outcome = self.outcome(state)
        wrong = "penalised" if self.fault is None else "paid"
        if outcome == wrong:
            raise Violation(
                f"{'honest operator' if self.fault is None else 'false proof'} is {wrong}: {state}"
            )
        if not outcome:
            chain = _ModelChain(self, state)
            takes = [name for name in self.templates if name.startswith("take2") and self._ripe(chain, name)]
            if takes:
                ripe = [name for name in self._penalties() if self._ripe(chain, name)]
                if ripe:
                    raise Violation(f"{takes} and {ripe} are both possible: {state}")
        return outcome

    def _penalties(self) -> list[str]:
        return [n for n, t in self.templates.items() if t.kind in PENALTIES[:2] or self._convicts(n)]

    @property
    def horizon(self) -> int:
        """No game of this graph lasts longer."""
        windows = self.graph.terms.windows
        return windows.assert_timeout + windows.take2 + 8 * (self.rules.lateness + self.rules.reorgs * 3 + 1)

    def _key(self, state: State) -> Any:
        """What of a state matters: ages of unspent coins up to their locks, and blocks that can be undone.

        Whether a node was opened is of no matter once it is closed or revealed.
        """
        chain = _ModelChain(self, state)
        ages = []
        for name, point, cap in self._aging:
            born = chain.born(point)
            if born is not None and chain.spender(point) is None:
                ages.append((name, min(state.tip - born, cap)))
        over = {f"open/{n.index}" for n in self.graph.nodes if chain.spender(self._first[n.index])}
        names = frozenset(name for name, _ in state.confirmed if name not in over)
        recent: tuple[tuple[str, int], ...] = ()
        if state.reorgs:
            recent = tuple((n, state.tip - h) for n, h in state.confirmed if h > state.tip - self.rules.depth)
        return names, tuple(ages), state.waited, state.reorgs, recent

    def exhaust(self, limit: int = 10**7) -> None:
        """Every state that can be reached.

        Raises:
            Violation: a property does not hold in one, or a game does not end.
        """
        seen = {self._key(self.start)}
        stack = [self.start]
        while stack:
            state = stack.pop()
            self.states += 1
            if self.states > limit:
                raise Violation(f"more than {limit} states")
            outcome = self.check(state)
            if outcome:
                self.ends[outcome] = self.ends.get(outcome, 0) + 1
                if not state.reorgs:
                    continue
            elif state.tip > self.horizon:
                raise Violation(f"no end: {state}")
            for following in self.successors(state):
                if outcome and following.reorgs == state.reorgs:
                    continue
                key = self._key(following)
                if key not in seen:
                    seen.add(key)
                    stack.append(following)

    def walk(self, rng: random.Random) -> str:
        """One random game to its end."""
        state = self.start
        while True:
            self.states += 1
            outcome = self.check(state)
            if outcome and (not state.reorgs or rng.random() < 0.5):
                self.ends[outcome] = self.ends.get(outcome, 0) + 1
                return outcome
            if state.tip > self.horizon:
                raise Violation(f"no end: {state}")
            options = list(self.successors(state))
            if outcome:
                options = [s for s in options if s.reorgs < state.reorgs]
                if not options:
                    return outcome
            state = rng.choice(options)


class _ModelChain:
    """A state with the part of `Chain` that roles look at."""

    def __init__(self, model: Model, state: State) -> None:
        self._model = model
        self._heights = dict(state.confirmed)
        self.tip = Tip(state.tip, b"")
        self._spenders = {point: name for name in self._heights for point in model.inputs[name]}

    def born(self, point: OutPoint) -> int | None:
        """Height of an output's transaction; a vault was there before the game."""
        if point == self._model.vault.outpoint:
            return 0
        name = self._model.by_txid.get(point.txid)
        return None if name is None else self._heights.get(name)

    def transaction(self, txid: bytes) -> Seen | None:
        """A confirmed template."""
        name = self._model.by_txid.get(txid)
        if name is None or name not in self._heights:
            return None
        return Seen(self._model.templates[name].tx, self._heights[name])

    def spender(self, point: OutPoint) -> Seen | None:
        """The confirmed template that spends an output."""
        name = self._spenders.get(point)
        return None if name is None else Seen(self._model.templates[name].tx, self._heights[name])


class _ModelWatcher(Watcher):
    """Its accuser convicts the false node, once it is revealed."""

    fault: int = ROOT

    def due(self, chain: Chain) -> list[str]:
        """A disproof alone where there is one: here mempools take it, so `Watcher.step` sends nothing else."""
        due = super().due(chain)
        return [name for name in due if name.startswith("disprove/")] or due

    def _accuse(self, view: SlotView, node: int) -> Spend | None:
        return Spend(0, ()) if node == self.fault else None


def questions(
    tree: ModelTree, windows: Windows, margins: Margins, rules: Rules
) -> Iterator[tuple[str, Model]]:
    """An honest operator against everybody; a false proof, by the place of its fault, against one watcher."""
    graph, vault = model_graph(tree, windows, margins)
    yield "honest operator", Model(graph, vault, rules)
    for node in tree.nodes:
        if not any(node.index > other.index and other.parent == node.parent for other in tree.nodes):
            yield (
                f"false at level {graph.level(node.index)}",
                Model(*(graph, vault, rules, node.index, open_towards(node.index))),
            )
