"""The moves of the game as signed transactions, from a graph and the signatures that set-up left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from verifier.bitcoin.keys import sign_schnorr
from verifier.bitcoin.sighash import Sighash, Spending, taproot_sighash
from verifier.bitcoin.taproot import output_secret
from verifier.bitcoin.transaction import TxOut
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import SlotGraph
from verifier.bridge.game.presign import Signatures, Slot, answer_slots
from verifier.bridge.game.template import Coin, Signer, Template, sign_input
from verifier.bridge.tree import Digits, Spend
from verifier.script.winternitz import sign

DUST: Final = 330


@dataclass(frozen=True, slots=True)
class Moves:
    """What can be signed of a slot.

    Attributes:
        graph: of the slot.
        signatures: what set-up left.
    """

    graph: SlotGraph
    signatures: Signatures

    def committee_witness(self, template: Template, index: int, leaf: int = -1) -> bytes:
        """The committee's signature of an input as a witness carries it.

        Raises:
            BridgeError: ORDER where set-up did not leave one.
        """
        raw = self.signatures.get(Slot(template.name, index, leaf))
        if raw is None:
            raise BridgeError(BridgeReason.ORDER, f"{template.name}, input {index}, is not signed")
        return template.signature(index, raw)

    # The operator's

    def kickoff(self, secret: bytes) -> Spending:
        """Signed by O."""
        template = self.graph.kickoff()
        return _done(template, [(sign_input(template, 0, output_secret(secret)),)])

    def commit(self, node: int, seed: bytes, wires: Mapping[str, Digits]) -> Spending:
        """Assert (the root) or Reveal: byte-identical for the same wires.

        Args:
            node: which.
            seed: of the slot's one-time keys.
            wires: durable values; a caller signs no other (rule 5).
        """
        graph = self.graph
        template = graph.template("assert" if node == 0 else f"reveal/{node}")
        witnesses: list[tuple[bytes, ...]] = []
        for index, each in enumerate(template.inputs):
            signature = self.committee_witness(template, index)
            if each.leaf is None:
                witnesses.append((signature,))
                continue
            group = graph.nodes[node].wires[index]
            items = [item for wire in reversed(group) for item in _sign_wire(graph, seed, wire.name, wires)]
            witnesses.append((*items, signature, graph.reveal_script(node, index), _control(each.coin, 0)))
        return _done(template, witnesses)

    def check_answers(self, node: int) -> None:
        """The committee has signed all that the operator may have to send of a node.

        Raises:
            BridgeError: ORDER where it has not.
        """
        for slot in answer_slots(self.graph, node):
            if slot not in self.signatures:
                raise BridgeError(BridgeReason.ORDER, f"{slot.template}, input {slot.index}, is not signed")

    def close(self, node: int, secret: bytes) -> Spending:
        """Signed by O beside the committee."""
        template = self.graph.close(node)
        leaf = (
            sign_input(template, 0, secret),
            self.graph.operator_leaf,
            _control(template.inputs[0].coin, 0),
        )
        return _done(template, [leaf, (self.committee_witness(template, 1),)])

    def take(self, kind: str, vault: Coin) -> Spending:
        """Take1 or Take2 of a vault."""
        template = self.graph.take1(vault) if kind == "take1" else self.graph.take2(vault)
        return _done(template, [(self.committee_witness(template, i),) for i in range(len(template.inputs))])

    # Anybody's

    def paid(self, name: str) -> Spending:
        """Challenge or Open as the operator signed it; whoever uses it adds coins for price and fee.

        Raises:
            BridgeError: ORDER where the operator has not signed it.
        """
        template = self.graph.template(name)
        raw = self.signatures.get(Slot(template.name, 0))
        if raw is None:
            raise BridgeError(BridgeReason.ORDER, f"the operator has not signed {name}")
        coin = template.inputs[0].coin
        return _done(template, [(template.signature(0, raw), self.graph.operator_leaf, _control(coin, 0))])

    def penalty(self, name: str, to: bytes, fee_rate: int) -> Spending:
        """AssertTimeout or OpenTimeout; what the stake holds beyond penalty and fee goes to the sender."""
        template = self.graph.template(name)
        witnesses = [(self.committee_witness(template, index),) for index in range(len(template.inputs))]
        return _with_rest(template, witnesses, to, fee_rate)

    def disprove(self, node: int, spend: Spend, to: bytes, fee_rate: int) -> Spending:
        """A leaf convicts; the stake pays."""
        template = self.graph.disprove(node)
        code = self.graph.disprove_leaf(node, spend.leaf)
        leaf = (
            *spend.items,
            self.committee_witness(template, 1, spend.leaf),
            code,
            _control(template.inputs[1].coin, spend.leaf),
        )
        return _with_rest(template, [(self.committee_witness(template, 0),), leaf], to, fee_rate)


def open_signatures(graph: SlotGraph, secret: bytes) -> dict[Slot, bytes]:
    """What the operator signs at set-up: the challenge and every opening, for whoever pays the price."""
    templates = [graph.challenge(), *(graph.open(node.index) for node in graph.nodes[1:])]
    return {Slot(t.name, 0): sign_schnorr(secret, t.message(0), bytes(32)) for t in templates}


def sign_key_paths(spending: Spending, indices: Sequence[int] | range, secret: bytes) -> Spending:
    """Signs inputs that spend one key's key path, everything else final."""
    tx, key = spending.tx, output_secret(secret)
    for index in indices:
        raw = sign_schnorr(key, taproot_sighash(spending, index, Sighash.DEFAULT), bytes(32))
        tx = tx.with_witness(index, (raw,))
    return Spending(tx, spending.spent)


def _with_rest(
    template: Template, witnesses: Sequence[tuple[bytes, ...]], to: bytes, fee_rate: int
) -> Spending:
    """The penalty, and an output for what is left after the fee."""
    if any(each.signer is not Signer.COMMITTEE for each in template.inputs):
        raise BridgeError(BridgeReason.UNKNOWN, f"{template.name} is no penalty")
    draft = replace(template, outputs=(*template.outputs, TxOut(0, to)))
    rest = draft.fee - fee_rate * draft.signed(witnesses).vbytes
    if rest < DUST:
        raise BridgeError(BridgeReason.FUNDS, f"{template.name}: the stake does not pay {fee_rate} sat/vB")
    return _done(replace(template, outputs=(*template.outputs, TxOut(rest, to))), witnesses)


def _done(template: Template, witnesses: Sequence[tuple[bytes, ...]]) -> Spending:
    return Spending(template.signed(witnesses), template.spending.spent)


def _control(coin: Coin, leaf: int) -> bytes:
    if coin.output is None:
        raise BridgeError(BridgeReason.UNKNOWN, f"{coin.name} has no leaves")
    return coin.output.control_block(leaf)


def _sign_wire(graph: SlotGraph, seed: bytes, name: str, wires: Mapping[str, Digits]) -> tuple[bytes, ...]:
    return sign(seed, wire_label(graph.terms.slot, name), wires[name])


def wire_label(slot: str, name: str) -> bytes:
    """The label of a wire's one-time key: no two slots share one."""
    return f"{slot}\0{name}".encode()
