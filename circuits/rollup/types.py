"""What goes into a batch: deposit events, transactions, signed transactions; words and canonical bytes.

Formats: docs/machine.md, A batch. Bytes are the words in order, 8 bytes each (a raw word: 16), so that what
is published is what the kernel reads; `nonce`, key and signature travel beside the words and are not
published.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from circuits.rollup.codec import Reader, elements_bytes
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.params import (
    BANK_PROGRAM,
    BYTES_TRANSFER,
    BYTES_WITHDRAW,
    EVENT_DEPOSIT,
    GAS_TRANSFER,
    GAS_WITHDRAW,
    MSAT_PER_SAT,
    NO_CELL,
    OP_TRANSFER,
    OP_WITHDRAW,
    SCRIPT_BYTES,
)
from circuits.rollup.words import (
    ZERO_WORD,
    Digest,
    Triple,
    Word,
    bytes_words,
    check_elements,
    check_u32,
    check_u64,
    hash_chain,
    pair_word,
    raw_words,
    u64_word,
)
from circuits.tags import TAG_EVENT, TAG_EXIT, TAG_TX
from circuits.xmss.errors import XmssError
from circuits.xmss.scheme import PUBLIC_KEY_BYTES, PublicKey, Signature, signature_bytes

TXID_BYTES = 32


@dataclass(frozen=True, slots=True)
class Deposit:
    """An inbox event: sats locked on Bitcoin for a purse.

    Attributes:
        height: Bitcoin height of the deposit.
        txid: 32 bytes.
        vout: Output number.
        sats: Amount; zero or above 21e14 makes the event a no-op.
        owner: Owner of the new purse if `cell` names no BTC purse; shape (8,).
        cell: Purse to credit.
        kind: 1; an event of another kind is a no-op.
    """

    height: int
    txid: bytes
    vout: int
    sats: int
    owner: Digest
    cell: int = NO_CELL
    kind: int = EVENT_DEPOSIT

    def __post_init__(self) -> None:
        for name in ("kind", "height", "vout", "cell"):
            check_u32(f"deposit {name}", getattr(self, name))
        check_u64("deposit sats", self.sats)
        check_elements("deposit owner", self.owner, 8)
        if len(self.txid) != TXID_BYTES:
            raise CodecError(CodecReason.LENGTH, "deposit txid", TXID_BYTES, len(self.txid))

    def words(self) -> tuple[Word, ...]:
        """E0..E6, O0, O1."""
        return (
            pair_word(self.kind, self.height),
            *bytes_words(self.txid),
            pair_word(self.vout, self.cell),
            u64_word(self.sats),
            *raw_words(self.owner),
        )

    def digest(self) -> Digest:
        """What the inbox accumulator absorbs; shape (8,)."""
        w = self.words()
        return hash_chain(TAG_EVENT, ((w[0], w[1], w[2]), (w[3], w[4], w[5]), (w[6], w[7], w[8])))

    def encode(self) -> bytes:
        """The 88 canonical bytes."""
        head = struct.pack("<II", self.kind, self.height) + self.txid
        return head + struct.pack("<IIQ", self.vout, self.cell, self.sats) + elements_bytes(self.owner)

    @classmethod
    def read(cls, reader: Reader) -> Deposit:
        """Read what `encode` wrote.

        Raises:
            CodecError: TRUNCATED or NOT_CANONICAL.
        """
        kind, height = reader.pair("deposit kind, height")
        txid = reader.take(TXID_BYTES, "deposit txid")
        vout, cell = reader.pair("deposit vout, cell")
        sats = reader.u64("deposit sats")
        return cls(height, txid, vout, sats, reader.elements(8, "deposit owner"), cell, kind)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Moves msat to another purse; also carries any operation but a withdrawal (an unknown one fails).

    Attributes:
        signer: The paying purse's cell.
        nonce: The purse's nonce; signed, not published.
        leaf: Signature leaf.
        to: Receiving purse's cell.
        amount: In msat.
        max_fee: Most that the signer pays, in msat.
        tip: Msat per gas for the producer.
        program: 0 is the bank.
        op: 0; any but 1.
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
        _check_common(self)
        check_u32("operation", self.op)
        if self.op == OP_WITHDRAW:
            raise CodecError(CodecReason.KIND, "transfer operation", "any but 1", self.op)

    def words(self) -> tuple[Word, ...]:
        """T0..T4."""
        return _head_words(self)

    def triples(self, chain_id: int) -> tuple[Triple, ...]:
        """What the signed digest absorbs, three words a step."""
        return _head_triples(self, chain_id)

    def digest(self, chain_id: int) -> Digest:
        """What the signature signs; shape (8,)."""
        return hash_chain(TAG_TX, self.triples(chain_id))

    def encode(self) -> bytes:
        """The 40 published bytes."""
        return _head_bytes(self)


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
        _check_common(self)
        check_u64("script length", self.script_length)
        if len(self.script) != SCRIPT_BYTES:
            raise CodecError(CodecReason.LENGTH, "script", SCRIPT_BYTES, len(self.script))

    def script_words(self) -> tuple[Word, ...]:
        """S0..S4."""
        return bytes_words(self.script)

    def words(self) -> tuple[Word, ...]:
        """T0..T4, S0..S5."""
        return (*_head_words(self), *self.script_words(), u64_word(self.script_length))

    def triples(self, chain_id: int) -> tuple[Triple, ...]:
        """What the signed digest absorbs, three words a step."""
        s0, s1, s2, s3, s4 = self.script_words()
        head = _head_triples(self, chain_id)
        return (*head, (s0, s1, s2), (s3, s4, u64_word(self.script_length)))

    def digest(self, chain_id: int) -> Digest:
        """What the signature signs; shape (8,)."""
        return hash_chain(TAG_TX, self.triples(chain_id))

    def exit_digest(self, exit_index: int) -> Digest:
        """Leaf of the exit tree; shape (8,).

        Args:
            exit_index: Number of the exit in its batch.
        """
        s0, s1, s2, s3, s4 = self.script_words()
        sats = u64_word(self.amount // MSAT_PER_SAT)
        head = (pair_word(exit_index, self.script_length), sats, u64_word(self.signer))
        return hash_chain(TAG_EXIT, (head, (s0, s1, s2), (s3, s4, ZERO_WORD)))

    def encode(self) -> bytes:
        """The 88 published bytes."""
        return _head_bytes(self) + self.script + struct.pack("<Q", self.script_length)


Transaction: TypeAlias = Transfer | Withdraw


def _check_common(tx: Transaction) -> None:
    for name in ("signer", "nonce", "leaf", "to", "tip", "program"):
        check_u32(name, getattr(tx, name))
    check_u64("amount", tx.amount)
    check_u64("max fee", tx.max_fee)


def _head_words(tx: Transaction) -> tuple[Word, Word, Word, Word, Word]:
    return (
        pair_word(tx.signer, tx.leaf),
        pair_word(tx.program, tx.tip),
        pair_word(tx.to, tx.op),
        u64_word(tx.amount),
        u64_word(tx.max_fee),
    )


def _head_triples(tx: Transaction, chain_id: int) -> tuple[Triple, Triple]:
    t0, t1, t2, t3, t4 = _head_words(tx)
    return (t0, t1, t2), (t3, t4, pair_word(chain_id, tx.nonce))


def _head_bytes(tx: Transaction) -> bytes:
    return struct.pack(
        "<IIIIIIQQ", tx.signer, tx.leaf, tx.program, tx.tip, tx.to, tx.op, tx.amount, tx.max_fee
    )


def withdraw_script(script: bytes) -> tuple[bytes, int]:
    """A scriptPubKey as the fields `script` and `script_length`.

    Raises:
        CodecError: LENGTH: not 1..40 bytes.
    """
    if not 1 <= len(script) <= SCRIPT_BYTES:
        raise CodecError(CodecReason.LENGTH, "script", f"1..{SCRIPT_BYTES}", len(script))
    return script.ljust(SCRIPT_BYTES, b"\0"), len(script)


def read_transaction(reader: Reader, nonce: int) -> Transaction:
    """Read the published bytes of a transaction; its nonce comes from elsewhere.

    Raises:
        CodecError: TRUNCATED.
    """
    signer, leaf = reader.pair("signer, leaf")
    program, tip = reader.pair("program, tip")
    to, op = reader.pair("to, op")
    amount, max_fee = reader.u64("amount"), reader.u64("max fee")
    if op != OP_WITHDRAW:
        return Transfer(signer, nonce, leaf, to, amount, max_fee, tip, program, op)
    script, length = reader.take(SCRIPT_BYTES, "script"), reader.u64("script length")
    return Withdraw(signer, nonce, leaf, amount, max_fee, script, length, tip, to, program)


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction with the key and the signature that authorise it.

    Attributes:
        transaction: What is signed (its digest, with the chain id).
        public_key: Must hash to the signer purse's owner.
        signature: XMSS signature of leaf `transaction.leaf`.
    """

    transaction: Transaction
    public_key: PublicKey
    signature: Signature

    def encode(self) -> bytes:
        """Nonce (4), published words (40 or 88), public key (53), signature (2072 + 32 * height)."""
        head = self.transaction.nonce.to_bytes(4, "little") + self.transaction.encode()
        return head + self.public_key.encode() + self.signature.encode()

    @classmethod
    def decode(cls, data: bytes) -> SignedTransaction:
        """Read what `encode` wrote, all of it.

        Raises:
            CodecError: As `read`, or TRAILING.
        """
        reader = Reader(data)
        signed = cls.read(reader)
        reader.done()
        return signed

    @classmethod
    def read(cls, reader: Reader) -> SignedTransaction:
        """Read what `encode` wrote; the signature's length follows from the key's height.

        Raises:
            CodecError: TRUNCATED, PUBLIC_KEY or SIGNATURE.
        """
        transaction = read_transaction(reader, reader.u32("nonce"))
        try:
            public_key = PublicKey.decode(reader.take(PUBLIC_KEY_BYTES, "public key"))
        except XmssError as error:
            raise CodecError(CodecReason.PUBLIC_KEY, "public key", got=error) from error
        try:
            signature = Signature.decode(reader.take(signature_bytes(public_key.height), "signature"))
        except XmssError as error:
            raise CodecError(CodecReason.SIGNATURE, "signature", got=error) from error
        return cls(transaction, public_key, signature)
