"""A scenario's stage: a node, roles, and the record of what was sent."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction, TxOut
from verifier.bridge.game.moves import Moves
from verifier.bridge.game.roles import Guide, Operator, Sent, Watcher, open_nothing
from verifier.bridge.game.store import Store
from verifier.bridge.game.view import SlotView
from verifier.bridge.simulate.setup import NETWORK, SetUp, script_of, secret_of
from verifier.bridge.tree import Accuser, Digits, Execution, OpeningTree
from verifier.chain.chain import Refused, TestChain
from verifier.chain.policy import fee_of
from verifier.chain.wallet import Wallet
from verifier.script.spend import verify_input


class ScenarioFailure(Exception):
    """Something happened that must not, or did not happen that must."""


def expect(holds: bool, what: str) -> None:
    """Fails the scenario unless something holds."""
    if not holds:
        raise ScenarioFailure(what)


@dataclass(frozen=True, slots=True)
class Record:
    """A transaction that was mined.

    Attributes:
        name: of its template.
        who: sent it.
        spending: with what it spends.
    """

    name: str
    who: str
    spending: Spending


class Case(Protocol):
    """What scenarios know of the proof system behind the tree."""

    @property
    def tree(self) -> OpeningTree:
        """The opening tree."""

    @property
    def honest(self) -> Execution:
        """A true proof's execution."""

    @property
    def false(self) -> tuple[Execution, int]:
        """A false proof's: hashes consistent, one step wrong; with the node that is wrong."""

    @property
    def withheld(self) -> tuple[Execution, int | None]:
        """A proof with a hash that has no preimage; with the node that cannot be revealed truly, if it is one alone."""

    @property
    def other(self) -> Execution:
        """A true proof's of another statement."""

    @property
    def scope(self) -> Sequence[int]:
        """The nodes that scenarios try leaf by leaf, parents first: all, where the tree is small."""

    @property
    def queries(self) -> int:
        """Of the proof."""

    @property
    def proven_bits(self) -> float | None:
        """Of the proof; None where there is no proof behind the tree."""

    def corrupt(self, execution: Execution, wire: str) -> Execution:
        """An execution with one wire changed alone."""

    def reads(self, node: int, leaf: int) -> Sequence[str]:
        """The wires that a leaf reads, in the order of its checks."""

    def hints(self, node: int, leaf: int, values: Mapping[str, Digits]) -> tuple[bytes, ...]:
        """What the witness has below the signatures, bottom first, when the wires have these values."""

    def accuser(self, moves: Moves) -> Accuser:
        """Of a slot's keys."""

    def random_guide(self, rng: random.Random) -> Guide:
        """What a watcher without data opens."""

    def guide(self, execution: Execution) -> Guide:
        """What a watcher opens that has the proof which the operator asserts."""


@dataclass
class Stage:
    """One chain and the roles on it.

    Attributes:
        setup: shared by all scenarios.
        case: the proof.
        node: where everybody has coins already (`fund_node`).
    """

    setup: SetUp
    case: Case
    node: TestChain
    records: list[Record] = field(default_factory=list)
    watchers: dict[str, Watcher] = field(default_factory=dict)
    operators: dict[str, Operator] = field(default_factory=dict)
    refusals: list[tuple[str, str, str]] = field(default_factory=list)
    max_stack: int = 0

    def __post_init__(self) -> None:
        self._directory = TemporaryDirectory(prefix="pegproof-")
        self.directory = Path(self._directory.name)
        self.moves = self.setup.moves
        self.graph = self.moves.graph
        self.view = SlotView(self.node, self.graph)
        self.vault = self.setup.deposits[0].vault
        self._waiting: dict[bytes, Record] = {}
        self._asleep: set[str] = set()

    def close(self) -> None:
        """Removes the roles' directories."""
        self._directory.cleanup()

    # Roles

    def hire(self, execution: Execution, name: str = "operator") -> Operator:
        """An operator with these wires durable."""
        operator = self.open_operator(name)
        operator.commit(execution)
        self.operators[name] = operator
        return operator

    def open_operator(self, name: str = "operator") -> Operator:
        """The operator as it starts, from its directory alone."""
        store = Store(self.directory / name, "operator", NETWORK)
        return Operator(store, self.moves, secret_of("operator"), self.setup.seed, self.vault)

    def watch(
        self,
        name: str = "watcher",
        challenge: bool = False,
        guide: Guide = open_nothing,
        fee_rate: int = 2,
        accuser: Accuser | None = None,
    ) -> Watcher:
        """A watcher; `name` is also its directory."""
        store = Store(self.directory / name, "watcher", NETWORK)
        watcher = Watcher(
            *(store, self.moves, accuser or self.case.accuser(self.moves), self.wallet),
            *(script_of(name), challenge, guide, fee_rate),
        )
        self.watchers[name] = watcher
        return watcher

    @property
    def wallet(self) -> Wallet:
        """The purse that pays for challenges and openings."""
        return Wallet(secret_of("purse"), self.node)

    def sleep(self, *names: str) -> None:
        """These roles do not act until `wake`."""
        self._asleep |= set(names)

    def wake(self, *names: str) -> None:
        """They act again."""
        self._asleep -= set(names)

    # The chain

    def send(self, name: str, spending: Spending, who: str) -> None:
        """Sends a transaction that must be taken."""
        reason = self.offer(name, spending, who)
        expect(reason is None, f"{name} of {who} was refused: {reason}")

    def offer(self, name: str, spending: Spending, who: str) -> str | None:
        """Sends a transaction; the rule that stops it, None if it is taken."""
        try:
            self.node.submit(spending.tx)
        except Refused as refusal:
            self.refusals.append((name, who, str(refusal.reason)))
            return str(refusal.reason)
        self._note(name, spending, who)
        return None

    def refused(self, name: str, spending: Spending, who: str, reason: str = "") -> None:
        """Sends a transaction that must be refused (for this reason)."""
        got = self.offer(name, spending, who)
        expect(got is not None, f"{name} of {who} was taken")
        expect(not reason or got == reason, f"{name} of {who} was refused: {got}, not {reason}")

    def send_tx(self, name: str, tx: Transaction, spent: tuple[TxOut, ...], who: str) -> None:
        """`send` of its parts."""
        self.send(name, Spending(tx, spent), who)

    def _note(self, name: str, spending: Spending, who: str) -> None:
        if spending.tx.txid not in self._waiting and not self._mined(spending.tx.txid):
            self._waiting[spending.tx.txid] = Record(name, who, spending)

    def _mined(self, txid: bytes) -> bool:
        return any(record.spending.tx.txid == txid for record in self.records)

    def mine(self, count: int = 1) -> None:
        """Blocks; what they contain is recorded."""
        self.node.mine(count)
        for txid, record in list(self._waiting.items()):
            seen = self.node.transaction(txid)
            if seen is None:  # replaced, or in conflict with what was mined
                del self._waiting[txid]
            elif seen.height is not None:
                del self._waiting[txid]
                self.records.append(record)
                self._measure(record.spending)

    def mine_only(self, *spendings: tuple[str, Spending, str]) -> None:
        """One block with exactly these transactions, the mempool left aside: consensus alone judges."""
        for name, spending, who in spendings:
            self._note(name, spending, who)
        self.node.mine_these([spending.tx for _, spending, _ in spendings])
        self.mine(0)

    def mines(self, name: str, spending: Spending, who: str) -> bool:
        """Whether a block with this transaction is valid; it is the tip then."""
        try:
            self.mine_only((name, spending, who))
        except Refused:
            self._waiting.pop(spending.tx.txid, None)
            return False
        return True

    def _measure(self, spending: Spending) -> None:
        for index, txin in enumerate(spending.tx.inputs):
            if len(txin.witness) > 1:
                self.max_stack = max(self.max_stack, verify_input(spending, index).peak_stack)

    def reorg(self, depth: int) -> None:
        """The last blocks are lost, with their transactions back in the mempool."""
        self.node.reorg(depth)
        for record in list(self.records):
            seen = self.node.transaction(record.spending.tx.txid)
            if seen is None or seen.height is None:
                self.records.remove(record)
                self._waiting[record.spending.tx.txid] = record

    def step(self) -> bool:
        """Everybody acts once; whether anything new was sent."""
        before = len(self._waiting)
        sent: list[tuple[str, Sent]] = []
        for name, watcher in self.watchers.items():
            if name not in self._asleep:
                sent += [(name, each) for each in watcher.step(self.node)]
        for name, operator in self.operators.items():
            if name not in self._asleep:
                sent += [(name, each) for each in operator.step(self.node)]
        for who, each in sent:
            if each.refusal is None:
                self._note(each.name, each.spending, who)
            else:
                self.refusals.append((each.name, who, each.refusal))
        return len(self._waiting) > before

    def play(self, until: Callable[[], bool] | None = None, limit: int = 400) -> str:
        """Blocks and steps until the game is over or `until` holds; how it ended."""
        for _ in range(limit):
            if until is not None and until():
                return self.outcome
            if self.step() or self._waiting:
                self.mine()
            else:
                self.mine(max(1, self.view.next_event() - self.view.height))
            if self.outcome:
                return self.outcome
        raise ScenarioFailure(f"no end after {[record.name for record in self.records]}")

    def play_to(self, last: str) -> str:
        """`play`, and what must end it: another transaction may come to the same outcome."""
        outcome = self.play()
        expect(self.names[-1] == last, f"the end is {self.names[-1]}, not {last}")
        return outcome

    def play_on(self) -> str:
        """Plays until one more transaction is mined."""
        count = len(self.records)
        return self.play(until=lambda: len(self.records) > count)

    @property
    def outcome(self) -> str:
        """`paid`, `penalised`, or nothing yet."""
        vaults = [deposit.vault for deposit in self.setup.deposits]
        if any(self.view.spender(vault) is not None for vault in vaults):
            return "paid"
        return "penalised" if self.view.penalised else ""

    # What is common to many scenarios

    def pegin(self, number: int = 0) -> None:
        """The user deposits, the committee's transaction moves the deposit into its vault."""
        deposit, tx = self.setup.deposits[number], self.setup.deposit_txs[number]
        bank = self.setup.bank
        self.send_tx(f"deposit/{number}", tx, (bank.outputs[tx.inputs[0].previous.index],), "user")
        self.mine()
        template = deposit.pegin()
        raw = self.moves.committee_witness(template, 0)
        self.send(
            f"pegin/{number}", Spending(template.signed([(raw,)]), template.spending.spent), "committee"
        )
        self.mine()

    def kickoff(self, execution: Execution) -> Operator:
        """A vault is there, and the operator claims it with this proof."""
        self.pegin()
        operator = self.hire(execution)
        sent = operator.kickoff(self.node)
        expect(sent.refusal is None, f"kickoff refused: {sent.refusal}")
        self._note("kickoff", sent.spending, "operator")
        self.mine()
        return operator

    @property
    def names(self) -> list[str]:
        """Of the transactions that were mined, in order."""
        return [record.name for record in self.records]

    def fee(self, record: Record) -> int:
        """What a transaction paid."""
        return fee_of(record.spending)
