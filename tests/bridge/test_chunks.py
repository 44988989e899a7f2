"""Leaves on Bitcoin Core's code: nobody convicts an honest operator, any wrong wire is convicted."""

from random import Random

import pytest

from tests.bridge.chunks import KEYS, Signed, accuser, corrupted, honest, node_named, readers, spending, tree
from verifier.bridge.chunks.accuse import accuse, hints_of
from verifier.bridge.tree import Spend
from verifier.chain.kernel import kernel_accepts
from verifier.script.script import encode_number
from verifier.script.spend import verify_input

MAX_LEAF = 390_000
MAX_WEIGHT = 400_000

SAMPLE = (
    "query 0/main path",
    "query 1/quotient row 2^5",
    "query 1/quotients",
    "query 2/FRI layer 0",
    "query 3/final polynomial",
    "query 3",
    "transcript",
)


def honest_spend(node: int, number: int) -> Spend:
    """The witness of a leaf with right signatures and right hints: all but the fault."""
    leaf = tree().leaves[node][number]
    names = tree().wire_names(leaf)
    found, wrong = hints_of(tree(), leaf, honest())
    assert not wrong
    signed = Signed()
    items = [item for name in reversed(names) for item in signed[name]]
    return Spend(number, (*(encode_number(hint) for hint in reversed(found)), *items))


@pytest.mark.parametrize("where", SAMPLE)
def test_honest_wires_convict_nobody_and_the_count_of_items_is_exact(where):
    node = node_named(where)
    assert accuser().disprove(node, Signed()) is None
    seen = set()
    for number, leaf in enumerate(tree().leaves[node]):
        shape = tree().shape(leaf)
        if id(shape) in seen:
            continue
        seen.add(id(shape))
        spend = honest_spend(node, number)
        assert len(spend.items) + 1 <= 1_000
        assert max(map(len, spend.items)) <= 80
        tx = spending(node, spend)
        verdict = verify_input(tx, 0)
        assert not kernel_accepts(tx, 0)
        assert verdict.error.name == "EVAL_FALSE"
        assert verdict.peak_stack <= shape.peak_stack <= 1_000
        assert len(shape.code) <= MAX_LEAF
        assert tx.tx.weight <= MAX_WEIGHT


@pytest.mark.parametrize("where", SAMPLE)
def test_any_wrong_wire_is_convicted_by_a_leaf_that_reads_it(where):
    rng = Random(where)
    names = sorted({w.name for group in tree().nodes[node_named(where)].wires for w in group})
    if len(names) > 6:
        names = rng.sample(names, 6)
    for name in names:
        signed = Signed({name: corrupted(name, rng)})
        spend = None
        for node in dict.fromkeys(node for node, _ in readers(name)):
            spend = accuser().disprove(node, signed)
            if spend is not None:
                break
        assert spend is not None, name
        assert name in tree().wire_names(tree().leaves[node][spend.leaf])
        assert kernel_accepts(spending(node, spend), 0), name


@pytest.mark.slow
def test_every_shape_fits_the_limits():
    for node, leaves in enumerate(tree().leaves):
        for leaf in leaves:
            shape = tree().shape(leaf)
            assert len(shape.code) <= MAX_LEAF, tree().nodes[node].name
            links = sum(wire.links for wire in (*leaf.chunk.reads, *leaf.chunk.writes))
            assert 2 * links + shape.hints + 1 <= 1_000


@pytest.mark.slow
def test_every_wire_corrupted_alone_is_convicted():
    """All wires of the tree, by evaluation; every fiftieth also on the kernel."""
    rng = Random(5)
    by_wire: dict[str, list[tuple[int, int]]] = {}
    for node, leaves in enumerate(tree().leaves):
        for number, leaf in enumerate(leaves):
            for name in tree().wire_names(leaf):
                by_wire.setdefault(name, []).append((node, number))
    for count, name in enumerate(honest()):
        values = {**honest(), name: corrupted(name, rng)}
        for node, number in by_wire[name]:
            leaf = tree().leaves[node][number]
            names = tree().wire_names(leaf)
            found = accuse(tree(), leaf, {n: values[n] for n in names})
            if found is not None:
                break
        else:
            raise AssertionError(name)
        if count % 50 == 0:
            signed = Signed({name: values[name]})
            items = [item for n in reversed(names) for item in signed[n]]
            spend = Spend(number, (*(encode_number(hint) for hint in reversed(found)), *items))
            assert kernel_accepts(spending(node, spend), 0), name


def test_an_element_that_is_not_canonical_convicts():
    """The same residue plus p, in a row and in a result."""
    for where in ("query 1/quotient row 2^5", "query 1/quotients"):
        node = node_named(where)
        name = tree().nodes[node].wires[0][0].name
        digits = list(honest()[name])
        word = sum((digits[2 * i] * 16 + digits[2 * i + 1]) << 8 * i for i in range(4)) + 0x7F000001
        digits[:8] = [half for byte in word.to_bytes(4, "little") for half in (byte >> 4, byte & 15)]
        spend = accuser().disprove(node, Signed({name: tuple(digits)}))
        assert spend is not None
        assert kernel_accepts(spending(node, spend), 0)


def test_malformed_hints_convict_nobody():
    node = node_named("query 1/quotients")
    rng = Random(11)
    number = next(n for n, leaf in enumerate(tree().leaves[node]) if tree().shape(leaf).hints)
    spend = honest_spend(node, number)
    count = tree().shape(tree().leaves[node][number]).hints
    odd = [
        b"",
        b"\1",
        b"\x81",
        b"\xff",
        b"\0\1",
        b"\xff\xff\xff\x7f",
        b"\0\0\0\0\1",
        b"\1\0",
        rng.randbytes(3),
    ]
    for place in rng.sample(range(count), 24):
        items = list(spend.items)
        items[place] = rng.choice([item for item in odd if item != items[place]])
        tx = spending(node, Spend(number, tuple(items)))
        assert not verify_input(tx, 0).accepted
        assert not kernel_accepts(tx, 0)


def test_a_signature_of_another_wire_convicts_nobody():
    node = node_named("query 0/main path")
    spend = honest_spend(node, 0)
    items = list(spend.items)
    items[0] = bytes(20)
    assert not kernel_accepts(spending(node, Spend(0, tuple(items))), 0)
    assert len(KEYS) > 1
