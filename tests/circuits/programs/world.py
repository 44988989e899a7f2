"""A chain with programs for tests: the specification with stand-in keys, many transactions a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from circuits.programs.genesis import Genesis
from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import DataCell, Purse
from circuits.rollup.ledger import Ledger
from circuits.rollup.published import BLANK_SIGNATURE
from circuits.rollup.transition import Transition, apply
from circuits.rollup.types import BlockHash, Call, Calls, Cosignature, InboxEvent, SignedTransaction
from circuits.xmss.scheme import PublicKey
from tests.circuits.rollup.builders import key
from tests.circuits.rollup.test_user_kernel import check as in_kernel_too

RICH = 10**13


class World:
    """The ledger so far and the transactions that wait.

    Attributes:
        kernel: Run each batch in the kernel as well, and compare.
        batches: Each batch with the ledger before it.
    """

    def __init__(self, genesis: Genesis, *, kernel: bool = False) -> None:
        self.ledger: Ledger = genesis.ledger()
        self.kernel = kernel
        self.batches: list[tuple[Ledger, Batch]] = []
        self.waiting: list[tuple[Calls, tuple[PublicKey, ...]]] = []
        self.sent: Counter[int] = Counter()
        self.l1_rate = 1

    def send(self, signer: int, *calls: Call, tip: int = 0, cosigners: Sequence[PublicKey] = ()) -> None:
        """Queue a list of calls."""
        purse = self.purse(signer)
        nonce, leaf = purse.nonce + self.sent[signer], purse.next_leaf + self.sent[signer]
        self.sent[signer] += 1
        tx = Calls(signer, nonce, leaf, calls, gas_limit=200_000, max_fee=10**11, tip=tip)
        self.waiting.append((tx, tuple(cosigners)))

    def batch(self, slot: int, producer: int, height: int, events: Sequence[InboxEvent] = ()) -> Batch:
        """What waits, as a batch."""
        signed = tuple(
            SignedTransaction(
                tx, key(tx.signer), BLANK_SIGNATURE, tuple(Cosignature(k, BLANK_SIGNATURE) for k in cosigners)
            )
            for tx, cosigners in self.waiting
        )
        header = Header(slot, producer, self.l1_rate, height, self.ledger.inbox.count + len(events))
        return Batch(self.ledger.system.chain_id, header, tuple(events), signed)

    def produce(self, slot: int, producer: int, height: int, events: Sequence[InboxEvent] = ()) -> Transition:
        """Execute what waits.

        Raises:
            BatchRefused: A hook fails, say; everything still waits.
        """
        batch = self.batch(slot, producer, height, events)
        if self.kernel:
            done = in_kernel_too(self.ledger, batch)
        else:
            valid = [True] * len(batch.transactions)
            done = apply(self.ledger, batch, valid=valid, check_cosignature=lambda claim: True)
        self.batches.append((self.ledger, batch))
        self.ledger = done.ledger
        self.waiting, self.sent = [], Counter()
        return done

    def purse(self, cell: int) -> Purse:
        found = self.ledger.cells[cell]
        assert isinstance(found, Purse)
        return found

    def balance(self, cell: int) -> int:
        return self.purse(cell).balance

    def data(self, cell: int) -> tuple[int, int, int, int]:
        found = self.ledger.cells[cell]
        assert isinstance(found, DataCell)
        return found.values


def account(genesis: Genesis, balance: int = RICH) -> int:
    """An account with a stand-in key; its cell."""
    cell = genesis.add(Purse((0,) * 8, balance))
    genesis.cells[cell] = replace(Purse((0,) * 8, balance), owner=key(cell).owner())
    return cell


def block(height: int) -> BlockHash:
    """A Bitcoin block's hash, made up."""
    return BlockHash(height, (height * 0x9E3779B97F4A7C15).to_bytes(32, "little"))
