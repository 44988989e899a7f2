"""The digest of an AIR system: it binds a proof to these constraints."""

from __future__ import annotations

from prover.air.air import Air, AirError, AirSystem, Rows
from prover.air.graph import air_graph
from prover.field import P
from prover.hashing import Context, digest, to_bytes

_ROWS = list(Rows)
_VALUE_KINDS = ("public", "constant")


def _text(text: str) -> bytes:
    data = text.encode()
    return to_bytes([len(data)]) + data + bytes(-len(data) % 4)


def _air_bytes(air: Air) -> bytes:
    table = air_graph(air)
    graph = table.graph
    words: list[int] = [air.Main.width, air.Fixed.width, len(air.periodic)]
    for values in air.periodic.values():
        words += [len(values), *values]
    words.append(len(graph.variables))
    for variable in graph.variables:
        words += variable
    words.append(len(graph.op))
    for node in zip(graph.op, graph.left, graph.right, strict=True):
        words += node
    words.append(len(table.constraints))
    for constraint, node_number in table.constraints:
        words += [_ROWS.index(constraint.rows), node_number]
    words.append(len(table.groups))
    for group in table.groups:
        words.append(len(group))
        for item in group:
            words += [item.interaction.relation.id, len(item.values), *item.values, item.multiplicity]
    return _text(air.name) + to_bytes(words)


def check_system(system: AirSystem) -> None:
    """The rules that join tables.

    Raises:
        AirError: two tables of one name, two relations of one id, a public tuple that does not fit or counts
            other than once, a periodic column that is not a power of two long.
    """
    names = [air.name for air in system.airs]
    if len(set(names)) != len(names):
        raise AirError(f"two tables have one name: {names}")
    relations: dict[int, object] = {}
    used = [i.relation for air in system.airs for i in air.record.interactions]
    for relation in [*used, *(t.relation for t in system.public_tuples)]:
        if not 0 <= relation.id < P or relations.setdefault(relation.id, relation) != relation:
            raise AirError(f"relation {relation.name}: id {relation.id} is taken or out of range")
    for public in system.public_tuples:
        if len(public.values) != public.relation.arity:
            raise AirError(f"public tuple of {public.relation.name}: {len(public.values)} values")
        if public.multiplicity not in (1, -1):
            raise AirError(f"public tuple of {public.relation.name}: multiplicity {public.multiplicity}")
        for kind, value in public.values:
            limit = {"public": system.num_public_values, "constant": P}.get(kind, 0)
            if not 0 <= value < limit:
                raise AirError(f"public tuple of {public.relation.name}: ({kind}, {value})")
    for air in system.airs:
        for name, values in air.periodic.items():
            if not values or len(values) & (len(values) - 1):
                raise AirError(f"{air.name}.{name}: a period of {len(values)} values")
            if not all(0 <= value < P for value in values):
                raise AirError(f"{air.name}.{name}: a value is not in [0, p)")


def system_digest(system: AirSystem) -> bytes:
    """32 bytes over tables, constraints, relations, periodic columns and public tuples (labels do not count).

    Raises:
        AirError: see `check_system`.
    """
    check_system(system)
    data = to_bytes([len(system.airs), system.num_public_values, len(system.public_tuples)])
    for public in system.public_tuples:
        words = [public.relation.id, public.multiplicity % P, len(public.values)]
        for kind, value in public.values:
            words += [_VALUE_KINDS.index(kind), value]
        data += to_bytes(words)
    return digest(Context.AIR, data + b"".join(_air_bytes(air) for air in system.airs))
