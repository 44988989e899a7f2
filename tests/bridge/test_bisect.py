"""From a wrong wire or a false proof to the leaf that convicts, node by node."""

from array import array
from random import Random

import pytest

from prover.hashing import to_bytes
from tests.bridge.chunks import PARAMS, SEED, accuser, corrupted, honest, replay, spending, tree
from tests.proofs import decoded, public_values, small_key
from verifier.bridge.chunks.accuse import accuse, hints_of
from verifier.bridge.chunks.evaluate import run
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import MAIN, Leaf
from verifier.bridge.chunks.steps import CHECKS, HASHING, Kind
from verifier.bridge.game.bisect import Bisection
from verifier.bridge.tree import Spend, depth
from verifier.bridge.tree import values_of as values_of_node
from verifier.chain.kernel import kernel_accepts
from verifier.script.winternitz import nibbles, sign

MAX_DEPTH = 6


def values_of(execution: Replay) -> dict:
    out = {}
    for node in tree().nodes:
        for wires, values in zip(node.wires, execution.values(node.index), strict=True):
            out.update({wire.name: value for wire, value in zip(wires, values, strict=True)})
    return out


def found_from_holder(name, operator):
    """The leaf that convicts who commits a wrong wire, once its node is open, and how many nodes were opened."""
    bisection = Bisection(tree(), replay())
    holder = next(n.index for n in tree().nodes if any(w.name == name for g in n.wires for w in g))
    path = [holder]
    while tree().nodes[path[0]].parent >= 0:
        path.insert(0, tree().nodes[path[0]].parent)
    revealed, opened = list(path), 0
    while True:
        wires = (w.name for n in revealed for g in tree().nodes[n].wires for w in g)
        place, node = bisection.next(revealed, {w: operator[w] for w in wires})
        if place is not None:
            return place, opened
        assert node is not None, name
        revealed.append(node)
        opened += 1


@pytest.mark.parametrize("seed", range(12))
def test_a_wrong_wire_is_found(seed):
    """The operator reveals one wrong value; the challenger is told of the node by opening at random."""
    rng = Random(seed)
    name = rng.choice(sorted(honest()))
    operator = {**honest(), name: corrupted(name, rng)}
    place, opened = found_from_holder(name, operator)
    assert opened <= 2 * MAX_DEPTH
    leaf = tree().leaves[place[0]][place[1]]
    assert name in tree().wire_names(leaf)


def test_an_honest_operator_is_left_alone():
    assert Bisection(tree(), replay()).next([0], honest()) == (None, None)


@pytest.mark.parametrize("seed", range(12))
def test_a_false_proof_is_convicted_on_the_kernel(seed):
    """A word of the proof changed, everything recomputed from it: some check fails, its leaf spends."""
    rng = Random(100 + seed)
    proof = decoded(PARAMS)
    words = array("I", proof.words)
    place = (
        rng.randrange(len(words))
        if seed % 3
        else rng.randrange(small_key(PARAMS).verifying_key.layout.head_words)
    )
    words[place] ^= 1 << rng.randrange(30)
    execution = Replay(tree(), words, public_values())
    assert execution.faults
    found = Bisection(tree(), execution).convict()
    assert found is not None
    assert len(found.opened) <= MAX_DEPTH
    spend = accuser().disprove(found.node.index, _Signatures(found.committed))
    assert spend is not None
    assert kernel_accepts(spending(found.node.index, spend), 0)


@pytest.mark.parametrize("query", [0, 1, -1])
def test_a_run_made_again_for_one_query_is_the_whole_run(query):
    query %= len(replay().lowered.items)
    words = array("I", decoded(PARAMS).words)
    places = [place for place in range(len(words)) if replay().query_of(place) == query]
    words[places[len(places) // 2]] ^= 1
    whole, part = Replay(tree(), words, public_values()), replay().changed(words, query)
    assert values_of(part) == values_of(whole) != honest()
    assert part.faults == whole.faults != []
    assert replay().faults == []


def test_every_check_leads_to_a_leaf():
    """Also one that reads a node's own copies of sealed or out-of-domain values."""
    bisection = Bisection(tree(), replay())
    lowered = replay().lowered
    for block, queries in ((0, [MAIN]), (1, range(len(replay().lowered.items)))):
        for step in lowered.blocks[block]:
            if not step.out:
                assert all(bisection.leaves_that_check(query, step) for query in queries)


def test_words_before_the_queries_belong_to_the_main_program():
    proof = decoded(PARAMS)
    head = small_key(PARAMS).verifying_key.layout.head_words
    owners = [replay().query_of(place) for place in range(len(proof.words))]
    assert owners[:head] == [MAIN] * head
    assert owners[head:] == sorted(owners[head:]) and set(owners[head:]) == set(
        range(len(replay().lowered.items))
    )


class _Signatures(dict):
    def __init__(self, values):
        super().__init__()
        self.values_of = values

    def __missing__(self, name):
        self[name] = sign(SEED, name.encode(), self.values_of[name])
        return self[name]


def test_nobody_is_accused_by_a_leaf_that_divides_by_zero():
    """Its script fails, so an accusation by it would be refused: the leaf that makes the divisor convicts."""
    found = 0
    for node, leaves in enumerate(tree().leaves):
        for number, leaf in enumerate(leaves):
            if found == 3 or not any(step.kind is Kind.INVERSE for step in leaf.chunk.steps):
                continue
            names = tree().wire_names(leaf)
            read = {tree().name(wire, leaf.query) for wire in leaf.chunk.reads}
            committed = {
                name: (0,) * len(honest()[name]) if name in read else honest()[name] for name in names
            }
            hints, wrong = hints_of(tree(), leaf, committed)
            if hints is None:
                found += 1
                assert not wrong
                assert accuse(tree(), leaf, committed) is None
                spend = Spend(
                    number,
                    tuple(
                        item
                        for name in reversed(names)
                        for item in sign(SEED, name.encode(), committed[name])
                    ),
                )
                assert not kernel_accepts(spending(node, spend), 0)
    assert found


NEGATIVE = nibbles(to_bytes((0, 0, 0, 0xFFFFFFFF, 0, 0)))
"""An element whose first difference of coefficients, plus p, is below 0: a product by it fails."""


def calculates(leaf: Leaf) -> bool:
    return leaf.chunk.steps[0].kind not in HASHING | CHECKS


def above_their_makers() -> list[str]:
    """Elements that leaves of a node calculate with, each made by a leaf of a node below it."""
    makers: dict[str, int] = {}
    readers: dict[str, list[int]] = {}
    for node, leaves in enumerate(tree().leaves):
        for leaf in leaves:
            makers.update(dict.fromkeys((tree().name(wire, leaf.query) for wire in leaf.chunk.writes), node))
            if leaf.query == MAIN and calculates(leaf):
                for wire in leaf.chunk.reads:
                    if wire.digits == len(NEGATIVE):
                        readers.setdefault(tree().name(wire, MAIN), []).append(node)
    return [
        name
        for name, nodes in readers.items()
        if name in makers and any(node in _above(makers[name]) for node in nodes)
    ]


def _above(node: int) -> list[int]:
    parent = tree().nodes[node].parent
    return [] if parent < 0 else [parent, *_above(parent)]


def test_a_word_of_p_or_more_accuses_who_made_it_and_nobody_by_a_leaf_that_it_fails():
    """Leaves that calculate with it are opened before the one that makes it; their scripts fail on the chain."""
    names, failed = above_their_makers(), 0
    assert len(names) > 1
    for name in names:
        committed = {**honest(), name: NEGATIVE}
        for leaves in tree().leaves:
            for leaf in leaves:
                read = {tree().name(wire, leaf.query) for wire in leaf.chunk.reads}
                if name in read and calculates(leaf):
                    failed += 1
                    assert hints_of(tree(), leaf, committed) == (None, False)
        place, _ = found_from_holder(name, committed)
        spend = accuser().disprove(place[0], _Signatures(committed))
        assert spend is not None
        assert kernel_accepts(spending(place[0], spend), 0)
    assert failed


class Slip(Replay):
    """A run in which one step's result is another, and everything after it follows from that."""

    def __init__(self, words, query: int, index: int) -> None:
        self._slip = query, index
        super().__init__(tree(), words, public_values())

    def _run(self, block, memory, query):
        faults = []
        for index, step in enumerate(self.lowered.blocks[block]):
            out, fault = run(step, memory, self.lowered)
            if (query, index) == self._slip:
                out = (out[0] ^ 1, *out[1:])
            memory.update(zip(step.out, out, strict=True))
            if fault:
                faults.append((query, step))
        return faults


def slip(words, rng: Random) -> tuple[Slip, int]:
    """What an operator commits that slips somewhere, and the instruction."""
    query = rng.choice([MAIN, rng.randrange(len(replay().lowered.items))])
    steps = replay().lowered.blocks[0 if query == MAIN else 1]
    index = rng.choice([i for i, step in enumerate(steps) if step.out])
    return Slip(words, query, index), steps[index].source


@pytest.mark.parametrize("seed", range(8))
def test_a_wrong_step_with_all_that_follows_is_found(seed):
    """Who reads a wrong value agrees with it; only the leaf that makes the first one does not.

    Where the root is the true proof's all the same, nothing is claimed that is not true, and nothing is opened.
    """
    rng, words = Random(200 + seed), decoded(PARAMS).words
    bisection = Bisection(tree(), replay())
    for _ in range(20):
        operator, source = slip(words, rng)
        if operator.values(0) != replay().values(0):
            break
        assert bisection.convict(operator) is None
    else:
        raise AssertionError("no slip shows in the root")
    found = bisection.convict(operator)
    assert found is not None
    assert len(found.opened) <= MAX_DEPTH + 1
    leaf = tree().leaves[found.node.index][found.number]
    assert any(step.source == source for step in leaf.chunk.steps)


def test_the_way_to_a_wrong_step_is_no_longer_than_the_tree_is_deep():
    """T3 has time for so many reveals one after the other; powers of gamma are made from each other across parts."""
    bisection, words = Bisection(tree(), replay()), decoded(PARAMS).words
    steps = replay().lowered.blocks[0]
    batch = tree().program.scopes.index("batch")
    powers = [i for i, step in enumerate(steps) if step.scope == batch and step.kind is Kind.PRODUCT]
    assert len(powers) > 20
    for index in powers[::2]:
        found = bisection.convict(Slip(words, MAIN, index))
        if found is not None:  # the last steps do not reach the root
            assert len(found.opened) - 1 <= depth(tree().nodes)


@pytest.mark.parametrize("seed", range(24))
def test_who_commits_another_query_than_the_proof_has_is_convicted_within_the_depth_of_the_tree(seed):
    """The published proof fails somewhere in a query; committed are other words there, which fail elsewhere."""
    rng, published = Random(400 + seed), array("I", decoded(PARAMS).words)
    places = [place for place in range(len(published)) if replay().query_of(place) == 0]
    published[rng.choice(places)] ^= 1 << rng.randrange(30)
    other = array("I", published if seed % 2 else decoded(PARAMS).words)
    other[rng.choice(places)] ^= 1 << rng.randrange(30)
    bisection = Bisection(tree(), replay().changed(published, 0))
    operator = replay().changed(other, 0)
    revealed, rounds = [0], 0
    while True:
        wires = {}
        for node in revealed:
            wires |= values_of_node(tree().nodes[node], operator)
        opened = bisection.wanted(revealed, wires)
        if not opened:
            break
        revealed, rounds = [*revealed, *opened], rounds + 1
    place, _ = bisection.next(revealed, wires)
    assert place is not None
    assert rounds <= depth(tree().nodes)


@pytest.mark.parametrize("seed", range(8))
def test_a_false_proof_is_not_hidden_by_a_wrong_step(seed):
    """A word of the proof is another, and the operator slips somewhere besides."""
    rng = Random(300 + seed)
    words = array("I", decoded(PARAMS).words)
    words[rng.randrange(len(words))] ^= 1 << rng.randrange(30)
    operator, _ = slip(words, rng)
    found = Bisection(tree(), Replay(tree(), words, public_values())).convict(operator)
    assert found is not None
    assert len(found.opened) <= 2 * MAX_DEPTH
