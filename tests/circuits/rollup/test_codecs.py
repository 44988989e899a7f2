"""Every record: bytes and words both ways, and refusal of every other byte string."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import (
    EMPTY_WORDS,
    BlockCell,
    DataCell,
    HookCell,
    InboxCell,
    KeyCell,
    ProgramCell,
    Purse,
    SystemCell,
    cell_from_words,
    leaf_digest,
    words_of,
)
from circuits.rollup.codec import Reader
from circuits.rollup.errors import CodecError, CodecReason, RollupError
from circuits.rollup.hashing import chain_digests, columns_digests, leaf_digests
from circuits.rollup.public_values import NUM_PUBLIC_ELEMENTS, PublicValues
from circuits.rollup.signatures import message_digests, owner_digests
from circuits.rollup.types import (
    BlockHash,
    Call,
    Calls,
    Deploy,
    Deposit,
    ForcedExit,
    Rotate,
    SignedTransaction,
    Transfer,
    Withdraw,
    read_event,
    read_transaction,
    withdraw_script,
)
from circuits.rollup.words import pair_word, u64_word, word_pair, word_u64
from circuits.tags import TAG_EVENT
from circuits.xmss.scheme import PublicKey, Signature
from prover.poseidon2 import P
from tests.circuits.rollup.builders import batch, deposit, ledger, run, transfer, withdraw

u32 = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 0xFFFF, 0x10000, 2**30, 2**32 - 1]))
u64 = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**16, 2**32, 2**48, 2**64 - 1]))
element = st.one_of(st.integers(0, P - 1), st.sampled_from([0, P - 1]))
digest = st.tuples(*[element] * 8)
cells = st.one_of(
    st.none(),
    st.builds(Purse, digest, u64, u32, u32, u32),
    st.builds(ProgramCell, digest, u32),
    st.builds(DataCell, u32, st.tuples(u64, u64, u64, u64)),
    st.builds(SystemCell, u32, u32, u64, u32, u32, u32, u32),
    st.builds(InboxCell, digest, u32, u32),
    st.builds(BlockCell, u32, st.tuples(u64, u64, u64, u64)),
    st.builds(HookCell, u32),
    st.builds(KeyCell, u32, digest),
)
txids = st.binary(min_size=32, max_size=32)
events = st.one_of(
    st.builds(Deposit, u32, txids, u32, u64, digest, u32, u32.filter(lambda kind: kind not in (2, 3))),
    st.builds(ForcedExit, u32, txids, u32, u32, u64, digest, st.binary(min_size=40, max_size=40), u64),
    st.builds(BlockHash, u32, txids),
)
transfers = st.builds(
    Transfer, u32, u32, u32, u32, u64, u64, u32, u32, u32.filter(lambda op: not 1 <= op <= 4)
)
script = st.binary(min_size=40, max_size=40)
withdrawals = st.builds(Withdraw, u32, u32, u32, u64, u64, script, u64, u32, u32, u32)
rotations = st.builds(Rotate, u32, u32, u32, digest, u64, u32, st.integers(0, 1 << 30))
deployments = st.builds(Deploy, u32, u32, u32, st.lists(u64, min_size=1, max_size=5).map(tuple), u64, u32)
arguments = st.tuples(u64, u64, u64, u64)
call_lists = st.lists(st.builds(Call, u32, u32, arguments), min_size=1, max_size=16).map(tuple)
lists_of_calls = st.builds(Calls, u32, u32, u32, call_lists, u32, u64, u32)
transactions = st.one_of(transfers, withdrawals, rotations, deployments, lists_of_calls)


def signed(tx, salt=0):
    key = PublicKey(tuple(range(salt, salt + 8)), (300, 1, 2, 3, P - 1), 8)
    values = tuple((i + salt,) * 8 for i in range(64))
    return SignedTransaction(tx, key, Signature((salt,) * 6, values, ((P - 1,) * 8,) * 8))


def small_batch():
    return Batch(7, Header(4, 16, 20, 100, 1), (deposit(),), (signed(transfer()), signed(withdraw(), 5)))


@given(u64, u32, u32)
def test_words_round_trip(value, low, high):
    assert word_u64(u64_word(value)) == value
    assert word_pair(pair_word(low, high)) == (low, high)
    assert u64_word(low | high << 32) == pair_word(low, high)


@given(cells)
def test_cell_words_round_trip(cell):
    if cell is not None:
        cell.check()
    assert cell_from_words(words_of(cell)) == cell


@settings(max_examples=20, deadline=None)
@given(st.lists(cells, min_size=1, max_size=4))
def test_leaf_digests_equal_the_plain_ones(many):
    assert columns_digests(leaf_digests(many)) == [leaf_digest(cell) for cell in many]


@pytest.mark.parametrize(
    ("place", "word", "reason"),
    [
        (0, (9, 0, 0, 0), CodecReason.KIND),
        (0, (0, 0, 0, 0), CodecReason.KIND),
        (0, (1, 1, 0, 0), CodecReason.KIND),
        (0, (P, 0, 0, 0), CodecReason.NOT_CANONICAL),
        (0, (65536, 0, 0, 0), CodecReason.RANGE),
        (3, (0, 0, 0, 65536), CodecReason.RANGE),
        (4, (0, 65536, 0, 0), CodecReason.RANGE),
        (1, (0, 0, 0), CodecReason.LENGTH),
    ],
)
def test_malformed_cell_words_are_refused(place, word, reason):
    words = list(Purse((1,) * 8, 5).words())
    words[place] = word
    with pytest.raises(CodecError) as caught:
        cell_from_words(words)
    assert caught.value.reason == reason


def test_nonzero_words_that_a_kind_leaves_empty_are_refused():
    for cell, place in (
        (ProgramCell((1,) * 8, 3), 3),
        (InboxCell(), 4),
        (SystemCell(1, 0, 0, 0, 16, 1, 0), 0),
    ):
        words = list(cell.words())
        words[place] = (words[place][0], 0, 1, 0)
        with pytest.raises(CodecError) as caught:
            cell_from_words(words)
        assert caught.value.reason == CodecReason.NOT_CANONICAL


def test_cell_checks_refuse_what_does_not_fit():
    for bad in (
        Purse((1,) * 7),
        Purse((P,) * 8),
        Purse((0,) * 8, 2**64),
        Purse((0,) * 8, -1),
        DataCell(0, (0,) * 3),
    ):
        with pytest.raises(CodecError):
            bad.check()
    assert words_of(None) == EMPTY_WORDS


@given(events)
def test_event_round_trip(event):
    reader = Reader(event.encode())
    assert read_event(reader) == event
    reader.done()
    forced = isinstance(event, ForcedExit)
    assert len(event.encode()) == (136 if forced else 88)
    assert len(event.words()) == (15 if forced else 9)


@given(transactions)
def test_transaction_bytes_are_its_words(tx):
    data = tx.encode()
    assert len(data) == tx.num_bytes
    if not isinstance(tx, Rotate):  # whose owner is raw words
        assert struct.unpack(f"<{len(data) // 8}Q", data) == tuple(word_u64(word) for word in tx.words())
    reader = Reader(data)
    assert read_transaction(reader, tx.nonce) == tx
    reader.done()


@settings(max_examples=20, deadline=None)
@given(st.lists(transactions, min_size=1, max_size=5), st.lists(events, min_size=1, max_size=3), u32)
def test_digests_of_many_equal_the_plain_ones(txs, some_events, chain_id):
    many = [signed(tx) for tx in txs]
    assert message_digests(chain_id, many) == [tx.digest(chain_id) for tx in txs]
    assert owner_digests([s.public_key for s in many]) == [s.public_key.owner() for s in many]
    words = [event.words() for event in some_events]
    chains = [[w[i : i + 3] for i in range(0, len(w), 3)] for w in words]
    assert chain_digests(TAG_EVENT, chains) == [event.digest() for event in some_events]


def test_every_signed_field_changes_the_digest():
    for tx in (transfer(), withdraw()):
        seen = {tx.digest(7), tx.digest(8)}
        changes = {
            "signer": 3,
            "nonce": 99,
            "leaf": 99,
            "amount": 7,
            "max_fee": 7,
            "tip": 99,
            "program": 1,
            "to": 99,
        }
        changes |= {"script": bytes(40), "script_length": 3} if isinstance(tx, Withdraw) else {"op": 9}
        for name, value in changes.items():
            fields = {f: getattr(tx, f) for f in tx.__slots__} | {name: value}
            seen.add(type(tx)(**fields).digest(7))
        assert len(seen) == 2 + len(changes)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: transfer(signer=1 << 32), CodecReason.RANGE),
        (lambda: transfer(amount=-1), CodecReason.RANGE),
        (lambda: transfer(op=1), CodecReason.KIND),
        (lambda: withdraw(script=b"x"), CodecReason.LENGTH),
        (lambda: withdraw(script_length=1 << 64), CodecReason.RANGE),
        (lambda: deposit(txid=b""), CodecReason.LENGTH),
        (lambda: deposit(owner=(P,) * 8), CodecReason.NOT_CANONICAL),
        (lambda: withdraw_script(b""), CodecReason.LENGTH),
        (lambda: withdraw_script(bytes(41)), CodecReason.LENGTH),
        (lambda: batch(slot=1 << 32), CodecReason.RANGE),
        (lambda: batch(chain_id=-1), CodecReason.RANGE),
    ],
)
def test_records_refuse_values_out_of_range(make, reason):
    with pytest.raises(CodecError) as caught:
        make()
    assert caught.value.reason == reason


def test_batch_round_trip():
    whole = small_batch()
    assert Batch.decode(whole.encode()) == whole


def test_batch_cut_anywhere_is_truncated():
    data = small_batch().encode()
    for size in [*range(400), *range(400, len(data), 97), len(data) - 1]:
        with pytest.raises(CodecError) as caught:
            Batch.decode(data[:size])
        assert caught.value.reason == CodecReason.TRUNCATED


def test_batch_with_more_bytes_is_refused():
    with pytest.raises(CodecError) as caught:
        Batch.decode(small_batch().encode() + b"\0")
    assert caught.value.reason == CodecReason.TRAILING


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, b"PEGX", CodecReason.MAGIC),
        (4, b"\1\0\0\0", CodecReason.VERSION),
        (36, b"\2\0\0\0", CodecReason.PUBLIC_KEY),
        (36, b"\xff\xff\xff\xff", CodecReason.NOT_CANONICAL),
        (40, b"\3\0\0\0", CodecReason.TRUNCATED),
        (40, b"\1\0\0\0", CodecReason.TRAILING),
        (44 + 56, b"\1\0\0\x7f", CodecReason.NOT_CANONICAL),
        (44 + 88 + 44, b"\1\0\0\x7f", CodecReason.PUBLIC_KEY),
        (44 + 88 + 44 + 52, b"\7", CodecReason.PUBLIC_KEY),
        (44 + 88 + 44 + 53, b"\1\0\0\x7f", CodecReason.SIGNATURE),
    ],
)
def test_changed_batch_bytes_are_refused_with_their_reason(offset, value, reason):
    data = bytearray(small_batch().encode())
    data[offset : offset + len(value)] = value
    with pytest.raises(CodecError) as caught:
        Batch.decode(bytes(data))
    assert caught.value.reason == reason


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_garbage_is_refused_or_canonical(data):
    whole = small_batch().encode()
    mutated = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, min(700, len(whole) - 1)))] = data.draw(st.integers(0, 255))
    tail = data.draw(
        st.one_of(st.just(bytes(mutated)), st.binary(max_size=200), st.just(b"PEGB\1\0\0\0" + bytes(36)))
    )
    try:
        decoded = Batch.decode(tail)
    except RollupError as error:
        assert isinstance(error, CodecError)
    else:
        assert decoded.encode() == tail


def test_public_values_round_trip_and_refusals():
    values = run(ledger(), batch(transfer(), withdraw(1000), events=[deposit()])).public_values
    flat = values.elements()
    assert len(flat) == NUM_PUBLIC_ELEMENTS == 116
    assert len(values.words()) == 23
    assert PublicValues.from_elements(flat) == values
    for bad, reason in (
        (flat[:-1], CodecReason.LENGTH),
        ((*flat, 0), CodecReason.LENGTH),
        ((P, *flat[1:]), CodecReason.NOT_CANONICAL),
        ((*flat[:24], 65536, *flat[25:]), CodecReason.RANGE),
        ((*flat[:34], 1, *flat[35:]), CodecReason.NOT_CANONICAL),
        ((*flat[:-9], 1, *flat[-8:]), CodecReason.NOT_CANONICAL),
    ):
        with pytest.raises(CodecError) as caught:
            PublicValues.from_elements(bad)
        assert caught.value.reason == reason


@given(st.lists(st.one_of(st.integers(0, 65535), element), min_size=116, max_size=116))
def test_public_values_are_canonical(flat):
    try:
        values = PublicValues.from_elements(flat)
    except CodecError:
        return
    assert list(values.elements()) == flat
