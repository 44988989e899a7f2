"""The wallet: one leaf never signs two messages, whatever stops or doubles the process."""

import multiprocessing
import shutil
import sqlite3
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from circuits.xmss import batch, scheme, wallet_store
from circuits.xmss.errors import XmssError, XmssReason
from circuits.xmss.wallet import Restored, Wallet, ordinary_leaves, reserved_leaves
from circuits.xmss.wallet_store import WalletError, WalletReason
from prover.poseidon2 import P
from tests.circuits.xmss import numpy_kernels

SEED = bytes(range(32))
HEIGHT = 8
RESERVE = 32
ORDINARY = 192
FIRST, SECOND = (1,) * 8, (2,) * 8
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    directory = tmp_path_factory.mktemp("wallet")
    Wallet.create(directory, SEED, HEIGHT, numpy_kernels)
    return directory


@pytest.fixture
def directory(template, tmp_path):
    shutil.copytree(template, tmp_path / "wallet")
    return tmp_path / "wallet"


@pytest.fixture
def wallet(directory):
    return Wallet(directory, numpy_kernels)


def take(wallet, count=1, ledger_leaf=0, number=None, rotation=False):
    """Leaves that a signing would use, without the signing."""
    _, _, first = wallet._take_leaves([FIRST] * count, ledger_leaf, number, rotation)
    return list(range(first, first + count))


def refusal(call, *arguments, **named):
    with pytest.raises((WalletError, XmssError)) as error:
        call(*arguments, **named)
    return error.value.reason


def in_child(directory, body):
    """Run code in a process of its own, with `wallet` open; returns its exit code."""
    script = (
        "import os\nfrom pathlib import Path\n"
        "from circuits.xmss import batch, wallet_store\nfrom circuits.xmss.wallet import Wallet\n"
        "from tests.circuits.xmss import numpy_kernels\n"
        f"wallet = Wallet(Path({str(directory)!r}), numpy_kernels)\n{body}\n"
    )
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode


def test_sizes_are_as_documented():
    assert reserved_leaves(HEIGHT) == RESERVE
    assert ordinary_leaves(HEIGHT) == ORDINARY
    for height in range(8, 19):
        assert ordinary_leaves(height) + 2 * reserved_leaves(height) == 2**height


def test_signatures_verify_and_use_one_leaf_each(wallet):
    first, second = wallet.sign_many([FIRST, SECOND])
    third = wallet.sign(FIRST)
    assert [first.leaf, second.leaf, third.leaf] == [0, 1, 2]
    for signed in (first, second, third):
        public = signed.public_key
        scheme.verify(public.owner(), public, signed.leaf, signed.message, signed.signature)


def test_keys_shows_the_counters(wallet):
    take(wallet, 3)
    take(wallet, 1, ledger_leaf=2)
    [state] = wallet.keys()
    assert (state.number, state.next_leaf, state.ledger_leaf) == (0, 4, 2)
    assert state.signatures_left == ORDINARY - 4
    assert state.public_key.height == HEIGHT


def test_the_leaf_is_on_disk_before_the_signature_is_made(wallet, directory, monkeypatch):
    seen = []

    def look(requests, kernels):
        with sqlite3.connect(directory / "wallet.db") as db:
            seen.append(db.execute("SELECT next_leaf FROM keys").fetchone()[0])
            seen.append(db.execute("SELECT count(*) FROM leaves").fetchone()[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "sign", look)
    with pytest.raises(KeyboardInterrupt):
        wallet.sign_many([FIRST, SECOND])
    assert seen == [2, 2]


def test_a_crash_between_store_and_return_costs_a_leaf_and_reuses_none(wallet, directory):
    body = "batch.sign = lambda *_: os._exit(9)\nwallet.sign((1,) * 8)"
    assert in_child(directory, body) == 9
    after = wallet.sign(SECOND)
    assert after.leaf == 1
    repeated = wallet.repeat(0)
    assert repeated.message == FIRST
    public = repeated.public_key
    scheme.verify(public.owner(), public, 0, FIRST, repeated.signature)


def test_a_crash_before_the_commit_uses_no_leaf(wallet, directory):
    body = (
        "with wallet_store.transaction(wallet._path) as db:\n"
        "    db.execute('UPDATE keys SET next_leaf = 7')\n    os._exit(9)"
    )
    assert in_child(directory, body) == 9
    assert take(wallet) == [0]


def take_some(directory, count, queue):
    wallet = Wallet(Path(directory), numpy_kernels)
    queue.put([leaf for _ in range(count) for leaf in take(wallet)])


def test_concurrent_processes_take_different_leaves(wallet, directory):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=take_some, args=(str(directory), 6, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    taken = [leaf for _ in processes for leaf in queue.get(timeout=60)]
    for process in processes:
        process.join(60)
    assert sorted(taken) == list(range(18))
    assert take(wallet) == [18]


def test_a_held_lock_is_reported(wallet, directory, monkeypatch):
    monkeypatch.setattr(wallet_store, "LOCK_SECONDS", 0.05)
    with wallet_store.transaction(directory / "wallet.db"):
        assert refusal(take, wallet) == WalletReason.LOCKED
    assert take(wallet) == [0]


def test_repeat_gives_the_same_signature_and_nothing_new(wallet):
    signed = wallet.sign(FIRST)
    assert wallet.repeat(signed.leaf) == signed
    assert refusal(wallet.repeat, 1) == WalletReason.NO_LEAF
    assert refusal(wallet.repeat, 0, 5) == WalletReason.NO_KEY
    assert take(wallet) == [1]


def test_leaves_start_at_the_ledgers(wallet):
    assert take(wallet, ledger_leaf=50) == [50]
    assert take(wallet, ledger_leaf=0) == [51]


def test_a_wallet_does_not_run_ahead_of_the_ledger(wallet):
    take(wallet, RESERVE)
    assert refusal(take, wallet) == WalletReason.AHEAD
    assert take(wallet, ledger_leaf=1) == [RESERVE]
    assert refusal(take, wallet, 2, ledger_leaf=2) == WalletReason.AHEAD
    assert take(wallet, ledger_leaf=RESERVE) == [RESERVE + 1]


def test_leaves_that_run_out_ask_for_rotation(wallet):
    take(wallet, 2, ledger_leaf=ORDINARY - 3)
    assert refusal(take, wallet, 2) == WalletReason.EXHAUSTED
    assert take(wallet) == [ORDINARY - 1]
    reason = refusal(wallet.sign, FIRST)
    assert reason == WalletReason.EXHAUSTED
    assert "rotate" in reason.value
    assert take(wallet, rotation=True) == [ORDINARY]
    assert refusal(take, wallet, ledger_leaf=256, rotation=True) == WalletReason.EXHAUSTED


def test_rotation_makes_another_key_and_keeps_the_old(wallet):
    take(wallet, 3)
    state = wallet.rotate(9)
    old, new = wallet.keys()
    assert new == state
    assert (new.number, new.next_leaf, new.public_key.height) == (1, 0, 9)
    assert new.public_key.owner() != old.public_key.owner()
    assert take(wallet) == [0]
    assert take(wallet, number=0) == [3]
    assert refusal(take, wallet, number=2) == WalletReason.NO_KEY


def test_a_bad_message_uses_no_leaf(wallet):
    assert refusal(wallet.sign_many, [FIRST, (P,) * 8]) == XmssReason.MALFORMED
    assert take(wallet) == [0]


def test_a_restored_wallet_skips_every_leaf_that_may_be_used(wallet, tmp_path):
    ledger_leaf = 10
    lost = take(wallet, RESERVE) + take(wallet, 10, ledger_leaf=ledger_leaf)
    assert refusal(take, wallet) == WalletReason.AHEAD
    used = [lost]
    for restores in range(3):
        again = Wallet.restore(
            tmp_path / str(restores), SEED, [Restored(HEIGHT, ledger_leaf)], restores, numpy_kernels
        )
        assert again.keys()[0].public_key == wallet.keys()[0].public_key
        used.append(take(again, RESERVE))
        assert refusal(take, again) == WalletReason.AHEAD
    for before, after in pairwise(used):
        assert max(before) < min(after)
    assert used[1][0] == ledger_leaf + RESERVE


def test_a_restored_wallet_goes_on_when_the_ledger_does(tmp_path):
    again = Wallet.restore(tmp_path, SEED, [Restored(HEIGHT, 10)], kernels=numpy_kernels)
    take(again, RESERVE)
    assert take(again, 2, ledger_leaf=10 + RESERVE + 2) == [74, 75]


def test_restoring_at_the_end_of_a_key_leaves_enough_to_rotate(tmp_path):
    again = Wallet.restore(tmp_path, SEED, [Restored(HEIGHT, ORDINARY)], kernels=numpy_kernels)
    assert refusal(take, again) == WalletReason.EXHAUSTED
    assert take(again, rotation=True) == [ORDINARY + RESERVE]


def test_a_key_added_after_a_restore_skips_what_the_lost_wallet_may_have_used_of_it(wallet, tmp_path):
    wallet.rotate(HEIGHT)
    used = [take(wallet, RESERVE, number=1)]
    for restores in range(2):
        directory = tmp_path / str(restores)
        again = Wallet.restore(directory, SEED, [Restored(HEIGHT, 0)], restores, numpy_kernels)
        assert again.rotate(HEIGHT).public_key == wallet.keys()[1].public_key
        used.append(take(again, RESERVE))
        assert refusal(take, again) == WalletReason.AHEAD
    assert [leaves[0] for leaves in used] == [0, RESERVE, 2 * RESERVE]


def test_a_wallet_restored_without_keys_can_add_one(tmp_path):
    again = Wallet.restore(tmp_path, SEED, [], kernels=numpy_kernels)
    assert refusal(take, again) == WalletReason.NO_KEY
    assert (again.rotate(HEIGHT).number, take(again)) == (0, [RESERVE])


def test_restoring_several_keys(tmp_path):
    keys = [Restored(HEIGHT, 100), Restored(HEIGHT, 0)]
    old, new = Wallet.restore(tmp_path, SEED, keys, kernels=numpy_kernels).keys()
    assert (old.next_leaf, new.next_leaf) == (132, 32)
    assert old.public_key != new.public_key


@pytest.mark.parametrize(("leaf", "restores"), [(-1, 0), (257, 0), (0, -1)])
def test_impossible_restores_are_refused(tmp_path, leaf, restores):
    reason = refusal(Wallet.restore, tmp_path, SEED, [Restored(HEIGHT, leaf)], restores, numpy_kernels)
    assert reason == XmssReason.EPOCH
    assert not list(tmp_path.iterdir())


def test_the_database_itself_refuses_to_forget_a_leaf(wallet, directory):
    take(wallet, 2)
    with sqlite3.connect(directory / "wallet.db") as db:
        for statement in (
            "UPDATE keys SET next_leaf = 0",
            "UPDATE keys SET ledger_leaf = -1",
            "UPDATE leaves SET message = x'00'",
            "DELETE FROM leaves",
            "INSERT INTO leaves VALUES (0, 1, x'00')",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(statement)


def test_create_never_replaces_a_wallet(wallet, directory):
    take(wallet, 5)
    assert refusal(Wallet.create, directory, bytes(32), HEIGHT, numpy_kernels) == WalletReason.EXISTS
    assert refusal(Wallet.restore, directory, SEED, []) == WalletReason.EXISTS
    assert take(wallet) == [5]
    assert [path.name for path in directory.iterdir()] == ["wallet.db"]


def test_a_race_to_create_has_one_winner(directory, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert refusal(Wallet.create, directory, bytes(32), HEIGHT, numpy_kernels) == WalletReason.EXISTS
    assert [path.name for path in directory.iterdir()] == ["wallet.db"]


def test_a_failed_creation_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "keygen", fail)
    with pytest.raises(KeyboardInterrupt):
        Wallet.create(tmp_path, SEED, HEIGHT)
    assert not list(tmp_path.iterdir())
    assert refusal(Wallet, tmp_path) == WalletReason.MISSING
    assert refusal(Wallet.create, tmp_path, b"short", HEIGHT) == XmssReason.SEED


def test_the_seed_is_readable_by_its_owner_only(directory):
    assert stat.S_IMODE((directory / "wallet.db").stat().st_mode) == 0o600


def test_a_damaged_file_is_refused(directory):
    path = directory / "wallet.db"
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    assert refusal(Wallet, directory) == WalletReason.DAMAGED


def test_another_format_is_refused(directory):
    with sqlite3.connect(directory / "wallet.db") as db:
        db.execute("UPDATE wallet SET format = 2")
    assert refusal(Wallet, directory) == WalletReason.DAMAGED


def test_a_tree_of_another_seed_is_refused(directory):
    with sqlite3.connect(directory / "wallet.db") as db:
        db.execute("UPDATE wallet SET seed = ?", (bytes(32),))
    assert refusal(Wallet(directory, numpy_kernels).keys) == XmssReason.TREE
