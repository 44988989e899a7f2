from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import native
from native import U32, Op, P
from tests.native import reference as ref


def interpret(
    code: U32, columns: list[U32], step: int, rows: int, base_constants: U32, ext_constants: U32, stride: int
) -> tuple[dict[int, list[int]], dict[int, list[ref.Element]]]:
    """The machine by its definition, row by row."""
    base_out: dict[int, list[int]] = {}
    ext_out: dict[int, list[ref.Element]] = {}
    constants = [int(c) for c in base_constants]
    extended = ref.elements(ext_constants)
    for row in range(rows):
        b: dict[int, int] = {}
        e: dict[int, ref.Element] = {}

        def read(column: int, offset: int, row: int = row) -> int:
            return int(columns[column][(row * stride + offset * step) % len(columns[column])])

        for op, d, x, y in code.tolist():
            match Op(op):
                case Op.LOAD:
                    b[d] = read(x, y)
                case Op.BCONST:
                    b[d] = constants[x]
                case Op.BADD:
                    b[d] = (b[x] + b[y]) % P
                case Op.BSUB:
                    b[d] = (b[x] - b[y]) % P
                case Op.BMUL:
                    b[d] = b[x] * b[y] % P
                case Op.BADDC:
                    b[d] = (b[x] + constants[y]) % P
                case Op.BMULC:
                    b[d] = b[x] * constants[y] % P
                case Op.ECONST:
                    e[d] = extended[x]
                case Op.EADD:
                    e[d] = ref.e_add(e[x], e[y])
                case Op.ESUB:
                    e[d] = ref.e_sub(e[x], e[y])
                case Op.EMUL:
                    e[d] = ref.e_mul(e[x], e[y])
                case Op.EBMUL:
                    e[d] = ref.e_scale(e[x], b[y])
                case Op.EMULC:
                    e[d] = ref.e_mul(e[x], extended[y])
                case Op.EADDB:
                    e[d] = ref.e_add(e[x], ref.base(b[y]))
                case Op.EFROMB:
                    e[d] = ref.base(b[x])
                case Op.LOADE:
                    e[d] = tuple(read(x + k, y) for k in range(6))
                case Op.EMAC:
                    e[d] = ref.e_add(e[d], ref.e_scale(extended[y], b[x]))
                case Op.STOREB:
                    base_out.setdefault(d, []).append(b[x])
                case Op.STOREE:
                    ext_out.setdefault(d, []).append(e[x])
    return base_out, ext_out


def random_code(seed: int, length: int, columns: int, slots: int, constants: int) -> U32:
    """Code that uses every operation, after all slots are filled, and stores some slots at the end."""
    rng = np.random.default_rng(seed)
    pick = lambda n: int(rng.integers(n))  # noqa: E731
    lines: list[list[int]] = []
    for slot in range(slots):
        lines.append([Op.LOAD, slot, pick(columns), pick(2)])
        lines.append([Op.LOADE, slot, pick(columns - 5), pick(2)])
    kinds: dict[Op, Any] = {
        Op.LOAD: (columns, 2), Op.BCONST: (constants, 1), Op.BADD: (slots, slots), Op.BSUB: (slots, slots),
        Op.BMUL: (slots, slots), Op.ECONST: (constants, 1), Op.EADD: (slots, slots), Op.ESUB: (slots, slots),
        Op.EMUL: (slots, slots), Op.EBMUL: (slots, slots), Op.EFROMB: (slots, 1), Op.LOADE: (columns - 5, 2),
        Op.EMAC: (slots, constants), Op.BADDC: (slots, constants), Op.BMULC: (slots, constants),
        Op.EMULC: (slots, constants), Op.EADDB: (slots, slots),
    }  # fmt: skip
    for i in range(length):
        op = list(kinds)[i % len(kinds)] if i < 2 * len(kinds) else list(kinds)[pick(len(kinds))]
        for _ in range(1 + (op == Op.EMAC) * pick(5)):
            operands = [pick(kinds[op][0]), pick(kinds[op][1])]
            lines += [[op, 1 if op == Op.EMAC else pick(slots), *operands]]
    for k in range(2):
        lines += [[Op.STOREB, k, pick(slots), 0], [Op.STOREE, k, pick(slots), 0]]
    return ref.words(lines)


@pytest.mark.parametrize("rows", [1, 100, 300])
def test_values_changed_in_place_by_every_pair_of_operations(tier: str, rows: int) -> None:
    """Chains: a slot changed again and again, as left and as right operand, and by its own value."""
    columns = list(ref.random(30, 4, 512))
    constants = ref.random(31, 3)
    steps = [(op, 0, y) for op in (Op.BADDC, Op.BMULC) for y in range(3)]
    for op in (Op.BADD, Op.BSUB, Op.BMUL):
        steps += [(op, 0, 1), (op, 2, 0), (op, 0, 3)]
    steps += [(Op.BADD, 0, 0), (Op.BMUL, 0, 0), (Op.BSUB, 1, 2)]
    lines = [[Op.LOAD, slot, slot, 0] for slot in range(4)]
    for k, first in enumerate(steps):
        for second in steps:
            lines += [[op, 0, x, y] for op, x, y in (first, second)]
        lines.append([Op.STOREB, k, 0, 0])
    code = np.array(lines, dtype=np.uint32)
    want, _ = interpret(code, columns, 1, rows, constants, np.zeros((6, 1), np.uint32), 1)
    outputs = [np.empty(rows, dtype=np.uint32) for _ in steps]
    machine = native.Machine(code, 4, 1, constants, np.zeros((6, 1), np.uint32))
    machine.run(columns, 1, rows, outputs)
    for k, output in enumerate(outputs):
        np.testing.assert_array_equal(output, want[k])


@pytest.mark.parametrize(
    ("rows", "stride", "step"),
    [
        (1, 1, 1),
        (8, 1, 1),
        (16, 1, 2),
        (64, 2, 4),
        (32, 4, 8),
        (512, 1, 2),
        (1, 4, 4),
        (16, 1, 0),
        (100, 3, 7),
        (17, 1, 1),
    ],
)
def test_random_code_agrees_with_its_definition(
    tier: str, threads: int, rows: int, stride: int, step: int
) -> None:
    code = random_code(rows, 90, 9, 5, 3)
    table = ref.random(rows, 7, rows * stride)
    periodic = ref.random(3, 2, 4)
    base_constants, ext_constants = ref.random(1, 3), ref.random(2, 6, 3)
    machine = native.Machine(code, 5, 5, base_constants, ext_constants)
    base_out = [np.empty(rows, dtype=np.uint32) for _ in range(2)]
    ext_out = [np.empty((6, rows), dtype=np.uint32) for _ in range(2)]
    machine.run([table, periodic], step, rows, base_out, ext_out, row_stride=stride)
    want_base, want_ext = interpret(
        code, [*table, *periodic], step, rows, base_constants, ext_constants, stride
    )
    for k in range(2):
        assert base_out[k].tolist() == want_base[k]
        np.testing.assert_array_equal(ext_out[k], ref.planar(want_ext[k]))


def test_many_blocks_and_threads_wrap_to_the_first_row(tier: str, threads: int) -> None:
    rows = 1 << 14
    x = ref.random(1, 2, rows)
    code = ref.words([[Op.LOAD, 0, 0, 1], [Op.LOAD, 1, 1, 0], [Op.BMUL, 2, 0, 1], [Op.STOREB, 0, 2, 0]])
    machine = native.Machine(code, 3, 0, np.empty(0, dtype=np.uint32), np.empty((6, 0), dtype=np.uint32))
    out = np.empty(rows, dtype=np.uint32)
    machine.run([x], 4, rows, [out])
    want = np.roll(x[0], -4).astype(np.uint64) * x[1] % P
    np.testing.assert_array_equal(out, want)


def test_no_rows_is_no_work(tier: str) -> None:
    machine = native.Machine(
        ref.words([[Op.STOREB, 0, 0, 0]]), 1, 0, ref.words([]), np.empty((6, 0), dtype=np.uint32)
    )
    machine.run([], 1, 0, [np.empty(0, dtype=np.uint32)])


@pytest.mark.parametrize(
    "line",
    [
        [99, 0, 0, 0],
        [Op.BADD, 2, 0, 0],
        [Op.BADD, 0, 2, 0],
        [Op.BADD, 0, 0, 2],
        [Op.EADD, 1, 0, 0],
        [Op.EBMUL, 0, 0, 2],
        [Op.BCONST, 0, 1, 0],
        [Op.ECONST, 0, 1, 0],
        [Op.EMAC, 0, 0, 1],
    ],
)
def test_code_with_an_index_out_of_range_is_refused(line: list[int]) -> None:
    with pytest.raises(native.KernelError):
        native.Machine(ref.words([line]), 2, 1, ref.words([1]), ref.random(1, 6, 1))


def test_constants_and_runs_that_do_not_fit_are_refused() -> None:
    empty = np.empty((6, 0), dtype=np.uint32)
    code = ref.words([[Op.LOADE, 0, 1, 0], [Op.STOREE, 0, 0, 0]])
    with pytest.raises(native.KernelError, match="constants"):
        native.Machine(code, 1, 1, ref.words([P]), empty)
    machine = native.Machine(code, 1, 1, ref.words([]), empty)
    assert machine.num_columns == 7
    x, out = ref.random(1, 7, 4), np.empty((6, 4), dtype=np.uint32)
    for bad in (
        lambda: machine.run([x[:6]], 1, 4, (), [out]),
        lambda: machine.run([x], 1, 4, (), ()),
        lambda: machine.run([x], 1, 5, (), [out]),
        lambda: machine.run([x], -1, 4, (), [out]),
        lambda: machine.run([x], 1, 4, (), [out], row_stride=0),
        lambda: machine.run([x[:, :0]], 1, 4, (), [out]),
    ):
        with pytest.raises(native.KernelError):
            bad()
