"""The lookup round's whole error, and what every preset proves at every shape of the statement."""

from __future__ import annotations

import math

import pytest

from circuits.statement import SHAPES, shape, system
from prover.field import P
from prover.layout import Layout
from prover.params import PRESETS
from prover.security import FoldRound, Regime, SecurityFigures, report, security


def test_lookups_are_charged_for_poles_and_for_every_main_trace_of_the_list():
    """The prover is bound to one of L main traces when the challenges are drawn, and a pole wins too."""
    params = PRESETS["standard"]
    figures = SecurityFigures((20, 17), 2000, 10, (FoldRound(22, 3, True),), 2**22, 32)
    plain = 6 * math.log2(P) - 22 - 5
    for regime, list_size in ((Regime.UDR, 1), (Regime.JBR, 200)):
        got = report(params, figures, regime)
        assert got["logup"].bits == pytest.approx(plain, abs=1e-6)  # as soundcalc states it
        assert got["logup round"].bits == pytest.approx(plain - 1 - math.log2(list_size), abs=1e-6)
        assert got.proven_bits <= got["logup round"].bits


def test_without_lookups_there_is_no_such_round():
    figures = SecurityFigures((20,), 2000, 10, (FoldRound(22, 3),))
    names = [term.name for term in security(PRESETS["standard"], figures).terms]
    assert not any(name.startswith("logup") for name in names)


@pytest.mark.parametrize("shape_name", SHAPES)
@pytest.mark.parametrize("preset", ["standard", "fast"])
def test_every_preset_proves_128_bits_at_every_shape(preset, shape_name):
    figures = Layout(system(), shape(shape_name), PRESETS[preset]).figures
    got = security(PRESETS[preset], figures)
    assert got.regime is Regime.JBR and got.proven_bits >= 128
    # Even with the main traces of different heights chosen apart: one list a height.
    crude = got["logup round"].bits - (len(figures.log_heights) - 1) * math.log2(got.list_size)
    assert crude >= 128
    # Work is counted once: in the term of the challenge that follows it, and nowhere else.
    assert sum(term.grinding_bits for term in got.terms) == (
        PRESETS[preset].query_grinding_bits + PRESETS[preset].batching_grinding_bits
    )
    assert report(PRESETS[preset], figures, Regime.UDR).proven_bits > 90
