"""System calls of user programs, and the run of a list of calls, on the open books.

A cell is touched when a call looks at it, in the order of the rules here: the tables hold the touched cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from circuits.machine.abi import GAS_LOADED_WORD, MAX_GAS, Context
from circuits.machine.abi import Call as SystemCallNumber
from circuits.rollup.batch import Header
from circuits.rollup.books import Books
from circuits.rollup.cells import (
    OWNED_BY_CELL,
    BlockCell,
    Cell,
    DataCell,
    KeyCell,
    ProgramCell,
    Purse,
    owner_cell,
)
from circuits.rollup.errors import FailureReason
from circuits.rollup.hashing import one_step
from circuits.rollup.operations import Call, Calls
from circuits.rollup.params import BLOCK_CELL, CELL_LIMIT, LEAF_LIMIT, U64_LIMIT
from circuits.rollup.programs import CallFailed, Frame, Gas, Watch, run_program
from circuits.rollup.words import ZERO_DIGEST, ZERO_WORD, Digest, pair_word, u64_word
from circuits.tags import TAG_COSIGN, TAG_LOG, TAG_USER

DATA_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class Event:
    """What a program said with EVENT: its transaction (numbered from 1; 0: a hook), the program, three words."""

    transaction: int
    program: int
    values: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class CosignatureRequest:
    """What a CHECKSIG asks for: a signature of `message` by `owner` with leaf `leaf`."""

    owner: Digest
    leaf: int
    message: Digest


Cosign = Callable[[CosignatureRequest], None]
"""Answers a request, or raises TransactionRefused."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a list of calls did.

    Attributes:
        gas: Gas used, at most the limit.
        failure: Why it failed, or None.
        detail: Where, for people.
        events: What it said; nothing if it failed.
    """

    gas: int
    failure: FailureReason | None
    detail: str
    events: tuple[Event, ...]


def _refuse(detail: str) -> NoReturn:
    raise CallFailed(FailureReason.SYSTEM_CALL, detail)


class Kernel:
    """System calls for one transaction or hook; `program` says for whom.

    Args:
        books: The open books.
        header: Of the batch.
        number: Of the transaction in the batch, from 1; 0 for hooks.
        signer: Its signer; 0 for hooks.
        cosign: Answers CHECKSIG; None for hooks.
        watch: Called before each step of a program.
    """

    def __init__(
        self,
        books: Books,
        header: Header,
        number: int,
        signer: int,
        cosign: Cosign | None,
        watch: Watch | None = None,
    ) -> None:
        self.books = books
        self.header = header
        self.number = number
        self.signer = signer
        self.cosign = cosign
        self.watch = watch
        self.program = 0
        self.events: list[Event] = []
        call = SystemCallNumber
        self._handlers: dict[SystemCallNumber, Callable[..., Sequence[int]]] = {
            call.MOVE: self._move,
            call.BALANCE: self._balance,
            call.OWNED: self._owned,
            call.DLOAD: self._dload,
            call.PEEK: self._peek,
            call.DSTORE: self._dstore,
            call.CREATE_DATA: self._create_data,
            call.CREATE_PURSE: self._create_purse,
            call.MINT: self._mint,
            call.BURN: self._burn,
            call.CONTEXT: self._context,
            call.EVENT: self._event,
            call.CHECKSIG: self._checksig,
            call.HASH: self._hash,
            call.CREATE_KEY: self._create_key,
        }

    def run(self, tx: Calls) -> Outcome:
        """Run the calls in order; on failure the books are what they were (touched cells stay touched)."""
        saved = self.books.snapshot()
        gas = Gas(tx.first_gas, tx.gas_limit)
        number = 0
        try:
            for number, call in enumerate(tx.calls):
                self._call(call, number, gas)
            if gas.used > gas.limit:
                raise CallFailed(FailureReason.OUT_OF_GAS, "at the end")
        except CallFailed as failed:
            self.books.undo(saved)
            detail = f"call {number}, {failed.detail}"
            return Outcome(min(gas.used, gas.limit), failed.reason, detail, ())
        return Outcome(gas.used, None, "", tuple(self.events))

    def hook(self, program: int, arguments: tuple[int, int, int, int]) -> None:
        """Run a hook.

        Raises:
            CallFailed: It fails; the batch must be dropped.
        """
        self._call(Call(program, 0, arguments), 0, Gas(0, MAX_GAS))

    def _call(self, call: Call, number: int, gas: Gas) -> None:
        if call.program == 0:
            self._bank(call)
            return
        cell = self._look(call.program, FailureReason.PROGRAM)
        if not isinstance(cell, ProgramCell):
            raise CallFailed(FailureReason.PROGRAM, f"cell {call.program}")
        gas.used += GAS_LOADED_WORD * cell.length
        if gas.used > gas.limit:
            raise CallFailed(FailureReason.OUT_OF_GAS, f"program {call.program} is too long for it")
        first = (call.selector, *call.arguments, self.signer, number)
        code = self.books.code(cell.code_hash)
        frame = Frame(call.program, number, code, dict(enumerate(first, start=1)))
        self.program = call.program
        run_program(frame, gas, self._system_call, self.watch)

    def _system_call(self, call: SystemCallNumber, arguments: Sequence[int]) -> Sequence[int]:
        return self._handlers[call](*arguments)

    def _look(self, index: int, reason: FailureReason = FailureReason.SYSTEM_CALL) -> Cell | None:
        """A cell, which is touched by looking."""
        if index >= CELL_LIMIT:
            raise CallFailed(reason, f"no cell {index}")
        return self.books.look(index)

    def _purse(self, index: int) -> Purse:
        cell = self._look(index)
        if not isinstance(cell, Purse):
            _refuse(f"cell {index} is no purse")
        return cell

    def _bank(self, call: Call) -> None:
        source, target, amount, _ = call.arguments
        try:
            if call.selector != 0:
                _refuse(f"selector {call.selector}")
            if max(source, target) >= CELL_LIMIT:
                _refuse("no such cell")
            purse = self._purse(source)
            if source != self.signer and purse.owner != owner_cell(self.signer):
                _refuse(f"purse {source} is not the signer's")
            self._transfer(source, target, amount)
        except CallFailed as refused:
            raise CallFailed(FailureReason.BANK, refused.detail) from None

    def _transfer(self, source: int, target: int, amount: int) -> None:
        """What MOVE and the bank share; the source's authority is checked."""
        asset = self._purse(source).asset
        receiver = self._look(target)
        if not isinstance(receiver, Purse) or receiver.asset != asset:
            _refuse(f"cell {target} is no purse of asset {asset}")
        if self._purse(source).balance < amount:
            _refuse(f"purse {source} has less than {amount}")
        self._credit(source, -amount)
        if self._purse(target).balance + amount >= U64_LIMIT:
            _refuse(f"purse {target} would overflow")
        self._credit(target, amount)

    def _credit(self, index: int, amount: int) -> None:
        purse = self._purse(index)
        self.books.put(index, replace(purse, balance=purse.balance + amount))

    def _move(self, source: int, target: int, amount: int) -> Sequence[int]:
        if max(source, target) >= CELL_LIMIT:
            _refuse("no such cell")
        if self._purse(source).owner != owner_cell(self.program):
            _refuse(f"purse {source} is not the program's")
        self._transfer(source, target, amount)
        return ()

    def _balance(self, index: int) -> Sequence[int]:
        purse = self._purse(index)
        return purse.balance, purse.asset

    def _owned(self, index: int, cell: int) -> Sequence[int]:
        return (int(self._purse(index).owner == (*u64_word(cell), *OWNED_BY_CELL)),)

    def _peek(self, index: int, word: int) -> Sequence[int]:
        cell = self._look(index)
        if not isinstance(cell, DataCell | BlockCell) or word >= DATA_WORDS:
            _refuse(f"word {word} of cell {index} is no data")
        return (cell.values[word],)

    def _dload(self, index: int, word: int) -> Sequence[int]:
        cell = self._look(index)
        if not isinstance(cell, DataCell) or cell.program != self.program or word >= DATA_WORDS:
            _refuse(f"word {word} of cell {index} is not the program's")
        return (cell.values[word],)

    def _dstore(self, index: int, word: int, value: int) -> Sequence[int]:
        cell = self._look(index)
        if not isinstance(cell, DataCell) or cell.program != self.program or word >= DATA_WORDS:
            _refuse(f"word {word} of cell {index} is not the program's")
        values = [*cell.values]
        values[word] = value
        a, b, c, d = values
        self.books.put(index, DataCell(self.program, (a, b, c, d)))
        return ()

    def _create(self, cell: Cell) -> Sequence[int]:
        index = self.books.create(cell, f"transaction {self.number}")
        if index is None:
            raise CallFailed(FailureReason.CELLS_FULL)
        return (index,)

    def _create_data(self) -> Sequence[int]:
        return self._create(DataCell(self.program, (0, 0, 0, 0)))

    def _create_purse(self, asset: int, owner: int) -> Sequence[int]:
        if max(asset, owner) >= CELL_LIMIT:
            _refuse("no such asset or owner")
        return self._create(Purse(owner_cell(owner), asset=asset))

    def _own_asset(self, index: int) -> Purse:
        purse = self._purse(index)
        if purse.asset != self.program:
            _refuse(f"purse {index} is not of the program's asset")
        return purse

    def _mint(self, target: int, amount: int) -> Sequence[int]:
        if self._own_asset(target).balance + amount >= U64_LIMIT:
            _refuse(f"purse {target} would overflow")
        self._credit(target, amount)
        return ()

    def _burn(self, source: int, amount: int) -> Sequence[int]:
        purse = self._own_asset(source)
        if purse.owner != owner_cell(self.program):
            _refuse(f"purse {source} is not the program's")
        if purse.balance < amount:
            _refuse(f"purse {source} has less than {amount}")
        self._credit(source, -amount)
        return ()

    def _context(self, which: int) -> Sequence[int]:
        header = self.header
        known = {
            Context.HEIGHT: header.bitcoin_height,
            Context.SLOT: header.slot,
            Context.PRODUCER: header.producer,
            Context.PROGRAM: self.program,
            Context.CHAIN: self.books.system.chain_id,
            Context.INDEX: self.number,
        }
        if which == Context.BLOCK_HEIGHT:
            block = self._look(BLOCK_CELL)
            return (block.height if isinstance(block, BlockCell) else 0,)
        if which not in known:
            _refuse(f"context {which}")
        return (known[Context(which)],)

    def _event(self, a: int, b: int, c: int) -> Sequence[int]:
        event = Event(self.number, self.program, (a, b, c))
        self.events.append(event)
        self.books.event_commitment = absorb_event(self.books.event_commitment, event)
        return ()

    def _checksig(self, index: int, a: int, b: int, leaf: int) -> Sequence[int]:
        if self.cosign is None:
            _refuse("a hook brings no signatures")
        cell = self._look(index)
        if leaf >= LEAF_LIMIT:
            _refuse(f"{leaf} is no leaf")
        if not isinstance(cell, KeyCell):
            cell = self._keyed_purse(index)
            if leaf < cell.next_leaf:
                _refuse(f"leaf {leaf} was passed")
            self.books.put(index, replace(cell, next_leaf=leaf + 1))
        message = cosign_message(self.books.system.chain_id, self.program, index, a, b)
        self.cosign(CosignatureRequest(cell.owner, leaf, message))
        return ()

    def _keyed_purse(self, index: int) -> Purse:
        purse = self._look(index)
        if not isinstance(purse, Purse) or not purse.is_btc:
            _refuse(f"cell {index} is no BTC purse")
        if purse.owner[4:] == OWNED_BY_CELL:
            _refuse(f"purse {index} has no key")
        return purse

    def _create_key(self, index: int) -> Sequence[int]:
        return self._create(KeyCell(self.program, self._keyed_purse(index).owner))

    def _hash(self, a: int, b: int, c: int) -> Sequence[int]:
        digest = one_step(TAG_USER, ZERO_DIGEST, (u64_word(a), u64_word(b), u64_word(c)))
        return digest[0] | digest[1] << 32, digest[4] | digest[5] << 32


def cosign_message(chain_id: int, program: int, cell: int, a: int, b: int) -> Digest:
    """What the key of `cell` (a purse or key cell) signs so that CHECKSIG of `program` accepts a and b; shape (8,)."""
    start = (*pair_word(chain_id, 0), *ZERO_WORD)
    return one_step(TAG_COSIGN, start, (pair_word(program, cell), u64_word(a), u64_word(b)))


def absorb_event(commitment: Digest, event: Event) -> Digest:
    """The batch's event commitment after an event; shape (8,)."""
    a, b, c = event.values
    head = pair_word(event.program, event.transaction)
    state = one_step(TAG_LOG, commitment, (head, u64_word(a), u64_word(b)))
    return one_step(TAG_LOG, state, (u64_word(c), ZERO_WORD, ZERO_WORD))


def event_commitment(events: Sequence[Event]) -> Digest:
    """The commitment of a batch's events, from none; shape (8,)."""
    commitment = ZERO_DIGEST
    for event in events:
        commitment = absorb_event(commitment, event)
    return commitment
