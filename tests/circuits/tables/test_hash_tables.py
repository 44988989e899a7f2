"""p16, p24 and chain: valid statements, what the definitions promise, capacities."""

from dataclasses import replace

import numpy as np
import pytest

from circuits.tables.chain import CHUNK_SIZE, NUM_CHUNKS, REMAINDER_WEIGHTS, chunk_position
from circuits.trace import chain, p16, p24
from circuits.trace.capacity import CapacityError
from circuits.trace.signatures import SignatureBatch
from circuits.xmss import scheme
from circuits.xmss.batch import SignRequest
from circuits.xmss.encoding import codeword
from prover.air.air import AirSystem, PublicTuple
from prover.air.check import check as prover_check
from prover.field import P
from prover.poseidon2 import compress, permute
from tests.circuits.tables.graphcheck import RowCheck, unbalanced
from tests.circuits.tables.sample import AIRS, Level, Update, claims, make_sample

NO_CELLS = p24.CellUpdates(
    np.zeros(0, np.uint32), np.zeros((0, 5, 4), np.uint32), np.zeros((0, 5, 4), np.uint32)
)


def check(sample):
    """(failed constraints by table, what does not balance)."""
    looks = {name: RowCheck(AIRS[name], table).look() for name, table in sample.tables.items()}
    return {name: failed for name, (failed, _) in looks.items() if failed}, unbalanced(
        sample.outside, *(tuples for _, tuples in looks.values())
    )


def test_valid_statement_satisfies_every_constraint_and_balances():
    assert check(make_sample()) == ({}, {})


def test_the_trace_checker_agrees():
    sample = make_sample()
    by_name = {
        interaction.relation.name: interaction.relation
        for air in AIRS.values()
        for interaction in air.record.interactions
    }
    outside = tuple(
        PublicTuple(by_name[name], tuple(("constant", v) for v in values), count)
        for (name, values), count in sample.outside.items()
    )
    system = AirSystem(tuple(AIRS.values()), 0, outside)
    assert not prover_check(system, sample.tables), str(prover_check(system, sample.tables))
    sample.tables["chain"][0, 70] ^= 1
    found = prover_check(system, sample.tables)
    assert found.num_constraints and found.num_tuples


def test_statement_without_signatures_is_valid():
    assert check(make_sample(())) == ({}, {})


@pytest.mark.parametrize("shift", [1, 5, 300, 700])
def test_p16_and_p24_are_rings_a_run_may_lie_across_the_end(shift):
    sample = make_sample()
    for name in ("p16", "p24"):
        sample.tables[name] = np.roll(sample.tables[name], -shift, axis=1)
    assert check(sample) == ({}, {})


@pytest.mark.parametrize(
    ("table", "main", "fractions", "groups"), [("p16", 161, 4, 2), ("p24", 247, 12, 6), ("chain", 36, 3, 2)]
)
def test_size_of_the_tables(table, main, fractions, groups):
    record = AIRS[table].record
    counted = AIRS[table].Main.width, len(record.interactions), len(record.fraction_groups())
    assert counted == (main, fractions, groups)
    assert max(constraint.degree for constraint in record.constraints) == 3


def test_remainder_weights_reach_0_to_126_and_nothing_else():
    sums = {0}
    for weight in REMAINDER_WEIGHTS:
        sums |= {total + weight for total in sums}
    assert sums == set(range(127))


def test_chunks_cover_the_stream_once_from_different_rows():
    covered = list(range(CHUNK_SIZE))
    rows = [0]
    for number in range(1, NUM_CHUNKS):
        row, offset = chunk_position(number)
        rows.append(row)
        assert 0 <= offset < 8
        covered += [7 + 8 * (row - 1) + offset + j for j in range(CHUNK_SIZE)]
    assert covered == list(range(CHUNK_SIZE * NUM_CHUNKS))
    assert len(set(rows)) == NUM_CHUNKS and max(rows) == 63


def test_batch_agrees_with_the_plain_scheme():
    batch = SignatureBatch.from_claims(claims())
    for i, claim in enumerate(claims()):
        digits = codeword(claim.owner, claim.epoch, claim.signature.rho, claim.message)
        assert tuple(batch.digits[64 * i : 64 * i + 64].tolist()) == digits
        for k, (digit, value) in enumerate(zip(digits, claim.signature.values, strict=True)):
            end = scheme.walk_chain(claim.public_key.parameter, claim.epoch, k, digit, 7 - digit, value)
            assert tuple(batch.steps.ends[:, 64 * i + k].tolist()) == end


def test_permutation_columns_end_in_the_permutation():
    sample = make_sample()
    for name, outputs in (("p16", 8), ("p24", 24)):
        columns, table = AIRS[name].Main, sample.tables[name]
        width = columns.inputs.width
        for row in (0, 100, table.shape[1] - 1):
            start = columns.outputs.start
            expected = permute(table[:width, row].tolist())[:outputs]
            assert table[start : start + outputs, row].tolist() == expected


def test_a_full_table_is_refused_by_name():
    batch = SignatureBatch.from_claims(claims())
    hashes = np.zeros((21, 4), dtype=np.uint32)
    assert p16.rows_needed(batch, []) == 3 * 153
    assert p24.rows_needed(hashes, NO_CELLS, batch) == 4 + 3 * 45
    assert chain.rows_needed(batch) == 192
    for name, generate, needed in (
        ("p16", lambda height: p16.generate(batch, [], height), 459),
        ("p24", lambda height: p24.generate(hashes, NO_CELLS, batch, height), 139),
        ("chain", lambda height: chain.generate(batch, height), 192),
    ):
        with pytest.raises(CapacityError) as caught:
            generate(128)
        assert (caught.value.table, caught.value.rows, caught.value.capacity) == (name, needed, 128)


def test_tables_that_are_just_full_are_valid():
    batch = SignatureBatch.from_claims(claims()[:2])
    table = chain.generate(batch, 128)
    failed, _ = RowCheck(AIRS["chain"], table).look()
    assert failed == {}


def test_keys_of_different_heights_share_a_table():
    from circuits.xmss import batch as kernels

    key = kernels.keygen([b"\x07" * 32], 9)[0]
    message = tuple(range(8))
    signature = kernels.sign([SignRequest(key, 300, message)])[0]
    first = claims()[0]
    tall = replace(
        first,
        owner=key.public_key.owner(),
        public_key=key.public_key,
        epoch=300,
        message=message,
        signature=signature,
    )
    assert check(make_sample((first, tall))) == ({}, {})


def test_tree_that_nobody_touches_is_one_node():
    rng = np.random.default_rng(3)
    children = rng.integers(0, P, (2, 8, 1)).astype(np.uint32)
    untouched = np.zeros(1, dtype=np.bool_)
    level = Level(np.zeros(1, dtype=np.int64), *children, *children, untouched, untouched)
    root = compress(16, children.reshape(-1).tolist(), 8)
    table = p16.generate(SignatureBatch.from_claims(()), [(64, Update([level], root, root))], 4)
    failed, tuples = RowCheck(AIRS["p16"], table).look()
    assert (failed, dict(tuples)) == ({}, {("tree", (64, 0, *root, *root)): -1})
