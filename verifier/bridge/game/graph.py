"""The transaction graph of one operator slot: every txid and amount, from a tree, keys and terms.

Values grow from the leaves of the tree to the root (each R prefunds all that hangs below it), txids from the
root to the leaves. Templates are made when asked for. Of the scripts the graph keeps hashes and sizes
(`node_scripts.py`); a script that a move needs is made again from the tree and the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

from verifier.bitcoin.encoding import sha256
from verifier.bitcoin.sighash import Sighash
from verifier.bitcoin.taproot import TaprootOutput, leaf_hash, taproot_output
from verifier.bitcoin.transaction import OutPoint, TxOut
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.node_scripts import NodeScripts, node_scripts
from verifier.bridge.game.params import MARGINS, PRICED_QUERIES, Amounts, Margins, Windows
from verifier.bridge.game.scripts import (
    BYTES_PER_DIGIT,
    committee_output,
    delayed_key,
    guarded,
    leaves_output,
    reveal_leaf,
)
from verifier.bridge.game.template import Coin, Input, Signer, Template
from verifier.bridge.tree import Node, OpeningTree, ancestry, levels, query_openings
from verifier.script.script import P2A
from verifier.script.winternitz import LINK_BYTES, WinternitzKey

ROOT: Final = 0
SMALL, LARGE = 3, 2
MAX_ITEMS: Final = 999
"""Of a disproof's witness above its script: the stack starts with at most 1,000, and the signature is one."""
MAX_ITEM_BYTES: Final = 22
"""A hint or link with its length; digits are shorter, so this bounds a disproof from above."""
MAX_WEIGHT: Final = 400_000
PURSE_VBYTES: Final = 58 + 43
"""What a challenger adds to a challenge or opening: a coin of its own, and change."""
NOWHERE: Final = OutPoint(bytes(32), 0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a slot's graph is made of besides tree and one-time keys.

    Attributes:
        slot: unique name; part of every key's label and of the database.
        committee: P, x-only.
        operator: O, x-only.
        funding: the operator's fixed outpoint, which the kickoff spends.
        pot: scriptPubKey of the watchers' pot, where penalties go.
        windows: relative locks.
        amounts: satoshis.
    """

    slot: str
    committee: bytes
    operator: bytes
    funding: OutPoint
    pot: bytes
    windows: Windows
    amounts: Amounts


class SlotGraph:
    """The graph; deterministic, so that everybody who builds it finds the same txids.

    Args:
        terms: keys, outpoint, windows, amounts.
        tree: nodes and leaves.
        keys: the operator's published one-time key of every wire.
        margins: least slack of the windows; smaller only in models.
        scripts: of every node, where they were made before, from these keys and this committee.
        allow_oversized: build also what would not relay; `oversized` names it.

    Attributes:
        oversized: name and weight of each transaction above the limit: such a graph cannot be played in full.

    Raises:
        BridgeError: WINDOWS, AMOUNTS; SHAPE where a key is missing or a transaction would not relay.
    """

    def __init__(
        self,
        terms: Terms,
        tree: OpeningTree,
        keys: Mapping[str, WinternitzKey],
        margins: Margins = MARGINS,
        scripts: Sequence[NodeScripts] | None = None,
        allow_oversized: bool = False,
    ) -> None:
        terms.amounts.check()
        self.terms, self.tree, self.keys = terms, tree, keys
        self.nodes = list(tree.nodes)
        self._levels = levels(self.nodes)
        made = (node_scripts(tree, node, keys, terms.committee) for node in self.nodes)
        self.scripts: Sequence[NodeScripts] = tuple(made if scripts is None else scripts)
        if len(self.scripts) != len(self.nodes):
            raise BridgeError(BridgeReason.SHAPE, f"scripts of {len(self.scripts)} nodes")
        self._committed = [self._committed_outputs(node) for node in self.nodes]
        self._disprove_outputs = [self._disprove_output(node) for node in self.nodes]
        self._operator_output = taproot_output(terms.operator)
        self._challenge_leaf = delayed_key(terms.operator)
        self._challenge_hash = leaf_hash(self._challenge_leaf)
        self._open_output = leaves_output([self._challenge_hash])
        self.coins: dict[str, Coin] = {}
        self._made: dict[str, Template] = {}
        self._digest: bytes | None = None
        self._place()
        self.oversized = self._check_sizes(allow_oversized)
        self._margins = margins
        terms.windows.check(self.depth, self.widest_level_vbytes, margins)
        terms.amounts.check_penalty(self.queries_sats)

    def at(self, funding: OutPoint, windows: Windows | None = None) -> SlotGraph:
        """The same graph from another outpoint, with other windows.

        Scripts and amounts do not depend on them, txids do.

        Raises:
            BridgeError: WINDOWS.
        """
        other = copy(self)
        other.terms = replace(self.terms, funding=funding, windows=windows or self.terms.windows)
        other.terms.windows.check(self.depth, self.widest_level_vbytes, self._margins)
        other.coins, other._made, other._digest = dict(self.coins), {}, None
        other._put_all()
        return other

    @property
    def digest(self) -> bytes:
        """One hash of every txid of the slot."""
        if self._digest is None:
            self._digest = sha256(b"".join(template.tx.txid for template in self.templates()))
        return self._digest

    # Structure

    @property
    def depth(self) -> int:
        """How many Reveals follow each other at most."""
        return max(self._levels)

    def level(self, node: int) -> int:
        """How many Reveals lead to a node; 0 at the root."""
        return self._levels[node]

    def ancestry(self, node: int) -> list[int]:
        """The root, .., the node."""
        return ancestry(self.nodes, node)

    def groups(self, node: int) -> int:
        """How many inputs bind the node's wires; a node without wires has one all the same."""
        return max(1, len(self.nodes[node].wires))

    @property
    def widest_level_vbytes(self) -> int:
        """What the most expensive level weighs when all of it is revealed."""
        sums: dict[int, int] = {}
        for node in self.nodes[1:]:
            at = self.level(node.index)
            sums[at] = sums.get(at, 0) + self.reveal(node.index).max_vbytes
        return max(sums.values(), default=0)

    @property
    def queries_sats(self) -> int:
        """What a challenge and the dearest `PRICED_QUERIES` queries cost to open, with fees as set-up pays them."""
        vbytes = self.challenge().max_vbytes + PURSE_VBYTES  # an opening is as large
        return self.terms.amounts.price_of(query_openings(self.nodes, PRICED_QUERIES), vbytes)

    @property
    def largest_disprove_vbytes(self) -> int:
        """An upper bound of every disproof, two more outputs included."""
        sizes = [self.disprove(n.index).max_vbytes for n in self.nodes if n.num_leaves]
        return max(sizes, default=0) + 86

    @property
    def too_wide(self) -> tuple[int, ...]:
        """Nodes whose reveal would not relay: none in a graph that can be played in full."""
        names = (name.partition("/") for name in self.oversized)
        return tuple(int(node or ROOT) for kind, _, node in names if kind in ("assert", "reveal"))

    @property
    def largest_leaf_bytes(self) -> int:
        """Of all leaves of disprove outputs, guards included."""
        return max(each.largest_leaf for each in self.scripts)

    # Scripts, made again when needed

    def disprove_leaf(self, node: int, number: int) -> bytes:
        """A leaf of disprove(node), guard included.

        Raises:
            BridgeError: REBUILD where tree and keys make another than the graph stands on.
        """
        code = guarded(self.terms.committee, self.tree.leaf(node, number, self.keys))
        self._check_script(code, self.scripts[node].leaves[number], f"leaf {number} of node {node}")
        return code

    def reveal_script(self, node: int, group: int) -> bytes:
        """The leaf that binds the operator to a group of wires; empty for a node without wires.

        Raises:
            BridgeError: REBUILD as above.
        """
        wires = self.nodes[node].wires
        if not wires:
            return b""
        code = reveal_leaf(self.terms.committee, [self.keys[wire.name] for wire in wires[group]])
        self._check_script(code, self.scripts[node].bindings[group].leaf_hash, f"wires of node {node}")
        return code

    def _check_script(self, code: bytes, wanted: bytes, what: str) -> None:
        if leaf_hash(code) != wanted:
            raise BridgeError(BridgeReason.REBUILD, f"{what}: another script")

    @property
    def operator_leaf(self) -> bytes:
        """O's leaf of K0 and of every C."""
        return self._challenge_leaf

    def _committed_outputs(self, node: Node) -> list[TaprootOutput]:
        """K1 or R of a node, one a group of wires."""
        bindings = self.scripts[node.index].bindings
        if not bindings:
            return [committee_output(self.terms.committee)]
        return [committee_output(self.terms.committee, binding.leaf_hash) for binding in bindings]

    def _disprove_output(self, node: Node) -> TaprootOutput | None:
        leaves = self.scripts[node.index].leaves
        return leaves_output(leaves) if leaves else None

    # Amounts and outpoints

    def _place(self) -> None:
        """Values from the last node to the root, then outpoints from the kickoff on."""
        terms, amounts = self.terms, self.terms.amounts
        self._values: list[list[int]] = [[] for _ in self.nodes]
        self._put("S", NOWHERE, amounts.penalty, committee_output(terms.committee))
        for node in reversed(self.nodes):
            count = self.groups(node.index)
            self._values[node.index] = [amounts.connector] * count
            self._put_commitments(node.index, NOWHERE)
            self._put("K2", NOWHERE, 0, committee_output(terms.committee))
            self._put_revealed(node.index, None)
            template = self._commitment(node.index)
            out = sum(each.value for each in template.outputs)
            need = out + amounts.fee(template.max_vbytes)
            if node.index != ROOT:
                self._values[node.index][0] = max(amounts.connector, need - (count - 1) * amounts.connector)
        self.stake_sats = amounts.stake(self.largest_disprove_vbytes)
        self._put("S", NOWHERE, self.stake_sats, committee_output(terms.committee))
        root = self._commitment(ROOT)
        need = sum(each.value for each in root.outputs) + amounts.fee(root.max_vbytes)
        self._kickoff_values = need - sum(self._values[ROOT])
        self._put_all()

    def _put(self, name: str, at: OutPoint, value: int, output: TaprootOutput | None) -> None:
        self.coins[name] = Coin(name, at, value, output)

    def _put_commitments(self, node: int, at: OutPoint) -> None:
        """The coins that revealing a node spends, from output `at` on."""
        for group, (value, output) in enumerate(zip(self._values[node], self._committed[node], strict=True)):
            self._put(commitment_coin(node, group), replace(at, index=at.index + group), value, output)

    def _put_revealed(self, node: int, txid: bytes | None) -> None:
        """The coins that revealing a node makes: [S], [D], (C, R..) of each child, anchor."""
        amounts, index = self.terms.amounts, 0

        def here() -> OutPoint:
            return NOWHERE if txid is None else OutPoint(txid, index)

        if node == ROOT:
            self._put("S", here(), self.coins["S"].value, self.coins["S"].output)
            index += 1
        if self._disprove_outputs[node] is not None:
            self._put(f"D{node}", here(), amounts.connector, self._disprove_outputs[node])
            index += 1
        for child in self.nodes[node].children:
            self._put(f"C{child}", here(), amounts.connector, self._open_output)
            index += 1
            self._put_commitments(child, here())
            index += self.groups(child)
        self._put(f"A{node}", here(), amounts.anchor, self._operator_output)

    def _put_all(self) -> None:
        """Real outpoints, parents before children."""
        self._put_kickoff()
        for node in self.nodes:
            self._put_revealed(node.index, self._commitment(node.index).tx.txid)

    def _put_kickoff(self) -> None:
        """F, and what the kickoff makes of it."""
        terms, amounts = self.terms, self.terms.amounts
        challenge = committee_output(terms.committee, self._challenge_hash)
        count = self.groups(ROOT)
        for name, value, output in (
            ("K0", amounts.connector, challenge),
            *((f"K1.{g}", self._values[ROOT][g], self._committed[ROOT][g]) for g in range(count)),
            ("K2", self._kickoff_values, committee_output(terms.committee)),
        ):
            self._put(name, NOWHERE, value, output)
        self._put("F", terms.funding, 0, self._operator_output)
        draft = self.kickoff()
        value = sum(each.value for each in draft.outputs) + amounts.fee(draft.max_vbytes)
        self._put("F", terms.funding, value, self._operator_output)
        txid = self.kickoff().tx.txid
        for index, name in enumerate(("K0", *(f"K1.{g}" for g in range(count)), "K2")):
            self.coins[name] = replace(self.coins[name], outpoint=OutPoint(txid, index))

    @property
    def funding_sats(self) -> int:
        """What the operator's fixed outpoint must hold: stake, prefunded outputs and fees."""
        return self.coins["F"].value

    # Templates

    def template(self, name: str) -> Template:
        """A template by its name, made once.

        Raises:
            BridgeError: UNKNOWN.
        """
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Template:
        kind, _, node = name.partition("/")
        if kind in _SINGLE and not node:
            return _SINGLE[kind](self)
        if kind in _PER_NODE and node.isdigit() and int(node) < len(self.nodes):
            return _PER_NODE[kind](self, int(node))
        raise BridgeError(BridgeReason.UNKNOWN, name)

    def templates(self) -> Iterator[Template]:
        """All of them but the takes, which are of a vault."""
        yield from (make(self) for make in _SINGLE.values())
        for node in self.nodes:
            if node.index != ROOT:
                yield from (make(self, node.index) for make in (SlotGraph.open, SlotGraph.close))
                yield from (make(self, node.index) for make in (SlotGraph.reveal, SlotGraph.open_timeout))
            if self._disprove_outputs[node.index] is not None:
                yield self.disprove(node.index)

    def kickoff(self) -> Template:
        """Starts the game: the operator claims a reimbursement."""
        names = ("K0", *(f"K1.{g}" for g in range(self.groups(ROOT))), "K2")
        funding = Input(self.coins["F"], 1, Signer.OPERATOR, Sighash.DEFAULT)
        outputs = (*(self.coins[name].txout for name in names), self._free_anchor)
        return Template("kickoff", SMALL, (funding,), outputs)

    def challenge(self) -> Template:
        """Somebody pays the operator for asserting; the unchallenged take is off."""
        price = TxOut(self.terms.amounts.challenge_price, self._operator_output.script)
        return Template("challenge", SMALL, (self._operator_input("K0"),), (price,), free=True)

    def assert_timeout(self) -> Template:
        """The operator neither took nor asserted: the stake pays the penalty."""
        delay = self.terms.windows.assert_timeout
        inputs = (self._committee("K2", 1, Sighash.SINGLE), self._committee("K1.0", delay, Sighash.NONE))
        return Template("assert_timeout", SMALL, inputs, (self._penalty,), free=True)

    def assertion(self) -> Template:
        """The operator commits to the root's wires; the stake moves on to S."""
        return self._commitment(ROOT)

    def reveal(self, node: int) -> Template:
        """The operator commits to a node's wires."""
        return self._commitment(node)

    def open(self, node: int) -> Template:
        """Somebody pays the operator for revealing a node: it cannot be closed any more."""
        price = TxOut(self.terms.amounts.open_price, self._operator_output.script)
        return Template(f"open/{node}", SMALL, (self._operator_input(f"C{node}"),), (price,), free=True)

    def close(self, node: int) -> Template:
        """Nobody opened the node in time: the operator has its prefunding back."""
        inputs = (
            self._operator_input(f"C{node}", Sighash.DEFAULT),
            self._committee(f"R{node}.0", self.terms.windows.close),
        )
        return self._to_operator(f"close/{node}", inputs)

    def open_timeout(self, node: int) -> Template:
        """The operator neither closed nor revealed the node: the stake pays the penalty."""
        delay = self.terms.windows.reveal_timeout
        inputs = (
            self._committee("S", 1, Sighash.SINGLE),
            self._committee(f"R{node}.0", delay, Sighash.NONE),
        )
        return Template(f"open_timeout/{node}", SMALL, inputs, (self._penalty,), free=True)

    def disprove(self, node: int) -> Template:
        """A leaf of the node convicts: the stake pays the penalty.

        The leaf's input carries the committee's signature of both inputs (see `guarded`).
        """
        leaf = Input(
            *(self.coins[f"D{node}"], 1, Signer.COMMITTEE, Sighash.NONE, -1, None),
            script_bytes=self.scripts[node].largest_leaf,
            item_bytes=MAX_ITEMS * MAX_ITEM_BYTES,
            num_items=MAX_ITEMS,
        )
        inputs = (self._committee("S", 1, Sighash.SINGLE), leaf)
        return Template(f"disprove/{node}", LARGE, inputs, (self._penalty,), free=True)

    def take1(self, vault: Coin) -> Template:
        """Nobody challenged: the operator has a vault, and its stake back."""
        delay = self.terms.windows.take1
        inputs = tuple(self._committee(name, delay) for name in ("K0", "K1.0", "K2"))
        return self._to_operator(f"take1/{vault.name}", (self._vault(vault), *inputs))

    def take2(self, vault: Coin) -> Template:
        """Nobody convicted: the operator has a vault, and its stake back."""
        inputs = (self._vault(vault), self._committee("S", self.terms.windows.take2))
        return self._to_operator(f"take2/{vault.name}", inputs)

    def _commitment(self, node: int) -> Template:
        """Assert or Reveal."""
        names = [commitment_coin(node, group) for group in range(self.groups(node))]
        inputs = [self._bound(name, node, group) for group, name in enumerate(names)]
        made = [f"D{node}"] if self._disprove_outputs[node] is not None else []
        for child in self.nodes[node].children:
            made += [f"C{child}", *(commitment_coin(child, group) for group in range(self.groups(child)))]
        if node == ROOT:
            inputs.append(self._committee("K2", 1))
            made.insert(0, "S")
        outputs = (*(self.coins[name].txout for name in made), self.coins[f"A{node}"].txout)
        name = "assert" if node == ROOT else f"reveal/{node}"
        return Template(name, LARGE, tuple(inputs), outputs, lock_time=LINK_BYTES)

    def _bound(self, name: str, node: int, group: int) -> Input:
        """The input that binds a group of wires."""
        if not self.scripts[node].bindings:
            return self._committee(name, 1)
        binding = self.scripts[node].bindings[group]
        return Input(
            *(self.coins[name], 1, Signer.COMMITTEE, Sighash.DEFAULT, 0, binding.leaf_hash),
            script_bytes=binding.script_bytes,
            item_bytes=binding.links * BYTES_PER_DIGIT,
            num_items=2 * binding.links,
        )

    def _committee(self, name: str, delay: int, sighash: Sighash = Sighash.DEFAULT) -> Input:
        return Input(self.coins[name], delay, Signer.COMMITTEE, sighash)

    def _operator_input(self, name: str, sighash: Sighash = Sighash.SINGLE_ANYONECANPAY) -> Input:
        leaf = self._challenge_hash
        size = len(self._challenge_leaf)
        return Input(self.coins[name], 1, Signer.OPERATOR, sighash, 0, leaf, size)

    def _vault(self, vault: Coin) -> Input:
        return Input(vault, 1, Signer.COMMITTEE, Sighash.DEFAULT)

    def _to_operator(self, name: str, inputs: tuple[Input, ...]) -> Template:
        """All inputs to O, less the fee and an anchor."""
        amounts = self.terms.amounts
        draft = Template(name, SMALL, inputs, (TxOut(0, self._operator_output.script), self._free_anchor))
        value = draft.fee - amounts.fee(draft.max_vbytes)
        if value < amounts.connector:
            raise BridgeError(BridgeReason.AMOUNTS, f"{name} would pay {value} sat")
        return replace(draft, outputs=(TxOut(value, self._operator_output.script), self._free_anchor))

    @property
    def _penalty(self) -> TxOut:
        return TxOut(self.terms.amounts.penalty, self.terms.pot)

    @property
    def _free_anchor(self) -> TxOut:
        return TxOut(self.terms.amounts.free_anchor, P2A)

    def _check_sizes(self, allow_oversized: bool) -> dict[str, int]:
        for node, made in zip(self.nodes, self.scripts, strict=True):
            if any(2 * binding.links > MAX_ITEMS for binding in made.bindings):
                raise BridgeError(BridgeReason.SHAPE, f"{node.name}: a group of more than {MAX_ITEMS} items")
        oversized = {}
        for template in self.templates():
            weight = template.max_weight
            if weight > (MAX_WEIGHT if template.version == LARGE else 4 * 10_000):
                if not allow_oversized:
                    raise BridgeError(BridgeReason.SHAPE, f"{template.name}: {weight} weight units")
                oversized[template.name] = weight
            if template.fee < 0 and Sighash.SINGLE_ANYONECANPAY not in (i.sighash for i in template.inputs):
                raise BridgeError(BridgeReason.AMOUNTS, f"{template.name}: {-template.fee} sat missing")
        return oversized


def commitment_coin(node: int, group: int) -> str:
    """The name of the output that the operator spends when it commits to a group of a node's wires."""
    return f"K1.{group}" if node == ROOT else f"R{node}.{group}"


_SINGLE: Final[dict[str, Callable[[SlotGraph], Template]]] = {
    "kickoff": SlotGraph.kickoff,
    "challenge": SlotGraph.challenge,
    "assert": SlotGraph.assertion,
    "assert_timeout": SlotGraph.assert_timeout,
}
_PER_NODE: Final[dict[str, Callable[[SlotGraph, int], Template]]] = {
    "open": SlotGraph.open,
    "close": SlotGraph.close,
    "reveal": SlotGraph.reveal,
    "open_timeout": SlotGraph.open_timeout,
    "disprove": SlotGraph.disprove,
}
