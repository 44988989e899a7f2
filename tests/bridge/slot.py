"""A set-up slot over the toy tree: a committee of three, one operator, every signature made."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from verifier.bitcoin.keys import public_key, xonly_key
from verifier.bitcoin.musig import Aggregate, sort_keys
from verifier.bitcoin.taproot import taproot_output
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.game.graph import SlotGraph, Terms
from verifier.bridge.game.moves import Moves, open_signatures, wire_label
from verifier.bridge.game.params import Amounts, Charter, Windows
from verifier.bridge.game.presign import Phase, Slot
from verifier.bridge.game.store import Store
from verifier.bridge.game.vault import Deposit
from verifier.bridge.setup.committee import Batch, Member, Offer, sign_batch
from verifier.bridge.toy import ToyTree
from verifier.script.winternitz import WinternitzKey
from verifier.script.winternitz import public_key as one_time_key

OPERATOR, USER, SEED = b"\7" * 32, b"\x09" * 32, b"seed" * 8
SECRETS = sorted((bytes([i]) * 32 for i in range(1, 4)), key=public_key)
PUBLIC = sort_keys([public_key(secret) for secret in SECRETS])
COMMITTEE = Aggregate(PUBLIC).key
TREE = ToyTree(2)
POT = taproot_output(xonly_key(b"\5" * 32)).script


def one_time_keys(slot: str, tree: ToyTree = TREE, seed: bytes = SEED) -> dict[str, WinternitzKey]:
    wires = [wire for node in tree.nodes for group in node.wires for wire in group]
    return {wire.name: one_time_key(seed, wire_label(slot, wire.name), wire.digits) for wire in wires}


def terms(slot: str = "slot", **changes: object) -> Terms:
    values = {
        "slot": slot,
        "committee": COMMITTEE,
        "operator": xonly_key(OPERATOR),
        "funding": OutPoint(b"\1" * 32, 0),
        "pot": POT,
        "windows": Windows(),
        "amounts": Amounts(),
    }
    return Terms(**(values | changes))  # type: ignore[arg-type]


@cache
def graph(slot: str = "slot") -> SlotGraph:
    return SlotGraph(terms(slot), TREE, one_time_keys(slot))


def offer(slot: str = "slot") -> Offer:
    made = graph(slot)
    return Offer(made.terms, made.keys, made.digest, open_signatures(made, OPERATOR))


def deposit(name: str = "vault") -> Deposit:
    refund = taproot_output(xonly_key(USER)).script
    return Deposit(name, COMMITTEE, xonly_key(USER), OutPoint(b"\2" * 32, 0), refund, Windows(), Amounts())


def members() -> list[Member]:
    stores = [Store(Path(mkdtemp()), "committee", "regtest") for _ in SECRETS]
    return [
        Member(store, PUBLIC, TREE, Charter(POT), secret)
        for store, secret in zip(stores, SECRETS, strict=True)
    ]


@dataclass(frozen=True)
class SetUp:
    members: list[Member]
    moves: Moves
    deposit: Deposit


@cache
def set_up() -> SetUp:
    all_members, made = members(), deposit()
    for member in all_members:
        member.adopt(offer())
    signatures: dict[Slot, bytes] = {}
    for phase in Phase:
        signatures |= sign_batch(all_members, Batch(phase, "slot", made if phase is Phase.PAY else None))
    signatures |= offer().openings
    return SetUp(all_members, Moves(graph(), signatures), made)
