"""The interpreter's checks on a Program: a result may not lie over its operands (memcpy)."""

import numpy as np
import pytest

import native
from verifier.stark.program import Code

KEYS = [native.blake3_context_key("test")]


def _code(lines, sub=None, items=(0, 0)):
    blocks = [np.array(lines, np.uint32).reshape(-1, 8)]
    if sub is not None:
        blocks.append(np.array(sub, np.uint32).reshape(-1, 8))
    return native.ProgramCode(
        blocks, [10, 0][: len(blocks)], list(items[: len(blocks)]), np.zeros(100, np.uint32), 10, KEYS
    )


@pytest.mark.parametrize(
    "line",
    [
        [Code.COPY, 10, 5, 0, 0, 6, 0, 0],
        [Code.COPY, 5, 10, 0, 0, 6, 0, 0],
        [Code.SELECT, 10, 0, 12, 30, 4, 0, 0],
        [Code.SELECT, 10, 0, 30, 12, 4, 0, 0],
        [Code.EXT_SCALE, 10, 20, 12, 0, 0, 0, 0],
        [Code.POWERS, 10, 12, 0, 0, 3, 0, 0],
        [Code.EMBED, 10, 13, 0, 0, 0, 0, 0],
        [Code.CHALLENGE, 10, 0, 0, 0, 0, 0, 0],
        [Code.BITS, 10, 10, 0, 0, 4, 0, 0],
    ],
)
def test_a_result_over_its_operands_is_refused(line):
    with pytest.raises(native.KernelError, match="apart"):
        _code([line])


def test_an_item_over_the_items_is_refused():
    loop = [Code.FOR_EACH, 0, 20, 2, 1, 3, 0, 0]
    _code([loop], [], (0, 18))
    _code([loop], [], (0, 26))
    for item in (19, 20, 25):
        with pytest.raises(native.KernelError, match="apart"):
            _code([loop], [], (0, item))


def test_neighbours_are_no_overlap():
    _code(
        [
            [Code.COPY, 10, 4, 0, 0, 6, 0, 0],
            [Code.COPY, 4, 10, 0, 0, 6, 0, 0],
            [Code.EXT_MUL, 12, 0, 6, 0, 0, 0, 0],
            [Code.ASSERT_EQUAL, 0, 0, 0, 0, 6, 0, 0],
        ]
    )
