"""A store of a chain with the economy's programs: their names, and its batches replayed, for the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from circuits.machine.errors import MachineError
from circuits.programs.staking import Layout, Rules, build
from circuits.rollup.cells import ProgramCell
from circuits.rollup.errors import StoreError, StoreReason
from circuits.rollup.files import read_file
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger
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
        if name.isdecimal():
            return int(name)
        if name not in self.accounts:
            raise PipelineError(f"no account {name}: give a cell, or one of {', '.join(self.accounts)}")
        return self.accounts[name]

    def check(self, ledger: Ledger) -> None:
        """The staking program is where, and what, the names say: figures are read from its cells.

        Raises:
            PipelineError: It is not.
        """
        at = self.layout.program
        cell = ledger.cells.get(at)
        try:
            digest = code_digest(build(at, self.rules).encode())
        except (ValueError, MachineError) as error:
            raise PipelineError(f"{NAMES_FILE}: rules of no staking program ({error})") from error
        if not isinstance(cell, ProgramCell) or cell.code_hash != digest:
            raise PipelineError(f"{NAMES_FILE}: cell {at} is not the staking program with these rules")


def read_names(path: Path) -> Names:
    """The names beside a store, in its directory.

    Raises:
        PipelineError: There is no such file, or it is not what `make demo-economy` writes.
    """
    file = (path if path.is_dir() else path.parent) / NAMES_FILE
    try:
        data = json.loads(read_file(file))
        rules = Rules(**{name: int(value) for name, value in data["staking"].items()})
        programs = {str(name): int(cell) for name, cell in data["programs"].items()}
        accounts = {str(name): int(cell) for name, cell in data["accounts"].items()}
        return Names(programs, accounts, Layout(programs["staking"], rules.depth), rules)
    except StoreError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise PipelineError(f"{file}: not the names of a chain's programs ({error})") from error


def open_store(path: Path) -> Store:
    """The store in a directory, or the file itself.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    return Store.open(path / STATE_FILE if path.is_dir() else path)


def replayed(path: Path) -> Iterator[Transition]:
    """Every committed batch of a store, replayed from its published bytes, with the public values that were stored.

    Raises:
        StoreError, CodecError, BatchRefused: The store is damaged.
    """
    with open_store(path) as store:
        numbers = range(1, store.batch_number() + 1)
        data = encode_genesis(store.ledger(0)) + b"".join(store.published(i) for i in numbers)
        inbox = encode_inbox(()) + b"".join(store.events(i) for i in numbers)
        stored = [store.public_values(i) for i in numbers]
    pairs = zip_longest(replay_all(data, read_inbox(inbox)), stored)
    for number, (done, values) in enumerate(pairs, 1):
        if done is None or values != done.public_values:
            raise StoreError(StoreReason.CORRUPT, f"{path}, batch {number}", "what its published bytes give")
        yield done
