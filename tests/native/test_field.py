from __future__ import annotations

import galois
import numpy as np
import pytest

import native
from native import P
from tests.native import reference as ref

GF = galois.GF(P, primitive_element=3, verify=False)


@pytest.mark.parametrize("n", ref.LENGTHS)
def test_add_sub_mul_agree_with_galois(tier: str, n: int) -> None:
    a, b = ref.random(n, n), ref.random(n + 1000, n)
    x, y = GF(a.astype(np.int64)), GF(b.astype(np.int64))
    np.testing.assert_array_equal(native.add(a, b), np.asarray(x + y))
    np.testing.assert_array_equal(native.sub(a, b), np.asarray(x - y))
    np.testing.assert_array_equal(native.mul(a, b), np.asarray(x * y))


def test_field_operations_agree_with_plonky3_vectors(tier: str) -> None:
    rows = ref.vectors("koalabear/field_ops.json")["rows"]
    a, b, added, subtracted, multiplied = (ref.words([row[k] for row in rows]) for k in range(5))
    inverses = ref.words([row[5] or 0 for row in rows])
    np.testing.assert_array_equal(native.add(a, b), added)
    np.testing.assert_array_equal(native.sub(a, b), subtracted)
    np.testing.assert_array_equal(native.mul(a, b), multiplied)
    np.testing.assert_array_equal(native.batch_inverse(b), inverses)


@pytest.mark.parametrize("n", [*ref.LENGTHS, 1023, 1025, 20000])
def test_batch_inverse_times_itself_is_one_and_zero_stays_zero(tier: str, threads: int, n: int) -> None:
    a = ref.random(n, n)
    np.testing.assert_array_equal(native.mul(a, native.batch_inverse(a)), (a != 0).astype(np.uint32))


def test_operations_work_in_place_and_on_any_shape(tier: str) -> None:
    a, b = ref.random(1, 3, 40000), ref.random(2, 3, 40000)
    want = native.add(a, b)
    assert native.add(a, b, out=a) is a
    np.testing.assert_array_equal(a, want)


@pytest.mark.parametrize("n", ref.LENGTHS)
def test_is_canonical_finds_p_anywhere(tier: str, n: int) -> None:
    a = ref.random(n, n)
    assert native.is_canonical(a)
    for bad in {0, n // 2, n - 1} - {-1} if n else set():
        for value in (P, P + 1, 2**32 - 1):
            b = a.copy()
            b[bad] = value
            assert not native.is_canonical(b)


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 1000, 16384, 16400, 70_001, 131_072])
def test_copied_columns_are_those_of_the_parts_in_order(tier: str, threads: int, rows: int) -> None:
    table = ref.random(rows, 11, rows)  # 8 columns of 131,072 rows and more pass by the caches
    want = table[[3, 4, 5, 6, 7, 8, 1, 9, 1]]
    got = native.copy_columns([table[3:9], table[1], table[9], table[1]])
    np.testing.assert_array_equal(got, want)
    out = np.zeros(want.size + 1, np.uint32)[1:].reshape(want.shape)  # on no vector's boundary
    assert native.copy_columns([*want], out=out) is out
    np.testing.assert_array_equal(out, want)


def test_copied_columns_are_checked() -> None:
    with pytest.raises(native.KernelError, match="contiguous rows"):
        native.copy_columns(np.zeros((4, 8), np.uint32).T)
    with pytest.raises(native.KernelError, match=r"\(2, 8\)"):
        native.copy_columns(np.zeros((2, 8), np.uint32), out=np.zeros((2, 9), np.uint32))


def test_is_canonical_on_long_arrays(tier: str) -> None:
    a = np.full(100_003, P - 1, dtype=np.uint32)
    assert native.is_canonical(a)
    for bad in (5, 16384, 50_000, 100_002):
        b = a.copy()
        b[bad] = P
        assert not native.is_canonical(b)
    assert not native.is_canonical(np.full(100_003, P, dtype=np.uint32))


@pytest.mark.parametrize(
    "a",
    [
        np.zeros(4, dtype=np.int64),
        np.zeros(8, dtype=np.uint32)[::2],
        np.zeros((2, 4), dtype=np.uint32).T,
        np.zeros(5, dtype=np.uint32),
        [1, 2, 3, 4],
    ],
    ids=["dtype", "strided", "transposed", "length", "list"],
)
def test_wrong_arrays_are_refused_with_expected_and_got(a: object) -> None:
    good = np.zeros(4, dtype=np.uint32)
    with pytest.raises(native.KernelError) as caught:
        native.add(good, a)  # type: ignore[arg-type]
    assert caught.value.where == "add"
    assert "uint32" in caught.value.expected
    assert caught.value.got


def test_an_output_that_cannot_be_written_is_refused() -> None:
    a = np.zeros(4, dtype=np.uint32)
    out = np.zeros(4, dtype=np.uint32)
    out.flags.writeable = False
    with pytest.raises(native.KernelError, match="writeable"):
        native.add(a, a, out=out)
