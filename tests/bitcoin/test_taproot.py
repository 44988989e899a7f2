from typing import Any

import pytest

from tests.bitcoin.vectors import load
from verifier.bitcoin.address import MAIN, segwit_address
from verifier.bitcoin.encoding import sha256, tagged_hash
from verifier.bitcoin.keys import KeyFault, is_xonly_key, xonly_key
from verifier.bitcoin.taproot import (
    NUMS_KEY,
    Shape,
    balanced_tree,
    commits,
    leaf_hash,
    output_secret,
    root_of_path,
    shaped_tree,
    taproot_output,
)

CASES = load("bip341_wallet_vectors.json")["scriptPubKey"]


def _leaves(tree: Any) -> list[dict[str, Any]]:
    if tree is None:
        return []
    return [tree] if isinstance(tree, dict) else _leaves(tree[0]) + _leaves(tree[1])


def _shape(tree: Any) -> Shape:
    if isinstance(tree, dict):
        return leaf_hash(bytes.fromhex(tree["script"]), tree["leafVersion"])
    return _shape(tree[0]), _shape(tree[1])


@pytest.mark.parametrize("case", CASES)
def test_bip341_trees(case: dict[str, Any]) -> None:
    given, middle, expected = case["given"], case["intermediary"], case["expected"]
    tree = given["scriptTree"] and shaped_tree(_shape(given["scriptTree"]))
    output = taproot_output(bytes.fromhex(given["internalPubkey"]), tree)
    assert output.key.hex() == middle["tweakedPubkey"]
    assert output.script.hex() == expected["scriptPubKey"]
    assert segwit_address(output.script, MAIN) == expected["bip350Address"]
    leaves = _leaves(given["scriptTree"])
    for i, leaf in enumerate(leaves):
        hashed = leaf_hash(bytes.fromhex(leaf["script"]), leaf["leafVersion"])
        assert hashed.hex() == middle["leafHashes"][i]
        control = output.control_block(i, leaf["leafVersion"])
        assert control.hex() == expected["scriptPathControlBlocks"][i]
        assert commits(output.key, control, hashed)
        assert not commits(output.key, bytes([control[0] ^ 1]) + control[1:], hashed)
        assert not commits(output.key, control, sha256(hashed))


@pytest.mark.parametrize("count", (1, 2, 3, 7, 64, 100, 1000))
def test_every_leaf_of_a_balanced_tree_reaches_its_root(count: int) -> None:
    leaves = [sha256(i.to_bytes(4, "big")) for i in range(count)]
    tree = balanced_tree(leaves)
    assert all(root_of_path(leaf, path) == tree.root for leaf, path in zip(leaves, tree.paths, strict=True))
    assert max(len(path) for path in tree.paths) // 32 == (count - 1).bit_length()
    assert balanced_tree(leaves) == tree


def test_a_heavy_leaf_has_a_short_path() -> None:
    leaves = [sha256(bytes([i])) for i in range(5)]
    tree = balanced_tree(leaves, [1, 1, 100, 1, 1])
    assert [len(path) // 32 for path in tree.paths] == [3, 3, 1, 3, 3]
    assert all(root_of_path(leaf, path) == tree.root for leaf, path in zip(leaves, tree.paths, strict=True))


def test_a_tree_deeper_than_128_is_refused() -> None:
    leaves = [sha256(bytes([i])) for i in range(131)]
    with pytest.raises(ValueError, match="128"):
        balanced_tree(leaves, [1 << i for i in range(131)])
    with pytest.raises(ValueError, match="needs a leaf"):
        balanced_tree([])
    with pytest.raises(ValueError, match="weights"):
        balanced_tree(leaves, [1])


def test_the_nums_key_is_the_hash_of_the_generator() -> None:
    generator = bytes.fromhex(
        "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    )
    assert sha256(generator) == NUMS_KEY
    assert is_xonly_key(NUMS_KEY)


def test_the_tweaked_secret_signs_for_the_output_key() -> None:
    secret, root = b"\5" * 32, tagged_hash("TapLeaf", b"x")
    output = taproot_output(xonly_key(secret), shaped_tree(root))
    assert xonly_key(output_secret(secret, root)) == output.key


def test_an_internal_key_off_the_curve_is_refused() -> None:
    with pytest.raises(KeyFault):
        taproot_output(b"\xff" * 32)
    assert not commits(bytes(32), b"\xc0" + b"\xff" * 32, bytes(32))
