"""A slot as it stands on a chain: which coins are there, how old they are, what spent them.

Only blocks count; what waits in a mempool may never be mined.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.bitcoin.transaction import Transaction
from verifier.bridge.game.graph import ROOT, SlotGraph, commitment_coin
from verifier.bridge.game.params import MARGINS, Margins
from verifier.bridge.game.template import Coin, Template
from verifier.chain.chain import Chain, Seen
from verifier.script.winternitz import plain, read


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A transaction in a block of the best chain."""

    tx: Transaction
    height: int


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot on a chain, read anew at every question: after a reorg there is nothing to repair."""

    chain: Chain
    graph: SlotGraph

    @property
    def height(self) -> int:
        """Of the tip."""
        return self.chain.tip.height

    def born(self, coin: Coin) -> int | None:
        """Height of the coin's transaction; None if it is not confirmed."""
        found = _in_block(self.chain.transaction(coin.outpoint.txid))
        return None if found is None else found.height

    def age(self, name: str) -> int:
        """How many blocks a spend in the next block would come after the coin; 0 if it is not confirmed."""
        height = self.born(self.graph.coins[name])
        return 0 if height is None else self.height + 1 - height

    def spent(self, name: str) -> Confirmed | None:
        """What spends a coin."""
        return self.spender(self.graph.coins[name])

    def spender(self, coin: Coin) -> Confirmed | None:
        """What spends a coin, of the graph or a vault."""
        return _in_block(self.chain.spender(coin.outpoint))

    def unspent(self, name: str) -> bool:
        """Whether the coin is confirmed and nothing spends it."""
        return self.born(self.graph.coins[name]) is not None and self.spent(name) is None

    def done(self, template: Template) -> Confirmed | None:
        """A template whose txid is fixed, if it is confirmed."""
        return _in_block(self.chain.transaction(template.tx.txid))

    def ripe(self, template: Template) -> bool:
        """Whether every input is unspent and old enough for the next block."""
        return all(
            self.born(each.coin) is not None
            and self.spender(each.coin) is None
            and self.height + 1 - (self.born(each.coin) or 0) >= each.csv
            for each in template.inputs
        )

    @property
    def penalised(self) -> bool:
        """Whether the stake has paid a penalty."""
        pot = self.graph.terms.pot
        spent = (self.spent("K2"), self.spent("S"))
        return any(found is not None and found.tx.outputs[0].script == pot for found in spent)

    def next_event(self, margins: Margins = MARGINS) -> int:
        """The height of the next tip on which a window of an unspent coin has opened for the block after it.

        A role that steps at these heights and after every transaction misses nothing.
        """
        windows = self.graph.terms.windows
        answer = [windows.close, windows.reveal_timeout]
        answer += [end - margins.lateness for end in answer]  # for who opens or reveals only if need be
        waits = {commitment_coin(node, 0): answer for node in self.pending()}
        waits["K0"] = [windows.take1]
        waits["K1.0"] = [windows.assert_timeout, windows.assert_timeout - margins.lateness]
        waits["S"] = [windows.take2]
        later = [
            self.height + delay - self.age(name)
            for name, delays in waits.items()
            if self.unspent(name)
            for delay in delays
            if delay > self.age(name)
        ]
        return min(later, default=self.height + 1)

    def commitment(self, node: int) -> Confirmed | None:
        """The assertion or reveal of a node, if confirmed."""
        coin = self.graph.coins[commitment_coin(node, 0)]
        found = self.spender(coin)
        if found is None or found.tx.inputs[0].previous != coin.outpoint:  # a close or time-out has it second
            return None
        template = self.graph.template("assert" if node == ROOT else f"reveal/{node}")
        return found if found.tx.txid == template.tx.txid else None

    def revealed(self) -> list[int]:
        """The nodes whose wires are on the chain, parents first."""
        return sorted(self._walk()[0])

    def pending(self) -> list[int]:
        """The nodes that wait for the operator: their coins are there, neither closed nor revealed."""
        return sorted(n for n in self._walk()[1] if self.unspent(commitment_coin(n, 0)))

    def _walk(self) -> tuple[list[int], list[int]]:
        """The revealed nodes, and their children that are not: all others have no coin on the chain."""
        revealed, others, todo = [], [], [ROOT]
        while todo:
            node = todo.pop()
            if self.commitment(node) is None:
                others.append(node)
            else:
                revealed.append(node)
                todo += self.graph.nodes[node].children
        return revealed, [node for node in others if node != ROOT]

    def wire_signatures(self, node: int) -> dict[str, tuple[bytes, ...]]:
        """What the operator committed to on the chain when it revealed a node.

        A witness that the chain accepted has passed the leaf's checks, so each signature reads as a value. It is given
        as it relays: a miner may have let odd encodings of digits pass, which a disproof had better not repeat.
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
                    out[wire.name] = plain(signature)
        return out


def _in_block(seen: Seen | None) -> Confirmed | None:
    return None if seen is None or seen.height is None else Confirmed(seen.tx, seen.height)
