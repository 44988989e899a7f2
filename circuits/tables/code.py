"""code: the user programs that run in a batch, hashed instruction by instruction; cpu fetches from it."""

from __future__ import annotations

from typing import Any

from circuits.relations import BYTES, CODE, HASH, PROGRAM
from circuits.tags import TAG_CODE
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns


class CodeColumns(Columns):
    """One instruction; or the end of a listing, and padding, which are one kind: a listing of length 0."""

    listing = column()
    """Number of the listing, 1 in row 0, one more after each row that is no instruction; so below 2^25."""
    pc = column()
    """Place of the instruction in its listing: 0, 1, .. . Of an end: the listing's length."""
    op = column()
    """Instruction as deployed. Range of op, d, a, b: BYTES in instruction rows."""
    d = column()
    """Byte 1 of the instruction."""
    a = column()
    """Byte 2."""
    b = column()
    """Byte 3."""
    imm0 = column()
    """Limb 2 of the hashed word itself. Range: the deployed word's, a u64 (the kernel checks it)."""
    imm1 = column()
    """Limb 3, likewise."""
    h = columns(8)
    """Hash of the instructions before this one in the listing; 0^8 of none. Any elements; bound by HASH."""
    is_code = column()
    """The row is an instruction; boolean."""
    mult = column()
    """Instruction: times it is fetched. Else: times ENTER starts the listing that ends here. Any element."""


class CodeAir(Air):
    """Provides CODE and PROGRAM. Degree 3.

    A listing is what lies between two rows that are no instructions: its rows carry one number `listing`, pc
    from 0 and the hash state from 0^8, and its end, the row after the last instruction, offers PROGRAM(listing,
    hash of all its instructions). Numbers count up, so **no other row carries that number**: an instruction
    (listing, pc) is the one that was hashed there, each pc from 0 to the end has exactly one row, and past the
    end there is none. (The state after each instruction is the following row's h, so none is left out, and an
    end in mid-listing would end it: what follows has another number.) Hence ENTER, which sends PROGRAM(listing,
    code hash), chooses among listings with that hash, and collision resistance makes them equal. The first limb
    hashed is op + 256 d, the second a + 256 b: of bytes, so that the four are unique.

    The hash does not name the program's cell: two programs with the same code share a listing.

    Ring: row 0 follows the last row, which is no instruction; only the number does not carry over. An end of a
    listing of length 0 offers PROGRAM(listing, 0^8): a code hash of 0^8 is no program's, and such a listing has
    no instruction to fetch.
    """

    name = "code"
    Main = CodeColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Numbers, places and states; then what the row provides."""
        row, nxt = local, following
        ends = 1 - row.is_code
        builder.assert_bool(row.is_code, "code.is_code_bool")
        builder.when_last_row().assert_zero(row.is_code, "code.last_is_end")
        builder.when_first_row().assert_eq(row.listing, 1, "code.first_listing")
        builder.when_transition().assert_eq(nxt.listing, row.listing + ends, "code.listing_counts")
        builder.assert_eq(nxt.pc, row.is_code * (row.pc + 1), "code.pc_counts")
        builder.when(ends).assert_all_eq(nxt.h, (0,) * 8, "code.starts_empty")

        word = (row.op + 256 * row.d, row.a + 256 * row.b, row.imm0, row.imm1)
        hashed = (TAG_CODE, *row.h, *word, *(0,) * 8, *nxt.h)
        builder.send(HASH, hashed, row.is_code, "code.hash")
        builder.send(BYTES, [row.op, row.d, row.a, row.b, 0, 0, 0, 0], row.is_code, "code.bytes")
        fetched = (row.listing, row.pc, row.op, row.d, row.a, row.b, row.imm0, row.imm1)
        builder.receive(CODE, fetched, row.mult * row.is_code, "code.fetch")
        builder.receive(PROGRAM, [row.listing, *row.h], row.mult * ends, "code.program")
