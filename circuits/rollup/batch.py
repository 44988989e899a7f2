"""A batch: header, events, signed transactions; its canonical bytes.

File: magic (4), format version (4), chain id (4), H0..H3 (32), events (88 each, forced exits 136), signed transactions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from circuits.rollup.codec import Reader
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.types import InboxEvent, SignedTransaction, read_event
from circuits.rollup.words import Word, check_u32, check_u64, pair_word, u64_word

BATCH_MAGIC: Final = b"PEGB"
BATCH_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Header:
    """What the producer says of a batch (one block a batch, for now).

    Attributes:
        slot: Above the last batch's.
        producer: Cell of the purse that gets the tips.
        l1_rate: Msat per published byte; u64 here, below 2^32 by rule.
        bitcoin_height: Not below the last batch's.
        inbox_due_count: Events that must have been consumed after this batch.
    """

    slot: int
    producer: int
    l1_rate: int
    bitcoin_height: int
    inbox_due_count: int

    def __post_init__(self) -> None:
        for name in ("slot", "producer", "bitcoin_height", "inbox_due_count"):
            check_u32(f"header {name}", getattr(self, name))
        check_u64("header l1 rate", self.l1_rate)

    def words(self, num_events: int, num_txs: int) -> tuple[Word, Word, Word, Word]:
        """H0..H3."""
        return (
            pair_word(self.slot, self.producer),
            u64_word(self.l1_rate),
            pair_word(self.bitcoin_height, self.inbox_due_count),
            pair_word(num_events, num_txs),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """A signed batch.

    Attributes:
        chain_id: The chain it is for; also signed by every transaction.
        header: The producer's words.
        events: Inbox events, in the order of Bitcoin.
        transactions: In order of execution.
    """

    chain_id: int
    header: Header
    events: tuple[InboxEvent, ...]
    transactions: tuple[SignedTransaction, ...]

    def __post_init__(self) -> None:
        check_u32("chain id", self.chain_id)

    def header_words(self) -> tuple[Word, Word, Word, Word]:
        """H0..H3."""
        return self.header.words(len(self.events), len(self.transactions))

    def encode(self) -> bytes:
        """The canonical bytes, signatures included."""
        h = self.header
        head = struct.pack(
            "<4sIIIIQIIII",
            BATCH_MAGIC,
            BATCH_VERSION,
            self.chain_id,
            h.slot,
            h.producer,
            h.l1_rate,
            h.bitcoin_height,
            h.inbox_due_count,
            len(self.events),
            len(self.transactions),
        )
        return b"".join((head, *(e.encode() for e in self.events), *(t.encode() for t in self.transactions)))

    @classmethod
    def decode(cls, data: bytes) -> Batch:
        """Read what `encode` wrote.

        Raises:
            CodecError: MAGIC, VERSION, TRUNCATED, TRAILING, NOT_CANONICAL, PUBLIC_KEY or SIGNATURE.
        """
        reader = Reader(data)
        magic = reader.take(4, "magic")
        if magic != BATCH_MAGIC:
            raise CodecError(CodecReason.MAGIC, "batch", BATCH_MAGIC.decode(), magic.hex())
        version = reader.u32("version")
        if version != BATCH_VERSION:
            raise CodecError(CodecReason.VERSION, "batch", BATCH_VERSION, version)
        chain_id = reader.u32("chain id")
        slot, producer = reader.pair("slot, producer")
        l1_rate = reader.u64("l1 rate")
        bitcoin_height, inbox_due_count = reader.pair("bitcoin height, inbox due count")
        num_events, num_txs = reader.pair("number of events, of transactions")
        events = tuple(read_event(reader) for _ in range(num_events))
        transactions = tuple(_read_numbered(reader, i) for i in range(num_txs))
        reader.done()
        header = Header(slot, producer, l1_rate, bitcoin_height, inbox_due_count)
        return cls(chain_id, header, events, transactions)


def _read_numbered(reader: Reader, index: int) -> SignedTransaction:
    try:
        return SignedTransaction.read(reader)
    except CodecError as error:
        where = f"transaction {index}, {error.where}"
        raise CodecError(error.reason, where, error.expected, error.got) from error
