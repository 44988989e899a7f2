"""Calls, deployments, rotations and the new inbox events: the kernel does what the specification says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from circuits.machine.abi import CALLS, MAX_GAS
from circuits.machine.abi import Call as Sys
from circuits.machine.errors import MachineError
from circuits.machine.executor import MachineRun, run
from circuits.machine.isa import Opcode
from circuits.machine.kernel import kernel
from circuits.machine.program import Instruction
from circuits.rollup.batch import Batch
from circuits.rollup.cells import DataCell, KeyCell, ProgramCell, Purse, owner_cell, words_of
from circuits.rollup.errors import FailureReason, RefusalReason
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger
from circuits.rollup.system_calls import cosign_message, event_commitment
from circuits.rollup.transition import Transition, build_tape
from circuits.rollup.types import BlockHash, Call, Calls, Cosignature, Deploy, ForcedExit, Rotate
from tests.circuits.rollup import builders
from tests.circuits.rollup.builders import ALICE, BLANK_SIGNATURE, BOB, CAROL, NEXT_FREE, PRODUCER, key

PROGRAM = 60
PURSE, TOKENS, DATA, OTHER_DATA = 61, 62, 63, 64
"""Of PROGRAM: a BTC purse, a purse of its own asset, a data cell; of another program: a data cell."""


def sys(call: Sys) -> int:
    return Instruction(Opcode.SYS, imm0=call.address).encode()


def li(register: int, value: int) -> int:
    return Instruction(Opcode.LI, d=register, imm0=value & 0xFFFF, imm1=value >> 16).encode()


LOOP = Instruction(Opcode.JMP).encode()


def one_call(call: Sys, *arguments: int) -> tuple[int, ...]:
    """A program that makes one system call, stores its results and ends."""
    words = [li(i, value) for i, value in enumerate(arguments, start=1)]
    store = [
        Instruction(Opcode.MOV, d=3, a=1).encode(), li(1, DATA), li(2, 0), sys(Sys.DSTORE),
    ]  # fmt: skip
    return (*words, sys(call), *store, sys(Sys.EXIT), LOOP)


def world(code: Sequence[int]) -> Ledger:
    """The builders' ledger with a program and what it owns."""
    base = builders.ledger()
    cells = dict(base.cells)
    cells[PROGRAM] = ProgramCell(code_digest(tuple(code)), len(code))
    cells[PURSE] = Purse(owner_cell(PROGRAM), 5000)
    cells[TOKENS] = Purse(owner_cell(PROGRAM), 70, asset=PROGRAM)
    cells[DATA] = DataCell(PROGRAM, (1, 2, 3, 4))
    cells[OTHER_DATA] = DataCell(PROGRAM + 1, (1, 2, 3, 4))
    cells[0] = replace(base.system, supply=base.system.supply + 5000)
    return Ledger.of_cells(cells, [tuple(code)])


def calls(*wanted: Call, signer: int = ALICE, **changes: int) -> Calls:
    fields = {"nonce": 5, "leaf": 10, "gas_limit": 20_000, "max_fee": 10**10, "tip": 3} | changes
    return Calls(signer, calls=wanted, **fields)


def kernel_run(before: Ledger, done: Transition) -> MachineRun:
    return run(kernel(), done.words_before, done.tape, programs=done.programs)


def check(before: Ledger, batch: Batch) -> Transition:
    """Specification and kernel on a batch: words, cells (the same ones touched), exits, messages, supply."""
    done = builders.run(before, batch)
    machine = kernel_run(before, done)
    assert machine.public.tolist() == [list(word) for word in done.public_values.words()]
    assert machine.cell_indices.tolist() == sorted(done.cells_after)
    for place, index in enumerate(machine.cell_indices.tolist()):
        assert machine.cells_after[place].tolist() == [list(w) for w in words_of(done.cells_after[index])], (
            index
        )
    assert machine.exit_indices.tolist() == sorted(done.exits)
    assert machine.exit_leaves.tolist() == [list(done.exits[i]) for i in sorted(done.exits)]
    wanted = [(list(c.message), list(c.owner), c.epoch) for c in done.signatures]
    found = zip(
        machine.signature_messages.tolist(), machine.signature_owners.tolist(),
        machine.signature_leaves.tolist(), strict=True,
    )  # fmt: skip
    assert wanted == list(found)
    assert done.ledger.total_btc() == done.ledger.system.supply
    said = [*done.hook_events, *(event for receipt in done.receipts for event in receipt.events)]
    assert done.public_values.event_commitment == event_commitment(said)
    return done


def flipped(done: Transition) -> None:
    """The same batch with a wrong hint has no trace: neither outcome can be shown as the other."""
    tape = done.tape.copy()
    place = 4 + sum(len(event.words()) for event in done.batch.events)
    for signed in done.batch.transactions:
        tx = signed.transaction
        if isinstance(tx, Calls):
            tape[0, place + 5] ^= 1
            with pytest.raises(MachineError):
                run(kernel(), done.words_before, tape, programs=done.programs)
            tape[0, place + 5] = 2
            with pytest.raises(MachineError):
                run(kernel(), done.words_before, tape, programs=done.programs)
            return
        place += len(tx.words())


def only(before: Ledger, *wanted: Call, **changes: int) -> Transition:
    done = check(before, builders.batch(calls(*wanted, **changes)))
    if done.receipts:
        flipped(done)
    return done


HERE = Call(PROGRAM)
SUCCEEDS = {
    (Sys.MOVE, PURSE, BOB, 5000): None,
    (Sys.MOVE, PURSE, PURSE, 5000): None,
    (Sys.MOVE, PURSE, ALICE, 0): None,
    (Sys.BALANCE, PURSE): 5000,
    (Sys.BALANCE, TOKENS): 70,
    (Sys.OWNED, PURSE, PROGRAM): 1,
    (Sys.OWNED, PURSE, PROGRAM + 1): 0,
    (Sys.OWNED, ALICE, PROGRAM): 0,
    (Sys.DLOAD, DATA, 3): 4,
    (Sys.PEEK, OTHER_DATA, 3): 4,
    (Sys.PEEK, DATA, 0): 1,
    (Sys.DSTORE, DATA, 2, 99): None,
    (Sys.CREATE_DATA,): NEXT_FREE,
    (Sys.CREATE_PURSE, 0, PROGRAM): NEXT_FREE,
    (Sys.CREATE_PURSE, PROGRAM, ALICE): NEXT_FREE,
    (Sys.MINT, TOKENS, 2**32 - 1): None,
    (Sys.BURN, TOKENS, 70): None,
    (Sys.CONTEXT, 0): 100,
    (Sys.CONTEXT, 1): 4,
    (Sys.CONTEXT, 2): PRODUCER,
    (Sys.CONTEXT, 3): PROGRAM,
    (Sys.CONTEXT, 4): builders.CHAIN_ID,
    (Sys.CONTEXT, 5): 0,
    (Sys.CONTEXT, 6): 1,
    (Sys.CREATE_KEY, BOB): NEXT_FREE,
    (Sys.EVENT, 1, 2, 3): None,
    (Sys.HASH, 1, 2, 3): None,
}
REFUSED = [
    (Sys.MOVE, ALICE, PURSE, 1),
    (Sys.MOVE, TOKENS, PURSE, 1),
    (Sys.MOVE, PURSE, TOKENS, 1),
    (Sys.MOVE, PURSE, BOB, 5001),
    (Sys.MOVE, PURSE, 1 << 30, 1),
    (Sys.MOVE, 1 << 30, PURSE, 1),
    (Sys.MOVE, DATA, PURSE, 1),
    (Sys.MOVE, PURSE, 0, 1),
    (Sys.MOVE, 2, PURSE, 0),
    (Sys.BALANCE, DATA),
    (Sys.BALANCE, 1 << 30),
    (Sys.OWNED, DATA, PROGRAM),
    (Sys.DLOAD, PURSE, 0),
    (Sys.DLOAD, DATA, 4),
    (Sys.DLOAD, 0, 0),
    (Sys.DLOAD, 12, 0),
    (Sys.DLOAD, OTHER_DATA, 0),
    (Sys.PEEK, 12, 0),
    (Sys.PEEK, PURSE, 0),
    (Sys.PEEK, DATA, 4),
    (Sys.PEEK, 1 << 30, 0),
    (Sys.DSTORE, OTHER_DATA, 0, 5),
    (Sys.DSTORE, DATA, 4, 5),
    (Sys.DSTORE, PURSE, 0, 5),
    (Sys.CREATE_PURSE, 1 << 30, 0),
    (Sys.CREATE_PURSE, 0, 1 << 30),
    (Sys.MINT, PURSE, 1),
    (Sys.MINT, builders.TOKEN, 1),
    (Sys.MINT, DATA, 1),
    (Sys.BURN, TOKENS, 71),
    (Sys.BURN, PURSE, 1),
    (Sys.CONTEXT, 7),
    (Sys.CREATE_KEY, PURSE),
    (Sys.CREATE_KEY, TOKENS),
    (Sys.CREATE_KEY, DATA),
    (Sys.CREATE_KEY, 1 << 30),
    (Sys.CHECKSIG, DATA, 1, 2, 10),
    (Sys.CHECKSIG, 1 << 30, 1, 2, 10),
    (Sys.CHECKSIG, BOB, 1, 2, 9),
    (Sys.CHECKSIG, BOB, 1, 2, 1 << 30),
    (Sys.CHECKSIG, PURSE, 1, 2, 10),
    (Sys.CHECKSIG, TOKENS, 1, 2, 10),
]


@pytest.mark.parametrize("wanted", SUCCEEDS)
def test_system_call_does_what_it_says(wanted: tuple[Sys, ...]) -> None:
    done = only(world(one_call(*wanted)), HERE)
    (receipt,) = done.receipts
    assert receipt.failure is None, receipt.detail
    if SUCCEEDS[wanted] is not None:
        assert done.ledger.cells[DATA].values[0] == SUCCEEDS[wanted]


@pytest.mark.parametrize("wanted", REFUSED)
def test_system_call_that_is_refused_changes_nothing_but_the_fee(wanted: tuple[Sys, ...]) -> None:
    before = world(one_call(*wanted))
    done = only(before, HERE)
    (receipt,) = done.receipts
    assert receipt.failure is FailureReason.SYSTEM_CALL, receipt.detail
    changed = {i for i, cell in done.cells_after.items() if cell != done.cells_before[i]}
    assert changed <= {0, 1, 2, 3, PRODUCER, ALICE}
    assert done.ledger.cells[ALICE].balance == before.cells[ALICE].balance - receipt.fee


def test_every_system_call_is_tested() -> None:
    assert {wanted[0] for wanted in (*SUCCEEDS, *REFUSED)} | {Sys.EXIT, Sys.FAIL} == set(Sys)
    assert set(CALLS) == set(Sys)


def test_gas_is_counted_and_the_rest_refunded() -> None:
    code = one_call(Sys.BALANCE, PURSE)
    before = world(code)
    (receipt,) = only(before, HERE).receipts
    steps = len(code) - 1
    assert receipt.gas == 700 + 500 + 10 * len(code) + 10 * steps + 150 + 250 + 40
    assert receipt.fee == receipt.gas * (builders.BASE_FEE + 3) + 80 * 20
    assert receipt.refund == (20_000 - receipt.gas) * 103
    exact = only(before, HERE, gas_limit=receipt.gas)
    assert (exact.receipts[0].failure, exact.receipts[0].refund) == (None, 0)
    short = only(before, HERE, gas_limit=receipt.gas - 1)
    assert short.receipts[0].failure is FailureReason.OUT_OF_GAS
    assert short.receipts[0].gas == receipt.gas - 1


def test_division_costs_seventy() -> None:
    """At every limit around it, whether it fits or faults, kernel and specification agree."""
    for divisor in (0, 7):
        divide = Instruction(Opcode.MULDIV, d=divisor, a=6, b=6).encode()  # r0 is 0, r7 the call's number
        code = (li(7, 3), divide, sys(Sys.EXIT), LOOP)
        first, spent = 700 + 500 + 10 * len(code) + 10, 70
        for limit in range(first, first + spent + 80, 5):
            done = only(world(code), HERE, gas_limit=limit)
            wanted = first + spent + (50 if divisor else 0)
            assert done.receipts[0].gas == min(limit, wanted)
            assert (done.receipts[0].failure is None) == (divisor != 0 and limit >= wanted)


def test_every_gas_limit_gives_one_outcome() -> None:
    """Also around each instruction's gas: kernel and specification agree on where it ends."""
    before = world(one_call(Sys.MOVE, PURSE, BOB, 1))
    for limit in range(1200, 2200, 7):
        done = only(before, HERE, gas_limit=limit)
        assert done.receipts[0].gas <= limit


def test_loop_without_end_pays_its_limit() -> None:
    done = only(world((LOOP,)), HERE, gas_limit=5000)
    assert (done.receipts[0].failure, done.receipts[0].gas) == (FailureReason.OUT_OF_GAS, 5000)


def test_fault_and_fail() -> None:
    add = Instruction(Opcode.SUB, d=1, a=200, b=6).encode()
    done = only(world((add, LOOP)), HERE)
    assert done.receipts[0].failure is FailureReason.FAULT
    done = only(world((sys(Sys.FAIL), LOOP)), HERE)
    assert done.receipts[0].failure is FailureReason.FAIL


def test_calls_are_atomic() -> None:
    before = world(one_call(Sys.MOVE, PURSE, BOB, 1))
    pay = Call.bank_move(ALICE, BOB, 1000)
    done = only(before, pay, HERE, pay)
    assert done.receipts[0].failure is None
    assert builders.balance(done.ledger, BOB) == builders.START + 2001
    done = only(before, pay, HERE, Call(PROGRAM + 1), pay)
    assert done.receipts[0].failure is FailureReason.PROGRAM
    assert builders.balance(done.ledger, BOB) == builders.START
    assert builders.balance(done.ledger, PURSE) == 5000


@pytest.mark.parametrize(
    "move",
    [(BOB, ALICE, 1), (PURSE, ALICE, 1), (ALICE, TOKENS, 1), (ALICE, 1 << 30, 1), (1 << 30, ALICE, 1),
     (ALICE, BOB, builders.START), (builders.DATA, ALICE, 1), (builders.TOKEN, TOKENS, 1)],
)  # fmt: skip
def test_bank_refuses_what_is_not_the_signers(move: tuple[int, int, int]) -> None:
    done = only(world((LOOP,)), Call.bank_move(*move))
    assert done.receipts[0].failure is FailureReason.BANK
    done = only(world((LOOP,)), Call(0, 1, (ALICE, BOB, 1, 0)))
    assert done.receipts[0].failure is FailureReason.BANK


def test_signer_moves_from_purses_that_its_cell_owns() -> None:
    before = world((LOOP,))
    cells = {
        **before.cells,
        70: Purse(owner_cell(ALICE), 9, asset=40),
        71: Purse(owner_cell(BOB), 2**64 - 9, asset=40),
    }
    before = Ledger.of_cells(cells, [(LOOP,)])
    done = only(before, Call.bank_move(70, 71, 8))
    assert done.receipts[0].failure is None
    done = only(before, Call.bank_move(70, 71, 9))
    assert done.receipts[0].failure is FailureReason.BANK  # the asset would overflow u64
    done = only(before, Call.bank_move(71, 70, 1))
    assert done.receipts[0].failure is FailureReason.BANK


def test_checksig_needs_the_cosignature() -> None:
    before = world(one_call(Sys.CHECKSIG, BOB, 7, 8, 12))
    batch = builders.batch(calls(HERE))
    assert builders.run(before, batch).left_out[0].reason is RefusalReason.COSIGNATURE
    for cosigner, included in ((BOB, 1), (CAROL, 0)):
        answers = (Cosignature(key(cosigner), BLANK_SIGNATURE),)
        signed = replace(batch.transactions[0], cosignatures=answers)
        done = check(before, replace(batch, transactions=(signed,)))
        assert len(done.receipts) == included
    signed = replace(batch.transactions[0], cosignatures=(Cosignature(key(BOB), BLANK_SIGNATURE),))
    done = check(before, replace(batch, transactions=(signed,)))
    assert done.ledger.cells[BOB].next_leaf == 13
    assert [claim.epoch for claim in done.signatures] == [12, 10]
    refused = builders.apply(before, replace(batch, transactions=(signed,)), valid=[True])
    assert refused.left_out[0].reason is RefusalReason.COSIGNATURE


def test_key_cell_keeps_the_key_and_passes_no_leaf() -> None:
    """After its purse was rotated, and with a leaf below the purse's next one, however often."""
    before = world(one_call(Sys.CHECKSIG, 65, 7, 8, 3))
    kept = KeyCell(PROGRAM, key(BOB).owner())
    rotated = replace(before.cells[BOB], owner=key(CAROL).owner(), next_leaf=0, nonce=0)
    before = Ledger.of_cells({**before.cells, 65: kept, BOB: rotated}, before.codes.values())
    batch = builders.batch(calls(HERE, HERE))
    answers = (Cosignature(key(BOB), BLANK_SIGNATURE),) * 2
    signed = replace(batch.transactions[0], cosignatures=answers)
    done = check(before, replace(batch, transactions=(signed,)))
    assert done.receipts[0].failure is None
    message = cosign_message(builders.CHAIN_ID, PROGRAM, 65, 7, 8)
    assert [(claim.message, claim.epoch) for claim in done.signatures[:2]] == [(message, 3)] * 2
    assert done.ledger.cells[65] == kept and done.ledger.cells[BOB].next_leaf == 0
    other = replace(batch.transactions[0], cosignatures=(Cosignature(key(CAROL), BLANK_SIGNATURE),) * 2)
    refused = builders.run(before, replace(batch, transactions=(other,)))
    assert refused.left_out[0].reason is RefusalReason.COSIGNATURE


def test_key_cell_is_the_key_of_the_purse() -> None:
    done = only(world(one_call(Sys.CREATE_KEY, BOB)), HERE)
    assert done.ledger.cells[NEXT_FREE] == KeyCell(PROGRAM, key(BOB).owner())


def test_index_is_the_number_of_the_transaction() -> None:
    before = world(one_call(Sys.CONTEXT, 6))
    done = check(before, builders.batch(builders.transfer(), calls(HERE, signer=BOB)))
    assert done.ledger.cells[DATA].values[0] == 2


def test_deployed_program_runs_in_the_same_batch() -> None:
    code = (sys(Sys.CREATE_DATA), sys(Sys.EVENT), sys(Sys.EXIT), LOOP)
    before = builders.ledger()
    deploy = Deploy(ALICE, 5, 10, code, 10**9, 2)
    done = check(before, builders.batch(deploy, calls(Call(NEXT_FREE), signer=BOB)))
    first, second = done.receipts
    assert (first.program, first.failure, second.failure) == (NEXT_FREE, None, None)
    assert first.gas == 4000 + 250 * 4
    assert done.ledger.cells[NEXT_FREE] == ProgramCell(code_digest(code), 4)
    assert done.ledger.cells[NEXT_FREE + 1] == DataCell(NEXT_FREE, (0, 0, 0, 0))
    assert isinstance(done.ledger.cells[NEXT_FREE + 2], DataCell)
    assert len(second.events) == 1
    assert done.ledger.codes == {code_digest(code): code}
    changed = done.tape.copy()
    changed[0, 4 + 5] ^= 0x100  # a byte of the code: the signed digest is another
    with pytest.raises(MachineError):
        run(kernel(), done.words_before, changed, programs=done.programs)


BAD_CODE = [
    (0, LOOP),
    (Instruction(Opcode.ASSERT).encode(), LOOP),
    (int(Opcode.TRAP), LOOP),
    (255, LOOP),
    (li(1, 1),),
    (Instruction(Opcode.JMP, imm0=1).encode(),),
    (Instruction(Opcode.JLT, imm0=2).encode(), LOOP),
    (Instruction(Opcode.JMP, imm0=0, imm1=1).encode(),),
    (Instruction(Opcode.SYS, imm0=15).encode(), LOOP),
    (Instruction(Opcode.SYS, imm0=max(Sys).address + 1).encode(), LOOP),
    (Instruction(Opcode.SYS, imm0=16, imm1=1).encode(), LOOP),
    (LOOP, Instruction(Opcode.JEQ).encode()),
    (sys(Sys.EXIT),),
]


@pytest.mark.parametrize("code", BAD_CODE)
def test_bad_code_is_no_transaction(code: tuple[int, ...]) -> None:
    deploy = Deploy(ALICE, 5, 10, code, 10**9, 2)
    before, batch = builders.ledger(), builders.batch(deploy)
    done = builders.run(before, batch)
    assert done.left_out[0].reason is RefusalReason.CODE
    cells = {index: words_of(cell) for index, cell in before.cells.items()}
    from circuits.rollup.transition import build_tape

    with pytest.raises(MachineError) as caught:
        run(kernel(), cells, build_tape(batch))
    assert caught.value.place == "refuse_code"


def test_deployment_without_a_free_cell_fails() -> None:
    for next_free in (1 << 30, (1 << 30) - 1):
        batch = builders.batch(Deploy(ALICE, 5, 10, (LOOP,), 10**9))
        done = check(builders.ledger(next_free=next_free), batch)
        assert done.receipts[0].failure is FailureReason.CELLS_FULL
    before = world(one_call(Sys.CREATE_DATA))
    cells = {**before.cells, 0: replace(before.system, next_free=1 << 30)}
    done = only(Ledger.of_cells(cells, before.codes.values()), HERE)
    assert done.receipts[0].failure is FailureReason.CELLS_FULL


def test_rotation_gives_the_purse_to_the_new_key() -> None:
    before = builders.ledger()
    rotate = Rotate(ALICE, 5, 10, key(77).owner(), 10**9, 1, first_leaf=3)
    later = builders.transfer(ALICE, nonce=6, leaf=3)
    done = check(before, builders.batch(rotate, later))
    assert [left.reason for left in done.left_out] == [RefusalReason.OWNER]
    assert done.ledger.cells[ALICE].owner == key(77).owner()
    assert done.ledger.cells[ALICE].next_leaf == 3


def test_rotation_needs_a_nonce_below_the_limit() -> None:
    """Nonces go on after a rotation, leaves start again: a nonce stays at most 2^30 above its next leaf."""
    base = builders.ledger()
    for nonce, included in (((1 << 30) - 1, 1), (1 << 30, 0)):
        cells = {**base.cells, ALICE: replace(base.cells[ALICE], nonce=nonce, next_leaf=10)}
        before = Ledger.of_cells(cells)
        batch = builders.batch(Rotate(ALICE, nonce, 10, key(77).owner(), 10**9))
        done = builders.run(before, batch)
        assert len(done.receipts) == included
        if included:
            Ledger.of_cells(check(before, batch).ledger.cells)
            continue
        assert done.left_out[0].reason is RefusalReason.COUNTER_OVERFLOW
        tape = build_tape(batch)
        with pytest.raises(MachineError) as caught:
            run(kernel(), {index: words_of(cell) for index, cell in before.cells.items()}, tape)
        assert caught.value.place == "refuse_shape"


@pytest.mark.parametrize("limit", [0, 1199, MAX_GAS + 1, 2**32 - 1])
def test_gas_limit_out_of_bounds_is_left_out(limit: int) -> None:
    before, batch = world((LOOP,)), builders.batch(calls(HERE, gas_limit=limit, max_fee=2**64 - 1))
    assert builders.run(before, batch).left_out[0].reason is RefusalReason.GAS_LIMIT
    from circuits.rollup.transition import build_tape

    cells = {index: words_of(cell) for index, cell in before.cells.items()}
    with pytest.raises(MachineError) as caught:
        run(kernel(), cells, build_tape(batch, [True]), programs=[(LOOP,)])
    assert caught.value.place == "refuse_gas"


SCRIPT = bytes.fromhex("0014") + bytes(38)
FORCED = {
    "height": 90, "txid": bytes(range(32)), "vout": 1, "cell": ALICE, "sats": 7, "owner": key(ALICE).owner(),
    "script": SCRIPT, "script_length": 22,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{}, {"cell": BOB}, {"cell": builders.TOKEN}, {"cell": 1 << 30}, {"sats": 0}, {"sats": 10**9 + 1},
     {"sats": 2**64 - 1}, {"script_length": 0}, {"script_length": 41}, {"owner": key(BOB).owner()},
     {"cell": PURSE, "owner": owner_cell(PROGRAM), "sats": 1}, {"cell": NEXT_FREE}, {"sats": 10**9}],
)  # fmt: skip
def test_forced_exit(change: dict[str, object]) -> None:
    before = world((LOOP,))
    event = ForcedExit(**(FORCED | change))
    done = check(before, builders.batch(events=[builders.deposit(), event, builders.deposit()]))
    valid = not change or change == {"sats": 10**9}
    assert len(done.exits) == valid
    assert done.public_values.withdrawals == valid * event.sats * 1000
    assert done.ledger.inbox.count == 3


def test_block_hash_is_stored_if_it_is_newer() -> None:
    events = [BlockHash(7, bytes(range(32))), BlockHash(7, bytes(32)), BlockHash(6, bytes(32))]
    done = check(world(one_call(Sys.PEEK, 12, 0)), builders.batch(calls(HERE), events=events))
    assert done.ledger.cells[12].height == 7
    assert done.ledger.cells[DATA].values[0] == int.from_bytes(bytes(range(8)), "little")


def random_code(rng: random.Random) -> tuple[int, ...]:
    """A program with some sense: small registers, system calls on known cells."""
    things = (PURSE, TOKENS, DATA, OTHER_DATA, ALICE, BOB, PROGRAM, NEXT_FREE, 0, 1, 2, 3, 12, 5, 70, 1 << 30)
    words = []
    for _ in range(rng.randrange(1, 25)):
        kind = rng.randrange(10)
        if kind < 4:
            words.append(li(rng.randrange(1, 5), rng.choice(things)))
        elif kind < 7:
            words.append(sys(rng.choice([call for call in Sys if call is not Sys.FAIL])))
        else:
            op = rng.choice([op for op in Opcode if Opcode.PAD < op < Opcode.SYS and op not in (9,)])
            d, a, b = (rng.randrange(9) for _ in range(3))
            jump = Opcode.JMP <= op <= Opcode.JGE
            words.append(
                Instruction(
                    op, d, a, b, imm0=rng.randrange(len(words) + 1) if jump else rng.randrange(9)
                ).encode()
            )
    return (*words, sys(Sys.EXIT), LOOP)


def random_calls(rng: random.Random, nonces: dict[int, int]) -> Calls:
    signer = rng.choice((ALICE, BOB, PRODUCER))
    wanted = []
    for _ in range(rng.randrange(1, 5)):
        arguments = tuple(rng.choice((PURSE, ALICE, BOB, DATA, 1, 1000, 2**63)) for _ in range(4))
        program = rng.choice((PROGRAM, PROGRAM, PROGRAM, 0, 0, 1, ALICE, 2**31))
        if program == 0:
            arguments = (rng.choice((signer, signer, BOB)), rng.choice((BOB, PURSE, TOKENS)), 5, 0)
        wanted.append(Call(program, rng.choice((0, 0, 0, 1)), arguments))
    used = nonces.get(signer, 0)
    nonces[signer] = used + 1
    tx = calls(*wanted, signer=signer, nonce=5 + used, leaf=10 + used)
    return replace(tx, gas_limit=rng.choice((tx.first_gas, 4000, 30_000)), tip=rng.choice((0, 5)))


@pytest.mark.parametrize("seed", range(60))
def test_kernel_equals_specification_on_random_calls(seed: int) -> None:
    rng = random.Random(seed)
    nonces: dict[int, int] = {}
    before = world(random_code(rng))
    batch = builders.batch(*(random_calls(rng, nonces) for _ in range(4)), events=[builders.deposit()])
    answers = (Cosignature(key(BOB), BLANK_SIGNATURE),) * 8
    signed = tuple(replace(tx, cosignatures=answers) for tx in batch.transactions)
    flipped(check(before, replace(batch, transactions=signed)))
