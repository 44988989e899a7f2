"""What waits for a block: Bitcoin Core's rules for entry, replacement and selection, over one index.

Where versions of Core differ, both the older and the newer rule are kept: a replacement may add no unconfirmed
input and has a better rate than each transaction whose coin it takes (until 30), and it leaves a better fee-rate
diagram (from 31).
Neither expiry nor a limit of memory: a test chain's mempool stays small.
Source: Core's validation.cpp (MemPoolAccept), policy/rbf.cpp, policy/truc_policy.cpp, doc/policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Final

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import OutPoint, Transaction, TxOut
from verifier.chain.block import COINBASE_MATURITY
from verifier.chain.chain import Refused
from verifier.chain.diagram import Group, chunks, is_better, total
from verifier.chain.fees import fee_at
from verifier.chain.index import Index
from verifier.chain.kernel import KernelSpending
from verifier.chain.locks import is_final, sequences_allow
from verifier.chain.packages import Family, check_form, check_package
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


def _group(members: Iterable[Spending]) -> Group:
    held = tuple(members)
    return sum(map(fee_of, held)), sum(member.tx.vbytes for member in held)


def _rate(group: Group) -> int:
    """Satoshis per 1,000 vbytes, rounded down as Core rounded until 30."""
    return 1000 * group[0] // group[1]


def _chunks(members: Sequence[Spending]) -> list[Group]:
    """Those of some transactions among themselves."""
    family = Family(members)
    groups = {txid: _group([spending]) for txid, spending in family.of.items()}
    ancestors = {txid: family.reach(txid, family.parents) for txid in groups}
    return [total(chunk, groups) for chunk in chunks(groups, ancestors)]


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
            violation = check_form(pending)
            if violation is not None:
                raise Refused(violation.reason, violation.txid, violation.detail)
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
        """A package brings along every unconfirmed parent of its child (until Core 29)."""
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
        if len(package) == 1:
            conflicts |= self._sibling(child, family)
        if not conflicts:
            return set()
        below = [family.reach(txid, family.children) for txid in conflicts]
        replaced = set[bytes]().union(*below)
        parents = {
            txin.previous.txid
            for spending in package
            for txin in spending.tx.inputs
            if txin.previous.txid in self
        }
        if parents & replaced:
            raise Refused(Refusal.SPENDS_CONFLICT, child.txid_hex, "it spends from what it replaces")
        if (count := sum(map(len, below))) > MAX_REPLACED:
            raise Refused(Refusal.TOO_MANY, child.txid_hex, f"{count} transactions")
        if len(package) == 1:
            if parents - set[bytes]().union(*(family.parents[txid] for txid in conflicts)):
                raise Refused(Refusal.NEW_UNCONFIRMED, child.txid_hex, "it spends another unconfirmed output")
        else:
            self._check_package_form(package, parents, conflicts, family)
        self._check_fees(package, conflicts, replaced)
        self._check_diagram(package, replaced, family)
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

    def _check_fees(self, package: Sequence[Spending], conflicts: set[bytes], replaced: set[bytes]) -> None:
        """The package pays for what it pushes out and for its own relay, at a better rate than each conflict."""
        group = _group(package)
        parent = _group(package[:1])
        if len(package) == 2 and _rate(group) <= _rate(parent):
            group = parent  # the child does not help: its parent replaces by itself or not
        txid = package[-1].tx.txid_hex
        pushed_out, _ = _group(self._held[each] for each in replaced)
        needed = pushed_out + fee_at(self._rules.min_relay_fee, group[1])
        if group[0] < needed:
            raise Refused(Refusal.REPLACEMENT_FEE, txid, f"fee {group[0]}, {needed} needed")
        best = max(_rate(_group([self._held[each]])) for each in conflicts)
        if _rate(group) <= best:
            detail = f"{_rate(group)} satoshis per 1,000 vbytes, more than {best} needed"
            raise Refused(Refusal.REPLACEMENT_FEE, txid, detail)

    def _check_diagram(self, package: Sequence[Spending], replaced: set[bytes], family: Family) -> None:
        """A miner earns more from the clusters that change, and at no size of a block less."""
        touched = replaced | {
            txin.previous.txid for each in package for txin in each.tx.inputs if txin.previous.txid in self
        }
        before = set[bytes]().union(
            *(family.reach(each, family.parents, family.children) for each in touched)
        )
        old = [self._held[each] for each in before]
        new = [*(self._held[each] for each in before - replaced), *package]
        if not is_better(_chunks(new), _chunks(old)):
            txid = package[-1].tx.txid_hex
            raise Refused(
                Refusal.REPLACEMENT_FEE, txid, "a miner would earn less from the first bytes of a block"
            )

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
        groups = {txid: _group(self._held[t] for t in ancestors[txid]) for txid in self._held}
        rates = {txid: Fraction(*group) for txid, group in groups.items()}
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
