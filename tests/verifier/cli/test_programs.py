"""Programs and keys by command: deploy, call, co-sign, rotate, restore; and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from circuits.machine.user_assembler import assemble_user
from examples.programs import token, vault
from tests.verifier.cli.conftest import Outcome, Run, run_command
from tests.verifier.cli.test_refusals import refused
from verifier.programs import code_text

PROGRAMS = Path(vault.__file__).parent
ALICE, BOB = 16, 17
SEED = "44" * 32
COUNTER = """
    .reg book total
    .data count
    .entries add
add:                        ; number
    MOV     total, r2
    CALL    CONTEXT, PROGRAM
    LI      book, 1
    ADD     book, book, r1
    CALL    DLOAD, book, #count
    ADD     total, total, r1
    CALL    DSTORE, book, #count, total
    CALL    EVENT, 7, total, book
    SYS     EXIT
"""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two wallets and a batch over a ledger in which both have a purse; not to be changed."""
    root = tmp_path_factory.mktemp("programs")
    wallets = ("--wallet", root / "alice", "--wallet", root / "bob")
    for arguments in (
        ("wallet", "new", root / "alice", "--height", 8),
        ("wallet", "new", root / "bob", "--height", 8, "--seed", SEED),
        ("sample", "--transfers", 1, "--seed", 2, "--out", root / "batch", *wallets),
    ):
        assert run_command(*arguments).code == 0
    (root / "counter.asm").write_text(COUNTER)
    return root


@pytest.fixture
def place(ready: Path, tmp_path: Path) -> Path:
    """A copy of `ready` that a test may change."""
    return Path(shutil.copytree(ready, tmp_path / "place"))


def wallet(run: Run, place: Path, verb: str, who: str, *arguments: object) -> Outcome:
    return run("wallet", verb, place / who, *arguments, "--batch", place / "batch", "--json")


def test_a_vault_is_deployed_filled_and_opened_by_two(run: Run, place: Path) -> None:
    owners = ("--const", f"owners={ALICE},{BOB},40")
    program = wallet(run, place, "deploy", "alice", PROGRAMS / "vault.py", *owners).json["program"]
    made = wallet(run, place, "call", "alice", f"{program}:0", f"move:{ALICE}:{program + 2}:10000").json
    assert made["events"] == [{"program": program, "values": [vault.OPENED, program + 2, 0]}]
    assert made["gas"] < made["gas_limit"] < 2 * made["gas"] and made["failure"] is None
    asked = ("--program", program, "--words", BOB, 9000, "-o", place / "co")
    leaf = wallet(run, place, "cosign", "bob", *asked).json["leaf"]
    spend = f"{program}:1:{BOB}:9000:{BOB}:{leaf}"
    before = run("wallet", "show", place / "alice", "--json").json["keys"][0]["next_leaf"]
    outcome = wallet(run, place, "call", "alice", spend)
    assert (outcome.code, outcome.json["error"]["reason"]) == (1, "COSIGNATURE")
    assert run("wallet", "show", place / "alice", "--json").json["keys"][0]["next_leaf"] == before
    assert wallet(run, place, "call", "alice", spend, "--cosignature", place / "co").code == 0
    done = run("execute", place / "batch", "--commit", "--json").json
    assert (done["failed"], done["left_out"]) == (0, [])
    assert done["deployed"][0]["program"] == program and len(done["events"]) == 1
    text = run("program", "disassemble", "--batch", place / "batch", "--cell", program).out
    assert assemble_user(text).encode() == vault.build((ALICE, BOB, 40)).encode()
    assert run("prove", place / "batch", "-o", place / "proof", "--json").code == 0
    assert run("verify", place / "proof").code == 0


def test_a_program_as_text_is_called_in_later_batches(run: Run, place: Path) -> None:
    program = wallet(run, place, "deploy", "alice", place / "counter.asm").json["program"]
    for number, total in ((5, 5), (7, 12)):
        assert run("execute", place / "batch", "--commit").code == 0
        assert run("batch", "next", place / "batch").code == 0
        called = wallet(run, place, "call", "bob", f"{program}:0:{number}").json
        assert called["events"][0]["values"] == [7, total, program + 1]
    overflow = wallet(run, place, "call", "bob", f"{program}:0:0xffffffffffffffff")
    assert "overflows" in overflow.json["error"]["message"] and overflow.code == 1
    forced = wallet(run, place, "call", "bob", f"{program}:0:{2**64 - 1}", "--even-if-it-fails").json
    assert forced["failure"] is not None and forced["events"] == []
    done = run("execute", place / "batch", "--json").json
    assert done["failed"] == 1 and "pc" in done["failures"][0]["detail"]
    traced = run("trace", place / "batch", 1)
    assert "fault" in traced.out and "fails: a program's arithmetic overflows" in traced.out


def test_an_escrow_gives_back_after_its_height(run: Run, place: Path) -> None:
    program = wallet(run, place, "deploy", "alice", PROGRAMS / "escrow.py").json["program"]
    deal = program + 2
    opened = f"{program}:0:{ALICE}/{program}:5000:1:900005"
    assert wallet(run, place, "call", "bob", opened).json["events"][0]["values"][1] == deal
    assert wallet(run, place, "call", "bob", f"move:{BOB}:{deal + 1}:5000").code == 0
    refund = ("call", "alice", f"{program}:2:{deal}")
    assert "would fail" in wallet(run, place, *refund).json["error"]["message"]
    assert run("execute", place / "batch", "--commit").code == 0
    refused(run("batch", "next", place / "batch", "--bitcoin-height", 1), "height 900000 already")
    assert run("batch", "next", place / "batch", "--bitcoin-height", 900_005).code == 0
    assert wallet(run, place, *refund).json["events"] == [{"program": program, "values": [3, deal, 5000]}]


def test_events_of_bitcoin_are_taken_in(run: Run, place: Path) -> None:
    owner = run("wallet", "show", place / "bob", "--json").json["keys"][0]["owner"]
    outpoint = {"height": 900_000, "txid": "ab" * 32, "vout": 0}
    leave = {"kind": "forced_exit", **outpoint, "sats": 700, "owner": owner, "script": "0014" + "00" * 20}
    events = [
        {"kind": "deposit", **outpoint, "sats": 1000, "owner": owner, "cell": BOB},
        {"kind": "deposit", **outpoint, "sats": 500, "owner": owner},
        {**leave, "cell": BOB},
        {**leave, "cell": ALICE},
        {"kind": "block", "height": 900_000, "hash": "cd" * 32},
    ]
    before = run("execute", place / "batch", "--json").json
    (place / "events").write_text(json.dumps(events))
    taken = run("batch", "events", place / "batch", place / "events", "--json").json
    assert taken["deposits_msat"] == before["deposits_msat"] + 1_500_000
    done = run("execute", place / "batch", "--commit", "--json").json
    assert done["withdrawals_msat"] == before["withdrawals_msat"] + 700_000, "of bob's own purse alone"
    assert run("batch", "next", place / "batch").code == 0
    shown = run("wallet", "show", place / "bob", "--batch", place / "batch", "--json").json["keys"][0][
        "purses"
    ]
    assert [purse["balance_msat"] for purse in shown] == [10**9 + 300_000, 500_000]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "no JSON"),
        ("{}", "a list of objects"),
        ('[{"kind": "gift"}]', "unknown kind"),
        ('[{"kind": "block", "height": 1}]', "hash"),
        ('[{"kind": "block", "height": 1, "hash": "00"}]', "wrong length"),
        ('[{"kind": "block", "height": -1, "hash": "%s"}]' % ("00" * 32), "out of range"),
        ('[{"kind": "block", "height": 1, "hash": "00", "x": 1}]', "unknown field x"),
        (
            '[{"kind": "deposit", "height": 1, "txid": "00", "vout": 0, "sats": 1, "owner": "00"}]',
            "too early",
        ),
    ],
)
def test_malformed_events_are_refused(run: Run, place: Path, text: str, word: str) -> None:
    batch = (place / "batch/batch.bin").read_bytes()
    (place / "events").write_text(text)
    refused(run("batch", "events", place / "batch", place / "events"), word)
    refused(run("batch", "events", place / "batch", place / "none"), "no such file")
    assert (place / "batch/batch.bin").read_bytes() == batch


def test_gas_limits(run: Run, place: Path) -> None:
    program = wallet(run, place, "deploy", "alice", place / "counter.asm").json["program"]
    call = f"{program}:0:1"
    used = wallet(run, place, "call", "bob", call).json["gas"]
    assert wallet(run, place, "call", "bob", call, "--gas-limit", used).json["gas"] == used
    short = wallet(run, place, "call", "bob", call, "--gas-limit", used - 10)
    assert "gas exceeds its limit" in short.json["error"]["message"]
    assert wallet(run, place, "call", "bob", call, "--gas-limit", 1).json["error"]["reason"] == "GAS_LIMIT"
    poor = wallet(run, place, "call", "bob", call, "--max-fee-msat", 1).json["error"]["message"]
    assert "0 gas can be paid" in poor and "1,200 before they run" in poor


def test_a_purse_goes_to_a_new_key_which_signs_on(run: Run, place: Path) -> None:
    rotated = wallet(run, place, "rotate", "bob", "--height", 8).json
    assert (rotated["key"], rotated["kind"]) == (1, "rotate")
    payment = ("--to", ALICE, "--amount-msat", 1000)
    assert wallet(run, place, "sign", "bob", *payment).json["leaf"] == 0, "a leaf of the new key"
    assert run("execute", place / "batch", "--commit", "--json").json["left_out"] == []
    shown = run("wallet", "show", place / "bob", "--batch", place / "batch", "--json").json
    assert [len(key["purses"]) for key in shown["keys"]] == [1, 0], "before the batch"
    assert run("batch", "next", place / "batch").code == 0
    shown = run("wallet", "show", place / "bob", "--batch", place / "batch", "--json").json
    assert [len(key["purses"]) for key in shown["keys"]] == [0, 1]
    written = run("wallet", "seed", place / "bob", "--json").json
    assert written == {"seed": SEED, "heights": [8, 8], "earlier_restores": 0}
    restore = ("wallet", "restore", place / "again", "--seed", SEED, "--json")
    given = (*restore, "--height", 8, "--height", 8, "--batch", place / "batch")
    restored = run(*given).json["keys"]
    told = run("wallet", "seed", place / "again").out
    assert SEED in told and "--height 8 --height 8 --earlier-restores 1" in told
    assert restored[1]["next_leaf"] == 1 + 32, "the ledger's leaf and an eighth of the key"
    assert restored[0]["signatures_left"] == 0, "the old key is used up"
    assert wallet(run, place, "sign", "again", *payment).json["leaf"] == 33


def test_an_interrupted_rotation_goes_on_with_the_key_that_was_made(run: Run, place: Path) -> None:
    wallet(run, place, "rotate", "bob", "--height", 8, "--max-fee-msat", 1)
    assert len(run("wallet", "show", place / "bob", "--json").json["keys"]) == 2
    assert wallet(run, place, "rotate", "bob", "--height", 8).json["key"] == 1


def test_restore_needs_what_it_cannot_know(run: Run, place: Path) -> None:
    restore = ("wallet", "restore", place / "again", "--seed", SEED)
    assert run(*restore).code == 2
    assert run(*restore, "--batch", place / "batch", "--ledger-leaf", 1).code == 2
    assert run(*restore, "--height", 8, "--height", 8, "--ledger-leaf", 1).code == 2
    refused(
        run(*restore, "--height", 9, "--batch", place / "batch"), "owns no purse", "check seed and heights"
    )
    assert not (place / "again").exists()


@pytest.mark.parametrize(
    "call",
    [
        "",
        "5",
        "x:1",
        "5:1:2:3:4:5:6",
        "move:1:2",
        "5:-1",
        "5:1:0x10000000000000000",
        "4294967296:1",
        "5:1:1/x",
    ],
)
def test_a_malformed_call_is_a_usage_error(run: Run, place: Path, call: str) -> None:
    outcome = run("wallet", "call", place / "alice", "--batch", place / "batch", call)
    assert outcome.code == 2 and "Usage:" in outcome.err


def test_calls_that_would_fail_are_not_signed(run: Run, place: Path) -> None:
    batch = (place / "batch/batch.bin").read_bytes()
    sign = ("wallet", "call", place / "alice", "--batch", place / "batch")
    refused(run(*sign, "999:0"), "would fail", "no such program")
    refused(run(*sign, f"move:{BOB}:{ALICE}:1"), "not the signer's")
    missing = ("wallet", "sign", place / "alice", "--batch", place / "batch", "--to", 999, "--amount-msat", 1)
    refused(run(*missing), "recipient is not a BTC purse")
    assert (place / "batch/batch.bin").read_bytes() == batch
    assert run(*missing, "--even-if-it-fails").code == 0
    (place / "junk").write_bytes(b"junk")
    refused(run(*sign, f"move:{ALICE}:{BOB}:1", "--cosignature", place / "junk"), "bytes end too early")


def test_assemble_and_disassemble(run: Run, place: Path) -> None:
    made = ("program", "assemble", PROGRAMS / "token.py", "--const", "owner=5", "-o", place / "token.hex")
    figures = run(*made, "--json").json
    code = token.build(5).encode()
    assert (figures["instructions"], figures["deploy_gas"]) == (len(code), 4000 + 250 * len(code))
    assert (place / "token.hex").read_text() == code_text(code)
    text = run("program", "disassemble", place / "token.hex").out
    (place / "again.asm").write_text(text)
    again = run("program", "assemble", place / "again.asm", "--json").json
    assert again["code_hash"] == figures["code_hash"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LI r1, 1\nADDD r1, r1, r1\n", ("p.asm:2:", "unknown instruction", "did you mean ADD?", "[ADDD r1")),
        (".reg total\nMOV totl, r1\n", ("p.asm:2:", "did you mean total?")),
        ("JMP away\n", ("p.asm:1:", "define it as a label")),
        ("LOAD r1, r1, 0\n", ("p.asm:1:", "kernel's alone", "CALL")),
        ("00000000000000ff\n", ("p.asm:1:", "not well formed", "program assemble")),
    ],
)
def test_refused_sources_name_the_line_and_what_to_do(
    run: Run, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "p.asm").write_text(text)
    refused(run("program", "assemble", tmp_path / "p.asm", "-o", tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_refused_program_files(run: Run, place: Path) -> None:
    assemble = ("program", "assemble")
    refused(run(*assemble, place / "none.asm"), "no such file")
    refused(run(*assemble, place / "none.py"), "no such file")
    refused(run(*assemble, PROGRAMS / "token.py"), "owner", "--const")
    refused(run(*assemble, place / "counter.asm", "--const", "a=1,2"), "single numbers")
    (place / "bytes").write_bytes(b"\xff\xfe")
    refused(run(*assemble, place / "bytes"), "neither text nor code words")
    (place / "empty.py").write_text("x = 1\n")
    refused(run(*assemble, place / "empty.py"), "no function `build`")
    (place / "other.py").write_text("def build():\n    return 5\n")
    refused(run(*assemble, place / "other.py"), "not a Program")
    (place / "broken.py").write_text("def build(:\n")
    refused(run(*assemble, place / "broken.py"), "broken.py")
    for arguments in (("--const", "x"), ("--const", "x=y"), ("--const", "x=-1"), ("--const", "1x=2")):
        assert run(*assemble, place / "counter.asm", *arguments).code == 2
    show = ("program", "disassemble")
    for wrong in ((), ("--batch", place / "batch"), (place / "counter.asm", "--cell", 3)):
        assert run(*show, *wrong).code == 2
    refused(run(*show, "--batch", place / "batch", "--cell", ALICE), "is no program")
