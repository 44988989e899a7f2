"""Why a byte string, a batch, a transaction or a store operation is refused."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar


class CodecReason(StrEnum):
    """A value or a byte string is not in canonical form."""

    RANGE = "value out of range"
    LENGTH = "wrong length"
    TRUNCATED = "bytes end too early"
    TRAILING = "bytes follow the end"
    MAGIC = "not a file of this kind"
    VERSION = "unknown format version"
    NOT_CANONICAL = "not the canonical encoding"
    KIND = "unknown kind"
    PUBLIC_KEY = "malformed public key"
    SIGNATURE = "malformed signature"


class BatchReason(StrEnum):
    """The whole batch is refused: no valid proof of it can exist."""

    CHAIN_ID = "batch is for another chain"
    SLOT = "slot does not follow the last one"
    BITCOIN_HEIGHT = "bitcoin height goes back"
    PRODUCER = "producer is not a BTC purse"
    L1_RATE = "l1 rate is 2^32 or more"
    INBOX_DUE = "fewer events than were due"
    FREE_CELL = "the next free cell is not empty"
    COUNTER_OVERFLOW = "a counter leaves 32 bits"
    TRANSACTION = "a transaction cannot be included"
    EXITS_FULL = "a forced exit does not fit the batch's exit tree: take fewer events"
    CODE_MISSING = "the ledger does not know a program's code"
    HOOK = "a hook fails: no batch with this header can follow"
    TOO_LARGE = "more than 2^32 - 1 events or transactions"


class RefusalReason(StrEnum):
    """A transaction cannot be included; the batch goes on without it (or is refused in strict mode)."""

    SIGNER = "signer is not a BTC purse"
    OWNER = "public key is not the purse's owner"
    SIGNATURE = "signature is not valid"
    NONCE = "nonce is not the purse's next one"
    LEAF = "signature leaf was already passed, or is no leaf"
    MAX_FEE = "fee is above the signed maximum"
    CANNOT_PAY = "balance does not cover the fee"
    COUNTER_OVERFLOW = "nonce leaves 32 bits, or 30 at a rotation"
    GAS_LIMIT = (
        "gas limit is below what the calls cost before they run, or above what any transaction may use"
    )
    CODE = "code breaks a rule of deployment"
    COSIGNATURE = "a program asks for a co-signature that is missing or not valid"


class FailureReason(StrEnum):
    """An included transaction fails: its fee is kept and nothing else happens."""

    PROGRAM = "no such program"
    OPERATION = "no such operation"
    RECIPIENT = "recipient is not a BTC purse"
    BALANCE = "amount exceeds the balance"
    WITHDRAW_TO = "a withdrawal names a recipient cell"
    WITHDRAW_AMOUNT = "amount is zero or not whole sats"
    SCRIPT = "script is empty or longer than 40 bytes"
    EXITS_FULL = "the batch's exit tree is full"
    CELLS_FULL = "no cell is left"
    FAULT = "a program's arithmetic overflows or divides by zero"
    FAIL = "a program says so"
    OUT_OF_GAS = "gas exceeds its limit"
    SYSTEM_CALL = "the kernel refuses a system call"
    BANK = "the bank refuses a move"


class StoreReason(StrEnum):
    """The state store or a file cannot be used."""

    MISSING = "no such file"
    EXISTS = "file exists already"
    VERSION = "store of another version"
    CORRUPT = "store is damaged"
    LOCKED = "store is in use by another process"
    DISK_FULL = "disk is full"
    IO = "input/output error"
    STALE = "store is at another batch"
    NO_SUCH_BATCH = "store has no such batch"


Reason = TypeVar("Reason", bound=StrEnum)


class RollupError(ValueError):
    """Base of every refusal of this package.

    Attributes:
        reason: The rule that was broken; tests and callers compare it, never the text.
        where: What broke it, e.g. `transaction 7`.
        expected: What the rule asks for, if that helps.
        got: What was there.
    """

    def __init__(self, reason: StrEnum, where: str = "", expected: object = None, got: object = None) -> None:
        text = f"{where}: {reason.value}" if where else reason.value
        if expected is not None:
            text += f", expected {expected}"
        if got is not None:
            text += f", got {got}"
        super().__init__(text)
        self.reason = reason
        self.where = where
        self.expected = expected
        self.got = got


class _Typed(RollupError, Generic[Reason]):
    reason: Reason

    def __init__(self, reason: Reason, where: str = "", expected: object = None, got: object = None) -> None:
        super().__init__(reason, where, expected, got)


class CodecError(_Typed[CodecReason]):
    """Bytes or values that are not canonical."""


class BatchRefused(_Typed[BatchReason]):
    """The whole batch is refused; nothing was written."""


class TransactionRefused(_Typed[RefusalReason]):
    """One transaction cannot be included; raised where a single transaction is judged."""


class StoreError(_Typed[StoreReason]):
    """The store, or a file, refused."""
