"""The reference backend: every operation on plain integers, checked as it goes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import mul as int_mul
from typing import TypeAlias

from prover import field
from prover.field import DEGREE, P
from prover.hashing import Context, digest, to_bytes, to_words
from verifier.stark.reasons import RejectReason, VerificationError

Words: TypeAlias = tuple[int, ...]


class ReferenceOps:
    """Runs over one proof's body."""

    def __init__(self, body: array[int], public_values: Sequence[int]) -> None:
        self._body, self._public, self._cursor, self._scope = body, tuple(public_values), 0, ""
        self._columns: dict[int, tuple[Words, list[Words]]] = {}

    def _reject(self, reason: RejectReason, where: str, expected: object, got: object) -> VerificationError:
        return VerificationError(reason, self._scope + where, expected, got)

    def scope(self, name: str) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()

    def constant(self, words: Sequence[int]) -> Words:
        """Words known from the key."""
        return tuple(words)

    def public_values(self) -> Words:
        """The statement's public values."""
        return self._public

    def read_elements(self, count: int, where: str) -> Words:
        """The next elements, each below p."""
        words = self.read_words(count)
        if max(words) >= P:
            got = next(word for word in words if word >= P)
            raise self._reject(RejectReason.NON_CANONICAL, where, f"below {P}", got)
        return words

    def read_words(self, count: int) -> Words:
        """The next raw words."""
        start = self._cursor
        self._cursor += count
        return tuple(self._body[start : self._cursor])

    def part(self, a: Words, start: int, count: int) -> Words:
        """A slice."""
        return a[start : start + count]

    def join(self, parts: Sequence[Words]) -> Words:
        """Concatenation."""
        return tuple(word for part in parts for word in part)

    def hash(self, context: Context, words: Words) -> Words:
        """Eight words."""
        return tuple(to_words(digest(context, to_bytes(words))))

    def hash_wide(self, context: Context, words: Words) -> Words:
        """Sixteen words."""
        return tuple(to_words(digest(context, to_bytes(words), 64)))

    def bits(self, word: Words, count: int) -> Words:
        """Lowest first."""
        return tuple(word[0] >> i & 1 for i in range(count))

    def select(self, bit: Words, zero: Words, one: Words) -> Words:
        """By the bit."""
        return one if bit[0] else zero

    def challenge(self, block: Words) -> Words:
        """Six 64-bit words mod p."""
        return tuple((block[2 * i] + (block[2 * i + 1] << 32)) % P for i in range(DEGREE))

    def mul(self, a: Words, b: Words) -> Words:
        """In F_p."""
        return (a[0] * b[0] % P,)

    def ext_add(self, a: Words, b: Words) -> Words:
        """In KB6."""
        return field.add(a, b)  # type: ignore[arg-type]

    def ext_sub(self, a: Words, b: Words) -> Words:
        """In KB6."""
        return field.sub(a, b)  # type: ignore[arg-type]

    def ext_mul(self, a: Words, b: Words) -> Words:
        """In KB6."""
        return field.mul(a, b)  # type: ignore[arg-type]

    def ext_scale(self, a: Words, b: Words) -> Words:
        """In KB6."""
        return field.scale(a, b[0])  # type: ignore[arg-type]

    def ext_inverse(self, a: Words, where: str) -> Words:
        """In KB6."""
        if not any(a):
            raise self._reject(RejectReason.DIVISION_BY_ZERO, where, None, a)
        return field.inv(a)  # type: ignore[arg-type]

    def embed(self, a: Words) -> Words:
        """Padded with zeros."""
        return (a[0], 0, 0, 0, 0, 0)

    def powers(self, a: Words, count: int) -> Words:
        """One after another."""
        return self.join(field.powers(a, count))  # type: ignore[arg-type]

    def dot(self, weights: Words, values: Words) -> Words:
        """Coordinate by coordinate, one reduction each: sums stay below 2^62 * columns."""
        known = self._columns.get(id(weights))
        if known is None or known[0] is not weights:
            known = self._columns[id(weights)] = (weights, [weights[c::DEGREE] for c in range(DEGREE)])
        return tuple(sum(map(int_mul, column, values)) % P for column in known[1])

    def ext_dot(self, weights: Words, values: Words) -> Words:
        """By Horner-free accumulation."""
        total = field.ZERO
        for i in range(0, len(weights), DEGREE):
            product = field.mul(weights[i : i + DEGREE], values[i : i + DEGREE])  # type: ignore[arg-type]
            total = field.add(total, product)
        return total

    def assert_equal(self, got: Words, expected: Words, reason: RejectReason, where: str) -> None:
        """Rejects unless equal."""
        if got != expected:
            raise self._reject(reason, where, tuple(expected), tuple(got))

    def assert_zero(self, got: Words, reason: RejectReason, where: str) -> None:
        """Rejects unless all zero."""
        if any(got):
            raise self._reject(reason, where, (0,) * len(got), tuple(got))

    def assert_not_all_zero(self, got: Words, reason: RejectReason, where: str) -> None:
        """Rejects when all zero."""
        if not any(got):
            raise self._reject(reason, where, None, tuple(got))

    def for_each(self, name: str, items: Words, count: int, body: Callable[[Words], None]) -> None:
        """A loop."""
        width = len(items) // count
        for i in range(count):
            self._scope = f"{name} {i}: "
            body(items[i * width : (i + 1) * width])
        self._scope = ""
