"""A bounded share of `make kill`; and its checks find what they are for."""

from __future__ import annotations

import random
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from circuits.rollup.batch import Batch
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from tests.kill.campaign import COUNTED, Life, Moment, campaign
from tests.kill.checks import Lost, check_leaves, check_proof, check_store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return Life(tmp_path_factory.mktemp("life"), random.Random(1))


@pytest.fixture
def life(made: Life, tmp_path: Path) -> Life:
    """A copy that a test may damage."""
    root = Path(shutil.copytree(made.root, tmp_path / "copy"))
    life = object.__new__(Life)
    life.__dict__ = {
        **made.__dict__, "root": root, "batch": root / "batch", "wallet": root / "wallet", "proof": root / "proof",
    }  # fmt: skip
    return life


@pytest.mark.slow
def test_thirty_kills_lose_nothing(tmp_path: Path) -> None:
    *moments, end = campaign(tmp_path, 30, seed=1)
    kills = [m for m in moments if isinstance(m, Moment) and m.number and m.command in COUNTED]
    assert len(kills) == 30 and {m.command for m in kills} == set(COUNTED)
    assert isinstance(end, str) and end.endswith("the same")


def test_half_a_proof_is_found(life: Life) -> None:
    before = life.snapshot()
    assert life.check("prove", before, "") == "old"
    life.proof.write_bytes(before.proof[:-1])
    with pytest.raises(Lost, match="half a proof"):
        life.check("prove", before, "")
    with pytest.raises(Lost, match="half a proof"):
        check_proof(life.proof, b"", before.root_after)


def test_a_commit_that_was_reported_and_lost_is_found(life: Life) -> None:
    before = life.snapshot()
    with pytest.raises(Lost, match="reported"):
        life.check("commit", before, "the state store is at batch 1")
    life.done(*life.arguments("commit"))
    assert life.check("commit", before, "the state store is at batch 1") == "new"
    with pytest.raises(Lost, match="a batch"):
        life.check("prove", before, "")


def test_a_damaged_store_is_found(life: Life) -> None:
    with sqlite3.connect(life.batch / STATE_FILE) as db:
        db.execute("UPDATE cells SET elements = zeroblob(80) WHERE cell = 0")
    db.close()
    with pytest.raises(Lost, match="the store"):
        check_store(life.batch / STATE_FILE)


def test_a_changed_batch_file_and_a_missing_transaction_are_found(life: Life) -> None:
    before = life.snapshot()
    batch = Batch.decode(before.batch)
    (life.batch / BATCH_FILE).write_bytes(replace(batch, transactions=batch.transactions[1:]).encode())
    with pytest.raises(Lost, match="batch file"):
        life.check("execute", before, "")
    with pytest.raises(Lost, match="earlier transactions"):
        life.check("sign", before, "")


def test_a_leaf_that_could_sign_again_is_found(life: Life) -> None:
    before = life.snapshot()
    batch = Batch.decode(before.batch)
    with sqlite3.connect(life.wallet / "wallet.db") as db:
        db.execute("DROP TRIGGER counters_only_rise")
        db.execute("UPDATE keys SET next_leaf = 0")
    db.close()
    with pytest.raises(Lost, match="counter"):
        check_leaves(life.wallet, batch, before.leaves)
    with pytest.raises(Lost, match="left the wallet"):
        check_leaves(life.wallet, batch, {})
