"""Sums of products in the interpreter and in the kernel, against plain integers."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover import field
from prover.field import DEGREE, P
from tests.script.arithmetic import digits, expects, items, judged, known, outcome
from tests.script.spends import judge_tapscript, tapscript_spend
from verifier.script.bilinear import HINTS, Bilinear, compile_bilinear
from verifier.script.errors import STANDARD, ScriptError
from verifier.script.field import dot, kb6_dot, kb6_mul, linear, mul
from verifier.script.spend import run_tapscript, verify_input
from verifier.script.tracker import Tracker

EDGES = (0, 1, 2, 255, 256, 0xFFFF, 0x10000, 0x7EFFFFFF, 0x7F000000 - 0xFFFF, P - 2, P - 1)
RNG = random.Random(5)
elements = st.one_of(st.sampled_from(EDGES), st.integers(0, P - 1))
kb6 = st.tuples(*[elements] * DEGREE)
WORST = (P - 1,) * DEGREE
MIXED = (0x7EFFFFFF, 0xFFFF, 0, P - 1, 1, 0x7EFFFFFF)


def check(
    spec: Bilinear, columns: Sequence[int], digits: Sequence[int], addends: Sequence[int], want: Sequence[int]
) -> None:
    """The result is the wanted one, and no other is accepted."""
    gadget = compile_bilinear(spec)
    hints = spec.hints(columns, digits, addends)
    words = [*columns, *addends, *digits]
    assert judged(gadget, hints, words, want) is ScriptError.OK
    wrong = list(want)
    wrong[RNG.randrange(len(wrong))] ^= 1 << RNG.randrange(32)
    assert judged(gadget, hints, words, wrong) is ScriptError.NUMEQUALVERIFY


@pytest.mark.parametrize("x", EDGES)
def test_a_product_of_edge_values(x: int) -> None:
    for y in EDGES:
        hints = mul().hints([x], [y])
        assert outcome(compile_bilinear(mul()), hints, [x, y])[:2] == (ScriptError.OK, [x * y % P])


@settings(max_examples=30, deadline=None)
@given(elements, elements)
def test_a_product_in_both_judges(x: int, y: int) -> None:
    check(mul(), [x], [y], [], [x * y % P])


@settings(max_examples=15, deadline=None)
@given(kb6, kb6, kb6)
def test_kb6_product_and_horner_step(a: field.Kb6, b: field.Kb6, c: field.Kb6) -> None:
    product = field.mul(a, b)
    check(kb6_mul(), b[::-1], a, [], product)
    check(kb6_mul(6), b[::-1], a, c, field.add(product, c))
    check(kb6_mul(1), b[::-1], a, c[:1], field.add(product, field.lift(c[0])))


@pytest.mark.parametrize("a", [field.ZERO, field.ONE, WORST, MIXED])
@pytest.mark.parametrize("b", [field.ZERO, field.ONE, WORST, MIXED])
def test_kb6_product_of_edge_values(a: field.Kb6, b: field.Kb6) -> None:
    check(kb6_mul(), b[::-1], a, [], field.mul(a, b))


def test_an_inverse_multiplies_back_to_one() -> None:
    a = tuple(RNG.randrange(P) for _ in range(DEGREE))
    check(kb6_mul(), field.inv(a)[::-1], a, [], field.ONE)  # type: ignore[arg-type]


@settings(max_examples=8, deadline=None)
@given(kb6, kb6, kb6, kb6)
def test_two_kb6_products_in_one_sum(a: field.Kb6, b: field.Kb6, c: field.Kb6, d: field.Kb6) -> None:
    total = field.add(field.mul(a, b), field.mul(c, d))
    check(kb6_dot(2), [*b[::-1], *d[::-1]], [*a, *c], [], total)


@settings(max_examples=15, deadline=None)
@given(kb6, kb6)
def test_sum_and_difference(a: field.Kb6, b: field.Kb6) -> None:
    check(linear(1, 1), [], [], [*a, *b], field.add(a, b))
    check(linear(1, -1), [], [], [*a, *b], field.sub(a, b))


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_inner_products(count: int) -> None:
    for draw in (lambda: P - 1, lambda: RNG.choice(EDGES), lambda: RNG.randrange(P)):
        values = [draw() for _ in range(count)]
        weights = [tuple(draw() for _ in range(DEGREE)) for _ in range(count)]
        extra = tuple(draw() for _ in range(DEGREE))
        total = field.ZERO
        for value, weight in zip(values, weights, strict=True):
            total = field.add(total, field.scale(weight, value))  # type: ignore[arg-type]
        flat = [word for weight in weights for word in weight]
        check(dot(count), values, flat, [], total)
        check(dot(count, 6), values, flat, extra, field.add(total, extra))  # type: ignore[arg-type]


@pytest.mark.parametrize("place", range(HINTS))
@pytest.mark.parametrize("by", [-256, -1, 1, 16, 1 << 24, 1 << 31])
def test_a_malformed_hint_fails_the_script(place: int, by: int) -> None:
    for x, y in ((P - 1, P - 1), (0, 0), (1, P - 1), (0x12345678, 0x6789ABCD)):
        hints = list(mul().hints([x], [y]))
        hints[place] += by
        assert outcome(compile_bilinear(mul()), hints, [x, y])[0] is not ScriptError.OK


def test_a_quotient_one_too_small_makes_no_second_result() -> None:
    """The same sum with r + p for r: bytes in range, yet p or more."""
    gadget = compile_bilinear(linear(1))
    for r in (0, 1, 0x00FFFFFF):
        words = [r, 0, 0, 0, 0, 0]
        honest = list(linear(1).hints([], [], words))
        assert outcome(gadget, honest, words)[1] == words
        rest = [(r + P) >> 8 * k & 255 for k in range(4)]
        d = linear(1).residues([], [], words)[0]
        h_0 = (d[0] + 1 - rest[0]) // 256
        h_1 = (d[1] + h_0 - rest[1]) // 256
        h_2 = (d[2] + h_1 - rest[2]) // 256
        forged = [-1, h_0, h_1, h_2, *(byte >> 4 for byte in rest), *honest[HINTS:]]
        assert outcome(gadget, forged, words)[0] is ScriptError.VERIFY


def test_random_hints_never_give_another_result() -> None:
    a, b = MIXED, tuple(RNG.randrange(P) for _ in range(DEGREE))
    spec = kb6_mul()
    honest = spec.hints(b[::-1], a)
    for _ in range(60):
        hints = list(honest)
        for _ in range(RNG.randrange(1, 4)):
            hints[RNG.randrange(len(hints))] += RNG.choice([-1, 1, 255, -256, RNG.randrange(-(2**31), 2**31)])
        error, out, _ = outcome(compile_bilinear(spec), hints, [*b[::-1], *a])
        assert error is not ScriptError.OK or (hints == list(honest) and tuple(out) == field.mul(a, b))


@pytest.mark.parametrize("keep", [True, False])
def test_gadgets_compose_by_names(keep: bool) -> None:
    """(a b) c with the product where it was left."""
    a, b, c = (RNG.randrange(P) for _ in range(3))
    t = Tracker()
    hints = [t.push() for _ in range(2 * HINTS)]
    first, second, third = known(t, 3)
    gadget = compile_bilinear(mul())
    product = gadget.apply(t, [*first, *second], hints[:HINTS], keep)
    result = gadget.apply(t, [*third, *product], hints[HINTS:], keep)
    ab = a * b % P
    stack = [*mul().hints([a], [b]), *mul().hints([c], [ab])]
    ran = run_tapscript(t.code, items([*stack, *digits([a, b, c])]))
    assert ran.verdict.accepted
    by_name = dict(zip(t.items, ran.stack, strict=True))
    assert [by_name[name] for name in result] == items(digits([ab * c % P]))
    assert len(t) == 8 if not keep else len(t) == 40


def test_arguments_on_top_in_order_are_moved_for_nothing() -> None:
    t = Tracker()
    hints = [t.push() for _ in range(HINTS)]
    words = [name for word in known(t, 2) for name in word]
    compile_bilinear(mul()).apply(t, words, hints, keep=False)
    assert t.code == compile_bilinear(mul()).code


@pytest.mark.parametrize("x", [P, P + 1, 0x7FFFFFFF, 2**31, 2**32 - 1])
def test_words_of_p_or_more_never_give_a_wrong_result(x: int) -> None:
    for y in (0, 1, P, 2**32 - 1):
        error, out, _ = outcome(compile_bilinear(mul()), mul().hints([x], [y]), [x, y])
        assert (error, out) == (ScriptError.OK, [x * y % P])
    spec, a, b = kb6_dot(2), [x] * 12, [2**32 - 1] * 12
    error, out, _ = outcome(compile_bilinear(spec), spec.hints(b, a), [*b, *a])
    product = field.mul((x % P,) * 6, ((2**32 - 1) % P,) * 6)
    assert error is not ScriptError.OK or tuple(out) == field.add(product, product)


def test_an_oddly_encoded_hint_changes_no_number() -> None:
    gadget = compile_bilinear(mul())
    x, y = 0x12345678, 0x6789ABCD
    stack = items([*mul().hints([x], [y]), *digits([x, y])])
    stack[4:8] = [(item or b"\0") + b"\0" for item in stack[4:8]]
    assert judge_tapscript(gadget.code + expects([x * y % P]), stack) is ScriptError.OK


def test_standard_flags_accept_a_product() -> None:
    gadget, want = compile_bilinear(kb6_mul()), field.mul(MIXED, WORST)
    stack = items([*kb6_mul().hints(WORST, MIXED), *digits([*WORST, *MIXED])])
    assert verify_input(tapscript_spend(gadget.code + expects(want), stack), 0, STANDARD).accepted


def test_sums_beyond_32_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="28 products"):
        compile_bilinear(dot(28))


def test_arguments_are_counted() -> None:
    with pytest.raises(ValueError, match="expected 8 and 16"):
        compile_bilinear(mul()).apply(Tracker(), [], [])
