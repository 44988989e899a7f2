"""Coins of the graph and templates of its transactions: what is signed, by whom, and how large it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from verifier.bitcoin.keys import sign_schnorr
from verifier.bitcoin.sighash import Sighash, Spending, TapLeafContext, taproot_sighash
from verifier.bitcoin.taproot import TaprootOutput
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.script.script import P2A


class Signer(StrEnum):
    """Whose signature an input needs."""

    COMMITTEE = "P"
    OPERATOR = "O"
    USER = "U"


@dataclass(frozen=True, slots=True)
class Coin:
    """An output of the graph.

    Attributes:
        name: "K0", "S", "R3.0", ...; unique in a slot.
        outpoint: where it is; its txid is known at set-up.
        value: satoshis.
        output: key and tree; None for an anchor that anybody may spend.
    """

    name: str
    outpoint: OutPoint
    value: int
    output: TaprootOutput | None

    @property
    def txout(self) -> TxOut:
        """The output as a transaction carries it."""
        return TxOut(self.value, P2A if self.output is None else self.output.script)


@dataclass(frozen=True, slots=True)
class Input:
    """How a template spends a coin.

    Attributes:
        coin: what is spent.
        csv: relative lock in blocks: the nSequence that the signature commits to.
        signer: who signs.
        sighash: what of the transaction is signed.
        leaf: number of the leaf, None for the key path.
        leaf_hash: of that leaf; None where the leaf is chosen later (a disproof).
        script_bytes: of the leaf.
        item_bytes: most bytes of the other witness items, lengths included.
        num_items: how many there are at most.
    """

    coin: Coin
    csv: int
    signer: Signer
    sighash: Sighash
    leaf: int | None = None
    leaf_hash: bytes | None = None
    script_bytes: int = 0
    item_bytes: int = 0
    num_items: int = 0

    @property
    def witness_bytes(self) -> int:
        """The largest witness."""
        signature = 66 if self.sighash else 65
        if not self.script_bytes:
            return 1 + signature
        if self.coin.output is None or self.coin.output.tree is None:
            raise ValueError(f"{self.coin.name} has no leaves")
        control = 33 + max(map(len, self.coin.output.tree.paths))
        count = 1 if self.num_items + 3 < 0xFD else 3
        return count + self.item_bytes + signature + _prefixed(self.script_bytes) + _prefixed(control)


def _prefixed(size: int) -> int:
    """Bytes with their compact size."""
    return size + (1 if size < 0xFD else 3 if size <= 0xFFFF else 5)


@dataclass(frozen=True)
class Template:
    """A transaction that set-up fixes but for witnesses, and where `free`, for what its sighash leaves open.

    Attributes:
        name: kind, and the node or vault behind a slash.
        version: 3 for small ones, 2 for those above 10,000 vB.
        inputs: in order.
        outputs: in order; those that signatures commit to.
        free: whether its user may add outputs (and inputs, where the sighash has ANYONECANPAY).
        lock_time: nLockTime; a block height long past where a script compares with it (`WinternitzKey.bind`).
    """

    name: str
    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[TxOut, ...]
    free: bool = False
    lock_time: int = 0

    @property
    def kind(self) -> str:
        """The name without node or vault."""
        return self.name.partition("/")[0]

    @cached_property
    def tx(self) -> Transaction:
        """Without witnesses."""
        inputs = tuple(TxIn(each.coin.outpoint, each.csv) for each in self.inputs)
        return Transaction(self.version, inputs, self.outputs, self.lock_time)

    @cached_property
    def spending(self) -> Spending:
        """With the outputs that it spends."""
        return Spending(self.tx, tuple(each.coin.txout for each in self.inputs))

    @property
    def fee(self) -> int:
        """What is left to miners (of a `free` one: what its user may spend)."""
        return sum(each.coin.value for each in self.inputs) - sum(out.value for out in self.outputs)

    @property
    def max_weight(self) -> int:
        """Weight with the largest witnesses, of exactly these inputs and outputs."""
        return 4 * len(self.tx.serialize(witness=False)) + 2 + sum(i.witness_bytes for i in self.inputs)

    @property
    def max_vbytes(self) -> int:
        """Virtual bytes, rounded up."""
        return (self.max_weight + 3) // 4

    def message(self, index: int, leaf_hash: bytes | None = None) -> bytes:
        """What the signature of an input signs.

        Args:
            index: the input.
            leaf_hash: for an input whose leaf is chosen later.
        """
        each = self.inputs[index]
        leaf = leaf_hash or each.leaf_hash
        context = None if leaf is None else TapLeafContext(leaf)
        return taproot_sighash(self.spending, index, each.sighash, context)

    def signature(self, index: int, raw: bytes) -> bytes:
        """A 64-byte signature as the witness carries it."""
        kind = self.inputs[index].sighash
        return raw + bytes([kind]) if kind else raw

    def signed(self, witnesses: Sequence[tuple[bytes, ...]]) -> Transaction:
        """With a witness for each input."""
        tx = self.tx
        for index, witness in enumerate(witnesses):
            tx = tx.with_witness(index, witness)
        return tx


def sign_input(template: Template, index: int, secret: bytes, aux: bytes = bytes(32)) -> bytes:
    """One party's own signature of an input, byte-identical every time."""
    return template.signature(index, sign_schnorr(secret, template.message(index), aux))
