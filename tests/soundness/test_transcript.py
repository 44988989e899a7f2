"""Everything that the prover sends binds every challenge that comes after it, and none before."""

import pytest

from prover.field import P
from prover.layout import LeafKind
from prover.transcript import INDICES_PER_BLOCK
from tests.proofs import NO_WORK, decoded, small_key
from verifier.stark.reference import ReferenceOps
from verifier.stark.steps import Verification


class _Recorded(ReferenceOps):
    """Rejects nothing; notes every squeezed block and how far the proof had been read."""

    def __init__(self, proof):
        super().__init__(proof.words, proof.public_values)
        self.blocks = []

    def hash_wide(self, context, words):
        block = super().hash_wide(context, words)
        self.blocks.append((self._cursor, block))
        return block

    def assert_equal(self, *_):
        pass

    assert_zero = assert_not_all_zero = assert_equal

    def for_each(self, *_):
        pass


def _blocks(proof):
    ops = _Recorded(proof)
    Verification(ops, small_key(NO_WORK).verifying_key).run()
    return ops.blocks


def test_each_leaf_of_the_head_changes_every_later_challenge_and_no_earlier_one():
    good = _blocks(decoded(NO_WORK))
    layout = small_key(NO_WORK).verifying_key.layout
    index_blocks = -(-layout.params.num_queries // INDICES_PER_BLOCK)
    assert len(good) == 5 + len(layout.fri_layers) + index_blocks
    for leaf in list(decoded(NO_WORK).leaves()):
        if leaf.start >= layout.head_words:
            break
        proof = decoded(NO_WORK)
        values = list(proof.get(leaf))
        values[-1] = (values[-1] + 1) % P if leaf.kind is LeafKind.ELEMENT else values[-1] ^ 1
        proof.set(leaf, values)
        later = 0
        for (cursor, before), (_, after) in zip(good, _blocks(proof), strict=True):
            assert (before != after) == (cursor > leaf.start), leaf.path
            later += cursor > leaf.start
        assert later >= index_blocks


@pytest.mark.parametrize("index", [0, 1])
def test_public_values_change_every_challenge(index):
    proof = decoded(NO_WORK)
    values = list(proof.public_values)
    values[index] += 1
    proof.public_values = tuple(values)
    good = _blocks(decoded(NO_WORK))
    assert all(a[1] != b[1] for a, b in zip(good, _blocks(proof), strict=True))
