"""From a wrong wire or a false proof to the leaf that convicts, node by node."""

from array import array
from random import Random

import pytest

from tests.bridge.chunks import PARAMS, SEED, accuser, corrupted, honest, replay, spending, tree
from tests.proofs import decoded, public_values, small_key
from verifier.bridge.bisect import Bisection
from verifier.bridge.execution import Replay
from verifier.bridge.opening import MAIN
from verifier.chain.kernel import kernel_accepts
from verifier.script.winternitz import sign

MAX_DEPTH = 6


def values_of(execution: Replay) -> dict:
    out = {}
    for node in tree().nodes:
        for wires, values in zip(node.wires, execution.values(node.index), strict=True):
            out.update({wire.name: value for wire, value in zip(wires, values, strict=True)})
    return out


@pytest.mark.parametrize("seed", range(12))
def test_a_wrong_wire_is_found(seed):
    """The operator reveals one wrong value; the challenger is told of the node by opening at random."""
    rng = Random(seed)
    name = rng.choice(sorted(honest()))
    operator = {**honest(), name: corrupted(name, rng)}
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
            break
        assert node is not None, name
        revealed.append(node)
        opened += 1
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
