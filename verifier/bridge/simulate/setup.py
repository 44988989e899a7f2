"""One set-up that every scenario shares: a slot of an operator, a committee, two deposits, coins for purses.

Everything starts from one transaction that spends the first coinbase of the embedded node, whose blocks depend
on nothing but the calls that made them: so each scenario's own node has the same coins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from verifier.bitcoin.encoding import tagged_hash
from verifier.bitcoin.keys import public_key, xonly_key
from verifier.bitcoin.musig import Aggregate, sort_keys
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import taproot_output
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.bridge.committee import Batch, Member, Offer, sign_batch
from verifier.bridge.graph import SlotGraph, Terms
from verifier.bridge.moves import Moves, open_signatures, sign_key_paths, wire_label
from verifier.bridge.params import Amounts, Windows
from verifier.bridge.presign import Phase, Slot
from verifier.bridge.store import Store
from verifier.bridge.tree import OpeningTree, depth
from verifier.bridge.vault import Deposit
from verifier.chain.block import COINBASE_MATURITY
from verifier.chain.node import EmbeddedNode
from verifier.script.winternitz import WinternitzKey, public_keys

NETWORK: Final = "regtest"
SLOT: Final = "slot A"
OTHER_SLOT: Final = "slot B"
"""A slot whose one-time keys have no business in the first."""
PURSE_COINS: Final = 24
PURSE_SATS: Final = 2_000_000
COMMITTEE_SIZE: Final = 5


def secret_of(role: str) -> bytes:
    """A role's key in simulations: everybody can compute it."""
    return tagged_hash("pegproof/simulation", role.encode())


def script_of(role: str) -> bytes:
    """The scriptPubKey of a role's purse."""
    return taproot_output(xonly_key(secret_of(role))).script


def one_time_keys(tree: OpeningTree, slot: str, seed: bytes) -> dict[str, WinternitzKey]:
    """The one-time public key of every wire."""
    wires = [wire for node in tree.nodes for group in node.wires for wire in group]
    keys = public_keys(seed, [(wire_label(slot, wire.name), wire.digits) for wire in wires])
    return {wire.name: key for wire, key in zip(wires, keys, strict=True)}


@dataclass(frozen=True)
class SetUp:
    """What is made once.

    Attributes:
        tree: of the proof shape.
        moves: graph and signatures of the slot.
        deposits: two.
        deposit_txs: the users' transactions that make them, broadcast last.
        bank: the transaction that gives everybody coins.
        members: the committee, keys erased.
        offer: what the operator published.
    """

    tree: OpeningTree
    moves: Moves
    deposits: tuple[Deposit, ...]
    deposit_txs: tuple[Transaction, ...]
    bank: Transaction
    members: tuple[Member, ...]
    offer: Offer

    @property
    def seed(self) -> bytes:
        """Of the operator's one-time keys."""
        return secret_of("one-time keys")


def new_members(
    directory: Path, tree: OpeningTree, count: int = COMMITTEE_SIZE
) -> tuple[tuple[Member, ...], bytes]:
    """A committee with its secrets, in the order of its keys, and its aggregate key."""
    secrets = sorted((secret_of(f"member {i}") for i in range(count)), key=public_key)
    keys = sort_keys([public_key(secret) for secret in secrets])
    members = tuple(
        Member(Store(directory / f"member {i}", "committee", NETWORK), keys, tree, secret)
        for i, secret in enumerate(secrets)
    )
    return members, Aggregate(keys).key


def make_setup(
    directory: Path,
    tree: OpeningTree,
    progress: Callable[[str, float], None] = lambda step, share: None,
    size: int = COMMITTEE_SIZE,
) -> SetUp:
    """Keys, graph, every signature of a slot and two vaults; the committee's keys are erased at the end."""
    members, committee = new_members(directory, tree, size)
    windows, amounts = Windows.for_depth(depth(tree.nodes)), Amounts()
    progress("keys", 0.0)
    keys = one_time_keys(tree, SLOT, secret_of("one-time keys"))
    nowhere = OutPoint(bytes(32), 0)
    terms = Terms(
        *(SLOT, committee, xonly_key(secret_of("operator")), nowhere, script_of("pot"), windows, amounts)
    )
    progress("scripts", 0.1)
    graph = SlotGraph(terms, tree, keys)
    refund = script_of("user")
    draft = Deposit("vault 0", committee, xonly_key(secret_of("user")), nowhere, refund, windows, amounts)
    bank = bank_transaction(graph.funding_sats, draft.value + 1_000)
    graph = graph.at(OutPoint(bank.txid, 0))
    deposits, deposit_txs = [], []
    for i in range(2):
        tx = _deposit_tx(draft, bank, 1 + i)
        deposits.append(replace(draft, name=f"vault {i}", outpoint=tx.outpoint(0)))
        deposit_txs.append(tx)
    openings = open_signatures(graph, secret_of("operator"))
    offer = Offer(graph.terms, graph.keys, graph.digest, openings)
    for at, member in enumerate(members):
        progress("committee", 0.3 + 0.3 * at / len(members))
        member.adopt(offer)
    signatures = dict(offer.openings)
    batches = [Batch(Phase.PROTECT, SLOT), Batch(Phase.ANSWER, SLOT)]
    batches += [Batch(Phase.PAY, SLOT, deposit) for deposit in deposits]
    for at, batch in enumerate(batches):
        progress("signatures", 0.6 + 0.4 * at / len(batches))
        signatures |= sign_batch(members, batch)
    for member in members:
        member.erase()
    moves = Moves(graph, signatures)
    return SetUp(tree, moves, tuple(deposits), tuple(deposit_txs), bank, members, offer)


def first_coinbase() -> tuple[OutPoint, TxOut]:
    """The coinbase of block 1 of every simulation."""
    with EmbeddedNode() as node:
        block = node.mine(1, script_of("bank"))[0]
    return block.transactions[0].outpoint(0), block.transactions[0].outputs[0]


def bank_transaction(funding_sats: int, deposit_sats: int) -> Transaction:
    """Outputs: the operator's fixed outpoint, two users' coins, purse coins."""
    point, out = first_coinbase()
    outputs = [
        TxOut(funding_sats, script_of("operator")),
        *(TxOut(deposit_sats, script_of("user")) for _ in range(2)),
        *(TxOut(PURSE_SATS, script_of("purse")) for _ in range(PURSE_COINS)),
    ]
    change = out.value - sum(each.value for each in outputs) - 5_000
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
