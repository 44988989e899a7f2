"""The rollup's own proof at the small shape, 110 queries, 128 bits: honest leaves, sampled wrong wires."""

from functools import cache
from random import Random

import pytest

from prover.proof import Proof
from prover.prove import prove
from tests.bridge.chunks import SEED
from tests.script.spends import tapscript_spend
from tests.whole import SHAPE
from tests.whole import honest as batch
from verifier.bridge.accuse import accuse
from verifier.bridge.execution import Replay
from verifier.bridge.opening import ChunkTree
from verifier.bridge.tree import Digits
from verifier.chain.kernel import kernel_accepts
from verifier.pipeline import DEFAULT_PRESET, proving_key
from verifier.script.script import encode_number
from verifier.script.winternitz import public_key, sign

CORRUPTED, ON_THE_KERNEL = 600, 12

pytestmark = pytest.mark.slow


@cache
def case() -> tuple[ChunkTree, dict[str, Digits]]:
    key = proving_key(DEFAULT_PRESET, SHAPE)
    data = prove(key, batch().tables, batch().public_values).encode()
    proof = Proof.decode(data, key.verifying_key.layout)
    tree = ChunkTree.of(key.verifying_key)
    replay = Replay(tree, proof.words, proof.public_values)
    assert replay.faults == []
    values: dict[str, Digits] = {}
    for node in tree.nodes:
        for wires, row in zip(node.wires, replay.values(node.index), strict=True):
            values.update({wire.name: value for wire, value in zip(wires, row, strict=True)})
    return tree, values


def test_no_leaf_of_the_checks_and_two_queries_convicts():
    tree, values = case()
    count = 0
    for node in tree.nodes:
        if node.name.startswith("root/queries") and not {"query 0", "query 77"} & set(node.name.split("/")):
            continue
        for leaf in tree.leaves[node.index]:
            count += 1
            assert accuse(tree, leaf, {name: values[name] for name in tree.wire_names(leaf)}) is None, (
                node.name
            )
    assert count > 10_000


def test_sampled_wrong_wires_are_convicted():
    tree, values = case()
    rng = Random(9)
    sample = rng.sample(sorted(values), CORRUPTED)
    readers = {name: [] for name in sample}
    for leaves in tree.leaves:
        for place, leaf in enumerate(leaves):
            for name in tree.wire_names(leaf):
                if name in readers:
                    readers[name].append((leaf, place))
    for count, name in enumerate(sample):
        digits = list(values[name])
        digits[rng.randrange(len(digits))] ^= rng.randrange(1, 16)
        wrong = {name: tuple(digits)}
        for leaf, _ in readers[name]:
            names = tree.wire_names(leaf)
            found = accuse(tree, leaf, {n: wrong.get(n, values[n]) for n in names})
            if found is not None:
                break
        else:
            raise AssertionError(name)
        if count < ON_THE_KERNEL:
            keys = [public_key(SEED, n.encode(), len(values[n])) for n in names]
            signed = [sign(SEED, n.encode(), wrong.get(n, values[n])) for n in names]
            items = [encode_number(hint) for hint in reversed(found)]
            items += [item for signature in reversed(signed) for item in signature]
            assert kernel_accepts(tapscript_spend(tree.shape(leaf).leaf(keys), items), 0), name
