"""Transactions: parts, both serialisations, identifiers, weight.

Source: BIP141 (witness), BIP144 (serialisation); Core's consensus/tx_check.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Final, Self

from verifier.bitcoin.encoding import DecodeError, Reader, compact_size, hash256, var_bytes

MAX_MONEY: Final = 21_000_000 * 100_000_000
MAX_BLOCK_WEIGHT: Final = 4_000_000
FINAL_SEQUENCE: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, order=True)
class OutPoint:
    """An output named by its transaction and index; `txid` in the order of the hash function's bytes."""

    txid: bytes
    index: int

    def serialize(self) -> bytes:
        """The 36 bytes of an input."""
        return self.txid + self.index.to_bytes(4, "little")

    @property
    def is_null(self) -> bool:
        """Whether it is the input of a coinbase."""
        return self.index == 0xFFFFFFFF and self.txid == bytes(32)

    def __str__(self) -> str:
        return f"{self.txid[::-1].hex()}:{self.index}"


@dataclass(frozen=True, slots=True)
class TxIn:
    """An input: what it spends, and how."""

    previous: OutPoint
    sequence: int = FINAL_SEQUENCE
    script_sig: bytes = b""
    witness: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TxOut:
    """An output: satoshis under a script."""

    value: int
    script: bytes

    def serialize(self) -> bytes:
        """Value (8 bytes) and script."""
        return self.value.to_bytes(8, "little", signed=True) + var_bytes(self.script)


def serialize_stack(items: tuple[bytes, ...]) -> bytes:
    """A witness stack as transactions carry it."""
    return b"".join([compact_size(len(items)), *(var_bytes(item) for item in items)])


@dataclass(frozen=True)
class Transaction:
    """A transaction; changes make a new one (`with_witness`)."""

    version: int
    inputs: tuple[TxIn, ...]
    outputs: tuple[TxOut, ...]
    locktime: int = 0

    @property
    def has_witness(self) -> bool:
        """Whether an input carries a witness."""
        return any(txin.witness for txin in self.inputs)

    def serialize(self, witness: bool = True) -> bytes:
        """The bytes that are hashed for the txid (`witness=False`) or sent over the wire."""
        with_witness = witness and self.has_witness
        parts = [self.version.to_bytes(4, "little"), b"\0\x01" if with_witness else b""]
        parts.append(compact_size(len(self.inputs)))
        for txin in self.inputs:
            parts += (
                txin.previous.serialize(),
                var_bytes(txin.script_sig),
                txin.sequence.to_bytes(4, "little"),
            )
        parts.append(compact_size(len(self.outputs)))
        parts += (output.serialize() for output in self.outputs)
        if with_witness:
            parts += (serialize_stack(txin.witness) for txin in self.inputs)
        parts.append(self.locktime.to_bytes(4, "little"))
        return b"".join(parts)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The transaction of these bytes, all of them.

        Raises:
            DecodeError: not a transaction, or bytes left over.
        """
        reader = Reader(data)
        tx = cls.read(reader)
        reader.finish()
        return tx

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """The transaction at the front of a reader's bytes.

        Raises:
            DecodeError: not a transaction.
        """
        version = reader.uint(4)
        segwit = reader.peek(2) == b"\0\x01"
        if segwit:
            reader.take(2)
        inputs = [_read_input(reader) for _ in range(reader.size())]
        outputs = [TxOut(reader.sint(8), reader.var_bytes()) for _ in range(reader.size())]
        if segwit:
            stacks = [tuple(reader.var_bytes() for _ in range(reader.size())) for _ in inputs]
            if not any(stacks):
                raise DecodeError("witness announced, but every stack is empty")
            inputs = [replace(txin, witness=stack) for txin, stack in zip(inputs, stacks, strict=True)]
        return cls(version, tuple(inputs), tuple(outputs), reader.uint(4))

    @cached_property
    def txid(self) -> bytes:
        """Identifier without witness, in the order of the hash function's bytes."""
        return hash256(self.serialize(witness=False))

    @cached_property
    def wtxid(self) -> bytes:
        """Identifier with witness."""
        return hash256(self.serialize())

    @property
    def txid_hex(self) -> str:
        """The txid as people write it (bytes reversed)."""
        return self.txid[::-1].hex()

    @cached_property
    def weight(self) -> int:
        """Weight units: four a byte outside the witness, one a byte of it."""
        return 3 * len(self.serialize(witness=False)) + len(self.serialize())

    @property
    def vbytes(self) -> int:
        """Virtual bytes, rounded up."""
        return (self.weight + 3) // 4

    def outpoint(self, index: int) -> OutPoint:
        """The name of one of its outputs.

        Raises:
            IndexError: there is no such output.
        """
        if not 0 <= index < len(self.outputs):
            raise IndexError(f"output {index} of {len(self.outputs)}")
        return OutPoint(self.txid, index)

    def with_witness(self, index: int, witness: tuple[bytes, ...]) -> Self:
        """The same transaction, with this witness at input `index`."""
        inputs = list(self.inputs)
        inputs[index] = replace(inputs[index], witness=witness)
        return replace(self, inputs=tuple(inputs))

    @property
    def is_coinbase(self) -> bool:
        """Whether it makes new coins."""
        return len(self.inputs) == 1 and self.inputs[0].previous.is_null


def _read_input(reader: Reader) -> TxIn:
    previous = OutPoint(reader.take(32), reader.uint(4))
    script_sig = reader.var_bytes()
    return TxIn(previous, reader.uint(4), script_sig)


class TransactionDefect(StrEnum):
    """Why a transaction is invalid whatever it spends (Core's reasons)."""

    NO_INPUTS = "bad-txns-vin-empty"
    NO_OUTPUTS = "bad-txns-vout-empty"
    OVERSIZE = "bad-txns-oversize"
    NEGATIVE_OUTPUT = "bad-txns-vout-negative"
    OUTPUT_TOO_LARGE = "bad-txns-vout-toolarge"
    TOTAL_TOO_LARGE = "bad-txns-txouttotal-toolarge"
    DUPLICATE_INPUTS = "bad-txns-inputs-duplicate"
    COINBASE_LENGTH = "bad-cb-length"
    NULL_INPUT = "bad-txns-prevout-null"


def check_transaction(tx: Transaction) -> TransactionDefect | None:
    """The first defect that needs no context, in Core's order; None if there is none."""
    if not tx.inputs:
        return TransactionDefect.NO_INPUTS
    if not tx.outputs:
        return TransactionDefect.NO_OUTPUTS
    if 4 * len(tx.serialize(witness=False)) > MAX_BLOCK_WEIGHT:
        return TransactionDefect.OVERSIZE
    total = 0
    for output in tx.outputs:
        if output.value < 0:
            return TransactionDefect.NEGATIVE_OUTPUT
        if output.value > MAX_MONEY:
            return TransactionDefect.OUTPUT_TOO_LARGE
        total += output.value
        if total > MAX_MONEY:
            return TransactionDefect.TOTAL_TOO_LARGE
    if len({txin.previous for txin in tx.inputs}) != len(tx.inputs):
        return TransactionDefect.DUPLICATE_INPUTS
    if tx.is_coinbase:
        return None if 2 <= len(tx.inputs[0].script_sig) <= 100 else TransactionDefect.COINBASE_LENGTH
    return TransactionDefect.NULL_INPUT if any(txin.previous.is_null for txin in tx.inputs) else None
