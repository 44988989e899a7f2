"""Attacks on what comes before a program runs and after it: deployment, keys, events, and the next transaction.

As in test_attacks_programs: one lie, all else fits it, and exactly the rule that forbids the lie is broken.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from circuits.machine.isa import Opcode
from circuits.machine.program import Instruction
from circuits.rollup.hashing import code_digest
from circuits.rollup.signatures import claims
from circuits.rollup.types import BlockHash, Call, Calls, Deploy, Rotate, SignedTransaction
from circuits.xmss import batch as xmss_batch
from circuits.xmss.batch import Claim, SignRequest
from tests.soundness.cases import registry
from tests.soundness.forger import USER, Forgery, Moment, hash_is, keep, other_way, result
from tests.soundness.scene import (
    ALICE,
    BOB,
    CHAIN_ID,
    LEAF,
    NONCE,
    attack,
    bitcoin_says,
    deposit,
    forced_exit,
    keys,
    ledger,
    sign,
    transfer,
)
from tests.soundness.test_attacks_programs import (
    GOOD,
    LEAK,
    MAX_FEE,
    PRODUCT,
    PROGRAM,
    calls,
    code,
    follow,
    one_more,
    run,
    world,
)

CASES, forgery = registry()


# --- deployment


def _deploy(words: tuple[int, ...] | None = None, **more: object) -> Forgery:
    return attack([sign(Deploy(ALICE, NONCE, LEAF, words or code(GOOD), MAX_FEE))], **more)


def _signed(digest: tuple[int, ...]) -> Claim:
    """Alice signs whatever she is shown."""
    (signature,) = xmss_batch.sign([SignRequest(keys()[0], LEAF, digest)])
    (claim,) = claims(CHAIN_ID, [sign(transfer())])
    return replace(claim, message=digest, signature=signature)


def _word(op: Opcode, imm0: int = 0) -> int:
    return Instruction(op, imm0=imm0).encode()


@forgery(relations={"sig"})
def code_that_was_not_signed_is_deployed() -> Forgery:
    signed = sign(Deploy(ALICE, NONCE, LEAF, code(GOOD), MAX_FEE))
    other = replace(signed, transaction=replace(signed.transaction, code=code(LEAK)))
    return attack([other], shown=claims(CHAIN_ID, [signed]))


@forgery(relations={"hash"})
def changed_code_is_deployed_under_the_old_hash() -> Forgery:
    """Alice signed GOOD; another listing is published, and the last hash of its words is said to be GOOD's."""
    words = code(GOOD)
    changed = (words[0] + (1 << 32), *words[1:])
    signed = sign(Deploy(ALICE, NONCE, LEAF, words, MAX_FEE))
    other = replace(signed, transaction=replace(signed.transaction, code=changed))
    lies = {("HASH TAG_CODE, w, zero, zero", len(words) - 1): hash_is(code_digest(words))}
    return attack([other], shown=claims(CHAIN_ID, [signed]), lies=lies)


@forgery(labels={f"cpu.result[MOV][{i}]" for i in range(4)})
def words_of_code_are_left_out_of_the_hash() -> Forgery:
    """The hash of the code does not begin with zeros, and the digest that Alice signs follows it."""

    def other(moment: Moment) -> None:
        moment.vc = (1, 2, 3, 4)

    words = code(GOOD)
    made = _deploy(words, shown=(), lies={("MOV code_lo, zero", 0): other})
    digest = made.run.h[:, made.row("SIG owner_lo, owner_hi, leaf")]
    shown = _signed(tuple(digest.tolist()))
    return _deploy(words, shown=[shown], lies={("MOV code_lo, zero", 0): other})


@forgery(relations={"less"})
def code_that_jumps_out_is_deployed() -> Forgery:
    return _deploy((_word(Opcode.JMP, 1),), lies={("JGE x, length, refuse_code", 0): other_way})


@forgery(relations={"less"})
def code_that_calls_into_the_kernel_is_deployed() -> Forgery:
    words = (_word(Opcode.SYS, 3), _word(Opcode.JMP))
    return _deploy(words, lies={("JLT x, first_sys, refuse_code", 0): other_way})


@forgery(relations={"less"})
def code_with_an_instruction_of_the_kernel_is_deployed() -> Forgery:
    words = (_word(Opcode.STORE), _word(Opcode.JMP))
    return _deploy(words, lies={("JLT op_sys, op, refuse_code", 0): other_way})


@forgery(labels={"cpu.equal[0]"})
def code_that_runs_off_its_end_is_deployed() -> Forgery:
    words = (_word(Opcode.JEQ),)
    return _deploy(words, lies={("JNE op, op_jmp, refuse_code", 0): other_way})


@forgery(labels={"cpu.equal[0]"})
def program_is_deployed_over_a_live_cell() -> Forgery:
    return _deploy(of=ledger(next_free=BOB))


@forgery(labels=PRODUCT)
def deployment_costs_more_than_it_should() -> Forgery:
    return _deploy(lies={("MULDIV tx_gas, price, one", 0): one_more})


# --- keys


def _rotate(new_owner: tuple[int, ...]) -> Rotate:
    return Rotate(ALICE, NONCE, LEAF, new_owner, MAX_FEE)


@forgery(relations={"sig"})
def purse_is_given_to_a_key_that_was_not_signed() -> Forgery:
    bobs = keys()[1].public_key.owner()
    signed = sign(_rotate((5,) * 8))
    return attack([replace(signed, transaction=_rotate(bobs))], shown=claims(CHAIN_ID, [signed]))


@forgery(relations={"sig"})
def key_that_was_given_up_signs() -> Forgery:
    first = sign(_rotate(keys()[1].public_key.owner()))
    return attack([first, sign(transfer(nonce=NONCE + 1, leaf=LEAF + 1))])


# --- replacements


def _pair() -> list[SignedTransaction]:
    """A list of calls, and what Alice signed to replace it."""
    return [sign(calls()), sign(calls(leaf=LEAF + 1, max_fee=2 * MAX_FEE))]


def _both(**more: object) -> Forgery:
    pair = _pair()
    return attack(
        pair, of=world(), codes=[code(GOOD)], failing=[False, False], shown=claims(CHAIN_ID, pair), **more
    )


@forgery(relations={"sig"})
def replacement_pays_twice() -> Forgery:
    """The nonce is the purse's: nobody signed the second with the next one."""
    return _both()


@forgery(labels={"cpu.result[LO][0]"}, relations={"less"})
def replacement_pays_twice_under_the_old_nonce() -> Forgery:
    return _both(
        lies={
            ("LO nonce, sequence", 1): result(NONCE),
            ("JLT new_sequence, sequence, refuse_leaf", 1): other_way,
        }
    )


@forgery(relations={"add"})
def replacement_pays_twice_since_the_nonce_stays() -> Forgery:
    """The first one's nonce is not counted, so that the second has it again."""
    return _both(lies={("ADD new_sequence, new_sequence, seq_step", 0): keep("a")})


# --- events


@forgery(relations={"less"})
def deposit_is_shown_as_too_large() -> Forgery:
    return attack([], [deposit()], lies={("JLT max_sats, e6, event_end", 0): other_way})


@forgery(relations={"less"})
def deposit_is_shown_as_beyond_the_supply() -> Forgery:
    return attack([], [deposit()], lies={("JLT max_supply, supply_next, event_end", 0): other_way})


@forgery(relations={"less"})
def deposit_is_shown_as_having_no_cell_left() -> Forgery:
    return attack([], [deposit()], lies={("JGE next_cell, cell_limit, event_end", 0): other_way})


@forgery(labels={"cpu.equal[0]"})
def deposit_is_shown_as_nothing() -> Forgery:
    return attack([], [deposit()], lies={("JEQ e6, zero, event_end", 0): other_way})


@forgery(labels={"cpu.jne_unequal"})
def deposit_is_shown_as_of_no_kind() -> Forgery:
    return attack([], [deposit()], lies={("JNE kind, one, other_event", 0): other_way})


@forgery(relations={"less"})
def block_hash_is_shown_as_an_old_one() -> Forgery:
    return attack([], [BlockHash(800_000, bytes(32))], lies={("JGE x, y, event_end", 0): other_way})


@forgery(relations={"public"})
def event_in_the_middle_is_skipped() -> Forgery:
    events = [deposit(), forced_exit(), deposit(vout=1)]
    return bitcoin_says(attack([], [events[0], events[2]]), attack([], events))


@forgery(relations={"public"})
def deposit_comes_before_the_forced_exit_that_was_first() -> Forgery:
    return bitcoin_says(attack([], [deposit(), forced_exit()]), attack([], [forced_exit(), deposit()]))


@forgery(relations={"add"})
def forced_exit_is_not_debited() -> Forgery:
    return attack([], [forced_exit()], lies={("SUB balance, balance, amount", 0): keep("a")})


# --- what a program computes


@forgery(labels=PRODUCT)
def quotient_of_a_program_is_one_too_large() -> Forgery:
    return run(lies={(USER, 2): one_more})


@forgery(relations={"add"})
def sum_of_a_program_is_one_too_large() -> Forgery:
    return run(lies={(USER, 1): result(15)})


@forgery(labels={"cpu.pc_step"})
def program_jumps_elsewhere() -> Forgery:
    return run(source="JMP over\nSYS FAIL\nover:\nSYS EXIT", lies={(USER, 0): follow(pc=1)}, failing=[True])


@forgery(labels={"cpu.pc_step"})
def program_leaves_out_an_instruction() -> Forgery:
    return run(lies={(USER, 0): follow(pc=2)})


# --- from one transaction to the next


def _lists(source: str, **more: object) -> Forgery:
    """Two lists of one call each."""
    second: Calls = calls(Call(PROGRAM, 0, (9, 0, 0, 0)), nonce=NONCE + 1, leaf=LEAF + 1)
    return run(calls(), second, source=source, **more)


@forgery(labels={"cpu.uframe_step"})
def registers_of_the_transaction_before_are_seen() -> Forgery:
    return _lists(LEAK, lies={("FRAME", 1): follow(uframe=1)})


@forgery(labels={"cpu.space_step"})
def what_a_failing_transaction_wrote_is_seen_by_the_next_failing_one() -> Forgery:
    source = "CALL DSTORE, 63, 0, 7\nSYS FAIL"
    space = int(_lists(source).run.space.astype(int)[_lists(source).run.space > 0][0])
    return _lists(source, lies={("SPACE failing", 1): follow(space=space)})


@forgery(labels={"cpu.gas_step"})
def gas_of_a_transaction_begins_below_its_price() -> Forgery:
    return _lists(GOOD, lies={("GASSET tx_gas, limit", 1): follow(gas=0)})


@forgery(labels={f"cpu.h_set[{i}]" for i in range(8)})
def program_sees_the_hash_state_of_the_kernel() -> Forgery:
    """It begins with the digest of its code in place of zeros."""

    def stays(moment: Moment) -> None:
        moment.h = digest

    made = run()
    digest = tuple(made.run.h[:, made.row("ENTER")].tolist())
    return run(lies={("ENTER", 0): stays})


@pytest.mark.parametrize("name", CASES)
def test_forgery_is_refused_by_name(name):
    build, labels, relations = CASES[name]
    assert build().broken() == (labels, relations)
