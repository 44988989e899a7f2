import hashlib

import numpy as np
import pytest

import native
from prover.commit import setup
from prover.field import P
from prover.layout import TreeName
from prover.params import PRESETS, ProofParams
from prover.predict import predict
from prover.proof import Proof, proof_length
from prover.prove import ProvingError, prove
from prover.shape import Shape
from prover.timing import Timings
from tests import poseidon_system, small_system
from tests.proofs import NO_WORK, TINY, rejection, small_key, small_proof, verdicts

FROZEN = "909578c90d98f55ea0180d4313aa3db73e49a66ffb8401e20a9bb0943d64fc3a"


@pytest.mark.parametrize(
    "params",
    [
        TINY,
        NO_WORK,
        ProofParams(3, 2, 0, 0, 0),
        ProofParams(1, 2, 3, 0, 5, 1),
        ProofParams(4, 1, 0, 2, 4, 2),
        *PRESETS.values(),
    ],
    ids=str,
)
def test_proofs_are_accepted_by_both_verifiers(params):
    _, public = small_system.make_tables()
    assert verdicts(small_key(params).verifying_key, small_proof(params), public) == [None, None]


@pytest.mark.parametrize(
    "logs",
    [
        {"chain": 5, "squares": 5, "sink": 5},
        {"chain": 9, "squares": 5, "sink": 9},
        {"chain": 6, "squares": 10, "sink": 6},
        {"chain": 2, "squares": 2, "sink": 3},
        {"chain": 10, "squares": 3, "sink": 10},
    ],
    ids=str,
)
def test_any_heights_prove(logs):
    tables, public = small_system.make_tables(logs)
    system = small_system.SYSTEM
    key = setup(system, Shape.of(system, logs), ProofParams(2, 3, 2, 2, 1))
    data = prove(key, tables, public).encode()
    assert len(data) == proof_length(key.verifying_key.layout)
    assert verdicts(key.verifying_key, data, public) == [None, None]


def test_a_wide_table_without_lookups_proves():
    system = poseidon_system.SYSTEM
    key = setup(system, Shape.of(system, {"poseidon": 6}), ProofParams(1, 3, 2, 2))
    proof = prove(key, poseidon_system.make_tables(6))
    assert verdicts(key.verifying_key, proof.encode(), []) == [None, None]
    assert TreeName.INTERACTION not in [tree.name for tree in proof.layout.trees]


def test_proof_bytes_are_frozen():
    """A change here is a change of the proof format: mark it [proof format] in CHANGELOG."""
    assert hashlib.sha256(small_proof(TINY)).hexdigest() == FROZEN


def test_proof_bytes_do_not_depend_on_threads_or_instruction_set():
    tables, public = small_system.make_tables()
    before = native.tier()
    try:
        for tier in native.tiers():
            native.set_tier(tier)
            for threads in (1, 2):
                proof = prove(small_key(TINY), tables, public, threads=threads)
                assert proof.encode() == small_proof(TINY)
    finally:
        native.set_tier(before)


def test_codec_is_exact_and_parts_add_up():
    data = small_proof(TINY)
    proof = Proof.decode(data, small_key(TINY).verifying_key.layout)
    assert proof.encode() == data
    assert sum(proof.parts().values()) == len(data)
    leaves = list(proof.leaves())
    assert sum(leaf.length for leaf in leaves) == len(proof.words)
    leaf = leaves[5]
    proof.set(leaf, [w ^ 1 for w in proof.get(leaf)])
    assert proof.encode() != data
    with pytest.raises(ValueError, match="words"):
        proof.set(leaf, [])


def test_progress_timings_and_log_name_the_steps():
    tables, public = small_system.make_tables()
    seen, labels, timings = [], [], Timings()
    prove(
        small_key(TINY),
        tables,
        public,
        progress=lambda name, share: seen.append((name, share)),
        timings=timings,
        log=lambda kind, label, data: labels.append(label),
    )
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    assert set(timings.seconds) == {name for name, _ in seen}
    assert len(seen) == 9 and timings.total > 0
    assert 0 < timings.outside_kernels < timings.cpu_seconds
    assert timings.outside_kernels_share == timings.outside_kernels / timings.cpu_seconds
    order = [
        "parameters",
        "public values",
        "main root",
        "alpha_lu",
        "interaction root",
        "cumulative sums",
        "alpha",
    ]
    order += ["quotient root", "zeta", "openings", "batching nonce", "gamma", "FRI root 0", "beta 0"]
    order += ["final polynomial", "query nonce", "queries 0"]
    assert [label for label in labels if label in order] == order


def test_a_wrong_trace_is_named_and_gives_no_proof():
    tables, public = small_system.make_tables()
    tables["chain"][2, 9] += 1
    with pytest.raises(ProvingError, match=r"chain row 9: square is 1") as error:
        prove(small_key(TINY), tables, public)
    assert error.value.violations.num_constraints == 1


def test_unbalanced_lookups_are_named():
    tables, public = small_system.make_tables()
    tables["squares"][0, 4] += 1
    with pytest.raises(ProvingError, match=r"squares\(4, 16\) has surplus -1"):
        prove(small_key(TINY), tables, public)


@pytest.mark.parametrize(
    ("table", "column", "row", "reason"),
    [
        ("chain", 2, 9, "LOOKUP_SUM"),
        ("chain", 0, 0, "LOOKUP_SUM"),
        ("squares", 0, 4, "LOOKUP_SUM"),
        ("sink", 3, 100, "CONSTRAINTS"),
        ("sink", 3, 511, "LOOKUP_SUM"),
    ],
)
def test_the_proof_of_a_wrong_trace_is_rejected(table, column, row, reason):
    tables, public = small_system.make_tables()
    tables[table][column, row] += 1
    data = prove(small_key(TINY), tables, public, check_self=False).encode()
    assert rejection(small_key(TINY).verifying_key, data, public).name == reason


def test_tables_of_the_wrong_form_are_refused():
    tables, public = small_system.make_tables()
    for bad in (
        {k: v for k, v in tables.items() if k != "sink"},
        {**tables, "sink": tables["sink"].astype(np.int64)},
        {**tables, "sink": tables["sink"][:, :-1]},
        {**tables, "sink": np.full_like(tables["sink"], P)},
    ):
        with pytest.raises(ProvingError, match="sink"):
            prove(small_key(TINY), bad, public)
    for values in ([], [*public, 1], [P, 9]):
        with pytest.raises(ProvingError, match="public values"):
            prove(small_key(TINY), tables, values)


def test_a_shape_that_does_not_fit_memory_is_refused_before_the_work():
    tables, public = small_system.make_tables()
    with pytest.raises(ProvingError, match="MiB"):
        prove(small_key(TINY), tables, public, max_bytes=100_000)


def test_prediction_counts_cells_and_grows_with_the_shape():
    layout = small_key(TINY).verifying_key.layout
    small = predict(layout)
    assert small.cells == (4 + 12) * 256 + (1 + 6) * 32 + (4 + 18) * 512
    system = small_system.SYSTEM
    logs = {name: log + 2 for name, log in small_system.SYSTEM_LOGS.items()}
    large = predict(setup(system, Shape.of(system, logs), TINY).verifying_key.layout)
    assert large.cells == 4 * small.cells
    assert large.peak_bytes > 3 * small.peak_bytes


def test_tables_are_left_alone_unless_they_may_be_consumed():
    tables, public = small_system.make_tables()
    before = {name: table.copy() for name, table in tables.items()}
    kept = prove(small_key(TINY), tables, public).encode()
    assert all((tables[name] == table).all() for name, table in before.items())
    assert prove(small_key(TINY), tables, public, consume=True).encode() == kept
    assert any((tables[name] != table).any() for name, table in before.items())


@pytest.mark.parametrize("make", [lambda: small_system, lambda: poseidon_system])
def test_a_wrong_trace_is_named_though_it_was_consumed(make):
    """The tables are moved back before they are searched."""
    if make() is small_system:
        key, (tables, public) = small_key(TINY), small_system.make_tables()
    else:
        system = poseidon_system.SYSTEM
        key = setup(system, Shape.of(system, {"poseidon": 6}), TINY)
        tables, public = poseidon_system.make_tables(6), ()
    name, table = next(iter(tables.items()))
    table[-1, 3] = (int(table[-1, 3]) + 1) % P
    wrong = table.copy()
    with pytest.raises(ProvingError) as failure:
        prove(key, tables, public, consume=True)
    assert failure.value.violations
    assert (tables[name] == wrong).all()
