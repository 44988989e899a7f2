"""Findings of docs/reviews/0003-user-mode.md: what was found in user mode, and that it stays mended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from circuits.machine.abi import GAS_CALL, GAS_CALLS, GAS_LOADED_WORD
from circuits.machine.code import MAX_CODE_LENGTH
from circuits.machine.isa import STEP_GAS, Opcode
from circuits.rollup.cells import ProgramCell
from circuits.rollup.errors import CodecError, FailureReason, RefusalReason
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger
from circuits.rollup.signatures import claims
from circuits.rollup.system_calls import cosign_message
from circuits.rollup.types import Call, Cosignature
from circuits.xmss import batch as xmss_batch
from circuits.xmss.batch import Claim, SignRequest
from tests.soundness.forger import Forgery
from tests.soundness.scene import ALICE, BOB, CHAIN_ID, LEAF, NONCE, attack, keys, sign
from tests.soundness.test_attacks_programs import BOBS_LEAF, GOOD, PROGRAM, calls, code, honest, world

FIRST = GAS_CALLS + GAS_CALL
ASKS = f"CALL CHECKSIG, {BOB}, 1, 2, {BOBS_LEAF}\nSYS EXIT"
"""A program that is nothing without Bob's co-signature."""


def gas_before_asking() -> tuple[int, int]:
    """Gas before the SYS of CHECKSIG, and the number of that step."""
    words = code(ASKS)
    step = next(i for i, word in enumerate(words) if word & 0xFF == Opcode.SYS)
    return FIRST + GAS_LOADED_WORD * len(words) + STEP_GAS * step, step


# --- 1: a step that the limit does not cover: one outcome, the same in specification and kernel


@pytest.mark.parametrize("left", range(1, STEP_GAS))
def test_step_beyond_the_limit_fails_without_the_cosignature(left):
    """A producer can TRAP here: so the specification must not ask for the co-signature."""
    gas, step = gas_before_asking()
    tx = sign(calls(gas_limit=gas + left))
    done = honest(world(ASKS), [tx])
    assert [receipt.failure for receipt in done.receipts] == [FailureReason.OUT_OF_GAS]
    made = attack([tx], of=world(ASKS), codes=[code(ASKS)], failing=[True], traps=[step])
    assert made.broken() == (set(), set())
    assert tuple(made.public_values) == done.public_values.elements()


def test_cosignature_is_asked_for_where_the_limit_covers_the_step():
    """A TRAP is too early here, and the list cannot be included without Bob."""
    gas, step = gas_before_asking()
    tx = sign(calls(gas_limit=gas + STEP_GAS))
    assert [left.reason for left in honest(world(ASKS), [tx]).left_out] == [RefusalReason.COSIGNATURE]
    made = attack([tx], of=world(ASKS), codes=[code(ASKS)], failing=[True], traps=[step])
    assert made.broken() == ({"cpu.equal[0]", "cpu.entry_after_sys"}, set())


# --- 2: code is loaded only if the limit pays for it


LONG = "LI r9, 1\n" * (MAX_CODE_LENGTH - 5) + "SYS EXIT"


@pytest.mark.parametrize(("left", "loaded"), [(-1, False), (0, True)])
def test_code_that_is_not_paid_for_is_not_loaded(left, loaded):
    """Else 1,200 gas would fill 1,024 of the 8,192 rows of `code`, and as many hashes."""
    words = code(LONG)
    limit = FIRST + GAS_LOADED_WORD * len(words) + left
    tx = sign(calls(gas_limit=limit))
    done = honest(world(LONG), [tx])
    assert done.receipts[0].failure is FailureReason.OUT_OF_GAS
    assert done.receipts[0].gas == limit
    assert done.programs == ((words,) if loaded else ())
    made = attack([tx], of=world(LONG), codes=[words], failing=[True])
    assert len(made.run.programs) == int(loaded)
    assert made.broken() == (set(), set())
    assert tuple(made.public_values) == done.public_values.elements()


# --- 3: code of a genesis is code that could have been deployed


@pytest.mark.parametrize(
    "words",
    [
        (Opcode.HINT, Opcode.JMP),  # the kernel's own
        (Opcode.LI,),  # runs off its end
        (Opcode.JMP | 1 << 32,),  # jumps outside
        (Opcode.SYS | 3 << 32, Opcode.JMP),  # no system call
    ],
)
def test_genesis_refuses_code_that_could_get_stuck(words):
    cells = dict(world().cells)
    cells[PROGRAM] = ProgramCell(code_digest(words), len(words))
    with pytest.raises(CodecError):
        Ledger.of_cells(cells, [words])


def test_genesis_refuses_a_program_of_another_length():
    """Its length is what loading it costs."""
    cells = dict(world().cells)
    cells[PROGRAM] = replace(cells[PROGRAM], length=1)
    with pytest.raises(CodecError):
        Ledger.of_cells(cells, [code(GOOD)])


# --- co-signatures: what they bind, and how often they count


def cosignature(message: tuple[int, ...], leaf: int = BOBS_LEAF) -> Claim:
    """Bob's."""
    key = keys()[1]
    (signature,) = xmss_batch.sign([SignRequest(key, leaf, message)])
    return Claim(key.public_key.owner(), key.public_key, leaf, message, signature)


OTHERS = {
    "chain": (CHAIN_ID + 1, PROGRAM, BOB, 1, 2),
    "program": (CHAIN_ID, PROGRAM + 1, BOB, 1, 2),
    "purse": (CHAIN_ID, PROGRAM, ALICE, 1, 2),
    "first word": (CHAIN_ID, PROGRAM, BOB, 2, 2),
    "second word": (CHAIN_ID, PROGRAM, BOB, 1, 1),
}


def ask_with(claim: Claim, of: Ledger | None = None) -> Forgery:
    """Alice's list, shown with a co-signature."""
    tx = sign(calls())
    own = claims(CHAIN_ID, [tx])[0]
    of = of or world(ASKS)
    return attack([tx], of=of, codes=[code(ASKS)], failing=[False], shown=[claim, own])


def test_the_right_cosignature_is_accepted():
    assert ask_with(cosignature(cosign_message(CHAIN_ID, PROGRAM, BOB, 1, 2))).broken() == (set(), set())


@pytest.mark.parametrize("name", OTHERS)
def test_cosignature_of_something_else_is_refused(name):
    assert ask_with(cosignature(cosign_message(*OTHERS[name]))).broken() == (set(), {"sig"})


def test_cosignature_with_another_leaf_is_refused():
    claim = cosignature(cosign_message(CHAIN_ID, PROGRAM, BOB, 1, 2), BOBS_LEAF + 1)
    assert ask_with(claim).broken() == (set(), {"sig"})


def test_cosignature_of_the_key_before_a_rotation_is_refused():
    base = world(ASKS)
    cells = dict(base.cells)
    cells[BOB] = replace(cells[BOB], owner=keys()[0].public_key.owner())
    claim = cosignature(cosign_message(CHAIN_ID, PROGRAM, BOB, 1, 2))
    made = ask_with(claim, Ledger.of_cells(cells, [code(ASKS)]))
    assert made.broken() == (set(), {"sig"})


def test_cosignature_is_needed_by_a_list_that_fails_after_it():
    source = f"CALL CHECKSIG, {BOB}, 1, 2, {BOBS_LEAF}\nSYS FAIL"
    tx = sign(calls())
    made = attack([tx], of=world(source), codes=[code(source)], failing=[True])
    assert made.broken() == (set(), {"sig"})


def test_cosignature_of_a_list_that_failed_counts_once_more_and_no_further():
    """It was shown and its leaf not passed: who has seen it may use it, in a list of his own, until it counts."""
    source = f"""
    MOV     r8, r2
    CALL    CHECKSIG, {BOB}, 1, 2, {BOBS_LEAF}
    LI      r9, 1
    SUB     r9, r9, r8
    SYS     EXIT
    """
    given = cosignature(cosign_message(CHAIN_ID, PROGRAM, BOB, 1, 2))
    signed = [
        replace(
            sign(calls(Call(PROGRAM, 0, (argument, 0, 0, 0)), nonce=NONCE + k, leaf=LEAF + k)),
            cosignatures=(Cosignature(given.public_key, given.signature),),
        )
        for k, argument in enumerate((2, 0, 0))
    ]
    done = honest(world(source), signed)
    fails = [receipt.failure for receipt in done.receipts]
    assert fails == [FailureReason.FAULT, None, FailureReason.SYSTEM_CALL]
    made = attack(
        signed, of=world(source), codes=[code(source)], failing=[True, False, True], shown=done.signatures
    )
    assert made.broken() == (set(), set())
    assert tuple(made.public_values) == done.public_values.elements()
