"""The operations over which `verify_steps` is written: plain integers check, a recorder writes the Program.

A value is a vector of 32-bit words of known length: one word (base element, bit), six (KB6), eight (digest),
or a run of them. No operation branches on a value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from prover.hashing import Context
from verifier.stark.reasons import RejectReason

V = TypeVar("V")


class Ops(Protocol[V]):
    """Coarse primitives; each maps to one Program instruction or to none."""

    def scope(self, name: str) -> AbstractContextManager[None]:
        """Names what is done inside, for whoever opens the Program piece by piece; nests."""

    def constant(self, words: Sequence[int]) -> V:
        """Words known from the key."""

    def public_values(self) -> V:
        """The statement's public values, canonical."""

    def read_elements(self, count: int, where: str) -> V:
        """The proof's next `count` field elements; rejects NON_CANONICAL."""

    def read_words(self, count: int) -> V:
        """The proof's next `count` raw words."""

    def part(self, a: V, start: int, count: int) -> V:
        """`count` words of `a` from `start`."""

    def join(self, parts: Sequence[V]) -> V:
        """The parts one after another."""

    def hash(self, context: Context, words: V) -> V:
        """BLAKE3 derive_key of the words, 8 words of output."""

    def hash_wide(self, context: Context, words: V) -> V:
        """The same, 16 words of output (`words` is at most one block: the output is one compression)."""

    def bits(self, word: V, count: int) -> V:
        """The low `count` bits of a word, lowest first, one word each."""

    def select(self, bit: V, zero: V, one: V) -> V:
        """`one` where the bit is set, else `zero`; both of one length."""

    def challenge(self, block: V) -> V:
        """Six 64-bit little-endian words, each mod p."""

    def mul(self, a: V, b: V) -> V:
        """Product of base elements."""

    def ext_add(self, a: V, b: V) -> V:
        """A + b in KB6."""

    def ext_sub(self, a: V, b: V) -> V:
        """A - b in KB6."""

    def ext_mul(self, a: V, b: V) -> V:
        """A * b in KB6."""

    def ext_scale(self, a: V, b: V) -> V:
        """KB6 element times base element."""

    def ext_inverse(self, a: V, where: str) -> V:
        """1/a in KB6; rejects DIVISION_BY_ZERO."""

    def embed(self, a: V) -> V:
        """A base element as one of KB6."""

    def powers(self, a: V, count: int) -> V:
        """a^0 .. a^(count-1) in KB6, 6 * count words."""

    def dot(self, weights: V, values: V) -> V:
        """Sum of weights (KB6, one after another) times values (base)."""

    def ext_dot(self, weights: V, values: V) -> V:
        """Sum of products in KB6, both one element after another."""

    def assert_equal(self, got: V, expected: V, reason: RejectReason, where: str) -> None:
        """Rejects unless the words agree."""

    def assert_zero(self, got: V, reason: RejectReason, where: str) -> None:
        """Rejects unless every word is 0."""

    def assert_not_all_zero(self, got: V, reason: RejectReason, where: str) -> None:
        """Rejects when every word is 0."""

    def for_each(self, name: str, items: V, count: int, body: Callable[[V], None]) -> None:
        """Runs `body` once an item; each run reads on where the last one stopped, `where` gets "name i: "."""
