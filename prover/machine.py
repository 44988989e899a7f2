"""Runs compiled tables on the native constraint machine: interaction traces and quotients. Uses native."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import native
from prover.air.air import Air
from prover.air.compile import compiled
from prover.air.emission import MachineCode
from prover.air.graph import air_graph
from prover.field import DEGREE, Kb6, P, inverse

U32 = NDArray[np.uint32]


@dataclass(frozen=True)
class LookupValues:
    """alpha_lu and the powers of beta_lu from the first on."""

    alpha: Kb6
    betas: tuple[Kb6, ...]

    def symbols(self) -> dict[str, Sequence[Kb6]]:
        """As the compiler names them."""
        return {"alpha_lu": [self.alpha], "beta_lu": self.betas}


@lru_cache(maxsize=512)
def _machine(code: MachineCode) -> native.Machine:
    """The code, checked once; its symbols are still zeros."""
    return native.Machine(
        np.frombuffer(array("I", code.code), np.uint32).reshape(-1, 4),
        code.base_slots,
        code.ext_slots,
        np.asarray(code.base_constants, np.uint32),
        np.zeros((DEGREE, len(code.symbols)), np.uint32),
    )


def run(
    code: MachineCode,
    symbols: dict[str, Sequence[Kb6]],
    columns: Sequence[U32],
    num_rows: int,
    row_stride: int = 1,
) -> U32:
    """Runs code over the rows of the columns, cyclic; with a stride, over every so many of them.

    Shapes:
        columns: matrices or columns, in the code's order; result: (6 * outputs, num_rows).
    """
    constants = np.ascontiguousarray(np.asarray(code.bind(symbols), np.uint32).T)
    out = native.empty(code.num_outputs, DEGREE, num_rows)
    _machine(code).bound(constants).run(columns, 1, num_rows, ext_outputs=list(out), row_stride=row_stride)
    return out.reshape(-1, num_rows)


def periodic_columns(air: Air) -> list[U32]:
    """One period of each periodic column, on the trace domain."""
    return [np.asarray(values, np.uint32)[None, :] for values in air.periodic.values()]


def looked_columns(air: Air, main: U32) -> U32:
    """A copy of the main columns that a table's interactions read. Shapes: (width, n) -> (columns, n)."""
    return native.copy_columns([main[k] for k in air_graph(air).looked()])


def interaction_trace(air: Air, looked: U32, fixed: U32 | None, lookup: LookupValues) -> tuple[U32, Kb6]:
    """A table's interaction columns and cumulative sum.

    Shapes:
        looked: (columns, n), from `looked_columns`; result: (6 * groups, n), the accumulator last.

    Raises:
        ValueError: the table has no lookups.
    """
    code = compiled(air).fractions
    if code is None:
        raise ValueError(f"{air.name} has no interactions")
    n = looked.shape[1]
    columns = [looked, *([fixed] if fixed is not None else []), *periodic_columns(air)]
    parts = run(code, lookup.symbols(), columns, n).reshape(-1, DEGREE, n)
    groups = code.num_outputs // 2
    trace = native.empty(groups, DEGREE, n)
    for g, total in enumerate(trace):
        numerator, denominator = parts[2 * g : 2 * g + 2]
        native.logup_accumulate(numerator, denominator, out=total)
        if g:
            native.add(trace[g - 1], total, out=total)
    total = trace[-1]
    _, cumulative = native.prefix_sum(total, out=parts[0])
    for plane, whole in zip(total, cumulative, strict=True):
        native.sub(plane, np.full(n, int(whole) * inverse(n) % P, np.uint32), out=plane)
    native.prefix_sum(total, out=total)
    c = [int(word) for word in cumulative]
    return trace.reshape(-1, n), (c[0], c[1], c[2], c[3], c[4], c[5])
