"""The interpreter and Bitcoin Core's kernel agree: on the vectors, on mutated vectors, on random scripts."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from tests.script.core_cases import Case, credit_and_spend, script_cases, taproot_cases, transaction_cases
from tests.script.spends import judge, judge_tapscript, tapscript_spend
from verifier.bitcoin.encoding import sha256
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction, TxOut
from verifier.chain.kernel import KernelSpending, kernel_accepts
from verifier.script.errors import ScriptError
from verifier.script.opcodes import OP_SUCCESS, Op
from verifier.script.script import encode_number, push
from verifier.script.spend import run_tapscript


def test_both_judge_the_script_tests_alike() -> None:
    for case in script_cases():
        judge(case.spending)


def test_both_judge_the_taproot_assets_alike() -> None:
    for case in taproot_cases():
        assert judge(case.spending, case.index).accepted == (case.expected == "OK") or "TAPROOT" not in str(
            case.flags
        )


def test_both_judge_the_transactions_alike() -> None:
    for name in ("tx_valid.json", "tx_invalid.json"):
        for _, tx, spent, expected in transaction_cases(name):
            if expected != "BADTX":
                for index in range(len(tx.inputs)):
                    judge(Spending(tx, spent), index)


def _mutated(rng: random.Random, case: Case) -> Spending:
    txin = case.spending.tx.inputs[case.index]
    if not txin.witness:
        return case.spending
    witness = list(txin.witness)
    which = rng.randrange(len(witness))
    item = bytearray(witness[which])
    action = rng.randrange(4)
    if action == 0 and item:
        item[rng.randrange(len(item))] ^= 1 << rng.randrange(8)
    elif action == 1:
        item.insert(rng.randrange(len(item) + 1), rng.randrange(256))
    elif action == 2 and item:
        del item[rng.randrange(len(item))]
    witness[which] = bytes(item)
    if action == 3:
        witness.insert(which, rng.randbytes(rng.randrange(3)))
    inputs = list(case.spending.tx.inputs)
    inputs[case.index] = replace(txin, witness=tuple(witness))
    return Spending(replace(case.spending.tx, inputs=tuple(inputs)), case.spending.spent)


def test_both_judge_mutated_taproot_spends_alike() -> None:
    rng = random.Random(11)
    for case in taproot_cases():
        judge(_mutated(rng, case), case.index)


SAFE = [
    op
    for op in Op
    if op not in OP_SUCCESS and op not in (Op.PUSHDATA1, Op.PUSHDATA2, Op.PUSHDATA4, Op.RETURN)
]
NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    16,
    17,
    127,
    128,
    -128,
    255,
    256,
    32767,
    -32768,
    2**31 - 1,
    -(2**31) + 1,
    2**31,
    2**33,
]


def _word(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.45:
        return push(encode_number(rng.choice(NUMBERS)))
    if kind < 0.55:
        return push(
            rng.choice([b"\0", b"\x80", b"\1\0", b"\0\0\0\0", b"\0" * 5, rng.randbytes(rng.randrange(6))])
        )
    return bytes([rng.choice(SAFE)])


def _random_script(rng: random.Random) -> bytes:
    return b"".join(_word(rng) for _ in range(rng.randrange(1, 30))) + b"\x51" * rng.randrange(2)


def test_both_judge_random_tapscripts_alike() -> None:
    rng = random.Random(12)
    seen = Counter[ScriptError]()
    for _ in range(6_000):
        items = [push(encode_number(rng.choice(NUMBERS)))[1:] for _ in range(rng.randrange(8))]
        seen[judge_tapscript(_random_script(rng), items)] += 1
    assert len(seen) > 12, seen


def test_both_judge_programs_that_mostly_succeed_alike() -> None:
    """Random words that fit the stack, then the whole stack compared with what the interpreter computed."""
    rng = random.Random(13)
    for _ in range(600):
        code = b""
        stack: tuple[bytes, ...] = ()
        for _ in range(rng.randrange(5, 40)):
            word = _word(rng)
            outcome = run_tapscript(code + word, ())
            if outcome.verdict.accepted and not outcome.alt and word[0] not in (Op.IF, Op.NOTIF):
                code, stack = code + word, outcome.stack
        check = b"".join(push(item) + bytes([Op.EQUALVERIFY]) for item in reversed(stack) if len(item) <= 520)
        assert judge_tapscript(code + check + b"\x51") is ScriptError.OK
        if stack:
            wrong = push(stack[-1] + b"\1") + bytes([Op.EQUALVERIFY])
            assert judge_tapscript(code + wrong + b"\x51") is ScriptError.EQUALVERIFY


def test_both_judge_random_legacy_and_v0_scripts_alike() -> None:
    rng = random.Random(14)
    for _ in range(2_000):
        code = _random_script(rng)
        judge(credit_and_spend(b"\x51\x52", code))
        judge(credit_and_spend(b"", b"\0\x20" + sha256(code), (b"\1", b"\2", code)))


def test_within_reads_its_bounds_also_where_the_first_comparison_decides() -> None:
    """Found by the random scripts: a maximum of five bytes is an error, though the minimum already fails."""
    code = (
        push(encode_number(1))
        + push(encode_number(2))
        + push(encode_number(2**33))
        + bytes([Op.WITHIN, Op.NOT])
    )
    assert judge_tapscript(code) is ScriptError.SCRIPTNUM


def test_what_would_abort_the_process_is_refused() -> None:
    spending = tapscript_spend(b"\x51")
    kernel = KernelSpending(spending)
    assert kernel.accepts(0)
    for index in (-1, 1, 1 << 32):
        with pytest.raises(ValueError, match="input"):
            kernel.accepts(index)
    with pytest.raises(ValueError, match="inputs"):
        KernelSpending(Spending(Transaction(2, (), (TxOut(1, b""),)), ()))


def test_a_transaction_of_400_kilobytes_is_judged_in_milliseconds() -> None:
    assert kernel_accepts(tapscript_spend(b"\x51\x75" * 190_000 + b"\x51"))
