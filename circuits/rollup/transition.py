"""The state transition: what a batch does to a ledger. The specification; it knows no machine and no table.

Rules and formats: docs/machine.md, A batch. Three grades of bad input:

- *The batch is refused* (`BatchRefused`): header, inbox or a counter breaks a rule. Nothing happens.
- *A transaction is left out* (`RefusalReason`): it cannot be included; the batch that is proven is the one
  without it. In strict mode (replaying what was published) the whole batch is refused instead.
- *A transaction fails* (`FailureReason`): it is included, pays its fee, and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuits.rollup.batch import Batch, Header
from circuits.rollup.books import Books, next_base_fee
from circuits.rollup.cells import Cell, CellWords, HookCell
from circuits.rollup.errors import BatchReason, BatchRefused, RefusalReason, TransactionRefused
from circuits.rollup.hashing import U32, one_step
from circuits.rollup.inclusion import Cosigners, Proposal, Receipt, include
from circuits.rollup.ledger import Code, Ledger, leaves_of
from circuits.rollup.params import (
    BASE_FEE_PURSE,
    DATA_FEE_PURSE,
    EVENT_DEPOSIT,
    HOOK_CELLS,
    MAX_DEPOSIT_SATS,
    MSAT_PER_SAT,
    U32_LIMIT,
)
from circuits.rollup.programs import CallFailed, Watch
from circuits.rollup.public_values import PublicValues
from circuits.rollup.signatures import check_claims, claims, message_digests
from circuits.rollup.system_calls import Event, Kernel
from circuits.rollup.tree import TreeUpdate, exit_tree
from circuits.rollup.types import BlockHash, Calls, ForcedExit, InboxEvent
from circuits.rollup.words import ZERO_DIGEST, ZERO_WORD, Digest, Triple, raw_words
from circuits.tags import TAG_DATA, TAG_INBOX
from circuits.xmss.batch import Claim

__all__ = ["LeftOut", "Receipt", "Transition", "apply", "build_tape", "data_commitment", "replay"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A transaction that cannot be included: its number in the batch as submitted, and the rule."""

    position: int
    reason: RefusalReason
    expected: object
    got: object


@dataclass(frozen=True, slots=True)
class Transition:
    """A batch, executed.

    Attributes:
        ledger: The ledger after.
        batch: The batch that is proven: the included transactions only.
        receipts: One an included transaction.
        left_out: What was left out.
        public_values: What a proof says.
        cells_before: Touched cells, read or written, before the batch; None where empty.
        cells_after: The same cells after it.
        state_update: What happens in the state tree.
        exit_update: The batch's exit tree, from empty.
        exits: Exit leaves by number; shape (8,) each.
        tape: Words in the kernel's order; (4, n) uint32.
        signatures: Claims of the included transactions, in the kernel's order, each of them valid: a
            transaction's co-signatures come before its own. Empty after `replay`.
        hook_events: What hooks said, before the first transaction.
        programs: Code that the batch's calls start, each once.
        deployed: Code that the ledger did not know before.
    """

    ledger: Ledger
    batch: Batch
    receipts: tuple[Receipt, ...]
    left_out: tuple[LeftOut, ...]
    public_values: PublicValues
    cells_before: Mapping[int, Cell | None]
    cells_after: Mapping[int, Cell | None]
    state_update: TreeUpdate
    exit_update: TreeUpdate
    exits: Mapping[int, Digest]
    tape: U32
    signatures: tuple[Claim, ...]
    hook_events: tuple[Event, ...] = ()
    programs: tuple[Code, ...] = ()
    deployed: tuple[Code, ...] = ()

    @property
    def words_before(self) -> dict[int, CellWords]:
        """The touched cells that are not empty, as words: what the machine starts from."""
        return {index: cell.words() for index, cell in self.cells_before.items() if cell is not None}

    @property
    def num_failed(self) -> int:
        """Included transactions that failed."""
        return sum(receipt.failure is not None for receipt in self.receipts)


def apply(
    ledger: Ledger,
    batch: Batch,
    *,
    valid: Sequence[bool] | None = None,
    strict: bool = False,
    check_cosignature: Callable[[Claim], bool] | None = None,
) -> Transition:
    """Execute a batch on a ledger.

    1 header; 2 events, hooks; 3 transactions; 4 fees, base fee, system cells; then tree and public values.

    Args:
        ledger: The ledger before.
        batch: What the producer submits.
        valid: Whether each transaction's signature is valid, if that was checked already.
        strict: Refuse the batch where a transaction would be left out.
        check_cosignature: Decides co-signatures, of the right owner and message; by default the real check.

    Raises:
        BatchRefused: The batch breaks a rule; the ledger is what it was.
    """
    wanted = claims(batch.chain_id, batch.transactions)
    if valid is None:
        valid = check_claims(wanted)
    check = check_cosignature or (lambda claim: check_claims([claim])[0])
    return _execute(ledger, batch, wanted, valid, check, strict)


def replay(ledger: Ledger, batch: Batch, watch: Watch | None = None) -> Transition:
    """Execute what was published: as `apply` in strict mode, but no key and no signature is looked at.

    Args:
        ledger: The ledger before.
        batch: The batch; its keys and signatures may be blank.
        watch: Called before each step of a program.

    Raises:
        BatchRefused: The batch breaks a rule: it is not what was proven.
    """
    digests = message_digests(batch.chain_id, batch.transactions)
    return _execute(ledger, batch, digests, None, None, True, watch)


def _execute(
    ledger: Ledger,
    batch: Batch,
    wanted: Sequence[Claim | Digest],
    valid: Sequence[bool] | None,
    check: Callable[[Claim], bool] | None,
    strict: bool,
    watch: Watch | None = None,
) -> Transition:
    """`apply` with claims, `replay` with digests."""
    books = open_books(ledger, batch.chain_id, batch.header, batch.events, len(batch.transactions))
    receipts: list[Receipt] = []
    left_out: list[LeftOut] = []
    signatures: list[Claim] = []
    hook_events = run_hooks(books, batch.header, watch)
    for position, (signed, item) in enumerate(zip(batch.transactions, wanted, strict=True)):
        claim = item if isinstance(item, Claim) else None
        digest = item.message if isinstance(item, Claim) else item
        answers = Cosigners(signed.cosignatures, check)
        proposal = Proposal(
            signed.transaction, position, len(receipts), digest,
            claim.owner if claim else None, valid is None or valid[position],
        )  # fmt: skip
        try:
            receipts.append(include(books, batch.header, proposal, answers, watch))
            signatures += [*answers.claims, claim] if claim else []
        except TransactionRefused as refusal:
            if strict:
                where = f"transaction {position}"
                raise BatchRefused(BatchReason.TRANSACTION, where, got=refusal.reason) from refusal
            left_out.append(LeftOut(position, refusal.reason, refusal.expected, refusal.got))
    included = replace(batch, transactions=tuple(batch.transactions[r.position] for r in receipts))
    _settle(books, batch.header, receipts)
    return _finish(books, included, receipts, left_out, tuple(signatures), hook_events)


def open_books(
    ledger: Ledger, chain_id: int, header: Header, events: Sequence[InboxEvent], num_txs: int
) -> Books:
    """Check the header, open the books, and consume the events.

    Raises:
        BatchRefused: A rule is broken.
    """
    _check_header(ledger, chain_id, header, max(len(events), num_txs))
    books = Books(ledger)
    books.find(header.producer)
    for number, event in enumerate(events):
        _consume(books, event, number)
    if books.inbox.count < header.inbox_due_count:
        raise BatchRefused(BatchReason.INBOX_DUE, "inbox", header.inbox_due_count, books.inbox.count)
    return books


def run_hooks(books: Books, header: Header, watch: Watch | None = None) -> tuple[Event, ...]:
    """Run the programs that the hook cells name; what they said.

    Raises:
        BatchRefused: HOOK: one fails.
    """
    kernel = Kernel(books, header, 0, 0, None, watch)
    arguments = header.slot, header.producer, books.system.slot, header.bitcoin_height
    for index in HOOK_CELLS:
        cell = books.look(index)
        if not isinstance(cell, HookCell):
            break
        try:
            kernel.hook(cell.program, arguments)
        except CallFailed as failed:
            raise BatchRefused(
                BatchReason.HOOK, f"cell {index}, program {cell.program}", got=failed
            ) from failed
    return tuple(kernel.events)


def _check_header(ledger: Ledger, chain_id: int, header: Header, size: int) -> None:
    system = ledger.system
    if chain_id != system.chain_id:
        raise BatchRefused(BatchReason.CHAIN_ID, "header", system.chain_id, chain_id)
    if header.slot <= system.slot:
        raise BatchRefused(BatchReason.SLOT, "header", f"above {system.slot}", header.slot)
    height = ledger.inbox.bitcoin_height
    if header.bitcoin_height < height:
        raise BatchRefused(BatchReason.BITCOIN_HEIGHT, "header", height, header.bitcoin_height)
    if ledger.btc_purse(header.producer) is None:
        raise BatchRefused(BatchReason.PRODUCER, "header", got=header.producer)
    if header.l1_rate >= U32_LIMIT:
        raise BatchRefused(BatchReason.L1_RATE, "header", got=header.l1_rate)
    if size >= U32_LIMIT:
        raise BatchRefused(BatchReason.TOO_LARGE, "header")


def _consume(books: Books, event: InboxEvent, number: int) -> None:
    """Consume one inbox event: absorb it, and carry it out if it is valid."""
    accumulator = one_step(TAG_INBOX, event.digest(), (*raw_words(books.inbox.accumulator), ZERO_WORD))
    if books.inbox.count + 1 >= U32_LIMIT:
        raise BatchRefused(BatchReason.COUNTER_OVERFLOW, f"event {number}")
    books.inbox = replace(books.inbox, accumulator=accumulator, count=books.inbox.count + 1)
    if isinstance(event, ForcedExit):
        books.forced_exit(event, f"event {number}")
    elif isinstance(event, BlockHash):
        books.block_hash(event)
    elif event.kind == EVENT_DEPOSIT and 0 < event.sats <= MAX_DEPOSIT_SATS:
        books.deposit(event.cell, event.owner, event.sats * MSAT_PER_SAT, number)


def _settle(books: Books, header: Header, receipts: Sequence[Receipt]) -> None:
    """Credit the fees and write the system cells."""
    books.move(BASE_FEE_PURSE, sum(r.base_fee for r in receipts))
    books.move(DATA_FEE_PURSE, sum(r.data_fee for r in receipts))
    books.move(header.producer, sum(r.tip for r in receipts))
    system = books.system
    base_fee = next_base_fee(system.base_fee, sum(r.gas for r in receipts))
    if max(system.batch_number + 1, system.exit_counter + len(books.exits)) >= U32_LIMIT:
        raise BatchRefused(BatchReason.COUNTER_OVERFLOW, "end")
    books.system = replace(
        system,
        batch_number=system.batch_number + 1,
        slot=header.slot,
        base_fee=base_fee,
        exit_counter=system.exit_counter + len(books.exits),
    )
    books.inbox = replace(books.inbox, bitcoin_height=header.bitcoin_height)


def data_commitment(batch: Batch, messages: Sequence[Digest]) -> Digest:
    """D: commits to header and transactions of a batch; shape (8,).

    Args:
        batch: The included batch.
        messages: The transactions' digests, in order.
    """
    h0, h1, _, h3 = batch.header_words()
    commitment = one_step(TAG_DATA, ZERO_DIGEST, (h0, h1, h3))
    for message in messages:
        triple: Triple = (*raw_words(commitment), ZERO_WORD)
        commitment = one_step(TAG_DATA, message, triple)
    return commitment


def build_tape(batch: Batch, failing: Sequence[bool] = ()) -> U32:
    """The words that the kernel reads, in its order: header, events, transactions; (4, n).

    Source: docs/machine.md, A batch.

    Args:
        batch: The included batch.
        failing: Whether each transaction fails; lists of calls carry it as a hint. None do by default.
    """
    words = list(batch.header_words())
    for event in batch.events:
        words += event.words()
    for number, signed in enumerate(batch.transactions):
        tx = signed.transaction
        fails = number < len(failing) and failing[number]
        words += tx.tape_words(fails) if isinstance(tx, Calls) else tx.words()
    return np.ascontiguousarray(np.array(words, dtype=np.uint32).T)


def _finish(
    books: Books,
    batch: Batch,
    receipts: Sequence[Receipt],
    left_out: Sequence[LeftOut],
    signatures: tuple[Claim, ...],
    hook_events: tuple[Event, ...],
) -> Transition:
    before = books.ledger
    after = books.cells_after()
    written = {index: cell for index, cell in after.items() if cell is not None}
    state_update = before.tree.update(leaves_of(after))
    exit_update = exit_tree().update(books.exits)
    public_values = PublicValues(
        state_root_before=before.root,
        state_root_after=state_update.root_after,
        exit_root=exit_update.root_after,
        chain_id=before.system.chain_id,
        batch_number=before.system.batch_number,
        slot_before=before.system.slot,
        slot=batch.header.slot,
        producer=batch.header.producer,
        bitcoin_height=batch.header.bitcoin_height,
        inbox_due_count=batch.header.inbox_due_count,
        inbox_before=before.inbox.accumulator,
        inbox_after=books.inbox.accumulator,
        inbox_count_before=before.inbox.count,
        inbox_count_after=books.inbox.count,
        data_commitment=data_commitment(batch, [r.digest for r in receipts]),
        supply_before=before.system.supply,
        supply_after=books.system.supply,
        deposits=books.deposits,
        withdrawals=books.withdrawals,
        base_fees=sum(r.base_fee for r in receipts),
        tips=sum(r.tip for r in receipts),
        data_fees=sum(r.data_fee for r in receipts),
        base_fee_before=before.system.base_fee,
        base_fee_after=books.system.base_fee,
        num_exits=len(books.exits),
        num_txs=len(receipts),
        num_failed=sum(r.failure is not None for r in receipts),
        event_commitment=books.event_commitment,
    )
    return Transition(
        ledger=before.advance(written, state_update, books.codes),
        batch=batch,
        receipts=tuple(receipts),
        left_out=tuple(left_out),
        public_values=public_values,
        cells_before={index: before.cells.get(index) for index in after},
        cells_after=after,
        state_update=state_update,
        exit_update=exit_update,
        exits=dict(books.exits),
        tape=build_tape(batch, [r.failure is not None for r in receipts]),
        signatures=signatures,
        hook_events=hook_events,
        programs=tuple(books.started.values()),
        deployed=tuple(code for digest, code in books.codes.items() if digest not in before.codes),
    )
