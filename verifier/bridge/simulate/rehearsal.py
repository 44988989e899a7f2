"""A bridge in directories: everybody's state on one machine, on an embedded regtest node whose keys are public."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.store import Store
from verifier.bridge.game.vault import Deposit
from verifier.bridge.setup.files import PUBLICATION, PURSE, SECRET, SEED, open_slot, open_store, publication
from verifier.bridge.setup.key_book import KeyBook
from verifier.bridge.setup.slot_setup import SCRIPTS, Progress
from verifier.bridge.setup.tree_name import TreeName
from verifier.bridge.simulate.setup import (
    NETWORK,
    SLOT,
    SetUp,
    all_signatures,
    fund_node,
    make_setup,
    secret_of,
)
from verifier.chain.chain import Chain
from verifier.chain.node import EmbeddedNode

ROLES: Final = {"operator": "operator", "watcher": "purse", "user": None}
"""Role and directory -> whose key it holds."""
_DEPOSIT: Final = "deposit transaction"
_LOCK: Final = "lock"
_DONE: Final = "set-up done"
_WAIT_SECONDS: Final = 5.0
"""For the workers of a process that was killed to notice it."""


def rehearse(
    directory: Path,
    tree: TreeName,
    progress: Progress = lambda step, share: None,
    processes: int = 1,
    allow_oversized: bool = False,
) -> SetUp:
    """Makes the node, the committee, an operator and a watcher, with every signature of one slot.

    Whoever was stopped, killed or not, goes on where it was.

    Args:
        directory: empty, or begun with the same tree.
        tree: of the slot.
        progress: called with a step and the share of everything that is done.
        processes: that share the work.
        allow_oversized: also where some node's Reveal is above the standard weight.

    Raises:
        BridgeError: STATE where there is something else, a set-up that is done, or another process at work.
    """
    begun = (directory / _LOCK).exists()
    if directory.exists() and any(directory.iterdir()) and not begun:
        raise BridgeError(BridgeReason.STATE, f"{directory} is not empty")
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory / _LOCK):
        operator = Store(directory / "operator", "operator", NETWORK)
        if operator.meta(_DONE) is not None:
            raise BridgeError(BridgeReason.STATE, f"{directory} is set up already")
        setup = make_setup(
            directory, tree.make(), progress, processes=processes, allow_oversized=allow_oversized
        )
        if not (directory / "node").exists():
            _make_node(directory, setup)
        hand_out(directory, setup, tree)
        operator.put_meta(_DONE, b"")
    return setup


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One set-up at a time; the lock is gone with its process and the last of its workers."""
    with lock.open("w") as file:
        end = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    raise BridgeError(BridgeReason.STATE, f"another set-up works in {lock.parent}") from error
                time.sleep(0.05)
        yield


def _make_node(directory: Path, setup: SetUp) -> None:
    """A funded node, there as a whole or not at all."""
    unfinished = directory / "node unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    with EmbeddedNode(unfinished) as node:
        fund_node(node, setup)
    unfinished.rename(directory / "node")


def hand_out(directory: Path, setup: SetUp, tree: TreeName) -> None:
    """Every role's store gets what the role needs; the same again changes nothing."""
    moves = setup.moves
    keys = moves.graph.keys
    digest = keys.digest() if isinstance(keys, KeyBook) else b""
    published = publication(moves.graph, setup.deposits, tree, digest)
    made = Store(directory / "operator", "operator", NETWORK).metas(SCRIPTS)
    for role, owner in ROLES.items():
        store = Store(directory / role, role, NETWORK)
        store.put_metas({**made, PUBLICATION: published})
        if owner is not None:
            store.put_meta(SECRET, secret_of(owner))
        store.save_signatures(SLOT, all_signatures(setup))
    own = {SEED: setup.seed, PURSE: secret_of("purse")}
    Store(directory / "operator", "operator", NETWORK).put_metas(own)
    user = Store(directory / "user", "user", NETWORK)
    for number, tx in enumerate(setup.deposit_txs):
        user.put_meta(f"{_DEPOSIT} {number}", tx.serialize())


def deposit(directory: Path, number: int, chain: Chain) -> str:
    """The user's deposit if it is not there yet, else the peg-in into its vault; what was sent.

    Raises:
        BridgeError: UNKNOWN where there is no such deposit.
    """
    store = open_store(directory, "user", NETWORK)
    raw = store.meta(f"{_DEPOSIT} {number}")
    if raw is None:
        raise BridgeError(BridgeReason.UNKNOWN, f"deposit {number}")
    tx = Transaction.parse(raw)
    seen = chain.transaction(tx.txid)
    if seen is None or seen.height is None:
        chain.submit(tx)
        return "deposit"
    moves, deposits = open_slot(store)
    template = deposits[number].pegin()
    witness = (moves.committee_witness(template, 0),)
    chain.submit(Spending(template.signed([witness]), template.spending.spent).tx)
    return "pegin"


def due_deposits(deposits: Sequence[Deposit], chain: Chain) -> list[str]:
    """What `deposit` would send now: of each deposit itself or its peg-in, until the vault is mined or waits."""
    due = []
    for number, each in enumerate(deposits):
        confirmed = chain.confirmations(each.outpoint.txid)
        if not confirmed:
            due += [] if confirmed == 0 else [f"deposit {number}"]
        elif chain.transaction(each.pegin().tx.txid) is None:
            due.append(f"pegin {number}")
    return due


def reopen(directory: Path) -> SetUp:
    """A set-up that is done, as the user's directory and the node have it: what scenarios may be played over.

    Raises:
        BridgeError: STATE where it is not done, or something is missing.
    """
    user = open_store(directory / "user", "user", NETWORK)
    moves, deposits = open_slot(user)
    raw = [user.meta(f"{_DEPOSIT} {number}") for number in range(len(deposits))]
    with EmbeddedNode(directory / "node") as node:
        bank = node.transaction(moves.graph.terms.funding.txid)
    if bank is None or None in raw:
        raise BridgeError(BridgeReason.STATE, f"{directory} is not set up to the end")
    txs = tuple(Transaction.parse(each) for each in raw if each is not None)
    return SetUp(moves.graph.tree, moves, tuple(deposits), txs, bank.tx)
