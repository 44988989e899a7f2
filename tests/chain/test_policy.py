"""Every rule is broken once, by one change to a transaction or package that a node takes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.chain.coins import WITH_DUST
from verifier.bitcoin.encoding import hash160
from verifier.bitcoin.keys import public_key, sign_ecdsa, sign_schnorr, xonly_key
from verifier.bitcoin.sighash import Spending, taproot_sighash, witness_v0_sighash
from verifier.bitcoin.taproot import (
    NUMS_KEY,
    TaprootOutput,
    balanced_tree,
    leaf_hash,
    output_secret,
    taproot_output,
)
from verifier.bitcoin.transaction import FINAL_SEQUENCE, OutPoint, Transaction, TxIn, TxOut
from verifier.chain.packages import check_package
from verifier.chain.policy import (
    Reason,
    Rules,
    check_transaction_policy,
    dust_outputs,
    dust_threshold,
    fee_of,
)
from verifier.script.opcodes import Op
from verifier.script.script import P2A, push

SECRET = b"\1" * 32
KEY_PATH = taproot_output(xonly_key(SECRET))
ANCHOR = TxOut(240, P2A)
PAY = KEY_PATH.script
P2WPKH = b"\0\x14" + hash160(public_key(SECRET))


def key_spend(
    outputs: Sequence[TxOut],
    coins: Sequence[tuple[OutPoint, int]] = ((OutPoint(b"\1" * 32, 0), 100_000),),
    version: int = 2,
) -> Spending:
    """Key-path spends of our taproot outputs."""
    tx = Transaction(version, tuple(TxIn(point, FINAL_SEQUENCE) for point, _ in coins), tuple(outputs))
    return signed(Spending(tx, tuple(TxOut(value, PAY) for _, value in coins)))


def signed(spending: Spending) -> Spending:
    tx = spending.tx
    for i, out in enumerate(spending.spent):
        if out.script == PAY:
            tx = tx.with_witness(
                i, (sign_schnorr(output_secret(SECRET), taproot_sighash(spending, i), bytes(32)),)
            )
    return Spending(tx, spending.spent)


def leaf_spend(code: bytes, items: Sequence[bytes], fee: int = 200_000) -> Spending:
    output: TaprootOutput = taproot_output(NUMS_KEY, balanced_tree([leaf_hash(code)]))
    witness = (*items, code, output.control_block(0))
    tx = Transaction(2, (TxIn(OutPoint(b"\1" * 32, 0), witness=witness),), (TxOut(100_000, PAY),))
    return Spending(tx, (TxOut(100_000 + fee, output.script),))


GOOD = key_spend([TxOut(99_000, PAY)])


def changed(**fields: object) -> Spending:
    return Spending(replace(GOOD.tx, **fields), GOOD.spent)


def spending_of(script: bytes, *, script_sig: bytes = b"", witness: tuple[bytes, ...] = ()) -> Spending:
    txin = TxIn(OutPoint(b"\1" * 32, 0), script_sig=script_sig, witness=witness)
    return Spending(Transaction(2, (txin,), (TxOut(99_000, PAY),)), (TxOut(100_000, script),))


def with_script_sig(script_sig: bytes) -> Spending:
    return changed(inputs=(replace(GOOD.tx.inputs[0], script_sig=script_sig),))


def witness_of(*items: bytes) -> Spending:
    return Spending(GOOD.tx.with_witness(0, items), GOOD.spent)


def annexed() -> Spending:
    return witness_of(*GOOD.tx.inputs[0].witness, b"\x50annex")


SINGLE: dict[Reason, Callable[[], Spending]] = {
    Reason.DEFECT: lambda: changed(outputs=()),
    Reason.COINBASE: lambda: changed(inputs=(TxIn(OutPoint(bytes(32), 0xFFFFFFFF), script_sig=b"12"),)),
    Reason.VERSION: lambda: key_spend(GOOD.tx.outputs, version=4),
    Reason.WEIGHT: lambda: leaf_spend(b"\x51\x75" * 199_850 + b"\x51", []),
    Reason.TOO_SMALL: lambda: key_spend([TxOut(100_000, b"\x6a")]),
    Reason.TRUC_SIZE: lambda: key_spend([TxOut(400, PAY)] * 240, version=3),
    Reason.SCRIPT_SIG_SIZE: lambda: with_script_sig(push(b"\1" * 500) * 4),
    Reason.SCRIPT_SIG_PUSHES: lambda: with_script_sig(bytes([Op.DUP])),
    Reason.OUTPUT_KIND: lambda: key_spend([TxOut(9_000, PAY), TxOut(90_000, b"\x51")]),
    Reason.DATA_CARRIER: lambda: key_spend([TxOut(99_000, PAY), TxOut(0, b"\x6a" + push(b"\1" * 82))]),
    Reason.DATA_COUNT: lambda: key_spend([TxOut(99_000, PAY), TxOut(0, b"\x6a\1a"), TxOut(0, b"\x6a")]),
    Reason.DUST_COUNT: lambda: key_spend([TxOut(99_342, PAY), TxOut(329, PAY), TxOut(329, PAY)]),
    Reason.DUST_FEE: lambda: key_spend([TxOut(99_000, PAY), TxOut(239, P2A)]),
    Reason.INPUT_KIND: lambda: spending_of(
        b"\xa9\x14" + hash160(b"\x51") + b"\x87", script_sig=push(b"\x51")
    ),
    Reason.ANCHOR_WITNESS: lambda: spending_of(P2A, witness=(b"\1",)),
    Reason.ANNEX: annexed,
    Reason.WITNESS_ITEM: lambda: leaf_spend(b"\x75\x51", [b"\1" * 81]),
    Reason.CONTROL_BLOCK: lambda: witness_of(b"\x51", b""),
    Reason.NEGATIVE_FEE: lambda: key_spend([TxOut(100_001, PAY)]),
    Reason.SCRIPT: lambda: witness_of(bytes(64)),
}


@pytest.mark.parametrize("reason", SINGLE)
def test_a_transaction_that_breaks_one_rule_is_refused_for_it(reason: Reason) -> None:
    found = check_transaction_policy(SINGLE[reason](), WITH_DUST)
    assert found is not None
    assert found.reason is reason, found


def _p2wpkh() -> Spending:
    spending = spending_of(P2WPKH)
    code = b"\x76\xa9" + P2WPKH[1:] + b"\x88\xac"
    signature = sign_ecdsa(SECRET, witness_v0_sighash(spending, 0, code, 1, 100_000)) + b"\1"
    return Spending(spending.tx.with_witness(0, (signature, public_key(SECRET))), spending.spent)


ACCEPTED = {
    "key path": lambda: GOOD,
    "P2WPKH": _p2wpkh,
    "item of 80 bytes": lambda: leaf_spend(b"\x75\x51", [b"\1" * 80]),
    "400,000 weight units": lambda: leaf_spend(b"\x51\x75" * 199_785 + b"\x51", []),
    "dust of no fee": lambda: key_spend([TxOut(100_000, PAY), TxOut(0, P2A)]),
    "anchor spent": lambda: spending_of(P2A),
    "data": lambda: key_spend([TxOut(99_000, PAY), TxOut(0, b"\x6a" + push(b"\1" * 80))]),
    "version 3": lambda: key_spend([TxOut(400, PAY)] * 200, version=3),
    "future witness program": lambda: key_spend([TxOut(9_000, PAY), TxOut(90_000, b"\x60\x02ab")]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_transaction_within_every_rule_is_taken(name: str) -> None:
    assert check_transaction_policy(ACCEPTED[name](), WITH_DUST) is None


BAD_OUTPUTS = {
    "a program of version 0 that is no hash": b"\0\x15" + bytes(21),
    "a compressed key that begins like none": b"\x21\5" + bytes(32) + b"\xac",
    "a long key that begins like a short one": b"\x41\2" + bytes(64) + b"\xac",
    "data with a push that is cut short": b"\x6a\5ab",
}


@pytest.mark.parametrize("name", BAD_OUTPUTS)
def test_an_output_that_only_looks_standard_is_refused(name: str) -> None:
    found = check_transaction_policy(key_spend([TxOut(9_000, PAY), TxOut(90_000, BAD_OUTPUTS[name])]))
    assert found is not None
    assert found.reason is Reason.OUTPUT_KIND


def test_no_dust_before_core_29() -> None:
    found = check_transaction_policy(key_spend([TxOut(100_000, PAY), TxOut(0, P2A)]))
    assert found is not None
    assert found.reason is Reason.DUST_COUNT


def test_the_weight_limit_is_exact() -> None:
    spare = 400_000 - leaf_spend(b"\x51\x75" * 199_700 + b"\x51", []).tx.weight
    for extra, reason in ((0, None), (1, Reason.WEIGHT)):
        found = check_transaction_policy(
            leaf_spend(b"\x51\x75" * 199_700 + b"\x61" * (spare + extra) + b"\x51", [])
        )
        assert (found and found.reason) is reason


def test_thresholds_of_dust() -> None:
    assert dust_threshold(TxOut(0, PAY)) == 330
    assert dust_threshold(TxOut(0, P2WPKH)) == 294
    assert dust_threshold(TxOut(0, P2A)) == 240
    assert dust_threshold(TxOut(0, b"\x76\xa9\x14" + bytes(20) + b"\x88\xac")) == 546
    assert dust_threshold(TxOut(0, b"\x6a")) == 0
    assert dust_outputs(key_spend([TxOut(330, PAY), TxOut(329, PAY)])) == {1}


def chain(
    parent: Spending, *, version: int = 2, fee: int = 5_000, index: int = 0, padding: int = 0
) -> Spending:
    """A child of one of the parent's outputs of ours."""
    out = parent.tx.outputs[index]
    outputs = [TxOut(out.value - fee - 400 * padding, PAY)] + [TxOut(400, PAY)] * padding
    return key_spend(outputs, [(parent.tx.outpoint(index), out.value)], version)


def free(version: int = 3, outputs: int = 1) -> Spending:
    return key_spend([TxOut(100_000 // outputs, PAY)] * outputs, version=version)


def line(length: int, version: int = 2) -> list[Spending]:
    out = [key_spend([TxOut(99_000, PAY)], version=version)]
    while len(out) < length:
        out.append(chain(out[-1], fee=500, version=version))
    return out


def big_parent(number: int) -> Spending:
    point = (OutPoint(bytes([number]) * 32, 0), 10_000_000)
    return key_spend([TxOut(400, PAY)] * 1_150 + [TxOut(9_000_000, PAY)], [point])


def child_of(*parents: Spending, version: int = 2) -> Spending:
    coins = [(p.tx.outpoint(len(p.tx.outputs) - 1), p.tx.outputs[-1].value) for p in parents]
    return key_spend([TxOut(sum(v for _, v in coins) - 20_000, PAY)], coins, version)


def anchored(fee: int = 0) -> Spending:
    return key_spend([TxOut(100_000 - fee, PAY), TxOut(0, P2A)], version=3)


def anchor_child(parent: Spending, spend_anchor: bool) -> Spending:
    points = [(parent.tx.outpoint(0), parent.tx.outputs[0])] + (
        [(parent.tx.outpoint(1), parent.tx.outputs[1])] if spend_anchor else []
    )
    tx = Transaction(3, tuple(TxIn(p) for p, _ in points), (TxOut(95_000, PAY),))
    return signed(Spending(tx, tuple(o for _, o in points)))


def _family(parent: Spending, *children: Spending) -> tuple[list[Spending], list[Spending]]:
    return [children[-1]], [parent, *children[:-1]]


FREE3, FREE2, TWO3 = free(), free(2), key_spend([TxOut(49_000, PAY)] * 2, version=3)
TWENTY_SIX = [key_spend([TxOut(9_000, PAY)], [(OutPoint(bytes([i]) * 32, 0), 10_000)]) for i in range(1, 26)]
PACKAGES: dict[Reason, Callable[[], tuple[list[Spending], list[Spending]]]] = {
    Reason.FEE: lambda: ([FREE2, chain(FREE2)], []),
    Reason.PACKAGE_COUNT: lambda: ([*TWENTY_SIX, child_of(*TWENTY_SIX)], []),
    Reason.PACKAGE_WEIGHT: lambda: ([*(p := [big_parent(i) for i in (1, 2, 3)]), child_of(*p)], []),
    Reason.DUPLICATE: lambda: ([GOOD, GOOD], []),
    Reason.ORDER: lambda: ([chain(GOOD), GOOD], []),
    Reason.CONFLICT: lambda: ([key_spend([TxOut(98_000, PAY)])], [GOOD]),
    Reason.SHAPE: lambda: ([GOOD, key_spend([TxOut(9_000, PAY)], [(OutPoint(b"\2" * 32, 0), 10_000)])], []),
    Reason.CLUSTER_COUNT: lambda: ([(whole := line(26))[-1]], whole[:-1]),
    Reason.CLUSTER_SIZE: lambda: ([child_of(*(p := [big_parent(i) for i in (1, 2, 3)]))], p),
    Reason.DUST_UNSPENT: lambda: ([p := anchored(), anchor_child(p, False)], []),
    Reason.TRUC_MIX: lambda: ([chain(GOOD, version=3)], [GOOD]),
    Reason.TRUC_CHILD_SIZE: lambda: ([FREE3, chain(FREE3, version=3, padding=30)], []),
    Reason.TRUC_ANCESTORS: lambda: ([(whole := line(3, 3))[-1]], whole[:-1]),
    Reason.TRUC_DESCENDANTS: lambda: _family(TWO3, chain(TWO3, version=3), chain(TWO3, version=3, index=1)),
}


@pytest.mark.parametrize("reason", PACKAGES)
def test_a_package_that_breaks_one_rule_is_refused_for_it(reason: Reason) -> None:
    package, pool = PACKAGES[reason]()
    found = check_package(package, pool, WITH_DUST)
    assert found is not None
    assert found.reason is reason, found


def test_every_reason_has_a_test_that_breaks_it() -> None:
    assert set(SINGLE) | set(PACKAGES) == set(Reason)


def test_packages_within_every_rule_are_taken() -> None:
    parent = anchored()
    assert check_package([GOOD]) is None
    assert check_package([FREE3, chain(FREE3, version=3)]) is None
    assert check_package([parent, anchor_child(parent, True)], rules=WITH_DUST) is None
    assert check_package([(whole := line(25))[-1]], whole[:-1]) is None
    assert check_package([FREE2, chain(FREE2)], rules=Rules(parents_may_pay_nothing=True)) is None
    two = [big_parent(1), big_parent(2)]
    assert check_package([child_of(*two)], two) is None


def test_version_2_does_not_spend_from_unconfirmed_version_3() -> None:
    found = check_package([chain(FREE3)], [FREE3])
    assert found is not None
    assert found.reason is Reason.TRUC_MIX


def test_a_childs_fee_must_cover_its_parents() -> None:
    poor = chain(FREE3, version=3, fee=150)
    assert 1000 * fee_of(poor) >= 1000 * poor.tx.vbytes
    found = check_package([FREE3, poor])
    assert found is not None
    assert found.reason is Reason.FEE
    alone = check_package([FREE3])
    assert alone is not None
    assert alone.reason is Reason.FEE


def test_a_rule_of_one_transaction_holds_inside_a_package() -> None:
    found = check_package([annexed(), chain(GOOD)])
    assert found is not None
    assert found.reason is Reason.ANNEX


def test_an_empty_package_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="empty"):
        check_package([])
