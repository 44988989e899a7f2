"""Times of the ledger's steps: `python -m bench.rollup [transfers]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from circuits.rollup.execute import execute
from circuits.rollup.sample import sample


def main(transfers: int) -> None:
    """Make a sample, execute it, and print the seconds of each step."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "sample"
        start = time.perf_counter()
        sample(transfers, 1, directory)
        print(f"{'sample':>10}: {time.perf_counter() - start:7.3f} s")
        for name, seconds in execute(directory).seconds.items():
            print(f"{name:>10}: {seconds:7.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
