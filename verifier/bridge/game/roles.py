"""Operator and watcher: each step reads the chain and sends what is due; nothing else is remembered.

A role that is killed and started again, or that meets a reorg, only takes its next step: what it needs to
know is on the chain, and what it must not forget (committed wires, signatures that it saw) is in its store.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction
from verifier.bridge.chunks.chunk import ChunkError
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import ROOT, commitment_coin
from verifier.bridge.game.moves import Moves, wire_label
from verifier.bridge.game.params import MARGINS, Margins
from verifier.bridge.game.store import Store
from verifier.bridge.game.template import Coin
from verifier.bridge.game.view import SlotView
from verifier.bridge.tree import Accuser, Digits, Execution, Spend, values_of
from verifier.chain.chain import Chain, ChainError, Refused
from verifier.chain.fees import spending_of
from verifier.chain.rivals import Rival, fee_over
from verifier.chain.wallet import InsufficientFunds, Wallet
from verifier.script.winternitz import plain, read, sign

OPERATOR_FEE_RATE: Final = 1
WATCHER_FEE_RATE: Final = 2
MAX_VERSIONS: Final = 64
"""Combinations of a node's wire signatures that a watcher tries after those that change one wire alone; of the leaves
that convict a node as many are sent in one step, while they are refused."""
Signature = tuple[bytes, ...]

_NOTHING: Final = Spending(Transaction(2, (), ()), ())


@dataclass(frozen=True, slots=True)
class Sent:
    """What a step sent, and what the chain said.

    Attributes:
        name: of the move; "bump" and a move's name is the child that lifts it.
        spending: nothing where it could not be made.
        refusal: why it does not wait in the mempool; None where it does.
        missing: satoshis that the purse lacks for it: once they are there, the same step again sends it.
    """

    name: str
    spending: Spending
    refusal: str | None = None
    missing: int = 0


def _send(chain: Chain, name: str, spending: Spending) -> Sent:
    try:
        chain.submit(spending.tx)
    except Refused as refusal:
        return Sent(name, spending, str(refusal.reason))
    return Sent(name, spending)


def _unsent(name: str, why: Exception) -> Sent:
    """A move that could not be made."""
    missing = why.needed - why.available if isinstance(why, InsufficientFunds) else 0
    return Sent(name, _NOTHING, str(why), missing)


def all_wires(moves: Moves, execution: Execution) -> dict[str, Digits]:
    """Every wire of an execution by its name."""
    out: dict[str, Digits] = {}
    for node in moves.graph.nodes:
        out |= values_of(node, execution)
    return out


@dataclass
class Operator:
    """The operator of one slot.

    Attributes:
        store: committed wires live here before their first signature.
        moves: graph and the committee's signatures.
        secret: O.
        seed: of the one-time keys.
        vault: which it takes.
        margins: how early it stops waiting.
        wallet: pays for children of its transactions; knows the key of their anchors.
        fee_rate: sat/vB; above what the transactions pay themselves, each gets a child.
    """

    store: Store
    moves: Moves
    secret: bytes
    seed: bytes
    vault: Coin
    margins: Margins = MARGINS
    wallet: Wallet | None = None
    fee_rate: int = OPERATOR_FEE_RATE

    @property
    def _slot(self) -> str:
        return self.moves.graph.terms.slot

    def commit(self, execution: Execution) -> None:
        """Makes the wires of a proof durable; from now on no other proof can be asserted.

        Raises:
            BridgeError: EQUIVOCATION.
        """
        self.store.commit_wires(self._slot, all_wires(self.moves, execution))

    def announce(self) -> tuple[bytes, ...]:
        """The signature of the claim, published with the proof: what the kickoff stands for.

        The root signs the same wire. Whoever announces one statement and asserts another has signed two values with
        one key, and each leaf that reads the claim takes either.

        Raises:
            BridgeError: ORDER where the wires are not durable.
        """
        name = self.moves.graph.tree.claim.name
        wires = self.store.wires(self._slot)
        if name not in wires:
            raise BridgeError(BridgeReason.ORDER, "the claim is not durable")
        return sign(self.seed, wire_label(self._slot, name), wires[name])

    def kickoff(self, chain: Chain) -> Sent:
        """Starts the game; the wires must be durable.

        Raises:
            BridgeError: ORDER where they are not, or a signature is missing that an answer will need.
        """
        wires = self.store.wires(self._slot)
        for node in self.moves.graph.nodes:
            if any(wire.name not in wires for group in node.wires for wire in group):
                raise BridgeError(BridgeReason.ORDER, f"the wires of {node.name} are not durable")
            self.moves.check_answers(node.index)
        return _send(chain, "kickoff", self.moves.kickoff(self.secret))

    def due(self, chain: Chain) -> list[str]:
        """The moves that the chain asks for now, by template name; empty before the kickoff and at the end."""
        view, windows = SlotView(chain, self.moves.graph), self.moves.graph.terms.windows
        if view.unspent("K2") and view.unspent("K1.0"):
            if view.spent("K0") or view.age("K1.0") >= windows.assert_timeout - self.margins.lateness:
                return ["assert"]
            return [f"take1/{self.vault.name}"] if view.age("K0") >= windows.take1 else []
        if not view.unspent("S"):
            return []
        pending = view.pending()
        out = []
        for node in pending:
            age = view.age(commitment_coin(node, 0))
            if view.spent(f"C{node}") or age >= windows.reveal_timeout - self.margins.lateness:
                out.append(f"reveal/{node}")
            elif age >= windows.close:
                out.append(f"close/{node}")
        if not pending and view.age("S") >= windows.take2:
            out.append(f"take2/{self.vault.name}")
        return out

    def step(self, chain: Chain) -> list[Sent]:
        """Sends what is due, with a child where the fee of set-up's day is not enough today.

        One move that cannot be made, or that the purse cannot lift, keeps no other back.
        """
        sent = []
        for name in self.due(chain):
            try:
                sent.append(self.send(chain, name))
            except BridgeError as error:
                sent.append(_unsent(name, error))
                continue
            sent += self.lift(chain, sent[-1])
        return sent

    def lift(self, chain: Chain, sent: Sent) -> list[Sent]:
        """A child that lifts what was sent to the rate; none where it is there already, or does not wait.

        What it lifts is sent, whatever becomes of the child: one that the purse cannot pay is made at a later step.
        """
        if self.wallet is None or self.fee_rate <= 1:
            return []
        tx = sent.spending.tx
        seen = chain.transaction(tx.txid)
        if seen is None or seen.height is not None or Rival.of(chain, tx).rate >= self.fee_rate:
            return []
        try:
            child = self.wallet.bump(tx, len(tx.outputs) - 1, 1000 * self.fee_rate)
        except InsufficientFunds as error:
            return [_unsent(f"bump {sent.name}", error)]
        return [_send(chain, f"bump {sent.name}", spending_of(chain, child))]

    def send(self, chain: Chain, name: str) -> Sent:
        """Sends one move by its template's name."""
        return _send(chain, name, self.sign(name))

    def sign(self, name: str) -> Spending:
        """A move by its template's name; the same bytes every time."""
        kind, _, rest = name.partition("/")
        if kind in ("take1", "take2"):
            return self.moves.take(kind, self.vault)
        if kind == "close":
            return self.moves.close(int(rest), self.secret)
        node = int(rest or ROOT)
        names = [wire.name for group in self.moves.graph.nodes[node].wires for wire in group]
        return self.moves.commit(node, self.seed, self.store.wires(self._slot, names))


def _combinations(versions: Sequence[Sequence[Signature]]) -> Iterator[tuple[Signature, ...]]:
    """One signature of each wire: first of each, then one wire after the other changed alone, then some of all.

    Where the first ones convict nobody, another value of a wire does in the leaf that makes the wire, alone: so the
    number to try grows with the number of signatures, however many wires an operator has signed twice.
    """
    if not all(versions):
        return
    first = tuple(each[0] for each in versions)
    yield first
    for place, each in enumerate(versions):
        yield from ((*first[:place], other, *first[place + 1 :]) for other in each[1:])
    yield from itertools.islice(itertools.product(*versions), MAX_VERSIONS)


Guide = Callable[[SlotView, int], Sequence[int]]
"""Which children of a revealed node to open: by bisection with the data, at random without."""


def open_nothing(view: SlotView, node: int) -> Sequence[int]:
    """The guide of a watcher who finds the proof true."""
    return ()


def open_towards(fault: int) -> Guide:
    """Bisection: the path to the node that the data show to be wrong."""

    def guide(view: SlotView, node: int) -> Sequence[int]:
        path = view.graph.ancestry(fault)
        return [child for child in view.graph.nodes[node].children if child in path]

    return guide


def open_at_random(rng: random.Random) -> Guide:
    """Without data: one child of each node, the same one at every step."""
    chosen: dict[int, Sequence[int]] = {}

    def guide(view: SlotView, node: int) -> Sequence[int]:
        children = view.graph.nodes[node].children
        return chosen.setdefault(node, [rng.choice(children)] if children else [])

    return guide


@dataclass
class Watcher:
    """Anybody who watches a slot: challenges, opens, times out, disproves.

    Attributes:
        store: signatures of wires that were seen, also in blocks that are gone.
        moves: graph and the signatures of all penalties.
        accuser: finds the leaf that convicts.
        wallet: pays for the challenge and openings.
        reward: scriptPubKey for what the stake holds beyond penalty and fee.
        challenge: whether it finds the claim false, or cannot see the proof.
        claim: of the statement that it finds true; a kickoff that nobody announced as this is challenged.
        guide: which nodes it opens.
        fee_rate: sat/vB.
        innocent: nodes with signatures that no leaf convicts: not looked at again.
        kept: nodes with the transactions that revealed them, whose signatures are in the store: not read again.
    """

    store: Store
    moves: Moves
    accuser: Accuser
    wallet: Wallet
    reward: bytes
    challenge: bool = False
    guide: Guide = open_nothing
    fee_rate: int = WATCHER_FEE_RATE
    claim: Digits | None = None
    innocent: set[tuple[int, tuple[tuple[bytes, ...], ...]]] = field(default_factory=set, repr=False)
    kept: set[tuple[int, Transaction]] = field(default_factory=set, repr=False)

    def hear(self, announcement: tuple[bytes, ...]) -> None:
        """Keeps what the operator announces: it convicts beside whatever the root commits.

        Raises:
            BridgeError: SIGNATURE where it is not of the slot's claim.
        """
        graph = self.moves.graph
        name = graph.tree.claim.name
        value = read(graph.keys[name], announcement)
        if value is None:
            raise BridgeError(BridgeReason.SIGNATURE, "the announced claim")
        values = {read(graph.keys[name], each) for each in self.store.seen(graph.terms.slot).get(name, [])}
        if len(values) < 2:  # two that differ are all that is needed
            self.store.see(graph.terms.slot, {name: plain(announcement)})

    @property
    def doubts(self) -> bool:
        """Whether the kickoff is to be challenged: told so, or what was announced is not the statement known."""
        if self.challenge or self.claim is None:
            return self.challenge
        graph = self.moves.graph
        name = graph.tree.claim.name
        heard = self.store.seen(graph.terms.slot).get(name, [])
        return not heard or any(read(graph.keys[name], each) != self.claim for each in heard)

    def due(self, chain: Chain) -> list[str]:
        """The moves that the chain asks for now, the surest first: nothing that the operator can do escapes a disproof.

        Penalties spend one stake, so a mempool takes only the first of them; the others stay due, each since its own
        height, and an opening never waits for a penalty that the operator may still escape.
        """
        view, windows = SlotView(chain, self.moves.graph), self.moves.graph.terms.windows
        if view.unspent("K2") and view.unspent("K1.0"):
            if view.age("K1.0") >= windows.assert_timeout:
                return ["assert_timeout"]
            return ["challenge"] if self.doubts and view.unspent("K0") else []
        if not view.unspent("S"):
            return []
        revealed, pending = view.revealed(), view.pending()
        false = [
            node
            for node in revealed
            if view.graph.nodes[node].num_leaves and view.unspent(f"D{node}") and self._accuse(view, node)
        ]
        silent = [n for n in pending if view.age(commitment_coin(n, 0)) >= windows.reveal_timeout]
        wanted = {child for node in revealed for child in self.guide(view, node)}
        closed = [child for child in pending if child in wanted and view.unspent(f"C{child}")]
        return [
            *(f"disprove/{node}" for node in false),
            *(f"open_timeout/{node}" for node in silent),
            *(f"open/{node}" for node in closed),
        ]

    def step(self, chain: Chain) -> list[Sent]:
        """Sends what is due; an empty purse stops what the purse pays, never a penalty.

        A disproof that waits for a miner makes the rest needless. Where all that convict are refused, or none of their
        leaves can be made, they keep nothing back, and stay due.
        """
        view, due = SlotView(chain, self.moves.graph), self.due(chain)
        disproofs = [name for name in due if name.startswith("disprove/")]
        sent = self._send_all(view, disproofs)
        if not any(self._stands(view, name) for name in disproofs):
            sent += self._send_all(view, [name for name in due if name not in disproofs])
        return sent

    def _send_all(self, view: SlotView, names: Sequence[str]) -> list[Sent]:
        """Sends moves; one that cannot be made keeps no other back."""
        sent = []
        for name in names:
            try:
                if not self._waits(view, name):
                    sent.append(self.send(view.chain, name))
            except (ChainError, BridgeError, ChunkError) as error:
                sent.append(_unsent(name, error))
        return sent

    def send_all(self, chain: Chain, names: Sequence[str]) -> list[Sent]:
        """Sends moves, but for challenges and openings that are there already; what the purse cannot pay is left."""
        return self._send_all(SlotView(chain, self.moves.graph), names)

    def _stands(self, view: SlotView, disproof: str) -> bool:
        """Whether a disproof of the node, ours or another's, waits at a rate that a miner takes."""
        found = view.chain.spender(view.graph.coins[f"D{disproof.partition('/')[2]}"].outpoint)
        if found is None or found.height is not None:
            return False
        return Rival.of(view.chain, found.tx).rate >= self.fee_rate

    def send(self, chain: Chain, name: str) -> Sent:
        """Sends one move by its template's name."""
        view = SlotView(chain, self.moves.graph)
        kind, _, node = name.partition("/")
        if kind == "disprove":
            return self._send_disproof(view, int(node))
        return _send(chain, name, self._sign(view, name))

    def _send_disproof(self, view: SlotView, node: int) -> Sent:
        """Sends a disproof of a node; where one is refused, or its leaf cannot be made, by the next leaf that convicts.

        Raises:
            BridgeError: NO_FAULT where there is none.
        """
        name, first = f"disprove/{node}", None
        for spend in itertools.islice(self._disproofs(view, node), MAX_VERSIONS):
            try:
                sent = _send(view.chain, name, self._sign_disproof(view, node, spend))
            except (BridgeError, ChunkError) as error:
                sent = _unsent(name, error)
            if sent.refusal is None:
                return sent
            first = first or sent
        if first is None:
            raise BridgeError(BridgeReason.NO_FAULT, name)
        return first

    def _rivals(self, view: SlotView, name: str) -> list[Rival]:
        """What spends a move's coins in the mempool."""
        coins = [each.coin.outpoint for each in self.moves.graph.template(name).inputs]
        seen = [found for coin in coins if (found := view.chain.spender(coin)) is not None]
        waiting = {found.tx.txid: found.tx for found in seen if found.height is None}
        return [Rival.of(view.chain, tx) for tx in waiting.values()]

    def _waits(self, view: SlotView, name: str) -> bool:
        """Whether what a challenge or opening spends is spent in the mempool, at a rate like ours or more."""
        paid = name.partition("/")[0] in ("challenge", "open")
        return paid and any(rival.rate >= self.fee_rate for rival in self._rivals(view, name))

    def _sign(self, view: SlotView, name: str) -> Spending:
        """A move at our rate, or above it where a rival must be pushed out.

        A rival that no miner takes at our rate keeps ours out for as long as it waits, and windows run out meanwhile:
        a reveal of an old fee before its time-out, a large opening or penalty at a low rate. It is outbid. That costs
        at most our rate for a rival's size; one at our rate or more is left to the miners.
        """
        rivals = [rival for rival in self._rivals(view, name) if rival.rate < self.fee_rate]
        if name.partition("/")[0] in ("challenge", "open"):
            tx = self.wallet.fund(self.moves.paid(name), 1000 * self.fee_rate, rivals)
            return spending_of(view.chain, tx)
        return self._outbid(rivals, lambda rate: self.moves.penalty(name, self.reward, rate))

    def _sign_disproof(self, view: SlotView, node: int, spend: Spend) -> Spending:
        rivals = [rival for rival in self._rivals(view, f"disprove/{node}") if rival.rate < self.fee_rate]
        return self._outbid(rivals, lambda rate: self.moves.disprove(node, spend, self.reward, rate))

    def _outbid(self, rivals: Sequence[Rival], make: Callable[[int], Spending]) -> Spending:
        """A penalty that replaces its rivals, if the stake can pay for it."""
        plain = make(self.fee_rate)
        vbytes = plain.tx.vbytes
        rate = -(-fee_over(rivals, vbytes) // vbytes)
        return plain if rate <= self.fee_rate else make(rate)

    def _accuse(self, view: SlotView, node: int) -> Spend | None:
        """A leaf that convicts, by the signatures ever seen."""
        return next(self._disproofs(view, node), None)

    def _disproofs(self, view: SlotView, node: int) -> Iterator[Spend]:
        """The leaves that convict, by the signatures ever seen.

        Every signature is kept: a second version of a wire, or one that a reorg took away, still counts.
        """
        slot, names = self.moves.graph.terms.slot, []
        for at in view.graph.ancestry(node):
            found = view.commitment(at)
            if found is not None and (at, found.tx) not in self.kept:
                self.store.see(slot, view.wire_signatures(at))
                self.kept.add((at, found.tx))
            names += [wire.name for group in view.graph.nodes[at].wires for wire in group]
        seen = self.store.seen(slot)
        for combination in _combinations([seen.get(name, []) for name in names]):
            if (node, combination) in self.innocent:
                continue
            spend = None
            for spend in self.accuser.disproofs(node, dict(zip(names, combination, strict=True))):
                yield spend
            if spend is None:
                self.innocent.add((node, combination))
