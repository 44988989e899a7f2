import pytest

from tests.bitcoin.vectors import load
from verifier.bitcoin.encoding import DecodeError
from verifier.bitcoin.transaction import (
    MAX_MONEY,
    OutPoint,
    Transaction,
    TransactionDefect,
    TxIn,
    TxOut,
    check_transaction,
)

TRANSACTIONS = [
    bytes.fromhex(case[1])
    for name in ("tx_valid.json", "tx_invalid.json")
    for case in load(name)
    if isinstance(case[0], list)
]


def test_every_transaction_of_the_vectors_serialises_to_itself() -> None:
    for raw in TRANSACTIONS:
        tx = Transaction.parse(raw)
        assert tx.serialize() == raw
        assert Transaction.parse(tx.serialize(witness=False)).txid == tx.txid


def test_weight_counts_a_witness_byte_once_and_others_four_times() -> None:
    for raw in TRANSACTIONS:
        tx = Transaction.parse(raw)
        bare = len(tx.serialize(witness=False))
        assert tx.weight == 4 * bare + len(raw) - bare
        assert tx.vbytes == -(-tx.weight // 4)


def test_a_transaction_cut_short_or_too_long_is_refused() -> None:
    raw = next(raw for raw in TRANSACTIONS if Transaction.parse(raw).has_witness)
    for cut in range(len(raw)):
        with pytest.raises(DecodeError):
            Transaction.parse(raw[:cut])
    with pytest.raises(DecodeError):
        Transaction.parse(raw + b"\0")


def test_an_announced_but_empty_witness_is_refused() -> None:
    tx = Transaction(2, (TxIn(OutPoint(b"\1" * 32, 0)),), (TxOut(1, b""),))
    raw = tx.serialize()
    superfluous = raw[:4] + b"\0\1" + raw[4:-4] + b"\0" + raw[-4:]
    with pytest.raises(DecodeError):
        Transaction.parse(superfluous)


def test_a_compact_size_in_a_longer_form_is_refused() -> None:
    raw = Transaction(2, (TxIn(OutPoint(b"\1" * 32, 0)),), (TxOut(1, b""),)).serialize()
    with pytest.raises(DecodeError):
        Transaction.parse(raw[:4] + b"\xfd\1\0" + raw[5:])


ONE = TxIn(OutPoint(b"\1" * 32, 0))
COINBASE = OutPoint(bytes(32), 0xFFFFFFFF)
OK = TxOut(1, b"")
DEFECTS = {
    TransactionDefect.NO_INPUTS: Transaction(2, (), (OK,)),
    TransactionDefect.NO_OUTPUTS: Transaction(2, (ONE,), ()),
    TransactionDefect.OVERSIZE: Transaction(2, (ONE,), (TxOut(1, bytes(1_000_000)),)),
    TransactionDefect.NEGATIVE_OUTPUT: Transaction(2, (ONE,), (TxOut(-1, b""),)),
    TransactionDefect.OUTPUT_TOO_LARGE: Transaction(2, (ONE,), (TxOut(MAX_MONEY + 1, b""),)),
    TransactionDefect.TOTAL_TOO_LARGE: Transaction(2, (ONE,), (TxOut(MAX_MONEY, b""), OK)),
    TransactionDefect.DUPLICATE_INPUTS: Transaction(2, (ONE, ONE), (OK,)),
    TransactionDefect.COINBASE_LENGTH: Transaction(2, (TxIn(COINBASE, script_sig=b"1"),), (OK,)),
    TransactionDefect.NULL_INPUT: Transaction(2, (ONE, TxIn(COINBASE)), (OK,)),
}


@pytest.mark.parametrize("defect", TransactionDefect)
def test_each_defect_is_named(defect: TransactionDefect) -> None:
    assert check_transaction(DEFECTS[defect]) is defect
    assert check_transaction(Transaction(2, (ONE,), (OK,))) is None
