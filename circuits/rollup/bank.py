"""Transactions of the bank: transfers and withdrawals.

Formats: docs/machine.md, A batch. Bytes are the words in order, 8 bytes each (a raw word: 16), so that what
is published is what the kernel reads; `nonce`, key and signature travel beside the words and are not
published.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.events import exit_digest
from circuits.rollup.heads import Head
from circuits.rollup.params import (
    BANK_PROGRAM,
    BYTES_TRANSFER,
    BYTES_WITHDRAW,
    GAS_TRANSFER,
    GAS_WITHDRAW,
    MSAT_PER_SAT,
    OP_CALLS,
    OP_TRANSFER,
    OP_WITHDRAW,
    SCRIPT_BYTES,
)
from circuits.rollup.words import Digest, Triple, Word, bytes_words, check_u64, hash_chain, u64_word
from circuits.tags import TAG_TX


@dataclass(frozen=True, slots=True)
class Transfer:
    """Moves msat to another purse; also carries any unknown operation (it fails).

    Attributes:
        signer: The paying purse's cell.
        nonce: The purse's nonce; signed, not published.
        leaf: Signature leaf.
        to: Receiving purse's cell.
        amount: In msat.
        max_fee: Most that the signer pays, in msat.
        tip: Msat per gas for the producer.
        program: 0 is the bank.
        op: 0, or an unknown one.
        gas: Gas charged.
        num_bytes: Published bytes charged.

    Units: msat.
    """

    gas: ClassVar[int] = GAS_TRANSFER
    num_bytes: ClassVar[int] = BYTES_TRANSFER
    signer: int
    nonce: int
    leaf: int
    to: int
    amount: int
    max_fee: int
    tip: int = 0
    program: int = BANK_PROGRAM
    op: int = OP_TRANSFER

    def __post_init__(self) -> None:
        self.head.check(self.nonce)
        if OP_WITHDRAW <= self.op <= OP_CALLS:
            raise CodecError(CodecReason.KIND, "transfer operation", "0 or above 4", self.op)

    @property
    def head(self) -> Head:
        """T0..T4."""
        return Head(
            self.signer, self.leaf, self.program, self.tip, self.to, self.op, self.amount, self.max_fee
        )

    def words(self) -> tuple[Word, ...]:
        """T0..T4."""
        return self.head.words()

    def triples(self, chain_id: int) -> tuple[Triple, ...]:
        """What the signed digest absorbs, three words a step."""
        return self.head.triples(chain_id, self.nonce)

    def digest(self, chain_id: int) -> Digest:
        """What the signature signs; shape (8,)."""
        return hash_chain(TAG_TX, self.triples(chain_id))

    def encode(self) -> bytes:
        """The 40 published bytes."""
        return self.head.encode()


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Takes whole sats out of the ledger, to a Bitcoin script.

    Attributes:
        signer, nonce, leaf, amount, max_fee, tip, program, gas, num_bytes: As in `Transfer`.
        script: scriptPubKey, zero padded to 40 bytes.
        script_length: Bytes that count; anything but 1..40 fails.
        to: 0, else it fails.
        op: 1.

    Units: msat.
    """

    op: ClassVar[int] = OP_WITHDRAW
    gas: ClassVar[int] = GAS_WITHDRAW
    num_bytes: ClassVar[int] = BYTES_WITHDRAW
    signer: int
    nonce: int
    leaf: int
    amount: int
    max_fee: int
    script: bytes
    script_length: int
    tip: int = 0
    to: int = 0
    program: int = BANK_PROGRAM

    def __post_init__(self) -> None:
        self.head.check(self.nonce)
        check_u64("script length", self.script_length)
        if len(self.script) != SCRIPT_BYTES:
            raise CodecError(CodecReason.LENGTH, "script", SCRIPT_BYTES, len(self.script))

    @property
    def head(self) -> Head:
        """T0..T4."""
        return Head(
            self.signer, self.leaf, self.program, self.tip, self.to, self.op, self.amount, self.max_fee
        )

    def script_words(self) -> tuple[Word, ...]:
        """S0..S4."""
        return bytes_words(self.script)

    def words(self) -> tuple[Word, ...]:
        """T0..T4, S0..S5."""
        return (*self.head.words(), *self.script_words(), u64_word(self.script_length))

    def triples(self, chain_id: int) -> tuple[Triple, ...]:
        """What the signed digest absorbs, three words a step."""
        s0, s1, s2, s3, s4 = self.script_words()
        head = self.head.triples(chain_id, self.nonce)
        return (*head, (s0, s1, s2), (s3, s4, u64_word(self.script_length)))

    def digest(self, chain_id: int) -> Digest:
        """What the signature signs; shape (8,)."""
        return hash_chain(TAG_TX, self.triples(chain_id))

    def exit_digest(self, exit_index: int) -> Digest:
        """Leaf of the exit tree; shape (8,).

        Args:
            exit_index: Number of the exit in its batch.
        """
        sats = self.amount // MSAT_PER_SAT
        return exit_digest(exit_index, sats, self.signer, self.script, self.script_length)

    def encode(self) -> bytes:
        """The 88 published bytes."""
        return self.head.encode() + self.script + struct.pack("<Q", self.script_length)


def withdraw_script(script: bytes) -> tuple[bytes, int]:
    """A scriptPubKey as the fields `script` and `script_length`.

    Raises:
        CodecError: LENGTH: not 1..40 bytes.
    """
    if not 1 <= len(script) <= SCRIPT_BYTES:
        raise CodecError(CodecReason.LENGTH, "script", f"1..{SCRIPT_BYTES}", len(script))
    return script.ljust(SCRIPT_BYTES, b"\0"), len(script)
