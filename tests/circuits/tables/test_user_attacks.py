"""Attacks on modes, frames, code, gas, faults and shadows: each names the rule that refuses it, and no other.

A run is made with one lie (`mini`) or its cpu, cells or code table changed; all other tables then hold what
follows (`completion`), so that what is found is what the lie itself breaks.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from circuits.machine.isa import MULDIV_GAS, STEP_GAS
from circuits.machine.isa import Opcode as O
from circuits.tables.cells import CellsColumns
from circuits.tables.code import CodeColumns
from circuits.tables.cpu import CpuColumns
from prover.field import P
from tests.circuits.tables import mini, rowcheck, user_programs
from tests.circuits.tables.completion import complete
from tests.circuits.tables.programs import op
from tests.circuits.tables.user_programs import (
    CELL,
    CELLS,
    HI,
    KERNEL,
    LO,
    PROGRAMS,
    link,
    tape,
    trap_step,
    user_case,
)

ACCEPTED: tuple[set[str], set[str]] = (set(), set())
LAYOUTS = {"cpu": CpuColumns, "cells": CellsColumns, "code": CodeColumns}


def forged(lies=None, change=None, **more) -> tuple[set[str], set[str]]:
    """Labels and relations that are broken when everything else fits the lie."""
    done = user_case(lies, **more)
    if change:
        change(*(LAYOUTS[name](list(done.tables[name])) for name in ("cpu", "cells", "code")))
    outside = complete(done.airs, done.tables)
    done.__post_init__()
    done.parts["outside"] = outside
    return set(done.violations()), {relation for relation, _ in done.unbalanced()}


@cache
def log() -> list[tuple]:
    machine = mini.Machine(KERNEL, tape(), CELLS, {trap_step(): {"op": op("TRAP")}}, list(PROGRAMS))
    while machine.step():
        pass
    return machine.log


def step(name: O, user: int, nth: int = 0) -> int:
    """The nth step (from 0) that runs an instruction in a mode."""
    return [k for k, row in enumerate(log()) if row[1][0] == name and row[6] == user][nth]


def state(k: int) -> dict[str, int]:
    """Mode and counters that step k found."""
    return dict(zip(mini.MODE, log()[k][6:], strict=False)) | {"pc": log()[k][0]}


def test_without_a_lie_the_run_is_accepted():
    assert forged() == ACCEPTED


# --- registers of others


def test_new_file_is_empty():
    k = step(O.UGET, 0, -1)
    assert forged({k: {"va": [9, 0, 0, 0]}}) == ({"memory.register_starts_zero[0]"}, set())


@pytest.mark.parametrize("nth", [0, 1, 5])
def test_file_of_the_call_before_cannot_be_kept(nth):
    k = step(O.FRAME, 0, nth)
    assert forged({k: {"uframe": state(k)["uframe"]}}) == ({"cpu.uframe_step"}, set())


def test_file_of_an_earlier_call_cannot_be_taken_up_again():
    k = step(O.FRAME, 0, 3)
    assert forged({k: {"uframe": 0}}) == ({"cpu.uframe_step"}, set())


def test_file_cannot_change_under_a_running_program():
    k = step(O.ADD, 1)
    assert forged({k: {"uframe": 40}}) == ({"cpu.uframe_step"}, set())


SECRET = link(
    op("JMP", imm0="start"), op("HALT"), op("HALT"),
    op("ENTRY", d=90, a=2, imm0=1, imm1="done"),
    "done", op("OUT", a=90, imm0=0), op("HALT"),
    "start",
    op("LI", d=9, imm0=77), op("HINTR", d=LO), op("HINTR", d=HI), op("HSET", a=LO, b=HI), op("ENTER"),
)  # fmt: skip
THIEF = link(op("MOV", d=2, a=9), op("SYS", imm0=3), op("JMP"))
MOV_STEP, CALL_STEP, KERNEL_STEP = 6, 7, 9
"""Steps of SMALL: the thief's MOV and SYS, the kernel's OUT."""
SMALL = {"program": SECRET, "programs": (THIEF,), "tape": tape((THIEF,))[1:]}
"""A program that looks for the kernel's register 9 in its own file."""


def small(lies=None, change=None):
    """The run of SMALL; no TRAP."""
    return forged({trap_step(): {}, **(lies or {})}, change, **SMALL)


def test_a_program_does_not_see_the_kernels_registers():
    assert small() == ACCEPTED


def test_first_file_cannot_be_the_kernels():
    """uframe 0 on row 0, and no FRAME before ENTER: the program would read 77."""

    def canonical(cpu, cells, code):
        for column in (cpu.uframe, cpu.frame_a, cpu.frame_d):
            column %= P

    run = mini.run(SECRET, SMALL["tape"], CELLS, {"start": {"uframe": -1}}, SMALL["programs"])
    assert [77, 0, 0, 0] in run.va.T.tolist()
    assert small({"start": {"uframe": -1}}, canonical) == ({"cpu.first_uframe"}, set())


def test_program_cannot_name_the_kernels_file():
    def name_it(cpu, cells, code):
        cpu.frame_a[MOV_STEP] = 0

    assert small({MOV_STEP: {"file_a": 0}}, name_it) == ({"cpu.frame_a"}, set())


def test_program_cannot_write_into_the_kernels_file():
    def name_it(cpu, cells, code):
        cpu.frame_d[MOV_STEP] = 0

    assert small({MOV_STEP: {"file_d": 0}}, name_it) == ({"cpu.frame_d"}, set())


def test_kernel_reads_a_users_register_by_uget_and_entry_only():
    def name_it(cpu, cells, code):
        cpu.frame_a[k] = cpu.uframe[k]

    k = step(O.UPUT, 0, 2)
    assert forged({k: {"file_a": state(k)["uframe"] + 1}}, name_it) == ({"cpu.frame_a"}, set())


# --- code


def test_program_cannot_be_exchanged_while_it_runs():
    k = step(O.LI, 1, 1)  # LI of BORROW; TOTAL goes on at 1
    lies = {trap_step(): {}, k: {"program": 1}}
    no_loop = (*PROGRAMS[:5], PROGRAMS[2])
    assert forged(lies, programs=PROGRAMS[:5], tape=tape(no_loop)) == ({"cpu.program_kept"}, set())


def test_entered_program_has_the_hash_that_the_kernel_gives():
    """The kernel says BORROW, the trace runs THIEF."""
    named = tape((user_programs.BORROW,))[1:]
    labels, relations = forged({trap_step(): {}}, program=SECRET, programs=(THIEF,), tape=named)
    assert (labels, relations) == (set(), {"program"})


@pytest.mark.parametrize("field", ["op", "d", "a", "b", "imm0", "imm1"])
def test_instruction_is_the_hashed_one(field):
    k = step(O.ADD, 1, 1)
    place = ["op", "d", "a", "b", "imm0", "imm1"].index(field)
    changed = list(log()[k][1])
    changed[place] = int(O.SUB) if field == "op" else changed[place] + 1
    labels, relations = forged({k: {"op": tuple(changed)}})
    assert labels == set()
    assert relations == {"code"}


def test_changed_listing_has_another_hash():
    def change(cpu, cells, code):
        code.imm0[0] = 6

    labels, relations = forged({step(O.LI, 1): {"op": op("LI", d=2, imm0=6)}}, change)
    assert labels == set()
    assert relations == {"hash"}


def test_changed_listing_with_its_own_hashes_is_not_the_kernels():
    code = list(PROGRAMS[0])
    code[0] = op("LI", d=2, imm0=6)
    labels, relations = forged(programs=(tuple(code), *PROGRAMS[1:]))
    assert (labels, relations) == (set(), {"program"})


def test_bytes_of_an_instruction_are_unique():
    """op + 256 d = 7 - 1 + 256 (d + 1/256): the same limb from other fields, which are no bytes."""

    def respell(cpu, cells, code):
        code.op[0] = int(code.op[0]) + 1
        code.d[0] = (int(code.d[0]) - pow(256, -1, P)) % P

    labels, relations = forged(change=respell)
    assert labels == set()
    assert relations >= {"bytes"}


def test_jump_out_of_the_code_has_nothing_to_fetch():
    away = link(op("JMP", imm0=9), op("JMP"))
    lies = {trap_step(): {}, CALL_STEP: {"op": op("SYS", imm0=3)}}
    labels, relations = forged(lies, program=SECRET, programs=(away,), tape=tape((away,))[1:])
    assert (labels, relations) == (set(), {"code"})


def test_code_goes_on_from_place_to_place():
    def jump(cpu, cells, code):
        code.pc[3] += 1

    assert "code.pc_counts" in forged(change=jump)[0]


def end_of(code, nth=0) -> int:
    return int(np.flatnonzero(np.diff(code.is_code.astype(int)) == -1)[nth]) + 1


def test_end_in_the_middle_is_the_end():
    """TOTAL is cut after three instructions; what follows has another number."""

    def cut(cpu, cells, code):
        code.is_code[3] = 0

    labels, relations = forged(change=cut)
    assert labels >= {"code.listing_counts", "code.pc_counts"}
    assert "code" in relations


def test_two_listings_cannot_share_a_number():
    """The second program's rows under the first one's number: its jump would lead into them."""

    def share(cpu, cells, code):
        code.listing[end_of(code) + 1 :] -= 1

    labels, _ = forged(change=share)
    assert labels == {"code.listing_counts"}


def test_listing_starts_with_an_empty_state():
    def start(cpu, cells, code):
        code.h[0][end_of(code) + 1] = 5

    labels, _ = forged(change=start)
    assert labels == {"code.starts_empty[0]"}


def test_listing_does_not_wrap_round():
    def wrap(cpu, cells, code):
        for column in (code.is_code, code.op):
            column[-1] = 1

    labels, _ = forged(change=wrap)
    assert "code.last_is_end" in labels


# --- modes


def test_user_cannot_fall_into_rom():
    """From BORROW's pc 0 to ROM 1 in kernel mode."""
    k = step(O.LI, 1, 1)
    assert forged({k: {"user": 0}}) == ({"cpu.user_step"}, set())


def test_kernel_cannot_fall_into_a_program():
    assert small({KERNEL_STEP: {"user": 1, "pc": 1}}) == ({"cpu.user_step", "cpu.pc_step"}, set())


@pytest.mark.parametrize(("name", "value"), [("saved_pc", 3), ("program", 7), ("gas", 40)])
def test_run_begins_from_nothing(name, value):
    """Each is overwritten before it is read: nothing else notices."""
    labels, relations = forged({"start": {name: value}})
    assert labels == {f"cpu.first_{name}"}
    assert relations == set()


@pytest.mark.parametrize("i", range(8))
def test_run_begins_without_a_hash_state(i):
    labels, relations = forged({"start": {"h": [5 * (i == j) for j in range(8)]}})
    assert (labels, relations) == ({f"cpu.first_h[{i}]"}, set())


def test_run_does_not_begin_in_user_mode():
    def begin(cpu, cells, code):
        cpu.user[0] = 1

    assert "cpu.first_user" in forged(change=begin)[0]


@pytest.mark.parametrize(
    "name", ["HINT", "LOAD", "STORE", "HSET", "HASH", "SIG", "LEAF", "OUT", "SPACE", "GASSET"]
)
def test_a_program_has_user_instructions_only(name):
    """Deployed past the kernel's check: the code holds the instruction, and nothing else refuses it."""
    bad = link(
        op("LI", d=3, imm0=1 if name == "SPACE" else 7), op(name, d=2, a=3, b=3), op("SYS", imm0=3), op("JMP")
    )
    words = [*tape((bad,))[1:], [1, 0, 0, 0]]
    labels, _ = forged({trap_step(): {}}, program=SECRET, programs=(bad,), tape=words)
    assert labels == {"cpu.user_opcodes"}


def test_system_call_leads_to_an_entry():
    bad = link(op("SYS", imm0=4), op("JMP"))  # past the ENTRY, to what follows it
    labels, relations = forged({trap_step(): {}}, program=SECRET, programs=(bad,), tape=tape((bad,))[1:])
    assert (labels, relations) == ({"cpu.entry_after_sys"}, set())


def test_entry_is_reached_by_a_system_call_only():
    kernel = [*SECRET[:-1], op("JMP", imm0=3)]
    labels, relations = forged({trap_step(): {}}, program=kernel, programs=(), tape=tape((THIEF,))[1:])
    assert (labels, relations) == ({"cpu.entry_after_sys"}, set())


def test_system_call_leads_where_the_program_says():
    k = step(O.SYS, 1)
    labels, relations = forged({k: {"pc": 4}})
    assert (labels, relations) == ({"cpu.pc_step"}, set())


def test_return_leads_to_the_place_of_the_call():
    k = step(O.SRET, 0)
    assert forged({k: {"pc": state(k)["saved_pc"] + 1}}) == ({"cpu.pc_step"}, set())


@pytest.mark.parametrize("name", [O.SYS, O.ENTRY, O.UGET])
def test_place_of_the_call_is_kept(name):
    k = step(name, int(name is O.SYS))
    other = state(step(O.SRET, 0))["saved_pc"] + 1
    assert forged({k: {"saved_pc": other}}) == ({"cpu.saved_pc_step"}, set())


def test_return_does_not_show_the_kernels_hash_state():
    k = step(O.SRET, 0)
    assert forged({k: {"h": [1, 2, 3, 4, 0, 0, 0, 0]}}) == ({f"cpu.h_set[{i}]" for i in range(4)}, set())


def test_trap_is_no_instruction_of_the_kernel():
    k = step(O.UPUT, 0, 1)
    labels, relations = forged({k: {"op": op("TRAP")}})
    assert labels == {"cpu.user_step"}
    assert relations == {"rom", "code"}


def test_trap_leads_to_its_handler():
    assert forged({trap_step(): {"op": op("TRAP"), "pc": 2}}) == ({"cpu.pc_step"}, set())


def test_trap_ends_the_program():
    k = trap_step()
    lies = {k: {"op": op("TRAP"), "user": 1, "pc": 1}, k + 1: {"op": op("TRAP")}}
    assert forged(lies) == ({"cpu.user_step"}, set())


def test_trap_may_come_at_any_step():
    """It is the kernel that refuses a trap below the limit."""
    assert forged({step(O.SUB, 1): {"op": op("TRAP")}}) == ACCEPTED


# --- faults


@pytest.mark.parametrize(
    ("name", "nth", "relation"), [(O.ADD, 0, "add"), (O.SUB, 0, "add"), (O.MULDIV, 0, "muldiv")]
)
def test_fault_without_overflow(name, nth, relation):
    labels, relations = forged({step(name, 1, nth): {"fault": 1}})
    assert (labels, relations) == (set(), {relation})


def faulting() -> list[int]:
    return [k for k, row in enumerate(log()) if row[-1]]


@pytest.mark.parametrize("nth", range(4))
def test_overflow_without_fault(nth):
    k = faulting()[nth]
    relation = "muldiv" if log()[k][1][0] == O.MULDIV else "add"
    labels, relations = forged({k: {"fault": 0}, k + 1: {"op": op("TRAP")}})
    assert labels == set()
    assert relations == {relation}


def test_fault_of_what_is_no_arithmetic():
    assert forged({step(O.LO, 1): {"fault": 1}}) == ({"cpu.fault_unused"}, set())


def test_fault_leads_to_its_handler():
    assert forged({faulting()[0]: {"pc": 1}}) == ({"cpu.pc_step"}, set())


def test_fault_ends_the_program():
    k = faulting()[0]
    lies = {k: {"user": 1, "pc": 2}}
    assert forged(lies) == ({"cpu.user_step"}, set())


def test_kernel_has_no_faults():
    kernel = list(SECRET)
    kernel[4] = op("ADD", d=90, a=91, b=91)
    lies = {trap_step(): {}, KERNEL_STEP: {"fault": 1}}
    labels, _ = forged(lies, program=kernel, programs=(THIEF,), tape=tape((THIEF,))[1:])
    assert labels == {"cpu.user_step"}


# --- gas


@pytest.mark.parametrize(
    ("name", "user"), [(O.ADD, 1), (O.SYS, 1), (O.JMP, 1), (O.ENTRY, 0), (O.GASSET, 0), (O.MOV, 1)]
)
def test_gas_is_counted(name, user):
    k = step(name, user)
    assert forged({k: {"gas": state(k)["gas"]}}) == ({"cpu.gas_step"}, set())


def test_division_costs_more() -> None:
    k = step(O.MULDIV, 1)
    assert state(k + 1)["gas"] == state(k)["gas"] + STEP_GAS + MULDIV_GAS
    assert forged({k: {"gas": state(k)["gas"] + STEP_GAS}}) == ({"cpu.gas_step"}, set())


def test_gas_of_a_trap_and_of_a_fault_is_counted():
    for k in (trap_step(), faulting()[0]):
        lie = {"op": op("TRAP")} if k == trap_step() else {}
        assert forged({k: {**lie, "gas": state(k)["gas"]}}) == ({"cpu.gas_step"}, set())


def test_gas_does_not_move_in_the_kernel():
    k = step(O.HSET, 0)
    assert forged({k: {"gas": 0}}) == ({"cpu.gas_step"}, set())


def test_kernel_sees_the_gas():
    k = step(O.GAS, 0)
    seen = mini.u64(state(k)["gas"] - 1)
    assert forged({k: {"vc": seen}}) == ({"cpu.result[GAS][0]"}, set())


def test_gas_plus_p_is_another_spelling():
    """Why the kernel compares it with 2^30 (CpuAir)."""
    k = step(O.GAS, 0)
    assert state(k)["gas"] + P < 1 << 32
    assert forged({k: {"vc": mini.u64(state(k)["gas"] + P)}}) == ACCEPTED


def test_hash_word_plus_p_is_another_spelling():
    """Why the kernel compares it with p (CpuAir)."""
    k = step(O.HWORD, 0)
    h0, h1 = log()[k][5][:2]
    assert forged({k: {"vc": mini.u64(h0 | h1 << 32)}}) == ACCEPTED
    assert forged({k: {"vc": mini.u64(h0 + P | h1 << 32)}}) == ACCEPTED
    assert forged({k: {"vc": mini.u64(h0 + 1 | h1 << 32)}})[0] == {"cpu.result[HWORD][0]"}


# --- space


def test_shadow_is_entered():
    """A failing transaction that writes into the ledger."""
    k = step(O.SPACE, 0)
    assert forged({k: {"space": 0}}) == ({"cpu.space_step"}, set())


def test_shadow_is_left():
    """What follows a failing transaction would be lost."""
    k = step(O.SPACE, 0, 1)
    assert forged({k: {"space": state(k)["space"]}}) == ({"cpu.space_step"}, set())


def test_shadow_is_not_entered_again():
    """The second failing transaction sees what the first one wrote."""
    first, second = step(O.SPACE, 0), step(O.SPACE, 0, 2)
    assert forged({second: {"space": first + 1}}) == ({"cpu.space_step"}, set())


def test_run_does_not_begin_in_a_shadow():
    assert "cpu.first_space" in forged({"start": {"space": 77}})[0]


def test_space_is_opened_or_closed():
    """Opened in the step of clk 3, with 2 / 3 for a flag: as if step 2 had opened it."""
    kernel = link(
        op("LI", d=CELL, imm0=7),
        op("HINTR", d=LO),
        op("SPACE", a=LO),
        op("LOAD", d=HI, a=CELL, imm0=1),
        op("HALT"),
    )
    flag = [2 * pow(3, -1, P) % P, 0, 0, 0]
    labels, relations = forged({trap_step(): {}}, program=kernel, programs=(), tape=[flag])
    assert (labels, relations) == ({"cpu.space_bool"}, set())


def shadow(cells) -> np.ndarray:
    return np.flatnonzero(cells.is_shadow)


def test_shadow_copies_what_it_read():
    def other(cpu, cells, code):
        cells.before[0][shadow(cells)[1]] += 1

    labels, _ = forged({}, other)
    assert "cells.shadow_copies[0]" in labels


def test_stale_shadow_is_refused():
    """The word before the STORE that came before the SPACE."""
    k = step(O.LOAD, 0)
    old = CELLS[7][1]

    def stale(cpu, cells, code):
        row = shadow(cells)[0]
        assert (cells.index[row], cells.word[row]) == (7, 1)
        for i in range(4):
            cells.before[i][row] = cells.after[i][row] = old[i]

    labels, relations = forged({k: {"vc": old}}, stale)
    assert labels == {f"memory.read_returns_value[{i}]" for i in range(4) if old[i] != log()[k][4][i]}
    assert relations == set()


def test_shadow_word_without_a_seed_has_no_place():
    def drop(cpu, cells, code):
        cells.is_shadow[shadow(cells)[0]] = 0

    labels, relations = forged({}, drop)
    assert labels | relations
    assert labels <= {"memory.same_segment", "memory.same_lo", "memory.same_hi", "memory.time_rises"} | {
        f"memory.read_returns_value[{i}]" for i in range(4)
    }


def test_second_seed_of_a_shadow_word_is_refused():
    def twice(cpu, cells, code):
        row, free = shadow(cells)[0], int((cells.is_cell + cells.is_shadow).sum())
        for column in cells.values:
            column[free] = column[row]

    labels, relations = forged({}, twice)
    assert labels | relations


@pytest.mark.parametrize("space", [0, P - 1, 1 << 16, (P + 1) // 4])
def test_shadow_of_a_space_that_is_no_step(space):
    """0: a second run in the ledger. -1: a register's run. Above 2^16: time would wrap round."""

    def open_it(cpu, cells, code):
        free = int((cells.is_cell + cells.is_shadow).sum())
        cells.index[free], cells.word[free], cells.is_shadow[free], cells.space[free] = 8, 1, 1, space
        for i in range(4):
            cells.before[i][free] = cells.after[i][free] = CELLS[8][1][i]

    labels, relations = forged({}, open_it)
    assert labels | relations


def test_shadow_of_a_step_that_opens_none_is_harmless():
    def open_it(cpu, cells, code):
        free = int((cells.is_cell + cells.is_shadow).sum())
        cells.index[free], cells.word[free], cells.is_shadow[free], cells.space[free] = 8, 1, 1, 20
        for i in range(4):
            cells.before[i][free] = cells.after[i][free] = CELLS[8][1][i]

    assert forged({}, open_it) == ACCEPTED


def test_a_cell_row_has_no_space():
    def change(cpu, cells, code):
        cells.space[0] = 3

    assert "cells.cell_has_no_space" in forged({}, change)[0]


def test_ledger_word_is_drained_whatever_a_shadow_holds():
    done = user_case()
    cells = CellsColumns(list(done.tables["cells"]))
    row = np.flatnonzero((cells.index == 7) & (cells.word == 2) & (cells.is_cell == 1))[0]
    assert [int(limb[row]) for limb in cells.after] == CELLS[7][2]
    assert done.run.shadows.space.size == 3
    assert rowcheck.outside(done.run)


assert CELL
