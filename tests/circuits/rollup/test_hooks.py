"""Hooks: programs that run before the first transaction of each batch, in the specification and in the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from circuits.machine.abi import Call as Sys
from circuits.machine.errors import MachineError
from circuits.machine.executor import run
from circuits.machine.kernel import kernel
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.batch import Batch
from circuits.rollup.cells import Cell, DataCell, HookCell, ProgramCell, Purse, owner_cell
from circuits.rollup.errors import BatchReason, BatchRefused, CodecError
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger
from circuits.rollup.transition import apply, build_tape
from circuits.rollup.types import Call
from tests.circuits.rollup import builders
from tests.circuits.rollup.builders import ALICE, PRODUCER
from tests.circuits.rollup.test_user_kernel import PURSE, calls, check, one_call, world

TELLING = """
    MOV     r8, r1
    MOV     r9, r2
    MOV     r10, r3
    MOV     r11, r4
    CALL    EVENT, r8, r9, r10
    CALL    EVENT, r11, r5, r6
    CALL    CONTEXT, INDEX
    MOV     r8, r1
    CALL    EVENT, r7, r8, r12
    SYS     EXIT
"""
"""Tells all that its registers hold, and its INDEX."""
FIRST, SECOND, THIRD = 200, 202, 204


def code_of(source: str) -> tuple[int, ...]:
    return assemble_user(source).encode()


def hooked(hooks: Mapping[int, int], **sources: str) -> Ledger:
    """The builders' world with programs at 200, 202, .., and hook cells."""
    base = world(one_call(Sys.BALANCE, PURSE))
    cells: dict[int, Cell] = dict(base.cells)
    codes = list(base.codes.values())
    for number, source in enumerate(sources.values()):
        code = code_of(source)
        index = FIRST + 2 * number
        cells[index] = ProgramCell(code_digest(code), len(code))
        cells[index + 1] = DataCell(index, (0, 0, 0, 0))
        codes.append(code)
    cells |= {index: HookCell(program) for index, program in hooks.items()}
    return Ledger.of_cells(cells, codes)


def refused_by_both(before: Ledger, batch: Batch) -> None:
    with pytest.raises(BatchRefused) as caught:
        builders.run(before, batch)
    assert caught.value.reason is BatchReason.HOOK
    words = {index: cell.words() for index, cell in before.cells.items()}
    with pytest.raises(MachineError):
        run(kernel(), words, build_tape(batch), programs=list(before.codes.values()))


def test_hook_gets_slot_producer_slot_before_height_and_no_signer() -> None:
    before = hooked({13: FIRST}, telling=TELLING)
    done = check(before, builders.batch(builders.transfer()))
    assert [event.values for event in done.hook_events] == [(0, 4, PRODUCER), (3, 100, 0), (0, 0, 0)]
    assert {(event.transaction, event.program) for event in done.hook_events} == {(0, FIRST)}
    assert done.receipts[0].gas == 600, "nobody pays for hooks"
    assert done.public_values.base_fees == 600 * builders.BASE_FEE


def test_hooks_run_in_order_up_to_the_first_empty_cell() -> None:
    source = TELLING
    for hooks, programs in (
        ({13: SECOND, 14: FIRST, 15: THIRD}, [SECOND, FIRST, THIRD]),
        ({13: FIRST, 14: FIRST}, [FIRST, FIRST]),
        ({13: FIRST, 15: THIRD}, [FIRST]),
        ({14: FIRST}, []),
    ):
        before = hooked(hooks, a=source, b=source + "\n", c=source)
        done = check(before, builders.batch())
        assert [event.program for event in done.hook_events[::3]] == programs
        assert all(event.values[0] == 0 for event in done.hook_events[2::3]), "each is call 0"


def test_hook_moves_what_its_program_owns_before_the_first_transaction() -> None:
    source = f"""
    CALL    CONTEXT, PROGRAM
    MOV     r8, r1
    CALL    MOVE, 300, {ALICE}, 70
    LI      r9, 1
    ADD     r8, r8, r9
    CALL    DSTORE, r8, 0, 5
    SYS     EXIT
    """
    before = hooked({13: FIRST}, a=source)
    cells = dict(before.cells)
    cells[300] = Purse(owner_cell(FIRST), 70)
    cells[0] = replace(before.system, supply=before.system.supply + 70)
    before = Ledger.of_cells(cells, before.codes.values())
    start = builders.balance(before, ALICE)
    done = check(before, builders.batch())
    assert builders.balance(done.ledger, ALICE) == start + 70
    assert done.ledger.cells[FIRST + 1] == DataCell(FIRST, (5, 0, 0, 0))
    refused_by_both(done.ledger, builders.batch(slot=5))  # the purse is empty: MOVE is refused


@pytest.mark.parametrize(
    "source",
    ["    SYS FAIL", "    LI r8, 1\n    SUB r9, r10, r8\n    SYS EXIT", "    CALL BALANCE, 0\n    SYS EXIT",
     "again:\n    JMP again", f"    CALL CHECKSIG, {ALICE}, 1, 2, 20\n    SYS EXIT"],
    ids=["fail", "fault", "refused", "gas", "checksig"],
)  # fmt: skip
def test_where_a_hook_fails_there_is_no_batch(source: str) -> None:
    refused_by_both(hooked({13: FIRST}, a=source), builders.batch())
    refused_by_both(
        hooked({13: FIRST, 14: SECOND}, good=TELLING, bad=source), builders.batch(builders.transfer())
    )


def test_hook_cannot_be_called_as_one() -> None:
    """An ordinary call has a signer, who is never 0: cell 0 is no purse."""
    before = hooked({}, telling=TELLING)
    done = check(before, builders.batch(calls(Call(FIRST))))
    assert done.receipts[0].events[1].values[2] == ALICE


def test_hook_cells_name_programs() -> None:
    base = hooked({}, a=TELLING)
    for cells in ({16: HookCell(FIRST)}, {13: HookCell(FIRST + 1)}, {13: HookCell(999)}):
        with pytest.raises(CodecError, match="hook"):
            Ledger.of_cells({**base.cells, **cells}, base.codes.values())


def test_hook_is_not_skipped() -> None:
    """The kernel reads its cells: without the program's code there is no run, and without the cell another root."""
    before = hooked({13: FIRST}, telling=TELLING)
    words = {index: cell.words() for index, cell in before.cells.items()}
    tape = build_tape(builders.batch())
    with pytest.raises(MachineError):
        run(kernel(), words, tape)
    machine = run(kernel(), words, tape, programs=list(before.codes.values()))
    assert 13 in machine.cell_indices.tolist()
    assert apply(before, builders.batch()).public_values.event_commitment != (0,) * 8
