import pytest

from tests.bitcoin.vectors import load
from verifier.bitcoin.keys import sign_schnorr, verify_schnorr
from verifier.bitcoin.sighash import (
    Sighash,
    SighashError,
    Spending,
    TapLeafContext,
    legacy_sighash,
    taproot_sighash,
)
from verifier.bitcoin.taproot import output_secret
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.script.script import without_separators


def test_legacy_hashes_match_cores() -> None:
    for raw, script, index, hash_type, expected in load("sighash.json")[1:]:
        tx = Transaction.parse(bytes.fromhex(raw))
        found = legacy_sighash(tx, index, without_separators(bytes.fromhex(script)), hash_type)
        assert found[::-1].hex() == expected


CASES = load("bip341_wallet_vectors.json")["keyPathSpending"]


@pytest.mark.parametrize("case", CASES)
def test_key_path_hashes_and_signatures_match_bip341(case: dict) -> None:
    given, shared = case["given"], case["intermediary"]
    tx = Transaction.parse(bytes.fromhex(given["rawUnsignedTx"]))
    spent = tuple(TxOut(out["amountSats"], bytes.fromhex(out["scriptPubKey"])) for out in given["utxosSpent"])
    spending = Spending(tx, spent)
    assert spending.prevouts.hex() == shared["hashPrevouts"]
    assert spending.amounts.hex() == shared["hashAmounts"]
    assert spending.scripts.hex() == shared["hashScriptPubkeys"]
    assert spending.sequences.hex() == shared["hashSequences"]
    assert spending.outputs.hex() == shared["hashOutputs"]
    for spend in case["inputSpending"]:
        index, kind = spend["given"]["txinIndex"], spend["given"]["hashType"]
        message = taproot_sighash(spending, index, kind)
        assert message.hex() == spend["intermediary"]["sigHash"]
        secret = bytes.fromhex(spend["given"]["internalPrivkey"])
        root = bytes.fromhex(spend["given"]["merkleRoot"] or "")
        tweaked = output_secret(secret, root)
        assert tweaked.hex() == spend["intermediary"]["tweakedPrivkey"]
        signature = sign_schnorr(tweaked, message, bytes(32))
        assert signature.hex() == spend["expected"]["witness"][0][:128]
        assert verify_schnorr(spent[index].script[2:], message, signature)


TWO = Transaction(
    2, (TxIn(OutPoint(b"\1" * 32, 0)), TxIn(OutPoint(b"\2" * 32, 1))), (TxOut(5, b"\x51"), TxOut(6, b"\x52"))
)
SPENDING = Spending(TWO, (TxOut(7, b"a"), TxOut(8, b"b")))


def test_every_ingredient_changes_the_taproot_hash() -> None:
    leaf = TapLeafContext(b"\3" * 32)
    variants = [
        taproot_sighash(SPENDING, index, kind, path, annex)
        for index in (0, 1)
        for kind in Sighash
        for path in (None, leaf, TapLeafContext(b"\4" * 32), TapLeafContext(b"\3" * 32, 0))
        for annex in (None, b"\x50", b"\x50\1")
    ]
    assert len(set(variants)) == len(variants)


@pytest.mark.parametrize("kind", (Sighash.SINGLE, Sighash.SINGLE_ANYONECANPAY))
def test_single_without_its_output_has_no_hash(kind: Sighash) -> None:
    spending = Spending(Transaction(2, TWO.inputs, TWO.outputs[:1]), SPENDING.spent)
    taproot_sighash(spending, 0, kind)
    with pytest.raises(SighashError):
        taproot_sighash(spending, 1, kind)


@pytest.mark.parametrize("kind", (0x04, 0x80, 0x84, 0x41, 0xFF))
def test_an_undefined_type_has_no_hash(kind: int) -> None:
    with pytest.raises(SighashError):
        taproot_sighash(SPENDING, 0, kind)


def test_each_input_needs_its_spent_output() -> None:
    with pytest.raises(ValueError, match="spent outputs"):
        Spending(TWO, SPENDING.spent[:1])


def test_single_without_anyonecanpay_commits_to_the_other_inputs() -> None:
    """The bridge's penalty depends on it: a signature on the stake serves one node's disproof."""
    moved = Transaction(2, (TWO.inputs[0], TxIn(OutPoint(b"\7" * 32, 1))), TWO.outputs)
    assert taproot_sighash(SPENDING, 0, Sighash.SINGLE) != taproot_sighash(
        Spending(moved, SPENDING.spent), 0, Sighash.SINGLE
    )
    paid = Transaction(2, TWO.inputs, (TWO.outputs[0], TxOut(1, b"")))
    assert taproot_sighash(SPENDING, 0, Sighash.SINGLE) == taproot_sighash(
        Spending(paid, SPENDING.spent), 0, Sighash.SINGLE
    )
