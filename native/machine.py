"""The constraint machine: straight-line code over columns, interpreted in C block by block of rows."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from native import checks
from native.backend import run_checked
from native.checks import U32, Columns, P
from native.errors import KernelError


class Op(IntEnum):
    """Instructions [op, dst, a, b]. B slots hold base elements, E slots KB6; `off` counts steps."""

    LOAD = 0  # B[dst] = column a, off b
    BCONST = 1  # B[dst] = base constant a
    BADD = 2  # B[dst] = B[a] + B[b]
    BSUB = 3  # B[dst] = B[a] - B[b]
    BMUL = 4  # B[dst] = B[a] B[b]
    ECONST = 5  # E[dst] = ext constant a
    EADD = 6  # E[dst] = E[a] + E[b]
    ESUB = 7  # E[dst] = E[a] - E[b]
    EMUL = 8  # E[dst] = E[a] E[b]
    EBMUL = 9  # E[dst] = E[a] B[b]
    EFROMB = 10  # E[dst] = B[a]
    LOADE = 11  # E[dst] = columns a .. a + 5, off b
    STOREB = 12  # base output dst = B[a]
    STOREE = 13  # ext output dst = E[a]
    EMAC = 14  # E[dst] += ext constant b times B[a]; runs with one dst are fused
    BADDC = 15  # B[dst] = B[a] + base constant b
    BMULC = 16  # B[dst] = B[a] times base constant b
    EMULC = 17  # E[dst] = E[a] times ext constant b
    EADDB = 18  # E[dst] = E[a] + B[b]


_B, _E, _BC, _EC, _COLUMN, _COLUMN6, _BOUT, _EOUT, _OFFSET, _NONE = range(10)
_KINDS = {
    Op.LOAD: (_B, _COLUMN, _OFFSET),
    Op.BCONST: (_B, _BC, _NONE),
    Op.BADD: (_B, _B, _B),
    Op.BSUB: (_B, _B, _B),
    Op.BMUL: (_B, _B, _B),
    Op.ECONST: (_E, _EC, _NONE),
    Op.EADD: (_E, _E, _E),
    Op.ESUB: (_E, _E, _E),
    Op.EMUL: (_E, _E, _E),
    Op.EBMUL: (_E, _E, _B),
    Op.EFROMB: (_E, _B, _NONE),
    Op.LOADE: (_E, _COLUMN6, _OFFSET),
    Op.STOREB: (_BOUT, _B, _NONE),
    Op.STOREE: (_EOUT, _E, _NONE),
    Op.EMAC: (_E, _B, _EC),
    Op.BADDC: (_B, _B, _BC),
    Op.BMULC: (_B, _B, _BC),
    Op.EMULC: (_E, _E, _EC),
    Op.EADDB: (_E, _E, _B),
}
"""What dst, a and b of each instruction index."""


def _constants(values: U32) -> U32:
    """Checks that constants are canonical."""
    if values.size and int(values.max()) >= P:
        raise KernelError("Machine", f"constants below {P}", str(int(values.max())))
    return values


class Machine:
    """A checked program. Make it once, run it on many traces.

    Attributes:
        code: (k, 4) uint32, rows [op, dst, a, b] as in `Op`.
        num_columns: how many columns `run` must be given at least.
    """

    def __init__(
        self, code: U32, num_base_slots: int, num_ext_slots: int, base_constants: U32, ext_constants: U32
    ) -> None:
        """Checks every index of the code but columns and outputs, which `run` checks.

        Shapes: code (k, 4), base_constants (m), ext_constants (6, m'), canonical.

        Raises:
            KernelError: an unknown operation, an index out of range, a constant that is not canonical.
        """
        self.code = checks.array("Machine", code, None, 4)
        self.base_constants = _constants(checks.array("Machine", base_constants, None))
        self.ext_constants = _constants(checks.array("Machine", ext_constants, 6, None))
        self.base_slots = num_base_slots
        self.ext_slots = num_ext_slots
        limits = {
            _B: num_base_slots,
            _E: num_ext_slots,
            _BC: base_constants.shape[0],
            _EC: ext_constants.shape[1],
        }
        self._used = {_COLUMN: 0, _COLUMN6: 0, _BOUT: 0, _EOUT: 0}
        known = np.isin(code[:, 0], np.array(list(_KINDS), dtype=np.uint32))
        if not known.all():
            raise KernelError("Machine", "a known operation", str(code[int(np.argmin(known))]))
        for op, kinds in _KINDS.items():
            lines = code[code[:, 0] == op]
            if not len(lines):
                continue
            largest = lines.max(axis=0)
            for position, kind in enumerate(kinds, start=1):
                most = int(largest[position])
                if kind in limits and most >= limits[kind]:
                    raise KernelError(
                        "Machine", f"{op.name} operand {position} below {limits[kind]}", str(most)
                    )
                if kind in self._used:
                    self._used[kind] = max(self._used[kind], most + (6 if kind == _COLUMN6 else 1))
        self.num_columns = max(self._used[_COLUMN], self._used[_COLUMN6])

    def bound(self, ext_constants: U32) -> Machine:
        """The same code, which is not checked again, with other extension constants.

        Shapes: ext_constants (6, m'), canonical; m' as before.

        Raises:
            KernelError: another shape, or a constant that is not canonical.
        """
        other = copy(self)
        other.ext_constants = _constants(checks.array("Machine", ext_constants, *self.ext_constants.shape))
        return other

    def run(
        self,
        columns: Sequence[U32],
        row_step: int,
        num_rows: int,
        base_outputs: Sequence[U32] = (),
        ext_outputs: Sequence[U32] = (),
        row_stride: int = 1,
    ) -> None:
        """Runs the code for rows i = 0..num_rows-1.

        LOAD of column c with offset o reads index (i * row_stride + o * row_step) mod height(c); `row_step`
        is in column indices (the blowup, on an LDE domain). Columns may differ in height (a short one is
        periodic).

        Shapes: columns: arrays (h) or (c, h); base_outputs: (num_rows) each; ext_outputs: (6, num_rows) each.

        Raises:
            KernelError: too few columns or outputs, wrong shapes, an empty column.
        """
        where = "Machine.run"
        parts = [Columns(where, part) for part in columns]
        empty = np.empty(0, dtype=np.uintp)
        pointers: npt.NDArray[np.uintp] = (
            np.concatenate([part.pointers for part in parts]) if parts else empty
        )
        heights = np.repeat([part.rows for part in parts], [part.count for part in parts]).astype(np.uintp)
        if len(pointers) < self.num_columns:
            raise KernelError(where, f"{self.num_columns} columns", str(len(pointers)))
        if len(heights) and int(heights.min()) == 0:
            raise KernelError(where, "columns with rows", "an empty column")
        if num_rows < 0 or row_step < 0 or row_stride < 1:
            raise KernelError(
                where, "num_rows, row_step >= 0, row_stride >= 1", f"{num_rows}, {row_step}, {row_stride}"
            )
        if len(base_outputs) < self._used[_BOUT] or len(ext_outputs) < self._used[_EOUT]:
            wanted = f"{self._used[_BOUT]} base and {self._used[_EOUT]} ext outputs"
            raise KernelError(where, wanted, f"{len(base_outputs)} and {len(ext_outputs)}")
        for output in base_outputs:
            checks.output(where, output, num_rows)
        for output in ext_outputs:
            checks.output(where, output, 6, num_rows)
        base_out = Columns(where, base_outputs, num_rows)
        ext_out = Columns(where, ext_outputs, num_rows)
        source = Columns(where, [], 0)
        source.parts = [view for part in parts for view in part.views()]
        source.pointers = pointers
        run_checked(
            "machine_run",
            self.code,
            len(self.code),
            self.base_slots,
            self.ext_slots,
            self.base_constants,
            len(self.base_constants),
            self.ext_constants,
            self.ext_constants.shape[1],
            source,
            heights,
            num_rows,
            row_stride,
            row_step,
            base_out,
            ext_out,
        )
