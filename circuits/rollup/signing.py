"""Sign a batch whose transactions are still blank: for simulations and tests, where one hand holds all keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from circuits.rollup.batch import Batch
from circuits.rollup.ledger import Ledger
from circuits.rollup.transition import apply
from circuits.rollup.types import Cosignature
from circuits.rollup.words import Digest
from circuits.xmss.batch import SignRequest, sign
from circuits.xmss.scheme import SecretKey


def sign_batch(ledger: Ledger, batch: Batch, keys: Mapping[Digest, SecretKey]) -> Batch:
    """The transactions that can be included, each signed with what it needs.

    Args:
        ledger: The ledger before.
        batch: Public keys, and those of co-signatures, are set in the order in which programs ask for them;
            signatures may be `BLANK_SIGNATURE`.
        keys: Secret keys by their owner digest.

    Raises:
        BatchRefused: The batch breaks a rule.
        KeyError: A key is missing.
        XmssError: One leaf would sign two messages.
    """
    valid = [True] * len(batch.transactions)
    done = apply(ledger, batch, valid=valid, check_cosignature=lambda claim: True)
    made = sign([SignRequest(keys[c.owner], c.epoch, c.message) for c in done.signatures])
    pairs = iter(zip(done.signatures, made, strict=True))
    signed = []
    for tx in done.batch.transactions:
        digest = tx.transaction.digest(batch.chain_id)
        cosignatures: list[Cosignature] = []
        for claim, signature in pairs:
            if claim.message == digest:
                signed.append(replace(tx, signature=signature, cosignatures=tuple(cosignatures)))
                break
            cosignatures.append(Cosignature(keys[claim.owner].public_key, signature))
    return replace(batch, transactions=tuple(signed))
