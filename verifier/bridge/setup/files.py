"""A slot as it is published, and roles opened from their directories."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from verifier.bitcoin.encoding import DecodeError, tagged_hash
from verifier.bitcoin.keys import xonly_key
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.chunks.accuse import ChunkAccuser
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.claims import Claims
from verifier.bridge.game.graph import SlotGraph, Terms
from verifier.bridge.game.moves import Moves, wire_label
from verifier.bridge.game.params import Amounts, Windows
from verifier.bridge.game.peg_out import inform
from verifier.bridge.game.roles import OPERATOR_FEE_RATE, WATCHER_FEE_RATE, Operator, Watcher
from verifier.bridge.game.store import Store
from verifier.bridge.game.vault import Deposit
from verifier.bridge.setup.key_book import KeyBook
from verifier.bridge.setup.slot_setup import read_scripts
from verifier.bridge.setup.tree_name import TreeName
from verifier.bridge.toy import ToyAccuser, ToyTree
from verifier.bridge.tree import Accuser
from verifier.chain.chain import Chain
from verifier.chain.wallet import Wallet, key_script
from verifier.script.winternitz import public_keys

PUBLISHED: Final = "published"
"""Directory beside the roles' with what every member serves."""
KEYS: Final = "keys.db"
PUBLICATION: Final = "publication"
SECRET: Final = "secret"
SEED: Final = "one-time seed"
PURSE: Final = "purse"
"""Secret of the operator's fee money, which is not O: O's coin is the slot's fixed outpoint."""


def publication(graph: SlotGraph, deposits: Sequence[Deposit], tree: TreeName, keys_digest: bytes) -> bytes:
    """What every role stores of a slot besides one-time keys and scripts' hashes; the graph follows from them."""
    terms = graph.terms
    data = {
        "tree": asdict(tree),
        "slot": terms.slot,
        "committee": terms.committee.hex(),
        "operator": terms.operator.hex(),
        "funding": _point(terms.funding),
        "pot": terms.pot.hex(),
        "windows": asdict(terms.windows),
        "amounts": asdict(terms.amounts),
        "keys": keys_digest.hex(),
        "digest": graph.digest.hex(),
        "oversized": graph.oversized,
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


def open_slot(store: Store) -> tuple[Moves, list[Deposit]]:
    """Graph, signatures and deposits of a role's slot.

    Raises:
        BridgeError: STATE where something is missing, cannot be read, or makes another graph.
    """
    try:
        read = json.loads(_read(store, PUBLICATION))
        windows, amounts = Windows(**read["windows"]), Amounts(**read["amounts"])
        committee = bytes.fromhex(read["committee"])
        funding = _read_point(read["funding"])
        name = _tree_name(read)
        operator, pot = bytes.fromhex(read["operator"]), bytes.fromhex(read["pot"])
        terms = Terms(read["slot"], committee, operator, funding, pot, windows, amounts)
        deposits = [
            Deposit(
                *(each["name"], committee, bytes.fromhex(each["user"]), _read_point(each["outpoint"])),
                *(bytes.fromhex(each["refund"]), windows, amounts),
            )
            for each in read["deposits"]
        ]
        digest, rehearsal = bytes.fromhex(read["digest"]), bool(read["oversized"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise BridgeError(BridgeReason.STATE, f"the publication cannot be read: {error!r}") from error
    tree, path = name.make(), store.directory.resolve().parent / PUBLISHED / KEYS
    if not path.exists():
        raise BridgeError(BridgeReason.STATE, f"{path} is missing; every member serves it")
    book = KeyBook(path, tree.nodes, create=False)
    try:
        scripts = read_scripts(store, terms.slot, len(tree.nodes))
    except (ValueError, DecodeError) as error:
        raise BridgeError(BridgeReason.STATE, f"the scripts' hashes cannot be read: {error}") from error
    graph = SlotGraph(terms, tree, book, scripts=scripts, allow_oversized=rehearsal)
    if graph.digest != digest:
        raise BridgeError(BridgeReason.STATE, "keys, scripts and terms do not make the published graph")
    return Moves(graph, store.signatures(terms.slot)), deposits


def _read_point(value: Any) -> OutPoint:
    return OutPoint(bytes.fromhex(value[0]), int(value[1]))


def _tree_name(read: Any) -> TreeName:
    fields = dict(read["tree"])
    return TreeName(**{**fields, "ledger": tuple(fields["ledger"])})


def open_claims(store: Store, moves: Moves) -> Claims:
    """What can be claimed over a role's slot, once it is open."""
    return _tree_name(json.loads(_read(store, PUBLICATION))).claims(moves.graph.tree)


def open_store(directory: Path, role: str | None, network: str) -> Store:
    """The store of a role that was set up; None for whoever's it is.

    Raises:
        BridgeError: STATE where there is none, or it is another's.
    """
    return Store(directory, role, network, create=False)


def _read(store: Store, key: str) -> bytes:
    value = store.meta(key)
    if value is None:
        raise BridgeError(BridgeReason.STATE, f"{key} is missing")
    return value


def open_operator(
    directory: Path, network: str, chain: Chain, vault: int = 0, fee_rate: int = OPERATOR_FEE_RATE
) -> Operator:
    """The operator as its directory has it; which vault it takes and what it pays is said each time.

    Raises:
        BridgeError: STATE where secret or seed are not those of the slot: nothing that they sign would hold.
    """
    store = open_store(directory, "operator", network)
    moves, deposits = open_slot(store)
    secret, seed = _read(store, SECRET), _read(store, SEED)
    graph = moves.graph
    claim = graph.tree.claim
    try:
        signs = xonly_key(secret) == graph.terms.operator
        (made,) = public_keys(seed, [(wire_label(graph.terms.slot, claim.name), claim.digits)])
    except ValueError as error:
        raise BridgeError(BridgeReason.STATE, f"secret or seed: {error}") from error
    if not signs or made != graph.keys[claim.name]:
        what = "seed of one-time keys" if signs else "secret"
        raise BridgeError(BridgeReason.STATE, f"the {what} is not that of the published slot")
    if not 0 <= vault < len(deposits):
        raise BridgeError(BridgeReason.UNKNOWN, f"vault {vault} of {len(deposits)}")
    wallet = Wallet(_read(store, PURSE), chain, [secret])
    return Operator(store, moves, secret, seed, deposits[vault].vault, wallet=wallet, fee_rate=fee_rate)


def open_watcher(directory: Path, network: str, chain: Chain, fee_rate: int = WATCHER_FEE_RATE) -> Watcher:
    """A watcher as its directory has it: it challenges and opens by what it has heard and expects."""
    store = open_store(directory, "watcher", network)
    moves, _ = open_slot(store)
    secret = _read(store, SECRET)
    watcher = Watcher(
        *(store, moves, accuser_of(moves.graph), Wallet(secret, chain), key_script(secret)), fee_rate=fee_rate
    )
    lot = tagged_hash("pegproof/lot", secret + moves.graph.terms.slot.encode())
    inform(watcher, open_claims(store, moves), lot)
    return watcher


def accuser_of(graph: SlotGraph) -> Accuser:
    """Who finds the leaf that convicts, over the graph's tree.

    Raises:
        BridgeError: STATE where nobody knows the tree.
    """
    if isinstance(graph.tree, ToyTree):
        return ToyAccuser(graph.tree, graph.keys)
    if isinstance(graph.tree, ChunkTree):
        return ChunkAccuser(graph.tree, graph.keys)
    raise BridgeError(BridgeReason.STATE, "no accuser for this tree")
