"""Real signatures and co-signatures; the commands that show, publish and rebuild."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuits.machine.executor import run
from circuits.machine.kernel import kernel
from circuits.machine.tracer import trace
from circuits.rollup.batch import Batch
from circuits.rollup.errors import FailureReason
from circuits.rollup.execute import execute_batch
from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.transition import Transition
from examples.programs import vault
from tests.examples.signed import ALICE, BOB, KEPT, VAULT, signed_batch, write_directory
from tests.verifier.cli.conftest import run_command


@pytest.fixture(scope="module")
def done() -> Transition:
    cells, batch = signed_batch()
    assert Batch.decode(batch.encode()) == batch
    return execute_batch(Ledger.of_cells(cells), batch, strict=True).transition


def test_every_kind_of_transaction_and_event_in_one_batch(done: Transition) -> None:
    reasons = [receipt.failure for receipt in done.receipts]
    none, reason = None, FailureReason
    vault_story = [none, none, none, reason.SYSTEM_CALL, none, none, none, reason.PROGRAM]
    assert reasons == [*vault_story, none, none, reason.FAULT, reason.FAULT, reason.FAULT, reason.OUT_OF_GAS]
    assert done.ledger.cells[KEPT].balance == 1_000
    assert len(done.exits) == 2
    machine = run(kernel(), done.words_before, done.tape, programs=done.programs)
    assert machine.public.tolist() == [list(word) for word in done.public_values.words()]
    assert machine.cell_indices.tolist() == sorted(done.cells_after)
    assert len(machine.signature_leaves) == len(done.receipts) + 2 == len(done.signatures)
    assert len(machine.programs) == 2
    assert len(machine.shadows.space) > 0


def test_trace_shows_programs_with_their_gas(done: Transition) -> None:
    machine = run(kernel(), done.words_before, done.tape, programs=done.programs)
    steps = list(trace(machine, 2))
    code = vault.build((16, 17, 18)).encode()
    user = [step for step in steps if step.user]
    assert user[0].reads == (("r1", vault.SPEND),) or user[0].text.startswith("LI")
    assert all(0 <= step.pc < len(code) for step in user)
    assert any("SYS    CHECKSIG" in step.text for step in user)
    gas = [step.gas for step in steps]
    assert max(gas) == done.receipts[2].gas
    assert not any(step.shadow for step in steps)
    assert any(step.shadow for step in trace(machine, 3))
    assert all(step.line() for step in steps)
    with pytest.raises(IndexError):
        list(trace(machine, len(done.receipts)))


def test_trace_command(tmp_path: Path) -> None:
    write_directory(tmp_path)
    figures = run_command("trace", tmp_path, 2, "--json").json
    assert figures["failure"] is None
    assert figures["gas"] > 0
    assert {"clk", "pc", "instruction", "gas", "reads", "writes"} <= figures["steps"][0].keys()
    text = run_command("trace", tmp_path, 3).out
    assert "fails" in text
    assert "SYS    CHECKSIG" in text
    kernel_steps = run_command("trace", tmp_path, 5, "--json").json["steps"]
    assert len(kernel_steps) == 47  # a transfer
    outcome = run_command("trace", tmp_path, 14)
    assert (outcome.code, "no transaction 14" in outcome.err) == (1, True)


def test_published_chain_is_rebuilt_by_the_commands(tmp_path: Path) -> None:
    write_directory(tmp_path)
    cells, batch = signed_batch()
    with Store.open(tmp_path / STATE_FILE) as store:
        store.commit(execute_batch(store.ledger(), batch).transition)
    data, inbox = tmp_path / "data.bin", tmp_path / "inbox.bin"
    figures = run_command("publish", tmp_path, data, inbox, "--json").json
    assert figures["batches"] == 1
    assert figures["data_bytes"] == data.stat().st_size
    rebuilt = run_command("rebuild", data, inbox, "--check", tmp_path, "--json").json
    assert rebuilt["agrees_with_store"] is True
    assert (len(rebuilt["batches"]), rebuilt["batches"][0]["failed"]) == (1, 6)
    assert run_command("rebuild", data, inbox).code == 0
    inbox.write_bytes(inbox.read_bytes()[:-88])
    outcome = run_command("rebuild", data, inbox)
    assert outcome.code == 1
    assert cells[ALICE] != cells[BOB]
    assert VAULT in Store.open(tmp_path / STATE_FILE).ledger().cells
