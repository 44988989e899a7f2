"""One transaction: whether it can be included, what it is charged, what becomes of it.

Order: nonce, leaf, signature; the greatest fee is covered; then it runs, and what was not used is refunded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from circuits.machine.abi import MAX_GAS, Call
from circuits.machine.code import check_code
from circuits.machine.errors import AssemblerError
from circuits.rollup.batch import Header
from circuits.rollup.books import Books, fees_of, whole_sats
from circuits.rollup.errors import FailureReason, RefusalReason, TransactionRefused
from circuits.rollup.params import (
    BANK_PROGRAM,
    EXIT_LIMIT,
    LEAF_LIMIT,
    OP_TRANSFER,
    ROTATION_NONCE_LIMIT,
    SCRIPT_BYTES,
    U32_LIMIT,
)
from circuits.rollup.programs import Watch
from circuits.rollup.system_calls import CosignatureRequest, Event, Kernel
from circuits.rollup.types import (
    Calls,
    Cosignature,
    Deploy,
    Rotate,
    Transaction,
    Transfer,
    Withdraw,
)
from circuits.rollup.words import Digest
from circuits.xmss.batch import Claim


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an included transaction.

    Attributes:
        position: Its number in the batch as submitted.
        digest: What was signed; shape (8,).
        base_fee: To cell 2.
        tip: To the producer.
        data_fee: To cell 3.
        failure: Why it failed, or None.
        exit_index: Number of its exit in the batch, if it is a withdrawal that succeeded.
        gas: Gas charged.
        refund: What the signer got back of the greatest fee.
        detail: Where calls failed, for people.
        events: What its programs said.
        program: Cell of the program that it deployed.

    Units: msat.
    """

    position: int
    digest: Digest
    base_fee: int
    tip: int
    data_fee: int
    failure: FailureReason | None
    exit_index: int | None = None
    gas: int = 0
    refund: int = 0
    detail: str = ""
    events: tuple[Event, ...] = ()
    program: int | None = None

    @property
    def fee(self) -> int:
        """All that was charged."""
        return self.base_fee + self.tip + self.data_fee


@dataclass(frozen=True, slots=True)
class Proposal:
    """A transaction that asks to be included.

    Attributes:
        transaction: What it is.
        position: Its number in the batch as submitted.
        number: Its number among the included ones.
        digest: What is signed; shape (8,).
        owner: Owner of the key that signed; None if the signature is not looked at.
        is_valid: Whether the signature is valid.
    """

    transaction: Transaction
    position: int
    number: int
    digest: Digest
    owner: Digest | None
    is_valid: bool


@dataclass(slots=True)
class Cosigners:
    """Answers CHECKSIGs from a transaction's co-signatures, in order; notes the claims.

    Attributes:
        cosignatures: What the transaction brings.
        check: Decides a claim; None if nothing is looked at.
        claims: What was answered.
    """

    cosignatures: Sequence[Cosignature]
    check: Callable[[Claim], bool] | None
    claims: list[Claim] = field(default_factory=list)

    def answer(self, request: CosignatureRequest) -> None:
        """Answer a request.

        Raises:
            TransactionRefused: COSIGNATURE.
        """
        if self.check is None:
            return
        number = len(self.claims)
        if number < len(self.cosignatures):
            given = self.cosignatures[number]
            claim = Claim(request.owner, given.public_key, request.leaf, request.message, given.signature)
            if given.public_key.owner() == request.owner and self.check(claim):
                self.claims.append(claim)
                return
        raise TransactionRefused(RefusalReason.COSIGNATURE, got=f"number {number}")


def include(
    books: Books, header: Header, proposal: Proposal, cosigners: Cosigners, watch: Watch | None = None
) -> Receipt:
    """Check, charge and run one transaction.

    Raises:
        TransactionRefused: It cannot be included; nothing has changed.
    """
    tx = proposal.transaction
    _check(books, header, proposal)
    fees = fees_of(tx, books.system.base_fee, header.l1_rate)
    saved = books.snapshot() if isinstance(tx, Calls) else None
    books.charge(tx.signer, sum(fees), tx.leaf)
    if isinstance(tx, Calls):
        kernel = Kernel(books, header, proposal.number + 1, tx.signer, cosigners.answer, watch)
        try:
            done = kernel.run(tx)
        except BaseException:
            if saved is not None:
                books.undo(saved, forget=True)
            raise
        base_fee, tip = done.gas * books.system.base_fee, done.gas * tx.tip
        refund = fees[0] + fees[1] - base_fee - tip
        books.move(tx.signer, refund)
        return Receipt(
            proposal.position, proposal.digest, base_fee, tip, fees[2], done.failure,
            gas=done.gas, refund=refund, detail=done.detail, events=done.events,
        )  # fmt: skip
    failure, exit_index, program = _run(books, tx, proposal.position)
    return Receipt(
        proposal.position, proposal.digest, *fees, failure, exit_index, gas=tx.gas, program=program
    )


def _check(books: Books, header: Header, proposal: Proposal) -> None:
    """Everything that keeps a transaction out, but for co-signatures.

    Raises:
        TransactionRefused: Naming the rule.
    """
    tx = proposal.transaction
    purse = books.peek(tx.signer)
    if purse is None:
        raise TransactionRefused(RefusalReason.SIGNER, got=tx.signer)
    if proposal.owner is not None and purse.owner != proposal.owner:
        raise TransactionRefused(RefusalReason.OWNER)
    if tx.nonce != purse.nonce:
        raise TransactionRefused(RefusalReason.NONCE, expected=purse.nonce, got=tx.nonce)
    if tx.leaf < purse.next_leaf or tx.leaf >= LEAF_LIMIT:
        raise TransactionRefused(RefusalReason.LEAF, expected=purse.next_leaf, got=tx.leaf)
    if not proposal.is_valid:
        raise TransactionRefused(RefusalReason.SIGNATURE)
    most = ROTATION_NONCE_LIMIT if isinstance(tx, Rotate) else U32_LIMIT - 1
    if tx.nonce + 1 > most:
        raise TransactionRefused(RefusalReason.COUNTER_OVERFLOW)
    if isinstance(tx, Calls) and not tx.first_gas <= tx.gas_limit <= MAX_GAS:
        expected = f"{tx.first_gas}..{MAX_GAS}"
        raise TransactionRefused(RefusalReason.GAS_LIMIT, expected=expected, got=tx.gas_limit)
    if isinstance(tx, Deploy):
        try:
            check_code(tx.code, min(Call).address, max(Call).address)
        except AssemblerError as error:
            raise TransactionRefused(RefusalReason.CODE, got=error) from error
    fee = sum(fees_of(tx, books.system.base_fee, header.l1_rate))
    if fee > tx.max_fee:
        raise TransactionRefused(RefusalReason.MAX_FEE, expected=tx.max_fee, got=fee)
    if fee > purse.balance:
        raise TransactionRefused(RefusalReason.CANNOT_PAY, expected=purse.balance, got=fee)


def _run(
    books: Books, tx: Transfer | Withdraw | Rotate | Deploy, position: int
) -> tuple[FailureReason | None, int | None, int | None]:
    """Run what is no list of calls: why it failed, the exit's number, the new program's cell."""
    if isinstance(tx, Rotate):
        books.rotate(tx)
        return None, None, None
    if isinstance(tx, Deploy):
        index = books.deploy(tx.code, f"transaction {position}")
        return (FailureReason.CELLS_FULL if index is None else None), None, index
    failure = _failure(books, tx)
    if failure is not None:
        return failure, None, None
    if isinstance(tx, Withdraw):
        return None, books.withdraw(tx), None
    books.move(tx.signer, -tx.amount)
    books.move(tx.to, tx.amount)
    return None, None, None


def _failure(books: Books, tx: Transfer | Withdraw) -> FailureReason | None:
    """The first rule that makes an included transaction of the bank fail, or None."""
    if tx.program != BANK_PROGRAM:
        return FailureReason.PROGRAM
    balance = books.purse(tx.signer).balance
    if isinstance(tx, Transfer):
        if tx.op != OP_TRANSFER:
            return FailureReason.OPERATION
        if tx.amount > balance:
            return FailureReason.BALANCE
        return None if books.find(tx.to) else FailureReason.RECIPIENT
    if tx.to != 0:
        return FailureReason.WITHDRAW_TO
    if not whole_sats(tx.amount):
        return FailureReason.WITHDRAW_AMOUNT
    if tx.amount > balance:
        return FailureReason.BALANCE
    if len(books.exits) >= EXIT_LIMIT:
        return FailureReason.EXITS_FULL
    return None if 1 <= tx.script_length <= SCRIPT_BYTES else FailureReason.SCRIPT
