"""Cells per operation, measured: the rows that small real batches need, times their tables' columns.

Each figure is a difference between two batches that were executed and checked; nothing is copied from a table
of expected values. A cell is a base-field element of a main column, or of the six of an interaction column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from blake3 import blake3

from circuits.machine.abi import BOOK
from circuits.machine.isa import Opcode
from circuits.machine.program import Instruction
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import Cell, DataCell, ProgramCell, Purse
from circuits.rollup.execute import execute_batch
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger, genesis_cells
from circuits.rollup.params import NO_CELL
from circuits.rollup.sample import CHAIN_ID, build_sample
from circuits.rollup.types import (
    Call,
    Calls,
    Deploy,
    Deposit,
    ForcedExit,
    InboxEvent,
    Rotate,
    SignedTransaction,
    Transaction,
    Transfer,
    Withdraw,
    withdraw_script,
)
from circuits.trace import chain, p16, p24
from circuits.witness import Witness, witness
from circuits.xmss import batch as xmss_batch
from circuits.xmss.batch import SignRequest
from circuits.xmss.scheme import SecretKey
from verifier.pipeline import table_columns

PURSES = 8
SPREAD = 1 << 20
"""Purses of the small ledgers lie evenly over as many cells as a sample's."""
SAMPLE_TRANSFERS = 64
_KEY_CONTEXT = "pegproof 2026 cost key"
_BALANCE = 10**12
_MAX_FEE = 10**9
_TAPROOT = b"\x51\x20" + bytes(32)
_PROGRAM, _DATA = 20, 22
"""Cells of the measured program and of a data cell of it."""
_SOURCE = """
    .entries nothing load store create_data create_purse fail
nothing:
    SYS     EXIT
load:
    CALL    DLOAD, DATA, 0
    SYS     EXIT
store:
    CALL    DSTORE, DATA, 0, 7
    SYS     EXIT
create_data:
    CALL    CREATE_DATA
    SYS     EXIT
create_purse:
    CALL    CREATE_PURSE, 0, r6
    SYS     EXIT
fail:
    CALL    DSTORE, DATA, 0, 7
    SYS     FAIL
"""
_NOTHING, _LOAD, _STORE, _CREATE_DATA, _CREATE_PURSE, _FAIL = range(6)
DEPLOYED = 64
"""Instructions of the deployment that is measured."""


@dataclass(frozen=True)
class Operation:
    """Cost of one operation.

    Attributes:
        name: what it is.
        cells: main and interaction cells, all tables.
        rows: by table, those that it needs none of left out; a fraction where it is an average.
    """

    name: str
    cells: int
    rows: Mapping[str, float]


class _Bench:
    """A ledger of a few purses that one key owns, and batches over it."""

    def __init__(self, height: int) -> None:
        seed = blake3(bytes([height]), derive_key_context=_KEY_CONTEXT).digest()
        self.key: SecretKey = xmss_batch.keygen([seed], height)[0]
        self.owner = self.key.public_key.owner()
        self.purses = [16 + i * (SPREAD // PURSES) for i in range(PURSES)]
        supply = _BALANCE * PURSES
        cells: dict[int, Cell] = dict(genesis_cells(CHAIN_ID, 100, next_free=SPREAD, supply=supply))
        cells.update((index, Purse(self.owner, _BALANCE)) for index in self.purses)
        code = assemble_user(_SOURCE, {"DATA": _DATA}).encode()
        cells[_PROGRAM] = ProgramCell(code_digest(code), len(code))
        cells[_PROGRAM + BOOK] = cells[_DATA] = DataCell(_PROGRAM, (0, 0, 0, 0))
        self.ledger = Ledger.of_cells(cells, [code])
        self._leaves = count()  # one key owns all purses, and no leaf signs twice

    def transfer(self, signer: int, to: int, nonce: int = 0, amount: int = 1000) -> Transaction:
        """Purse number `signer` pays purse number `to`."""
        return Transfer(self.purses[signer], nonce, next(self._leaves), self.purses[to], amount, _MAX_FEE)

    def withdraw(self, signer: int, nonce: int = 0) -> Transaction:
        """Purse number `signer` withdraws to a taproot output."""
        script, length = withdraw_script(_TAPROOT)
        return Withdraw(self.purses[signer], nonce, next(self._leaves), 10**6, _MAX_FEE, script, length)

    def calls(self, signer: int, nonce: int, *selectors: int) -> Transaction:
        """Purse number `signer` calls the measured program."""
        calls = tuple(Call(_PROGRAM, selector) for selector in selectors)
        return Calls(self.purses[signer], nonce, next(self._leaves), calls, 50_000, _MAX_FEE)

    def deploy(self, signer: int, nonce: int, length: int) -> Transaction:
        """Purse number `signer` deploys a program."""
        code = (Instruction(Opcode.JMP).encode(),) * length
        return Deploy(self.purses[signer], nonce, next(self._leaves), code, _MAX_FEE)

    def rotate(self, signer: int, nonce: int) -> Transaction:
        """Purse number `signer` goes to another key."""
        return Rotate(self.purses[signer], nonce, next(self._leaves), self.owner, _MAX_FEE)

    def forced_exit(self, purse: int) -> ForcedExit:
        """An exit of a purse that the inbox asks for."""
        script, length = withdraw_script(_TAPROOT)
        return ForcedExit(1, bytes(32), 0, self.purses[purse], 5000, self.owner, script, length)

    def deposit(self, purse: int | None) -> Deposit:
        """A deposit to a purse, or to a new one."""
        cell = NO_CELL if purse is None else self.purses[purse]
        return Deposit(1, bytes(32), 0, 5000, self.owner, cell)

    def run(self, transactions: Sequence[Transaction] = (), events: Sequence[InboxEvent] = ()) -> Witness:
        """Executes a batch; purse 0 is the producer's."""
        requests = [SignRequest(self.key, tx.leaf, tx.digest(CHAIN_ID)) for tx in transactions]
        signatures = xmss_batch.sign(requests) if requests else []
        signed = tuple(
            SignedTransaction(tx, self.key.public_key, signature)
            for tx, signature in zip(transactions, signatures, strict=True)
        )
        header = Header(1, self.purses[0], 1, 1, 0)
        return witness(
            execute_batch(self.ledger, Batch(CHAIN_ID, header, tuple(events), signed), strict=True).transition
        )


def operations() -> list[Operation]:
    """Every operation's cost; takes some seconds."""
    small, tall = _Bench(8), _Bench(9)
    empty = small.run()
    # Purses 0 to 2 are open in `base` and in the batches that are compared with it.
    opening = [small.transfer(0, 1), small.transfer(1, 2)]
    base = small.run(opening)
    fresh = small.transfer(3, 4)
    fresh_base = small.run([*opening, fresh])
    failing = small.transfer(0, 1, nonce=1, amount=2 * _BALANCE)
    return [
        _sample_average(),
        _difference(
            "transfer between purses already touched", small.run([*opening, small.transfer(0, 2, 1)]), base
        ),
        _difference("transfer to an untouched purse", small.run([*opening, small.transfer(0, 5, 1)]), base),
        _difference("transfer, both purses untouched", fresh_base, base),
        _difference("transfer that fails", small.run([*opening, failing]), base),
        _difference("withdrawal", small.run([*opening, small.withdraw(0, 1)]), base),
        _difference("deposit to an untouched purse", small.run(events=[small.deposit(6)]), empty),
        _difference("deposit, new purse", small.run(events=[small.deposit(None)]), empty),
        _difference("forced exit from an untouched purse", small.run(events=[small.forced_exit(6)]), empty),
        _difference("rotation of a key", small.run([*opening, small.rotate(0, 1)]), base),
        *_programs(small, opening, base),
        _signature(base),
        _level(tall.run([tall.transfer(0, 1)]), base),
        _priced("empty batch", {name: float(rows) for name, rows in empty.rows.items() if name not in FIXED}),
        _priced("fixed tables", {name: float(empty.rows[name]) for name in FIXED}),
    ]


def _programs(bench: _Bench, opening: Sequence[Transaction], base: Witness) -> list[Operation]:
    """Deployment and calls; the purses are touched, and of a call the program and its data cell."""
    deployed = bench.run([*opening, bench.deploy(0, 1, DEPLOYED)])
    longer = bench.run([*opening, bench.deploy(0, 1, DEPLOYED + 1)])
    opened = [*opening, bench.calls(0, 1, _LOAD)]
    called = bench.run(opened)

    def one_more(*selectors: int) -> Witness:
        return bench.run([*opened, bench.calls(0, 2, *selectors)])

    nothing = one_more(_NOTHING)
    return [
        _difference(f"deployment, {DEPLOYED} instructions", deployed, base),
        _difference("one more instruction of a deployment", longer, deployed),
        _difference("first call of a program in a batch, reads a data cell", called, base),
        _difference("call that only exits", nothing, called),
        _difference("one more call in a list", one_more(_NOTHING, _NOTHING), nothing),
        _difference("call that reads a data cell", one_more(_LOAD), called),
        _difference("call that writes a data cell", one_more(_STORE), called),
        _difference("call that creates a data cell", one_more(_CREATE_DATA), called),
        _difference("call that creates a purse", one_more(_CREATE_PURSE), called),
        _difference("call that fails after a write", one_more(_FAIL), called),
    ]


FIXED = ("rom", "range")
"""Tables whose rows do not depend on the batch."""


def _priced(name: str, rows: Mapping[str, float]) -> Operation:
    columns = table_columns()
    used = {table: round(needed, 2) for table, needed in rows.items() if needed}
    return Operation(name, round(sum(needed * columns[table] for table, needed in rows.items())), used)


def _difference(name: str, larger: Witness, smaller: Witness, times: int = 1) -> Operation:
    rows = {table: (larger.rows[table] - smaller.rows[table]) / times for table in larger.rows}
    return _priced(name, rows)


def _sample_average() -> Operation:
    """The mean transfer of a sample: signature, both purses and their share of the tree included."""
    genesis, batch = build_sample(SAMPLE_TRANSFERS, 0)
    ledger = Ledger.of_cells(genesis)
    transfers = tuple(s for s in batch.transactions if isinstance(s.transaction, Transfer))
    # Without the withdrawals some nonces are missing: transfers after such a gap are left out, not counted.
    whole = witness(execute_batch(ledger, replace(batch, transactions=transfers)).transition)
    none = witness(execute_batch(ledger, replace(batch, transactions=())).transition)
    included = len(whole.transition.receipts)
    return _difference("transfer", whole, none, included)


def _signature_rows(run: Witness) -> dict[str, float]:
    """Rows of the hash and chain tables that one of a batch's signatures takes."""
    signatures, none = run.signatures, np.zeros(0, dtype=np.uint32)
    rows = {
        "p16": p16.rows_needed(signatures, ()),
        "p24": p24.rows_needed(np.zeros((21, 0), np.uint32), p24.CellUpdates(none, none, none), signatures),
        "chain": chain.rows_needed(signatures),
    }
    return {table: needed / signatures.count for table, needed in rows.items()}


def _signature(run: Witness) -> Operation:
    """Encoding, chains, leaf, path of height 8, owner."""
    return _priced("signature alone, key of height 8", _signature_rows(run))


def _level(taller: Witness, run: Witness) -> Operation:
    """What a key with one level more adds to a signature."""
    more, fewer = _signature_rows(taller), _signature_rows(run)
    return _priced("one more level of key height", {table: more[table] - fewer[table] for table in more})
