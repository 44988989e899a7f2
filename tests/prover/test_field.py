import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import native
from prover import field
from prover.field import P

VECTORS = Path(__file__).parents[1] / "vectors"
KB6 = json.loads((VECTORS / "kb6/kb6.json").read_text())
elements = st.tuples(*[st.one_of(st.integers(0, P - 1), st.sampled_from([0, 1, P - 1]))] * 6)


def test_products_inverses_powers_and_frobenius_equal_the_vectors():
    for case in KB6["mul"]:
        assert field.mul(case["a"], case["b"]) == tuple(case["ab"])
    for case in KB6["inverse"]:
        assert field.inv(tuple(case["a"])) == tuple(case["inv"])
    for case in KB6["pow"]:
        assert field.power(tuple(case["a"]), int(case["e"])) == tuple(case["a_pow_e"])
    for case in KB6["frobenius"]:
        for times, expected in enumerate(case["powers_1_to_5"], 1):
            assert field.frobenius(case["a"], times) == tuple(expected)
    for case in KB6["horner"]:
        coefficients = [field.lift(c) if isinstance(c, int) else tuple(c) for c in case["coeffs"]]
        assert field.horner(coefficients, tuple(case["at"])) == tuple(case["value"])


def test_base_inverse_equals_the_vectors():
    for _, b, *_, inverse in json.loads((VECTORS / "koalabear/field_ops.json").read_text())["rows"]:
        if inverse is None:
            with pytest.raises(ZeroDivisionError):
                field.inverse(b)
        else:
            assert field.inverse(b) == inverse


def test_roots_equal_the_vectors():
    roots = json.loads((VECTORS / "koalabear/roots.json").read_text())
    assert list(field.TWO_ADIC_ROOTS) == roots["two_adic_generators_log0_to_24"]


@given(elements, elements, elements)
def test_kb6_is_a_ring_with_frobenius_an_automorphism(a, b, c):
    assert field.mul(a, field.add(b, c)) == field.add(field.mul(a, b), field.mul(a, c))
    assert field.mul(field.mul(a, b), c) == field.mul(a, field.mul(b, c))
    assert field.sub(field.add(a, b), b) == a
    assert field.frobenius(field.mul(a, b)) == field.mul(field.frobenius(a), field.frobenius(b))


@given(elements)
def test_inverse_undoes_a_product(a):
    if a == field.ZERO:
        with pytest.raises(ZeroDivisionError):
            field.inv(a)
    else:
        assert field.mul(a, field.inv(a)) == field.ONE


@given(elements, elements)
def test_plain_product_equals_the_kernel(a, b):
    planar = [np.array(v, np.uint32).reshape(6, 1) for v in (a, b)]
    assert tuple(int(w) for w in native.kb6_mul(*planar)[:, 0]) == field.mul(a, b)
