"""What waits for a block: Bitcoin Core's rules for entry, replacement and selection, over one index.

Where versions of Core differ, both the older and the newer rule are kept: a replacement may add no unconfirmed
input (until 30) and must be worth more to a miner than what it replaces together with its children (from 31).
Neither expiry nor a limit of memory: a test chain's mempool stays small.
Source: Core's validation.cpp (MemPoolAccept), policy/rbf.cpp, policy/truc_policy.cpp, doc/policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import OutPoint, Transaction, TxOut
from verifier.chain.block import COINBASE_MATURITY
from verifier.chain.chain import Refused
from verifier.chain.index import Index
from verifier.chain.kernel import KernelSpending
from verifier.chain.locks import is_final, sequences_allow
from verifier.chain.packages import Family, check_package
from verifier.chain.policy import DEFAULT_RULES, TRUC, Reason, Rules, fee_of

MAX_REPLACED: Final = 100


class Refusal(StrEnum):
    """The rule of the mempool that a transaction breaks (Core's words)."""

    MISSING = "bad-txns-inputs-missingorspent"
    IMMATURE = "bad-txns-premature-spend-of-coinbase"
    NON_FINAL = "non-final"
    SEQUENCE = "non-BIP68-final"
    SPENDS_CONFLICT = "bad-txns-spends-conflicting-tx"
    NEW_UNCONFIRMED = "replacement-adds-unconfirmed"
    TOO_MANY = "too many potential replacements"
    REPLACEMENT_FEE = "insufficient fee"
    PACKAGE_REPLACEMENT = "package RBF failed"
    PARENTS = "package-not-child-with-unconfirmed-parents"


SAVED_BY_A_CHILD: Final = frozenset({Reason.FEE, Refusal.REPLACEMENT_FEE, Refusal.MISSING})
"""Refusals of a single transaction that its package may undo."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Fee and size of some transactions."""

    fee: int
    vbytes: int

    @classmethod
    def of(cls, members: Iterable[Spending]) -> _Group:
        held = tuple(members)
        return cls(sum(map(fee_of, held)), sum(member.tx.vbytes for member in held))

    @property
    def rate(self) -> Fraction:
        """Satoshis a vbyte."""
        return Fraction(self.fee, self.vbytes)


class Mempool:
    """Unconfirmed transactions over an index.

    Args:
        index: the chain.
        rules: limits and fees; `min_relay_fee` is also what a replacement pays more for its own size.
    """

    def __init__(self, index: Index, rules: Rules = DEFAULT_RULES) -> None:
        self._index = index
        self._rules = rules
        self._held: dict[bytes, Spending] = {}
        self._spenders: dict[OutPoint, bytes] = {}

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._held

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """In the order of their arrival, hence parents first."""
        return tuple(spending.tx for spending in self._held.values())

    def transaction(self, txid: bytes) -> Transaction | None:
        """The transaction of this name."""
        spending = self._held.get(txid)
        return None if spending is None else spending.tx

    def spender(self, point: OutPoint) -> Transaction | None:
        """The transaction that spends an output."""
        txid = self._spenders.get(point)
        return None if txid is None else self._held[txid].tx

    def submit(self, transactions: Sequence[Transaction]) -> None:
        """Takes a transaction or package, all or nothing; see `Chain.submit`.

        Raises:
            Refused: a rule is broken.
        """
        pending = [tx for tx in transactions if not self._index.transaction(tx.txid)]
        fresh = [tx for tx in pending if tx.txid not in self]
        if len(pending) > 1:
            self._check_parents(pending)
        held, spenders = dict(self._held), dict(self._spenders)
        try:
            rest = self._accept_singly(fresh) if len(fresh) > 1 else fresh
            if rest:
                self._accept(rest)
        except Refused:
            self._held, self._spenders = held, spenders
            raise

    def _accept_singly(self, package: Sequence[Transaction]) -> list[Transaction]:
        """Takes what stands alone, as Core does first; returns what only the rest of the package can save."""
        rest = []
        for tx in package:
            try:
                self._accept([tx])
            except Refused as refused:
                if refused.reason not in SAVED_BY_A_CHILD:
                    raise
                rest.append(tx)
        return rest

    def _check_parents(self, package: Sequence[Transaction]) -> None:
        """A package brings along every unconfirmed parent of its child (until Core 30)."""
        brought = {tx.txid for tx in package}
        for txin in package[-1].inputs:
            if txin.previous.txid not in brought and txin.previous.txid in self:
                raise Refused(Refusal.PARENTS, package[-1].txid_hex, f"{txin.previous} is unconfirmed")

    def _accept(self, transactions: Sequence[Transaction]) -> None:
        package = self._resolve(transactions)
        replaced = self._replaced(package)
        rest = [held for txid, held in self._held.items() if txid not in replaced]
        violation = check_package(package, rest, self._rules)
        if violation is not None:
            raise Refused(violation.reason, violation.txid, violation.detail)
        for spending in package:
            judge = KernelSpending(spending)
            for i in range(len(spending.tx.inputs)):
                if not judge.accepts(i):
                    raise Refused(Reason.SCRIPT, spending.tx.txid_hex, f"input {i}: the kernel refuses it")
        self._drop(replaced)
        for spending in package:
            self._add(spending)

    def _add(self, spending: Spending) -> None:
        self._held[spending.tx.txid] = spending
        for txin in spending.tx.inputs:
            self._spenders[txin.previous] = spending.tx.txid

    def _drop(self, txids: Iterable[bytes]) -> None:
        for txid in txids:
            for txin in self._held.pop(txid).tx.inputs:
                del self._spenders[txin.previous]

    def _resolve(self, transactions: Sequence[Transaction]) -> list[Spending]:
        """The transactions with what they spend; coins exist, are ripe, and the locks have run out."""
        made: dict[OutPoint, TxOut] = {}
        package = []
        for tx in transactions:
            spending = self._find_coins(tx, made)
            made |= {tx.outpoint(i): output for i, output in enumerate(tx.outputs)}
            package.append(spending)
        return package

    def _find_coins(self, tx: Transaction, made: dict[OutPoint, TxOut]) -> Spending:
        height = self._index.tip.height
        spent, heights = [], list[int | None]()
        for txin in tx.inputs:
            coin = self._index.utxo(txin.previous)
            if coin is None:
                output = made.get(txin.previous) or self._waiting(txin.previous)
                if output is None:
                    raise Refused(Refusal.MISSING, tx.txid_hex, f"{txin.previous} is unknown or spent")
                spent.append(output)
                heights.append(None)
                continue
            if coin.is_coinbase and height + 1 - coin.height < COINBASE_MATURITY:
                raise Refused(Refusal.IMMATURE, tx.txid_hex, f"{txin.previous} was made at {coin.height}")
            spent.append(coin.output)
            heights.append(coin.height)
        if not is_final(tx, height + 1, self._index.median_time(height)):
            raise Refused(Refusal.NON_FINAL, tx.txid_hex, f"locktime {tx.locktime} at height {height}")
        if not sequences_allow(tx, heights, self._index):
            raise Refused(Refusal.SEQUENCE, tx.txid_hex, f"a relative lock holds at height {height}")
        return Spending(tx, tuple(spent))

    def _waiting(self, point: OutPoint) -> TxOut | None:
        maker = self._held.get(point.txid)
        if maker is None or point.index >= len(maker.tx.outputs):
            return None
        return maker.tx.outputs[point.index]

    def _replaced(self, package: Sequence[Spending]) -> set[bytes]:
        """What leaves for the package: its conflicts and their descendants."""
        child = package[-1].tx
        conflicts = {
            self._spenders[txin.previous]
            for spending in package
            for txin in spending.tx.inputs
            if txin.previous in self._spenders
        }
        family = Family(self._held.values())
        if not conflicts and len(package) == 1:
            conflicts = self._sibling(child, family)
        if not conflicts:
            return set()
        below = {txid: family.reach(txid, family.children) for txid in conflicts}
        replaced = set[bytes]().union(*below.values())
        parents = {
            txin.previous.txid
            for spending in package
            for txin in spending.tx.inputs
            if txin.previous.txid in self
        }
        if parents & replaced:
            raise Refused(Refusal.SPENDS_CONFLICT, child.txid_hex, "it spends from what it replaces")
        if len(replaced) > MAX_REPLACED:
            raise Refused(Refusal.TOO_MANY, child.txid_hex, f"{len(replaced)} transactions")
        if len(package) == 1:
            if parents - set[bytes]().union(*(family.parents[txid] for txid in conflicts)):
                raise Refused(Refusal.NEW_UNCONFIRMED, child.txid_hex, "it spends another unconfirmed output")
        else:
            self._check_package_form(package, parents, conflicts, family)
        old = _Group.of(self._held[txid] for txid in replaced)
        families = [_Group.of(self._held[txid] for txid in family) for family in below.values()]
        self._check_fees(package, old, [*families, *(_Group.of([self._held[txid]]) for txid in conflicts)])
        return replaced

    def _sibling(self, tx: Transaction, family: Family) -> set[bytes]:
        """The one other child of a version 3 parent, which a better child may push out."""
        if tx.version != TRUC:
            return set()
        parents = {txin.previous.txid for txin in tx.inputs if txin.previous.txid in self}
        if len(parents) != 1:
            return set()
        (parent,) = parents
        return family.children[parent] if self._held[parent].tx.version == TRUC else set()

    def _check_package_form(
        self, package: Sequence[Spending], parents: set[bytes], conflicts: set[bytes], family: Family
    ) -> None:
        """Only one parent with one child replaces as a package, and only clusters of at most two."""
        txid = package[-1].tx.txid_hex
        if len(package) != 2 or parents:
            raise Refused(Refusal.PACKAGE_REPLACEMENT, txid, "not one parent and one child, alone")
        if any(len(family.reach(held, family.parents, family.children)) > 2 for held in conflicts):
            raise Refused(Refusal.PACKAGE_REPLACEMENT, txid, "a conflict has more than one relative")

    def _check_fees(self, package: Sequence[Spending], old: _Group, rivals: Sequence[_Group]) -> None:
        """The package pays for what it pushes out and for its own relay, at a better rate than any rival."""
        group = _Group.of(package)
        if len(package) == 2 and group.rate <= _Group.of(package[:1]).rate:
            group = _Group.of(package[:1])  # the child does not help: its parent replaces by itself or not
        txid = package[-1].tx.txid_hex
        needed = old.fee - (-self._rules.min_relay_fee * group.vbytes // 1000)
        if group.fee < needed:
            raise Refused(Refusal.REPLACEMENT_FEE, txid, f"fee {group.fee}, {needed} needed")
        best = max(rival.rate for rival in rivals)
        if group.rate <= best:
            detail = f"{float(group.rate):.3f} satoshis a vbyte, more than {float(best):.3f} needed"
            raise Refused(Refusal.REPLACEMENT_FEE, txid, detail)

    def select(self, max_weight: int) -> tuple[tuple[Transaction, ...], int]:
        """Transactions for a block, parents first, best fee rate first, and their fees.

        As by Core's default, what pays nothing together with its ancestors is left (a parent without fee whose
        child was pushed out).

        Args:
            max_weight: what they may weigh together.
        """
        family = Family(self._held.values())
        ancestors = {txid: family.reach(txid, family.parents) for txid in self._held}
        order = {txid: i for i, txid in enumerate(self._held)}
        rates = {txid: _Group.of(self._held[t] for t in ancestors[txid]).rate for txid in self._held}
        chosen: dict[bytes, Spending] = {}
        weight = 0
        for txid in sorted(self._held, key=lambda t: (-rates[t], order[t])):
            group = sorted(ancestors[txid] - chosen.keys(), key=order.__getitem__)
            more = sum(self._held[t].tx.weight for t in group)
            if rates[txid] > 0 and weight + more <= max_weight:
                chosen |= {t: self._held[t] for t in group}
                weight += more
        return tuple(spending.tx for spending in chosen.values()), sum(map(fee_of, chosen.values()))

    def confirm(self, transactions: Iterable[Transaction]) -> None:
        """Takes out what a block holds, and whatever a block's transaction made impossible."""
        for tx in transactions:
            if tx.txid in self._held:
                self._drop([tx.txid])
                continue
            for txin in tx.inputs:
                if txin.previous in self._spenders:
                    family = Family(self._held.values())
                    self._drop(family.reach(self._spenders[txin.previous], family.children))

    def refill(self, returned: Iterable[Transaction]) -> None:
        """After a reorg: what lost its block comes first, then what waited; the impossible is forgotten.

        As in Core, neither fees nor limits are asked again.
        """
        candidates = [*returned, *self.transactions]
        self._held.clear()
        self._spenders.clear()
        for tx in candidates:
            if tx.txid in self or self._index.transaction(tx.txid):
                continue
            if any(txin.previous in self._spenders for txin in tx.inputs):
                continue
            try:
                self._add(self._find_coins(tx, {}))
            except Refused:
                continue
