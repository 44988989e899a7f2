"""A prover who lies about a signature, a chain, a tree or a cell: what stops each lie, by name."""

from dataclasses import replace

import numpy as np
import pytest

import native
from circuits.tables.chain import ChainColumns
from circuits.tables.p16 import P16Columns
from circuits.tables.p24 import P24Columns
from circuits.tags import TAG_MSG
from circuits.trace import chain, p16, p24
from circuits.trace.signatures import SignatureBatch, walk_chains
from circuits.xmss import batch as kernels
from circuits.xmss import scheme
from circuits.xmss.encoding import message_digest, split_digits
from prover.field import P
from tests.circuits.tables.graphcheck import RowCheck, relations
from tests.circuits.tables.sample import AIRS, HEIGHTS, claims, make_sample
from tests.circuits.tables.test_hash_tables import NO_CELLS, check

NO_HASHES = np.zeros((21, 0), dtype=np.uint32)
STEPS = 3 * 153
FIRST_NODE = STEPS
SIGNATURE = 5 + 2 * 3
"""First row of signature 0 in the sample's p24."""


def verdict(sample):
    """(labels that fail, relations that do not balance)."""
    failed, left = check(sample)
    return {label.split("[")[0] for labels in failed.values() for label in labels}, relations(left)


def rehash(table, columns, row):
    """Fills the permutation columns of a row again from its input."""
    end = columns.outputs.start + columns.outputs.width
    inputs = np.ascontiguousarray(table[: columns.inputs.width, [row]])
    table[:end, row] = native.poseidon2_trace(inputs)[:end, 0]


# --- chain: digits, sum, epoch ------------------------------------------------------------------------------


def with_digits(digits):
    """The sample whose chains are walked from other digits of signature 0."""
    batch = SignatureBatch.from_claims(claims())
    steps = walk_chains(batch.parameter, batch.epoch, digits, batch.values)
    return replace(batch, digits=digits, steps=steps)


def replace_signature_tables(sample, batch):
    """Chain from another batch than the sample's p24; p16 follows chain."""
    sample.tables["chain"] = chain.generate(batch, HEIGHTS["chain"])
    honest = SignatureBatch.from_claims(claims())
    short = p16.generate(batch, [], HEIGHTS["p16"])
    steps, old = batch.steps.inputs.shape[1], honest.steps.inputs.shape[1]
    nodes = sample.tables["p16"][:, old:]
    sample.tables["p16"] = np.concatenate(
        [short[:, :steps], nodes, short[:, -max(old - steps, 0) - 1 : -1]], axis=1
    )


def test_other_digits_with_the_right_sum():
    honest = SignatureBatch.from_claims(claims()).digits
    digits = honest.copy()
    up, down = np.flatnonzero(digits[:64] < 7)[0], np.flatnonzero(digits[:64] > 0)[-1]
    digits[up] += 1
    digits[down] -= 1
    sample = make_sample()
    replace_signature_tables(sample, with_digits(digits))
    failed, left = verdict(sample)
    assert failed == set()
    assert left == {"encoding", "chunk"}  # the hash is another's, and so are the walked ends


def test_digit_column_that_is_no_octal_digit():
    sample = make_sample()
    sample.tables["chain"][ChainColumns.bits.start, 3] = 2
    assert "digit_bit0_bool" in verdict(sample)[0]


def test_borrowing_from_the_next_quotient_needs_a_remainder_of_127():
    # A = 127 d + r = 127 (d - 1) + (127 + r): no remainder bits give 127 or more (see the weights' test),
    # so the accumulator of the smaller digits cannot be A.
    sample = make_sample()
    table = sample.tables["chain"]
    table[ChainColumns.remainder_bit.start, 8:16] = 1
    failed, _ = verdict(sample)
    assert failed == {"accumulator"}


def search(claim, total):
    """Randomness whose codeword has another sum."""
    owner, message = claim.owner, claim.message
    inputs = np.array([[TAG_MSG, claim.epoch, 0, 0, 0, 0, 0, 0, *owner, *message]], dtype=np.uint32).T
    inputs = np.repeat(inputs, 1 << 16, axis=1)
    for block in range(64):
        inputs[2], inputs[3] = np.arange(1 << 16), block
        sums = kernels.digit_sums(native.poseidon2_compress(inputs, 8))
        found = np.flatnonzero(sums == total)
        if found.size:
            rho = (int(found[0]), block, 0, 0, 0, 0)
            return rho, split_digits(message_digest(owner, claim.epoch, rho, message))
    raise AssertionError(f"no codeword of sum {total} in 2^22 tries")


@pytest.mark.parametrize("total", [294, 296])
def test_codeword_of_another_sum(total):
    key = kernels.keygen([bytes([0]) * 32], 8)[0]
    claim = claims()[0]
    rho, digits = search(claim, total)
    forged = replace(claim, signature=scheme.reveal(key, claim.epoch, rho, digits))
    assert verdict(make_sample((forged,))) == ({"target_sum"}, set())


@pytest.mark.parametrize(
    ("epoch", "t1", "stopped_by"),
    [
        (133, 0, {"range_end"}),  # rest = 133: 8 bits
        (127, 0, {"range_end"}),  # rest = 127 fits 7 bits, rest + 1 does not
        (133, 2, {"range_end", "range_bit"}),  # rest = -121
        (5, pow(127, -1, P) * 5 % P, {"range_end"}),  # rest = 0, t1 not below 2^15
    ],
)
def test_epoch_with_another_t1(epoch, t1, stopped_by):
    honest = SignatureBatch.from_claims(claims()[:1])
    table = chain.generate(replace(honest, epoch=np.array([epoch])), 64)
    rest = (epoch - 127 * t1) % P
    words = [(rest, 8), ((rest + 1) % P, 8), (t1, 48)]
    table[ChainColumns.t1.start] = t1
    table[ChainColumns.range_bits.start] = [word >> k for word, length in words for k in range(length)]
    failed, _ = RowCheck(AIRS["chain"], table).look()
    assert set(failed) & stopped_by and set(failed) <= {"range_end", "range_bit"}


def test_claiming_that_a_chain_needs_no_step():
    sample = make_sample()
    digits = SignatureBatch.from_claims(claims()).digits
    row = int(np.flatnonzero(digits < 7)[0])
    sample.tables["chain"][ChainColumns.all_ones.start, row] = 1
    assert verdict(sample) == ({"all_ones"}, {"chain_end"})


# --- p16: chains --------------------------------------------------------------------------------------------


def test_chain_that_skips_its_first_step():
    sample = make_sample()
    table, at = sample.tables["p16"], P16Columns
    first = int(np.flatnonzero(table[at.cont.start])[0])
    table[at.cont.start, first] = 0  # the run now starts at first + 1, with the old key
    assert verdict(sample) == ({"chain_starts"}, set())


def test_chain_that_skips_a_middle_step():
    sample = make_sample()
    table, at = sample.tables["p16"], P16Columns
    run = int(np.flatnonzero(table[at.cont.start, :-1] & table[at.cont.start, 1:])[0])
    table[:, run + 1 : STEPS] = table[:, run + 2 : STEPS + 1]
    failed, _ = verdict(sample)
    assert {"chain_t0", "chain_value"} <= failed


def test_run_that_falls_off_into_a_node():
    sample = make_sample()
    table, at = sample.tables["p16"], P16Columns
    table[at.last.start, STEPS - 1], table[at.cont.start, STEPS - 1] = 0, 1
    assert "chain_goes_on" in verdict(sample)[0]


def test_run_that_falls_off_the_end_of_the_table():
    sample = make_sample()
    table, at = sample.tables["p16"], P16Columns
    table[at.cont.start, -1] = 1
    failed, _ = verdict(sample)
    assert {"chain_t0", "chain_key"} <= failed  # row 0 is a chain row, but not this one's next


def test_chain_value_of_another_signature():
    first, second, third = claims()
    values = list(first.signature.values)
    values[5] = third.signature.values[5]
    forged = replace(first, signature=replace(first.signature, values=tuple(values)))
    assert verdict(make_sample((forged, second, third))) == ({"message_owner"}, set())


# --- p24: leaf, path, owner, message ------------------------------------------------------------------------


def test_key_of_somebody_else():
    first, second, third = claims()
    forged = replace(first, public_key=second.public_key, owner=first.owner)
    failed, _ = verdict(make_sample((forged, second, third)))
    assert failed == {"message_owner"}


def test_signature_is_shown_for_another_owner():
    first, second, third = claims()
    sample = make_sample((replace(first, owner=second.owner), second, third))
    failed, _ = verdict(sample)
    assert {"message_owner", "target_sum"} == failed


def test_message_is_swapped():
    sample = make_sample()
    first = claims()[0]
    asked = ("sig", (*first.message, *first.owner, first.epoch))
    sample.outside[asked] -= 1
    sample.outside["sig", (*range(70, 78), *first.owner, first.epoch)] += 1
    assert verdict(sample) == (set(), {"sig"})


def test_path_bit_is_flipped():
    sample = make_sample()
    table, at = sample.tables["p24"], P24Columns
    row = SIGNATURE + 38
    table[at.bit.start, row] ^= 1
    table[7:15, row], table[15:23, row] = table[15:23, row].copy(), table[7:15, row].copy()
    rehash(table, at, row)
    assert verdict(sample)[0] == {"index_next", "child"}  # the child that changes is the row above's


def test_path_of_another_epoch():
    first, second, third = claims()
    honest = SignatureBatch.from_claims(claims())
    batch = replace(honest, epoch=np.array([1, second.epoch, third.epoch]))
    sample = make_sample()
    table = p24.generate(NO_HASHES, NO_CELLS, batch, 256)
    sample.tables["p24"] = table
    failed, left = verdict(sample)
    assert failed == {"message_owner"}
    assert {"encoding", "chunk"} <= left
    assert first.epoch == 0


def test_sponge_of_34_chunks(monkeypatch):
    sample, honest = make_sample(), SignatureBatch.from_claims(claims())
    ends = honest.steps.ends.reshape(8, 3, 64)[:, :, :62]  # 503 elements fit 34 chunks
    short = replace(honest, steps=replace(honest.steps, ends=np.ascontiguousarray(ends.reshape(8, -1))))
    monkeypatch.setattr(p24, "LEAF_CHUNKS", 34)
    monkeypatch.setattr(p24, "OTHER_ROWS", 36)
    monkeypatch.setattr(p24, "NUM_CHAINS", 62)
    sample.tables["p24"] = p24.generate(NO_HASHES, NO_CELLS, short, 256)
    failed, left = verdict(sample)
    assert failed == {"leaf_complete", "message_owner"}
    assert "chunk" in left


def test_one_sponge_for_two_signatures():
    # Signature 1's rows are given the id of signature 0: its chunks were sent once only.
    sample = make_sample()
    table, at = sample.tables["p24"], P24Columns
    rows = slice(SIGNATURE + 45, SIGNATURE + 89)
    table[at.sig_id.start, rows] = 0
    failed, left = verdict(sample)
    assert failed == set()
    assert left == {"chunk", "encoding"}


def test_owner_of_another_height():
    sample = make_sample()
    table, at = sample.tables["p24"], P24Columns
    row = SIGNATURE + 43
    table[15, row] = 9
    rehash(table, at, row)
    assert verdict(sample)[0] == {"owner_height", "message_owner"}


def test_epoch_beyond_the_tree():
    # Epoch 256 + e in a key of height 8: the path closes, but the root has index 1.
    claim = claims()[0]
    batch = SignatureBatch.from_claims((replace(claim, epoch=256),))
    sample = make_sample((claim,))
    sample.tables["p24"] = p24.generate(NO_HASHES, NO_CELLS, batch, 64)
    failed, _ = verdict(sample)
    assert "root_index" in failed


# --- trees and cells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [1, P - 1])
def test_node_at_another_index(offset):
    sample = make_sample()
    table, at = sample.tables["p16"], P16Columns
    row = FIRST_NODE + 20
    table[at.key.start, row] = (int(table[at.key.start, row]) + offset) % P
    assert verdict(sample) == (set(), {"tree"})


def test_node_at_another_level():
    sample = make_sample()
    table, at = sample.tables["p16"], P16Columns
    table[at.key.start, FIRST_NODE + 21] += 1
    assert verdict(sample) == (set(), {"tree"})


@pytest.mark.parametrize(("side", "offset"), [("left", 0), ("right", 8)])
def test_child_that_changes_but_is_not_touched(side, offset):
    sample = make_sample()
    table, at = sample.tables["p16"], P16Columns
    flags = table[at.touched.start]
    befores = np.flatnonzero(table[at.is_tree.start])
    row = next(int(r) for r in befores if flags[r + (side == "right")] == 0)
    table[offset, row + 1] = (int(table[offset, row + 1]) + 1) % P
    rehash(table, at, row + 1)
    assert verdict(sample) == ({f"{side}_untouched"}, {"tree"})


def test_two_befores_in_a_row():
    sample = make_sample()
    sample.tables["p16"][P16Columns.is_tree.start, FIRST_NODE + 1] = 1
    assert "after_row_has_no_kind" in verdict(sample)[0]


def test_cell_is_opened_with_another_before():
    sample = make_sample()
    table, at = sample.tables["p24"], P24Columns
    table[3, 5] = (int(table[3, 5]) + 1) % P
    rehash(table, at, 5)
    assert verdict(sample) == (set(), {"tree", "cell_word"})


def test_cell_is_opened_twice():
    sample = make_sample()
    table = sample.tables["p24"]
    table[:, 250:252] = table[:, 5:7]
    assert verdict(sample) == (set(), {"tree", "cell_word"})


def test_hash_answer_is_wrong():
    sample = make_sample()
    table, at = sample.tables["p24"], P24Columns
    table[at.outputs.start, 0] = (int(table[at.outputs.start, 0]) + 1) % P
    assert verdict(sample) == ({"out"}, {"hash"})
