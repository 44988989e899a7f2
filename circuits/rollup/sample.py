"""A self-contained signed batch over a fresh ledger, the same for the same seed.

A sample directory holds the state store at genesis, the batch file and a summary; the summary is written
last and marks the directory as complete. Sample keys come from the seed: they protect nothing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from blake3 import blake3

from circuits.rollup.batch import Batch, Header
from circuits.rollup.books import fees_of
from circuits.rollup.cells import Cell, Purse
from circuits.rollup.codec import elements_bytes
from circuits.rollup.compose import to_json
from circuits.rollup.errors import CodecError, CodecReason, StoreError, StoreReason
from circuits.rollup.files import os_reason, write_atomic
from circuits.rollup.hashing import chain_digests
from circuits.rollup.ledger import genesis_cells
from circuits.rollup.params import FIRST_FREE_CELL, MSAT_PER_SAT, NO_CELL
from circuits.rollup.store import Store
from circuits.rollup.types import Deposit, SignedTransaction, Transaction, Transfer, Withdraw, withdraw_script
from circuits.tags import TAG_TX
from circuits.xmss import batch as xmss_batch
from circuits.xmss.batch import SignRequest
from circuits.xmss.scheme import SecretKey

STATE_FILE: Final = "state.db"
BATCH_FILE: Final = "batch.bin"
SUMMARY_FILE: Final = "summary.json"

KEY_HEIGHT: Final = 8
LEDGER_CELLS: Final = 1 << 20
CHAIN_ID: Final = 1
BASE_FEE: Final = 100
"""Msat per gas: 60 sats a transfer."""
L1_RATE: Final = 2000
"""Msat per byte: 80 sats a transfer."""
BITCOIN_HEIGHT: Final = 900_000
KEYS_AT_ONCE: Final = 32
SIGNATURES_AT_ONCE: Final = 64
_KEY_CONTEXT: Final = "pegproof 2026 sample key"
_SCRIPTS: Final = ((b"\x00\x14", 20), (b"\x00\x20", 32), (b"\x51\x20", 32))
"""P2WPKH, P2WSH, P2TR: prefix and length of the hash or key."""

Progress = Callable[[str, int, int], None]
"""Called with step name, done, total."""


@dataclass(slots=True)
class _Account:
    cell: int
    key: SecretKey
    genesis: Purse
    nonce: int
    next_leaf: int


def sample(
    transfers: int,
    seed: int,
    out_dir: Path,
    *,
    purses: Sequence[Purse] = (),
    progress: Progress | None = None,
) -> dict[str, object]:
    """Write a sample directory; returns the summary.

    Args:
        transfers: Number of transfers, at least 1; deposits and withdrawals, a fiftieth each and at least
            one, come on top.
        seed: Any integer.
        out_dir: Made if missing; must not hold a complete sample.
        purses: Further purses of the genesis ledger, at the lowest free cells.
        progress: Told of the long steps.

    Raises:
        CodecError: RANGE: fewer than one transfer.
        StoreError: EXISTS, DISK_FULL or IO.
    """
    _prepare(out_dir)
    genesis, batch = build_sample(transfers, seed, purses=purses, progress=progress)
    own_cells = [index for index, cell in genesis.items() if any(cell is purse for purse in purses)]
    with Store.create(out_dir / STATE_FILE, genesis) as store:
        ledger = store.ledger()
    data = batch.encode()
    write_atomic(out_dir / BATCH_FILE, data)
    withdrawals = sum(isinstance(s.transaction, Withdraw) for s in batch.transactions)
    summary: dict[str, object] = {
        "transfers": transfers,
        "deposits": len(batch.events),
        "withdrawals": withdrawals,
        "accounts": len(genesis) - len(genesis_cells(CHAIN_ID, BASE_FEE)) - len(purses),
        "own_cells": own_cells,
        "seed": seed,
        "chain_id": batch.chain_id,
        "key_height": KEY_HEIGHT,
        "state_root": elements_bytes(ledger.root).hex(),
        "supply_msat": ledger.system.supply,
        "base_fee_msat_per_gas": BASE_FEE,
        "l1_rate_msat_per_byte": L1_RATE,
        "batch_bytes": len(data),
        "published_bytes": sum(len(s.transaction.encode()) for s in batch.transactions),
        "files": {"state": STATE_FILE, "batch": BATCH_FILE},
        "first_transactions": [to_json(s.transaction) for s in batch.transactions[:5]],
    }
    write_atomic(out_dir / SUMMARY_FILE, (json.dumps(summary, indent=2) + "\n").encode())
    return summary


def build_sample(
    transfers: int, seed: int, *, purses: Sequence[Purse] = (), progress: Progress | None = None
) -> tuple[dict[int, Cell], Batch]:
    """Genesis cells and the signed batch of a sample.

    Raises:
        CodecError: RANGE: the number of transfers.
    """
    num_accounts = max(4, -(-transfers // 2))
    if transfers < 1 or num_accounts > LEDGER_CELLS // 4:
        raise CodecError(CodecReason.RANGE, "transfers", f"1..{LEDGER_CELLS // 2}", transfers)
    report = progress or _silent
    rng = random.Random(f"pegproof sample {transfers} {seed}")
    keys = _keys(num_accounts, transfers, seed, report)
    accounts = _accounts(rng, keys)
    num_others = max(1, transfers // 50)
    events = tuple(_deposit(rng, accounts, number) for number in range(num_others))
    kinds = [False] * transfers + [True] * num_others
    rng.shuffle(kinds)
    order = _signers(rng, accounts, len(kinds))
    unsigned = [
        (_withdraw if is_withdrawal else _transfer)(rng, account, accounts)
        for is_withdrawal, account in zip(kinds, order, strict=True)
    ]
    transactions = _sign(unsigned, order, report)
    supply = sum(account.genesis.balance for account in accounts) + sum(purse.balance for purse in purses)
    cells = genesis_cells(CHAIN_ID, BASE_FEE, next_free=LEDGER_CELLS, supply=supply)
    cells.update((account.cell, account.genesis) for account in accounts)
    free = (index for index in range(FIRST_FREE_CELL, LEDGER_CELLS) if index not in cells)
    cells.update(zip(islice(free, len(purses)), purses, strict=True))
    header = Header(1, accounts[0].cell, L1_RATE, BITCOIN_HEIGHT, len(events))
    return cells, Batch(CHAIN_ID, header, events, transactions)


def _silent(step: str, done: int, total: int) -> None:
    """Report nothing."""


def _prepare(out_dir: Path) -> None:
    """Make the directory; clear what an interrupted run left."""
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        if (out_dir / SUMMARY_FILE).exists():
            raise StoreError(StoreReason.EXISTS, str(out_dir / SUMMARY_FILE))
        for name in (STATE_FILE, f"{STATE_FILE}-wal", f"{STATE_FILE}-shm", BATCH_FILE):
            (out_dir / name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(os_reason(error), str(out_dir), got=error) from error


def _keys(count: int, transfers: int, seed: int, report: Progress) -> list[SecretKey]:
    seeds = [
        blake3(f"{transfers} {seed} {i}".encode(), derive_key_context=_KEY_CONTEXT).digest()
        for i in range(count)
    ]
    keys: list[SecretKey] = []
    for first in range(0, count, KEYS_AT_ONCE):
        report("keys", first, count)
        keys += xmss_batch.keygen(seeds[first : first + KEYS_AT_ONCE], KEY_HEIGHT)
    report("keys", count, count)
    return keys


def _accounts(rng: random.Random, keys: list[SecretKey]) -> list[_Account]:
    accounts = []
    for cell, key in zip(rng.sample(range(FIRST_FREE_CELL, LEDGER_CELLS), len(keys)), keys, strict=True):
        balance = rng.randrange(1_000_000, 100_000_000) * MSAT_PER_SAT + rng.randrange(MSAT_PER_SAT)
        next_leaf = rng.randrange(100)
        nonce = rng.randrange(next_leaf + 1)  # every nonce passed a leaf
        purse = Purse(key.public_key.owner(), balance, nonce, next_leaf)
        accounts.append(_Account(cell, key, purse, purse.nonce, purse.next_leaf))
    return accounts


def _signers(rng: random.Random, accounts: list[_Account], count: int) -> list[_Account]:
    """Every account signs about as often, in shuffled rounds."""

    def rounds() -> list[_Account]:
        return rng.sample(accounts, len(accounts))

    signers: list[_Account] = []
    while len(signers) < count:
        signers += islice(rounds(), count - len(signers))
    return signers


def _deposit(rng: random.Random, accounts: list[_Account], number: int) -> Deposit:
    """Deposits go to a new and to an existing purse by turns."""
    account = rng.choice(accounts)
    height = BITCOIN_HEIGHT - 100 + number * 100 // max(1, len(accounts))
    sats = rng.randrange(10_000, 10_000_000)
    cell = NO_CELL if number % 2 == 0 else account.cell
    txid, vout = rng.randbytes(32), rng.randrange(4)
    return Deposit(height, txid, vout, sats, account.genesis.owner, cell)


def _next_use(rng: random.Random, account: _Account) -> tuple[int, int]:
    """Nonce and leaf of the account's next transaction; now and then a leaf is skipped."""
    nonce, leaf = account.nonce, account.next_leaf + (rng.randrange(8) == 0)
    account.nonce, account.next_leaf = nonce + 1, leaf + 1
    return nonce, leaf


def _with_max_fee(tx: Transaction) -> Transaction:
    return replace(tx, max_fee=2 * sum(fees_of(tx, BASE_FEE, L1_RATE)))


def _transfer(rng: random.Random, account: _Account, accounts: list[_Account]) -> Transaction:
    to = rng.choice(accounts)
    while to is account:
        to = rng.choice(accounts)
    nonce, leaf = _next_use(rng, account)
    amount, tip = rng.randrange(1, 10_000 * MSAT_PER_SAT), rng.randrange(20)
    return _with_max_fee(Transfer(account.cell, nonce, leaf, to.cell, amount, 0, tip))


def _withdraw(rng: random.Random, account: _Account, accounts: list[_Account]) -> Transaction:
    prefix, length = rng.choice(_SCRIPTS)
    script, script_length = withdraw_script(prefix + rng.randbytes(length))
    nonce, leaf = _next_use(rng, account)
    amount, tip = rng.randrange(1, 100_000) * MSAT_PER_SAT, rng.randrange(20)
    return _with_max_fee(Withdraw(account.cell, nonce, leaf, amount, 0, script, script_length, tip))


def _sign(
    transactions: list[Transaction], signers: list[_Account], report: Progress
) -> tuple[SignedTransaction, ...]:
    messages = chain_digests(TAG_TX, [tx.triples(CHAIN_ID) for tx in transactions])
    requests = [
        SignRequest(account.key, tx.leaf, message)
        for account, tx, message in zip(signers, transactions, messages, strict=True)
    ]
    signed: list[SignedTransaction] = []
    for first in range(0, len(requests), SIGNATURES_AT_ONCE):
        report("signatures", first, len(requests))
        part = requests[first : first + SIGNATURES_AT_ONCE]
        signatures = xmss_batch.sign(part)
        for offset, (request, signature) in enumerate(zip(part, signatures, strict=True)):
            signed.append(SignedTransaction(transactions[first + offset], request.key.public_key, signature))
    report("signatures", len(requests), len(requests))
    return tuple(signed)
