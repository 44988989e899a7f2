"""The campaign over the machine's tables; p16 and p24 too with `make mutate`."""

from __future__ import annotations

import subprocess
import sys

import pytest

MACHINE = ("cells", "code", "memory", "add", "muldiv", "chain", "cpu", "rom", "word", "range")


@pytest.mark.slow
def test_no_constraint_of_the_machine_can_be_dropped_unnoticed():
    """In a process of its own: it runs the attack tests with their checkers watched."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.constraints.campaign", *MACHINE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
