"""Signature hashes: legacy, BIP143 (witness v0) and BIP341/342 (taproot)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final

from verifier.bitcoin.encoding import compact_size, hash256, sha256, tagged_hash, var_bytes
from verifier.bitcoin.transaction import Transaction, TxOut

NO_CODE_SEPARATOR: Final = 0xFFFFFFFF
_ANYONE: Final = 0x80


class SighashError(ValueError):
    """No hash is defined: an undefined type, or SINGLE without its output."""


class Sighash(IntEnum):
    """What a taproot signature commits to."""

    DEFAULT = 0x00
    ALL = 0x01
    NONE = 0x02
    SINGLE = 0x03
    ALL_ANYONECANPAY = 0x81
    NONE_ANYONECANPAY = 0x82
    SINGLE_ANYONECANPAY = 0x83


@dataclass(frozen=True)
class Spending:
    """A transaction with the outputs that it spends; hashes that its inputs share are made once.

    Attributes:
        tx: the spending transaction.
        spent: the output of each input, in order.
    """

    tx: Transaction
    spent: tuple[TxOut, ...]

    def __post_init__(self) -> None:
        if len(self.spent) != len(self.tx.inputs):
            raise ValueError(f"{len(self.spent)} spent outputs for {len(self.tx.inputs)} inputs")

    @cached_property
    def prevouts(self) -> bytes:
        """SHA256 of the outpoints."""
        return sha256(b"".join(txin.previous.serialize() for txin in self.tx.inputs))

    @cached_property
    def amounts(self) -> bytes:
        """SHA256 of the spent values."""
        return sha256(b"".join(out.value.to_bytes(8, "little", signed=True) for out in self.spent))

    @cached_property
    def scripts(self) -> bytes:
        """SHA256 of the spent scripts."""
        return sha256(b"".join(var_bytes(out.script) for out in self.spent))

    @cached_property
    def sequences(self) -> bytes:
        """SHA256 of the sequences."""
        return sha256(b"".join(txin.sequence.to_bytes(4, "little") for txin in self.tx.inputs))

    @cached_property
    def outputs(self) -> bytes:
        """SHA256 of the outputs."""
        return sha256(b"".join(out.serialize() for out in self.tx.outputs))


@dataclass(frozen=True, slots=True)
class TapLeafContext:
    """What a script-path signature adds: its leaf, and where the last OP_CODESEPARATOR ran."""

    leaf_hash: bytes
    code_separator: int = NO_CODE_SEPARATOR


def taproot_sighash(
    spending: Spending,
    index: int,
    hash_type: int = Sighash.DEFAULT,
    leaf: TapLeafContext | None = None,
    annex: bytes | None = None,
) -> bytes:
    """The message that a taproot signature of input `index` signs (BIP341; BIP342 for a leaf).

    Args:
        spending: the transaction and all the outputs that it spends.
        index: the input.
        hash_type: one of `Sighash`.
        leaf: the leaf for a script path, None for the key path.
        annex: the annex with its 0x50 byte.

    Raises:
        SighashError: an undefined type, or SINGLE without the output of this index.
    """
    if hash_type not in Sighash._value2member_map_:
        raise SighashError(f"sighash type {hash_type:#x}")
    tx, anyone, kind = spending.tx, hash_type & _ANYONE, hash_type & 3
    parts = [bytes([0, hash_type]), tx.version.to_bytes(4, "little"), tx.locktime.to_bytes(4, "little")]
    if not anyone:
        parts += (spending.prevouts, spending.amounts, spending.scripts, spending.sequences)
    if kind in (Sighash.DEFAULT, Sighash.ALL):
        parts.append(spending.outputs)
    parts.append(bytes([2 * (leaf is not None) + (annex is not None)]))
    txin = tx.inputs[index]
    if anyone:
        parts += (
            txin.previous.serialize(),
            spending.spent[index].serialize(),
            txin.sequence.to_bytes(4, "little"),
        )
    else:
        parts.append(index.to_bytes(4, "little"))
    if annex is not None:
        parts.append(sha256(var_bytes(annex)))
    if kind == Sighash.SINGLE:
        if index >= len(tx.outputs):
            raise SighashError(f"SINGLE of input {index} with {len(tx.outputs)} outputs")
        parts.append(sha256(tx.outputs[index].serialize()))
    if leaf is not None:
        parts += (leaf.leaf_hash, b"\0", leaf.code_separator.to_bytes(4, "little"))
    return tagged_hash("TapSighash", b"".join(parts))


def witness_v0_sighash(
    spending: Spending, index: int, script_code: bytes, hash_type: int, value: int
) -> bytes:
    """The message of BIP143; `hash_type` is the byte behind the signature, whatever it is."""
    tx, anyone, kind = spending.tx, hash_type & _ANYONE, hash_type & 0x1F
    every_output = kind not in (Sighash.NONE, Sighash.SINGLE)
    outputs = bytes(32)
    if every_output:
        outputs = sha256(spending.outputs)
    elif kind == Sighash.SINGLE and index < len(tx.outputs):
        outputs = hash256(tx.outputs[index].serialize())
    txin = tx.inputs[index]
    return hash256(
        b"".join(
            (
                tx.version.to_bytes(4, "little"),
                bytes(32) if anyone else sha256(spending.prevouts),
                sha256(spending.sequences) if every_output and not anyone else bytes(32),
                txin.previous.serialize(),
                var_bytes(script_code),
                value.to_bytes(8, "little", signed=True),
                txin.sequence.to_bytes(4, "little"),
                outputs,
                tx.locktime.to_bytes(4, "little"),
                (hash_type & 0xFFFFFFFF).to_bytes(4, "little"),
            )
        )
    )


def legacy_sighash(tx: Transaction, index: int, script_code: bytes, hash_type: int) -> bytes:
    """The message of signatures before segwit.

    Args:
        tx: the spending transaction.
        index: the input.
        script_code: the script from the last OP_CODESEPARATOR on, all such opcodes taken out.
        hash_type: the byte behind the signature (vectors: a 32-bit number).
    """
    anyone, kind = hash_type & _ANYONE, hash_type & 0x1F
    if kind == Sighash.SINGLE and index >= len(tx.outputs):
        return (1).to_bytes(32, "little")
    parts = [tx.version.to_bytes(4, "little")]
    chosen: Sequence[int] = (index,) if anyone else range(len(tx.inputs))
    parts.append(compact_size(len(chosen)))
    for i in chosen:
        txin = tx.inputs[i]
        free = i != index and kind in (Sighash.NONE, Sighash.SINGLE)
        parts += (
            txin.previous.serialize(),
            var_bytes(script_code if i == index else b""),
            (0 if free else txin.sequence).to_bytes(4, "little"),
        )
    if kind == Sighash.NONE:
        parts.append(b"\0")
    elif kind == Sighash.SINGLE:
        blank = TxOut(-1, b"").serialize()
        parts += (compact_size(index + 1), blank * index, tx.outputs[index].serialize())
    else:
        parts.append(compact_size(len(tx.outputs)))
        parts += (out.serialize() for out in tx.outputs)
    parts += (tx.locktime.to_bytes(4, "little"), (hash_type & 0xFFFFFFFF).to_bytes(4, "little"))
    return hash256(b"".join(parts))
