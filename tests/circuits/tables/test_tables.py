"""The tables' size, degree and completeness, and trace generation's capacities."""

from __future__ import annotations

import numpy as np
import pytest

from circuits.machine.isa import MEMORY_DRAIN_TS, READS_A, READS_B, READS_D, WRITES_D, Opcode
from circuits.statement import SHAPES, heights
from circuits.tables.cpu import MAX_LOG_HEIGHT, CpuAir
from circuits.tables.memory import MemoryColumns
from circuits.tables.range import RangeAir
from circuits.tables.rom import RomAir
from circuits.trace import machine
from circuits.trace.capacity import CapacityError
from circuits.trace.execution import inverses
from prover.air.air import MAX_DEGREE, AirError
from prover.field import P
from tests.circuits.tables import mini
from tests.circuits.tables.programs import CELLS, EVERYTHING, HEIGHTS, TAPE, airs, case, op, verdict

# name -> preprocessed, main, interaction columns (six base columns each)
COLUMNS = {
    "cpu": (0, 77, 8),
    "rom": (7, 1, 1),
    "code": (0, 18, 2),
    "memory": (0, 15, 1),
    "cells": (0, 13, 2),
    "add": (0, 18, 3),
    "muldiv": (0, 49, 5),
    "word": (0, 10, 3),
    "range": (3, 2, 1),
}
ROM = mini.columns(EVERYTHING)


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_as_budgeted(name):
    air = airs(EVERYTHING)[name]
    groups = air.record.fraction_groups()
    assert (air.Fixed.width, air.Main.width, len(groups)) == COLUMNS[name]
    assert max((c.degree for c in air.record.constraints), default=0) <= MAX_DEGREE


def test_every_opcode_together_is_accepted():
    done = case()
    assert done.violations() == {}
    assert done.unbalanced() == {}


def test_tables_are_canonical_uint32():
    for name, table in case().tables.items():
        assert table.dtype == np.uint32
        assert table.flags.c_contiguous
        assert table.shape == (airs(EVERYTHING)[name].Main.width, HEIGHTS[name])
        assert int(table.max()) < P


def test_rows_needed_is_what_generation_uses():
    run = mini.run(EVERYTHING, TAPE, CELLS)
    needed = machine.rows_needed(run, ROM)
    tables = case().tables
    assert needed["cpu"] == run.pc.size + 1
    assert needed["memory"] == int(tables["memory"][MemoryColumns.real.start].sum())
    assert needed["cells"] == int(tables["cells"][10].sum()) == 15
    assert needed["muldiv"] == int(tables["muldiv"][-1].sum())
    assert needed["word"] == np.unique(tables["word"][:8], axis=1).shape[1]
    assert list(needed) == list(COLUMNS)


@pytest.mark.parametrize("name", ["cpu", "rom", "memory", "cells", "add", "muldiv", "word", "range"])
def test_a_full_table_is_refused_by_name(name):
    run = mini.run(EVERYTHING, TAPE, CELLS)
    needed = machine.rows_needed(run, ROM)[name]
    with pytest.raises(CapacityError) as caught:
        machine.generate(run, ROM, HEIGHTS | {name: needed - 1})
    assert (caught.value.table, caught.value.rows, caught.value.capacity) == (name, needed, needed - 1)


def test_tables_without_padding_are_accepted():
    """Every table at its smallest power of two, some of them full."""
    program = [
        op("HINT", d=1),
        op("LI", d=2, imm0=3),
        op("MULDIV", d=2, a=1, b=1),
        op("MULDIV", d=2, a=1, b=2),
    ]
    program += [op("LI", d=3), op("LI", d=3), op("HALT")]
    heights = {"cpu": 8, "rom": 8, "memory": 16, "muldiv": 2, "add": 4, "cells": 1}
    assert machine.rows_needed(mini.run(program, [mini.u64(9)]), mini.columns(program)) == {
        "cpu": 8, "rom": 7, "code": 0, "memory": 10, "cells": 0, "add": 3, "muldiv": 2, "word": 9, "range": 65536,
    }  # fmt: skip
    assert verdict(program, [mini.u64(9)], heights=heights) == (set(), set())


def test_last_memory_row_may_be_a_drain():
    """5 seeds, 5 drains and 6 register accesses fill 16 rows."""
    program = [op("LI", d=k) for k in (1, 2, 3, 4, 5, 6)] + [op("HALT")]
    done = case(program, (), {3: [[1] * 4] * 5}, {"memory": 16})
    assert done.tables["memory"][MemoryColumns.real.start, -1] == 1
    assert done.violations() == {}
    assert done.unbalanced() == {}


def test_hash_requests_are_the_permutations_inputs_in_order():
    done = case()
    assert done.traces.hashes.shape == (24, 2)
    items = [item for relation, item, _ in done.run.outside if relation.name == "hash"]
    for k, item in enumerate(items):
        assert done.traces.hashes[:, k].tolist() == [*item[:21], 0, 0, 0]
        assert done.traces.hash_results[:, k].tolist() == list(item[21:])
    signatures = [item for relation, item, _ in done.run.outside if relation.name == "sig"]
    assert done.traces.signatures.T.tolist() == [list(item) for item in signatures]


def test_operand_sets_of_the_isa_are_those_of_the_interpreter():
    """A register that is read or written without need would be an access that no interpreter makes."""
    assert not READS_D & WRITES_D
    assert not (READS_A | READS_B | READS_D | WRITES_D) & {Opcode.PAD, Opcode.JMP, Opcode.HALT}


def test_inverses():
    values = np.array([0, 1, 2, P - 1, 12345])
    assert (values * inverses(values) % P).tolist() == [0, 1, 1, 1, 1]


def test_definitions_refuse_wrong_shapes():
    with pytest.raises(AirError):
        RangeAir().fixed_columns(15)
    with pytest.raises(AirError):
        RomAir(ROM).fixed_columns(5)
    with pytest.raises(AirError):
        RomAir(ROM[:6])
    with pytest.raises(AirError):
        RomAir(mini.columns([(len(Opcode), 0, 0, 0, 0, 0)]))
    with pytest.raises(AirError):
        CpuAir().check_height(17)
    CpuAir().check_height(16)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_keep_the_heights_that_the_tables_assume(shape):
    """Times stay below those of drains (MemoryAir); range has all of its rows."""
    rows = heights(shape)
    assert rows["cpu"] <= 1 << MAX_LOG_HEIGHT
    assert 4 * rows["cpu"] <= MEMORY_DRAIN_TS
    assert rows["range"] == 1 << 16
