"""Transactions and batches for people: JSON fields of a transaction, and a batch put together by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from circuits.rollup.batch import Batch, Header
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.ledger import Ledger
from circuits.rollup.types import (
    Deposit,
    SignedTransaction,
    Transaction,
    Transfer,
    Withdraw,
    withdraw_script,
)

_REQUIRED: Final = ("signer", "nonce", "leaf", "amount_msat", "max_fee_msat")
_OPTIONAL: Final = ("tip_msat_per_gas",)


def to_json(tx: Transaction) -> dict[str, object]:
    """A transaction as the fields that `from_json` takes.

    Units: msat; the tip in msat per gas.
    """
    fields: dict[str, object] = {
        "kind": "withdraw" if isinstance(tx, Withdraw) else "transfer",
        "signer": tx.signer,
        "nonce": tx.nonce,
        "leaf": tx.leaf,
        "amount_msat": tx.amount,
        "max_fee_msat": tx.max_fee,
        "tip_msat_per_gas": tx.tip,
    }
    if isinstance(tx, Withdraw):
        return fields | {"script": tx.script[: tx.script_length].hex()}
    return fields | {"to": tx.to}


def from_json(fields: Mapping[str, object]) -> Transaction:
    """A bank transaction from its JSON fields.

    `kind` is "transfer" (with `to`) or "withdraw" (with `script`, a scriptPubKey in hex); then `signer`,
    `nonce`, `leaf`, `amount_msat`, `max_fee_msat` and, if not 0, `tip_msat_per_gas`.

    Raises:
        CodecError: KIND, NOT_CANONICAL (a field is missing, unknown or no number), RANGE or LENGTH.
    """
    kind = fields.get("kind")
    if kind not in ("transfer", "withdraw"):
        raise CodecError(CodecReason.KIND, "transaction kind", "transfer or withdraw", kind)
    own = "to" if kind == "transfer" else "script"
    for name in fields:
        if name not in ("kind", own, *_REQUIRED, *_OPTIONAL):
            raise CodecError(CodecReason.NOT_CANONICAL, f"unknown field {name}")
    signer, nonce, leaf, amount, max_fee = (_number(fields, name) for name in _REQUIRED)
    tip = _number(fields, "tip_msat_per_gas") if "tip_msat_per_gas" in fields else 0
    if kind == "transfer":
        return Transfer(signer, nonce, leaf, _number(fields, "to"), amount, max_fee, tip)
    text = fields.get("script")
    try:
        script, length = withdraw_script(bytes.fromhex(text if isinstance(text, str) else "-"))
    except CodecError:
        raise
    except ValueError as error:
        raise CodecError(CodecReason.NOT_CANONICAL, "script", "hex digits", text) from error
    return Withdraw(signer, nonce, leaf, amount, max_fee, script, length, tip)


def _number(fields: Mapping[str, object], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise CodecError(CodecReason.NOT_CANONICAL, name, "a whole number", value)
    return value


def next_batch(
    ledger: Ledger,
    transactions: Sequence[SignedTransaction],
    events: Sequence[Deposit],
    *,
    producer: int,
    l1_rate: int,
    bitcoin_height: int | None = None,
) -> Batch:
    """A batch that follows a ledger: next slot, all its events due, the last Bitcoin height by default.

    Args:
        ledger: The ledger before.
        transactions: In order of execution.
        events: In the order of Bitcoin.
        producer: Cell of the purse that gets the tips.
        l1_rate: Msat per published byte.
        bitcoin_height: Not below the ledger's.

    Raises:
        CodecError: RANGE.
    """
    height = ledger.inbox.bitcoin_height if bitcoin_height is None else bitcoin_height
    due = ledger.inbox.count + len(events)
    header = Header(ledger.system.slot + 1, producer, l1_rate, height, due)
    return Batch(ledger.system.chain_id, header, tuple(events), tuple(transactions))
