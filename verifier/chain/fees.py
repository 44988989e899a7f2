"""Sizes before signing, and what a transaction must pay to reach a rate, as a child or as a replacement.

Rates are satoshis per 1,000 vbytes, as in `policy.Rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction, serialize_stack
from verifier.chain.chain import Chain, ChainError
from verifier.chain.policy import DEFAULT_RULES, Rules

NO_WITNESS: Final = 1
"""Bytes of an empty stack: an anchor that anybody may spend."""
KEY_PATH_WITNESS: Final = 66
"""Bytes of a stack of one signature under the default sighash; one more under any other."""


def witness_bytes(items: Sequence[int]) -> int:
    """Bytes of a stack of items of these lengths."""
    return len(serialize_stack(tuple(bytes(length) for length in items)))


def estimated_vbytes(tx: Transaction, witnesses: Sequence[int]) -> int:
    """Virtual bytes of a transaction once its inputs carry witnesses of these sizes.

    Args:
        tx: with all inputs and outputs; its own witnesses do not count.
        witnesses: bytes of each input's stack (`witness_bytes`); exact if they are.
    """
    if len(witnesses) != len(tx.inputs):
        raise ValueError(f"{len(witnesses)} witnesses for {len(tx.inputs)} inputs")
    weight = 4 * len(tx.serialize(witness=False))
    if any(size != NO_WITNESS for size in witnesses):
        weight += 2 + sum(witnesses)
    return (weight + 3) // 4


def fee_at(rate: int, vbytes: int) -> int:
    """The least fee at a rate."""
    return -(-rate * vbytes // 1000)


def dearer_fee(old: tuple[int, int], vbytes: int) -> int:
    """The least fee whose rate is better than that of old fee and vbytes: by a whole satoshi per 1,000 vbytes.

    Core rounded rates down to such until 30, and asked a replacement for a better one.
    """
    return fee_at(1000 * old[0] // old[1] + 1, vbytes)


def child_fee(
    parents: Sequence[tuple[int, int]], vbytes: int, rate: int, rules: Rules = DEFAULT_RULES
) -> int:
    """What a child pays so that it reaches the rate together with its parents, and is relayed itself.

    Args:
        parents: fee and vbytes of each.
        vbytes: of the child.
        rate: of all together.
        rules: the least rate.
    """
    together = fee_at(rate, vbytes + sum(size for _, size in parents)) - sum(fee for fee, _ in parents)
    return max(together, fee_at(rules.min_relay_fee, vbytes))


def replacement_fee(
    old_fee: int, old_vbytes: int, vbytes: int, rate: int, rules: Rules = DEFAULT_RULES
) -> int:
    """What a transaction pays so that it replaces another and reaches a rate.

    Args:
        old_fee: of all that is replaced.
        old_vbytes: the same.
        vbytes: of the new one.
        rate: that it shall reach.
        rules: the rate that it pays for its own relay on top.
    """
    dearer = dearer_fee((old_fee, old_vbytes), vbytes)
    return max(fee_at(rate, vbytes), old_fee + fee_at(rules.min_relay_fee, vbytes), dearer)


def spending_of(chain: Chain, tx: Transaction) -> Spending:
    """A transaction that waits or could wait in the mempool, with what it spends.

    Raises:
        ChainError: an output that it spends is unknown.
    """
    spent = []
    for txin in tx.inputs:
        coin = chain.utxo(txin.previous)
        if coin is not None:
            spent.append(coin.output)
            continue
        maker = chain.transaction(txin.previous.txid)
        if maker is None:
            raise ChainError(f"{tx.txid_hex}: {txin.previous} is unknown")
        spent.append(maker.tx.outputs[txin.previous.index])
    return Spending(tx, tuple(spent))
