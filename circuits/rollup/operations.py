"""Transactions that are not the bank's: key rotation, deployment of a program, lists of calls.

Formats: docs/machine.md, A batch. As with the bank's, published bytes are the words in order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from circuits.machine.abi import GAS_CALL, GAS_CALLS, MAX_CALLS
from circuits.machine.code import MAX_CODE_LENGTH
from circuits.rollup.codec import elements_bytes
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.hashing import code_digest
from circuits.rollup.heads import Head
from circuits.rollup.params import (
    BYTES_CALL,
    BYTES_DEPLOY,
    BYTES_ROTATE,
    GAS_DEPLOY,
    GAS_DEPLOY_WORD,
    GAS_ROTATE,
    LEAF_LIMIT,
    OP_CALLS,
    OP_DEPLOY,
    OP_ROTATE,
)
from circuits.rollup.words import (
    ZERO_WORD,
    Digest,
    Triple,
    Word,
    check_elements,
    check_u32,
    check_u64,
    hash_chain,
    pair_word,
    raw_words,
    u64_word,
)
from circuits.tags import TAG_TX

NUM_ARGUMENTS = 4


@dataclass(frozen=True, slots=True)
class Rotate:
    """Gives the signer's purse to a new key.

    Attributes:
        signer, nonce, leaf, max_fee, tip, gas, num_bytes: As in `Transfer`.
        new_owner: Owner digest of the new key; shape (8,). Anything: a wallet checks that it can sign with it.
        first_leaf: Smallest leaf that counts from now on; 0 for a key that never signed. A wallet never comes back
            to an old key: its co-signatures of leaves from here on would count again.
        op: 2.
    """

    op: ClassVar[int] = OP_ROTATE
    gas: ClassVar[int] = GAS_ROTATE
    num_bytes: ClassVar[int] = BYTES_ROTATE
    signer: int
    nonce: int
    leaf: int
    new_owner: Digest
    max_fee: int
    tip: int = 0
    first_leaf: int = 0

    def __post_init__(self) -> None:
        self.head.check(self.nonce)
        check_elements("new owner", self.new_owner, 8)
        if self.first_leaf > LEAF_LIMIT:
            raise CodecError(CodecReason.RANGE, "first leaf", f"at most {LEAF_LIMIT}", self.first_leaf)

    @property
    def head(self) -> Head:
        """T0..T4."""
        return Head(self.signer, self.leaf, 0, self.tip, self.first_leaf, self.op, 0, self.max_fee)

    def words(self) -> tuple[Word, ...]:
        """T0..T4, new owner."""
        return (*self.head.words(), *raw_words(self.new_owner))

    def triples(self, chain_id: int) -> tuple[Triple, ...]:
        """What the signed digest absorbs, three words a step."""
        return (*self.head.triples(chain_id, self.nonce), (*raw_words(self.new_owner), ZERO_WORD))

    def digest(self, chain_id: int) -> Digest:
        """What the signature signs; shape (8,)."""
        return hash_chain(TAG_TX, self.triples(chain_id))

    def encode(self) -> bytes:
        """The 72 published bytes."""
        return self.head.encode() + elements_bytes(self.new_owner)


@dataclass(frozen=True, slots=True)
class Deploy:
    """Makes a program cell at the next free index.

    Attributes:
        signer, nonce, leaf, max_fee, tip: As in `Transfer`.
        code: Instructions as u64 words, 1 to 1024 of them.
        op: 3.
    """

    op: ClassVar[int] = OP_DEPLOY
    signer: int
    nonce: int
    leaf: int
    code: tuple[int, ...]
    max_fee: int
    tip: int = 0

    def __post_init__(self) -> None:
        self.head.check(self.nonce)
        if not 1 <= len(self.code) <= MAX_CODE_LENGTH:
            raise CodecError(CodecReason.LENGTH, "code", f"1..{MAX_CODE_LENGTH}", len(self.code))
        for word in self.code:
            check_u64("code word", word)

    @property
    def head(self) -> Head:
        """T0..T4."""
        return Head(self.signer, self.leaf, 0, self.tip, len(self.code), self.op, 0, self.max_fee)

    @property
    def gas(self) -> int:
        """Gas charged."""
        return GAS_DEPLOY + GAS_DEPLOY_WORD * len(self.code)

    @property
    def num_bytes(self) -> int:
        """Published bytes charged."""
        return BYTES_DEPLOY + 8 * len(self.code)

    def words(self) -> tuple[Word, ...]:
        """T0..T4, code."""
        return (*self.head.words(), *map(u64_word, self.code))

    def triples(self, chain_id: int) -> tuple[Triple, ...]:
        """What the signed digest absorbs: the code by its hash."""
        return (
            *self.head.triples(chain_id, self.nonce),
            (*raw_words(code_digest(self.code)), ZERO_WORD),
        )

    def digest(self, chain_id: int) -> Digest:
        """What the signature signs; shape (8,)."""
        return hash_chain(TAG_TX, self.triples(chain_id))

    def encode(self) -> bytes:
        """The published bytes."""
        return self.head.encode() + struct.pack(f"<{len(self.code)}Q", *self.code)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: a program's cell (0: the bank), a selector and four arguments.

    The bank knows selector 0: move argument 3 of any asset from purse (argument 1), which is the signer's or owned
    by it, to purse (argument 2). Programs cannot touch the signer's purses; the signer does, in the same list.
    """

    program: int
    selector: int = 0
    arguments: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        check_u32("called program", self.program)
        check_u32("selector", self.selector)
        if len(self.arguments) != NUM_ARGUMENTS:
            raise CodecError(CodecReason.LENGTH, "arguments", NUM_ARGUMENTS, len(self.arguments))
        for argument in self.arguments:
            check_u64("argument", argument)

    @classmethod
    def bank_move(cls, source: int, target: int, amount: int) -> Call:
        """The signer moves from a purse of his own."""
        return cls(0, 0, (source, target, amount, 0))

    def words(self) -> tuple[Word, Word, Word, Word, Word]:
        """C0..C4."""
        a, b, c, d = map(u64_word, self.arguments)
        return pair_word(self.program, self.selector), a, b, c, d

    def triples(self) -> tuple[Triple, Triple]:
        """What the signed digest absorbs."""
        c0, c1, c2, c3, c4 = self.words()
        return (c0, c1, c2), (c3, c4, ZERO_WORD)

    def encode(self) -> bytes:
        """The 40 published bytes."""
        return struct.pack("<II4Q", self.program, self.selector, *self.arguments)


@dataclass(frozen=True, slots=True)
class Calls:
    """An atomic list of calls: all of them happen, or the fee alone.

    Attributes:
        signer, nonce, leaf, tip: As in `Transfer`.
        calls: 1 to 16, run in order.
        gas_limit: Most gas that it may use; what is not used is refunded.
        max_fee: Most that the signer pays; must cover the whole gas limit.
        op: 4.
    """

    op: ClassVar[int] = OP_CALLS
    signer: int
    nonce: int
    leaf: int
    calls: tuple[Call, ...]
    gas_limit: int
    max_fee: int
    tip: int = 0

    def __post_init__(self) -> None:
        self.head.check(self.nonce)
        if not 1 <= len(self.calls) <= MAX_CALLS:
            raise CodecError(CodecReason.LENGTH, "calls", f"1..{MAX_CALLS}", len(self.calls))

    @property
    def head(self) -> Head:
        """T0..T4."""
        return Head(
            self.signer, self.leaf, self.gas_limit, self.tip, len(self.calls), self.op, 0, self.max_fee
        )

    @property
    def gas(self) -> int:
        """Gas that must be covered: the limit."""
        return self.gas_limit

    @property
    def first_gas(self) -> int:
        """Gas before the first call runs."""
        return GAS_CALLS + GAS_CALL * len(self.calls)

    @property
    def num_bytes(self) -> int:
        """Published bytes charged."""
        return BYTES_CALL * (1 + len(self.calls))

    def words(self) -> tuple[Word, ...]:
        """T0..T4, C0..C4 of each call."""
        return (*self.head.words(), *(word for call in self.calls for word in call.words()))

    def tape_words(self, failing: bool) -> tuple[Word, ...]:
        """What the kernel reads: T0..T4, whether it fails, the calls."""
        words = self.words()
        return (*words[:5], u64_word(int(failing)), *words[5:])

    def triples(self, chain_id: int) -> tuple[Triple, ...]:
        """What the signed digest absorbs, three words a step."""
        calls = (triple for call in self.calls for triple in call.triples())
        return (*self.head.triples(chain_id, self.nonce), *calls)

    def digest(self, chain_id: int) -> Digest:
        """What the signature signs; shape (8,)."""
        return hash_chain(TAG_TX, self.triples(chain_id))

    def encode(self) -> bytes:
        """The published bytes."""
        return self.head.encode() + b"".join(call.encode() for call in self.calls)
