"""The kinds of row that each table has, and where they are in a trace."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from circuits.machine.isa import MEMORY_DRAIN_TS, Opcode
from circuits.machine.kernel import kernel
from circuits.tables.add import AddColumns
from circuits.tables.cells import CellsColumns
from circuits.tables.chain import BLOCK, ChainColumns
from circuits.tables.code import CodeColumns
from circuits.tables.cpu import CpuColumns
from circuits.tables.memory import MemoryColumns
from circuits.tables.muldiv import MulDivColumns
from circuits.tables.p16 import P16Columns
from circuits.tables.p24 import P24Columns
from circuits.tables.range import RangeColumns
from circuits.tables.rom import RomColumns
from circuits.tables.word import WordColumns

LAYOUTS = {
    "p16": P16Columns,
    "p24": P24Columns,
    "chain": ChainColumns,
    "cpu": CpuColumns,
    "rom": RomColumns,
    "code": CodeColumns,
    "memory": MemoryColumns,
    "cells": CellsColumns,
    "add": AddColumns,
    "muldiv": MulDivColumns,
    "word": WordColumns,
    "range": RangeColumns,
}
Mask = np.ndarray


def _after(mask: Mask) -> Mask:
    return np.roll(mask, 1)


def _exclusive(**masks: Mask) -> dict[str, Mask]:
    """Masks by kind; `padding` is what no mask covers. A row has one kind: the first that covers it."""
    left = np.ones(next(iter(masks.values())).shape, bool)
    kinds = {}
    for name, mask in masks.items():
        kinds[name] = mask & left
        left = left & ~mask
    return {**kinds, "padding": left}


def _p16(row: P16Columns) -> dict[str, Mask]:
    tree = row.is_tree == 1
    return _exclusive(
        **{"chain step": row.cont == 1, "last chain step": row.last == 1},
        **{"node before": tree, "node after": _after(tree)},
    )


def _p24(row: P24Columns) -> dict[str, Mask]:
    sponge, path, owner, cell = (f == 1 for f in (row.is_sponge, row.is_path, row.is_owner, row.is_cell))
    return _exclusive(
        hash=row.is_hash == 1,
        **{"cell before": cell, "cell after": _after(cell)},
        **{"first sponge": sponge & ~_after(sponge), "last sponge": sponge & np.roll(path, -1)},
        sponge=sponge,
        **{"first path": path & _after(sponge), "last path": path & np.roll(owner, -1)},
        path=path,
        owner=owner,
        message=_after(owner),
    )


def _chain(row: ChainColumns) -> dict[str, Mask]:
    place = np.arange(len(row.is_active)) % BLOCK
    return _exclusive(**{f"chain {i}": (row.is_active == 1) & (place == i) for i in range(BLOCK)})


def _cpu(row: CpuColumns) -> dict[str, Mask]:
    return _exclusive(**{Opcode(i + 1).name: flag == 1 for i, flag in enumerate(row.flag)})


def _rom(row: RomColumns) -> dict[str, Mask]:
    inside = np.arange(len(row.mult)) < len(kernel())
    return _exclusive(executed=row.mult > 0, **{"not executed": inside})


def _code(row: CodeColumns) -> dict[str, Mask]:
    instruction = row.is_code == 1
    return _exclusive(
        **{"executed": instruction & (row.mult > 0), "not executed": instruction},
        end=_after(instruction),
    )


def _memory(row: MemoryColumns) -> dict[str, Mask]:
    register, cell = (row.real == 1) & (row.segment == 0), (row.real == 1) & (row.segment == 1)
    shadow = (row.real == 1) & (row.segment > 1)
    first, write = row.first_register == 1, row.is_write == 1
    return _exclusive(
        **{"first register write": register & first & write, "first register read": register & first},
        **{"register write": register & write, "register read": register},
        **{
            "seed of a shadow": shadow & (row.is_seed == 1),
            "shadow write": shadow & write,
            "shadow read": shadow,
        },
        seed=row.is_seed == 1,
        drain=cell & (row.ts == MEMORY_DRAIN_TS),
        **{"cell write": cell & write, "cell read": cell},
    )


def _add(row: AddColumns) -> dict[str, Mask]:
    padding_of_muldiv = row.mult_less > 1
    return _exclusive(sum=row.mult_add == 1, **{"0 < 1": padding_of_muldiv}, comparison=row.mult_less == 1)


def _word(row: WordColumns) -> dict[str, Mask]:
    by_bytes, by_limbs = row.mult_bytes > 0, row.mult_limbs > 0
    return _exclusive(both=by_bytes & by_limbs, bytes=by_bytes, limbs=by_limbs)


def _range(row: RangeColumns) -> dict[str, Mask]:
    used16, used_pair = row.mult16 > 0, row.mult_pair > 0
    return _exclusive(both=used16 & used_pair, range16=used16, pair=used_pair)


_KINDS = {
    "p16": _p16,
    "p24": _p24,
    "chain": _chain,
    "cpu": _cpu,
    "rom": _rom,
    "code": _code,
    "memory": _memory,
    "cells": lambda row: _exclusive(word=row.is_cell == 1, shadow=row.is_shadow == 1),
    "add": _add,
    "muldiv": lambda row: _exclusive(division=(row.mult == 1) & (row.fail == 0), failing=row.fail == 1),
    "word": _word,
    "range": _range,
}


def kinds(name: str, tables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Kind -> its rows, increasing. Every row has one kind; a kind may have no row."""
    row = LAYOUTS[name](list(tables[name].astype(np.int64)))
    return {kind: np.flatnonzero(mask) for kind, mask in _KINDS[name](row).items()}
