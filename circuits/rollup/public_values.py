"""Public values of a batch: names, the 23 words that the kernel outputs, the 116 flat elements.

Source: docs/machine.md, Public words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.words import (
    Digest,
    Word,
    check_elements,
    check_u32,
    check_u64,
    pair_word,
    raw_words,
    u64_word,
    word_pair,
    word_u64,
)

NUM_PUBLIC_WORDS: Final = 23
NUM_DIGESTS: Final = 3
NUM_PUBLIC_ELEMENTS: Final = 8 * NUM_DIGESTS + 4 * NUM_PUBLIC_WORDS
_DIGESTS: Final = (
    "state_root_before",
    "state_root_after",
    "exit_root",
    "inbox_before",
    "inbox_after",
    "data_commitment",
    "event_commitment",
)
_AMOUNTS: Final = (
    "supply_before",
    "supply_after",
    "deposits",
    "withdrawals",
    "base_fees",
    "tips",
    "data_fees",
)


@dataclass(frozen=True, slots=True)
class PublicValues:
    """What a proof of a batch says.

    Digests have shape (8,). `event_commitment` is what programs said, 0^8 at first.
    `inbox_before` and `inbox_after` are accumulators; `*_count_*` count events.

    Units: supply, deposits, withdrawals and fees in msat; base fees in msat per gas.
    """

    state_root_before: Digest
    state_root_after: Digest
    exit_root: Digest
    chain_id: int
    batch_number: int
    slot_before: int
    slot: int
    producer: int
    bitcoin_height: int
    inbox_due_count: int
    inbox_before: Digest
    inbox_after: Digest
    inbox_count_before: int
    inbox_count_after: int
    data_commitment: Digest
    supply_before: int
    supply_after: int
    deposits: int
    withdrawals: int
    base_fees: int
    tips: int
    data_fees: int
    base_fee_before: int
    base_fee_after: int
    num_exits: int
    num_txs: int
    num_failed: int
    event_commitment: Digest

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if name in _DIGESTS:
                check_elements(name, value, 8)
            elif name in _AMOUNTS:
                check_u64(name, value)
            else:
                check_u32(name, value)

    def words(self) -> tuple[Word, ...]:
        """Words 0..22 as the kernel's OUT instructions give them."""
        return (
            pair_word(self.chain_id, self.batch_number),
            pair_word(self.slot_before, self.slot),
            pair_word(self.producer, 0),
            pair_word(self.bitcoin_height, self.inbox_due_count),
            *raw_words(self.inbox_before),
            *raw_words(self.inbox_after),
            pair_word(self.inbox_count_before, self.inbox_count_after),
            *raw_words(self.data_commitment),
            u64_word(self.supply_before),
            u64_word(self.supply_after),
            u64_word(self.deposits),
            u64_word(self.withdrawals),
            u64_word(self.base_fees),
            u64_word(self.tips),
            u64_word(self.data_fees),
            pair_word(self.base_fee_before, self.base_fee_after),
            pair_word(self.num_exits, self.num_txs),
            u64_word(self.num_failed),
            *raw_words(self.event_commitment),
        )

    def elements(self) -> tuple[int, ...]:
        """The 116 flat elements: roots before and after, exit root, then the words."""
        flat = [*self.state_root_before, *self.state_root_after, *self.exit_root]
        for word in self.words():
            flat += word
        return tuple(flat)

    @classmethod
    def from_elements(cls, elements: Sequence[int]) -> PublicValues:
        """The inverse of `elements`.

        Raises:
            CodecError: LENGTH, NOT_CANONICAL or RANGE.
        """
        check_elements("public values", elements, NUM_PUBLIC_ELEMENTS)
        digests = [tuple(elements[8 * i : 8 * i + 8]) for i in range(NUM_DIGESTS)]
        words = [
            (elements[i], elements[i + 1], elements[i + 2], elements[i + 3])
            for i in range(8 * NUM_DIGESTS, NUM_PUBLIC_ELEMENTS, 4)
        ]
        for name, word in (("producer", words[2]), ("failed transactions", words[20])):
            if word[2:] != (0, 0):
                raise CodecError(CodecReason.NOT_CANONICAL, name, "upper half 0", word)
        pairs = {k: word_pair(words[k], f"public word {k}") for k in (0, 1, 2, 3, 8, 18, 19, 20)}
        amounts = {k: word_u64(words[k], f"public word {k}") for k in range(11, 18)}
        return cls(
            state_root_before=digests[0],
            state_root_after=digests[1],
            exit_root=digests[2],
            chain_id=pairs[0][0],
            batch_number=pairs[0][1],
            slot_before=pairs[1][0],
            slot=pairs[1][1],
            producer=pairs[2][0],
            bitcoin_height=pairs[3][0],
            inbox_due_count=pairs[3][1],
            inbox_before=(*words[4], *words[5]),
            inbox_after=(*words[6], *words[7]),
            inbox_count_before=pairs[8][0],
            inbox_count_after=pairs[8][1],
            data_commitment=(*words[9], *words[10]),
            supply_before=amounts[11],
            supply_after=amounts[12],
            deposits=amounts[13],
            withdrawals=amounts[14],
            base_fees=amounts[15],
            tips=amounts[16],
            data_fees=amounts[17],
            base_fee_before=pairs[18][0],
            base_fee_after=pairs[18][1],
            num_exits=pairs[19][0],
            num_txs=pairs[19][1],
            num_failed=pairs[20][0],
            event_commitment=(*words[21], *words[22]),
        )
