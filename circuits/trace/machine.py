"""The machine's nine tables from a run: requests are collected in order, so that every bus balances.

cpu steps -> code -> muldiv -> add (sums, comparisons, remainders) -> word (distinct words of all) -> memory -> range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuits.machine.isa import Opcode
from circuits.tables.cells import CellsColumns
from circuits.tables.memory import MemoryColumns
from circuits.tables.muldiv import MulDivColumns
from circuits.tables.range import LOG_HEIGHT
from circuits.trace import add, cells, code, cpu, memory, muldiv, range, rom, word
from circuits.trace.capacity import check_capacity
from circuits.trace.execution import I64, U32, Execution, Steps, pack_words, read_steps

TABLES = ("cpu", "rom", "code", "memory", "cells", "add", "muldiv", "word", "range")


@dataclass(frozen=True)
class MachineTraces:
    """The result.

    Attributes:
        tables: name -> (width, height) uint32, canonical.
        hashes: (24, k) inputs of the run's HASH steps, in order, then of the code table's rows: tag, h8, a4,
            b4, c4, 0, 0, 0.
        hash_results: (8, k) their results.
        signatures: (17, s) SIG tuples, in order: message8, owner8, leaf.
    """

    tables: dict[str, U32]
    hashes: U32
    hash_results: U32
    signatures: U32


def rows_needed(run: Execution, program: Sequence[Sequence[int]]) -> dict[str, int]:
    """Rows that a run needs of each table, before any table is built.

    cpu counts its closing PAD row, add the row for muldiv's padding. `word` is exact for
    these requests; all others are exact by counting.
    """
    steps = read_steps(run)
    divisions = steps.where(Opcode.MULDIV).size
    small = muldiv.generate(steps, divisions + 1)
    sums = _sums(steps, small, divisions)
    needed = {
        "cpu": steps.pc.size + 1,
        "rom": len(program[0]),
        "code": code.rows_needed(run.programs),
        "memory": memory.collect(steps, run).shape[1],
        "cells": cells.rows_needed(run),
        "add": sums.rows,
        "muldiv": divisions,
        "word": _words(steps, small, sums, code.first_words(run.programs), 0).values.size,
        "range": 1 << LOG_HEIGHT,
    }
    return {name: int(needed[name]) for name in TABLES}


def generate(run: Execution, program: Sequence[Sequence[int]], heights: Mapping[str, int]) -> MachineTraces:
    """All nine tables.

    Args:
        run: the steps and touched cells.
        program: the ROM's columns, as `RomAir` got them.
        heights: table -> rows.

    Raises:
        CapacityError: a table is too small; the first one in order of TABLES.
    """
    steps = read_steps(run)
    tables = {
        "cpu": cpu.generate(steps, heights["cpu"]),
        "rom": rom.generate(steps, len(program[0]), heights["rom"]),
    }
    states = code.states(run.programs)
    tables["code"] = code.generate(run.programs, states, steps, heights["code"])
    tables["memory"] = memory.generate(memory.collect(steps, run), heights["memory"])
    tables["cells"] = cells.generate(run, heights["cells"])
    divisions = steps.where(Opcode.MULDIV).size
    check_capacity("muldiv", divisions, heights["muldiv"])
    # one padding row more than the steps shows what every padding row asks for
    with_padding = muldiv.generate(steps, divisions + 1)
    sums = _sums(steps, with_padding, divisions, heights["muldiv"] - divisions)
    tables["add"] = add.generate(sums, heights["add"])
    tables["muldiv"] = muldiv.generate(steps, heights["muldiv"])
    instructions = code.first_words(run.programs)
    padding = (heights["muldiv"] - divisions, heights["add"] - sums.rows)
    words = _words(steps, with_padding, sums, instructions, *padding)
    tables["word"] = word.generate(words, heights["word"])
    check_capacity("range", 1 << LOG_HEIGHT, heights["range"])
    tables["range"] = _range(tables["memory"], tables["cells"], tables["word"])

    hashes = steps.where(Opcode.HASH)
    inputs = np.zeros((24, hashes.size), dtype=np.int64)
    inputs[0] = steps.instruction[4, hashes]
    inputs[1:9] = steps.h[:, hashes]
    inputs[9:13], inputs[13:17], inputs[17:21] = steps.va[:, hashes], steps.vb[:, hashes], steps.vc[:, hashes]
    code_inputs, code_results = code.hashes(run.programs, states)
    return MachineTraces(
        {name: tables[name] for name in TABLES},
        np.concatenate([inputs.astype(np.uint32), code_inputs], axis=1),
        np.concatenate([steps.h[:, hashes + 1].astype(np.uint32), code_results], axis=1),
        _signatures(steps),
    )


def _sums(steps: Steps, table: U32, divisions: int, padding: int = 0) -> add.Sums:
    columns = MulDivColumns(list(table[:, :divisions].astype(np.int64)))
    return add.collect(steps, _limbs(columns.r), _limbs(columns.c), padding)


def _limbs(word_bytes: Sequence[I64]) -> I64:
    return np.stack([word_bytes[2 * i] + 256 * word_bytes[2 * i + 1] for i in (0, 1, 2, 3)])


def _words(
    steps: Steps,
    table: U32,
    sums: add.Sums,
    instructions: NDArray[np.uint64],
    muldiv_padding: int,
    add_padding: int = 0,
) -> word.Words:
    """Requests of HINT, code, add and muldiv; `table` is muldiv with exactly one padding row, its last."""
    by_bytes = np.ascontiguousarray(table[:40].T.astype(np.uint8)).view("<u8")  # (rows, 5)
    ranges = pack_words(muldiv.range_words(table)).reshape(3, -1)
    by_limbs: list[NDArray[np.uint64]] = [
        pack_words(steps.vc[:, steps.where(Opcode.HINT, Opcode.GAS, Opcode.HWORD)]),
        pack_words(sums.x),
        pack_words(sums.y),
        pack_words(sums.z),
        ranges[:, :-1].reshape(-1),
    ]
    extra = [(0, 0, 3 * add_padding)]
    extra += [(int(value), muldiv_padding, 0) for value in by_bytes[-1]]
    extra += [(int(value), 0, muldiv_padding) for value in ranges[:, -1]]
    octets = np.concatenate([by_bytes[:-1].astype(np.uint64).reshape(-1), instructions])
    return word.collect(octets, np.concatenate(by_limbs), tuple(extra))


def _range(memory_table: U32, cells_table: U32, word_table: U32) -> U32:
    distances = MemoryColumns(list(memory_table)).diff_low.astype(np.int64)
    spaces = CellsColumns(list(cells_table)).space.astype(np.int64)
    octets = word_table[:8].astype(np.int64)
    pairs = (octets[0::2] + 256 * octets[1::2]).reshape(-1)
    return range.generate(np.concatenate([distances, spaces]), pairs)


def _signatures(steps: Steps) -> U32:
    at = steps.where(Opcode.SIG)
    leaf = steps.vc[0, at] + 65536 * steps.vc[1, at]
    return np.concatenate([steps.h[:, at], steps.va[:, at], steps.vb[:, at], leaf[None]]).astype(np.uint32)
