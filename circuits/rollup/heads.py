"""The five words T0..T4 that every transaction begins with."""

from __future__ import annotations

import struct
from typing import NamedTuple

from circuits.rollup.codec import Reader
from circuits.rollup.words import Triple, Word, check_u32, check_u64, pair_word, u64_word


class Head(NamedTuple):
    """T0 = signer | leaf, T1 = program | tip, T2 = to | op, T3 = amount, T4 = maximum fee.

    Units: msat; tip in msat per gas.
    """

    signer: int
    leaf: int
    program: int
    tip: int
    to: int
    op: int
    amount: int
    max_fee: int

    def check(self, nonce: int) -> None:
        """Ranges of all fields.

        Raises:
            CodecError: RANGE.
        """
        check_u32("nonce", nonce)
        for name in ("signer", "leaf", "to", "tip", "program"):
            check_u32(name, getattr(self, name))
        check_u32("operation", self.op)
        check_u64("amount", self.amount)
        check_u64("max fee", self.max_fee)

    def words(self) -> tuple[Word, Word, Word, Word, Word]:
        """T0..T4."""
        return (
            pair_word(self.signer, self.leaf),
            pair_word(self.program, self.tip),
            pair_word(self.to, self.op),
            u64_word(self.amount),
            u64_word(self.max_fee),
        )

    def triples(self, chain_id: int, nonce: int) -> tuple[Triple, Triple]:
        """What the signed digest absorbs first."""
        t0, t1, t2, t3, t4 = self.words()
        return (t0, t1, t2), (t3, t4, pair_word(chain_id, nonce))

    def encode(self) -> bytes:
        """The 40 published bytes."""
        return struct.pack("<IIIIIIQQ", *self)

    @classmethod
    def read(cls, reader: Reader) -> Head:
        """Read what `encode` wrote.

        Raises:
            CodecError: TRUNCATED.
        """
        signer, leaf = reader.pair("signer, leaf")
        program, tip = reader.pair("program, tip")
        to, op = reader.pair("to, op")
        return cls(signer, leaf, program, tip, to, op, reader.u64("amount"), reader.u64("max fee"))
