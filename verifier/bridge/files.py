"""A slot as it is published, and roles opened from their directories."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from verifier.bitcoin.encoding import DecodeError, Reader
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.accuse import ChunkAccuser
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.graph import SlotGraph, Terms
from verifier.bridge.key_book import KeyBook
from verifier.bridge.moves import Moves
from verifier.bridge.opening import ChunkTree
from verifier.bridge.params import Amounts, Windows
from verifier.bridge.roles import Operator, Watcher
from verifier.bridge.slot_setup import read_scripts
from verifier.bridge.statement import known_state
from verifier.bridge.store import Store
from verifier.bridge.toy import ToyAccuser, ToyTree
from verifier.bridge.tree import Accuser, OpeningTree
from verifier.bridge.vault import Deposit
from verifier.chain.chain import Chain
from verifier.chain.wallet import Wallet, key_script
from verifier.pipeline import verifying_key

PUBLISHED: Final = "published"
"""Directory beside the roles' with what every member serves."""
KEYS: Final = "keys.db"
PUBLICATION: Final = "publication"
SECRET: Final = "secret"
SEED: Final = "one-time seed"
_TOY: Final = "toy"
_VERIFIER: Final = "verifier"


@dataclass(frozen=True, slots=True)
class TreeName:
    """Which tree a slot is played over, as it is published.

    Attributes:
        kind: "toy", the small tree of hashes; "verifier", the STARK verifier's own.
        queries: of the toy.
        preset: of the verifier: proof parameters.
        shape: of the verifier: table heights.
        ledger: of the verifier: the state root from which the batch must start, if set-up knows it.
    """

    kind: str
    queries: int = 0
    preset: str = ""
    shape: str = ""
    ledger: tuple[int, ...] = ()

    def make(self) -> OpeningTree:
        """The tree: everybody makes the same.

        Raises:
            BridgeError: STATE where there is no such tree.
        """
        if self.kind == _TOY:
            return ToyTree(self.queries)
        if self.kind != _VERIFIER:
            raise BridgeError(BridgeReason.STATE, f"a tree of kind {self.kind!r}")
        return ChunkTree.of(verifying_key(self.preset, self.shape), known_state(self.ledger))

    @classmethod
    def toy(cls, queries: int) -> TreeName:
        """The small tree of hashes."""
        return cls(_TOY, queries)

    @classmethod
    def verifier(cls, preset: str, shape: str, ledger: Sequence[int] = ()) -> TreeName:
        """The tree of the rollup's verifier."""
        return cls(_VERIFIER, 0, preset, shape, tuple(ledger))


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
        funding = OutPoint(bytes.fromhex(read["funding"][0]), read["funding"][1])
        name = TreeName(**read["tree"])
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
        digest, rehearsal = bytes.fromhex(read["digest"]), bool(read["oversized"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BridgeError(BridgeReason.STATE, f"the publication cannot be read: {error!r}") from error
    tree = name.make()
    book = KeyBook(store.directory.resolve().parent / PUBLISHED / KEYS, tree.nodes)
    scripts = read_scripts(store, terms.slot, len(tree.nodes))
    graph = SlotGraph(terms, tree, book, scripts=scripts, allow_oversized=rehearsal)
    if graph.digest != digest:
        raise BridgeError(BridgeReason.STATE, "keys, scripts and terms do not make the published graph")
    return Moves(graph, store.signatures(terms.slot)), deposits


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
    return Watcher(store, moves, accuser_of(moves.graph), Wallet(secret, chain), key_script(secret))


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
