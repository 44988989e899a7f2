"""Reads tests/vectors/bitcoin; their origins are in tests/vectors/SOURCES.md."""

import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[1] / "vectors" / "bitcoin"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())
