"""A small chain for attacks: Alice, Bob and a producer; what the honest batch would be; how to sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import Cell, Purse, words_of
from circuits.rollup.ledger import Ledger, genesis_cells, leaves_of
from circuits.rollup.signatures import claims
from circuits.rollup.transition import build_tape
from circuits.rollup.tree import state_tree
from circuits.rollup.types import (
    Deposit,
    ForcedExit,
    SignedTransaction,
    Transaction,
    Transfer,
    Withdraw,
    withdraw_script,
)
from circuits.xmss import batch as xmss_batch
from circuits.xmss.batch import Claim, SignRequest
from circuits.xmss.scheme import SecretKey
from tests.soundness.forger import Forgery, Word, forge

CHAIN_ID, BASE_FEE, L1_RATE = 7, 100, 2000
ALICE, BOB, PRODUCER, NEXT_FREE = 100, 200, 300, 400
ALICE_HAS, BOB_HAS = 500_000_000, 80_000_000
LEAF, NONCE = 5, 3
TRANSFER_FEE = 600 * BASE_FEE + 40 * L1_RATE
SCRIPT = withdraw_script(b"\x00\x14" + bytes(range(20)))


@cache
def keys() -> tuple[SecretKey, SecretKey]:
    """Alice's and Bob's."""
    alice, bob = xmss_batch.keygen([b"A" * 32, b"B" * 32], 8)
    return alice, bob


def unchecked(cells: Mapping[int, Cell]) -> Ledger:
    """A ledger that need not add up."""
    return Ledger(MappingProxyType(dict(cells)), state_tree(leaves_of(cells)))


@cache
def ledger(**system: int) -> Ledger:
    """Alice has used leaves below 5. `system`: fields of cell 0 that differ."""
    alice, bob = (key.public_key.owner() for key in keys())
    cells = genesis_cells(CHAIN_ID, BASE_FEE, next_free=NEXT_FREE, supply=ALICE_HAS + BOB_HAS)
    cells[ALICE] = Purse(alice, ALICE_HAS, NONCE, LEAF)
    cells[BOB] = Purse(bob, BOB_HAS, 0, 0)
    cells[PRODUCER] = Purse(bob, 0, 0, 0)
    cells[0] = replace(cells[0], **system)
    return unchecked(cells) if system else Ledger.of_cells(cells)


def with_purse(index: int, **fields: int) -> Ledger:
    """A purse's fields are others; the supply does not add up."""
    cells = ledger().cells
    return unchecked({**cells, index: replace(cells[index], **fields)})


def transfer(amount: int = 1_000_000, **fields: int) -> Transfer:
    """Alice to Bob."""
    base = Transfer(ALICE, NONCE, LEAF, BOB, amount, 10 * TRANSFER_FEE)
    return replace(base, **fields)


def withdraw(amount: int = 7_000_000, **fields: int) -> Withdraw:
    """Alice to a Bitcoin script."""
    return replace(Withdraw(ALICE, NONCE, LEAF, amount, 10 * TRANSFER_FEE, *SCRIPT), **fields)


def forced_exit(sats: int = 77) -> ForcedExit:
    """Of Alice's purse, by her."""
    return ForcedExit(800_000, bytes(range(32)), 1, ALICE, sats, keys()[0].public_key.owner(), *SCRIPT)


def deposit(sats: int = 50_000, vout: int = 0) -> Deposit:
    """Into a new purse of Bob's."""
    return Deposit(800_000, bytes(range(32)), vout, sats, keys()[1].public_key.owner())


@cache
def sign(tx: Transaction, chain_id: int = CHAIN_ID, key: int = 0) -> SignedTransaction:
    """A transaction with a good signature for a chain, by a key."""
    secret = keys()[key]
    (signature,) = xmss_batch.sign([SignRequest(secret, tx.leaf, tx.digest(chain_id))])
    return SignedTransaction(tx, secret.public_key, signature)


def batch(
    transactions: Sequence[SignedTransaction] = (),
    events: Sequence[Deposit] = (),
    *,
    producer: int = PRODUCER,
    due: int = 0,
) -> Batch:
    """A batch of slot 1."""
    header = Header(1, producer, L1_RATE, 800_001, due)
    return Batch(CHAIN_ID, header, tuple(events), tuple(transactions))


def cells_of(of: Ledger) -> dict[int, tuple[tuple[int, ...], ...]]:
    """The ledger's cells as words."""
    return {index: words_of(cell) for index, cell in of.cells.items()}


def attack(
    transactions: Sequence[SignedTransaction] = (),
    events: Sequence[Deposit] = (),
    *,
    shown: Sequence[Claim] | None = None,
    of: Ledger | None = None,
    cells: Mapping[int, tuple[Word, ...]] | None = None,
    producer: int = PRODUCER,
    due: int = 0,
    failing: Sequence[bool] = (),
    **more: Any,
) -> Forgery:
    """A dishonest run of a batch.

    Args:
        transactions, events, producer, due: the batch.
        failing: the hint of each transaction that is a list of calls.
        shown: the signatures that are shown; by default all of the batch's.
        of: the true ledger.
        cells: the cells that the run starts from; by default the ledger's.
        more: lies and the like, for `forge`.
    """
    of = of or ledger()
    submitted = batch(transactions, events, producer=producer, due=due)
    wanted = claims(CHAIN_ID, transactions) if shown is None else shown
    return forge(of, cells or cells_of(of), build_tape(submitted, failing), wanted, **more)


def bitcoin_says(made: Forgery, truth: Forgery) -> Forgery:
    """The verifier has the accumulator and count that Bitcoin gives for other events."""
    for k in (6, 7, 8):
        start = 24 + 4 * k
        made.public_values[start : start + 4] = truth.public_values[start : start + 4]
    return made
