"""A slot as it is published, and roles opened from their directories."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from verifier.bitcoin.encoding import DecodeError, Reader
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.graph import SlotGraph, Terms
from verifier.bridge.moves import Moves
from verifier.bridge.params import Amounts, Windows
from verifier.bridge.roles import Operator, Watcher
from verifier.bridge.store import Store
from verifier.bridge.toy import ToyAccuser, ToyTree
from verifier.bridge.vault import Deposit
from verifier.chain.chain import Chain
from verifier.chain.wallet import Wallet, key_script
from verifier.script.winternitz import WinternitzKey

PUBLICATION: Final = "publication"
SECRET: Final = "secret"
SEED: Final = "one-time seed"
_TOY: Final = "toy"


def publication(graph: SlotGraph, deposits: Sequence[Deposit], queries: int) -> bytes:
    """What every role stores of a slot: terms, one-time public keys, deposits; the graph follows from it."""
    terms = graph.terms
    data = {
        "tree": {"kind": _TOY, "queries": queries},
        "slot": terms.slot,
        "committee": terms.committee.hex(),
        "operator": terms.operator.hex(),
        "funding": _point(terms.funding),
        "pot": terms.pot.hex(),
        "windows": asdict(terms.windows),
        "amounts": asdict(terms.amounts),
        "keys": {
            name: {"digits": key.digits, "links": [link.hex() for link in key.links]}
            for name, key in graph.keys.items()
        },
        "deposits": [
            {
                "name": deposit.name,
                "user": deposit.user.hex(),
                "outpoint": _point(deposit.outpoint),
                "refund": deposit.refund_script.hex(),
            }
            for deposit in deposits
        ],
    }
    return json.dumps(data).encode()


def _point(point: OutPoint) -> list[Any]:
    return [point.txid.hex(), point.index]


def read_publication(data: bytes) -> tuple[SlotGraph, list[Deposit]]:
    """The graph, built again, and the deposits.

    Raises:
        BridgeError: STATE where it cannot be read; and what `SlotGraph` refuses.
    """
    try:
        read = json.loads(data)
        windows, amounts = Windows(**read["windows"]), Amounts(**read["amounts"])
        committee = bytes.fromhex(read["committee"])
        funding = OutPoint(bytes.fromhex(read["funding"][0]), read["funding"][1])
        if read["tree"]["kind"] != _TOY:
            raise BridgeError(BridgeReason.STATE, f"a tree of kind {read['tree']['kind']!r}")
        tree = ToyTree(read["tree"]["queries"])
        keys = {
            name: WinternitzKey(tuple(map(bytes.fromhex, key["links"])), key["digits"])
            for name, key in read["keys"].items()
        }
        operator, pot = bytes.fromhex(read["operator"]), bytes.fromhex(read["pot"])
        terms = Terms(read["slot"], committee, operator, funding, pot, windows, amounts)
        deposits = [
            Deposit(
                each["name"],
                committee,
                bytes.fromhex(each["user"]),
                OutPoint(bytes.fromhex(each["outpoint"][0]), each["outpoint"][1]),
                bytes.fromhex(each["refund"]),
                windows,
                amounts,
            )
            for each in read["deposits"]
        ]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BridgeError(BridgeReason.STATE, f"the publication cannot be read: {error!r}") from error
    return SlotGraph(terms, tree, keys), deposits


def read_announcement(data: bytes) -> tuple[bytes, ...]:
    """The items of an announcement as it is published: a witness stack.

    Raises:
        BridgeError: SIGNATURE where it cannot be read.
    """
    reader = Reader(data)
    try:
        items = tuple(reader.var_bytes() for _ in range(reader.size()))
        reader.finish()
    except DecodeError as error:
        raise BridgeError(BridgeReason.SIGNATURE, f"the announcement cannot be read: {error}") from error
    return items


def open_store(directory: Path, role: str, network: str) -> Store:
    """The store of a role that was set up.

    Raises:
        BridgeError: STATE where there is none, or it is another's.
    """
    if not (directory / "role.db").exists():
        raise BridgeError(BridgeReason.STATE, f"{directory} has no state; `bridge setup` makes it")
    return Store(directory, role, network)


def _read(store: Store, key: str) -> bytes:
    value = store.meta(key)
    if value is None:
        raise BridgeError(BridgeReason.STATE, f"{key} is missing")
    return value


def open_slot(store: Store) -> tuple[Moves, list[Deposit]]:
    """Graph, signatures and deposits of a role's slot."""
    graph, deposits = read_publication(_read(store, PUBLICATION))
    return Moves(graph, store.signatures(graph.terms.slot)), deposits


def open_operator(directory: Path, network: str, chain: Chain, vault: int = 0) -> Operator:
    """The operator as its directory has it."""
    store = open_store(directory, "operator", network)
    moves, deposits = open_slot(store)
    secret = _read(store, SECRET)
    if not 0 <= vault < len(deposits):
        raise BridgeError(BridgeReason.UNKNOWN, f"vault {vault} of {len(deposits)}")
    wallet = Wallet(secret, chain)
    return Operator(store, moves, secret, _read(store, SEED), deposits[vault].vault, wallet=wallet)


def open_watcher(directory: Path, network: str, chain: Chain) -> Watcher:
    """A watcher as its directory has it; it challenges when told to."""
    store = open_store(directory, "watcher", network)
    moves, _ = open_slot(store)
    secret = _read(store, SECRET)
    accuser = ToyAccuser(ToyTree(_queries(moves)), moves.graph.keys)
    return Watcher(store, moves, accuser, Wallet(secret, chain), key_script(secret))


def _queries(moves: Moves) -> int:
    tree = moves.graph.tree
    if not isinstance(tree, ToyTree):
        raise BridgeError(BridgeReason.STATE, "no accuser for this tree")
    return tree.queries
