"""What a role may ask of Bitcoin: one interface before the embedded node and a `bitcoind`.

Txids and block hashes are in the order of the hash function's bytes, as everywhere in `verifier.bitcoin`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from verifier.bitcoin.transaction import OutPoint, Transaction, TxOut
from verifier.chain.block import Block


class ChainError(Exception):
    """The chain cannot do what it is asked."""


class Refused(ChainError):
    """The node does not take a transaction or package.

    Attributes:
        reason: the rule's name: a `policy.Reason` or `mempool.Refusal`; over RPC, Core's own word.
        txid: the transaction that breaks it, as people write it.
        detail: the figures.
    """

    def __init__(self, reason: str, txid: str, detail: str) -> None:
        super().__init__(f"{txid}: {reason}: {detail}")
        self.reason = reason
        self.txid = txid
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Tip:
    """The last block of the best chain."""

    height: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Utxo:
    """An unspent output of the best chain.

    Attributes:
        output: value and script.
        height: of the block that made it.
        is_coinbase: whether it waits for 100 blocks before it can be spent.
    """

    output: TxOut
    height: int
    is_coinbase: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A transaction that the node knows.

    Attributes:
        tx: with its witness.
        height: of its block; None while it waits in the mempool.
    """

    tx: Transaction
    height: int | None


class Chain(Protocol):
    """A Bitcoin node; everything but the mempool speaks of the best chain alone."""

    def submit(self, *transactions: Transaction) -> None:
        """Hands over a transaction, or a package: parents first, the child that pays for them last.

        All or nothing; what the node knows already (waiting or confirmed) is taken quietly, so that a role
        may hand everything over again after a restart.

        Raises:
            Refused: a rule of consensus or relay is broken.
        """

    def mempool(self) -> tuple[Transaction, ...]:
        """What waits for a block, parents before their children."""

    @property
    def tip(self) -> Tip:
        """The end of the best chain."""

    def block(self, height: int) -> Block:
        """The block at a height of the best chain.

        Raises:
            IndexError: there is none.
        """

    def utxo(self, point: OutPoint) -> Utxo | None:
        """An output that no block has spent, whatever the mempool holds; None if there is none."""

    def coins(self, script: bytes) -> tuple[tuple[OutPoint, Utxo], ...]:
        """All outputs of a script that no block has spent."""

    def transaction(self, txid: bytes) -> Seen | None:
        """A transaction in a block or in the mempool."""

    def confirmations(self, txid: bytes) -> int | None:
        """How many blocks bury a transaction, its own included; 0 in the mempool, None when unknown."""

    def spender(self, point: OutPoint) -> Seen | None:
        """The transaction that spends an output, in a block or else in the mempool."""


class TestChain(Chain, Protocol):
    """A chain of which we are the miner: regtest."""

    def mine(self, count: int = 1, script: bytes | None = None) -> tuple[Block, ...]:
        """Adds blocks; the first takes what the mempool holds, up to the weight of a block.

        Args:
            count: how many.
            script: who gets subsidy and fees; the node's own choice when None.

        Raises:
            ChainError: the block would lie more than two hours ahead of the clock.
        """

    def mine_these(self, transactions: Sequence[Transaction], script: bytes | None = None) -> Block:
        """Adds one block of exactly these transactions: a miner who cares for consensus alone.

        Raises:
            Refused: the block would be invalid; the reason is Core's.
        """

    def reorg(self, depth: int, transactions: Sequence[Transaction] = ()) -> None:
        """Replaces the last `depth` blocks by `depth + 1` others, empty but for the first.

        Transactions of the lost blocks wait in the mempool again, as far as they are still valid.

        Args:
            depth: how many blocks are lost.
            transactions: what the first block of the other branch holds.

        Raises:
            IndexError: the chain is not that long.
            Refused: the other branch would be invalid.
        """


TestChain.__test__ = False  # type: ignore[attr-defined]  # pytest takes the name for a test's


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened since the last look.

    Attributes:
        kept: the highest block of the old chain that still counts.
        lost: how many blocks above it no longer do.
        blocks: the new ones above `kept`, in order, with their heights.
    """

    kept: int
    lost: int
    blocks: tuple[tuple[int, Block], ...]


class Follower:
    """Follows a chain from a height; its memory is a list of hashes, which a role can store.

    Args:
        chain: what is followed.
        start: height of the first block of interest.
        hashes: the blocks from `start` on that were seen before.
    """

    def __init__(self, chain: Chain, start: int = 0, hashes: tuple[bytes, ...] = ()) -> None:
        self._chain = chain
        self._start = start
        self._hashes = list(hashes)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The blocks seen so far, from `start` on."""
        return tuple(self._hashes)

    def poll(self) -> Changes:
        """What is new; lost blocks are found by their hashes, even while nobody looked."""
        before, tip = len(self._hashes), self._chain.tip
        del self._hashes[max(0, tip.height - self._start + 1) :]
        while self._hashes:
            height = self._start + len(self._hashes) - 1
            if self._chain.block(height).hash == self._hashes[-1]:
                break
            self._hashes.pop()
        kept = len(self._hashes)
        blocks = tuple(self._new(tip.height))
        return Changes(self._start + kept - 1, before - kept, blocks)

    def _new(self, height: int) -> Iterator[tuple[int, Block]]:
        for here in range(self._start + len(self._hashes), height + 1):
            block = self._chain.block(here)
            self._hashes.append(block.hash)
            yield here, block
