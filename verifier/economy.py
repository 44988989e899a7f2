"""A store of a chain with the economy's programs: their names, and its batches replayed, for the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from circuits.programs.staking import Layout, Rules
from circuits.rollup.files import read_file
from circuits.rollup.published import encode_genesis, encode_inbox, read_inbox
from circuits.rollup.rebuild import replay_all
from circuits.rollup.sample import STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.transition import Transition
from verifier.pipeline import PipelineError

NAMES_FILE = "names.json"


@dataclass(frozen=True)
class Names:
    """What `names.json` beside a store says.

    Attributes:
        programs: Cells of programs by name.
        accounts: Cells of accounts by name.
        layout: Of the staking program.
        rules: Of the staking program.
    """

    programs: dict[str, int]
    accounts: dict[str, int]
    layout: Layout
    rules: Rules

    def account(self, name: str) -> int:
        """The cell of an account, by name or number.

        Raises:
            PipelineError: Nobody has that name.
        """
        if name.isdigit():
            return int(name)
        if name not in self.accounts:
            raise PipelineError(f"no account {name}: give a cell, or one of {', '.join(self.accounts)}")
        return self.accounts[name]


def read_names(path: Path) -> Names:
    """The names beside a store, in its directory.

    Raises:
        PipelineError: There is no such file, or it is not what `make demo-economy` writes.
    """
    file = (path if path.is_dir() else path.parent) / NAMES_FILE
    try:
        data = json.loads(read_file(file))
        rules = Rules(**data["staking"])
        programs = {str(name): int(cell) for name, cell in data["programs"].items()}
        accounts = {str(name): int(cell) for name, cell in data["accounts"].items()}
        return Names(programs, accounts, Layout(programs["staking"], rules.depth), rules)
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{file}: not the names of a chain's programs ({error})") from error


def open_store(path: Path) -> Store:
    """The store in a directory, or the file itself.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    return Store.open(path / STATE_FILE if path.is_dir() else path)


def replayed(path: Path) -> Iterator[Transition]:
    """Every committed batch of a store, replayed from its published bytes.

    Raises:
        StoreError, CodecError, BatchRefused: The store is damaged.
    """
    with open_store(path) as store:
        numbers = range(1, store.batch_number() + 1)
        data = encode_genesis(store.ledger(0)) + b"".join(store.published(i) for i in numbers)
        inbox = encode_inbox(()) + b"".join(store.events(i) for i in numbers)
    yield from replay_all(data, read_inbox(inbox))
