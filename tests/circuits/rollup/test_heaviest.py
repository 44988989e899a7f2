"""The heaviest lists of calls that gas can buy fit the largest shape alone: no transaction is unprovable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuits.machine.abi import GAS_LOADED_WORD, MAX_GAS
from circuits.machine.code import MAX_CODE_LENGTH
from circuits.machine.executor import run
from circuits.machine.isa import MULDIV_GAS, STEP_GAS
from circuits.machine.kernel import kernel
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.cells import DataCell, ProgramCell, Purse, owner_cell
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger
from circuits.rollup.params import GAS_TARGET
from circuits.rollup.types import Call
from circuits.statement import heights
from circuits.trace import machine, p24
from circuits.trace.p24 import CellUpdates
from circuits.trace.signatures import SignatureBatch
from circuits.witness import _count_hashes
from tests.circuits.rollup import builders
from tests.circuits.rollup.test_user_kernel import calls

PROGRAM, FIRST_CELL, CELLS = 60, 10_000, 4_000
SPREAD, NEXT_FREE = 1 << 17, (1 << 30) - (1 << 20)
"""Cells lie far apart, so that they share no path."""
BODIES = {
    "divisions": "MULDIV  x, r2, r3\nHGETH   x\n",
    "divisions, one after the other": "MULDIV  x, r2, r3\n",
    "sums": "ADD     x, x, r5\nSUB     y, x, r5\n",
    "sums of ever new words": "ADD     x, x, r5\nADD     y, y, x\nADD     z, z, y\n",
    "copies": "MOV     x, r2\n",
    "comparisons": "JLT     x, r2, {next}\n",
    "hashes": "CALL    HASH, x, y, z\nMOV     x, r1\n",
    "events": "SYS     EVENT\n",
    "reads of far cells": "MOV     r1, x\nSYS     BALANCE\nADD     x, x, r5\n",
    "owners of far cells": "MOV     r1, x\nSYS     OWNED\nADD     x, x, r5\n",
    "writes of far cells": "MOV     r1, x\nMOV     r3, x\nLI      r2, 0\nSYS     DSTORE\nADD     x, x, r5\n",
    "context": "LI      r1, 0\nSYS     CONTEXT\n",
    "new cells": "SYS     CREATE_DATA\n",
}


def program(body: str) -> tuple[int, ...]:
    """The body, as often as code may hold it, over and over."""
    head = f".reg x y z\n    CONST x, {FIRST_CELL}\n    CONST r5, {SPREAD}\nagain:\n"

    def repeated(times: int) -> tuple[int, ...]:
        lines = "".join(f"l{k}:\n" + body.replace("{next}", f"l{k + 1}") for k in range(times))
        return assemble_user(head + lines + f"l{times}:\n    JMP again").encode()

    size = len(repeated(2)) - len(repeated(1))
    return repeated(min(200, (MAX_CODE_LENGTH - len(repeated(1))) // size))


def rows(body: str) -> dict[str, int]:
    """Rows that a batch with one list of calls of such a program needs."""
    code = program(body)
    base = builders.ledger()
    cells = dict(base.cells)
    cells[PROGRAM] = ProgramCell(code_digest(code), len(code))
    for k in range(CELLS):
        index = FIRST_CELL + k * SPREAD
        cells[index] = DataCell(PROGRAM, (0, 0, 0, 0)) if "DSTORE" in body else Purse(owner_cell(PROGRAM), 0)
    cells[0] = replace(base.system, next_free=NEXT_FREE)
    before = Ledger.of_cells(cells, [code])
    big = (0xFEDC_BA98_7654_3210, 0x0FFF_FFFF_FFFF_FFC5, 0xFFFF_FFFF_FFFF_FF43, SPREAD)
    wanted = calls(Call(PROGRAM, 0, big), gas_limit=MAX_GAS, max_fee=10**11)
    done = builders.run(before, builders.batch(wanted))
    assert done.receipts[0].gas == MAX_GAS
    made = run(kernel(), done.words_before, done.tape, programs=done.programs)
    updates = CellUpdates(made.cell_indices, made.cells_before, made.cells_after)
    none = SignatureBatch.from_claims(())
    touched = len({(depth, int(index) >> depth) for index in made.cell_indices for depth in range(31)})
    return machine.rows_needed(made, kernel().rom_columns()) | {
        "p16": 2 * touched,
        "p24": p24.rows_needed(np.zeros((21, _count_hashes(made)), np.uint32), updates, none),
    }


def test_a_batch_that_is_full_of_divisions_or_code_has_used_the_gas_target():
    """Else whoever fills batches lowers the base fee that he pays."""
    room = heights("standard")
    assert room["muldiv"] * (STEP_GAS + MULDIV_GAS) > 0.95 * GAS_TARGET
    assert room["code"] * GAS_LOADED_WORD > GAS_TARGET


@pytest.mark.parametrize("name", BODIES)
def test_the_heaviest_list_of_calls_fits_the_largest_shape(name):
    needed, room = rows(BODIES[name]), heights("standard")
    over = {
        table: (n, room[table]) for table, n in needed.items() if n > 0.95 * room[table] and table != "range"
    }
    assert over == {}
