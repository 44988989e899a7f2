"""Compiles a table into straight-line code of the native constraint machine, once an AIR.

Challenges are symbolic constants, bound at each run, so the code depends on the table alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from prover.air.air import Air, Rows
from prover.air.composition import Row, compose, num_constraints
from prover.air.emission import Emission, MachineCode
from prover.air.expression import Space
from prover.air.graph import air_graph, evaluate
from prover.air.logup import LookupChallenges, fraction
from prover.air.recorder import Recorder, Sum
from prover.field import DEGREE


@dataclass(frozen=True)
class CompiledAir:
    """A table's machine code.

    Attributes:
        fractions: per group, numerator then denominator; None without interactions. Columns: the main ones
            that interactions read (`AirGraph.looked`), preprocessed, periodic.
        quotient: per kind of `rows`, the sum of alpha_k C_k. Columns: main, preprocessed, periodic,
            interaction.
        rows: the kinds of rows, in order of the quotient's outputs.
    """

    fractions: MachineCode | None
    quotient: MachineCode
    rows: tuple[Rows, ...]


def _reader(recorder: Recorder, air: Air, main: Iterable[int]) -> Callable[[Space, int, int], int]:
    """Loads variables from columns that are the main ones of these numbers, preprocessed, periodic."""
    place = {number: at for at, number in enumerate(main)}
    starts = {Space.PREPROCESSED: len(place), Space.PERIODIC: len(place) + air.Fixed.width}

    def read(space: Space, index: int, offset: int) -> int:
        return recorder.load(place[index] if space is Space.MAIN else starts[space] + index, offset)

    return read


def _lookup(recorder: Recorder, longest: int) -> LookupChallenges[Sum]:
    return LookupChallenges(
        recorder.symbol("alpha_lu"), [recorder.symbol("beta_lu", j) for j in range(longest)]
    )


def _longest(air: Air) -> int:
    return max((i.relation.arity for i in air.record.interactions), default=0)


def _compile_fractions(air: Air) -> MachineCode | None:
    table = air_graph(air)
    if not table.groups:
        return None
    recorder = Recorder()
    read = _reader(recorder, air, table.looked())
    values = evaluate(table.graph, recorder, read, table.lookup_roots())
    challenges = _lookup(recorder, _longest(air))
    emission, outputs = Emission(recorder), 0
    for group in table.groups:
        for part in fraction(recorder, table, group, values, challenges):
            emission.store(outputs, recorder.materialise(part))
            outputs += 1
        emission.forget_loads()
    return emission.finish(outputs)


def _compile_quotient(air: Air) -> tuple[MachineCode, tuple[Rows, ...]]:
    table = air_graph(air)
    recorder = Recorder()
    start = air.Main.width + air.Fixed.width + len(air.periodic)
    groups = len(table.groups)
    row: Row[int, Sum] = Row(
        _reader(recorder, air, range(air.Main.width)),
        [recorder.load_ext(start + DEGREE * g, 0) for g in range(groups)],
        recorder.load_ext(start + DEGREE * (groups - 1), 1) if groups else None,
        recorder.symbol("share") if groups else None,
    )
    alphas = [recorder.symbol("alpha", k) for k in range(num_constraints(air))]
    totals = compose(recorder, air, row, _lookup(recorder, _longest(air)), alphas)
    emission = Emission(recorder)
    for output, total in enumerate(totals.values()):
        emission.store_sum(output, total)
    return emission.finish(len(totals)), tuple(totals)


@lru_cache(maxsize=256)
def compiled(air: Air) -> CompiledAir:
    """The table's code, compiled once."""
    quotient, rows = _compile_quotient(air)
    return CompiledAir(_compile_fractions(air), quotient, rows)
