"""The statement is bound: each public value, the claim in the root, what was announced, what set-up knows."""

from random import Random

import pytest

from circuits.rollup.public_values import NUM_PUBLIC_ELEMENTS, PublicValues
from tests.bridge.chunks import (
    KEYS,
    PARAMS,
    SEED,
    Signed,
    accuser,
    corrupted,
    honest,
    other,
    readers,
    spending,
    tree,
)
from tests.proofs import decoded, public_values, small_key
from tests.script.spends import tapscript_spend
from verifier.bridge.chunks.accuse import ChunkAccuser
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.chunks.statement import claim_of, known_state
from verifier.bridge.chunks.steps import Kind
from verifier.bridge.game.bisect import Bisection
from verifier.bridge.tree import Digits, Wire
from verifier.chain.kernel import kernel_accepts
from verifier.script.winternitz import sign

CLAIM = tree().claim.name
P = 0x7F000001


def values_of(run: Replay) -> dict[str, Digits]:
    nodes = run.tree.nodes
    return {
        wire.name: value
        for node in nodes
        for wires, row in zip(node.wires, run.values(node.index), strict=True)
        for wire, value in zip(wires, row, strict=True)
    }


def statement_wires() -> list[Wire]:
    """The wires that hold public values."""
    start, length = tree().program.public
    return [
        wire
        for node, runs in zip(tree().nodes, tree().runs, strict=True)
        for wire, (run, _) in zip((w for group in node.wires for w in group), runs, strict=True)
        if start <= run.words[0] < start + length
    ]


def convicted(changes: dict[str, Digits]) -> tuple[int, int]:
    """The leaf that spends on Bitcoin Core's code, of those that read what is changed."""
    signed = Signed(changes)
    for node in dict.fromkeys(node for name in changes for node, _ in readers(name)):
        spend = accuser().disprove(node, signed)
        if spend is not None:
            assert kernel_accepts(spending(node, spend), 0)
            return node, spend.leaf
    raise AssertionError(f"nothing convicts {sorted(changes)}")


def test_the_claim_is_a_wire_of_the_root_and_everybody_can_compute_it() -> None:
    root = [wire for group in tree().nodes[0].wires for wire in group]
    assert tree().claim in root
    key = small_key(PARAMS).verifying_key
    assert honest()[CLAIM] == claim_of(key, public_values())
    assert values_of(other())[CLAIM] != honest()[CLAIM]


def test_each_public_value_wrong_alone_is_convicted() -> None:
    (wire,) = statement_wires()
    assert wire.digits == 8 * len(public_values())
    for digit in range(wire.digits):
        value = list(honest()[wire.name])
        value[digit] ^= 1 + digit % 15
        convicted({wire.name: tuple(value)})


def test_a_wrong_claim_is_convicted() -> None:
    for seed in range(4):
        convicted({CLAIM: corrupted(CLAIM, Random(seed))})


def test_a_statement_with_an_element_that_is_not_canonical_is_convicted() -> None:
    """The same residues, and everything made again from the other words: nothing but the check is amiss in its node."""
    words = [public_values()[0] + P, public_values()[1]]
    run = Replay(tree(), decoded(PARAMS).words, words)
    values = values_of(run)
    (wire,) = statement_wires()
    places = [
        (node, number)
        for node, number in readers(wire.name)
        if any(step.kind is Kind.CANONICAL for step in tree().leaves[node][number].chunk.steps)
    ]
    signed = {name: sign(SEED, name.encode(), values[name]) for name in values}
    ((node, number),) = places
    spend = accuser().disprove(node, signed)
    assert spend is not None and spend.leaf == number
    assert kernel_accepts(spending(node, spend), 0)


def test_who_announces_one_statement_and_asserts_a_true_proof_of_another_is_convicted() -> None:
    """Bisection by whoever has the proof of the announced statement, and the announced signature."""
    assert other().faults == []
    asserted = values_of(other())
    bisection = Bisection(tree(), other())
    revealed = [0]
    while True:
        shown = {w.name: asserted[w.name] for n in revealed for g in tree().nodes[n].wires for w in g}
        assert bisection.next(revealed, shown) == (None, None)  # as such the assertion is true
        place, node = bisection.next(revealed, {**shown, CLAIM: honest()[CLAIM]})
        if place is not None:
            break
        assert node is not None
        revealed.append(node)
    assert len(revealed) <= 4
    signed = {name: sign(SEED, name.encode(), value) for name, value in asserted.items()}
    assert accuser().disprove(place[0], signed) is None
    spend = accuser().disprove(place[0], {**signed, CLAIM: sign(SEED, CLAIM.encode(), honest()[CLAIM])})
    assert spend is not None
    assert kernel_accepts(spending(place[0], spend), 0)


@pytest.mark.parametrize("place", [0, 1])
def test_a_true_proof_of_a_statement_that_set_up_knows_to_be_another_is_convicted(place: int) -> None:
    """Set-up knows a public value: with it the proof is left alone, without it a leaf convicts."""
    key, proof = small_key(PARAMS).verifying_key, decoded(PARAMS)
    for known, right in ((public_values()[place], True), (public_values()[place] ^ 1, False)):
        bound = ChunkTree.of(key, {place: known})
        run = Replay(bound, proof.words, proof.public_values)
        assert (run.faults == []) is right
        values = values_of(run)
        signed = {name: sign(SEED, name.encode(), value) for name, value in values.items()}
        found = [ChunkAccuser(bound, KEYS).disprove(node.index, signed) for node in bound.nodes]
        assert sum(spend is not None for spend in found) == (not right)
        if right:
            continue
        node = next(i for i, spend in enumerate(found) if spend is not None)
        spend = found[node]
        assert spend is not None
        assert kernel_accepts(tapscript_spend(bound.leaf(node, spend.leaf, KEYS), spend.items), 0)


def test_the_state_that_set_up_knows_is_the_first_public_value() -> None:
    elements = [*range(1, 9), *([0] * (NUM_PUBLIC_ELEMENTS - 8))]
    values = PublicValues.from_elements(elements)
    assert known_state(values.state_root_before) == dict(enumerate(range(1, 9)))
    assert values.elements()[:8] == tuple(range(1, 9))
