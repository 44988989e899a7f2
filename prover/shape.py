"""Shapes: which tables at which heights. A shape, a system and parameters fix every length of a proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prover.air.air import AirError, AirSystem
from prover.air.expression import Op
from prover.air.graph import air_graph
from prover.field import TWO_ADICITY, P
from prover.hashing import Context, digest, to_bytes
from prover.params import ProofParams
from prover.security import FoldRound


class ShapeError(ValueError):
    """A shape does not fit its system or the parameters."""


@dataclass(frozen=True)
class Shape:
    """Log heights by table name, in system order.

    Attributes:
        log_heights: (table name, log2 of its height).
    """

    log_heights: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, system: AirSystem, log_heights: Mapping[str, int]) -> Shape:
        """A shape of `system`.

        Raises:
            ShapeError: the names are not the system's, or the lookups do not fit (see `check_shape`).
        """
        names = [air.name for air in system.airs]
        if set(names) != set(log_heights):
            raise ShapeError(f"tables {sorted(names)}, heights for {sorted(log_heights)}")
        shape = cls(tuple((name, log_heights[name]) for name in names))
        check_shape(system, shape)
        return shape

    @property
    def distinct(self) -> tuple[int, ...]:
        """Distinct log heights, tallest first."""
        return tuple(sorted({log for _, log in self.log_heights}, reverse=True))

    def encode(self) -> bytes:
        """The number of tables and their log heights, 32-bit words (the AIR digest has the names)."""
        return to_bytes([len(self.log_heights), *(log for _, log in self.log_heights)])

    @property
    def id(self) -> bytes:
        """32 bytes that name the shape in a proof's header."""
        return digest(Context.AIR, self.encode())


def lookup_fractions(system: AirSystem, shape: Shape) -> int:
    """Fractions summed in all: height x interactions over the tables, and the public tuples."""
    logs = dict(shape.log_heights)
    rows = sum(len(air.record.interactions) << logs[air.name] for air in system.airs)
    return rows + len(system.public_tuples)


def most_lookups(system: AirSystem, shape: Shape) -> int:
    """How often tuples are sent or received at most.

    Multiplicities that are no constants count once: it is the tables' duty that on one side of each relation
    they are 0, 1 or -1 (the other side's then follow from the balance).
    """
    logs, total = dict(shape.log_heights), len(system.public_tuples)
    for air in system.airs:
        for interaction in air.record.interactions:
            m = interaction.multiplicity
            weight = min(m.value, P - m.value) if m.op is Op.CONST else 1
            total += weight << logs[air.name]
    return total


def check_shape(system: AirSystem, shape: Shape) -> None:
    """The rules that do not depend on parameters.

    Raises:
        ShapeError: a table missing or out of order, a height out of range or one that its table does not
            cover, a period above its table's height, or so many lookups that multiplicities could wrap round p.
    """
    if [name for name, _ in shape.log_heights] != [air.name for air in system.airs] or not system.airs:
        raise ShapeError("the shape's tables are not the system's, in order")
    for air, (name, log) in zip(system.airs, shape.log_heights, strict=True):
        if not 0 <= log < TWO_ADICITY:
            raise ShapeError(f"{name}: height 2^{log} is out of range")
        if not air.Main.width:
            raise ShapeError(f"{name} has no main column")
        try:
            air.check_height(log)
        except AirError as error:
            raise ShapeError(str(error)) from error
        for column, values in air.periodic.items():
            if len(values) > 1 << log:
                raise ShapeError(f"{name}.{column}: a period of {len(values)} in a table of height 2^{log}")
    if most_lookups(system, shape) >= P:
        raise ShapeError(
            f"{most_lookups(system, shape)} lookups in all reach p: multiplicities could wrap round"
        )


def fold_schedule(distinct: tuple[int, ...], params: ProofParams) -> tuple[FoldRound, ...]:
    """FRI rounds: every height is a layer boundary; large folds first between two of them.

    Raises:
        ShapeError: a height below the final polynomial's, or a domain beyond the field's two-adicity.
    """
    if distinct[-1] < params.log_final_degree:
        raise ShapeError(
            f"height 2^{distinct[-1]} is below the 2^{params.log_final_degree} final coefficients"
        )
    if distinct[0] + params.log_blowup > TWO_ADICITY:
        raise ShapeError(
            f"height 2^{distinct[0]} at rate 2^-{params.log_blowup} exceeds 2^{TWO_ADICITY} points"
        )
    stops = [*distinct[1:]]
    if not stops or stops[-1] != params.log_final_degree:
        stops.append(params.log_final_degree)
    rounds, log = [], distinct[0]
    for stop in stops:
        while log > stop:
            arity = min(params.log_max_arity, log - stop)
            joins = log - arity == stop and stop in distinct
            rounds.append(FoldRound(log + params.log_blowup, arity, joins))
            log -= arity
    return tuple(rounds)


def groups(air_index: int, system: AirSystem) -> int:
    """Interaction columns (in KB6) of a table."""
    return len(air_graph(system.airs[air_index]).groups)
