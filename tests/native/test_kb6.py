from __future__ import annotations

import numpy as np
import pytest

import native
from native import P
from tests.native import reference as ref


def test_products_and_inverses_agree_with_vectors(tier: str) -> None:
    data = ref.vectors("kb6/kb6.json")
    a, b, ab = (ref.planar([row[key] for row in data["mul"]]) for key in ("a", "b", "ab"))
    np.testing.assert_array_equal(native.kb6_mul(a, b), ab)
    a, inverse = (ref.planar([row[key] for row in data["inverse"]]) for key in ("a", "inv"))
    np.testing.assert_array_equal(native.kb6_batch_inverse(a), inverse)


@pytest.mark.parametrize("n", ref.LENGTHS)
def test_products_agree_with_plain_integers(tier: str, n: int) -> None:
    a, b = ref.random(n, 6, n), ref.random(n + 1, 6, n)
    want = [ref.e_mul(x, y) for x, y in zip(ref.elements(a), ref.elements(b), strict=True)]
    np.testing.assert_array_equal(native.kb6_mul(a, b), ref.planar(want))


def test_the_largest_sums_do_not_overflow(tier: str) -> None:
    top = np.full((6, 33), P - 1, dtype=np.uint32)
    want = ref.e_mul((P - 1,) * 6, (P - 1,) * 6)
    np.testing.assert_array_equal(native.kb6_mul(top, top), ref.planar([want] * 33))


@pytest.mark.parametrize("n", [*ref.LENGTHS, 1000])
def test_inverse_times_itself_is_one_and_zero_stays_zero(tier: str, n: int) -> None:
    a = ref.random(n, 6, n)
    a[:, ::5] = 0
    a[1:, 1::7] = 0  # base field elements
    product = native.kb6_mul(a, native.kb6_batch_inverse(a))
    want = np.zeros_like(a)
    want[0] = a.any(axis=0)
    np.testing.assert_array_equal(product, want)


@pytest.mark.parametrize("n", [*ref.LENGTHS, 70_000])
def test_axpy_adds_a_multiple(tier: str, n: int) -> None:
    scale = ref.element(3)
    acc, x = ref.random(n, 6, n), ref.random(n + 5, 6, n)
    spread = np.tile(ref.planar([scale]), n)
    want = native.add(acc, native.kb6_mul(spread, x))
    assert native.kb6_axpy(acc, scale, x) is acc
    np.testing.assert_array_equal(acc, want)


@pytest.mark.parametrize("n", [*ref.LENGTHS, 9000])
def test_powers_start_at_one_and_multiply(tier: str, threads: int, n: int) -> None:
    base = ref.element(7)
    got = native.powers(base, n)
    for i in {0, 1, 15, 16, 17, 4095, 4096, 4097, n - 1}:
        if 0 <= i < n:
            assert tuple(int(x) for x in got[:, i]) == ref.e_pow(base, i)


@pytest.mark.parametrize("n", [*ref.LENGTHS, 600])
def test_logup_fraction_times_denominator_is_numerator(tier: str, n: int) -> None:
    numerators, denominators = ref.random(n, 6, n), ref.random(n + 1, 6, n)
    denominators[:, ::3] = 0
    phi = native.logup_accumulate(numerators, denominators)
    want = numerators * denominators.any(axis=0)
    np.testing.assert_array_equal(native.kb6_mul(phi, denominators), want.astype(np.uint32))


@pytest.mark.parametrize("n", [*ref.LENGTHS, 5000])
def test_prefix_sums_are_exclusive(tier: str, n: int) -> None:
    a = ref.random(n, 6, n)
    sums = np.cumsum(a.astype(object), axis=1) % P
    prefix, total = native.prefix_sum(a)
    np.testing.assert_array_equal(prefix[:, 1:], sums[:, :-1].astype(np.uint32))
    np.testing.assert_array_equal(prefix[:, :1], np.zeros((6, min(n, 1)), dtype=np.uint32))
    np.testing.assert_array_equal(total, sums[:, -1].astype(np.uint32) if n else np.zeros(6, dtype=np.uint32))


@pytest.mark.parametrize("scalar", [(1, 2, 3, 4, 5), (1, 2, 3, 4, 5, P), (-1, 0, 0, 0, 0, 0)])
def test_scalars_that_are_not_canonical_are_refused(scalar: tuple[int, ...]) -> None:
    with pytest.raises(native.KernelError):
        native.powers(scalar, 4)
