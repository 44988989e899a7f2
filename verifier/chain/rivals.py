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
from verifier.chain.fees import replacement_fee, spending_of
from verifier.chain.policy import DEFAULT_RULES, Rules, fee_of

Group = tuple[int, int]
"""Fee and vbytes."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A transaction in the mempool.

    Attributes:
        alone: its own fee and vbytes.
        below: with everything that hangs on it: what a replacement pushes out.
        rate: satoshis a vbyte at which a miner takes it: with its unconfirmed ancestors, for its own sake or for the
            best of its descendants'.
    """

    alone: Group
    below: Group
    rate: Fraction

    @classmethod
    def of(cls, chain: Chain, tx: Transaction) -> Rival:
        """How a transaction that waits stands."""
        descendants = _reach(tx, lambda each: _children(chain, each))
        best = max(
            _rate(_group(chain, _reach(each, lambda one: _parents(chain, one)))) for each in descendants
        )
        return cls(_group(chain, [tx]), _group(chain, descendants), best)


def fee_over(rivals: Iterable[Rival], vbytes: int, rules: Rules = DEFAULT_RULES) -> int:
    """The least fee with which a transaction of so many vbytes replaces all of them; 0 where there are none."""
    rivals = tuple(rivals)
    if not rivals:
        return 0
    whole = (sum(each.below[0] for each in rivals), sum(each.below[1] for each in rivals))
    pays = replacement_fee(*whole, vbytes, 0, rules)
    dearer = (fee * vbytes // size + 1 for each in rivals for fee, size in (each.alone, each.below))
    return max(pays, *dearer)


def _group(chain: Chain, txs: Iterable[Transaction]) -> Group:
    held = tuple(txs)
    return sum(fee_of(spending_of(chain, tx)) for tx in held), sum(tx.vbytes for tx in held)


def _rate(group: Group) -> Fraction:
    return Fraction(*group)


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
