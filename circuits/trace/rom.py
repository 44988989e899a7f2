"""Multiplicities of the rom table."""

from __future__ import annotations

import numpy as np

from circuits.trace.capacity import check_capacity
from circuits.trace.execution import U32, Steps, finish


def generate(steps: Steps, program_length: int, height: int) -> U32:
    """How often each instruction is executed.

    Raises:
        CapacityError: the program is longer than the table.
    """
    check_capacity("rom", program_length, height)
    return finish(np.bincount(steps.pc[steps.user == 0], minlength=height)[None, :])
