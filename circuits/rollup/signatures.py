"""Signature checks of a whole batch, before any of it is executed.

A transaction carries its nonce, so what it signs is known without the ledger; whether nonce and owner are the
purse's own is the transition's question.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuits.rollup.hashing import chain_digests, columns_digests, compress_lanes
from circuits.rollup.types import SignedTransaction
from circuits.rollup.words import Digest
from circuits.tags import KEY_TYPE_XMSS, TAG_OWNER, TAG_TX
from circuits.xmss import batch as xmss_batch
from circuits.xmss.batch import Claim
from circuits.xmss.scheme import PublicKey


def message_digests(chain_id: int, transactions: Sequence[SignedTransaction]) -> list[Digest]:
    """What each transaction signs: `Transaction.digest`, many at once."""
    return chain_digests(TAG_TX, [signed.transaction.triples(chain_id) for signed in transactions])


def owner_digests(keys: Sequence[PublicKey]) -> list[Digest]:
    """`PublicKey.owner`, many at once."""
    inputs = np.zeros((24, len(keys)), dtype=np.uint32)
    for lane, key in enumerate(keys):
        inputs[:16, lane] = (TAG_OWNER, *key.root, *key.parameter, KEY_TYPE_XMSS, key.height)
    return columns_digests(compress_lanes(inputs))


def claims(chain_id: int, transactions: Sequence[SignedTransaction]) -> list[Claim]:
    """What each signature claims: owner (of the key shown), key, leaf, message, signature."""
    messages = message_digests(chain_id, transactions)
    owners = owner_digests([signed.public_key for signed in transactions])
    return [
        Claim(owner, signed.public_key, signed.transaction.leaf, message, signed.signature)
        for signed, owner, message in zip(transactions, owners, messages, strict=True)
    ]


def check_claims(wanted: Sequence[Claim]) -> list[bool]:
    """Which claims are valid; any claims may be given."""
    return [reason is None for reason in xmss_batch.verify(wanted)]
