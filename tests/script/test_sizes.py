"""What the gadgets cost: their limits, and nothing that outgrows the stack."""

import pytest

from prover.field import P
from tests.script.arithmetic import compiled, outcome
from tests.script.sizes import GADGETS, sizes
from verifier.script.bilinear import Bilinear
from verifier.script.errors import ScriptError


@pytest.mark.parametrize("spec", GADGETS.values(), ids=GADGETS)
def test_peak_is_as_counted_for_the_largest_words(spec: Bilinear) -> None:
    columns, digits, addends = ([P - 1] * n for n in (spec.columns, spec.digits, spec.addends))
    hints = spec.hints(columns, digits, addends)
    error, _, peak = outcome(spec, hints, [*columns, *addends, *digits])
    assert error is ScriptError.OK
    script = compiled(spec)
    assert peak <= script.operands + script.above <= 1_000
    assert script.above <= spec.peak(shared=False)


def test_a_product_in_an_inner_product_takes_at_most_250_bytes() -> None:
    assert sizes()["dot of 4"] / (6 * 4) <= 250
