"""Transactions and batches for people: JSON fields of a transaction, and a batch put together by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from circuits.rollup.batch import Batch, Header
from circuits.rollup.codec import Reader, elements_bytes
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.ledger import Ledger
from circuits.rollup.params import NO_CELL
from circuits.rollup.types import (
    BlockHash,
    Call,
    Calls,
    Deploy,
    Deposit,
    ForcedExit,
    InboxEvent,
    Rotate,
    SignedTransaction,
    Transaction,
    Transfer,
    Withdraw,
    withdraw_script,
)

_COMMON: Final = ("signer", "nonce", "leaf", "max_fee_msat")
_OWN: Final = {
    "transfer": ("amount_msat", "to"),
    "withdraw": ("amount_msat", "script"),
    "rotate": ("new_owner", "first_leaf"),
    "deploy": ("code",),
    "calls": ("calls", "gas_limit"),
}
_EVENTS: Final = {
    "deposit": ("txid", "vout", "sats", "owner", "cell"),
    "forced_exit": ("txid", "vout", "sats", "owner", "cell", "script"),
    "block": ("hash",),
}
_TIP: Final = "tip_msat_per_gas"


def to_json(tx: Transaction) -> dict[str, object]:
    """A transaction as the fields that `from_json` takes.

    Units: msat; the tip in msat per gas.
    """
    common: dict[str, object] = {
        "signer": tx.signer,
        "nonce": tx.nonce,
        "leaf": tx.leaf,
        "max_fee_msat": tx.max_fee,
        _TIP: tx.tip,
    }
    if isinstance(tx, Transfer):
        return {"kind": "transfer", **common, "amount_msat": tx.amount, "to": tx.to}
    if isinstance(tx, Withdraw):
        script = tx.script[: tx.script_length].hex()
        return {"kind": "withdraw", **common, "amount_msat": tx.amount, "script": script}
    if isinstance(tx, Rotate):
        owner = elements_bytes(tx.new_owner).hex()
        return {"kind": "rotate", **common, "new_owner": owner, "first_leaf": tx.first_leaf}
    if isinstance(tx, Deploy):
        return {"kind": "deploy", **common, "code": [f"{word:016x}" for word in tx.code]}
    calls = [[call.program, call.selector, *call.arguments] for call in tx.calls]
    return {"kind": "calls", **common, "calls": calls, "gas_limit": tx.gas_limit}


def from_json(fields: Mapping[str, object]) -> Transaction:
    """A transaction from its JSON fields.

    `kind` is "transfer" (with `amount_msat`, `to`), "withdraw" (`amount_msat`; `script`, a scriptPubKey in hex),
    "rotate" (`new_owner`, 32 bytes in hex; `first_leaf`), "deploy" (`code`, words of 16 hex digits) or "calls"
    (`calls`, each [program, selector, four arguments]; `gas_limit`); then `signer`, `nonce`, `leaf`, `max_fee_msat`
    and, if not 0, `tip_msat_per_gas`.

    Raises:
        CodecError: KIND, NOT_CANONICAL (a field is missing, unknown or no number), RANGE or LENGTH.
    """
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in _OWN:
        raise CodecError(CodecReason.KIND, "transaction kind", " or ".join(_OWN), kind)
    for name in fields:
        if name not in ("kind", *_OWN[kind], *_COMMON, _TIP):
            raise CodecError(CodecReason.NOT_CANONICAL, f"unknown field {name}")
    signer, nonce, leaf, max_fee = (_number(fields, name) for name in _COMMON)
    tip = _number(fields, _TIP) if _TIP in fields else 0
    if kind == "transfer":
        to = _number(fields, "to")
        return Transfer(signer, nonce, leaf, to, _number(fields, "amount_msat"), max_fee, tip)
    if kind == "withdraw":
        amount = _number(fields, "amount_msat")
        script, length = withdraw_script(_hex(fields.get("script"), "script"))
        return Withdraw(signer, nonce, leaf, amount, max_fee, script, length, tip)
    if kind == "rotate":
        reader = Reader(_hex(fields.get("new_owner"), "new owner"))
        owner = reader.elements(8, "new owner")
        reader.done()
        return Rotate(signer, nonce, leaf, owner, max_fee, tip, _number(fields, "first_leaf"))
    if kind == "deploy":
        code = tuple(int.from_bytes(_hex(word, "code"), "big") for word in _list(fields, "code"))
        return Deploy(signer, nonce, leaf, code, max_fee, tip)
    calls = tuple(_call(item) for item in _list(fields, "calls"))
    return Calls(signer, nonce, leaf, calls, _number(fields, "gas_limit"), max_fee, tip)


def event_from_json(fields: Mapping[str, object]) -> InboxEvent:
    """An inbox event from its JSON fields.

    `kind` is "deposit" (with `txid`, `vout`, `sats`, `owner` and, to credit a purse that exists, `cell`),
    "forced_exit" (`txid`, `vout`, `sats`, `owner`, `cell`, `script`) or "block" (`hash`); then `height`. Bytes are in
    hex, hashes in the order of the hash function's bytes (block explorers reverse them).

    Raises:
        CodecError: KIND, NOT_CANONICAL (a field is missing, unknown or no number), RANGE or LENGTH.
    """
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in _EVENTS:
        raise CodecError(CodecReason.KIND, "event kind", " or ".join(_EVENTS), kind)
    for name in fields:
        if name not in ("kind", "height", *_EVENTS[kind]):
            raise CodecError(CodecReason.NOT_CANONICAL, f"unknown field {name}")
    height = _number(fields, "height")
    if kind == "block":
        return BlockHash(height, _hex(fields.get("hash"), "hash"))
    reader = Reader(_hex(fields.get("owner"), "owner"))
    owner = reader.elements(8, "owner")
    reader.done()
    cell = NO_CELL if kind == "deposit" and "cell" not in fields else _number(fields, "cell")
    txid, vout, sats = _hex(fields.get("txid"), "txid"), _number(fields, "vout"), _number(fields, "sats")
    if kind == "deposit":
        return Deposit(height, txid, vout, sats, owner, cell)
    script, length = withdraw_script(_hex(fields.get("script"), "script"))
    return ForcedExit(height, txid, vout, cell, sats, owner, script, length)


def _number(fields: Mapping[str, object], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise CodecError(CodecReason.NOT_CANONICAL, name, "a whole number", value)
    return value


def _hex(text: object, name: str) -> bytes:
    try:
        return bytes.fromhex(text if isinstance(text, str) else "-")
    except ValueError as error:
        raise CodecError(CodecReason.NOT_CANONICAL, name, "hex digits", text) from error


def _list(fields: Mapping[str, object], name: str) -> list[object]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise CodecError(CodecReason.NOT_CANONICAL, name, "a list", value)
    return value


def _call(item: object) -> Call:
    if not isinstance(item, list) or len(item) != 6:
        raise CodecError(CodecReason.NOT_CANONICAL, "call", "[program, selector, four arguments]", item)
    program, selector, a, b, c, d = (_number({"call": value}, "call") for value in item)
    return Call(program, selector, (a, b, c, d))


def next_batch(
    ledger: Ledger,
    transactions: Sequence[SignedTransaction],
    events: Sequence[InboxEvent],
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
