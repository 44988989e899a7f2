"""A season of the example economy, kept as `make demo-economy` keeps it, without proofs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from circuits.rollup.sample import STATE_FILE
from circuits.rollup.store import Store
from examples.economy.season import Season
from examples.economy.world import RULES
from verifier.economy import NAMES_FILE


def kept_season(path: Path, seed: int, blocks: int) -> Season:
    """Plays a season; its state and names are in `path`."""
    played = Season(seed, blocks)
    ledger = played.world.chain.ledger
    with Store.create(path / STATE_FILE, ledger.cells, ledger.codes.values()) as store:
        for block in played.play():
            store.commit(block.transition)
    names = {"programs": played.world.programs, "accounts": played.world.people, "staking": asdict(RULES)}
    (path / NAMES_FILE).write_text(json.dumps(names))
    return played
