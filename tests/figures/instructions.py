"""Instructions of kernels under callgrind: `python -m tests.figures.instructions` accepts them as the new baseline.

Valgrind knows no AVX-512. Counts hang on the compiler, whose version the baseline names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from native.backend import TIERS
from native.build import COMPILE_ARGS, CSRC, X86, sources

CC = os.environ.get("CC", "gcc")
DRIVER = Path(__file__).parent / "kernels.c"
BASELINE = Path(__file__).parent / "instructions.json"
KERNELS = tuple(re.findall(r'strcmp\(name, "(\w+)"\)', DRIVER.read_text()))
COUNTED_TIERS = TIERS[: 2 if X86 else 1]


def compiler() -> str:
    """The first line that it says of its version; empty where there is none."""
    if not shutil.which(CC):
        return ""
    return subprocess.run([CC, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[
        0
    ]


def build(directory: Path) -> Path:
    """The driver, compiled as the package is."""
    program = directory / "kernels"
    command = [CC, *COMPILE_ARGS, f"-I{CSRC}", str(DRIVER), *sources(), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def instructions(program: Path, kernel: str, tier: str) -> int:
    """Of one call on one thread, tables and buffers made before."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=measured"]
    arguments = [*command, str(program), kernel, str(TIERS.index(tier))]
    said = subprocess.run(arguments, check=True, capture_output=True, text=True).stderr
    return int(re.findall(r"Collected : (\d+)", said)[0])


def measure() -> dict[str, dict[str, int]]:
    """All counts, by tier and kernel."""
    with tempfile.TemporaryDirectory() as scratch:
        program = build(Path(scratch))
        return {tier: {k: instructions(program, k, tier) for k in KERNELS} for tier in COUNTED_TIERS}


if __name__ == "__main__":
    BASELINE.write_text(json.dumps({"compiler": compiler(), "instructions": measure()}, indent=2) + "\n")
