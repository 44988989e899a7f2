"""What the tables leave to the kernel: with a line of its text removed, something false has a trace.

Each case runs a kernel without one line, under a ROM of that kernel: the checker accepts all of it, and the public
values are not the specification's. The same lie against the true kernel breaks the rule that the line calls upon.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from circuits.machine.assembler import assemble
from circuits.machine.isa import WRITES_D, Opcode
from circuits.machine.kernel import CONSTANTS, kernel
from circuits.machine.kernel_source import SOURCE
from circuits.machine.program import Program
from circuits.rollup.types import Call, Calls
from circuits.statement import heights, system
from circuits.tables.rom import RomAir
from prover.air.check import check
from prover.field import P
from tests.circuits.machine import test_kernel_gas
from tests.circuits.tables import test_kernel_discipline
from tests.soundness.forger import Forgery, Lie, Moment, number, other_way, word
from tests.soundness.scene import sign
from tests.soundness.test_attacks_programs import GOOD, LEAK, PROGRAM, TWICE, calls, honest, run, world
from tests.whole import SHAPE, fixed_columns

Removed = tuple[str, str]
"""(label, line): the first such line behind the label."""
HASHES = (
    "CALL HASH, 1, 2, 3\nMOV r9, r1\nMOV r10, r2\nCALL DSTORE, 63, 0, r9\nCALL DSTORE, 63, 1, r10\nSYS EXIT"
)
FAILS = "CALL CREATE_DATA\nCALL EVENT, 1, 2, 3\nSYS FAIL"


def changed(label: str, line: str, becomes: str = "") -> Program:
    """The kernel with another text for the first such line behind a label."""
    place = SOURCE.index(f"\n{label}:")
    spaced = r"[ ]+".join(map(re.escape, line.split()))
    found = re.compile(rf"^ +{spaced}[ ]*(;.*)?$", re.MULTILINE).search(SOURCE, place)
    if found is None:
        raise KeyError(line)
    return assemble(f"{SOURCE[: found.start()]}    {becomes}{SOURCE[found.end() :]}", CONSTANTS)


def broken_under(program: Program, made: Forgery) -> tuple[set[str], set[str]]:
    """What is wrong in the tables if the statement's ROM is this program."""
    log_height = heights(SHAPE)["rom"].bit_length() - 1
    rom = np.asarray(RomAir(program.rom_columns()).fixed_columns(log_height), np.uint32)
    found = check(
        system(), made.tables, tuple(made.public_values), fixed={**fixed_columns(), "rom": rom}, limit=100
    )
    return {v.label for v in found.constraints}, {t.relation for t in found.tuples}


def specified(*transactions: Calls, source: str = GOOD) -> list[int]:
    """The public values that the specification gives."""
    done = honest(world(source), [sign(tx) for tx in transactions or (calls(),)])
    return list(done.public_values.elements())


def low_half_plus_p(moment: Moment) -> None:
    """Another spelling of the number in the low half."""
    moment.vc = word(number(moment.vc) + P)


def high_half_plus_p(moment: Moment) -> None:
    """Another spelling of the number in the high half."""
    moment.vc = word(number(moment.vc) + (P << 32))


Case = tuple[str, str, str, int, Lie, dict[str, object]]
SPELLINGS: dict[str, Case] = {
    "success has gas + p, so it fails": (
        "call_done", "JGE used, cell_limit, refuse_hint", "GAS used", 0, low_half_plus_p, {"failing": [True]},
    ),
    "failure within the limit has gas + p, so it pays the limit": (
        "call_fails", "JGE used, cell_limit, refuse_hint", "GAS used", 0, low_half_plus_p, {"source": FAILS},
    ),
    "trap within the limit has gas + p": (
        "trapped", "JGE x, cell_limit, refuse_hint", "GAS x", 0, low_half_plus_p,
        {"failing": [True], "traps": [3]},
    ),
    "low half of the first hash word + p": (
        "sys_hash", "JGE y, prime, refuse_hint", "HWORD x", 0, low_half_plus_p, {"source": HASHES},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_number_plus_p_is_refused_by_one_comparison_alone(name: str) -> None:
    label, line, reads, nth, lie, fields = SPELLINGS[name]
    mutant = changed(label, line)
    made = run(program=mutant, lies={(reads, nth): lie}, **fields)
    assert broken_under(mutant, made) == (set(), set())
    assert made.public_values != specified(source=str(fields.get("source", GOOD)))
    refused = run(lies={(reads, nth): lie, (line, 0): other_way}, **fields)
    assert refused.broken() == (set(), {"less"})


@pytest.mark.parametrize("nth", range(2))
def test_high_half_plus_p_is_refused_by_one_comparison_alone(nth: int) -> None:
    """Each HWORD has two comparisons, of its low and its high half."""
    mutant = without_comparison(2 * nth + 1)
    made = run(program=mutant, lies={("HWORD x", nth): high_half_plus_p}, source=HASHES)
    assert broken_under(mutant, made) == (set(), set())
    assert made.public_values != specified(source=HASHES)
    lies = {("HWORD x", nth): high_half_plus_p, ("JGE y, prime, refuse_hint", 2 * nth + 1): other_way}
    assert run(lies=lies, source=HASHES).broken() == (set(), {"less"})


def without_comparison(nth: int) -> Program:
    """The kernel without the n-th comparison with p."""
    places = list(re.finditer(r"^ +JGE +y, prime, refuse_hint.*$", SOURCE, re.MULTILINE))
    found = places[nth]
    return assemble(SOURCE[: found.start()] + SOURCE[found.end() :], CONSTANTS)


OTHER_OUTCOMES: dict[str, tuple[Removed, dict[str, object], tuple[Calls, ...]]] = {
    "trap within the limit": (
        ("trapped", "JGE limit, x, refuse_hint"), {"failing": [True], "traps": [3]}, (),
    ),
    "registers of the call before": (("next_call", "FRAME"), {"source": LEAK}, (calls(*TWICE),)),
    "cells that a failing list created": (
        ("fails_within", "MOV next_cell, old_next_cell"), {"source": FAILS}, (),
    ),
    "first half of a failing list's events": (("fails_within", "MOV ev_lo, old_ev_lo"), {"source": FAILS}, ()),
    "second half of a failing list's events": (("fails_within", "MOV ev_hi, old_ev_hi"), {"source": FAILS}, ()),
    "shadow that stays open": (("settle", "SPACE zero"), {"source": FAILS}, ()),
    "failing list that is hinted to succeed": (
        ("call_fails", "ASSERT failing, one"), {"failing": [False], "source": FAILS}, (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_OUTCOMES)
def test_without_the_line_another_outcome_has_a_trace(name: str) -> None:
    removed, fields, transactions = OTHER_OUTCOMES[name]
    mutant = changed(*removed)
    made = run(*transactions, program=mutant, **fields)
    assert broken_under(mutant, made) == (set(), set())
    assert made.public_values != specified(*transactions, source=str(fields.get("source", GOOD)))


DISCIPLINE: dict[str, tuple[tuple[str, str, str], Callable[[], None]]] = {
    "SRET without an ENTRY": (
        ("bank_move", "JMP call_done", "SRET"), test_kernel_gas.test_user_mode_is_entered_and_left_as_meant,
    ),
    "ENTER without a FRAME": (
        ("next_call", "FRAME", ""), test_kernel_gas.test_user_mode_is_entered_and_left_as_meant,
    ),
    "shadow that stays open": (
        ("settle", "SPACE zero", ""), test_kernel_gas.test_user_mode_is_entered_and_left_as_meant,
    ),
    "gas of a loading program with p": (
        ("next_call", "JGE y, cell_limit, refuse_hint", ""),
        test_kernel_gas.test_every_reading_of_the_gas_is_bounded,
    ),
    "UPUT of a digest": (
        ("sys_owned", "UPUT r1, zero", "UPUT r1, raw_lo"),
        test_kernel_discipline.test_no_raw_word_reaches_an_operand_that_must_be_a_number,
    ),
    "GASSET of a digest": (
        ("next_call", "GASSET x, limit", "GASSET code_lo, limit"),
        test_kernel_discipline.test_no_raw_word_reaches_an_operand_that_must_be_a_number,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DISCIPLINE)
def test_discipline_is_missed_where_it_is_broken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, test = DISCIPLINE[name]
    mutant = changed(*change)
    test()
    monkeypatch.setattr(test_kernel_gas, "kernel", lambda: mutant)
    monkeypatch.setattr(test_kernel_discipline, "kernel", lambda: mutant)
    with pytest.raises(AssertionError):
        test()


def outlasts(program: Program) -> set[str]:
    """Counters of the batch that calls write, and LEAF and OUT if they contain them."""
    names = {number: name for name, number in program.registers.items()}
    counters = {
        "supply",
        "exits",
        "withdrawn",
        "count",
        "acc_lo",
        "acc_hi",
        "d_lo",
        "d_hi",
        "signer",
        "nonce",
    }
    counters |= {"next_cell", "ev_lo", "ev_hi", "tips", "others", "other_gas", "other_bytes", "failed"}
    labels = program.labels
    inside = [*range(labels["next_call"], labels["call_done"]), *range(labels["bank_move"], labels["finish"])]
    code = [program.instructions[pc] for pc in inside]
    written = {names[x.d] for x in code if x.op in WRITES_D and x.op is not Opcode.UPUT and x.d in names}
    return written & counters | {x.op.name for x in code if x.op in (Opcode.LEAF, Opcode.OUT)}


def test_calls_change_no_counter_that_a_failure_would_have_to_undo() -> None:
    """Supply and exits are not theirs; the next free cell and the events are put back."""
    assert outlasts(kernel()) == {"next_cell", "ev_lo", "ev_hi"}
    worse = changed("sys_event", "UGET a3, r3", "LEAF exits\n    ADD exits, exits, one")
    assert outlasts(worse) == {"next_cell", "ev_lo", "ev_hi", "exits", "LEAF"}


def test_without_a_change_the_statement_is_the_kernels() -> None:
    again = assemble(SOURCE, CONSTANTS)
    made = run(calls(Call(PROGRAM, 0, (9, 0, 0, 0))), program=again)
    assert broken_under(again, made) == (set(), set())
    assert made.public_values == specified()
    assert broken_under(changed("settle", "SPACE zero"), made)[1] >= {"rom"}
