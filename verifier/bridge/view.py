"""What a role needs of a chain: what spent an output, when, and a way to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import OutPoint, Transaction
from verifier.bridge.graph import SlotGraph, commitment_coin
from verifier.bridge.template import Coin, Template
from verifier.script.winternitz import read


class ChainRefusal(RuntimeError):
    """The chain does not take a transaction.

    Attributes:
        rule: the name of the rule.
    """

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(f"{rule}: {detail}" if detail else rule)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A transaction in a block."""

    tx: Transaction
    height: int


class ChainView(Protocol):
    """The part of a node that roles look at. Every answer is of the best chain as it is now."""

    @property
    def height(self) -> int:
        """Of the tip."""

    def confirmed(self, txid: bytes) -> Confirmed | None:
        """A transaction, if a block of the best chain has it."""

    def spender(self, outpoint: OutPoint) -> Confirmed | None:
        """What spends an output in the best chain."""

    def submit(self, spending: Spending) -> None:
        """Sends a transaction; one that is known already is no error.

        Raises:
            ChainRefusal: with the rule that stops it.
        """


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot on a chain, read anew at every question: after a reorg there is nothing to repair."""

    chain: ChainView
    graph: SlotGraph

    def born(self, coin: Coin) -> int | None:
        """Height of the coin's transaction; None if it is not confirmed."""
        found = self.chain.confirmed(coin.outpoint.txid)
        return None if found is None else found.height

    def age(self, name: str) -> int:
        """How many blocks a spend in the next block would come after the coin; 0 if it is not confirmed."""
        height = self.born(self.graph.coins[name])
        return 0 if height is None else self.chain.height + 1 - height

    def spent(self, name: str) -> Confirmed | None:
        """What spends a coin."""
        return self.chain.spender(self.graph.coins[name].outpoint)

    def unspent(self, name: str) -> bool:
        """Whether the coin is confirmed and nothing spends it."""
        return self.born(self.graph.coins[name]) is not None and self.spent(name) is None

    def done(self, template: Template) -> Confirmed | None:
        """A template whose txid is fixed, if it is confirmed."""
        return self.chain.confirmed(template.tx.txid)

    def ripe(self, template: Template) -> bool:
        """Whether every input is unspent and old enough for the next block."""
        return all(
            self.born(each.coin) is not None
            and self.chain.spender(each.coin.outpoint) is None
            and self.chain.height + 1 - (self.born(each.coin) or 0) >= each.csv
            for each in template.inputs
        )

    def commitment(self, node: int) -> Confirmed | None:
        """The assertion or reveal of a node, if confirmed."""
        found = self.spent(commitment_coin(node, 0))
        txid = self.graph.template("assert" if node == 0 else f"reveal/{node}").tx.txid
        return found if found is not None and found.tx.txid == txid else None

    def revealed(self) -> list[int]:
        """The nodes whose wires are on the chain, parents first."""
        return [node.index for node in self.graph.nodes if self.commitment(node.index) is not None]

    def pending(self) -> list[int]:
        """The nodes that wait for the operator: their coins are there, neither closed nor revealed."""
        return [n.index for n in self.graph.nodes[1:] if self.unspent(commitment_coin(n.index, 0))]

    def wire_signatures(self, node: int) -> dict[str, tuple[bytes, ...]]:
        """What the operator committed to on the chain when it revealed a node.

        A witness that the chain accepted has passed the leaf's checks, so each signature reads as a value.
        """
        found = self.commitment(node)
        if found is None:
            return {}
        out: dict[str, tuple[bytes, ...]] = {}
        for txin, group in zip(found.tx.inputs, self.graph.nodes[node].wires, strict=False):
            items = list(txin.witness[:-3])
            for wire in group:
                count = 2 * len(self.graph.keys[wire.name].links)
                signature = tuple(items[len(items) - count :])
                del items[len(items) - count :]
                if read(self.graph.keys[wire.name], signature) is not None:
                    out[wire.name] = signature
        return out
