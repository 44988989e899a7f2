"""What waits in a mempool in the place of ours: at what rate a miner takes it, and what pushes it out.

A transaction's own rate says neither. It may hang on a parent that pays too little, and then no miner takes it
however much it pays; and whoever replaces it must pay more than it and all that hangs on it, however low its rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from verifier.bitcoin.transaction import Transaction
from verifier.chain.chain import Chain
from verifier.chain.diagram import Group, chunks, total
from verifier.chain.fees import dearer_fee, replacement_fee, spending_of
from verifier.chain.policy import DEFAULT_RULES, Rules, fee_of


@dataclass(frozen=True, slots=True)
class Rival:
    """A transaction in the mempool.

    Attributes:
        alone: its own fee and vbytes.
        below: with everything that hangs on it: what a replacement pushes out.
        rate: satoshis a vbyte at which a miner takes it: of the chunk that it belongs to, with all that must or
            may as well come along.
    """

    alone: Group
    below: Group
    rate: Fraction

    @classmethod
    def of(cls, chain: Chain, tx: Transaction) -> Rival:
        """How a transaction that waits stands."""
        descendants = _reach(tx, lambda each: _children(chain, each))
        cluster = {
            each.txid: each
            for each in _reach(tx, lambda one: [*_children(chain, one), *_parents(chain, one)])
        }
        groups = {txid: _group(chain, [each]) for txid, each in cluster.items()}
        ancestors = {
            txid: {one.txid for one in _reach(each, lambda one: _parents(chain, one))}
            for txid, each in cluster.items()
        }
        own = next(chunk for chunk in chunks(groups, ancestors) if tx.txid in chunk)
        rate = Fraction(*total(own, groups))
        return cls(groups[tx.txid], _group(chain, descendants), rate)


def fee_over(rivals: Iterable[Rival], vbytes: int, rules: Rules = DEFAULT_RULES) -> int:
    """The least fee with which a transaction of so many vbytes replaces all of them; 0 where there are none."""
    rivals = tuple(rivals)
    if not rivals:
        return 0
    whole = (sum(each.below[0] for each in rivals), sum(each.below[1] for each in rivals))
    pays = replacement_fee(*whole, vbytes, 0, rules)
    dearer = (
        dearer_fee(group, vbytes)
        for each in rivals
        for group in (each.alone, each.below, each.rate.as_integer_ratio())
    )
    return max(pays, *dearer)


def _group(chain: Chain, txs: Iterable[Transaction]) -> Group:
    held = tuple(txs)
    return sum(fee_of(spending_of(chain, tx)) for tx in held), sum(tx.vbytes for tx in held)


def _children(chain: Chain, tx: Transaction) -> list[Transaction]:
    found = (chain.spender(tx.outpoint(index)) for index in range(len(tx.outputs)))
    return [seen.tx for seen in found if seen is not None]


def _parents(chain: Chain, tx: Transaction) -> list[Transaction]:
    found = (chain.transaction(txin.previous.txid) for txin in tx.inputs)
    return [seen.tx for seen in found if seen is not None and seen.height is None]


def _reach(tx: Transaction, further: Callable[[Transaction], list[Transaction]]) -> list[Transaction]:
    """The transaction, and what is reached from it."""
    found, todo = {tx.txid: tx}, [tx]
    while todo:
        for each in further(todo.pop()):
            if each.txid not in found:
                found[each.txid] = each
                todo.append(each)
    return list(found.values())
