"""Heights on which a table's argument rests are refused when a shape or a key is made."""

from __future__ import annotations

import pytest

from circuits.statement import heights, system
from circuits.tables.cpu import MAX_LOG_HEIGHT
from prover.key import KeyFormatError, VerifyingKey
from prover.params import PRESETS
from prover.shape import Shape, ShapeError

LOGS = {name: height.bit_length() - 1 for name, height in heights("standard").items()}
BAD = {
    "cpu": MAX_LOG_HEIGHT + 1,  # times would pass those of drains
    "range": 17,  # 17-bit values would be in range
    "rom": 6,  # the kernel would be cut
    "chain": 5,  # half a signature's block
}


@pytest.mark.parametrize("table", BAD)
def test_shape_of_a_height_that_a_table_does_not_cover_is_refused(table):
    with pytest.raises(ShapeError):
        Shape.of(system(), {**LOGS, table: BAD[table]})


@pytest.mark.parametrize("table", BAD)
def test_key_of_a_height_that_a_table_does_not_cover_is_refused(table):
    key = VerifyingKey(system(), Shape.of(system(), LOGS), PRESETS["standard"], bytes(32))
    data = bytearray(key.encode())
    names = [air.name for air in system().airs]
    at = len(data) - 4 * (len(names) - names.index(table))
    assert data[at] == LOGS[table]
    data[at] = BAD[table]
    with pytest.raises(KeyFormatError):
        VerifyingKey.decode(bytes(data), system())
