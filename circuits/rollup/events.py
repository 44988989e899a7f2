"""Inbox events: what happened on Bitcoin and the ledger must take in, in order.

Formats: docs/machine.md, A batch. An event is canonical bytes; the accumulator absorbs its digest, whatever it
does to the ledger.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from circuits.rollup.codec import Reader, elements_bytes
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.hashing import one_step
from circuits.rollup.params import (
    EVENT_BLOCK_HASH,
    EVENT_DEPOSIT,
    EVENT_FORCED_EXIT,
    NO_CELL,
    SCRIPT_BYTES,
)
from circuits.rollup.words import (
    ZERO_DIGEST,
    ZERO_WORD,
    Digest,
    Word,
    bytes_words,
    check_elements,
    check_u32,
    check_u64,
    hash_chain,
    pair_word,
    raw_words,
    u64_word,
)
from circuits.tags import TAG_EVENT, TAG_EXIT

TXID_BYTES = 32


@dataclass(frozen=True, slots=True)
class Deposit:
    """An inbox event: sats locked on Bitcoin for a purse.

    Attributes:
        height: Bitcoin height of the deposit.
        txid: 32 bytes.
        vout: Output number.
        sats: Amount; zero or above 21e14 makes the event a no-op.
        owner: Owner of the new purse if `cell` names no BTC purse; shape (8,).
        cell: Purse to credit.
        kind: 1; an event of an unknown kind is a no-op with the same words. 2 and 3 are other classes.
    """

    height: int
    txid: bytes
    vout: int
    sats: int
    owner: Digest
    cell: int = NO_CELL
    kind: int = EVENT_DEPOSIT

    def __post_init__(self) -> None:
        for name in ("kind", "height", "vout", "cell"):
            check_u32(f"deposit {name}", getattr(self, name))
        if self.kind in (EVENT_FORCED_EXIT, EVENT_BLOCK_HASH):
            raise CodecError(CodecReason.KIND, "deposit kind", "neither 2 nor 3", self.kind)
        check_u64("deposit sats", self.sats)
        check_elements("deposit owner", self.owner, 8)
        if len(self.txid) != TXID_BYTES:
            raise CodecError(CodecReason.LENGTH, "deposit txid", TXID_BYTES, len(self.txid))

    def words(self) -> tuple[Word, ...]:
        """E0..E6, O0, O1."""
        return (
            pair_word(self.kind, self.height),
            *bytes_words(self.txid),
            pair_word(self.vout, self.cell),
            u64_word(self.sats),
            *raw_words(self.owner),
        )

    def digest(self) -> Digest:
        """What the inbox accumulator absorbs; shape (8,)."""
        return _digest(self.words())

    def encode(self) -> bytes:
        """The 88 canonical bytes."""
        head = struct.pack("<II", self.kind, self.height) + self.txid
        return head + struct.pack("<IIQ", self.vout, self.cell, self.sats) + elements_bytes(self.owner)


@dataclass(frozen=True, slots=True)
class ForcedExit:
    """An inbox event: the owner of a purse takes sats out, whoever produces batches.

    A no-op unless the cell is a BTC purse of that owner (a key, not a cell) with the funds, sats are not 0 and the
    script has 1 to 40 bytes.

    Attributes:
        height: Bitcoin height of the request.
        txid: 32 bytes.
        vout: Output number.
        cell: The purse.
        sats: Amount.
        owner: Its owner; shape (8,).
        script: scriptPubKey, zero padded to 40 bytes.
        script_length: Bytes that count.
        kind: 2.
    """

    kind: ClassVar[int] = EVENT_FORCED_EXIT
    height: int
    txid: bytes
    vout: int
    cell: int
    sats: int
    owner: Digest
    script: bytes
    script_length: int

    def __post_init__(self) -> None:
        for name in ("height", "vout", "cell"):
            check_u32(f"forced exit {name}", getattr(self, name))
        check_u64("forced exit sats", self.sats)
        check_u64("forced exit script length", self.script_length)
        check_elements("forced exit owner", self.owner, 8)
        for name, size in (("txid", TXID_BYTES), ("script", SCRIPT_BYTES)):
            if len(getattr(self, name)) != size:
                raise CodecError(CodecReason.LENGTH, f"forced exit {name}", size, len(getattr(self, name)))

    def words(self) -> tuple[Word, ...]:
        """E0..E6, O0, O1, S0..S5."""
        return (
            pair_word(self.kind, self.height),
            *bytes_words(self.txid),
            pair_word(self.vout, self.cell),
            u64_word(self.sats),
            *raw_words(self.owner),
            *bytes_words(self.script),
            u64_word(self.script_length),
        )

    def digest(self) -> Digest:
        """What the inbox accumulator absorbs; shape (8,)."""
        return _digest(self.words())

    def exit_digest(self, exit_index: int) -> Digest:
        """Leaf of the exit tree; shape (8,)."""
        return exit_digest(exit_index, self.sats, self.cell, self.script, self.script_length)

    def encode(self) -> bytes:
        """The 136 canonical bytes."""
        head = struct.pack("<II", self.kind, self.height) + self.txid
        middle = struct.pack("<IIQ", self.vout, self.cell, self.sats) + elements_bytes(self.owner)
        return head + middle + self.script + struct.pack("<Q", self.script_length)


@dataclass(frozen=True, slots=True)
class BlockHash:
    """An inbox event: the hash of a Bitcoin block. A no-op unless it is above the last one told.

    Attributes:
        height: Its height.
        block_hash: 32 bytes.
        kind: 3.
    """

    kind: ClassVar[int] = EVENT_BLOCK_HASH
    height: int
    block_hash: bytes

    def __post_init__(self) -> None:
        check_u32("block height", self.height)
        if len(self.block_hash) != TXID_BYTES:
            raise CodecError(CodecReason.LENGTH, "block hash", TXID_BYTES, len(self.block_hash))

    def words(self) -> tuple[Word, ...]:
        """E0..E6, O0, O1; those after the hash are 0."""
        return (pair_word(self.kind, self.height), *bytes_words(self.block_hash), *(ZERO_WORD,) * 4)

    def digest(self) -> Digest:
        """What the inbox accumulator absorbs; shape (8,)."""
        return _digest(self.words())

    def encode(self) -> bytes:
        """The 88 canonical bytes."""
        return struct.pack("<II", self.kind, self.height) + self.block_hash + bytes(48)


InboxEvent: TypeAlias = Deposit | ForcedExit | BlockHash


def _digest(words: tuple[Word, ...]) -> Digest:
    return hash_chain(TAG_EVENT, ((words[i], words[i + 1], words[i + 2]) for i in range(0, len(words), 3)))


def exit_digest(exit_index: int, sats: int, cell: int, script: bytes, script_length: int) -> Digest:
    """Leaf of the exit tree; shape (8,).

    Args:
        exit_index: Number of the exit in its batch.
        sats: Amount.
        cell: The purse that it was taken from.
        script: scriptPubKey, zero padded to 40 bytes.
        script_length: Bytes that count.
    """
    s0, s1, s2, s3, s4 = bytes_words(script)
    head = (pair_word(exit_index, script_length), u64_word(sats), u64_word(cell))
    digest = ZERO_DIGEST
    for triple in (head, (s0, s1, s2), (s3, s4, ZERO_WORD)):
        digest = one_step(TAG_EXIT, digest, triple)
    return digest


def read_event(reader: Reader) -> InboxEvent:
    """Read what `encode` wrote.

    Raises:
        CodecError: TRUNCATED or NOT_CANONICAL.
    """
    kind, height = reader.pair("event kind, height")
    txid = reader.take(TXID_BYTES, "event txid")
    vout, cell = reader.pair("event vout, cell")
    sats = reader.u64("event sats")
    owner = reader.elements(8, "event owner")
    if kind == EVENT_FORCED_EXIT:
        script, length = reader.take(SCRIPT_BYTES, "event script"), reader.u64("event script length")
        return ForcedExit(height, txid, vout, cell, sats, owner, script, length)
    if kind == EVENT_BLOCK_HASH:
        if (vout, cell, sats, owner) != (0, 0, 0, ZERO_DIGEST):
            raise CodecError(CodecReason.NOT_CANONICAL, "block hash", "zeros after the hash")
        return BlockHash(height, txid)
    return Deposit(height, txid, vout, sats, owner, cell, kind)
