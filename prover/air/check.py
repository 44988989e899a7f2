"""The trace checker: every violated constraint and unbalanced tuple, by name. Uses numpy, not native."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prover.air.air import Air, AirSystem, Rows
from prover.air.expression import Op, Space
from prover.air.graph import AirGraph, air_graph, evaluate
from prover.field import P

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

CHUNK = 1 << 14
"""Rows evaluated at a time."""


@dataclass(frozen=True)
class ConstraintViolation:
    """A constraint that does not hold on a row.

    Attributes:
        table, row, label: where.
        value: what should be zero.
        reads: the variables that the constraint reads, by name, with their values.
    """

    table: str
    row: int
    label: str
    value: int
    reads: dict[str, int]

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.reads.items())
        return f"{self.table} row {self.row}: {self.label} is {self.value}, not 0 ({values})"


@dataclass(frozen=True)
class TupleImbalance:
    """A tuple that is not received as often as it is sent.

    Attributes:
        relation: the bus.
        values: the tuple.
        surplus: sum of multiplicities, as an integer of least absolute value mod p.
        origins: (table or "public values", row, label, multiplicity) that add or remove it.
    """

    relation: str
    values: tuple[int, ...]
    surplus: int
    origins: tuple[tuple[str, int, str, int], ...]

    def __str__(self) -> str:
        places = "; ".join(f"{t} row {r} {label}: {m:+d}" for t, r, label, m in self.origins)
        return f"{self.relation}{self.values} has surplus {self.surplus:+d} ({places})"


@dataclass
class Violations:
    """What a trace breaks; false when it breaks nothing.

    Attributes:
        constraints: violated constraints, at most `limit` of them named.
        tuples: unbalanced tuples, the same.
        num_constraints, num_tuples: how many there are in all.
    """

    constraints: list[ConstraintViolation] = field(default_factory=list)
    tuples: list[TupleImbalance] = field(default_factory=list)
    num_constraints: int = 0
    num_tuples: int = 0

    def __bool__(self) -> bool:
        return bool(self.num_constraints or self.num_tuples)

    def __str__(self) -> str:
        if not self:
            return "no violation"
        lines = [f"{self.num_constraints} violated constraints, {self.num_tuples} unbalanced tuples"]
        return "\n".join(lines + [f"  {v}" for v in (*self.constraints, *self.tuples)])


class _ArrayRing:
    """F_p on int64 arrays; products stay below 2^62."""

    def constant(self, value: int) -> I64:
        """One value, broadcast."""
        return np.full(1, value, np.int64)

    def add(self, a: I64, b: I64) -> I64:
        """A + b."""
        return (a + b) % P

    def sub(self, a: I64, b: I64) -> I64:
        """A - b."""
        return (a - b) % P

    def mul(self, a: I64, b: I64) -> I64:
        """A * b."""
        return a * b % P

    def scale(self, a: I64, value: int) -> I64:
        """A times a constant."""
        return a * value % P


@dataclass
class _Bus:
    """All contributions to one relation."""

    values: list[I64] = field(default_factory=list)  # (arity, k)
    multiplicities: list[I64] = field(default_factory=list)
    sources: list[tuple[str, str, I64]] = field(default_factory=list)  # table, label, rows


def check(
    system: AirSystem,
    tables: Mapping[str, U32],
    public_values: Sequence[int] = (),
    *,
    fixed: Mapping[str, U32] | None = None,
    limit: int = 50,
) -> Violations:
    """Checks a trace in full.

    Args:
        system: the tables' definitions.
        tables: name -> (width, height).
        public_values: the flat public values.
        fixed: preprocessed columns by table where they are known already.
        limit: how many violations of each kind are named.

    Raises:
        ValueError: a table is missing or of another width.
    """
    found, buses = Violations(), dict[str, _Bus]()
    for air in system.airs:
        if air.name not in tables or tables[air.name].shape[0] != air.Main.width:
            raise ValueError(f"{air.name}: a table of {air.Main.width} columns is needed")
        _check_table(air, tables[air.name], _fixed_of(air, tables, fixed), found, buses, limit)
    for public in system.public_tuples:
        bus = buses.setdefault(public.relation.name, _Bus())
        items = [public_values[v] if kind == "public" else v for kind, v in public.values]
        bus.values.append(np.array(items, np.int64).reshape(-1, 1))
        bus.multiplicities.append(np.array([public.multiplicity % P]))
        bus.sources.append(("public values", "public tuple", np.zeros(1, np.int64)))
    for name, bus in buses.items():
        _check_bus(name, bus, found, limit)
    return found


def _fixed_of(air: Air, tables: Mapping[str, U32], fixed: Mapping[str, U32] | None) -> U32:
    if not air.Fixed.width:
        return np.zeros((0, tables[air.name].shape[1]), np.uint32)
    if fixed and air.name in fixed:
        return fixed[air.name]
    log_height = int(tables[air.name].shape[1]).bit_length() - 1
    return np.asarray(air.fixed_columns(log_height), np.uint32)


def _check_table(
    air: Air, main: U32, fixed: U32, found: Violations, buses: dict[str, _Bus], limit: int
) -> None:
    table, height = air_graph(air), main.shape[1]
    periods = [np.asarray(values, np.int64) for values in air.periodic.values()]
    for start in range(0, height, CHUNK):
        rows = np.arange(start, min(start + CHUNK, height))

        def variable(space: Space, index: int, offset: int, rows: I64 = rows) -> I64:
            if space is Space.PERIODIC:
                return periods[index][rows % len(periods[index])]
            source = main if space is Space.MAIN else fixed
            return np.asarray(source[index, (rows + offset) % height], np.int64)

        values = evaluate(table.graph, _ArrayRing(), variable, table.roots())
        for constraint, node in table.constraints:
            bad = np.broadcast_to(values[node], rows.shape) != 0
            if constraint.rows is not Rows.ALL:
                allowed = {
                    Rows.FIRST: rows == 0,
                    Rows.LAST: rows == height - 1,
                    Rows.TRANSITION: rows != height - 1,
                }[constraint.rows]
                bad = bad & allowed
            places = np.flatnonzero(bad)
            found.num_constraints += len(places)
            for at in places[: max(limit - len(found.constraints), 0)]:
                value = int(np.broadcast_to(values[node], rows.shape)[at])
                reads = _reads(air, table, node, values, int(at))
                found.constraints.append(
                    ConstraintViolation(air.name, int(rows[at]), constraint.label, value, reads)
                )
        for group in table.groups:
            for item in group:
                multiplicity = np.broadcast_to(values[item.multiplicity], rows.shape)
                at = np.flatnonzero(multiplicity)
                if not len(at):
                    continue
                columns = [np.broadcast_to(values[v], rows.shape)[at] for v in item.values]
                bus = buses.setdefault(item.interaction.relation.name, _Bus())
                bus.values.append(np.stack(columns) if columns else np.zeros((0, len(at)), np.int64))
                bus.multiplicities.append(multiplicity[at])
                bus.sources.append((air.name, item.interaction.label, rows[at]))


def _reads(air: Air, table: AirGraph, node: int, values: dict[int, I64], at: int) -> dict[str, int]:
    graph, periodic = table.graph, list(air.periodic)
    out = {}
    for n in graph.reachable([node]):
        if graph.op[n] is Op.VARIABLE:
            space, index, offset = graph.variables[graph.left[n]]
            names: Sequence[str] = {
                Space.MAIN: air.Main.names,
                Space.PREPROCESSED: air.Fixed.names,
                Space.PERIODIC: periodic,
            }[space]
            out[("next." if offset else "") + names[index]] = int(values[n][at])
    return out


def _check_bus(name: str, bus: _Bus, found: Violations, limit: int) -> None:
    tuples = np.concatenate(bus.values, axis=1)
    multiplicities = np.concatenate(bus.multiplicities)
    count = tuples.shape[1]
    order = np.lexsort(tuples[::-1]) if tuples.shape[0] else np.arange(count)
    ordered = tuples[:, order]
    fresh = np.ones(count, bool)
    if count > 1:
        fresh[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0) if tuples.shape[0] else False
    starts = np.flatnonzero(fresh)
    # Multiplicities are below 2^31 and a bus below 2^31 entries: the sum fits 62 bits.
    sums = np.add.reduceat(multiplicities[order], starts) % P
    bad = np.flatnonzero(sums)
    found.num_tuples += len(bad)
    ends = np.append(starts[1:], count)
    origin = np.repeat(np.arange(len(bus.sources)), [len(rows) for _, _, rows in bus.sources])
    rows = np.concatenate([rows for _, _, rows in bus.sources])
    for k in bad[: max(limit - len(found.tuples), 0)]:
        members = order[starts[k] : ends[k]]
        found_in = [
            (bus.sources[origin[m]][0], int(rows[m]), bus.sources[origin[m]][1], int(multiplicities[m]))
            for m in sorted(members)[:16]
        ]
        origins = tuple((t, r, label, _centred(m)) for t, r, label, m in found_in)
        values = tuple(int(v) for v in ordered[:, starts[k]])
        found.tuples.append(TupleImbalance(name, values, _centred(int(sums[k])), origins))


def _centred(value: int) -> int:
    return value - P if value > P // 2 else value
