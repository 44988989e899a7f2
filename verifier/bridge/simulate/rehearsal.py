"""A bridge in directories: everybody's state on one machine, on an embedded regtest node whose keys are public."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.files import PUBLICATION, SECRET, SEED, open_slot, open_store, publication
from verifier.bridge.simulate.setup import NETWORK, all_signatures, fund_node, make_setup, secret_of
from verifier.bridge.store import Store
from verifier.bridge.toy import ToyTree
from verifier.chain.chain import Chain
from verifier.chain.node import EmbeddedNode

ROLES: Final = {"operator": "operator", "watcher": "purse"}
"""Role and directory -> whose key it holds."""
_DEPOSIT: Final = "deposit transaction"


def rehearse(
    directory: Path, queries: int, progress: Callable[[str, float], None] = lambda step, share: None
) -> None:
    """Makes the node, the committee, an operator and a watcher, with every signature of one slot.

    Raises:
        BridgeError: STATE where there is something already.
    """
    if directory.exists() and any(directory.iterdir()):
        raise BridgeError(BridgeReason.STATE, f"{directory} is not empty")
    setup = make_setup(directory / "committee", ToyTree(queries), progress)
    with EmbeddedNode(directory / "node") as node:
        fund_node(node, setup)
    moves = setup.moves
    for role, owner in ROLES.items():
        store = Store(directory / role, role, NETWORK)
        store.put_meta(PUBLICATION, publication(moves.graph, setup.deposits, queries))
        store.put_meta(SECRET, secret_of(owner))
        store.save_signatures(moves.graph.terms.slot, all_signatures(setup))
    Store(directory / "operator", "operator", NETWORK).put_meta(SEED, setup.seed)
    user = Store(directory / "user", "user", NETWORK)
    user.put_meta(PUBLICATION, publication(moves.graph, setup.deposits, queries))
    user.save_signatures(moves.graph.terms.slot, all_signatures(setup))
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
