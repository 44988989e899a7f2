"""Who may produce: the staking program's rule for those who run a sequencer (docs/programs/staking.md)."""

from __future__ import annotations

from collections.abc import Sequence

from circuits.programs.staking import Layout, Rules
from circuits.rollup.cells import BlockCell, DataCell
from circuits.rollup.hashing import one_step
from circuits.rollup.ledger import Ledger
from circuits.rollup.params import BLOCK_CELL
from circuits.rollup.types import BlockHash, InboxEvent
from circuits.rollup.words import ZERO_DIGEST, bytes_words, u64_word, word_u64
from circuits.tags import TAG_USER
from prover.poseidon2 import P


def user_hash(a: int, b: int, c: int) -> tuple[int, int]:
    """What the system call HASH answers: two words of 62 bits."""
    digest = one_step(TAG_USER, ZERO_DIGEST, (u64_word(a), u64_word(b), u64_word(c)))
    return digest[0] | digest[1] << 32, digest[4] | digest[5] << 32


class Election:
    """The election of the batch that follows a ledger.

    Args:
        ledger: The ledger before.
        layout: Where the staking program's cells are.
        rules: Its rules.
        events: What the batch will consume: a Bitcoin block among them may begin an epoch.
    """

    def __init__(
        self, ledger: Ledger, layout: Layout, rules: Rules, events: Sequence[InboxEvent] = ()
    ) -> None:
        self._ledger, self._layout, self._rules = ledger, layout, rules
        seed, last, epochs, _ = self._data(layout.clock)
        self.last_height = last >> 32
        height, words = self._block(events)
        self.epoch = max(0, height - rules.seed_blocks) // rules.epoch_blocks
        if self.epoch != epochs & 0xFFFFFFFF:
            low, _ = user_hash(*words[:3])
            seed, _ = user_hash(low, words[3], seed)
        self.seed = seed
        self.total = self._weight(1)

    def leader(self, slot: int, rank: int = 0) -> int | None:
        """The sequencer that is `rank`-th in a slot; None if nobody has any weight."""
        if self.total == 0:
            return None
        low, _ = user_hash(self.seed, slot, rank)
        share = ((low & 0xFFFFFFFF) + (low >> 32) * P) * self.total // P**2
        node = 1
        while node < 1 << self._layout.depth:
            node *= 2
            left = self._weight(node)
            if share >= left:
                share, node = share - left, node + 1
        return self._data(self._layout.nodes + node)[0] >> 32

    def weight(self, sequencer: int) -> int:
        """What a sequencer weighs in this epoch, in msat."""
        leaf = self._data(sequencer)[3] >> 32
        node = (1 << self._layout.depth) + leaf
        owner = self._data(self._layout.nodes + node)[0] >> 32
        return self._weight(node) if owner == sequencer else 0

    def is_open(self, bitcoin_height: int) -> bool:
        """Whether anyone may produce."""
        return self.total == 0 or bitcoin_height - self.last_height >= self._rules.open_blocks

    def _weight(self, node: int) -> int:
        stamp, *weights = self._data(self._layout.nodes + node)
        return weights[min(self.epoch - (stamp & 0xFFFFFFFF), 2)]

    def _block(self, events: Sequence[InboxEvent]) -> tuple[int, Sequence[int]]:
        cell = self._ledger.cells.get(BLOCK_CELL)
        height, words = (cell.height, cell.values) if isinstance(cell, BlockCell) else (0, (0, 0, 0, 0))
        for event in events:
            if isinstance(event, BlockHash) and event.height > height:
                a, b, c, d = (word_u64(word) for word in bytes_words(event.block_hash))
                height, words = event.height, (a, b, c, d)
        return height, words

    def _data(self, index: int) -> tuple[int, int, int, int]:
        cell = self._ledger.cells.get(index)
        if not isinstance(cell, DataCell) or cell.program != self._layout.program:
            raise KeyError(f"cell {index} is not the staking program's")
        return cell.values
