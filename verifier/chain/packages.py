"""Rules between unconfirmed transactions: packages, clusters, version 3, ephemeral dust, fees.

Source: Core's policy/packages.cpp, truc_policy.cpp, ephemeral_policy.cpp, txmempool's cluster limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import OutPoint, Transaction
from verifier.chain.policy import (
    DEFAULT_RULES,
    TRUC,
    TRUC_MAX_CHILD_VBYTES,
    Finding,
    Reason,
    Rules,
    Violation,
    check_transaction_policy,
    dust_outputs,
    fee_of,
)

MAX_PACKAGE_COUNT: Final = 25
MAX_PACKAGE_WEIGHT: Final = 404_000
MAX_CLUSTER_COUNT: Final = 25
"""64 from Core 31 on; 25 ancestors or descendants before, and a cluster of 25 breaks neither."""
MAX_CLUSTER_VBYTES: Final = 101_000
MAX_TRUC_FAMILY: Final = 2


def check_package(
    package: Sequence[Spending], pool: Sequence[Spending] = (), rules: Rules = DEFAULT_RULES
) -> Violation | None:
    """The first rule that a package breaks, or a single transaction; None if a node takes all of it.

    Args:
        package: parents first, the child that spends from each of them last.
        pool: what the node holds unconfirmed already.
        rules: limits and fees.
    """
    found = check_form([spending.tx for spending in package]) or _check_conflicts(package, pool)
    if found is not None:
        return found
    for spending in package:
        found = check_transaction_policy(spending, rules)
        if found is not None:
            return found
    family = Family([*pool, *package])
    for spending in package:
        finding = (
            _check_truc(family, spending)
            or _check_dust(family, spending, rules)
            or _check_cluster(family, spending)
        )
        if finding is not None:
            return Violation(finding[0], spending.tx.txid_hex, finding[1])
    return _check_fees(package, rules)


class Family:
    """Who spends whom among unconfirmed transactions."""

    def __init__(self, members: Iterable[Spending]) -> None:
        self.of = {spending.tx.txid: spending for spending in members}
        self.parents = {
            txid: {txin.previous.txid for txin in spending.tx.inputs if txin.previous.txid in self.of}
            for txid, spending in self.of.items()
        }
        self.children: dict[bytes, set[bytes]] = {txid: set() for txid in self.of}
        for txid, parents in self.parents.items():
            for parent in parents:
                self.children[parent].add(txid)

    def reach(self, txid: bytes, *relations: dict[bytes, set[bytes]]) -> set[bytes]:
        """All that the relations lead to from a transaction, itself included."""
        found, queue = {txid}, [txid]
        while queue:
            here = queue.pop()
            for relation in relations:
                queue += relation[here] - found
                found |= relation[here]
        return found


def check_form(package: Sequence[Transaction]) -> Violation | None:
    """What is wrong with a package whatever the chain holds: number, size, order, who spends whom."""
    if not package:
        raise ValueError("an empty package")
    child = package[-1]
    if len(package) > MAX_PACKAGE_COUNT:
        return Violation(Reason.PACKAGE_COUNT, child.txid_hex, f"{len(package)} transactions")
    weight = sum(tx.weight for tx in package)
    if len(package) > 1 and weight > MAX_PACKAGE_WEIGHT:
        return Violation(Reason.PACKAGE_WEIGHT, child.txid_hex, f"{weight} weight units")
    names = {tx.txid for tx in package}
    if len(names) != len(package):
        return Violation(Reason.DUPLICATE, child.txid_hex, "a transaction comes twice")
    spent, later = set[OutPoint](), set(names)
    for tx in package:
        if any(txin.previous.txid in later for txin in tx.inputs):
            return Violation(Reason.ORDER, tx.txid_hex, "a child comes before its parent")
        points = {txin.previous for txin in tx.inputs}
        if points & spent:
            return Violation(Reason.CONFLICT, tx.txid_hex, f"{min(points & spent)} is spent already")
        spent |= points
        later.remove(tx.txid)
    parents = {txin.previous.txid for txin in child.inputs}
    for tx in package[:-1]:
        if tx.txid not in parents:
            return Violation(Reason.SHAPE, tx.txid_hex, "the last transaction does not spend from it")
        if any(txin.previous.txid in names for txin in tx.inputs):
            return Violation(
                Reason.SHAPE, tx.txid_hex, "it spends from another parent of the last transaction"
            )
    return None


def _check_conflicts(package: Sequence[Spending], pool: Sequence[Spending]) -> Violation | None:
    spent = {txin.previous for held in pool for txin in held.tx.inputs}
    for spending in package:
        for txin in spending.tx.inputs:
            if txin.previous in spent:
                return Violation(Reason.CONFLICT, spending.tx.txid_hex, f"{txin.previous} is spent already")
    return None


def _check_truc(family: Family, spending: Spending) -> Finding | None:
    tx = spending.tx
    for parent in family.parents[tx.txid]:
        if (family.of[parent].tx.version == TRUC) != (tx.version == TRUC):
            return Reason.TRUC_MIX, f"version {tx.version} spends from version {family.of[parent].tx.version}"
    if tx.version != TRUC:
        return None
    if family.parents[tx.txid] and tx.vbytes > TRUC_MAX_CHILD_VBYTES:
        return Reason.TRUC_CHILD_SIZE, f"{tx.vbytes} vbytes"
    ancestors = family.reach(tx.txid, family.parents)
    if len(ancestors) > MAX_TRUC_FAMILY:
        return Reason.TRUC_ANCESTORS, f"{len(ancestors)} with itself"
    for member in ancestors:
        descendants = family.reach(member, family.children)
        if len(descendants) > MAX_TRUC_FAMILY:
            return (
                Reason.TRUC_DESCENDANTS,
                f"{family.of[member].tx.txid_hex} has {len(descendants)} with itself",
            )
    return None


def _check_dust(family: Family, spending: Spending, rules: Rules) -> Finding | None:
    spent = {txin.previous for txin in spending.tx.inputs}
    for parent in family.parents[spending.tx.txid]:
        held = family.of[parent]
        for index in dust_outputs(held, rules):
            if held.tx.outpoint(index) not in spent:
                return Reason.DUST_UNSPENT, f"{held.tx.outpoint(index)} stays unspent"
    return None


def _check_cluster(family: Family, spending: Spending) -> Finding | None:
    cluster = family.reach(spending.tx.txid, family.parents, family.children)
    if len(cluster) > MAX_CLUSTER_COUNT:
        return Reason.CLUSTER_COUNT, f"{len(cluster)} transactions"
    vbytes = sum(family.of[txid].tx.vbytes for txid in cluster)
    if vbytes > MAX_CLUSTER_VBYTES:
        return Reason.CLUSTER_SIZE, f"{vbytes} vbytes"
    return None


def _check_fees(package: Sequence[Spending], rules: Rules) -> Violation | None:
    """Each pays for itself, or the child for those that may rely on it."""
    poor = [spending for spending in package if not _pays([spending], rules)]
    if not poor:
        return None
    first = poor[0].tx
    if poor[-1] is package[-1]:
        return Violation(
            Reason.FEE, package[-1].tx.txid_hex, f"fee {fee_of(package[-1])}, nobody pays for it"
        )
    if not rules.parents_may_pay_nothing and any(spending.tx.version != TRUC for spending in poor):
        return Violation(Reason.FEE, first.txid_hex, "only version 3 may rely on its child's fee")
    if not _pays([*poor, package[-1]], rules):
        return Violation(Reason.FEE, package[-1].tx.txid_hex, "it does not pay enough for its parents")
    return None


def _pays(group: Sequence[Spending], rules: Rules) -> bool:
    vbytes = sum(spending.tx.vbytes for spending in group)
    return 1000 * sum(map(fee_of, group)) >= rules.min_relay_fee * vbytes
