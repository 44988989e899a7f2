"""The tables in docs/ that are made from the code: `python -m tests.circuits.machine.docs` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from circuits.machine.manual import tables

MACHINE = Path(__file__).parents[3] / "docs/machine.md"
_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """The text with each table between its marks as the code has it.

    Raises:
        KeyError: A mark names no table.
    """
    made = tables()
    return _TABLE.sub(lambda found: f"{found[1]}{made[found[2]]}{found[3]}", text)


def marks(text: str) -> list[str]:
    """Names of the tables that a text holds."""
    return [found[2] for found in _TABLE.finditer(text)]


if __name__ == "__main__":
    MACHINE.write_text(with_tables(MACHINE.read_text()))
