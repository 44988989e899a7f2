"""What a proof will cost, computed from column counts and heights before anything is allocated.

Memory follows from the sizes of the arrays that live at once; time is an estimate from a measured rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prover.field import DEGREE
from prover.hashing import DIGEST_WORDS
from prover.layout import Layout, TreeName

ELEMENT_BYTES = 4
BASE_BYTES = 165 << 20
"""Interpreter, libraries, compiled code and the ledger, measured."""
WITNESS_SHARE = 0.25
"""Logs and claims from which the tables are filled, measured as a share of the tables."""
CELLS_PER_SECOND = 50e6
"""Extended cells that one thread takes through all steps of a proof in a second, measured with AVX-512."""
EXECUTION_SECONDS = 1.3e-3
"""A transaction's check, execution and tables, measured."""


@dataclass(frozen=True)
class Prediction:
    """Cost of one proof.

    Attributes:
        committed_cells: preprocessed, main, interaction and quotient columns times their heights.
        extended_cells: the same times 1/rate.
        peak_bytes: of the process, at the prover's peak.
        seconds: an estimate; other processors differ by a factor of two or three.
    """

    committed_cells: int
    extended_cells: int
    peak_bytes: int
    seconds: float


def predict(layout: Layout, threads: int, transactions: int = 0) -> Prediction:
    """The cost of a proof of this layout.

    Args:
        layout: of the proof.
        threads: that will work.
        transactions: of the batch; their execution is part of the time.
    """
    cells = {tree.name: sum(c.width << c.log_height for c in tree.classes) for tree in layout.trees}
    committed = sum(cells.values())
    extended = committed * layout.params.blowup
    main = cells[TreeName.MAIN]
    nodes = sum(2 << tree.log_leaves for tree in layout.trees)
    codewords = 2 * DEGREE << layout.log_max_points
    elements = main + cells.get(TreeName.INTERACTION, 0) + extended + DIGEST_WORDS * nodes + codewords
    peak = BASE_BYTES + ELEMENT_BYTES * (elements + int(WITNESS_SHARE * main))
    seconds = extended / (CELLS_PER_SECOND * threads) + transactions * EXECUTION_SECONDS
    return Prediction(committed, extended, peak, seconds)


def available_memory(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that this process may still take; None where the system does not say.

    Args:
        proc: where `meminfo` is.
        cgroup: where a container's limit is.
    """
    found = []
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        found += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
        limit = (cgroup / "memory.max").read_text().strip()
        if limit != "max":
            found.append(int(limit) - int((cgroup / "memory.current").read_text()))
    except (OSError, ValueError, IndexError):
        pass  # a figure that the system does not give is not compared with
    return min(found, default=None)
