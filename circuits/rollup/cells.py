"""Cells of the ledger: typed values, their five words, and the digest of a leaf.

A cell that no dataclass here describes is not a cell of this ledger: `cell_from_words` refuses it. An empty
cell (five zero words) is `None`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, TypeAlias

from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.words import (
    ZERO_DIGEST,
    ZERO_WORD,
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
from circuits.tags import TAG_CELL
from prover.poseidon2 import compress

CellWords = tuple[Word, Word, Word, Word, Word]
EMPTY_WORDS: Final[CellWords] = (ZERO_WORD,) * 5
WORDS_PER_CELL: Final = 5
OWNED_BY_CELL: Final[Word] = (0, 0, 0, 1)
"""Second word of an owner that is a cell; the first is the cell's index. No key's digest is one (2^-217)."""


class CellKind(IntEnum):
    """First limb of a cell's header."""

    EMPTY = 0
    PURSE = 1
    PROGRAM = 2
    DATA = 3
    SYSTEM = 4
    INBOX = 5
    BLOCK = 6
    HOOK = 7
    KEY = 8


@dataclass(frozen=True, slots=True)
class Purse:
    """A balance that one key (or program) can spend.

    Attributes:
        owner: Owner digest; shape (8,).
        balance: In msat for BTC.
        nonce: Transactions sent so far; u32.
        next_leaf: Smallest signature leaf that is still good; u32.
        asset: 0 for BTC, else the issuing program's id.

    Units: balance in msat.
    """

    kind: ClassVar[CellKind] = CellKind.PURSE
    owner: Digest
    balance: int = 0
    nonce: int = 0
    next_leaf: int = 0
    asset: int = 0

    def words(self) -> CellWords:
        """The cell's five words."""
        return (
            pair_word(self.kind, self.asset),
            *raw_words(self.owner),
            u64_word(self.balance),
            pair_word(self.nonce, self.next_leaf),
        )

    @classmethod
    def from_words(cls, words: Sequence[Word], header: int) -> Purse:
        """Read `words()`; `header` is the upper half of word 0."""
        nonce, next_leaf = word_pair(words[4], "purse word 4")
        return cls((*words[1], *words[2]), word_u64(words[3], "balance"), nonce, next_leaf, header)

    def check(self) -> None:
        """Ranges of all fields.

        Raises:
            CodecError: RANGE, LENGTH or NOT_CANONICAL.
        """
        check_elements("owner", self.owner, 8)
        check_u64("balance", self.balance)
        check_u32("nonce", self.nonce)
        check_u32("next leaf", self.next_leaf)
        check_u32("asset", self.asset)

    @property
    def is_btc(self) -> bool:
        """Whether the balance is in msat of BTC."""
        return self.asset == 0


@dataclass(frozen=True, slots=True)
class ProgramCell:
    """A program: code hash (8,) and length in instructions."""

    kind: ClassVar[CellKind] = CellKind.PROGRAM
    code_hash: Digest
    length: int

    def words(self) -> CellWords:
        """The cell's five words."""
        return (pair_word(self.kind, self.length), *raw_words(self.code_hash), ZERO_WORD, ZERO_WORD)

    @classmethod
    def from_words(cls, words: Sequence[Word], header: int) -> ProgramCell:
        """Read `words()`."""
        return cls((*words[1], *words[2]), header)

    def check(self) -> None:
        """Ranges of all fields."""
        check_elements("code hash", self.code_hash, 8)
        check_u32("length", self.length)


@dataclass(frozen=True, slots=True)
class DataCell:
    """Four u64 words of a program."""

    kind: ClassVar[CellKind] = CellKind.DATA
    program: int
    values: tuple[int, int, int, int]

    def words(self) -> CellWords:
        """The cell's five words."""
        a, b, c, d = self.values
        return (pair_word(self.kind, self.program), u64_word(a), u64_word(b), u64_word(c), u64_word(d))

    @classmethod
    def from_words(cls, words: Sequence[Word], header: int) -> DataCell:
        """Read `words()`."""
        a, b, c, d = (word_u64(word, "data word") for word in words[1:])
        return cls(header, (a, b, c, d))

    def check(self) -> None:
        """Ranges of all fields."""
        check_u32("program", self.program)
        if len(self.values) != 4:
            raise CodecError(CodecReason.LENGTH, "data words", 4, len(self.values))
        for value in self.values:
            check_u64("data word", value)


@dataclass(frozen=True, slots=True)
class SystemCell:
    """Cell 0: what a batch starts from and ends with.

    Units: supply in msat; base_fee in msat per gas.
    """

    kind: ClassVar[CellKind] = CellKind.SYSTEM
    chain_id: int
    batch_number: int
    supply: int
    slot: int
    next_free: int
    base_fee: int
    exit_counter: int

    def words(self) -> CellWords:
        """The cell's five words."""
        return (
            pair_word(self.kind, 0),
            pair_word(self.chain_id, self.batch_number),
            u64_word(self.supply),
            pair_word(self.slot, self.next_free),
            pair_word(self.base_fee, self.exit_counter),
        )

    @classmethod
    def from_words(cls, words: Sequence[Word], header: int) -> SystemCell:
        """Read `words()`."""
        chain_id, batch_number = word_pair(words[1], "system word 1")
        slot, next_free = word_pair(words[3], "system word 3")
        base_fee, exit_counter = word_pair(words[4], "system word 4")
        supply = word_u64(words[2], "supply")
        return cls(chain_id, batch_number, supply, slot, next_free, base_fee, exit_counter)

    def check(self) -> None:
        """Ranges of all fields."""
        check_u64("supply", self.supply)
        for name in ("chain_id", "batch_number", "slot", "next_free", "base_fee", "exit_counter"):
            check_u32(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class InboxCell:
    """Cell 1: how far the inbox of Bitcoin events is consumed."""

    kind: ClassVar[CellKind] = CellKind.INBOX
    accumulator: Digest = ZERO_DIGEST
    count: int = 0
    bitcoin_height: int = 0

    def words(self) -> CellWords:
        """The cell's five words."""
        return (
            pair_word(self.kind, 0),
            *raw_words(self.accumulator),
            pair_word(self.count, self.bitcoin_height),
            ZERO_WORD,
        )

    @classmethod
    def from_words(cls, words: Sequence[Word], header: int) -> InboxCell:
        """Read `words()`."""
        count, bitcoin_height = word_pair(words[3], "inbox word 3")
        return cls((*words[1], *words[2]), count, bitcoin_height)

    def check(self) -> None:
        """Ranges of all fields."""
        check_elements("accumulator", self.accumulator, 8)
        check_u32("count", self.count)
        check_u32("bitcoin height", self.bitcoin_height)


@dataclass(frozen=True, slots=True)
class BlockCell:
    """Cell 12: the last Bitcoin block that the inbox told of; its hash as four u64 words."""

    kind: ClassVar[CellKind] = CellKind.BLOCK
    height: int
    values: tuple[int, int, int, int]

    def words(self) -> CellWords:
        """The cell's five words."""
        a, b, c, d = self.values
        return (pair_word(self.kind, self.height), u64_word(a), u64_word(b), u64_word(c), u64_word(d))

    @classmethod
    def from_words(cls, words: Sequence[Word], header: int) -> BlockCell:
        """Read `words()`."""
        a, b, c, d = (word_u64(word, "block word") for word in words[1:])
        return cls(header, (a, b, c, d))

    def check(self) -> None:
        """Ranges of all fields."""
        check_u32("height", self.height)
        for value in self.values:
            check_u64("block word", value)


@dataclass(frozen=True, slots=True)
class HookCell:
    """Cells 13 to 15: the cell of a program that runs before the first transaction of each batch."""

    kind: ClassVar[CellKind] = CellKind.HOOK
    program: int

    def words(self) -> CellWords:
        """The cell's five words."""
        return (pair_word(self.kind, self.program), ZERO_WORD, ZERO_WORD, ZERO_WORD, ZERO_WORD)

    @classmethod
    def from_words(cls, words: Sequence[Word], header: int) -> HookCell:
        """Read `words()`."""
        return cls(header)

    def check(self) -> None:
        """Ranges of all fields."""
        check_u32("program", self.program)


@dataclass(frozen=True, slots=True)
class KeyCell:
    """A key that a program keeps: owner digest (8,) of the purse that it was taken from."""

    kind: ClassVar[CellKind] = CellKind.KEY
    program: int
    owner: Digest

    def words(self) -> CellWords:
        """The cell's five words."""
        return (pair_word(self.kind, self.program), *raw_words(self.owner), ZERO_WORD, ZERO_WORD)

    @classmethod
    def from_words(cls, words: Sequence[Word], header: int) -> KeyCell:
        """Read `words()`."""
        return cls(header, (*words[1], *words[2]))

    def check(self) -> None:
        """Ranges of all fields."""
        check_u32("program", self.program)
        check_elements("owner", self.owner, 8)


def owner_cell(index: int) -> Digest:
    """The owner digest of a purse that a cell owns: a program, or an account's purse."""
    return (index & 0xFFFF, index >> 16, 0, 0, *OWNED_BY_CELL)


Cell: TypeAlias = Purse | ProgramCell | DataCell | SystemCell | InboxCell | BlockCell | HookCell | KeyCell
_CLASSES: Final[dict[int, type[Cell]]] = {
    cls.kind: cls
    for cls in (Purse, ProgramCell, DataCell, SystemCell, InboxCell, BlockCell, HookCell, KeyCell)
}


def words_of(cell: Cell | None) -> CellWords:
    """The five words of a cell; zeros for an empty one."""
    return EMPTY_WORDS if cell is None else cell.words()


def cell_from_words(words: Sequence[Word], where: str = "cell") -> Cell | None:
    """The typed cell of five words; None for an empty one.

    Raises:
        CodecError: KIND, RANGE, LENGTH, or NOT_CANONICAL when a word that the kind leaves zero is not.
    """
    if len(words) != WORDS_PER_CELL:
        raise CodecError(CodecReason.LENGTH, where, WORDS_PER_CELL, len(words))
    for word in words:
        check_elements(where, word, 4)
    kind, header = word_pair(words[0], where)
    if kind == CellKind.EMPTY and tuple(words) == EMPTY_WORDS:
        return None
    if kind not in _CLASSES:
        raise CodecError(CodecReason.KIND, where, "1..8", kind)
    cell = _CLASSES[kind].from_words(words, header)
    if cell.words() != tuple(words):
        raise CodecError(CodecReason.NOT_CANONICAL, where)
    return cell


def leaf_digest(cell: Cell | None) -> Digest:
    """Digest of a leaf of the state tree: compress24(TAG_CELL, 20 elements)."""
    elements = [element for word in words_of(cell) for element in word]
    return compress(24, (TAG_CELL, *elements, 0, 0, 0), 8)
