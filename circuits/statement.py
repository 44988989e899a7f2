"""The statement: which tables, tied how to the public values, at which heights.

Numpy-free: the reference verifier builds the same system.
"""

from __future__ import annotations

from functools import cache

from circuits.machine.isa import EXIT_DEPTH, EXIT_LEVEL
from circuits.machine.kernel import NUM_PUBLIC_WORDS, kernel
from circuits.relations import PUBLIC, TREE
from circuits.tables.add import AddAir
from circuits.tables.cells import CellsAir
from circuits.tables.chain import Chain
from circuits.tables.code import CodeAir
from circuits.tables.cpu import CpuAir
from circuits.tables.memory import MemoryAir
from circuits.tables.muldiv import MulDivAir
from circuits.tables.p16 import P16
from circuits.tables.p24 import P24
from circuits.tables.range import RangeAir
from circuits.tables.rom import RomAir
from circuits.tables.word import WordAir
from prover.air.air import AirSystem, PublicTuple
from prover.poseidon2 import compress
from prover.security import StatementLine
from prover.shape import Shape

DIGEST = 8
WORD = 4
NUM_PUBLIC_VALUES = 3 * DIGEST + NUM_PUBLIC_WORDS * WORD

STATEMENT = StatementLine(
    bits=124.0,
    reason="collisions of the 8-element (248-bit) Poseidon2 digests that the statement itself rests on",
)
"""Not a property of the proof: what the hashes inside the statement give (rollup.md, Hashing inside the statement)."""

_LOG_HEIGHTS = {
    "small": {
        "p16": 14, "p24": 12, "chain": 12, "cpu": 12, "rom": 12, "code": 12, "memory": 14, "cells": 12, "add": 12,
        "muldiv": 12, "word": 12, "range": 16,
    },
    "standard": {
        "p16": 18, "p24": 16, "chain": 16, "cpu": 16, "rom": 13, "code": 16, "memory": 18, "cells": 16, "add": 16,
        "muldiv": 13, "word": 16, "range": 16,
    },
}  # fmt: skip
"""log2 of the tables' heights. Few distinct heights: each is a FRI layer and a quotient."""

SHAPES = tuple(_LOG_HEIGHTS)
"""Names of the shapes, smallest first."""


def _public(start: int, length: int) -> tuple[tuple[str, int], ...]:
    return tuple(("public", i) for i in range(start, start + length))


def _empty_exit_root() -> tuple[int, ...]:
    """Root of an exit tree without exits: leaves 0^8."""
    digest: tuple[int, ...] = (0,) * DIGEST
    for _ in range(EXIT_DEPTH):
        digest = tuple(compress(16, digest + digest, DIGEST))
    return digest


def _public_tuples() -> tuple[PublicTuple, ...]:
    """The roots of both trees, and every public word."""
    before, after, exits = (_public(i * DIGEST, DIGEST) for i in range(3))
    empty = tuple(("constant", value) for value in _empty_exit_root())
    zero = ("constant", 0)
    tuples = [
        PublicTuple(TREE, (zero, zero, *before, *after), 1),
        PublicTuple(TREE, (("constant", EXIT_LEVEL), zero, *empty, *exits), 1),
    ]
    for k in range(NUM_PUBLIC_WORDS):
        word = _public(3 * DIGEST + k * WORD, WORD)
        tuples.append(PublicTuple(PUBLIC, (("constant", k), *word), 1))
    return tuple(tuples)


@cache
def system() -> AirSystem:
    """All tables of the statement, with the kernel as the ROM's program."""
    airs = (
        P16(),
        P24(),
        Chain(),
        CpuAir(),
        RomAir(kernel().rom_columns()),
        CodeAir(),
        MemoryAir(),
        CellsAir(),
        AddAir(),
        MulDivAir(),
        WordAir(),
        RangeAir(),
    )
    return AirSystem(airs, NUM_PUBLIC_VALUES, _public_tuples())


@cache
def shape(name: str) -> Shape:
    """The shape of that name.

    Raises:
        KeyError: no such shape; see SHAPES.
    """
    return Shape.of(system(), _LOG_HEIGHTS[name])


def heights(name: str) -> dict[str, int]:
    """Rows of each table in a shape."""
    return {table: 1 << log for table, log in _LOG_HEIGHTS[name].items()}
