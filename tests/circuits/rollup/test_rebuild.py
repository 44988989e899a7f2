"""The chain back from what is published; the store keeps it, and the programs' code."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuits.rollup.cells import ProgramCell
from circuits.rollup.errors import BatchRefused, CodecError, CodecReason
from circuits.rollup.ledger import Ledger
from circuits.rollup.published import encode_batch, encode_events, encode_genesis, encode_inbox, read_inbox
from circuits.rollup.rebuild import rebuild, replay_all
from circuits.rollup.store import Store
from circuits.rollup.transition import Transition
from circuits.rollup.types import BlockHash, Call, Deploy, ForcedExit, Rotate
from tests.circuits.rollup import builders
from tests.circuits.rollup.builders import ALICE, BOB, NEXT_FREE, PRODUCER, key
from tests.circuits.rollup.test_user_kernel import FORCED, LOOP, Sys, calls, sys

CODE = (sys(Sys.CREATE_DATA), sys(Sys.EVENT), sys(Sys.EXIT), LOOP)


def chain() -> tuple[Ledger, list[Transition]]:
    """Three batches with every kind of transaction and event, failing ones and left-out ones among them."""
    first = builders.ledger()
    one = builders.run(
        first,
        builders.batch(
            builders.transfer(),
            Deploy(BOB, 5, 10, CODE, 10**9, 1),
            builders.transfer(nonce=4),
            builders.transfer(nonce=6, leaf=13, amount=2**64 - 1),
            events=[builders.deposit(), ForcedExit(**FORCED), BlockHash(7, bytes(range(32)))],
        ),
    )
    program = NEXT_FREE + 1
    two = builders.run(
        one.ledger,
        builders.batch(
            calls(Call(program), signer=BOB, nonce=6, leaf=11),
            calls(Call(program), Call(1), signer=BOB, nonce=7, leaf=12),
            Rotate(ALICE, 7, 14, key(50).owner(), 10**9),
            slot=9,
        ),
    )
    three = builders.run(
        two.ledger, builders.batch(builders.withdraw(PRODUCER), slot=10, events=[builders.deposit(kind=9)])
    )
    return first, [one, two, three]


def files(first: Ledger, done: list[Transition]) -> tuple[bytes, bytes]:
    data = encode_genesis(first) + b"".join(encode_batch(item.batch) for item in done)
    return data, encode_inbox([event for item in done for event in item.batch.events])


def test_chain_is_rebuilt_from_what_is_published() -> None:
    first, done = chain()
    assert [len(item.left_out) for item in done] == [1, 0, 0]
    assert [item.num_failed for item in done] == [1, 1, 0]
    data, inbox = files(first, done)
    rebuilt = rebuild(data, inbox)
    assert rebuilt.ledger.root == done[-1].ledger.root
    assert dict(rebuilt.ledger.cells) == dict(done[-1].ledger.cells)
    assert rebuilt.ledger.codes == done[-1].ledger.codes
    assert (rebuilt.num_batches, rebuilt.events_left) == (3, 0)
    again = [item.public_values for item in replay_all(data, read_inbox(inbox))]
    assert again == [item.public_values for item in done]


def test_damaged_or_missing_data_is_refused() -> None:
    data, inbox = files(*chain())
    for bad, events, reason in (
        (b"XXXX" + data[4:], inbox, CodecReason.MAGIC),
        (data[:4] + b"\7" + data[5:], inbox, CodecReason.VERSION),
        (data[:-1], inbox, CodecReason.TRUNCATED),
        (data, inbox[:-88], CodecReason.TRUNCATED),
        (data, inbox[:-1], CodecReason.TRUNCATED),
    ):
        with pytest.raises(CodecError) as caught:
            rebuild(bad, events)
        assert caught.value.reason == reason
    with pytest.raises(BatchRefused):  # the first byte of the last transaction: another signer
        rebuild(data[:-88] + bytes([200]) + data[-87:], inbox)


def test_store_keeps_code_and_what_was_published(tmp_path: Path) -> None:
    first, done = chain()
    with Store.create(tmp_path / "state.db", first.cells) as store:
        for item in done:
            store.commit(item)
        ledger = store.ledger()
        assert isinstance(ledger.cells[NEXT_FREE + 1], ProgramCell)
        assert list(ledger.codes.values()) == [CODE]
        assert store.ledger(0).codes == {}
        assert [store.published(i) for i in (1, 2, 3)] == [encode_batch(item.batch) for item in done]
        assert [store.events(i) for i in (1, 2, 3)] == [encode_events(item.batch.events) for item in done]
