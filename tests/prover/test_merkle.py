import numpy as np
import pytest

from prover.field import P
from prover.merkle import MerkleTree, leaf_digests, rows
from tests.oracles.merkle import root_and_path


@pytest.mark.parametrize(
    "widths",
    [{0: [3]}, {1: [1]}, {5: [4]}, {5: [300]}, {6: [2, 5], 3: [1], 0: [7]}, {4: [17], 3: [16], 2: [16]}],
)
def test_root_paths_and_rows_equal_the_definition(widths):
    rng = np.random.default_rng(3)
    matrices = {
        log: [rng.integers(0, P, (width, 1 << log), dtype=np.uint32) for width in group]
        for log, group in widths.items()
    }
    tree = MerkleTree({log: leaf_digests(group) for log, group in matrices.items()})
    plain = {
        log: [np.concatenate([m[:, i] for m in group]).astype("<u4").tobytes() for i in range(1 << log)]
        for log, group in matrices.items()
    }
    size = 1 << max(widths)
    indices = np.array([0, size - 1, size // 2, size // 3], np.int64)
    paths = tree.paths(indices)
    for q, index in enumerate(indices):
        root, path = root_and_path(plain, int(index))
        assert tree.root == root
        assert paths[q].astype("<u4").tobytes() == b"".join(path)
        for log, group in matrices.items():
            opened = rows(group, indices)[q]
            assert opened.astype("<u4").tobytes() == plain[log][int(index) % (1 << log)]
