"""word: eight bytes a row; proves that a word is a u64, by bytes (MULDIV) or by 16-bit limbs (all others)."""

from __future__ import annotations

from typing import Any

from circuits.relations import BYTES, LIMBS, PAIR
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns


class WordColumns(Columns):
    """One u64."""

    byte = columns(8)
    """Bytes, least significant first. Range: PAIR(byte[2i+1], byte[2i]) on every row, padding included."""
    mult_bytes = column()
    """Times BYTES(byte) is sent by other tables; any field element (the row is true whatever it is)."""
    mult_limbs = column()
    """Times LIMBS(byte[0] + 256 byte[1], ..) is sent by other tables."""


class WordAir(Air):
    """Provides BYTES and LIMBS.

    A tuple of either relation is provided only by a row whose eight values are bytes, so every LIMBS item is
    in [0, 2^16) (256 * 255 + 255 < p: no wrap) and every BYTES item in [0, 2^8). No constraint beyond the
    lookups.
    """

    name = "word"
    Main = WordColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Four pairs are sent to `range`, two tuples received."""
        byte = local.byte
        for i in range(4):
            builder.send(PAIR, [byte[2 * i + 1], byte[2 * i]], 1, f"word.pair[{i}]")
        builder.receive(BYTES, byte, local.mult_bytes, "word.bytes")
        limbs = [byte[2 * i] + 256 * byte[2 * i + 1] for i in range(4)]
        builder.receive(LIMBS, limbs, local.mult_limbs, "word.limbs")
