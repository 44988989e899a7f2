"""The boundary of the machine's loop; tests/circuits/machine holds what it does against the interpreter."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import native
from circuits.machine.isa import Opcode
from native.build import CSRC
from native.executor import _ARRAYS

pytestmark = pytest.mark.skipif(native.tiers() == ["numba"], reason="no C build")

LENGTHS = {"rom_rows": 2, "starts": 1, "programs": 0, "places": 4, "steps": 8, "publics": 23, "exits": 8}


def arrays() -> dict[str, Any]:
    made = {
        name: np.zeros([LENGTHS.get(n, 0) if isinstance(n, str) else n for n in shape], kind)
        for name, (kind, shape) in _ARRAYS.items()
    }
    made["rom"][:, 0] = (Opcode.FRAME, Opcode.HALT)
    return made


def test_a_program_runs_to_halt() -> None:
    given = arrays()
    assert native.execute(8, **given) == 0
    assert (
        given["counters"][0] == 2 and given["log_instruction"][0, :2].tolist() == given["rom"][:, 0].tolist()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"rom": np.zeros((2, 5), np.int64)},
        {"rom": np.zeros((2, 6), np.int32)},
        {"log_h": np.zeros((8, 7), np.uint32)},
        {"log_h": np.zeros((8, 16), np.uint32)[:, ::2]},
        {"starts": np.zeros(2, np.int64)},
        {"keys": np.zeros(3, np.int64)},
        {"unknown": np.zeros(1, np.int64)},
    ],
)
def test_arrays_of_another_form_are_refused(change: dict[str, Any]) -> None:
    given = {**arrays(), **change}
    if "keys" in change:  # as many places everywhere, but no power of two
        given |= {name: given[name][:3].copy() for name in ("before", "after", "shadow_at")}
    with pytest.raises(native.KernelError):
        native.execute(8, **given)
    with pytest.raises(native.KernelError):
        native.hash_words(np.zeros(3, np.int64), 1)  # type: ignore[arg-type]


def test_operations_are_numbered_as_in_the_instruction_set() -> None:
    text = (CSRC / "executor.c").read_text()
    names = re.search(r"enum opcode \{(.*?)\};", text, re.DOTALL)
    assert names and [name.strip() for name in names[1].split(",")] == [*Opcode.__members__, "OPCODES"]
