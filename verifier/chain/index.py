"""What the blocks of the best chain say: unspent outputs, where transactions are, who spends what."""

from __future__ import annotations

from verifier.bitcoin.transaction import OutPoint, Transaction, TxOut
from verifier.chain.block import Block
from verifier.chain.chain import Seen, Tip, Utxo
from verifier.script.opcodes import Op

MEDIAN_SPAN = 11
Undo = tuple[tuple[OutPoint, Utxo], ...]


class Index:
    """Follows one chain from a first block on; what older blocks made is unknown to it.

    Args:
        first: the first block.
        height: its height.
    """

    def __init__(self, first: Block, height: int = 0) -> None:
        self.start = height
        """The lowest block that is known."""
        self._blocks: list[Block] = []
        self._undo: list[Undo] = []
        self._utxos: dict[OutPoint, Utxo] = {}
        self._places: dict[bytes, tuple[int, int]] = {}
        self._spenders: dict[OutPoint, bytes] = {}
        self.connect(first)

    @property
    def tip(self) -> Tip:
        """The last block."""
        return Tip(self.start + len(self._blocks) - 1, self._blocks[-1].hash)

    def block(self, height: int) -> Block:
        """The block at a height.

        Raises:
            IndexError: it is not indexed.
        """
        if not self.start <= height < self.start + len(self._blocks):
            raise IndexError(f"no block {height}: {self.start} to {self.tip.height} are known")
        return self._blocks[height - self.start]

    def connect(self, block: Block) -> None:
        """Adds the next block, which is valid."""
        height = self.start + len(self._blocks)
        undo: list[tuple[OutPoint, Utxo]] = []
        for position, tx in enumerate(block.transactions):
            self._places[tx.txid] = height, position
            for txin in tx.inputs if position else ():
                self._spenders[txin.previous] = tx.txid
                spent = self._utxos.pop(txin.previous, None)
                if spent is not None:
                    undo.append((txin.previous, spent))
            if height:  # the outputs of the genesis block cannot be spent
                for index, output in enumerate(tx.outputs):
                    if is_spendable(output):
                        self._utxos[OutPoint(tx.txid, index)] = Utxo(output, height, position == 0)
        self._blocks.append(block)
        self._undo.append(tuple(undo))

    def disconnect(self) -> Block:
        """Takes the last block away."""
        block = self._blocks.pop()
        self._utxos.update(self._undo.pop())
        for position, tx in enumerate(block.transactions):
            del self._places[tx.txid]
            for index in range(len(tx.outputs)):
                self._utxos.pop(OutPoint(tx.txid, index), None)
            for txin in tx.inputs if position else ():
                del self._spenders[txin.previous]
        return block

    def utxo(self, point: OutPoint) -> Utxo | None:
        """An unspent output."""
        return self._utxos.get(point)

    def utxos(self, script: bytes) -> tuple[tuple[OutPoint, Utxo], ...]:
        """All unspent outputs of a script."""
        return tuple((point, coin) for point, coin in self._utxos.items() if coin.output.script == script)

    def transaction(self, txid: bytes) -> Seen | None:
        """A transaction in a block."""
        place = self._places.get(txid)
        if place is None:
            return None
        height, position = place
        return Seen(self.block(height).transactions[position], height)

    def spender(self, point: OutPoint) -> Transaction | None:
        """The transaction in a block that spends an output."""
        txid = self._spenders.get(point)
        seen = None if txid is None else self.transaction(txid)
        return None if seen is None else seen.tx

    def median_time(self, height: int) -> int:
        """Median time of the eleven blocks up to a height, or as many as there are (BIP113)."""
        first = max(self.start, height - MEDIAN_SPAN + 1)
        times = sorted(self.block(here).time for here in range(first, height + 1))
        return times[len(times) // 2]


def is_spendable(output: TxOut) -> bool:
    """Whether the output enters the set of coins."""
    return output.script[:1] != bytes([Op.RETURN]) and len(output.script) <= 10_000
