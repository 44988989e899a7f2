from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import native
from native import P
from tests.native import reference as ref

LOGS = [*range(11), 12, 13, 14]


def test_roots_agree_with_plonky3_vectors() -> None:
    data = ref.vectors("koalabear/roots.json")
    assert [native.two_adic_root(k) for k in range(25)] == data["two_adic_generators_log0_to_24"]


def test_transforms_agree_with_plonky3_vectors(tier: str) -> None:
    for case in ref.vectors("koalabear/dft.json"):
        x, values, coset = (ref.words([case[key]]) for key in ("input", "dft", "coset_dft_shift3"))
        np.testing.assert_array_equal(native.ntt(x), values)
        np.testing.assert_array_equal(native.intt(x), ref.words([case["idft"]]))
        np.testing.assert_array_equal(native.coset_ntt(x, 0, 3), coset)
        np.testing.assert_array_equal(native.coset_intt(coset, 3), x)


def test_lde_agrees_with_plonky3_vectors(tier: str) -> None:
    for case in ref.vectors("koalabear/coset_lde.json"):
        shape = (1 << case["log_n"], case["width"])
        values = ref.words(case["evals_row_major"]).reshape(shape).T.copy()
        want = ref.words(case["lde_row_major"]).reshape(-1, case["width"]).T
        got = native.coset_lde(values, case["blowup"].bit_length() - 1, case["shift"])
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("log_n", range(7))
def test_transform_is_the_definition(tier: str, log_n: int) -> None:
    x = ref.random(log_n, 2, 1 << log_n)
    np.testing.assert_array_equal(native.ntt(x), native.dft_natural(x))


@pytest.mark.parametrize("log_n", LOGS)
def test_inverse_undoes_the_transform_on_every_coset(tier: str, log_n: int) -> None:
    x = ref.random(log_n, 3, 1 << log_n)
    for shift in (1, 3, P - 1):
        np.testing.assert_array_equal(native.coset_intt(native.coset_ntt(x, 0, shift), shift), x)


@pytest.mark.parametrize("log_blowup", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("log_n", [0, 1, 3, 5, 6, 7, 8, 9, 12, 13])
def test_lde_is_interpolation_then_evaluation(tier: str, threads: int, log_n: int, log_blowup: int) -> None:
    values = ref.random(log_n, 5, 1 << log_n)
    coefficients = native.intt(values)
    padded = np.zeros((5, 1 << (log_n + log_blowup)), dtype=np.uint32)
    padded[:, : 1 << log_n] = coefficients
    lde = native.coset_lde(values, log_blowup, 5)
    np.testing.assert_array_equal(lde, native.coset_ntt(padded, 0, 5))
    np.testing.assert_array_equal(lde, native.coset_ntt(coefficients, log_blowup, 5))


def test_values_of_a_long_transform_by_horner(tier: str) -> None:
    log_n = 14
    x = ref.random(1, 1, 1 << log_n)
    got = native.coset_ntt(x, 1, 7)
    root = native.two_adic_root(log_n + 1)
    for i in (0, 1, 2, 1000, (1 << log_n) + 1, (2 << log_n) - 1):
        point, value = 7 * pow(root, i, P) % P, 0
        for c in reversed(x[0].tolist()):
            value = (value * point + c) % P
        assert got[0, i] == value


def test_columns_may_lie_anywhere_and_output_is_filled(tier: str) -> None:
    block = ref.random(1, 6, 300)
    parts = [block[1:3, 20:276], block[5, :256], block[::2, 3:259]]
    stacked = np.vstack(parts)
    out = np.empty((6, 512), dtype=np.uint32)
    assert native.coset_lde(parts, 1, 3, out=out) is out
    np.testing.assert_array_equal(out, native.coset_lde(stacked, 1, 3))


@pytest.mark.parametrize("log_blowup", [0, 1, 2, 4])
@pytest.mark.parametrize("log_n", [0, 1, 3, 5, 6, 7, 8, 9, 12, 13])
def test_values_on_the_first_coset_replace_the_columns(tier: str, log_n: int, log_blowup: int) -> None:
    values = ref.random(log_n, 5, 1 << log_n)
    want = native.coset_lde(values, log_blowup, 5)
    group = [values[:2].copy(), values[2].copy(), values[3:].copy()]
    np.testing.assert_array_equal(native.coset_lde(group, log_blowup, 5, first=group), want)
    np.testing.assert_array_equal(np.vstack(group), want[:, :: 1 << log_blowup])


@pytest.mark.parametrize("shift_words", [0, 1])
def test_large_results_equal_those_of_one_column_at_a_time(tier: str, shift_words: int) -> None:
    """2^20 elements are stored past the caches, where their place allows it; a column's 2^16 are not."""
    columns = ref.random(20, 16, 1 << 15)
    want = [native.coset_lde(column[None, :], 1, 3) for column in columns]
    out = native.empty((1 << 20) + 16)[shift_words : shift_words + (1 << 20)].reshape(16, -1)
    first = native.empty((1 << 19) + 16)[shift_words : shift_words + (1 << 19)].reshape(16, -1)
    np.testing.assert_array_equal(
        native.coset_lde(columns, 1, 3, out=out, first=[first]), np.concatenate(want)
    )
    np.testing.assert_array_equal(first, out[:, ::2])


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = native.threads()
    native.set_threads(2)
    yield
    native.set_threads(before)


def test_long_columns_in_turn_equal_those_one_at_a_time(tier: str, two_threads: None) -> None:
    log_n, count = 19, 9  # pairs, and one alone
    values = ref.random(log_n, count, 1 << log_n)
    lde = native.coset_lde(values, 1, 5)
    indices = np.array([0, 1, 77_777, (1 << log_n) - 1])
    g = native.two_adic_root(log_n + 1)
    points = native.coset_points(values, [(5, indices), (5 * g % P, indices)])
    np.testing.assert_array_equal(
        points, np.concatenate([lde[:, 2 * indices], lde[:, 2 * indices + 1]], axis=1)
    )
    for column, extended in zip(values, lde, strict=True):
        np.testing.assert_array_equal(native.coset_lde(column[None], 1, 5)[0], extended)
    moved = native.coset_lde(values, 0, 5, out=values)
    np.testing.assert_array_equal(moved, lde[:, ::2])


@pytest.mark.parametrize("degree", [0, 1, 77_777, (1 << 20) - 1])
def test_monomials_of_the_longest_strips(tier: str, degree: int) -> None:
    log_n, shift = 20, 5

    def powers(base: int, count: int) -> np.ndarray:
        out = np.ones(1, np.uint64)
        while len(out) < count:
            out = np.concatenate([out, out * pow(base, len(out), P) % P])
        return out

    values = powers(pow(native.two_adic_root(log_n), degree, P), 1 << log_n)
    want = powers(pow(native.two_adic_root(log_n + 1), degree, P), 2 << log_n) * pow(shift, degree, P) % P
    np.testing.assert_array_equal(native.coset_lde(values.astype(np.uint32)[None], 1, shift)[0], want)


def test_no_columns_is_no_work(tier: str) -> None:
    assert native.coset_lde(np.empty((0, 8), dtype=np.uint32), 1, 3).shape == (0, 16)


def test_wrong_requests_are_refused() -> None:
    x = np.zeros((1, 8), dtype=np.uint32)
    for bad in (
        lambda: native.coset_lde(np.zeros((1, 6), dtype=np.uint32), 1, 3),
        lambda: native.coset_lde(x, 5, 3),
        lambda: native.coset_lde(x, -1, 3),
        lambda: native.coset_lde(x, 1, 0),
        lambda: native.coset_lde(x, 1, P),
        lambda: native.coset_lde(x, 1, 3, out=np.zeros((1, 8), dtype=np.uint32)),
        lambda: native.coset_lde([x, np.zeros(4, dtype=np.uint32)], 1, 3),
        lambda: native.coset_lde(x, 1, 3, first=[]),
        lambda: native.coset_lde(x, 1, 3, first=[np.zeros((1, 4), dtype=np.uint32)]),
        lambda: native.coset_lde(x, 1, 3, first=[np.broadcast_to(x[0], (1, 8))]),
        lambda: native.two_adic_root(25),
    ):
        with pytest.raises(native.KernelError):
            bad()


@pytest.mark.parametrize("log_n", [0, 1, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14])
@pytest.mark.parametrize("cosets", [1, 3])
def test_few_points_equal_those_of_the_transform(tier: str, threads: int, log_n: int, cosets: int) -> None:
    n, rng = 1 << log_n, np.random.default_rng(log_n)
    x = ref.random(log_n, 5, n)
    shifts = [3, 1, P - 5][:cosets]
    points = [(shift, rng.integers(0, n, k)) for shift, k in zip(shifts, (21, 0, 4), strict=False)]
    got = native.coset_points([x[:2], x[2], x[3:]], points)
    want = [native.coset_lde(x, 0, shift)[:, indices] for shift, indices in points]
    np.testing.assert_array_equal(got, np.concatenate(want, axis=1))


def test_wrong_points_are_refused() -> None:
    x = np.zeros((2, 8), dtype=np.uint32)
    for points in ([], [(0, np.array([1]))], [(3, np.array([8]))], [(3, np.array([-1]))]):
        with pytest.raises(native.KernelError):
            native.coset_points(x, points)
