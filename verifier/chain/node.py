"""The embedded node: a regtest chain on Bitcoin Core's kernel, in process, with index, mempool and miner.

Block times are a function of the height alone, ten minutes apart from the genesis block on, so that the same
calls make the same chain. With a directory, every block is appended to a log before it is reported, and the
log is replayed through the kernel when the node is opened again: what was mined survives `kill -9`. The
mempool is written at `close` only, as in Core; a role hands over again what it misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from verifier.bitcoin.encoding import DecodeError, Reader, sha256, var_bytes
from verifier.bitcoin.transaction import MAX_BLOCK_WEIGHT, OutPoint, Transaction
from verifier.chain.block import Block, coinbase, merkle_root
from verifier.chain.block_log import BlockLog, CorruptLog, export_blocks
from verifier.chain.chain import ChainError, Refused, Seen, Tip, Utxo
from verifier.chain.index import Index
from verifier.chain.kernel_chain import NOT_BEST, KernelChain
from verifier.chain.mempool import Mempool
from verifier.chain.policy import DEFAULT_RULES, Rules

BLOCK_SPACING: Final = 600
HALVING: Final = 150
"""Blocks between regtest's halvings."""
SUBSIDY: Final = 50 * 100_000_000
_BITS: Final = 0x207FFFFF
_VERSION: Final = 0x20000000
_RESERVED_WEIGHT: Final = 4_000
"""For header, count and coinbase."""
ANYONE: Final = b"\x51"
"""OP_TRUE: the default miner's script; what it gets is nobody's."""


class EmbeddedNode:
    """A node; see `Chain` and `TestChain`.

    Args:
        directory: of the block log; None keeps everything in memory.
        rules: of the mempool.

    Raises:
        ChainError: another process has the directory open, or its log is damaged.
    """

    def __init__(self, directory: Path | None = None, rules: Rules = DEFAULT_RULES) -> None:
        self._mempool_path = None if directory is None else directory / "mempool.dat"
        self._log: BlockLog | None = None
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            self._log = BlockLog(directory / "blocks.dat")
        self._kernel = KernelChain(None if directory is None else directory / "kernel")
        self._index = Index(Block.parse(self._kernel.genesis()))
        self._mempool = Mempool(self._index, rules)
        self._side: dict[bytes, Block] = {}
        self._serial = 0
        self._opened = False
        try:
            self._replay()
            self._opened = True
        except BaseException:
            self.close()
            raise

    def _replay(self) -> None:
        for raw in () if self._log is None else self._log.replay():
            try:
                self._take(Block.parse(raw), raw, log=False)
            except (DecodeError, Refused) as error:
                raise CorruptLog(f"block {self._serial} of the log: {error}") from error
        if self._mempool_path is not None and self._mempool_path.exists():
            self._mempool.refill(_read_transactions(self._mempool_path))

    def submit(self, *transactions: Transaction) -> None:
        """See `Chain.submit`."""
        self._mempool.submit(transactions)

    def mempool(self) -> tuple[Transaction, ...]:
        """See `Chain.mempool`."""
        return self._mempool.transactions

    @property
    def tip(self) -> Tip:
        """See `Chain.tip`."""
        return self._index.tip

    def block(self, height: int) -> Block:
        """See `Chain.block`."""
        return self._index.block(height)

    def utxo(self, point: OutPoint) -> Utxo | None:
        """See `Chain.utxo`."""
        return self._index.utxo(point)

    def coins(self, script: bytes) -> tuple[tuple[OutPoint, Utxo], ...]:
        """See `Chain.coins`."""
        return self._index.utxos(script)

    def transaction(self, txid: bytes) -> Seen | None:
        """See `Chain.transaction`."""
        waiting = self._mempool.transaction(txid)
        return self._index.transaction(txid) if waiting is None else Seen(waiting, None)

    def confirmations(self, txid: bytes) -> int | None:
        """See `Chain.confirmations`."""
        seen = self.transaction(txid)
        if seen is None:
            return None
        return 0 if seen.height is None else self.tip.height - seen.height + 1

    def spender(self, point: OutPoint) -> Seen | None:
        """See `Chain.spender`."""
        tx = self._index.spender(point) or self._mempool.spender(point)
        return None if tx is None else self.transaction(tx.txid)

    def mine(self, count: int = 1, script: bytes | None = None) -> tuple[Block, ...]:
        """See `TestChain.mine`."""
        blocks = []
        for _ in range(count):
            transactions, fees = self._mempool.select(MAX_BLOCK_WEIGHT - _RESERVED_WEIGHT)
            block = self._build(self.tip, transactions, fees, script)
            self._add(block)
            blocks.append(block)
        self._sync()
        return tuple(blocks)

    def mine_these(self, transactions: Sequence[Transaction], script: bytes | None = None) -> Block:
        """See `TestChain.mine_these`."""
        block = self._build(self.tip, transactions, 0, script)
        self._take(block, block.serialize())
        self._sync()
        return block

    def add_block(self, block: Block) -> None:
        """Takes a block from elsewhere.

        Raises:
            Refused: it is invalid, or its parent is unknown.
        """
        self._take(block, block.serialize())
        self._sync()

    def reorg(self, depth: int, transactions: Sequence[Transaction] = ()) -> None:
        """See `TestChain.reorg`."""
        if not 0 < depth <= self.tip.height:
            raise IndexError(f"{depth} blocks of {self.tip.height}")
        fork = self.tip.height - depth
        here = Tip(fork, self.block(fork).hash)
        for i in range(depth + 1):
            block = self._build(here, () if i else transactions, 0, None)
            self._take(block, block.serialize())
            here = Tip(here.height + 1, block.hash)
        self._sync()

    def export(self, directory: Path) -> Path:
        """Writes the best chain, its genesis block first (a fresh node waits for it); see `export_blocks`."""
        blocks = (self.block(height).serialize() for height in range(self.tip.height + 1))
        return export_blocks(blocks, directory)

    def close(self) -> None:
        """Writes the mempool and ends the kernel."""
        if self._log is not None:
            if self._mempool_path is not None and self._opened:
                _write_transactions(self._mempool_path, self._mempool.transactions)
            self._log.close()
        self._kernel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _build(
        self, parent: Tip, transactions: Sequence[Transaction], fees: int, script: bytes | None
    ) -> Block:
        """A block on a parent, with its proof of work (two tries on average)."""
        height = parent.height + 1
        extra = self._serial.to_bytes(4, "little")  # no two blocks are alike, on whatever branch
        value = (SUBSIDY >> height // HALVING) + fees
        first = coinbase(height, value, ANYONE if script is None else script, transactions, extra)
        content = (first, *transactions)
        root = merkle_root([tx.txid for tx in content])
        time = self.block(0).time + height * BLOCK_SPACING
        nonce = 0
        while True:
            block = Block(_VERSION, parent.hash, root, time, _BITS, nonce, content)
            if block.hash[31] < 0x7F:
                return block
            nonce += 1

    def _add(self, block: Block) -> None:
        """Takes a block of our own choice, which the kernel must find good."""
        try:
            self._take(block, block.serialize())
        except Refused as error:
            raise ChainError(f"the kernel refuses our block: {error.reason}") from error

    def _take(self, block: Block, raw: bytes, log: bool = True) -> None:
        """Gives a block to the kernel and follows where it goes.

        Raises:
            Refused: the kernel finds it, or the branch that it completes, invalid.
        """
        reason = self._kernel.process(block, raw)
        if reason not in (None, NOT_BEST):
            raise Refused(reason, block.hash_hex, "the kernel refuses the block")
        if log and self._log is not None:
            self._log.append(raw)
        self._serial += 1
        if reason == NOT_BEST:
            self._side[block.hash] = block
        elif block.previous == self.tip.hash:
            self._index.connect(block)
            self._mempool.confirm(block.transactions[1:])
        else:
            self._switch(block)

    def _switch(self, tip: Block) -> None:
        """Leaves the old branch for the one that ends in `tip`."""
        branch = [tip]
        while branch[-1].previous in self._side:
            branch.append(self._side.pop(branch[-1].previous))
        lost = []
        while self.tip.hash != branch[-1].previous:
            lost.append(self._index.disconnect())
            self._side[lost[-1].hash] = lost[-1]
        for block in reversed(branch):
            self._index.connect(block)
        returned = [tx for block in reversed(lost) for tx in block.transactions[1:]]
        self._mempool.refill(returned)

    def _sync(self) -> None:
        if self._log is not None:
            self._log.sync()


def _write_transactions(path: Path, transactions: Sequence[Transaction]) -> None:
    data = b"".join(var_bytes(tx.serialize()) for tx in transactions)
    draft = path.with_suffix(".new")
    draft.write_bytes(sha256(data) + data)
    draft.replace(path)


def _read_transactions(path: Path) -> list[Transaction]:
    stored = path.read_bytes()
    data = stored[32:]
    if sha256(data) != stored[:32]:
        raise CorruptLog(f"{path} is damaged")
    reader, found = Reader(data), []
    while reader.peek(1):
        found.append(Transaction.parse(reader.var_bytes()))
    return found
