"""The numba tier: every kernel of csrc/kernel_list.h where the C build is missing. One thread.

Loops that numpy does well are numpy, which needs no compilation; the rest is in numba_field and numba_hash,
compiled at first use, cached on disk (`cache=True`), never `parallel=True`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from native import numba_field as nf
from native import numba_hash as nh
from native.checks import U32, Columns, P
from native.machine import Op
from native.numpy_hash160 import hash160_chains

_CHUNK_START, _CHUNK_END, _PARENT, _ROOT, _MATERIAL = 1, 2, 4, 8, 64
_MACHINE_BLOCK = 8192


def is_canonical(a: U32, _n: int) -> bool:
    """Kernel."""
    return bool((a < P).all())


def copy_columns(source: Columns, _columns: int, _rows: int, out: U32) -> None:
    """Kernel."""
    for row, column in zip(out, source.views(), strict=True):
        row[:] = column


def field_add(a: U32, b: U32, out: U32, _n: int) -> None:
    """Kernel."""
    out[...] = (a.astype(np.uint64) + b) % P


def field_sub(a: U32, b: U32, out: U32, _n: int) -> None:
    """Kernel."""
    out[...] = (a.astype(np.uint64) + P - b) % P


def field_mul(a: U32, b: U32, out: U32, _n: int) -> None:
    """Kernel."""
    out[...] = a.astype(np.uint64) * b % P


def batch_inverse(a: U32, out: U32, _n: int) -> None:
    """Kernel."""
    nf.batch_inverse(a.reshape(-1), out.reshape(-1))


def kb6_mul(a: U32, b: U32, out: U32, _n: int) -> None:
    """Kernel."""
    nf.e_mul(a, b, out)


def kb6_batch_inverse(a: U32, out: U32, _n: int) -> None:
    """Kernel."""
    nf.e_inverse(a, out)


def kb6_axpy(acc: U32, scale: U32, x: U32, n: int) -> None:
    """Kernel."""
    product = np.empty_like(x)
    nf.e_mul(x, scale.reshape(6, 1), product)
    field_add(acc, product, acc, n)


def logup_divide(numerators: U32, denominators: U32, out: U32, _n: int) -> None:
    """Kernel."""
    inverses = np.empty_like(denominators)
    nf.e_inverse(denominators, inverses)
    nf.e_mul(numerators, inverses, out)


def prefix_sum(a: U32, out: U32, total: U32, n: int) -> None:
    """Kernel. Sums of up to 2^32 words fit 64 bits."""
    sums = np.cumsum(a, axis=1, dtype=np.uint64) % P
    total[:] = sums[:, -1] if n else 0
    out[:, 1:] = sums[:, :-1]
    out[:, :1] = 0


def powers(base: U32, _n: int, out: U32) -> None:
    """Kernel."""
    nf.powers(base.reshape(6, 1), out)


def transform(
    source: Columns,
    target: Columns,
    first: Columns | None,
    _columns: int,
    log_n: int,
    log_blowup: int,
    shift: int,
    from_c: int,
    to_c: int,
) -> bool:
    """Kernel."""
    for column, out in zip(source.views(), target.views(), strict=True):
        nf.transform_column(column, out, log_n, log_blowup, shift, from_c, to_c)
    for kept, out in zip(first.views(), target.views(), strict=True) if first else ():
        kept[:] = out[:: 1 << log_blowup]
    return True


def coset_points(
    source: Columns,
    _columns: int,
    log_n: int,
    shifts: U32,
    ends: U32,
    cosets: int,
    indices: U32,
    out: U32,
) -> bool:
    """Kernel."""
    values = np.empty(1 << log_n, dtype=np.uint32)
    for row, column in zip(out, source.views(), strict=True):
        start = 0
        for coset in range(cosets):
            end = int(ends[coset])
            nf.transform_column(column, values, log_n, 0, int(shifts[coset]), 0, 0)
            row[start:end] = values[indices[start:end]]
            start = end
    return True


def hash_rows(source: Columns, count: int, rows: int, key: U32, out: U32) -> None:
    """Kernel."""
    views = source.views()
    chunks = (count + 255) // 256
    stack: list[U32] = []

    def parents(root: int) -> None:
        right = stack.pop()
        words = np.concatenate([stack.pop(), right])
        stack.append(np.repeat(key[:, None], rows, axis=1))
        nh.compress_rows(stack[-1], words, 0, 64, _MATERIAL | _PARENT | root)

    for chunk in range(chunks):
        stack.append(np.repeat(key[:, None], rows, axis=1))
        last = min(count, 256 * (chunk + 1))
        for first in range(256 * chunk, last, 16):
            present = min(16, last - first)
            words = np.zeros((16, rows), dtype=np.uint32)
            for k in range(present):
                words[k] = views[first + k]
            flags = _MATERIAL | (_CHUNK_START if first == 256 * chunk else 0)
            if first + 16 >= last:
                flags |= _CHUNK_END | (_ROOT if chunks == 1 else 0)
            nh.compress_rows(stack[-1], words, chunk, 4 * present, flags)
        done = chunk + 1
        while chunk + 1 < chunks and done % 2 == 0:
            parents(0)
            done //= 2
    while len(stack) > 1:
        parents(_ROOT if len(stack) == 2 else 0)
    out[:] = stack[0]


def hash_update(
    source: Columns,
    count: int,
    rows: int,
    first: int,
    total: int,
    counter: int,
    only: int,
    key: U32,
    state: U32,
) -> None:
    """Kernel."""
    views = source.views()
    for block in range(0, count, 16):
        present, at = min(16, count - block), first + block
        words = np.zeros((16, rows), dtype=np.uint32)
        for k in range(present):
            words[k] = views[block + k]
        flags = _MATERIAL | (0 if at else _CHUNK_START)
        if at + 16 >= total:
            flags |= _CHUNK_END | (_ROOT if only else 0)
        if at == 0:
            state[:] = key[:, None]
        nh.compress_rows(state, words, counter, 4 * present, flags)


def hash_merge(left: U32, right: U32, rows: int, root: int, key: U32, out: U32) -> None:
    """Kernel."""
    words = np.concatenate([left, right])
    cv = np.repeat(key[:, None], rows, axis=1)
    nh.compress_rows(cv, words, 0, 64, _MATERIAL | _PARENT | (_ROOT if root else 0))
    out[:] = cv


def hash_pairs(left: U32, _ls: int, right: U32, _rs: int, n: int, key: U32, out: U32) -> None:
    """Kernel."""
    words = np.concatenate([left[:, :n], right[:, :n]])
    cv = np.repeat(key[:, None], n, axis=1)
    nh.compress_rows(cv, words, 0, 64, _MATERIAL | _CHUNK_START | _CHUNK_END | _ROOT)
    out[:] = cv


def grind(prefix: U32, bits: int, key: U32) -> int:
    """Kernel."""
    return int(nh.grind(prefix, bits, key, _MATERIAL | _CHUNK_START | _CHUNK_END | _ROOT))


def poseidon2_permute(states: U32, out: U32, width: int, _n: int) -> None:
    """Kernel."""
    nh.permute_all(states, nh.CONSTANTS[width], nh.DIAGONALS[width], False, out)


def poseidon2_compress(states: U32, out: U32, width: int, _out_len: int, _n: int) -> None:
    """Kernel."""
    nh.permute_all(states, nh.CONSTANTS[width], nh.DIAGONALS[width], True, out)


def poseidon2_trace(states: U32, out: U32, width: int, _n: int, _stride: int) -> None:
    """Kernel."""
    nh.trace_all(states, nh.CONSTANTS[width], nh.DIAGONALS[width], out)


def xmss_chains(
    parameter: U32, t0: U32, t1: U32, starts: U32, steps: U32, _order: U32, out: U32, _n: int
) -> None:
    """Kernel."""
    nh.chains(parameter, t0, t1, starts, steps, nh.CONSTANTS[16], nh.DIAGONALS[16], out)


def dot_columns(source: Columns, count: int, _rows: int, weights: U32, points: int, out: U32) -> None:
    """Kernel."""
    sums = np.empty((count, 6 * points), dtype=np.uint32)
    for column, row in zip(source.views(), sums, strict=True):
        nf.dot(column, weights, row)
    out[:] = sums.T


def row_dot(source: Columns, _count: int, rows: int, weights: U32, out: U32) -> bool:
    """Kernel."""
    sums = np.zeros((6, rows), dtype=np.uint64)
    for column, weight in zip(source.views(), weights.T.copy(), strict=True):
        nf.add_multiples(sums, column, weight)
    out[:] = sums
    return True


def _inverse_distances(z: U32, shift: int, log_n: int) -> tuple[U32, U32]:
    """The points x of a coset, and 1 / (z - x)."""
    n = 1 << log_n
    x = np.empty(n, dtype=np.uint32)
    nf.coset(x, shift, log_n)
    distances = np.repeat(z[:, None], n, axis=1)
    field_sub(distances[0], x, distances[0], n)
    nf.e_inverse(distances, distances)
    return x, distances


def barycentric_weights(log_n: int, z: U32, out: U32) -> None:
    """Kernel."""
    n = 1 << log_n
    x, inverses = _inverse_distances(z, 1, log_n)
    scale = z.reshape(6, 1).copy()
    for _ in range(log_n):
        nf.e_mul(scale, scale.copy(), scale)
    scale[0] = (int(scale[0, 0]) - 1) % P
    field_mul(scale, np.full((6, 1), pow(n, -1, P), dtype=np.uint32), scale, 6)
    field_mul(inverses, np.tile(x, (6, 1)), inverses, 6 * n)
    nf.e_mul(inverses, scale, out)


def deep_quotient(dot: U32, log_n: int, values: U32, shift: int, out: U32) -> None:
    """Kernel."""
    n = 1 << log_n
    r_zeta, r_next, gamma, zeta, following = values.reshape(5, 6, 1)
    total = np.zeros_like(dot)
    for r, point, factor in ((r_next, following, gamma), (r_zeta, zeta, None)):
        _, term = _inverse_distances(point[:, 0], shift, log_n)
        difference = np.empty_like(dot)
        field_sub(np.repeat(r, n, axis=1), dot, difference, 6 * n)
        nf.e_mul(difference, term, term)
        if factor is not None:
            nf.e_mul(term, factor, term)
        field_add(total, term, total, 6 * n)
    out[:] = total


def fri_fold(codeword: U32, log_n: int, log_arity: int, beta: U32, shift: int, out: U32) -> None:
    """Kernel: folds by two with beta, beta^2, beta^4."""
    factor = beta.reshape(6, 1).copy()
    for step in range(log_arity):
        folded = out if step + 1 == log_arity else np.empty((6, codeword.shape[1] // 2), dtype=np.uint32)
        nf.fold_by_two(codeword, factor, shift, log_n - step, folded)
        codeword = folded
        nf.e_mul(factor, factor.copy(), factor)
        shift = shift * shift % P


def machine_run(
    code: U32,
    _length: int,
    base_slots: int,
    ext_slots: int,
    base_constants: U32,
    _bc: int,
    ext_constants: U32,
    _ec: int,
    source: Columns,
    heights: Any,
    rows: int,
    stride: int,
    step: int,
    base_out: Columns,
    ext_out: Columns,
) -> bool:
    """Kernel: numpy on blocks of rows."""
    columns = source.views()
    lines = code.tolist()
    base_views = base_out.views()
    ext_views = ext_out.parts
    for first in range(0, rows, _MACHINE_BLOCK):
        count = min(_MACHINE_BLOCK, rows - first)
        b = np.zeros((base_slots, count), dtype=np.uint32)
        e = np.zeros((ext_slots, 6, count), dtype=np.uint32)
        here = slice(first, first + count)
        position = np.arange(first, first + count, dtype=np.int64) * stride
        product = np.empty((6, count), dtype=np.uint32)
        for op, d, x, y in lines:
            if op == Op.LOAD:
                b[d] = columns[x][(position + y * step) % int(heights[x])]
            elif op == Op.LOADE:
                for k in range(6):
                    e[d, k] = columns[x + k][(position + y * step) % int(heights[x + k])]
            elif op == Op.BCONST:
                b[d] = base_constants[x]
            elif op == Op.ECONST:
                e[d] = ext_constants[:, x : x + 1]
            elif op == Op.BADD:
                field_add(b[x], b[y], b[d], count)
            elif op == Op.BSUB:
                field_sub(b[x], b[y], b[d], count)
            elif op == Op.BMUL:
                field_mul(b[x], b[y], b[d], count)
            elif op == Op.BADDC:
                field_add(b[x], base_constants[y], b[d], count)
            elif op == Op.BMULC:
                field_mul(b[x], base_constants[y], b[d], count)
            elif op == Op.EADD:
                field_add(e[x], e[y], e[d], count)
            elif op == Op.ESUB:
                field_sub(e[x], e[y], e[d], count)
            elif op == Op.EMUL:
                nf.e_mul(e[x], e[y], product)
                e[d] = product
            elif op == Op.EMULC:
                nf.e_mul(e[x], ext_constants[:, y : y + 1].copy(), product)
                e[d] = product
            elif op == Op.EBMUL:
                field_mul(e[x], b[y][None], e[d], count)
            elif op == Op.EADDB:
                e[d] = e[x]
                field_add(e[d, 0], b[y], e[d, 0], count)
            elif op == Op.EFROMB:
                e[d] = 0
                e[d, 0] = b[x]
            elif op == Op.EMAC:
                field_mul(np.tile(b[x], (6, 1)), ext_constants[:, y : y + 1], product, count)
                field_add(e[d], product, e[d], count)
            elif op == Op.STOREB:
                base_views[d][here] = b[x]
            elif op == Op.STOREE:
                ext_views[d][:, here] = e[x]
    return True


KERNELS: dict[str, Callable[..., Any]] = {
    kernel.__name__: kernel
    for kernel in (
        is_canonical,
        copy_columns,
        field_add,
        field_sub,
        field_mul,
        batch_inverse,
        kb6_mul,
        kb6_batch_inverse,
        kb6_axpy,
        logup_divide,
        prefix_sum,
        powers,
        transform,
        coset_points,
        hash_rows,
        hash_update,
        hash_merge,
        hash_pairs,
        grind,
        poseidon2_permute,
        poseidon2_compress,
        poseidon2_trace,
        xmss_chains,
        dot_columns,
        row_dot,
        barycentric_weights,
        deep_quotient,
        fri_fold,
        machine_run,
        hash160_chains,
    )
}
