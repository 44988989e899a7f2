"""The sparse tree against its plain definition, and the rows that the tables take from an update."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.rollup.hashing import columns_digests, node_digests
from circuits.rollup.tree import SparseTree, empty_digests, exit_tree, state_tree
from circuits.rollup.words import ZERO_DIGEST
from prover.poseidon2 import compress
from tests.oracles.sparse import plain_root

DEPTH = 6
EMPTY = tuple(range(8))
indices = st.integers(0, 2**DEPTH - 1)
digests = st.integers(0, 2**20).map(lambda x: (x, *range(7)))
leaf_sets = st.dictionaries(indices, digests, max_size=20)


@settings(max_examples=40, deadline=None)
@given(leaf_sets, st.lists(leaf_sets, max_size=3))
def test_updates_agree_with_the_plain_tree(first, changes):
    tree, leaves = SparseTree(DEPTH, EMPTY, first), dict(first)
    assert tree.root == plain_root(DEPTH, EMPTY, leaves)
    for change in changes:
        update = tree.update(change)
        assert update.root_before == tree.root
        leaves |= change
        tree = tree.advance(update)
        assert tree.root == update.root_after == plain_root(DEPTH, EMPTY, leaves)
        assert all(tree.node(DEPTH, i) == leaves.get(i, EMPTY) for i in range(2**DEPTH))


@settings(max_examples=40, deadline=None)
@given(leaf_sets, leaf_sets)
def test_update_has_one_row_a_touched_node_and_each_row_hashes(first, change):
    tree = SparseTree(DEPTH, EMPTY, first)
    update = tree.update(change)
    assert len(update.levels) == DEPTH
    expected = {0: (update.root_before, update.root_after)}
    for level, rows in enumerate(update.levels):
        touched = sorted({i >> (DEPTH - level) for i in change}) if level else [0]
        assert rows.index.tolist() == touched
        below = {}
        for row, index in enumerate(touched):
            left, right = rows.left_before[:, row].tolist(), rows.right_before[:, row].tolist()
            left_after, right_after = rows.left_after[:, row].tolist(), rows.right_after[:, row].tolist()
            before, after = compress(16, left + right, 8), compress(16, left_after + right_after, 8)
            assert expected[index] == (before, after)
            for flag, child, pair in (
                (rows.touched_left[row], 2 * index, (left, left_after)),
                (rows.touched_right[row], 2 * index + 1, (right, right_after)),
            ):
                assert flag or pair[0] == pair[1]
                if flag:
                    below[child] = tuple(map(tuple, pair))
        expected = below
    assert sorted(expected) == sorted(change) == update.leaf_index.tolist()
    for row, index in enumerate(update.leaf_index.tolist()):
        pair = (tuple(update.leaf_before[:, row].tolist()), tuple(update.leaf_after[:, row].tolist()))
        assert expected[index] == pair == (first.get(index, EMPTY), change[index])


def test_shapes_and_types_are_those_of_tables():
    update = state_tree().update({5: (1,) * 8, 2**30 - 1: (2,) * 8})
    assert len(update.levels) == 30
    for rows in update.levels:
        count = len(rows.index)
        for digests_ in (rows.left_before, rows.right_before, rows.left_after, rows.right_after):
            assert digests_.shape == (8, count)
            assert digests_.dtype == np.uint32
        assert rows.touched_left.dtype == rows.touched_right.dtype == np.bool_
    assert update.num_nodes == 1 + 29 * 2


def test_leaf_that_is_only_read_makes_rows_and_no_change():
    tree = state_tree({5: (1,) * 8})
    update = tree.update({5: (1,) * 8, 6: tree.empty[30]})
    assert update.root_after == update.root_before
    assert update.num_nodes == 29 + 2  # 5 and 6 part below level 28: two nodes at level 29
    assert tree.advance(update).root == tree.root


def test_exit_tree_without_exits_still_has_its_root_row():
    tree = exit_tree()
    update = tree.update({})
    assert [len(level.index) for level in update.levels] == [1] + [0] * 9
    assert not update.levels[0].touched_left[0]
    assert not update.levels[0].touched_right[0]
    assert update.root_before == update.root_after == tree.root == empty_digests(10, ZERO_DIGEST)[0]
    assert tree.advance(update).root == tree.root


def test_paths_lead_to_the_root():
    tree = state_tree({5: (1,) * 8, 7: (3,) * 8, 2**30 - 1: (2,) * 8})
    for index, node in ((5, (1,) * 8), (2**30 - 1, (2,) * 8), (6, tree.empty[30])):
        for level, sibling in enumerate(tree.path(index)):
            pair = (*sibling, *node) if index >> level & 1 else (*node, *sibling)
            node = compress(16, pair, 8)
        assert node == tree.root


@pytest.mark.parametrize("index", [-1, 2**DEPTH])
def test_leaf_outside_the_tree_is_refused(index):
    with pytest.raises(IndexError):
        SparseTree(DEPTH, EMPTY).update({index: EMPTY})


def test_update_of_another_tree_is_refused():
    update = SparseTree(DEPTH, EMPTY, {1: (9,) * 8}).update({2: (1,) * 8})
    with pytest.raises(ValueError, match="another root"):
        SparseTree(DEPTH, EMPTY).advance(update)


@pytest.mark.parametrize("lanes", [1, 7, 17])
def test_node_digests_equal_the_plain_ones(lanes):
    inputs = np.random.default_rng(lanes).integers(0, 2130706433, (16, lanes), dtype=np.uint32)
    inputs[:, 0] = 2130706432
    nodes = node_digests(inputs[:8], inputs[8:])
    assert columns_digests(nodes) == [compress(16, lane, 8) for lane in inputs.T.tolist()]
