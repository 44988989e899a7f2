import json
from itertools import product
from pathlib import Path

import pytest

from prover.field import P
from prover.layout import OPENED_POINTS
from prover.params import PRESETS, ProofParams
from prover.security import (
    FoldRound,
    Regime,
    SecurityFigures,
    StatementLine,
    report,
    security,
)
from prover.shape import fold_schedule

SETS = json.loads((Path(__file__).parents[1] / "vectors/soundcalc/levels.json").read_text())["sets"]


def _figures(case):
    size, rounds = case["log_trace_length"] + case["log_blowup"], []
    for factor in case["fri_folding_factors"]:
        rounds.append(FoldRound(size, factor.bit_length() - 1))
        size -= factor.bit_length() - 1
    lookup = case["logup"]
    return SecurityFigures(
        log_heights=(case["log_trace_length"],),
        batch_size=case["batch_size"],
        num_constraints=case["num_constraints"],
        rounds=tuple(rounds),
        lookup_fractions=(lookup["rows_T"] + lookup["rows_L"]) * lookup["num_lookups_M"] if lookup else 0,
        lookup_arity=lookup["num_columns_S"] if lookup else 0,
        max_degree=case["air_max_degree"],
        opened_points=case["max_combo"],
        field_size=float(P) ** case["field_degree"],
        gap=case["gap_to_radius"],
        round_grinding_bits=case["grinding_commit_phase"],
        deep_grinding_bits=case["grinding_deep"],
        lookup_grinding_bits=lookup["grinding_bits_lookup"] if lookup else 0,
    )


@pytest.mark.parametrize("regime", list(Regime))
@pytest.mark.parametrize("case", SETS, ids=[case["name"] for case in SETS])
def test_every_term_equals_soundcalc(case, regime):
    params = ProofParams(
        case["log_blowup"],
        case["num_queries"],
        case["grinding_query_phase"],
        case["grinding_batching_phase"],
    )
    got = report(params, _figures(case), regime)
    expected = case["regimes"][regime]
    names = {"query phase": "queries"}
    for name, bits in expected["bits_unrounded"].items():
        ours = got[names.get(name, name.replace("commit round", "FRI round"))]
        assert ours.bits == pytest.approx(bits, abs=2e-6), name
    assert min(t.bits for t in got.terms if t.name != "hash") == pytest.approx(
        expected["total_unrounded"], abs=2e-6
    )
    assert got.proximity == pytest.approx(expected["theta"])


def _shape_figures(params, distinct, columns):
    return SecurityFigures(
        log_heights=distinct,
        batch_size=OPENED_POINTS * columns,
        num_constraints=10_000,
        rounds=fold_schedule(distinct, params),
        lookup_fractions=P - 1,
        lookup_arity=64,
    )


@pytest.mark.parametrize("name", ["standard", "fast"])
def test_presets_prove_128_bits_for_extreme_shapes(name):
    params = PRESETS[name]
    top = 24 - params.log_blowup
    shapes = [(top,), tuple(range(top, 4, -1)), (top, 5), (5,), (8, 7, 6, 5), (top, top - 1)]
    for distinct, columns in product(shapes, (1, 1000, 10_000)):
        assert security(params, _shape_figures(params, distinct, columns)).proven_bits >= 128


def test_comparison_preset_proves_what_its_peers_do():
    params = PRESETS["compare-plonky3"]
    bits = security(params, _shape_figures(params, (18,), 200)).proven_bits
    assert 64 < bits < 65


def test_unique_decoding_figure_is_never_above_the_reported_one():
    params = PRESETS["standard"]
    figures = _shape_figures(params, (20, 17, 10), 1000)
    assert report(params, figures, Regime.UDR).proven_bits < security(params, figures).proven_bits


def test_batching_takes_its_grinding_and_joining_costs_a_power():
    params = PRESETS["standard"]
    figures = _shape_figures(params, (20, 17), 1000)
    assert security(params, figures)["batching"].grinding_bits == 16
    plain = SecurityFigures((20,), 2000, 10, (FoldRound(22, 3), FoldRound(19, 3)))
    joined = SecurityFigures((20, 17), 2000, 10, (FoldRound(22, 3, True), FoldRound(19, 3)))
    without, with_join = security(params, plain), security(params, joined)
    assert 2 ** (without["FRI round 1"].bits - with_join["FRI round 1"].bits) == pytest.approx(8 / 7)
    assert without["FRI round 2"].bits == with_join["FRI round 2"].bits
    assert with_join["batching"].bits < without["batching"].bits


def test_statement_line_is_printed_but_does_not_lower_the_proof():
    params = PRESETS["standard"]
    figures = _shape_figures(params, (20,), 100)
    line = StatementLine(124.0, "digests of 8 elements")
    with_line = security(params, figures, line)
    assert with_line.proven_bits == security(params, figures).proven_bits > 124
    assert "digests of 8 elements" in str(with_line)
    assert "proven (JBR)" in str(with_line)
