"""What the gadgets cost: their limits, and nothing that outgrows the stack."""

import pytest

from prover.field import P
from tests.script.arithmetic import outcome
from tests.script.sizes import GADGETS, sizes
from verifier.script.bilinear import Bilinear, compile_bilinear
from verifier.script.errors import ScriptError
from verifier.script.field import dot


@pytest.mark.parametrize("spec", [*GADGETS.values(), dot(9)], ids=[*GADGETS, "dot of 9"])
def test_peak_is_within_the_stack_limit_for_the_largest_words(spec: Bilinear) -> None:
    columns, digits, addends = ([P - 1] * n for n in (spec.columns, spec.digits, spec.addends))
    hints = spec.hints(columns, digits, addends)
    gadget = compile_bilinear(spec)
    error, _, above = outcome(gadget, hints, [*columns, *addends, *digits])
    assert error is ScriptError.OK
    assert above + gadget.hints + gadget.arguments <= 1_000


def test_a_product_in_an_inner_product_takes_at_most_250_bytes() -> None:
    assert sizes()["dot of 8"] / (6 * 8) <= 250
