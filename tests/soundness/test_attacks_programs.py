"""Attacks on programs: their gas, their outcome, what they may touch, and what they leave behind.

Each is made with one lie, all else fits it (`forger`), and exactly the rule that forbids the lie is broken.
What a table alone must refuse (code, shadows, frames, modes) is in tests/circuits/tables/test_user_attacks.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from circuits.machine.abi import Call as Sys
from circuits.machine.kernel import kernel
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.cells import DataCell, ProgramCell, Purse, owner_cell
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger
from circuits.rollup.transition import Transition, apply
from circuits.rollup.types import Call, Calls, Cosignature, ForcedExit, SignedTransaction
from circuits.tables.cpu import CpuColumns
from circuits.xmss import batch as xmss_batch
from circuits.xmss.batch import SignRequest
from tests.soundness.cases import registry
from tests.soundness.forger import USER, Forgery, Lie, Moment, keep, number, other_way, result, word
from tests.soundness.scene import (
    ALICE,
    ALICE_HAS,
    BOB,
    LEAF,
    NONCE,
    attack,
    batch,
    forced_exit,
    keys,
    ledger,
    sign,
    transfer,
)

CASES, forgery = registry()
PROGRAM, PURSE, TOKENS, DATA, OTHERS_DATA, OTHERS_PURSE, OTHERS_TOKENS = range(60, 67)
LIMIT, MAX_FEE, BOBS_LEAF = 9_000, 10**8, 7
PRODUCT = {f"muldiv.product[{j}]" for j in range(8)}
"""A wrong quotient or remainder: no carries fit from the first place on."""
GOOD = """
    .reg x
    LI      x, 5
    ADD     x, x, r2
    MULDIV  x, x, x
    CALL    DSTORE, 63, 0, x
    CALL    MOVE, 61, 200, 1000
    CALL    CREATE_DATA
    CALL    EVENT, 1, 2, 3
    SYS     EXIT
"""


def code(source: str) -> tuple[int, ...]:
    """A program, as a deployment carries it."""
    return assemble_user(source).encode()


def world(source: str = GOOD) -> Ledger:
    """The scene with a program, what it owns, and what another one owns."""
    words, base = code(source), ledger()
    cells = dict(base.cells)
    cells[PROGRAM] = ProgramCell(code_digest(words), len(words))
    cells[PURSE] = Purse(owner_cell(PROGRAM), 5_000)
    cells[TOKENS] = Purse(owner_cell(PROGRAM), 70, asset=PROGRAM)
    cells[DATA] = DataCell(PROGRAM, (1, 2, 3, 4))
    cells[OTHERS_DATA] = DataCell(PROGRAM + 1, (1, 2, 3, 4))
    cells[OTHERS_PURSE] = Purse(owner_cell(PROGRAM + 1), 5_000)
    cells[OTHERS_TOKENS] = Purse(owner_cell(PROGRAM), 70, asset=PROGRAM + 1)
    cells[0] = replace(base.system, supply=base.system.supply + 10_000)
    return Ledger.of_cells(cells, [words])


def calls(*wanted: Call, **fields: int) -> Calls:
    """Alice's list of calls; by default one of the program with argument 9."""
    base = Calls(ALICE, NONCE, LEAF, wanted or (Call(PROGRAM, 0, (9, 0, 0, 0)),), LIMIT, MAX_FEE)
    return replace(base, **fields)


def honest(
    of: Ledger, transactions: Sequence[SignedTransaction], events: Sequence[ForcedExit] = ()
) -> Transition:
    """What the batch does."""
    return apply(of, batch(transactions, events))


def run(
    *transactions: Calls,
    source: str = GOOD,
    events: Sequence[ForcedExit] = (),
    failing: Sequence[bool] | None = None,
    signed: Sequence[SignedTransaction] | None = None,
    **more,
) -> Forgery:
    """A dishonest run of lists of calls; what is not said is as the specification has it."""
    of = world(source)
    submitted = [sign(tx) for tx in transactions or (calls(),)] if signed is None else list(signed)
    done = honest(of, submitted, events)
    fails = [receipt.failure is not None for receipt in done.receipts]
    fields = {
        "shown": done.signatures,
        "codes": [code(source)],
        "failing": fails if failing is None else failing,
    }
    return attack(submitted, events, of=of, **(fields | more))


def follow(**state: int) -> Lie:
    """The next step finds other mode, pc or counters."""

    def lie(moment: Moment) -> None:
        moment.follow.update(state)

    return lie


def one_more(moment: Moment) -> None:
    """The quotient is one too large."""
    moment.h = (*word(number(moment.h[:4]) + 1), *moment.h[4:])


def steps_of(source: str = GOOD) -> Forgery:
    """The honest run, to find steps in."""
    return run(source=source)


# --- gas


@forgery(labels={"cpu.gas_step"})
def step_costs_nothing() -> Forgery:
    return run(lies={(USER, 0): follow(gas=int(steps_of().run.gas[steps_of().run.user == 1][0]))})


@forgery(labels={"cpu.gas_step"})
def system_call_costs_nothing() -> Forgery:
    made = steps_of()
    row = made.row(Sys.DSTORE.address)
    return run(lies={(Sys.DSTORE.address, 0): follow(gas=int(made.run.gas[row]))})


@forgery(labels={"cpu.result[GAS][0]"})
def less_gas_than_was_counted() -> Forgery:
    used = steps_of().run.gas[steps_of().row("GAS used")]
    return run(lies={("GAS used", 0): result(int(used) - 10)})


@forgery(labels={"muldiv.product[0]"})
def code_is_loaded_for_less() -> Forgery:
    def cheaper(moment: Moment) -> None:
        moment.h = (*word(10), 0, 0, 0, 0)

    return run(lies={("MULDIV length, x, one", 0): cheaper})


@forgery(labels={"muldiv.product[4]"}, relations={"add", "less"})
def gas_beyond_the_limit_is_overlooked() -> Forgery:
    """The program ends beyond its limit: the comparison, then the refund's difference and price."""
    made = steps_of()
    used = int(made.run.gas[made.row("GAS used")])
    lies = {("JLT limit, used, call_fails", 0): other_way}
    return run(calls(gas_limit=used - 5), failing=[False], lies=lies)


@forgery(relations={"add"})
def refund_is_too_large() -> Forgery:
    return run(lies={("SUB x, limit, used", 0): keep("a")})


@forgery(labels=PRODUCT)
def refund_is_priced_too_high() -> Forgery:
    return run(lies={("MULDIV x, price, one", 0): one_more})


@forgery(labels={"cpu.result[MOV][0]"})
def failing_run_beyond_its_limit_pays_nothing() -> Forgery:
    return run(calls(gas_limit=3_000), lies={("MOV used, limit", 0): result(0)})


# --- outcome


@forgery(labels={"cpu.equal[0]"})
def success_is_shown_as_failure() -> Forgery:
    """`failing` is hinted, the shadow is opened, and nothing fails: the assertion at the end."""
    return run(failing=[True])


@forgery(labels={"cpu.equal[0]"})
def failure_is_shown_as_success() -> Forgery:
    return run(source="SYS FAIL", failing=[False])


@forgery(labels={"cpu.equal[0]"})
def fault_is_shown_as_success() -> Forgery:
    return run(source="SUB r1, r9, r6\nSYS EXIT", failing=[False])


@forgery(labels={"cpu.pc_step"})
def failure_leads_where_success_does() -> Forgery:
    done = kernel().labels["call_done"]
    return run(source="SYS FAIL", failing=[False], lies={(Sys.FAIL.address, 0): follow(pc=done)})


@forgery(relations={"add"})
def overflow_is_no_fault() -> Forgery:
    def goes_on(moment: Moment) -> None:
        moment.fault = 0

    return run(source="SUB r1, r9, r6\nSYS EXIT", failing=[False], lies={(USER, 0): goes_on})


@forgery(relations={"add"})
def fault_without_overflow() -> Forgery:
    def fails(moment: Moment) -> None:
        moment.fault = 1

    return run(source="ADD r1, r9, r6\nSYS EXIT", failing=[True], lies={(USER, 0): fails})


@forgery(relations={"less"})
def trap_within_the_limit() -> Forgery:
    """The prover stops a program that would have ended, and says that its gas is used up."""
    return run(failing=[True], traps=[3], lies={("JGE limit, x, refuse_hint", 0): other_way})


@forgery(labels={"cpu.space_step"})
def failing_run_keeps_its_effects() -> Forgery:
    source = "CALL DSTORE, 63, 0, 7\nSYS FAIL"
    return run(source=source, lies={("SPACE failing", 0): follow(space=0)})


@forgery(labels={"cpu.result[MOV][0]"})
def failing_run_keeps_the_cells_that_it_created() -> Forgery:
    source = "CALL CREATE_DATA\nSYS FAIL"
    return run(source=source, lies={("MOV next_cell, old_next_cell", 0): keep_created})


@forgery(labels={f"cpu.result[MOV][{i}]" for i in range(4)})
def failing_run_keeps_its_events() -> Forgery:
    source = "CALL EVENT, 1, 2, 3\nSYS FAIL"
    return run(source=source, lies={("MOV ev_lo, old_ev_lo", 0): plus_one_each})


@forgery(labels={"cpu.space_step"})
def shadow_stays_open_for_the_next_transaction() -> Forgery:
    made = run(source="SYS FAIL")
    space = int(made.run.space.max())
    return run(source="SYS FAIL", lies={("SPACE zero", 0): follow(space=space)})


# --- what is another's


@forgery(labels={"cpu.equal[2]"})
def cell_of_another_program_is_written() -> Forgery:
    source = f"CALL DSTORE, {OTHERS_DATA}, 0, 7\nSYS EXIT"
    return run(source=source, failing=[False], lies={("JNE x, head, call_fails", 0): other_way})


@forgery(labels={"cpu.equal[0]"})
def purse_of_another_program_is_moved() -> Forgery:
    source = f"CALL MOVE, {OTHERS_PURSE}, {ALICE}, 7\nSYS EXIT"
    return run(source=source, failing=[False], lies={("JNE raw_lo, program, call_fails", 0): other_way})


@forgery(labels={f"cpu.equal[{i}]" for i in range(4)})
def purse_of_the_signer_is_moved_by_a_program() -> Forgery:
    lies = {
        ("JNE raw_hi, owned_by_cell, call_fails", 0): other_way,
        ("JNE raw_lo, program, call_fails", 0): other_way,
    }
    return run(source=f"CALL MOVE, {ALICE}, {PURSE}, 7\nSYS EXIT", failing=[False], lies=lies)


@forgery(labels={f"cpu.equal[{i}]" for i in range(4)})
def purse_of_another_signer_is_moved_by_the_bank() -> Forgery:
    lies = {
        ("JNE raw_hi, owned_by_cell, call_fails", 0): other_way,
        ("JNE raw_lo, signer, call_fails", 0): other_way,
    }
    return run(calls(Call.bank_move(BOB, ALICE, 7)), failing=[False], lies=lies)


@forgery(labels={"cpu.equal[2]"})
def asset_of_another_program_is_minted() -> Forgery:
    source = f"CALL MINT, {OTHERS_TOKENS}, 7\nSYS EXIT"
    return run(source=source, failing=[False], lies={("JNE x, head, call_fails", 0): other_way})


@forgery(labels={"cpu.equal[2]"})
def bitcoin_is_minted() -> Forgery:
    source = f"CALL MINT, {PURSE}, 7\nSYS EXIT"
    return run(source=source, failing=[False], lies={("JNE x, head, call_fails", 0): other_way})


@forgery(labels={"cpu.equal[2]"})
def one_asset_is_moved_into_another() -> Forgery:
    source = f"CALL MOVE, {TOKENS}, {PURSE}, 7\nSYS EXIT"
    return run(source=source, failing=[False], lies={("JNE x, head, call_fails", 0): other_way})


@forgery(relations={"add", "less"})
def more_is_moved_than_there_is() -> Forgery:
    """The comparison's bit is the prover's, its truth the add table's."""
    source = f"CALL MOVE, {PURSE}, {BOB}, 6000\nSYS EXIT"
    return run(source=source, failing=[False], lies={("JLT balance, amount, call_fails", 0): other_way})


# --- code


@forgery(relations={"program"})
def another_program_under_the_old_hash() -> Forgery:
    changed = list(code(GOOD))
    changed[0] += 1 << 32  # LI x, 6
    return run(swap={code_digest(code(GOOD)): tuple(changed)})


@forgery(relations={"code"})
def instruction_that_is_not_in_the_code() -> Forgery:
    """LI x, 6 is run where the code has LI x, 5."""
    first = run().run
    made = run(lies={(USER, 0): result(6)})
    CpuColumns(list(made.tables["cpu"])).imm0[int((first.user == 1).argmax())] += 1
    return made


# --- signatures


def _cosigned(
    message_of: int = 7, *, shown: bool = True, source: str | None = None, key: int = 1, forged: bool = False
) -> Forgery:
    source = source or f"CALL CHECKSIG, {BOB}, r2, 0, {BOBS_LEAF}\nSYS EXIT"
    of = world(source)
    tx = sign(calls(Call(PROGRAM, 0, (7, 0, 0, 0))))
    blank = replace(tx, cosignatures=(Cosignature(keys()[1].public_key, tx.signature),))
    wanted = apply(of, batch([blank]), check_cosignature=lambda claim: True).signatures
    other = apply(
        of,
        batch([replace(blank, transaction=calls(Call(PROGRAM, 0, (message_of, 0, 0, 0))))]),
        valid=[True],
        check_cosignature=lambda claim: True,
    ).signatures
    (signature,) = xmss_batch.sign([SignRequest(keys()[key], BOBS_LEAF, other[0].message)])
    if forged:
        signature = replace(signature, values=((1,) * 8, *signature.values[1:]))
    public_key = keys()[key].public_key
    claim = replace(other[0], signature=signature, public_key=public_key, owner=public_key.owner())
    claims = [claim] if shown else []
    return attack([tx], of=of, codes=[code(source)], failing=[False], shown=[*claims, wanted[-1]])


@forgery(relations={"sig"})
def cosignature_is_missing() -> Forgery:
    return _cosigned(shown=False)


@forgery(relations={"sig"})
def cosignature_is_of_other_arguments() -> Forgery:
    return _cosigned(8)


@forgery(relations={"sig"})
def cosignature_is_by_another_key() -> Forgery:
    return _cosigned(key=0)


@forgery(labels={f"message_owner[{i}]" for i in range(8)})
def cosignature_is_forged() -> Forgery:
    """One chain value is made up: all hashes above it fit, up to an owner that is not Bob."""
    return _cosigned(forged=True)


@forgery(relations={"less"})
def cosignature_with_a_leaf_that_is_used_up() -> Forgery:
    """Two CHECKSIGs of one message and one leaf: the signature is shown twice."""
    source = f"CALL CHECKSIG, {BOB}, 1, 2, {BOBS_LEAF}\n" * 2 + "SYS EXIT"
    of, tx = world(source), sign(calls())
    once = f"CALL CHECKSIG, {BOB}, 1, 2, {BOBS_LEAF}\nSYS EXIT"
    blank = replace(tx, cosignatures=(Cosignature(keys()[1].public_key, tx.signature),))
    first, own = apply(world(once), batch([blank]), check_cosignature=lambda claim: True).signatures
    (signature,) = xmss_batch.sign([SignRequest(keys()[1], BOBS_LEAF, first.message)])
    first = replace(first, signature=signature)
    return attack(
        [tx],
        of=of,
        codes=[code(source)],
        failing=[False],
        shown=[first, first, own],
        lies={("JLT a1, y, call_fails", 1): other_way},
    )


@forgery(relations={"sig"})
def list_of_calls_is_not_signed() -> Forgery:
    return run(shown=[])


@forgery(relations={"sig"})
def call_that_was_not_signed_is_run() -> Forgery:
    """Alice signed argument 9; the tape says 10."""
    of = world()
    shown = honest(of, [sign(calls())]).signatures
    other = replace(sign(calls()), transaction=calls(Call(PROGRAM, 0, (10, 0, 0, 0))))
    return attack([other], of=of, codes=[code(GOOD)], failing=[False], shown=shown)


# --- from one call to the next


TWICE = (Call(PROGRAM, 0, (9, 0, 0, 0)), Call(PROGRAM, 0, (9, 0, 0, 0)))
LEAK = "CALL DSTORE, 63, 0, r77\nLI r77, 5\nSYS EXIT"


@forgery(labels={"cpu.uframe_step"})
def registers_of_the_call_before_are_seen() -> Forgery:
    return run(calls(*TWICE), source=LEAK, lies={("FRAME", 1): follow(uframe=1)})


@forgery(labels={"cpu.user_step", "cpu.pc_step"})
def program_is_run_without_its_price() -> Forgery:
    """From the kernel into the program, past the gas that loading costs."""
    made = run(calls(*TWICE))
    first = int((made.run.user == 1).argmax())
    assert made.run.program[first] == 1
    return run(calls(*TWICE), lies={("GAS y", 1): follow(user=1, pc=0, uframe=1)})


# --- the inbox


@forgery(relations={"less"})
def forced_exit_is_shown_as_a_no_op() -> Forgery:
    return run(signed=[], events=[forced_exit()], lies={("JLT balance, amount, event_end", 0): other_way})


@forgery(labels={"cpu.jne_unequal"})
def forced_exit_is_shown_as_anothers() -> Forgery:
    return run(signed=[], events=[forced_exit()], lies={("JNE raw_lo, o0, event_end", 0): other_way})


@forgery(relations={"add", "less"})
def forced_exit_of_more_than_there_is() -> Forgery:
    lies = {("JLT balance, amount, event_end", 0): other_way}
    return run(signed=[], events=[forced_exit(ALICE_HAS)], lies=lies)


# --- base fee


@forgery(labels=PRODUCT)
def base_fee_is_one_too_high() -> Forgery:
    return attack([sign(transfer())], lies={("MULDIV base, x, y", 0): one_more})


@forgery(labels={"cpu.result[HGETL][0]"})
def base_fee_is_not_the_computed_one() -> Forgery:
    return attack([sign(transfer())], lies={("HGETL next_base", 0): result(1)})


# --- results that nothing but their own rule holds


def other_in(limb: int) -> Lie:
    """One limb of the result is one more."""

    def lie(moment: Moment) -> None:
        moment.vc = tuple(x + (i == limb) for i, x in enumerate(moment.vc))

    return lie


@forgery(labels={"cpu.result[LI][0]"})
def constant_is_another() -> Forgery:
    return attack([sign(transfer())], lies={("LI gas_transfer, GAS_TRANSFER", 0): other_in(0)})


@forgery(labels={"cpu.result[PACK][2]"})
def packed_word_is_another() -> Forgery:
    return attack([sign(transfer())], lies={("PACK x, slot, next_cell", 0): other_in(2)})


@forgery(labels={"cpu.result[HI][0]"})
def upper_half_is_another() -> Forgery:
    return attack([sign(transfer())], lies={("HI exit_counter, system4", 0): other_in(0)})


@forgery(labels={"cpu.result[HGETH][0]"})
def half_of_the_hash_state_is_another() -> Forgery:
    return attack([sign(transfer())], lies={("HGETH d_hi", 1): other_in(0)})


# --- helpers


def keep_created(moment: Moment) -> None:
    """The next free cell is the one behind that which was created."""
    moment.vc = (moment.vc[0] + 1, *moment.vc[1:])


def plus_one_each(moment: Moment) -> None:
    """Another digest half."""
    moment.vc = tuple(x + 1 for x in moment.vc)


@pytest.mark.parametrize("name", CASES)
def test_forgery_is_refused_by_name(name):
    build, labels, relations = CASES[name]
    assert build().broken() == (labels, relations)


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        (GOOD, {}),
        ("SYS FAIL", {}),
        ("SUB r1, r9, r6\nSYS EXIT", {}),
        (f"CALL MOVE, {OTHERS_PURSE}, {ALICE}, 7\nSYS EXIT", {}),
        (GOOD, {"gas_limit": 3_000}),
        (LEAK, {"calls": TWICE}),
    ],
)
def test_without_a_lie_the_forger_is_an_honest_prover(source, fields):
    made = run(calls(**fields), source=source)
    done = honest(world(source), [sign(calls(**fields))])
    assert tuple(made.public_values) == done.public_values.elements()
    assert made.broken() == (set(), set())
