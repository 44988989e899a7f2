"""Samples are the same for the same seed, fully signed, and execute without a refusal."""

import dataclasses
import json

import pytest

from circuits.rollup.batch import Batch
from circuits.rollup.cells import Purse
from circuits.rollup.errors import (
    BatchReason,
    BatchRefused,
    CodecError,
    CodecReason,
    RefusalReason,
    StoreError,
    StoreReason,
)
from circuits.rollup.execute import execute, execute_batch, load
from circuits.rollup.sample import BATCH_FILE, LEDGER_CELLS, STATE_FILE, SUMMARY_FILE, build_sample, sample
from circuits.rollup.store import Store
from circuits.rollup.types import Transfer, Withdraw


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "batch"
    sample(6, 42, path)
    return path


def test_sample_holds_what_was_asked_for(directory):
    before, batch = load(directory)
    txs = [signed.transaction for signed in batch.transactions]
    assert sum(isinstance(tx, Transfer) for tx in txs) == 6
    assert sum(isinstance(tx, Withdraw) for tx in txs) == len(batch.events) == 1
    purses = [i for i, cell in before.cells.items() if isinstance(cell, Purse) and i >= 16]
    assert len(purses) >= 4
    assert max(purses) < LEDGER_CELLS == before.system.next_free
    summary = json.loads((directory / SUMMARY_FILE).read_text())
    assert summary["transfers"] == 6
    assert summary["accounts"] == len(purses)


def test_sample_executes_without_failure(directory):
    execution = execute(directory, strict=True)
    figures = execution.figures()
    assert (figures["failed"], figures["left_out"], figures["transactions"]) == (0, [], 7)
    supply = figures["supply_before_msat"] + figures["deposits_msat"] - figures["withdrawals_msat"]
    assert supply == figures["supply_after_msat"] == execution.transition.ledger.total_btc()
    assert figures["state_root_before"] == json.loads((directory / SUMMARY_FILE).read_text())["state_root"]
    assert set(figures["fees_msat"]) == {"base", "tips", "data"}
    assert json.loads(json.dumps(figures)) == figures
    with Store.open(directory / STATE_FILE) as store:
        assert store.batch_number() == 0


def test_same_seed_same_bytes(directory):
    genesis, batch = build_sample(6, 42)
    assert batch.encode() == (directory / BATCH_FILE).read_bytes()
    before, _ = load(directory)
    assert dict(before.cells) == genesis


def test_forged_signature_is_left_out(directory):
    before, batch = load(directory)
    first = batch.transactions[0]
    forged = dataclasses.replace(first, signature=dataclasses.replace(first.signature, rho=(1,) * 6))
    changed = dataclasses.replace(batch, transactions=(forged, *batch.transactions[1:]))
    done = execute_batch(before, changed).transition
    assert done.left_out[0].reason == RefusalReason.SIGNATURE
    assert done.left_out[0].position == 0


def test_signed_field_cannot_be_changed(directory):
    before, batch = load(directory)
    for name in ("amount", "max_fee", "tip"):
        first = batch.transactions[0]
        value = getattr(first.transaction, name) + 1000
        changed = dataclasses.replace(
            first, transaction=dataclasses.replace(first.transaction, **{name: value})
        )
        tampered = dataclasses.replace(batch, transactions=(changed,))
        done = execute_batch(before, tampered).transition
        assert [left.reason for left in done.left_out] == [RefusalReason.SIGNATURE]


def test_batch_cannot_be_replayed_after_its_commit(tmp_path, directory):
    (tmp_path / BATCH_FILE).write_bytes((directory / BATCH_FILE).read_bytes())
    before, _ = load(directory)
    Store.create(tmp_path / STATE_FILE, before.cells).close()
    done = execute(tmp_path).transition
    with Store.open(tmp_path / STATE_FILE) as store:
        store.commit(done)
    with pytest.raises(BatchRefused) as caught:
        execute(tmp_path)
    assert caught.value.reason == BatchReason.SLOT
    again = execute(tmp_path, at=0).transition
    assert again.public_values == done.public_values


def test_bad_directories_and_numbers_are_refused(directory, tmp_path):
    with pytest.raises(StoreError) as caught:
        sample(6, 42, directory)
    assert caught.value.reason == StoreReason.EXISTS
    with pytest.raises(StoreError) as caught:
        execute(tmp_path)
    assert caught.value.reason == StoreReason.MISSING
    (tmp_path / BATCH_FILE).write_bytes(b"PEGB")
    with pytest.raises(CodecError) as refusal:
        execute(tmp_path)
    assert refusal.value.reason == CodecReason.TRUNCATED
    for transfers in (0, -1, 1 << 21):
        with pytest.raises(CodecError) as refusal:
            build_sample(transfers, 1)
        assert refusal.value.reason == CodecReason.RANGE


def test_progress_is_reported(directory):
    seen = []
    build_sample(1, 3, progress=lambda *step: seen.append(step))
    assert seen == [("keys", 0, 4), ("keys", 4, 4), ("signatures", 0, 2), ("signatures", 2, 2)]


def test_published_bytes_decode_without_the_store(directory):
    data = (directory / BATCH_FILE).read_bytes()
    assert Batch.decode(data).encode() == data
