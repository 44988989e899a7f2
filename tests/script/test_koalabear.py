"""Sums of products mod p against integers, on edge values, in the interpreter and in the kernel."""

import random

import pytest

from prover.field import P
from tests.script.spends import judge_tapscript
from verifier.script.errors import ScriptError
from verifier.script.koalabear import (
    BYTES,
    TABLE_ITEMS,
    Arithmetic,
    byte_hints,
    quotient_hints,
    table,
    triangle,
)
from verifier.script.opcodes import Op
from verifier.script.script import encode_number, number, script
from verifier.script.tracker import Tracker

EDGES = (0, 1, 2, 255, 256, P - 1, P, P + 1, 2**24 - 1, 2**31 - 1, 2**32 - 1, 0x01FF00FF)


def reduction(signs, added=0):
    """A script: x_i, y_i in bytes, z_j in bytes, hints -> r is the number expected."""
    t = Tracker()
    hints = [t.push() for _ in range(BYTES + 3)][::-1]
    elements = [[t.push() for _ in range(BYTES)] for _ in range(2 * len(signs) + added)]
    field = Arithmetic(t, hints)
    field.open_table()
    for element in elements:
        for name in element:
            t.roll(name)
    products = [(sign, elements[2 * i], elements[2 * i + 1]) for i, sign in enumerate(signs)]
    terms = [(1, element) for element in elements[2 * len(signs) :]]
    field.reduce(products, terms, 3)
    return t.code, len(t), field.peak


def witness(values, hints):
    items = [encode_number(hint) for hint in reversed(hints)]
    return items + [encode_number(byte) for value in values for byte in value.to_bytes(4, "little")]


def ending(height, result):
    checks = b"".join(script(number(byte), Op.NUMEQUALVERIFY) for byte in reversed(byte_hints(result)))
    left = height - BYTES
    return checks + bytes([Op.DROP]) * left + b"\x51"


def value_of(signs, values):
    total = sum(sign * values[2 * i] * values[2 * i + 1] for i, sign in enumerate(signs))
    return total + sum(values[2 * len(signs) :])


def cases():
    rng = random.Random(1)
    for x in EDGES:
        yield (1,), 0, (x, rng.choice(EDGES))
        yield (-1,), 1, (x, rng.choice(EDGES), rng.choice(EDGES))
    yield (1,) * 9, 0, (2**32 - 1,) * 18
    yield (-1,) * 9, 0, (2**32 - 1,) * 18
    for _ in range(6):
        signs = tuple(rng.choice((1, -1)) for _ in range(rng.randrange(1, 7)))
        yield signs, 1, tuple(rng.randrange(2**32) for _ in range(2 * len(signs) + 1))


@pytest.mark.parametrize(("signs", "added", "values"), list(cases()))
def test_both_judges_accept_the_residue_and_no_other(signs, added, values):
    code, height, _ = reduction(signs, added)
    total = value_of(signs, values)
    hints = (*byte_hints(total % P), *quotient_hints(total, 3))
    assert judge_tapscript(code + ending(height, total % P), witness(values, hints)) is ScriptError.OK
    other = (total + 1) % P
    wrong = (*byte_hints(other), *quotient_hints(total, 3))
    assert judge_tapscript(code + ending(height, other), witness(values, wrong)) is not ScriptError.OK


def test_a_representative_above_p_is_no_result():
    code, height, _ = reduction((1,))
    values = (1, 5)
    same = 5 + P
    hints = (*byte_hints(same), *quotient_hints(5 - P, 3))
    assert judge_tapscript(code + ending(height, same), witness(values, hints)) is not ScriptError.OK
    for byte in (256, -1, 70_000):
        hints = (5 - 256 * byte if byte < 0 else byte, 0, 0, 0, *quotient_hints(5, 3))
        assert judge_tapscript(code + ending(height, 5), witness(values, hints)) is not ScriptError.OK


def test_other_quotients_prove_nothing():
    code, height, _ = reduction((1, -1))
    rng = random.Random(4)
    values = tuple(rng.randrange(P) for _ in range(4))
    total = value_of((1, -1), values)
    right = (*byte_hints(total % P), *quotient_hints(total, 3))
    for place in range(4, 7):
        for change in (1, -1, 2**16, -(2**16), 2**30):
            hints = list(right)
            hints[place] += change
            assert (
                judge_tapscript(code + ending(height, total % P), witness(values, hints))
                is not ScriptError.OK
            )


def test_table_and_sizes():
    assert triangle(5) - triangle(2) - triangle(3) == 6
    assert len(table()) == 1_763
    code, _, peak = reduction((1,))
    assert peak <= TABLE_ITEMS + 24 + BYTES + 3
    assert len(code) - len(table()) == 577
