from __future__ import annotations

import numpy as np
import pytest

import native
from native import P
from tests.native import reference as ref


@pytest.mark.parametrize("rows", [*ref.LENGTHS, 1024, 1500])
@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 33])
def test_row_dot_is_a_sum_over_columns(tier: str, threads: int, count: int, rows: int) -> None:
    x, w = ref.random(rows, count, rows), ref.random(count, 6, count)
    want = w.astype(object) @ x.astype(object) % P
    np.testing.assert_array_equal(native.row_dot([x[:1], *x[1:]], w), want.astype(np.uint32))


@pytest.mark.parametrize("rows", [*ref.LENGTHS, 512, 1500])
@pytest.mark.parametrize("count", [1, 31, 33])
def test_dot_columns_is_a_sum_over_rows(tier: str, threads: int, count: int, rows: int) -> None:
    x, w = ref.random(rows, count, rows), ref.random(count, 12, rows)
    want = (w.astype(object) @ x.T.astype(object) % P).astype(np.uint32)
    np.testing.assert_array_equal(native.dot_columns(x, w), want)
    np.testing.assert_array_equal(native.dot_columns([*x], w[:6].copy()), want[:6])


def test_the_largest_sums_do_not_overflow(tier: str) -> None:
    x = np.full((200, 64), P - 1, dtype=np.uint32)
    np.testing.assert_array_equal(
        native.row_dot(x, np.full((6, 200), P - 1, dtype=np.uint32)), np.full((6, 64), 200)
    )
    np.testing.assert_array_equal(
        native.dot_columns(x, np.full((6, 64), P - 1, dtype=np.uint32)), np.full((6, 200), 64)
    )


@pytest.mark.parametrize("log_n", [0, 1, 3, 4, 5])
def test_barycentric_weights_evaluate_the_interpolant(tier: str, log_n: int) -> None:
    n, z = 1 << log_n, ref.element(9)
    values = ref.random(log_n, 1, n)
    points = [pow(native.two_adic_root(log_n), i, P) for i in range(n)]
    want = ref.interpolate([ref.base(int(v)) for v in values[0]], points)(z)
    got = native.dot_columns(values, native.barycentric_weights(log_n, z))
    assert tuple(got[:, 0].tolist()) == want


@pytest.mark.parametrize("log_n", [9, 10, 12])
def test_barycentric_weights_are_the_formula(tier: str, threads: int, log_n: int) -> None:
    n, z = 1 << log_n, ref.element(log_n)
    got = native.barycentric_weights(log_n, z)
    factor = ref.e_scale(ref.e_sub(ref.e_pow(z, n), ref.ONE), pow(n, -1, P))
    for i in (0, 1, 17, n // 2, n - 1):
        x = pow(native.two_adic_root(log_n), i, P)
        want = ref.e_scale(ref.e_mul(factor, ref.e_inv(ref.e_sub(z, ref.base(x)))), x)
        assert tuple(got[:, i].tolist()) == want


@pytest.mark.parametrize("log_n", [0, 1, 3, 4, 5, 9, 11])
def test_deep_quotient_is_the_formula(tier: str, threads: int, log_n: int) -> None:
    n, shift = 1 << log_n, 3**5
    dot = ref.random(log_n, 6, n)
    r_zeta, r_next, gamma, zeta, following = (ref.element(seed) for seed in range(5))
    following = (0, 0, 5, 0, 0, 0) if log_n == 5 else following  # a sparse point
    got = native.deep_quotient(dot, r_zeta, r_next, gamma, zeta, following, shift)
    for i in {0, 1, n // 2, n - 1, 17} & set(range(n)):
        x = ref.base(shift * pow(native.two_adic_root(log_n), i, P))
        r = tuple(dot[:, i].tolist())
        first = ref.e_mul(ref.e_sub(r_zeta, r), ref.e_inv(ref.e_sub(zeta, x)))
        second = ref.e_mul(ref.e_sub(r_next, r), ref.e_inv(ref.e_sub(following, x)))
        assert tuple(got[:, i].tolist()) == ref.e_add(first, ref.e_mul(gamma, second))
    assert native.deep_quotient(dot, r_zeta, r_next, gamma, zeta, following, shift, out=dot) is dot
    np.testing.assert_array_equal(dot, got)


@pytest.mark.parametrize("arity", [2, 4, 8])
@pytest.mark.parametrize("log_n", [1, 2, 3, 4, 6, 7, 8, 11, 15])
def test_fold_sums_coefficient_parts_with_powers_of_beta(
    tier: str, threads: int, log_n: int, arity: int
) -> None:
    if 1 << log_n < arity:
        pytest.skip("shorter than the arity")
    n, shift, beta = 1 << log_n, 3**4, ref.element(11)
    coefficients = ref.random(log_n, 6, n)
    folded = np.zeros((6, n // arity), dtype=np.uint32)
    for i in range(arity):  # f_i has the coefficients i, i + arity, ..
        native.kb6_axpy(folded, ref.e_pow(beta, i), coefficients[:, i::arity].copy())
    want = native.coset_ntt(folded, 0, pow(shift, arity, P))
    codeword = native.coset_ntt(coefficients, 0, shift)
    np.testing.assert_array_equal(native.fri_fold(codeword, arity, beta, shift), want)


def test_folding_by_eight_at_one_point_by_hand(tier: str) -> None:
    beta = ref.element(2)
    codeword = ref.random(3, 6, 8)
    points = [5 * pow(native.two_adic_root(3), i, P) % P for i in range(8)]
    # on one group f is its interpolant, and sum beta^i f_i(y) is that interpolant at beta
    want = ref.interpolate(ref.elements(codeword), points)(beta)
    assert tuple(native.fri_fold(codeword, 8, beta, 5)[:, 0].tolist()) == want


def test_wrong_requests_are_refused() -> None:
    z = lambda *shape: np.zeros(shape, dtype=np.uint32)  # noqa: E731
    e = ref.element(1)
    for bad in (
        lambda: native.row_dot(z(3, 8), z(6, 2)),
        lambda: native.dot_columns(z(3, 8), z(7, 8)),
        lambda: native.dot_columns(z(3, 8), z(6, 9)),
        lambda: native.barycentric_weights(3, (1, 0, 0, 0, 0, 0)),
        lambda: native.barycentric_weights(25, e),
        lambda: native.fri_fold(z(6, 8), 16, e, 1),
        lambda: native.fri_fold(z(6, 4), 8, e, 1),
        lambda: native.fri_fold(z(6, 12), 4, e, 1),
        lambda: native.fri_fold(z(6, 8), 4, e, 0),
        lambda: native.deep_quotient(z(6, 8), e, e, e, (3, 0, 0, 0, 0, 0), e, 3),
        lambda: native.deep_quotient(z(6, 8), e, e, e, e, (P, 1, 0, 0, 0, 0), 3),
    ):
        with pytest.raises(native.KernelError):
            bad()
