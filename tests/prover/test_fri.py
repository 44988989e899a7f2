"""Folds, joins and the final polynomial against polynomials in clear."""

import numpy as np
import pytest

import native
from prover import field, fri
from prover.air.air import AirSystem
from prover.domains import coset_shift, periodic_coefficients
from prover.field import TWO_ADIC_ROOTS, P
from prover.layout import Layout
from prover.params import ProofParams
from prover.shape import Shape
from prover.transcript import Transcript
from tests.prover.test_params_and_shape import make_air


def _layout(logs, params):
    system = AirSystem(tuple(make_air(f"t{i}") for i in range(len(logs))))
    return Layout(system, Shape.of(system, {f"t{i}": log for i, log in enumerate(logs)}), params)


@pytest.mark.parametrize("logs", [(5,), (6, 3), (7, 6, 4, 2)])
@pytest.mark.parametrize("arity", [1, 2, 3])
def test_final_polynomial_is_the_fold_of_all_joined_polynomials(logs, arity):
    params = ProofParams(2, 1, 0, 0, 2, arity)
    layout = _layout(logs, params)
    rng = np.random.default_rng(5)
    coefficients = {log: rng.integers(0, P, (6, 1 << log), dtype=np.uint32) for log in set(logs)}

    def codeword(log):
        return native.coset_ntt(coefficients[log], params.log_blowup, coset_shift(layout, log))

    betas = []

    class Logged(Transcript):
        def challenge(self, label):
            betas.append(super().challenge(label))
            return betas[-1]

    proof = fri.commit(layout, codeword, Logged())
    expected = [field.to_kb6(c) for c in coefficients[logs[0]].T.tolist()]
    for layer, beta in zip(layout.fri_layers, betas, strict=True):
        a = 1 << layer.fold.log_arity
        powers = field.powers(beta, a + 1)
        folded = []
        for start in range(0, len(expected), a):
            total = field.ZERO
            for i in range(a):
                total = field.add(total, field.mul(powers[i], expected[start + i]))
            folded.append(total)
        log = layer.log_leaves - params.log_blowup
        if layer.fold.joins:
            joined = [field.to_kb6(c) for c in coefficients[log].T.tolist()]
            folded = [field.add(f, field.mul(powers[a], j)) for f, j in zip(folded, joined, strict=True)]
        expected = folded
    assert proof.final == expected


def test_domains_nest():
    layout = _layout((6, 3, 2), ProofParams(2, 1, 0, 0, 2))
    for log in (3, 2):
        ratio = 1 << (6 - log)
        tall, small = coset_shift(layout, 6), coset_shift(layout, log)
        for i in (0, 1, 77):
            x = tall * pow(TWO_ADIC_ROOTS[8], i, P) % P
            y = small * pow(TWO_ADIC_ROOTS[log + 2], i % (1 << (log + 2)), P) % P
            assert pow(x, ratio, P) == y


@pytest.mark.parametrize("values", [(5,), (1, 0), (1, 2, 3, 4), tuple(range(100, 116))])
def test_periodic_polynomial_takes_its_values(values):
    coefficients = periodic_coefficients(values)
    root = TWO_ADIC_ROOTS[len(values).bit_length() - 1]
    for i, value in enumerate(values):
        x = pow(root, i, P)
        assert sum(c * pow(x, k, P) for k, c in enumerate(coefficients)) % P == value
