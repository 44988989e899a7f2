"""Transactions from JSON, and batches put together by hand."""

import json

import pytest

from circuits.rollup.compose import from_json, next_batch, to_json
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.types import SignedTransaction
from tests.circuits.rollup.builders import (
    BLANK_SIGNATURE,
    BOB,
    PRODUCER,
    batch,
    deposit,
    key,
    ledger,
    run,
    transfer,
    withdraw,
)


@pytest.mark.parametrize("tx", [transfer(), transfer(tip=0), withdraw(), withdraw(tip=4)])
def test_json_round_trip(tx):
    assert from_json(json.loads(json.dumps(to_json(tx)))) == tx


def test_tip_may_be_left_out():
    fields = to_json(transfer(tip=0))
    del fields["tip_msat_per_gas"]
    assert from_json(fields) == transfer(tip=0)


@pytest.mark.parametrize(
    ("tx", "change", "reason"),
    [
        (transfer(), {"kind": "mint"}, CodecReason.KIND),
        (transfer(), {"kind": ["transfer"]}, CodecReason.KIND),
        (transfer(), {"amount": 5}, CodecReason.NOT_CANONICAL),
        (transfer(), {"script": "00"}, CodecReason.NOT_CANONICAL),
        (transfer(), {"to": None}, CodecReason.NOT_CANONICAL),
        (transfer(), {"to": 1.0}, CodecReason.NOT_CANONICAL),
        (transfer(), {"nonce": True}, CodecReason.NOT_CANONICAL),
        (transfer(), {"nonce": "5"}, CodecReason.NOT_CANONICAL),
        (transfer(), {"amount_msat": -1}, CodecReason.RANGE),
        (transfer(), {"to": 1 << 32}, CodecReason.RANGE),
        (withdraw(), {"script": "zz"}, CodecReason.NOT_CANONICAL),
        (withdraw(), {"script": 7}, CodecReason.NOT_CANONICAL),
        (withdraw(), {"script": ""}, CodecReason.LENGTH),
        (withdraw(), {"script": "00" * 41}, CodecReason.LENGTH),
    ],
)
def test_malformed_json_is_refused(tx, change, reason):
    with pytest.raises(CodecError) as caught:
        from_json(to_json(tx) | change)
    assert caught.value.reason == reason


def test_batch_by_hand_follows_its_ledger():
    before = run(ledger(), batch(transfer(), events=[deposit()])).ledger
    signed = SignedTransaction(transfer(BOB), key(BOB), BLANK_SIGNATURE)
    made = next_batch(before, [signed], [deposit(vout=2)], producer=PRODUCER, l1_rate=5)
    done = run(before, made, strict=True)
    assert done.public_values.inbox_due_count == done.public_values.inbox_count_after == 2
    assert done.public_values.slot == before.system.slot + 1
    assert done.public_values.bitcoin_height == before.inbox.bitcoin_height


def test_signed_transaction_bytes_stand_alone():
    signed = SignedTransaction(withdraw(), key(BOB), BLANK_SIGNATURE)
    data = signed.encode()
    assert SignedTransaction.decode(data) == signed
    for bad, reason in ((data[:-1], CodecReason.TRUNCATED), (data + b"\0", CodecReason.TRAILING)):
        with pytest.raises(CodecError) as caught:
            SignedTransaction.decode(bad)
        assert caught.value.reason == reason
