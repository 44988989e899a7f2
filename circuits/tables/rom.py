"""rom: the kernel, preprocessed; cpu fetches from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuits.machine.isa import Opcode
from circuits.relations import ROM
from prover.air.air import Air, AirBuilder, AirError
from prover.air.columns import Columns, column

BOUNDS = (len(Opcode), 256, 256, 256, 1 << 16, 1 << 16)
"""op, d, a, b, imm0, imm1 lie below these."""


class RomColumns(Columns):
    """How often each instruction is executed."""

    mult = column()
    """Times the row is fetched; any field element (the row is a fixed fact)."""


class RomFixed(Columns):
    """One instruction a row; the row number is its pc. Fixed at set-up, part of the AIR digest."""

    pc = column()
    """The row number."""
    op = column()
    """Opcode; PAD beyond the program: cpu does not fetch on PAD rows, so never such a row."""
    d = column()
    """Register number, 1..255, or 0 if unused."""
    a = column()
    """Register number, 1..255, or 0 if unused."""
    b = column()
    """Register number, 1..255, or 0 if unused."""
    imm0 = column()
    """16-bit immediate: constant, jump target, word number, tag or public word number."""
    imm1 = column()
    """16-bit immediate."""


class RomAir(Air):
    """Provides ROM. Each pc occurs in one row, so an instruction is what set-up wrote there.

    Args:
        columns: pc, op, d, a, b, imm0, imm1 of the program (`Program.rom_columns()`), pc counting from 0.

    Raises:
        AirError: columns of other shape, or an item outside its range.
    """

    name = "rom"
    Main = RomColumns
    Fixed = RomFixed

    def __init__(self, columns: Sequence[Sequence[int]]) -> None:
        if len(columns) != RomFixed.width:
            raise AirError(f"rom: {len(columns)} columns, expected {RomFixed.width}")
        self.program = tuple(tuple(int(item) for item in row) for row in zip(*columns, strict=True))
        for pc, row in enumerate(self.program):
            if row[0] != pc or not all(
                0 <= item < bound for item, bound in zip(row[1:], BOUNDS, strict=True)
            ):
                raise AirError(f"rom: instruction {pc} is malformed: {row}")

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """The row is received as often as cpu fetches it."""
        fixed = builder.fixed
        builder.receive(
            ROM,
            [fixed.pc, fixed.op, fixed.d, fixed.a, fixed.b, fixed.imm0, fixed.imm1],
            local.mult,
            "rom.fetch",
        )

    def check_height(self, log_height: int) -> None:
        """The whole program has room.

        Raises:
            AirError: it has not.
        """
        if len(self.program) > 1 << log_height:
            raise AirError(f"rom: {len(self.program)} instructions, height {1 << log_height}")

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """The program, then unfetchable PAD rows whose pc runs on.

        Raises:
            AirError: the program is longer than the table.
        """
        self.check_height(log_height)
        height = 1 << log_height
        padding = tuple((pc, int(Opcode.PAD), 0, 0, 0, 0, 0) for pc in range(len(self.program), height))
        return [list(items) for items in zip(*(self.program + padding), strict=True)]
