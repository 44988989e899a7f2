"""The store keeps what it committed, says clearly what it cannot use, survives kill -9 and a full disk."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from circuits.rollup import store as store_module
from circuits.rollup.errors import CodecError, StoreError, StoreReason
from circuits.rollup.files import ABANDONED_SECONDS, read_file, write_atomic
from circuits.rollup.store import Store
from tests.circuits.rollup.builders import batch, deposit, ledger, run, transfer, withdraw

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path):
    Store.create(tmp_path / "state.db", ledger().cells).close()
    return tmp_path / "state.db"


def two_batches():
    first = run(ledger(), batch(transfer(), withdraw(1000), events=[deposit()]))
    second = run(first.ledger, batch(transfer(nonce=6, leaf=11), slot=9))
    return first, second


def refused(action, *args):
    with pytest.raises(StoreError) as caught:
        action(*args)
    return caught.value.reason


def test_batches_come_back_at_every_number(path):
    first, second = two_batches()
    with Store.open(path) as store:
        assert (store.commit(first), store.commit(second)) == (1, 2)
    with Store.open(path) as store:
        assert store.batch_number() == 2
        assert dict(store.ledger().cells) == dict(second.ledger.cells)
        assert [store.ledger(n).root for n in (0, 1, 2)] == [
            ledger().root,
            first.ledger.root,
            second.ledger.root,
        ]
        assert store.public_values(1) == first.public_values
        assert (store.tape(2) == second.tape).all()
        assert refused(store.ledger, 3) == StoreReason.NO_SUCH_BATCH
        assert refused(store.public_values, 0) == StoreReason.NO_SUCH_BATCH


def test_batch_that_does_not_follow_is_stale(path):
    first, second = two_batches()
    other = run(ledger(base_fee=7), batch(transfer()))
    with Store.open(path) as store:
        assert refused(store.commit, second) == StoreReason.STALE
        assert refused(store.commit, other) == StoreReason.STALE
        store.commit(first)
        assert refused(store.commit, first) == StoreReason.STALE
        assert store.batch_number() == 1


def test_missing_existing_and_foreign_files(path, tmp_path):
    assert refused(Store.open, tmp_path / "nothing.db") == StoreReason.MISSING
    assert refused(Store.create, path, ledger().cells) == StoreReason.EXISTS
    assert refused(Store.create, tmp_path / "no" / "x.db", ledger().cells) == StoreReason.MISSING
    for content in (b"not a database at all" * 100, b"", b"SQLite format 3\0" + bytes(200)):
        (tmp_path / "x.db").write_bytes(content)
        assert refused(Store.open, tmp_path / "x.db") == StoreReason.CORRUPT
    assert (tmp_path / "x.db").read_bytes() == content


def test_genesis_must_be_in_order(tmp_path):
    cells = {i: c for i, c in ledger().cells.items() if i != 1}
    with pytest.raises(CodecError):
        Store.create(tmp_path / "x.db", cells)
    assert list(tmp_path.iterdir()) == []


def test_other_schema_version_is_refused(path):
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 3")
    raw.close()
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert (caught.value.reason, caught.value.expected, caught.value.got) == (StoreReason.VERSION, 2, 3)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE cells SET elements = zeroblob(80) WHERE cell = 17",
        "UPDATE cells SET elements = zeroblob(79) WHERE cell = 17",
        "UPDATE cells SET elements = CAST(x'ffffffff' || substr(elements, 5) AS BLOB) WHERE cell = 17",
        "UPDATE cells SET elements = (SELECT elements FROM cells WHERE cell = 1000) WHERE cell = 17",
        "DELETE FROM cells WHERE cell = 41",
        "DELETE FROM cells WHERE cell = 0",
        "DELETE FROM batches",
        "DROP TABLE cells",
        "UPDATE batches SET root = zeroblob(32)",
    ],
)
def test_damage_is_found_on_loading(path, damage):
    raw = sqlite3.connect(path)
    raw.execute(damage)
    raw.commit()
    raw.close()
    with Store.open(path) as store:
        assert refused(store.ledger) == StoreReason.CORRUPT


def test_overwritten_pages_never_give_another_state(path):
    data, good = path.read_bytes(), ledger().root
    rng = random.Random(5)
    for _ in range(30):
        bad = bytearray(data)
        start = rng.randrange(len(bad))
        bad[start : start + 64] = rng.randbytes(len(bad[start : start + 64]))
        path.write_bytes(bytes(bad))
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        try:
            with Store.open(path) as store:
                assert store.ledger().root == good
        except StoreError as error:
            assert error.reason in (StoreReason.CORRUPT, StoreReason.VERSION, StoreReason.IO)


def test_store_in_use_is_reported_and_nothing_is_written(path, monkeypatch):
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.1)
    first, _ = two_batches()
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    with Store.open(path) as store:
        assert refused(store.commit, first) == StoreReason.LOCKED
        raw.execute("ROLLBACK")
        assert store.commit(first) == 1
    raw.close()


def test_failed_commit_leaves_the_last_batch(path, monkeypatch):
    first, _ = two_batches()

    def fail(*_):
        raise KeyboardInterrupt

    with Store.open(path) as store:
        with monkeypatch.context() as patch:
            patch.setattr(store_module, "_insert_cells", fail)
            with pytest.raises(KeyboardInterrupt):
                store.commit(first)
        assert store.batch_number() == 0
        assert store.ledger().root == ledger().root
        assert store.commit(first) == 1


def test_killed_process_leaves_the_last_committed_batch(path):
    rng = random.Random(int.from_bytes(os.urandom(4), "little"))
    command = [sys.executable, "-m", "tests.circuits.rollup.commit_forever", str(path)]
    reached = 0
    for _ in range(5):
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        first = child.stdout.readline()
        time.sleep(rng.random() * 0.3)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        child.wait()
        told = [int(line) for line in (first + rest).splitlines(keepends=True) if line.endswith(b"\n")]
        with Store.open(path) as store:
            state = store.ledger()
        assert told[0] == reached + 1
        assert told[-1] <= state.system.batch_number <= told[-1] + 1
        reached = state.system.batch_number
        assert state.total_btc() == state.system.supply


@pytest.fixture
def small_files():
    """Files may not grow beyond 8 KiB, which is what a full disk does to a growing file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_leaves_the_old_file(tmp_path, small_files):
    target = tmp_path / "file"
    write_atomic(target, b"old")
    assert refused(write_atomic, target, bytes(100_000)) == StoreReason.DISK_FULL
    assert read_file(target) == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_full_disk_leaves_the_last_batch(path):
    txs = [transfer(nonce=5 + i, leaf=10 + i) for i in range(600)]
    done = run(ledger(), batch(*txs))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store.open(path) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (32768, before[1]))
        try:
            assert refused(store.commit, done) == StoreReason.DISK_FULL
            assert store.batch_number() == 0
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert store.ledger().root == ledger().root
        assert store.commit(done) == 1


def test_full_disk_leaves_no_half_store(tmp_path, small_files):
    assert refused(Store.create, tmp_path / "state.db", ledger().cells) == StoreReason.DISK_FULL
    assert list(tmp_path.iterdir()) == []


def test_files_say_what_is_missing(tmp_path):
    assert refused(read_file, tmp_path / "x") == StoreReason.MISSING
    assert refused(write_atomic, tmp_path / "no" / "x", b"") == StoreReason.MISSING
    assert refused(read_file, tmp_path) == StoreReason.IO
    write_atomic(tmp_path / "x", b"1")
    write_atomic(tmp_path / "x", b"2")
    assert read_file(tmp_path / "x") == b"2"


def test_what_a_killed_writer_left_is_removed_by_a_later_write(tmp_path):
    old, fresh, other = (tmp_path / name for name in (".x.aaaa.tmp", ".x.bbbb.tmp", ".y.aaaa.tmp"))
    for left in (old, fresh, other):
        left.write_bytes(b"half")
    for left in (old, other):
        os.utime(left, (time.time() - 2 * ABANDONED_SECONDS,) * 2)
    write_atomic(tmp_path / "x", b"1")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".x.bbbb.tmp", ".y.aaaa.tmp", "x"]
