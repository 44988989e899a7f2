"""What is published of a chain, and the chain back from it.

Data file: magic PEGD, version, genesis (cells with their five words; code of programs), then the batches: chain
id, header words H0..H3 and the transactions' published bytes: no nonce, no key, no signature. Inbox file: magic
PEGI, version, the events' canonical bytes, one after the other, of all batches.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import Cell, Purse, cell_from_words, words_of
from circuits.rollup.codec import Reader, elements_bytes
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.events import InboxEvent, read_event
from circuits.rollup.ledger import Code, Ledger
from circuits.rollup.types import SignedTransaction, Transaction, read_transaction
from circuits.rollup.words import Word
from circuits.xmss.scheme import PublicKey, Signature

DATA_MAGIC: Final = b"PEGD"
INBOX_MAGIC: Final = b"PEGI"
VERSION: Final = 1
_BLANK_KEY: Final = PublicKey((0,) * 8, (300, 0, 0, 0, 0), 8)
BLANK_SIGNATURE: Final = Signature((0,) * 6, ((0,) * 8,) * 64, ((0,) * 8,) * 8)


def encode_genesis(ledger: Ledger) -> bytes:
    """How a data file begins."""
    parts = [DATA_MAGIC, struct.pack("<II", VERSION, len(ledger.cells))]
    for index, cell in sorted(ledger.cells.items()):
        elements = tuple(element for word in words_of(cell) for element in word)
        parts.append(struct.pack("<I", index) + elements_bytes(elements))
    parts.append(struct.pack("<I", len(ledger.codes)))
    parts += [struct.pack(f"<I{len(code)}Q", len(code), *code) for code in ledger.codes.values()]
    return b"".join(parts)


def encode_batch(batch: Batch) -> bytes:
    """What is published of a batch."""
    h = batch.header
    head = struct.pack(
        "<IIIQIIII", batch.chain_id, h.slot, h.producer, h.l1_rate, h.bitcoin_height, h.inbox_due_count,
        len(batch.events), len(batch.transactions),
    )  # fmt: skip
    return head + b"".join(signed.transaction.encode() for signed in batch.transactions)


def encode_events(events: Sequence[InboxEvent]) -> bytes:
    """The events' canonical bytes."""
    return b"".join(event.encode() for event in events)


def encode_inbox(events: Sequence[InboxEvent]) -> bytes:
    """An inbox file."""
    return INBOX_MAGIC + struct.pack("<I", VERSION) + encode_events(events)


def _open(data: bytes, magic: bytes, name: str) -> Reader:
    reader = Reader(data)
    if (found := reader.take(4, "magic")) != magic:
        raise CodecError(CodecReason.MAGIC, name, magic.decode(), found.hex())
    if (version := reader.u32("version")) != VERSION:
        raise CodecError(CodecReason.VERSION, name, VERSION, version)
    return reader


def read_inbox(data: bytes) -> tuple[InboxEvent, ...]:
    """The events of an inbox file.

    Raises:
        CodecError: It is damaged.
    """
    reader = _open(data, INBOX_MAGIC, "inbox file")
    events: list[InboxEvent] = []
    while reader.position < len(data):
        events.append(read_event(reader))
    return tuple(events)


@dataclass(frozen=True, slots=True)
class PublishedBatch:
    """A batch as published: transactions with nonces that are still to be filled in (they are 0)."""

    chain_id: int
    header: Header
    num_events: int
    transactions: tuple[bytes, ...]

    def batch(self, ledger: Ledger, events: Sequence[InboxEvent]) -> Batch:
        """The batch, for `transition.replay`: each signer's nonces go on from the ledger's."""
        used: Counter[int] = Counter()
        signed = []
        for data in self.transactions:
            signer = int.from_bytes(data[:4], "little")
            cell = ledger.cells.get(signer)
            nonce = used[signer] + (cell.nonce if isinstance(cell, Purse) else 0)
            used[signer] += 1
            signed.append(SignedTransaction(_transaction(data, nonce), _BLANK_KEY, BLANK_SIGNATURE))
        return Batch(self.chain_id, self.header, tuple(events), tuple(signed))


def _transaction(data: bytes, nonce: int) -> Transaction:
    return read_transaction(Reader(data), nonce)


class DataFile:
    """An open data file: the genesis, then batches one by one."""

    def __init__(self, data: bytes) -> None:
        """Read the genesis.

        Raises:
            CodecError: It is damaged.
        """
        self._reader = reader = _open(data, DATA_MAGIC, "data file")
        cells: dict[int, Cell] = {}
        for _ in range(reader.u32("number of cells")):
            index = reader.u32("cell")
            words: list[Word] = []
            for _ in range(5):
                a, b, c, d = reader.elements(4, f"cell {index}")
                words.append((a, b, c, d))
            cell = cell_from_words(words, f"cell {index}")
            if cell is not None:
                cells[index] = cell
        self.genesis: Mapping[int, Cell] = cells
        count = reader.u32("number of programs")
        self.codes: tuple[Code, ...] = tuple(self._code() for _ in range(count))

    def _code(self) -> Code:
        length = self._reader.u32("code length")
        return tuple(self._reader.u64("code") for _ in range(length))

    def batches(self) -> Iterator[PublishedBatch]:
        """The batches, in order.

        Raises:
            CodecError: The file is damaged.
        """
        reader = self._reader
        while reader.position < len(reader.data):
            chain_id = reader.u32("chain id")
            slot, producer = reader.pair("slot, producer")
            l1_rate = reader.u64("l1 rate")
            height, due = reader.pair("bitcoin height, inbox due count")
            num_events, num_txs = reader.pair("number of events, of transactions")
            transactions = []
            for _ in range(num_txs):
                start = reader.position
                read_transaction(reader, 0)
                transactions.append(reader.data[start : reader.position])
            header = Header(slot, producer, l1_rate, height, due)
            yield PublishedBatch(chain_id, header, num_events, tuple(transactions))
