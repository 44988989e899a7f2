"""Published signatures: the codeword by leanSig's message hash (oracle), the root by our hashes."""

import json

import pytest

from circuits.xmss import hashing
from tests.circuits.xmss import leansig
from tests.circuits.xmss.conftest import VECTORS

KEYS = json.loads((VECTORS / "leansig_2025_w8_v64_h8_signatures.json").read_text())["keys"]
PRODUCTION = json.loads((VECTORS / "leansig_2025_prod_signature_ream.json").read_text())


def test_oracle_message_hash(parts):
    for case in parts["message_hash"]:
        digits = leansig.message_hash(
            parts["parameter"], case["epoch"], case["rho"], bytes.fromhex(case["message"])
        )
        assert digits == case["codeword"]
        assert sum(digits) == case["sum"]


def test_oracle_hypercube(parts):
    for case in parts["hypercube_map"]:
        if (case["base"], case["dimension"]) == (8, 64):
            assert leansig.vertex(case["layer"], int(case["index"])) == case["vertex"]


@pytest.mark.parametrize("key", KEYS, ids=["key0", "key1"])
def test_published_signatures_reach_their_root_and_altered_ones_do_not(key):
    verdicts = []
    for case in key["cases"]:
        public, signature = case.get("public_key", key["public_key"]), case["signature"]
        parameter, epoch = public["parameter"], case["slot"]
        digits = leansig.message_hash(parameter, epoch, signature["rho"], bytes.fromhex(case["message"]))
        if case["valid"]:
            assert digits == case["codeword"]
        reached = None
        if sum(digits) == leansig.TARGET_SUM:
            values = zip(digits, signature["hashes"], strict=True)
            ends = [
                hashing.walk_chain(parameter, epoch, i, digit, 7 - digit, tuple(value))
                for i, (digit, value) in enumerate(values)
            ]
            leaf = hashing.leaf_digest(parameter, epoch, ends)
            reached = list(hashing.path_root(parameter, epoch, leaf, signature["path"]))
        valid = reached == public["root"]
        assert valid == case["valid"], case.get("changed")
        verdicts.append(valid)
    assert verdicts.count(True) == 3
    assert verdicts.count(False) == 14


@pytest.mark.parametrize("key", KEYS, ids=["key0", "key1"])
def test_altered_values_and_paths_miss_the_root_even_with_the_right_codeword(key):
    changed = [case for case in key["cases"] if case.get("changed") in ("hash", "path", "root")]
    assert len(changed) >= 6
    for case in changed:
        public, signature = case["public_key"], case["signature"]
        arguments = (case["reencoded"], signature["hashes"], signature["path"])
        root = leansig.root_of(public["parameter"], case["slot"], *arguments)
        assert list(root) != public["root"]


def test_production_signature_of_another_client():
    public, signature, slot = PRODUCTION["public_key"], PRODUCTION["signature"], PRODUCTION["slot"]
    message = bytes.fromhex(PRODUCTION["message"])
    digits = leansig.message_hash(public["parameter"], slot, signature["rho"], message)
    assert digits == PRODUCTION["codeword"]
    root = leansig.root_of(public["parameter"], slot, digits, signature["hashes"], signature["path"])
    assert list(root) == public["root"]
    for other_slot, other_message in [(slot + 1, message), (slot, b"\xff" * 32)]:
        digits = leansig.message_hash(public["parameter"], other_slot, signature["rho"], other_message)
        assert sum(digits) != leansig.TARGET_SUM
