"""`yield`, `solvency` and `exit` over what a publisher, a disk or a user has put wrong: told, and nothing written."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from circuits.rollup.cells import Cell, Purse, SystemCell, words_of
from circuits.rollup.codec import elements_bytes
from circuits.rollup.errors import StoreError, StoreReason
from circuits.rollup.events import Deposit, ForcedExit
from circuits.rollup.ledger import Ledger
from circuits.rollup.params import EXIT_LIMIT, SYSTEM_CELL
from circuits.rollup.published import encode_events
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.types import withdraw_script
from examples.economy.season import Season
from examples.economy.world import RULES
from tests.verifier.cli.seasons import kept_season
from verifier import exits
from verifier.cli.main import cli
from verifier.economy import NAMES_FILE

BLOCKS = 24
SCRIPT = "0014" + "ab" * 20
BODY, LENGTH = withdraw_script(bytes.fromhex(SCRIPT))


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> tuple[Season, Path]:
    path = tmp_path_factory.mktemp("season")
    return kept_season(path, 13, BLOCKS), path


@pytest.fixture
def copied(season: tuple[Season, Path], tmp_path: Path) -> Path:
    """The season's directory, to be damaged."""
    return Path(shutil.copytree(season[1], tmp_path / "copy"))


def run(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def refused(*arguments: object) -> str:
    """Message of a command that says no."""
    return str(run(*arguments, code=1)["error"]["message"])


def execute(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    with sqlite3.connect(path / STATE_FILE) as connection:
        for statement, values in statements:
            connection.execute(statement, values)
    connection.close()


# yield


@pytest.mark.parametrize("account", ["999999", "0", "1", "²", "-1", "", "nobody"])
def test_yield_of_no_account_is_refused(season: tuple[Season, Path], account: str) -> None:
    assert "account" in refused("yield", season[1], f"--account={account}")


def test_yield_of_a_program_s_cell_or_another_asset_is_refused(season: tuple[Season, Path]) -> None:
    played, path = season
    for cell in (played.world.programs["staking"], played.world.tokens["tom"]):
        assert "no account" in refused("yield", path, "--account", cell)


@pytest.mark.parametrize(("first", "last"), [(BLOCKS + 1, None), (1, BLOCKS + 1), (9, 8), (10**20, 10**20)])
def test_yield_of_no_blocks_is_refused(season: tuple[Season, Path], first: int, last: int | None) -> None:
    to = [] if last is None else ["--to", last]
    assert f"1 to {BLOCKS}" in refused("yield", season[1], "--account", "ann", "--from", first, *to)


def test_yields_of_parts_are_the_yield_of_the_whole(season: tuple[Season, Path]) -> None:
    _, path = season
    for who in ("ann", "sara", "issuer"):
        whole = run("yield", path, "--account", who)
        parts = [
            run("yield", path, "--account", who, "--from", a, "--to", b)
            for a, b in ((1, 9), (10, 10), (11, BLOCKS))
        ]
        assert [b for part in parts for b in part["blocks"]] == whole["blocks"]
        assert sum(part["income_msat"] for part in parts) == whole["income_msat"]
        kinds = ("stakes_msat", "commission_msat", "produced_msat")
        assert whole["income_msat"] == sum(sum(whole[kind].values()) for kind in kinds)


def test_names_of_other_programs_are_refused(season: tuple[Season, Path], copied: Path) -> None:
    """Figures are read from cells that the names point at: those must be a staking program's, by its code."""
    names = json.loads((copied / NAMES_FILE).read_text())
    other = {**names["programs"], "staking": names["programs"]["amm"]}
    elsewhere = {**names["programs"], "staking": 10**9}
    for wrong in (
        {**names, "programs": other},
        {**names, "programs": elsewhere},
        {**names, "staking": {**names["staking"], "depth": 5}},
        {**names, "staking": {**names["staking"], "fund_rate": 501}},
        {**names, "staking": {**names["staking"], "depth": 10**6}},
        {**names, "staking": {**names["staking"], "depth": -1}},
        {**names, "staking": {**names["staking"], "bond": 2**70}},
    ):
        (copied / NAMES_FILE).write_text(json.dumps(wrong))
        assert NAMES_FILE in refused("yield", copied, "--account", "ann")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "[" * 100_000, '{"programs": []}', '{"staking": {"depth": "x"}}', "\ud800", '"names"',
     '{"staking": [], "programs": {}, "accounts": {}}', '{"staking": {"depth": Infinity}}',
     '{"staking": {}, "programs": [], "accounts": {}}', '{"staking": {}, "programs": {"staking": 1}, "accounts": 7}'],
)  # fmt: skip
def test_files_that_are_no_names_are_told(copied: Path, text: str) -> None:
    (copied / NAMES_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    for command in (("yield", copied, "--account", "1"), ("solvency", copied)):
        assert NAMES_FILE in refused(*command)


def test_stores_that_are_missing_or_damaged_are_told(copied: Path, tmp_path: Path) -> None:
    commands = (("yield", "--account", "ann"), ("solvency",))
    for name, *options in commands:
        assert "no such file" in refused(name, tmp_path / "nowhere", *options)
    for damage in (
        ("UPDATE batches SET published = NULL WHERE number = 7", ()),
        ("UPDATE batches SET published = X'' WHERE number = 7", ()),
        ("UPDATE batches SET published = CAST(published || published AS BLOB) WHERE number = 7", ()),
        ("UPDATE batches SET events = X'00' WHERE number = 7", ()),
        ("UPDATE batches SET public_values = X'00' WHERE number = 7", ()),
        ("UPDATE batches SET public_values = (SELECT max(public_values) FROM batches) WHERE number = 7", ()),
        ("DELETE FROM batches WHERE number = 7", ()),
        ("UPDATE cells SET elements = X'' WHERE batch = 0", ()),
    ):  # fmt: skip
        saved = (copied / STATE_FILE).read_bytes()
        execute(copied, ("PRAGMA foreign_keys = OFF", ()), damage)
        refused("yield", copied, "--account", "ann")
        (copied / STATE_FILE).write_bytes(saved)
    run("yield", copied, "--account", "ann")
    (copied / STATE_FILE).write_bytes(b"no database" * 1000)
    for name, *options in commands:
        refused(name, copied, *options)


def test_a_trail_is_not_read_from_bytes_that_others_have_been_proven_of(copied: Path) -> None:
    """A tip more in what is said to be published: a batch that replays as well as the true one."""
    with Store.open(copied / STATE_FILE) as store:
        published = bytearray(store.published(3))
    rate = int.from_bytes(published[12:20], "little")
    published[12:20] = (rate + 1).to_bytes(8, "little")
    execute(copied, ("UPDATE batches SET published = ? WHERE number = 3", (bytes(published),)))
    assert "batch 3" in refused("yield", copied, "--account", "ann")


# solvency


def test_solvency_of_no_batch_is_refused(season: tuple[Season, Path]) -> None:
    for at in (BLOCKS + 1, 2**32 - 1):
        assert "no such batch" in refused("solvency", season[1], "--at", at)
    for at in (-1, 2**64):
        result = CliRunner().invoke(cli, ["solvency", str(season[1]), f"--at={at}"])
        assert result.exit_code == 2 and "--at" in result.stderr


def lose(path: Path, number: int, msat: int, *, count: bool, public: bool) -> None:
    """Take from a purse in the ledger after a batch, with a root that fits.

    Args:
        path: Of the store.
        number: The batch.
        msat: How much.
        count: Have the system cell say so.
        public: Have the public values say so.
    """
    with Store.open(path / STATE_FILE) as store:
        ledger, values = store.ledger(number), store.public_values(number)
    cells: dict[int, Cell] = dict(ledger.cells)
    at, purse = next(
        (i, c) for i, c in cells.items() if isinstance(c, Purse) and c.is_btc and c.balance > msat
    )
    system = ledger.system
    cells[at] = replace(purse, balance=purse.balance - msat)
    cells[SYSTEM_CELL] = holed = replace(system, supply=system.supply - msat)
    root = Ledger.of_cells(
        cells, ledger.codes.values()
    ).root  # what a root without `count` is does not matter
    written = {at: cells[at], SYSTEM_CELL: holed if count else system}
    values = replace(values, state_root_after=root)
    if public:
        values = replace(values, supply_after=values.supply_after - msat)
    execute(
        path,
        *(
            ("INSERT OR REPLACE INTO cells VALUES (?, ?, ?)", (index, number, packed(cell)))
            for index, cell in written.items()
        ),
        (
            "UPDATE batches SET root = ?, public_values = ? WHERE number = ?",
            (elements_bytes(root), elements_bytes(values.elements()), number),
        ),
    )


def packed(cell: Cell | SystemCell) -> bytes:
    return elements_bytes(tuple(element for word in words_of(cell) for element in word))


def test_a_hole_is_noticed_however_far_it_is_covered_up(copied: Path) -> None:
    """In a purse alone; in the ledger's own count too; in the batch's public values too: the batch before tells."""
    saved = (copied / STATE_FILE).read_bytes()
    lose(copied, BLOCKS, 1, count=False, public=False)
    assert "damaged" in refused("solvency", copied)
    (copied / STATE_FILE).write_bytes(saved)
    lose(copied, BLOCKS, 1, count=True, public=False)
    result = CliRunner().invoke(cli, ["solvency", str(copied), "--json"])
    assert result.exit_code == 1 and json.loads(result.stdout)["difference_msat"] == 1
    (copied / STATE_FILE).write_bytes(saved)
    lose(copied, BLOCKS, 1, count=True, public=True)
    result = CliRunner().invoke(cli, ["solvency", str(copied), "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 1 and "supply" in result.stderr
    assert (found["difference_msat"], found["public_values_difference_msat"]) == (0, -1)


def test_public_values_of_another_ledger_are_refused(copied: Path) -> None:
    with Store.open(copied / STATE_FILE) as store:
        values = store.public_values(BLOCKS)
    for wrong in (
        replace(values, state_root_before=values.state_root_after),
        replace(values, state_root_after=values.state_root_before),
    ):
        change = "UPDATE batches SET public_values = ? WHERE number = ?"
        execute(copied, (change, (elements_bytes(wrong.elements()), BLOCKS)))
        assert "state roots" in refused("solvency", copied)


def test_solvency_without_names_tells_programs_by_their_cells(copied: Path) -> None:
    named = run("solvency", copied)["held_msat"]
    (copied / NAMES_FILE).unlink()
    bare = run("solvency", copied)["held_msat"]
    assert sorted(named.values()) == sorted(bare.values())
    assert all(kind in ("accounts", "fee purses") or kind.startswith("program ") for kind in bare)


# exit


@pytest.fixture
def public(season: tuple[Season, Path], tmp_path: Path) -> tuple[Path, Path]:
    data, inbox = tmp_path / "data", tmp_path / "inbox"
    run("publish", season[1], data, inbox)
    return data, inbox


def home(season: Season, data: Path, inbox: Path, out: Path, *options: object) -> tuple[object, ...]:
    cell, late = season.world.people["tom"], season.height + RULES.open_blocks
    usual = ("--account", cell, "--script", SCRIPT, "--bitcoin-height", late)
    return ("exit", data, inbox, out, *usual, *options)


def posted(season: Season, sats: int, number: int = 1) -> ForcedExit:
    world = season.world
    cell = world.people["tom"]
    owner = world.chain.keys[cell].public_key.owner()
    return ForcedExit(season.height, bytes([number]) * 32, 2, cell, sats, owner, BODY, LENGTH)


def test_an_exit_that_the_inbox_holds_already_is_carried_out_once(season, public, tmp_path) -> None:
    """First it is drafted, then posted on Bitcoin; the batch that follows the inbox holds it once."""
    played, _ = season
    data, inbox = public
    draft = run(*home(played, data, inbox, tmp_path / "draft"))
    assert (draft["posted"], draft["pending_events"], draft["exit_index"]) == (False, 0, 0)
    event = posted(played, draft["sats"])
    inbox.write_bytes(inbox.read_bytes() + encode_events([event]))
    for number, options in enumerate(((), ("--txid", "01" * 32, "--vout", 2), ("--sats", event.sats))):
        found = run(*home(played, data, inbox, tmp_path / f"out {number}", *options))
        assert found["event"] == event.encode().hex()
        assert (found["posted"], found["pending_events"], found["exit_index"]) == (True, 0, 0)
        assert found["exit_root"] == draft["exit_root"]
        assert run("execute", tmp_path / f"out {number}")["withdrawals_msat"] == event.sats * 1000


def test_another_s_exit_is_not_taken_for_one_s_own(season, public, tmp_path) -> None:
    """The same purse, sats and script: the leaf alone does not tell whose event was carried out."""
    played, _ = season
    data, inbox = public
    everything = played.world.chain.balance(played.world.people["tom"]) // 1000
    inbox.write_bytes(inbox.read_bytes() + encode_events([posted(played, everything)]))
    told = refused(*home(played, data, inbox, tmp_path / "out", "--txid", "07" * 32))
    assert "too little" in told and not (tmp_path / "out").exists()
    told = refused(*home(played, data, inbox, tmp_path / "out", "--txid", "07" * 32, "--sats", 1))
    assert "too little" in told, "whatever the amount"


def test_more_exits_than_a_batch_holds_take_several(season, public, tmp_path) -> None:
    """Everybody leaves at once: batch after batch, each by anybody, until one's own is in."""
    played, _ = season
    data, inbox = public
    before = inbox.read_bytes()
    queue = encode_events([posted(played, 1, number % 256) for number in range(EXIT_LIMIT + 3)])
    inbox.write_bytes(before + queue)
    own = ("--txid", "aa" * 31 + "01", "--sats", 7)
    assert "fewer events" in refused(*home(played, data, inbox, tmp_path / "no", *own))
    first = run(*home(played, data, inbox, tmp_path / "one", *own, "--take", EXIT_LIMIT))
    assert (first["exit_index"], first["exit_path"], first["events_left"]) == (None, None, 4)
    executed = run("execute", tmp_path / "one", "--commit")
    assert executed["withdrawals_msat"] == 1000 * EXIT_LIMIT and executed["shape"] == "standard"
    run("publish", tmp_path / "one", data, tmp_path / "taken")
    last = run(*home(played, data, inbox, tmp_path / "two", *own, "--bitcoin-height", played.height + 100))
    assert (last["exit_index"], last["pending_events"], last["events_left"]) == (3, 3, 0)
    assert last["state_root_before"] == first["state_root_after"] and last["batch"] == first["batch"] + 1


def test_what_a_publisher_withholds_shows_in_the_root_before(season, public, tmp_path) -> None:
    played, path = season
    data, inbox = public
    with Store.open(path / STATE_FILE) as store:
        cut = data.read_bytes()[: -len(store.published(BLOCKS))]
        root = elements_bytes(store.public_values(BLOCKS).state_root_after).hex()
    whole = run(*home(played, data, inbox, tmp_path / "whole"))
    assert whole["state_root_before"] == root and whole["batch"] == BLOCKS + 1
    data.write_bytes(cut)
    short = run(*home(played, data, inbox, tmp_path / "short"))
    assert short["state_root_before"] != root and short["batch"] == BLOCKS


def test_malformed_data_and_inboxes_are_told_and_nothing_is_written(season, public, tmp_path) -> None:
    """Bytes changed, cut, doubled, joined: a typed reason each time, or a batch that follows another root."""
    played, _ = season
    data, inbox = public
    good = {data: data.read_bytes(), inbox: inbox.read_bytes()}
    true = run(*home(played, data, inbox, tmp_path / "true"))["state_root_before"]
    rng, told = random.Random(6), 0
    for number in range(60):
        file = data if number % 3 else inbox
        content = bytearray(good[file])
        at = rng.randrange(len(content)) if number % 2 else rng.randrange(min(len(content), 400))
        kind = number % 5
        if kind == 0:
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del content[at:]
        elif kind == 2:
            content[at : at + 4] = b"\xff" * 4
        elif kind == 3:
            del content[at : at + rng.randrange(1, 100)]
        else:
            content[at:at] = rng.randbytes(rng.randrange(1, 100))
        file.write_bytes(content)
        out = tmp_path / f"out {number}"
        result = CliRunner().invoke(cli, [*map(str, home(played, data, inbox, out)), "--json"])
        if result.exit_code == 1 and isinstance(result.exception, SystemExit):
            assert json.loads(result.stdout)["error"]["message"] and not out.exists(), number
            told += 1
        else:
            assert result.exit_code == 0, (number, result.exception)
            found = json.loads(result.stdout)
            changed = found["state_root_before"] != true
            assert changed or file is data or found["pending_events"], "no event is taken in unseen"
        file.write_bytes(good[file])
    assert told > 40


def test_files_of_the_wrong_kind_are_told(season, public, tmp_path) -> None:
    played, path = season
    data, inbox = public
    for files in ((inbox, data), (data, data), (tmp_path, inbox), (data, tmp_path / "none"), (path, inbox)):
        refused(*home(played, *files, tmp_path / "out"))
        assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / BATCH_FILE).write_bytes(b"")
    assert "exists" in refused(*home(played, data, inbox, tmp_path / "full"))
    (tmp_path / "file").write_bytes(b"")
    refused(*home(played, data, inbox, tmp_path / "file"))


def test_a_disk_that_fills_up_leaves_no_half_of_an_exit(season, public, tmp_path, monkeypatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise StoreError(StoreReason.DISK_FULL, str(path))

    played, _ = season
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(exits, "write_atomic", full)
        for out in ("empty", "new"):
            assert "disk is full" in refused(*home(played, *public, tmp_path / out))
    assert sorted(tmp_path.iterdir()) == before and not list((tmp_path / "empty").iterdir())
    run(*home(played, *public, tmp_path / "empty"))
    assert (tmp_path / "empty" / BATCH_FILE).is_file()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--script", ""), "script"),
        (("--script", "00" * 41), "script"),
        (("--txid", "00"), "txid"),
        (("--txid", "zz"), "hexadecimal"),
        (("--account", 0), "no purse"),
        (("--account", 2), "no purse"),
        (("--producer", 5), "producer"),
        (("--slot", 1), "slot"),
        (("--bitcoin-height", 1), "height"),
        (("--sats", 2**64), "sats"),
    ],
)  # fmt: skip
def test_exits_that_cannot_be_are_told(season, public, tmp_path, options, told) -> None:
    played, _ = season
    found = refused(*home(played, *public, tmp_path / "out", *options))
    assert told in found and not (tmp_path / "out").exists()


def test_a_purse_without_a_whole_sat_has_nothing_to_bring_home(season, public, tmp_path) -> None:
    played, _ = season
    data, inbox = public
    owner = played.world.chain.keys[played.world.people["tom"]].public_key.owner()
    everything = played.world.chain.balance(played.world.people["tom"]) // 1000
    assert everything
    inbox.write_bytes(inbox.read_bytes() + encode_events([Deposit(1, bytes(32), 0, 5, owner, 24)]))
    found = run(*home(played, data, inbox, tmp_path / "out", "--sats", everything))
    assert found["pending_events"] == 1, "what is on its way in comes first"
