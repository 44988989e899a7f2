"""Whether the next block may hold a transaction: locktime and relative locks.

Source: BIP65/113 (locktime against the median time), BIP68; Core's consensus/tx_verify.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from verifier.bitcoin.transaction import FINAL_SEQUENCE, Transaction
from verifier.chain.index import Index

TIME_THRESHOLD: Final = 500_000_000
DISABLED: Final = 1 << 31
SECONDS: Final = 1 << 22
VALUE: Final = 0xFFFF
GRANULARITY: Final = 512
"""Seconds a unit of a relative lock by time."""


def is_final(tx: Transaction, height: int, median_time: int) -> bool:
    """Whether a block at a height, after blocks of this median time, may hold the transaction."""
    if tx.locktime < (height if tx.locktime < TIME_THRESHOLD else median_time):
        return True
    return all(txin.sequence == FINAL_SEQUENCE for txin in tx.inputs)


def sequences_allow(tx: Transaction, heights: Sequence[int | None], index: Index) -> bool:
    """Whether the relative locks have run out in the block after the index's tip.

    Args:
        tx: its sequences are the locks.
        heights: of the block that made each spent output; None where it is unconfirmed.
        index: the chain.
    """
    if tx.version < 2:
        return True
    tip = index.tip.height
    for txin, found in zip(tx.inputs, heights, strict=True):
        if txin.sequence & DISABLED:
            continue
        height = tip + 1 if found is None else found
        value = txin.sequence & VALUE
        if txin.sequence & SECONDS:
            since = index.median_time(max(height - 1, 0))
            if since + value * GRANULARITY > index.median_time(tip):
                return False
        elif height + value > tip + 1:
            return False
    return True
