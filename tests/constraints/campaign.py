"""`make mutate`: constraints and interactions are taken out of their tables, and something false is accepted.

What counts: a *run*, which the attack tests build, a whole statement in which exactly one constraint is broken (the
verdicts are read while those tests run); a *row* found by `mutation.Search`, checked by `rowcheck` with the table
as it is (it refuses, by that constraint) and with the constraint really removed (it accepts); where no such row
keeps its tuples, one that tells the other tables something else. An interaction that is taken out leaves the honest
batch unbalanced: provers and verifiers would disagree on every batch.

What no forgery is known for must be in SURVIVORS, with its reason.
`python -m tests.constraints.campaign TABLE ..` does some tables alone.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Collection
from copy import copy
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from circuits.statement import system
from prover.air.air import Air, AirRecord
from tests.circuits.tables import programs, rowcheck, test_hash_tables_attacks
from tests.constraints.mutation import Search
from tests.constraints.survivors import SURVIVORS
from tests.constraints.test_every_column import sampled_rows
from tests.soundness import forger
from tests.whole import everything, fixed_columns

ATTACKS = (
    "tests/circuits/tables/test_attacks.py",
    "tests/circuits/tables/test_user_attacks.py",
    "tests/circuits/tables/test_hash_tables_attacks.py",
    "tests/soundness/test_attacks.py",
    "tests/soundness/test_attacks_programs.py",
    "tests/soundness/test_attacks_order.py",
)
SHARED = {
    label
    for label, tables in Counter(c.label for air in system().airs for c in air.record.constraints).items()
    if tables > 1
}
"""Labels that several tables have: a verdict that does not name the table says nothing about them."""


class Verdicts:
    """Reads what the attack tests break, as a plugin of pytest."""

    def __init__(self) -> None:
        self.alone: dict[str, str] = {}
        self._test = ""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """The test that runs."""
        self._test = item.nodeid

    def note(self, labels: set[str], relations: set[str]) -> None:
        """A verdict: remembered if one constraint alone refuses."""
        if len(labels) == 1 and not relations:
            self.alone.setdefault(*labels, self._test)

    def watch(self) -> None:
        """Puts itself between the tests and their checkers."""
        case, forged = programs.Case, forger.Forgery
        violations, unbalanced, effect, broken = case.violations, case.unbalanced, case.effect, forged.broken
        check = test_hash_tables_attacks.check

        def noted_unbalanced(this: programs.Case) -> dict[tuple[str, tuple[int, ...]], int]:
            found = unbalanced(this)
            self.note(set(violations(this)), {relation for relation, _ in found})
            return found

        def noted_effect(this: programs.Case, changes: object) -> tuple[set[str], set[str]]:
            found = effect(this, changes)
            self.note(*found)
            return found

        def noted_broken(this: forger.Forgery) -> tuple[set[str], set[str]]:
            found = broken(this)
            self.note(*found)
            return found

        def noted_check(sample: object) -> tuple[dict[str, object], dict[object, int]]:
            failed, left = check(sample)
            names = {f"{table} {label}" for table, labels in failed.items() for label in labels}
            self.note(names, set(map(str, left)))
            return failed, left

        case.unbalanced, case.effect, forged.broken = noted_unbalanced, noted_effect, noted_broken
        test_hash_tables_attacks.check = noted_check


@cache
def runs() -> dict[str, str]:
    """Constraint -> the attack that it alone refuses."""
    verdicts = Verdicts()
    verdicts.watch()
    code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-m", "not slow", *ATTACKS], plugins=[verdicts])
    if code:
        raise SystemExit(f"the attack tests fail ({code})")
    return verdicts.alone


def without(air: Air, label: str) -> Air:
    """The table with a constraint or an interaction removed."""
    mutant, record = copy(air), air.record
    kept = AirRecord([c for c in record.constraints if c.label != label])
    kept.interactions = [i for i in record.interactions if i.label != label]
    mutant.__dict__["record"] = kept
    return mutant


def data_of(air: Air) -> dict[str, np.ndarray]:
    """A valid trace of the table, as `rowcheck` reads it."""
    return rowcheck.columns_of(air, everything().tables[air.name])


def rows_to_try(name: str, height: int) -> list[int]:
    """Padding first, then two rows of each kind."""
    sampled = sampled_rows(name)
    found = [*sampled.get("padding", []), *(row for rows in sampled.values() for row in rows[:2])]
    return list(dict.fromkeys([*found, 0, height - 1]))


def row_is_accepted(air: Air, label: str, search: Search, *, pinned: bool) -> bool:
    """Whether a forged row is refused by the constraint alone, and accepted without it."""
    rows = rows_to_try(air.name, search.height)
    forgery = search.forge(label, rows, random.Random(label), pinned=pinned)
    if forgery is None:
        return False
    data, rows = data_of(air), [forgery.row - 1, forgery.row]
    for column, value in forgery.cells.items():
        data["main"][column, forgery.row] = value
    return set(rowcheck.violations(air, data, rows)) == {label} and not rowcheck.violations(
        without(air, label), data, rows
    )


def interaction_is_missed(air: Air, label: str) -> bool:
    """Whether the honest trace contributes something else to the relations without it."""
    data = data_of(air)
    return rowcheck.contributions(air, data) != rowcheck.contributions(without(air, label), data)


@dataclass
class Outcome:
    """What became of a table's mutants.

    Attributes:
        table: its name.
        mutants: constraints and interactions.
        by: how many were killed, by kind of forgery.
        survivors: the others.
    """

    table: str
    mutants: int
    by: Counter[str]
    survivors: list[str]


KINDS = ("run", "row", "row and tuples", "honest batch")


def kill(air: Air) -> Outcome:
    """Takes out each constraint and interaction of a table."""
    fixed = fixed_columns().get(air.name, np.zeros((0, 1), np.uint32))
    search = Search(air, everything().tables[air.name], fixed)
    outcome = Outcome(air.name, len(air.record.constraints) + len(air.record.interactions), Counter(), [])
    for label in (constraint.label for constraint in air.record.constraints):
        if ({label} - SHARED) & runs().keys() or f"{air.name} {label}" in runs():
            outcome.by["run"] += 1
        elif row_is_accepted(air, label, search, pinned=True):
            outcome.by["row"] += 1
        elif row_is_accepted(air, label, search, pinned=False):
            outcome.by["row and tuples"] += 1
        else:
            outcome.survivors.append(f"{air.name} {label}")
    for label in (interaction.label for interaction in air.record.interactions):
        if interaction_is_missed(air, label):
            outcome.by["honest batch"] += 1
        else:
            outcome.survivors.append(f"{air.name} {label}")
    return outcome


def main(only: Collection[str] = ()) -> int:
    """Prints a line a table; fails on a survivor that is not listed.

    Args:
        only: the tables to do; all by default.
    """
    left: list[str] = []
    runs()
    print(f"{'table':8}{'mutants':>9}" + "".join(f"{kind:>16}" for kind in KINDS) + f"{'survivors':>11}")
    for air in system().airs:
        if only and air.name not in only:
            continue
        outcome = kill(air)
        figures = "".join(f"{outcome.by[kind]:16}" for kind in KINDS)
        print(f"{air.name:8}{outcome.mutants:9}{figures}{len(outcome.survivors):11}", flush=True)
        left += outcome.survivors
    listed = {name for name in SURVIVORS if not only or name.split()[0] in only}
    unlisted = [name for name in left if name not in listed]
    for name in unlisted:
        print(f"{name}: survives and is not listed")
    for name in sorted(listed - set(left)):
        print(f"{name}: is killed by now, and may leave the list")
    print(f"{len(left)} survivors, {len(left) - len(unlisted)} of them listed with their reason")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
