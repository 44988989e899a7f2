"""One set-up that every scenario shares: a slot of an operator, a committee, two deposits, coins for purses.

Everything starts from one transaction that spends the first coinbase of the embedded node, whose blocks depend
on nothing but the calls that made them: so each scenario's own node has the same coins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from verifier.bitcoin.encoding import tagged_hash
from verifier.bitcoin.keys import public_key, xonly_key
from verifier.bitcoin.musig import sort_keys
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import taproot_output
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import NOWHERE, SlotGraph, Terms
from verifier.bridge.game.moves import Moves, open_signatures, sign_key_paths
from verifier.bridge.game.params import Amounts, Charter, Windows
from verifier.bridge.game.presign import Slot
from verifier.bridge.game.store import Store
from verifier.bridge.game.vault import Deposit
from verifier.bridge.setup.committee import Member, Offer
from verifier.bridge.setup.files import KEYS, PUBLISHED
from verifier.bridge.setup.key_book import KeyBook
from verifier.bridge.setup.slot_setup import Progress, SlotSetup, Took, identity
from verifier.bridge.tree import OpeningTree, depth
from verifier.chain.block import COINBASE_MATURITY
from verifier.chain.node import EmbeddedNode

NETWORK: Final = "regtest"
SLOT: Final = "slot A"
OTHER_SLOT: Final = "slot B"
"""A slot whose one-time keys have no business in the first."""
PURSE_COINS: Final = 24
MAX_PURSE_COINS: Final = 240
"""A purse pays for what is opened or bumped at once, each with a confirmed coin: the more, the wider the tree."""
PURSE_SATS: Final = 2_000_000
COMMITTEE_SIZE: Final = 5
BankCoin = tuple[OutPoint, TxOut]
"""A coin of the bank's key."""
_BEGUN: Final = "set-up begun"
_SIGNED: Final = "set-up signed"


def secret_of(role: str) -> bytes:
    """A role's key in simulations: everybody can compute it."""
    return tagged_hash("pegproof/simulation", role.encode())


def script_of(role: str) -> bytes:
    """The scriptPubKey of a role's purse."""
    return taproot_output(xonly_key(secret_of(role))).script


@dataclass(frozen=True)
class SetUp:
    """What is made once.

    Attributes:
        tree: of the proof shape.
        moves: graph and signatures of the slot.
        deposits: two.
        deposit_txs: the users' transactions that make them, broadcast last.
        bank: the transaction that gives everybody coins.
        members: the committee, keys erased; nobody where signatures are made on demand.
        offer: what the operator published, to a committee.
        took: seconds of each stage, of this run.
    """

    tree: OpeningTree
    moves: Moves
    deposits: tuple[Deposit, ...]
    deposit_txs: tuple[Transaction, ...]
    bank: Transaction
    members: tuple[Member, ...] = ()
    offer: Offer | None = None
    took: Mapping[str, Took] = field(default_factory=dict)

    @property
    def seed(self) -> bytes:
        """Of the operator's one-time keys."""
        return secret_of("one-time keys")


def committee_secrets(count: int) -> list[bytes]:
    """The members' secrets, in the order of their keys."""
    return sorted((secret_of(f"member {i}") for i in range(count)), key=public_key)


def new_members(
    directory: Path, tree: OpeningTree, count: int = COMMITTEE_SIZE, allow_oversized: bool = False
) -> tuple[Member, ...]:
    """A committee with its secrets, in the order of its keys; who has erased its secret does not get it again."""
    secrets = committee_secrets(count)
    keys = sort_keys([public_key(secret) for secret in secrets])
    members, charter = [], Charter(script_of("pot"))
    for i, secret in enumerate(secrets):
        store = Store(directory / f"member {i}", "committee", NETWORK)
        begins = store.meta(_BEGUN) is None
        given = secret if begins else None
        members.append(Member(store, keys, tree, charter, given, allow_oversized=allow_oversized))
        store.put_meta(_BEGUN, b"")
    return tuple(members)


def make_setup(
    directory: Path,
    tree: OpeningTree,
    progress: Progress = lambda step, share: None,
    size: int = COMMITTEE_SIZE,
    processes: int = 1,
    allow_oversized: bool = False,
    coin: BankCoin | None = None,
) -> SetUp:
    """Keys, graph, every signature of a slot and two vaults; the committee's keys are erased at the end.

    Whatever is in the directory already is not made again.

    Args:
        directory: of the operator, the members and what they publish.
        tree: of the proof shape.
        progress: called with a step and the share of everything that is done.
        size: of the committee.
        processes: that share the work.
        allow_oversized: also where some node's Reveal is above the standard weight.
        coin: what pays for everything; the first coinbase of an embedded node when None.

    Raises:
        BridgeError: STATE where the directory was begun with something else; SHAPE where a transaction would not
            relay and `allow_oversized` is not set.
    """
    operator = Store(directory / "operator", "operator", NETWORK)
    members = new_members(directory / "committee", tree, size, allow_oversized)
    (directory / PUBLISHED).mkdir(exist_ok=True)
    book = KeyBook(directory / PUBLISHED / KEYS, tree.nodes)
    parties = SlotSetup(SLOT, tree, book, operator, members, processes, progress)
    parties.compile_shapes()
    committee, seed = members[0].committee, secret_of("one-time keys")
    begun = identity(tree, SLOT.encode(), committee)
    if operator.meta(_BEGUN) not in (None, begun):
        raise BridgeError(BridgeReason.STATE, f"{directory} was begun with another tree or committee")
    operator.put_meta(_BEGUN, begun)
    parties.make_keys(seed)
    parties.make_scripts()
    with parties.stage("graph") as report:
        graph = _draft(parties, committee, allow_oversized)
        report(0.5)
        graph, bank, deposits, deposit_txs = place(graph, coin)
        offer = Offer(graph.terms, book, graph.digest, open_signatures(graph, secret_of("operator")))
        report(0.7)
        parties.adopt(offer, graph)
    if operator.meta(_SIGNED) is None:
        operator.save_signatures(SLOT, dict(offer.openings) | parties.sign_all(graph, deposits))
        operator.put_meta(_SIGNED, graph.digest)
    for member in members:
        member.erase()
    moves = Moves(graph, operator.signatures(SLOT))
    return SetUp(tree, moves, deposits, deposit_txs, bank, members, offer, parties.took)


def _draft(parties: SlotSetup, committee: bytes, allow_oversized: bool) -> SlotGraph:
    """The graph before its outpoint is known, with the shortest windows that its widest level allows."""
    levels = depth(parties.nodes)
    terms = Terms(
        *(SLOT, committee, xonly_key(secret_of("operator")), NOWHERE, script_of("pot")),
        *(Windows.longest(levels), Amounts()),
    )
    scripts = parties.scripts_of(parties.operator)
    draft = SlotGraph(terms, parties.tree, parties.book, scripts=scripts, allow_oversized=allow_oversized)
    return draft.at(NOWHERE, Windows.for_tree(levels, draft.widest_level_vbytes))


def place(
    graph: SlotGraph, coin: BankCoin | None = None
) -> tuple[SlotGraph, Transaction, tuple[Deposit, ...], tuple[Transaction, ...]]:
    """The graph at its outpoint in the bank's transaction, that transaction, two deposits and what makes them."""
    terms = graph.terms
    draft = Deposit(
        *("vault 0", terms.committee, xonly_key(secret_of("user")), NOWHERE),
        *(script_of("user"), terms.windows, terms.amounts),
    )
    widest = max(len(node.children) for node in graph.nodes)
    purses = max(PURSE_COINS, min(MAX_PURSE_COINS, 8 * widest))
    bank = bank_transaction(graph.funding_sats, draft.value + 1_000, purses, coin or first_coinbase())
    txs = tuple(_deposit_tx(draft, bank, 1 + i) for i in range(2))
    deposits = tuple(replace(draft, name=f"vault {i}", outpoint=tx.outpoint(0)) for i, tx in enumerate(txs))
    return graph.at(OutPoint(bank.txid, 0)), bank, deposits, txs


def first_coinbase() -> BankCoin:
    """The coinbase of block 1 of every simulation."""
    with EmbeddedNode() as node:
        block = node.mine(1, script_of("bank"))[0]
    return block.transactions[0].outpoint(0), block.transactions[0].outputs[0]


def bank_transaction(funding_sats: int, deposit_sats: int, purses: int, coin: BankCoin) -> Transaction:
    """Outputs: the operator's fixed outpoint, two users' coins, purse coins."""
    point, out = coin
    outputs = [
        TxOut(funding_sats, script_of("operator")),
        *(TxOut(deposit_sats, script_of("user")) for _ in range(2)),
        *(TxOut(PURSE_SATS, script_of("purse")) for _ in range(purses)),
    ]
    change = out.value - sum(each.value for each in outputs) - 5_000 - 100 * purses
    tx = Transaction(2, (TxIn(point),), (*outputs, TxOut(change, script_of("bank"))))
    return sign_key_paths(Spending(tx, (out,)), (0,), secret_of("bank")).tx


def _deposit_tx(deposit: Deposit, bank: Transaction, index: int) -> Transaction:
    """The user's transaction: its txid is known before it is signed."""
    made = Transaction(2, (TxIn(bank.outpoint(index), 1),), (deposit.coin.txout,))
    return sign_key_paths(Spending(made, (bank.outputs[index],)), (0,), secret_of("user")).tx


def open_node(setup: SetUp) -> EmbeddedNode:
    """A node of its own for a scenario."""
    node = EmbeddedNode()
    fund_node(node, setup)
    return node


def fund_node(node: EmbeddedNode, setup: SetUp) -> None:
    """Everybody has coins on a fresh node, and nothing else has happened."""
    node.mine(1, script_of("bank"))
    node.mine(COINBASE_MATURITY)
    node.submit(setup.bank)
    node.mine()


def all_signatures(setup: SetUp) -> dict[Slot, bytes]:
    """What any member serves to somebody who lost its own."""
    return setup.members[0].store.signatures(SLOT)
