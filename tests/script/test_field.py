"""Sums of products in the interpreter and in the kernel, against plain integers."""

import random
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover import field
from prover.field import DEGREE, P
from tests.script.arithmetic import compiled, digits, expects, items, judged, known, outcome
from tests.script.sizes import HORNER, KB6
from tests.script.spends import judge_tapscript, tapscript_spend
from verifier.script.bilinear import HINTS, SPLIT_HINTS, Arithmetic, Bilinear, Sum
from verifier.script.errors import STANDARD, ScriptError
from verifier.script.field import challenge, linear, product_sum, words_of
from verifier.script.gadget import drop
from verifier.script.opcodes import Op
from verifier.script.spend import run_tapscript, verify_input
from verifier.script.tracker import Tracker

EDGES = (0, 1, 2, 255, 256, 0xFFFF, 0x10000, 0x7EFFFFFF, 0x7F000000 - 0xFFFF, P - 2, P - 1)
RNG = random.Random(5)
elements = st.one_of(st.sampled_from(EDGES), st.integers(0, P - 1))
kb6 = st.tuples(*[elements] * DEGREE)
WORST = (P - 1,) * DEGREE
MIXED = (0x7EFFFFFF, 0xFFFF, 0, P - 1, 1, 0x7EFFFFFF)
MUL, PRODUCT = product_sum(((1, 1),)), product_sum((KB6,))
Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]


def lifted(words: Sequence[int]) -> field.Kb6:
    return field.to_kb6([*words, *[0] * (DEGREE - len(words))])


def total(pairs: Pairs, addend: Sequence[int] = ()) -> field.Kb6:
    found = lifted(addend)
    for x, y in pairs:
        found = field.add(found, field.mul(lifted(x), lifted(y)))
    return found


def check(pairs: Pairs, addend: Sequence[int] = ()) -> None:
    """The result is the right one, and no other is accepted."""
    spec = product_sum(tuple((len(x), len(y)) for x, y in pairs), len(addend))
    columns, found = words_of([x for x, _ in pairs]), words_of([y for _, y in pairs])
    agrees(spec, columns, found, addend, total(pairs, addend)[: len(spec.sums)])


def agrees(
    spec: Bilinear, columns: Sequence[int], digits: Sequence[int], addends: Sequence[int], want: Sequence[int]
) -> None:
    hints = spec.hints(columns, digits, addends)
    words = [*columns, *addends, *digits]
    assert judged(spec, hints, words, want) is ScriptError.OK
    wrong = list(want)
    wrong[RNG.randrange(len(wrong))] ^= 1 << RNG.randrange(32)
    assert judged(spec, hints, words, wrong) is ScriptError.NUMEQUALVERIFY


@pytest.mark.parametrize("x", EDGES)
def test_a_product_of_edge_values(x: int) -> None:
    for y in EDGES:
        assert outcome(MUL, MUL.hints([x], [y]), [x, y])[:2] == (ScriptError.OK, [x * y % P])


@settings(max_examples=30, deadline=None)
@given(elements, elements)
def test_a_product_in_both_judges(x: int, y: int) -> None:
    check([((x,), (y,))])


@settings(max_examples=15, deadline=None)
@given(kb6, kb6, kb6)
def test_kb6_product_and_horner_step(a: field.Kb6, b: field.Kb6, c: field.Kb6) -> None:
    check([(a, b)])
    check([(a, b)], c)
    check([(a, b)], c[:1])


@pytest.mark.parametrize(
    ("a", "b"), list(product([field.ZERO, field.ONE, WORST, MIXED, MIXED[::-1]], repeat=2))
)
def test_kb6_product_of_edge_values(a: field.Kb6, b: field.Kb6) -> None:
    check([(a, b)])


NINES = (0, 0x0F0F0F0F, 0x70F0F0F0, 0x7EFFFFFF, 0x7F000000, 0x10000001, 0x0FFFFFFF, 0x00FFFFFF)


@pytest.mark.parametrize("y", NINES)
def test_differences_of_digits_carry_at_every_place(y: int) -> None:
    """b_i - b_(i+3) + p: nibbles of 15 above 0, of 0 above 15, and carries that run through."""
    for z in NINES:
        check([(MIXED, (y, z, y, z, y, z))])


@pytest.mark.parametrize("place", range(8))
def test_every_row_of_the_table_at_every_place(place: int) -> None:
    for digit in range(16 if place < 7 else 8):
        for x in (1, 0x10000, 0x7EFF8001):
            y = min(digit << 4 * place, P - 1)
            assert outcome(MUL, MUL.hints([x], [y]), [x, y])[:2] == (ScriptError.OK, [x * y % P])


@settings(max_examples=8, deadline=None)
@given(kb6, st.lists(st.tuples(elements, kb6), min_size=3, max_size=3), elements)
def test_a_step_of_horner_with_four_base_values(
    a: field.Kb6, rest: list[tuple[int, field.Kb6]], v: int
) -> None:
    check([(a, WORST), *(((x,), y) for x, y in rest)], (v,))


@pytest.mark.parametrize("draw", [lambda: P - 1, lambda: RNG.choice(EDGES), lambda: RNG.randrange(P)])
@pytest.mark.parametrize(
    "sizes",
    [((1, 6),), ((6, 1),), ((1, 6),) * 4, ((1, 1),) * 8, ((6, 1), (6, 6)), (KB6, KB6), HORNER],
    ids=str,
)
def test_sums_of_products_of_every_kind(sizes, draw) -> None:
    pairs = [tuple(tuple(draw() for _ in range(size)) for size in pair) for pair in sizes]
    check(pairs)
    check(pairs, tuple(draw() for _ in range(1 if sizes == ((1, 1),) * 8 else DEGREE)))


@settings(max_examples=15, deadline=None)
@given(kb6, kb6, elements)
def test_sums_and_differences(a: field.Kb6, b: field.Kb6, c: int) -> None:
    agrees(linear((6, 6), (1, 1)), [], [], [*a, *b], field.add(a, b))
    agrees(linear((6, 6), (1, -1)), [], [], [*a, *b], field.sub(a, b))
    agrees(linear((1, 6), (-1, -1)), [], [], [c, *a], field.sub(field.sub(field.ZERO, lifted([c])), a))


@pytest.mark.parametrize(
    "value", [0, 1, P, P - 1, 2**32, 2**63, 2**64 - 1, P * (2**33 - 1), RNG.randrange(2**64)]
)
def test_a_challenge_is_six_words_of_64_bits_mod_p(value: int) -> None:
    values = [value, *(RNG.randrange(2**64) for _ in range(5))]
    words = [half for v in values for half in (v & 0xFFFFFFFF, v >> 32)]
    agrees(challenge(), [], [], words, [v % P for v in values])


@pytest.mark.parametrize("place", range(HINTS))
@pytest.mark.parametrize("by", [-65536, -1, 1, 16, 1 << 24, 1 << 31])
def test_a_malformed_hint_fails_the_script(place: int, by: int) -> None:
    for x, y in ((P - 1, P - 1), (0, 0), (1, P - 1), (0x12345678, 0x6789ABCD)):
        hints = list(MUL.hints([x], [y]))
        hints[place] += by
        assert outcome(MUL, hints, [x, y])[0] is not ScriptError.OK


def test_a_quotient_one_off_makes_no_second_result() -> None:
    """The same sum with r + p, or r - p, for r: halves in range, yet no number below p."""
    spec = linear((1,), (1,))
    for r in (0, 1, 0x00FFFFFF, 0xFFFF, P - 1):
        assert outcome(spec, spec.hints([], [], [r]), [r])[1] == [r]
        for q in (-1, 1):
            other = r - q * P
            assert outcome(spec, (other & 0xFFFF, other >> 16, q), [r])[0] is ScriptError.VERIFY


@pytest.mark.parametrize("word", [P, P + 1, 0x7F00FFFF, 0x7F010000, 2**31, 2**32 - 1, -1, -65536, 1 << 40])
def test_a_hinted_element_is_below_p(word: int) -> None:
    for value, well in ((word, False), (P - 1, True), (0x7EFFFFFF, True), (0, True)):
        t = Tracker()
        hints = [t.push(), t.push()]
        Arithmetic(t).element(hints)
        ran = run_tapscript(t.code, items([value & 0xFFFF, value >> 16]))
        assert ran.verdict.accepted is well


def test_the_same_result_in_other_halves_fails() -> None:
    """The sum does not tell (0, 1) from (65536, 0); whoever could choose would find a right wire wrong."""
    spec = linear((1,), (1,))
    for r in (0, 1, 0xFFFF, 0x10000, 0x1FFFF, 0x7EFF0000, 0x7EFFFFFF, P - 1):
        low, high, q = spec.hints([], [], [r])
        assert (low, high, q) == (r & 0xFFFF, r >> 16, 0)
        assert outcome(spec, (low, high, q), [r])[0] is ScriptError.OK
        for by in (-2, -1, 1, 2):
            assert outcome(spec, (low + (by << 16), high - by, q), [r])[0] is ScriptError.VERIFY


def test_random_hints_never_give_another_result() -> None:
    a, b = MIXED, tuple(RNG.randrange(P) for _ in range(DEGREE))
    honest = PRODUCT.hints(a, b)
    for _ in range(60):
        hints = list(honest)
        for _ in range(RNG.randrange(1, 4)):
            hints[RNG.randrange(len(hints))] += RNG.choice([-1, 1, 255, -256, RNG.randrange(-(2**31), 2**31)])
        error, out, _ = outcome(PRODUCT, hints, [*a, *b])
        assert error is not ScriptError.OK or (hints == list(honest) and tuple(out) == field.mul(a, b))


def test_known_results_take_quotients_only() -> None:
    """An inverse times its element is 1, and no other pair is accepted."""
    a = tuple(RNG.randrange(P) for _ in range(DEGREE))
    for b, well in ((field.inv(a), True), (field.add(field.inv(a), field.ONE), False), (field.ZERO, False)):
        t = Tracker()
        hints = [t.push() for _ in range(DEGREE)]
        x, y = (known(t, DEGREE) for _ in range(2))
        calculation = Arithmetic(t)
        columns = [calculation.halves(word) for word in x]
        assert calculation.sums(PRODUCT, columns, y, [], hints, expected=field.ONE) == []
        t.emit(drop(len(t)), Op.OP_1)
        quotients = PRODUCT.quotients(b, a, field.ONE)
        verdict = judge_tapscript(t.code, items([*quotients, *digits([*b, *a])]))
        assert verdict is (ScriptError.OK if well else ScriptError.VERIFY)


def chained(hints: Sequence[int], a: Sequence[int], b: Sequence[int], c: Sequence[int]) -> ScriptError:
    """The verdict on hints for (a b) c = the right product, where a b need not be below p."""
    t = Tracker()
    names = [t.push() for _ in range(2 * HINTS * DEGREE)]
    x, y, z = (known(t, DEGREE) for _ in range(3))
    calculation = Arithmetic(t)
    columns = [calculation.halves(word) for word in x]
    half = HINTS * DEGREE
    value = calculation.sums(PRODUCT, columns, y, [], names[:half], canonical=False)
    for result in calculation.sums(PRODUCT, value, z, [], names[half:]):
        for item in result:
            t.roll(item)
            t.emit(Op.TOALTSTACK)
            t.pop()
    t.emit(drop(len(t)), bytes([Op.FROMALTSTACK]) * (2 * DEGREE))
    want = field.mul(field.mul(lifted(a), lifted(b)), lifted(c))
    return judge_tapscript(t.code + expects(want), items([*hints, *digits([*a, *b, *c])]))


@pytest.mark.parametrize(
    "by", [(0, 0), (1 << 16, -1), (-(1 << 16), 1), (1, 127 << 8), (-1, -(127 << 8)), (5, 0)]
)
def test_a_result_that_becomes_a_column_is_right_in_any_halves(by: tuple[int, int]) -> None:
    """Other halves, or p more or less, are the same residue: the product after it is the same, or the script fails."""
    a, b, c = WORST, MIXED, tuple(RNG.randrange(P) for _ in range(DEGREE))
    first = list(PRODUCT.hints(a, b))
    q = (by[0] + (by[1] << 16)) // P  # what the first quotient must be less
    first = [first[0] + by[0], first[1] + by[1], first[2] - q, *first[3:]]
    second = []
    for sum_ in totals_of_halves(list(zip(first[::3], first[1::3], strict=True)), c):
        quotient, r = divmod(sum_, P)
        second += [r & 0xFFFF, r >> 16, quotient]
    well = (by[0] + (by[1] << 16)) % P == 0
    assert chained([*first, *second], a, b, c) is (ScriptError.OK if well else ScriptError.VERIFY)


def totals_of_halves(halves: Sequence[tuple[int, int]], c: Sequence[int]) -> list[int]:
    """What the script reduces in a product of these halves and c: linear in each half."""
    zero = [0] * DEGREE
    total_ = [0] * DEGREE
    for j, (low, high) in enumerate(halves):
        one = [*zero[:j], 1, *zero[j + 1 :]]
        unit = [*zero[:j], 1 << 16, *zero[j + 1 :]]
        lows, highs = PRODUCT.totals(one, c, ()), PRODUCT.totals(unit, c, ())
        total_ = [t + low * x + high * y for t, x, y in zip(total_, lows, highs, strict=True)]
    return total_


@pytest.mark.parametrize("shared", [True, False])
def test_sums_compose_by_names(shared: bool) -> None:
    """(a b) c c d with the products where they were left, c's digits shared, a product split for the last."""
    a, b, c, d = (tuple(RNG.randrange(P) for _ in range(DEGREE)) for _ in range(4))
    t = Tracker()
    hints = [t.push() for _ in range(3 * HINTS * DEGREE)]
    first, second, third = (known(t, DEGREE) for _ in range(3))
    split = [t.push() for _ in range(DEGREE * SPLIT_HINTS)]
    last = [t.push() for _ in range(HINTS * DEGREE)]
    calculation = Arithmetic(t)
    each = HINTS * DEGREE
    value = calculation.sums(PRODUCT, [calculation.halves(w) for w in first], second, [], hints[:each])
    for i in (1, 2):
        value = calculation.sums(PRODUCT, value, third, [], hints[each * i : each * (i + 1)], shared=shared)
    nibbles = [
        calculation.split(word, split[SPLIT_HINTS * i : SPLIT_HINTS * (i + 1)])
        for i, word in enumerate(value)
    ]
    fourth = [((word & 0xFFFF,), (word >> 16,)) for word in d]
    value = calculation.sums(PRODUCT, fourth, nibbles, [], last)
    products = [field.mul(a, b)]
    products += [field.mul(products[-1], c)]
    products += [field.mul(products[-1], c)]
    found = [
        *PRODUCT.hints(a, b), *PRODUCT.hints(products[0], c), *PRODUCT.hints(products[1], c)
    ]  # fmt: skip
    halves = [n for word in products[2] for n in (word >> 4 * k & 15 for k in reversed(range(8)))]
    stack = [*found, *digits([*a, *b, *c]), *halves, *PRODUCT.hints(d, products[2])]
    ran = run_tapscript(t.code, items(stack))
    assert ran.verdict.accepted
    assert ran.verdict.peak_stack <= calculation.peak
    by_name = dict(zip(t.items, ran.stack, strict=True))
    want = field.mul(products[2], d)
    assert [by_name[half] for word in value for half in word] == items(
        [half for word in want for half in (word & 0xFFFF, word >> 16)]
    )


@pytest.mark.parametrize("place", range(SPLIT_HINTS))
def test_nibbles_of_another_word_fail(place: int) -> None:
    for word in (0, P - 1, 0x12345678):
        honest = [word >> 4 * k & 15 for k in reversed(range(8))]
        t = Tracker()
        low, high = t.push(), t.push()
        Arithmetic(t).split((low, high), [t.push() for _ in range(SPLIT_HINTS)])
        assert run_tapscript(t.code, items([word & 0xFFFF, word >> 16, *honest])).verdict.accepted
        for by in (-16, -1, 1, 16):
            wrong = list(honest)
            wrong[place] += by
            if place + 1 < SPLIT_HINTS:  # the same sum in other digits
                wrong[place + 1] -= 16 * by
            assert not run_tapscript(t.code, items([word & 0xFFFF, word >> 16, *wrong])).verdict.accepted


@pytest.mark.parametrize("x", [P, P + 1, 0x7FFFFFFF, 2**31, 2**32 - 1])
def test_words_of_p_or_more_give_the_right_residue_or_fail(x: int) -> None:
    """A difference of digits apart: there such a word, which convicts its signer, may give any result."""
    for y in (0, 1, P, 2**32 - 1):
        error, out, _ = outcome(MUL, MUL.hints([x], [y]), [x, y])
        assert (error, out) == (ScriptError.OK, [x * y % P])
    spec, values, weights = product_sum(((1, 6),) * 4), [x] * 4, [2**32 - 1] * 24
    error, out, _ = outcome(spec, spec.hints(values, weights), [*values, *weights])
    assert error is not ScriptError.OK or out == [4 * x * (2**32 - 1) % P] * DEGREE


def test_an_oddly_encoded_hint_changes_no_number() -> None:
    x, y = 0x12345678, 0x6789ABCD
    stack = items([*MUL.hints([x], [y]), *digits([x, y])])
    stack[:2] = [(item or b"\0") + b"\0" for item in stack[:2]]
    assert judge_tapscript(compiled(MUL).code + expects([x * y % P]), stack) is ScriptError.OK


def test_minus_zero_is_zero() -> None:
    """A miner may let it pass: halves, quotient and nibbles are numbers to whatever takes them."""
    minus = b"\x80"
    for x, y in ((0, P - 1), (0, 0), (0x10000, 1), (1, 1)):
        hints = [minus if hint == 0 else items([hint])[0] for hint in MUL.hints([x], [y])]
        code, stack = compiled(MUL).code, [*hints, *items(digits([x, y]))]
        assert minus in hints
        assert judge_tapscript(code + expects([x * y % P]), stack) is ScriptError.OK
        for wrong in (x * y % P ^ 1, x * y % P ^ 0x10000):
            assert judge_tapscript(code + expects([wrong]), stack) is ScriptError.NUMEQUALVERIFY
    t = Tracker()
    low, high = t.push(), t.push()
    Arithmetic(t).split((low, high), [t.push() for _ in range(SPLIT_HINTS)])
    ran = run_tapscript(t.code, [*items([0, 0x1234]), *items([1, 2, 3, 4]), *[minus] * 4])
    assert ran.verdict.accepted


def test_standard_flags_accept_a_product() -> None:
    want = field.mul(MIXED, WORST)
    stack = items([*PRODUCT.hints(WORST, MIXED), *digits([*WORST, *MIXED])])
    assert verify_input(tapscript_spend(compiled(PRODUCT).code + expects(want), stack), 0, STANDARD).accepted


def test_sums_beyond_32_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="28 products"):
        product_sum(((1, 6),) * 28).check()
    with pytest.raises(ValueError, match="202 halves"):
        linear((6,) * 101, (1,) * 101).check()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("x", [P - 1, 0x7EFFFFFF])
@pytest.mark.parametrize("digits_", [(P - 1,), (P - 1, 0), (0xEFFFFFF, 0)])
def test_the_largest_sums_stay_within_32_bits(sign: int, x: int, digits_: tuple[int, ...]) -> None:
    """27 products of the largest words and differences of either sign: every number on the way is a script's."""
    differences = ((0, 1),) if len(digits_) == 2 else ()
    last = len(digits_) + len(differences) - 1
    products = tuple((sign, column, last) for column in range(27))
    spec = Bilinear(27, len(digits_), differences, 0, (Sum(products, ()),))
    assert outcome_of_wide(spec, [x] * 27, digits_) == sign * 27 * x * digits_[0] % P


def outcome_of_wide(spec: Bilinear, values: Sequence[int], words: Sequence[int]) -> int:
    """The result where the columns are constants, as there is no room for so many words."""
    t = Tracker()
    hints = [t.push() for _ in range(HINTS)]
    columns = [((value & 0xFFFF,), (value >> 16,)) for value in values]
    ((low, high),) = Arithmetic(t).sums(spec, columns, known(t, len(words)), [], hints)
    ran = run_tapscript(t.code, items([*spec.hints(values, words), *digits(words)]))
    assert ran.verdict.accepted, ran.verdict
    by_name = dict(zip(t.items, ran.stack, strict=True))
    return sum(int.from_bytes(by_name[half], "little") << shift for half, shift in ((low, 0), (high, 16)))
