"""What goes into a batch: inbox events, transactions, signed transactions; words and canonical bytes.

The classes live in `events`, `bank` and `operations`; this module reads any of them and adds signatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from circuits.machine.abi import MAX_CALLS
from circuits.machine.code import MAX_CODE_LENGTH
from circuits.rollup.bank import Transfer, Withdraw, withdraw_script
from circuits.rollup.codec import Reader
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.events import BlockHash, Deposit, ForcedExit, InboxEvent, read_event
from circuits.rollup.heads import Head
from circuits.rollup.operations import Call, Calls, Deploy, Rotate
from circuits.rollup.params import OP_CALLS, OP_DEPLOY, OP_ROTATE, OP_WITHDRAW, SCRIPT_BYTES
from circuits.xmss.errors import XmssError
from circuits.xmss.scheme import PUBLIC_KEY_BYTES, PublicKey, Signature, signature_bytes

__all__ = [
    "BankTransaction", "BlockHash", "Call", "Calls", "Cosignature", "Deploy", "Deposit", "ForcedExit", "InboxEvent",
    "Rotate", "SignedTransaction", "Transaction", "Transfer", "Withdraw", "read_event", "read_transaction",
    "withdraw_script",
]  # fmt: skip

BankTransaction: TypeAlias = Transfer | Withdraw
Transaction: TypeAlias = Transfer | Withdraw | Rotate | Deploy | Calls
MAX_COSIGNATURES = 64
"""Of one transaction; what its gas limit allows is fewer."""


def read_transaction(reader: Reader, nonce: int) -> Transaction:
    """Read the published bytes of a transaction; its nonce comes from elsewhere.

    Raises:
        CodecError: TRUNCATED, or NOT_CANONICAL: a word that the operation leaves 0 is not.
    """
    head = Head.read(reader)
    signer, leaf, program, tip, to, op, amount, max_fee = head
    if op == OP_WITHDRAW:
        script, length = reader.take(SCRIPT_BYTES, "script"), reader.u64("script length")
        return Withdraw(signer, nonce, leaf, amount, max_fee, script, length, tip, to, program)
    tx: Transaction
    if op == OP_ROTATE:
        tx = Rotate(signer, nonce, leaf, reader.elements(8, "new owner"), max_fee, tip, to)
    elif op == OP_DEPLOY:
        _check_count("code", to, MAX_CODE_LENGTH)
        tx = Deploy(signer, nonce, leaf, tuple(reader.u64("code") for _ in range(to)), max_fee, tip)
    elif op == OP_CALLS:
        _check_count("calls", to, MAX_CALLS)
        calls = tuple(_read_call(reader) for _ in range(to))
        tx = Calls(signer, nonce, leaf, calls, program, max_fee, tip)
    else:
        return Transfer(signer, nonce, leaf, to, amount, max_fee, tip, program, op)
    if tx.head != head:
        raise CodecError(CodecReason.NOT_CANONICAL, "transaction head", tuple(tx.head), tuple(head))
    return tx


def _check_count(name: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise CodecError(CodecReason.LENGTH, name, f"1..{most}", count)


def _read_call(reader: Reader) -> Call:
    program, selector = reader.pair("program, selector")
    a, b, c, d = (reader.u64("argument") for _ in range(4))
    return Call(program, selector, (a, b, c, d))


@dataclass(frozen=True, slots=True)
class Cosignature:
    """What answers a CHECKSIG: the key and the signature. Message and leaf follow from the run."""

    public_key: PublicKey
    signature: Signature

    def encode(self) -> bytes:
        """Public key (53), signature (2072 + 32 * height)."""
        return self.public_key.encode() + self.signature.encode()

    @classmethod
    def decode(cls, data: bytes) -> Cosignature:
        """Read what `encode` wrote, all of it.

        Raises:
            CodecError: As `read`, or TRAILING.
        """
        reader = Reader(data)
        cosignature = cls.read(reader)
        reader.done()
        return cosignature

    @classmethod
    def read(cls, reader: Reader) -> Cosignature:
        """Read what `encode` wrote; the signature's length follows from the key's height.

        Raises:
            CodecError: TRUNCATED, PUBLIC_KEY or SIGNATURE.
        """
        try:
            public_key = PublicKey.decode(reader.take(PUBLIC_KEY_BYTES, "public key"))
        except XmssError as error:
            raise CodecError(CodecReason.PUBLIC_KEY, "public key", got=error) from error
        try:
            signature = Signature.decode(reader.take(signature_bytes(public_key.height), "signature"))
        except XmssError as error:
            raise CodecError(CodecReason.SIGNATURE, "signature", got=error) from error
        return cls(public_key, signature)


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction with the key and the signature that authorise it.

    Attributes:
        transaction: What is signed (its digest, with the chain id).
        public_key: Must hash to the signer purse's owner.
        signature: XMSS signature of leaf `transaction.leaf`.
        cosignatures: Answers to the CHECKSIGs of its calls, in the order in which they run.
    """

    transaction: Transaction
    public_key: PublicKey
    signature: Signature
    cosignatures: tuple[Cosignature, ...] = ()

    def __post_init__(self) -> None:
        if len(self.cosignatures) > MAX_COSIGNATURES:
            raise CodecError(CodecReason.LENGTH, "co-signatures", MAX_COSIGNATURES, len(self.cosignatures))

    def encode(self) -> bytes:
        """Nonce (4), published words, key and signature; of calls also a count (4) and the co-signatures."""
        head = self.transaction.nonce.to_bytes(4, "little") + self.transaction.encode()
        own = head + Cosignature(self.public_key, self.signature).encode()
        if not isinstance(self.transaction, Calls):
            return own
        count = len(self.cosignatures).to_bytes(4, "little")
        return b"".join((own, count, *(other.encode() for other in self.cosignatures)))

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
        """Read what `encode` wrote; a signature's length follows from its key's height.

        Raises:
            CodecError: TRUNCATED, NOT_CANONICAL, LENGTH, PUBLIC_KEY or SIGNATURE.
        """
        transaction = read_transaction(reader, reader.u32("nonce"))
        own = Cosignature.read(reader)
        others: tuple[Cosignature, ...] = ()
        if isinstance(transaction, Calls):
            count = reader.u32("number of co-signatures")
            if count > MAX_COSIGNATURES:
                raise CodecError(CodecReason.LENGTH, "co-signatures", MAX_COSIGNATURES, count)
            others = tuple(Cosignature.read(reader) for _ in range(count))
        return cls(transaction, own.public_key, own.signature, others)
