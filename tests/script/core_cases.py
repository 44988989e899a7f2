"""Core's script and transaction vectors as spends."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.bitcoin.vectors import load
from tests.script.assembler import assemble, flags_of
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.script.errors import Flag


@dataclass(frozen=True)
class Case:
    name: str
    spending: Spending
    index: int
    flags: Flag
    expected: str


def credit_and_spend(
    script_sig: bytes, script: bytes, witness: tuple[bytes, ...] = (), value: int = 0
) -> Spending:
    """The two transactions of script_tests.cpp (BuildCreditingTransaction, BuildSpendingTransaction)."""
    credit = Transaction(
        1, (TxIn(OutPoint(bytes(32), 0xFFFFFFFF), script_sig=b"\0\0"),), (TxOut(value, script),)
    )
    spend = Transaction(
        1, (TxIn(credit.outpoint(0), script_sig=script_sig, witness=witness),), (TxOut(value, b""),)
    )
    return Spending(spend, credit.outputs)


def script_cases() -> Iterator[Case]:
    for i, row in enumerate(load("script_tests.json")):
        if len(row) == 1:
            continue
        witness: tuple[bytes, ...] = ()
        value = 0
        if isinstance(row[0], list):
            *items, amount = row[0]
            witness, value = tuple(map(bytes.fromhex, items)), round(amount * 100_000_000)
            row = row[1:]
        spending = credit_and_spend(assemble(row[0]), assemble(row[1]), witness, value)
        flags = flags_of(row[2])
        if flags & Flag.CLEANSTACK:  # as script_tests.cpp does
            flags |= Flag.P2SH | Flag.WITNESS
        yield Case(f"{i}: {row[0][:40]} / {row[1][:40]}", spending, 0, flags, row[3])


def transaction_cases(name: str) -> Iterator[tuple[str, Transaction, tuple[TxOut, ...], str]]:
    for i, row in enumerate(load(name)):
        if not isinstance(row[0], list):
            continue
        spent = {
            OutPoint(bytes.fromhex(p[0])[::-1], p[1] & 0xFFFFFFFF): TxOut(
                p[3] if len(p) > 3 else 0, assemble(p[2])
            )
            for p in row[0]
        }
        tx = Transaction.parse(bytes.fromhex(row[1]))
        yield f"{name} {i}", tx, tuple(spent.get(txin.previous, TxOut(0, b"")) for txin in tx.inputs), row[2]


def taproot_cases() -> Iterator[Case]:
    """Each spend of script_assets_taproot.json, expected to be OK or to fail."""
    for i, row in enumerate(load("script_assets_taproot.json")):
        tx = Transaction.parse(bytes.fromhex(row["tx"]))
        spent = tuple(_output(bytes.fromhex(raw)) for raw in row["prevouts"])
        for verdict in ("success", "failure"):
            if verdict in row:
                spending = Spending(_filled(tx, row["index"], row[verdict]), spent)
                name = f"{i} {row['comment']} {verdict}"
                yield Case(
                    name, spending, row["index"], flags_of(row["flags"]), "OK" if verdict == "success" else ""
                )


def _output(raw: bytes) -> TxOut:
    shell = Transaction.parse(b"\2\0\0\0\1" + bytes(36) + b"\0\0\0\0\0" + b"\1" + raw + bytes(4))
    return shell.outputs[0]


def _filled(tx: Transaction, index: int, case: dict[str, Any]) -> Transaction:
    witness = tuple(map(bytes.fromhex, case["witness"]))
    txin = replace(tx.inputs[index], script_sig=bytes.fromhex(case["scriptSig"]), witness=witness)
    return replace(tx, inputs=(*tx.inputs[:index], txin, *tx.inputs[index + 1 :]))
