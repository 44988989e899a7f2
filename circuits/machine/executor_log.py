"""What the executor's loops, in C and in numba, agree on with their caller: status codes, counters, rows of the log."""

from __future__ import annotations

from typing import Final

from circuits.machine.errors import MachineReason

STATUS: Final = {reason: number for number, reason in enumerate(MachineReason, start=1)}
"""Status code of each reason; 0 is HALT."""
GROW_STEPS: Final = -1
"""The log is full: run again with more room."""
GROW_CELLS: Final = -2
"""The cell table is full: run again with more room."""
GROW_SHADOWS: Final = -3
"""The table of shadow words is full: run again with more room."""
NUM_COUNTERS: Final = 6
STEPS, PC, USER, SIGNED, SHADOWS, ENTERED = range(NUM_COUNTERS)
"""Results in `counters`: steps done, pc, mode, SIGs, shadow words, programs entered."""
NUM_STATE: Final = 7
"""Rows of the log of state: user, saved_pc, program, uframe, space, gas, fault."""
