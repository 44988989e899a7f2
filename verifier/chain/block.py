"""Blocks: header, transactions, what the coinbase must commit to.

Source: BIP34 (height), BIP141 (witness commitment), Core's consensus/merkle.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from verifier.bitcoin.encoding import DecodeError, Reader, compact_size, hash256
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.script.opcodes import Op
from verifier.script.script import number, push

HEADER_SIZE: Final = 80
COINBASE_MATURITY: Final = 100
_COMMITMENT: Final = bytes([Op.RETURN, 0x24]) + bytes.fromhex("aa21a9ed")


@dataclass(frozen=True)
class Block:
    """A block; hashes in the order of the hash function's bytes.

    Attributes:
        version: of the header.
        previous: hash of the block before.
        merkle_root: of the txids.
        time: seconds since 1970.
        bits: the target, in compact form.
        nonce: of the header.
        transactions: the coinbase first.
    """

    version: int
    previous: bytes
    merkle_root: bytes
    time: int
    bits: int
    nonce: int
    transactions: tuple[Transaction, ...]

    @cached_property
    def header(self) -> bytes:
        """The 80 bytes that are hashed."""
        return b"".join(
            (
                self.version.to_bytes(4, "little"),
                self.previous,
                self.merkle_root,
                self.time.to_bytes(4, "little"),
                self.bits.to_bytes(4, "little"),
                self.nonce.to_bytes(4, "little"),
            )
        )

    @cached_property
    def hash(self) -> bytes:
        """The block's name."""
        return hash256(self.header)

    @property
    def hash_hex(self) -> str:
        """The hash as people write it (bytes reversed)."""
        return self.hash[::-1].hex()

    def serialize(self) -> bytes:
        """Header and transactions with their witnesses."""
        return b"".join(
            (self.header, compact_size(len(self.transactions)), *(tx.serialize() for tx in self.transactions))
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The block of these bytes, all of them.

        Raises:
            DecodeError: not a block, or bytes left over.
        """
        reader = Reader(data)
        version, previous, root = reader.uint(4), reader.take(32), reader.take(32)
        time, bits, nonce = reader.uint(4), reader.uint(4), reader.uint(4)
        count = reader.size()
        if count > len(data):
            raise DecodeError("more transactions than bytes")
        transactions = tuple(Transaction.read(reader) for _ in range(count))
        reader.finish()
        return cls(version, previous, root, time, bits, nonce, transactions)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root above txids or wtxids; an odd row repeats its last."""
    row = list(leaves)
    while len(row) > 1:
        if len(row) & 1:
            row.append(row[-1])
        row = [hash256(row[i] + row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def coinbase(
    height: int, value: int, script: bytes, others: Sequence[Transaction], extra: bytes = b""
) -> Transaction:
    """The first transaction of a block.

    Args:
        height: of the block (BIP34).
        value: subsidy and fees, in satoshis.
        script: who is paid.
        others: the rest of the block, to whose witnesses it commits.
        extra: tells blocks of the same height and script apart.
    """
    root = merkle_root([bytes(32), *(tx.wtxid for tx in others)])
    commitment = TxOut(0, _COMMITMENT + hash256(root + bytes(32)))
    script_sig = number(height) + push(extra)
    txin = TxIn(OutPoint(bytes(32), 0xFFFFFFFF), script_sig=script_sig, witness=(bytes(32),))
    return Transaction(2, (txin,), (TxOut(value, script), commitment))
