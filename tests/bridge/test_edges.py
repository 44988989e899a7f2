"""Every shape of calculating leaf on the largest, smallest and oddest words: right results convict nobody, others do.

An honest run hardly ever has such words; whoever grinds a proof may choose some of them.
"""

from itertools import chain
from random import Random

from tests.bridge.chunks import KEYS, SEED, tree
from tests.script.spends import tapscript_spend
from verifier.bridge.chunks.accuse import hints_of
from verifier.bridge.chunks.evaluate import run
from verifier.bridge.chunks.opening import Leaf
from verifier.bridge.chunks.steps import CHECKS, HASHING, Kind
from verifier.bridge.tree import Digits
from verifier.script.errors import ScriptError
from verifier.script.script import encode_number
from verifier.script.spend import verify_input
from verifier.script.winternitz import nibbles, sign

P = 0x7F000001
EDGES = (0, 1, 0xFFFF, 0x10000, 0x00FFFFFF, 0x7EFF0000, 0x7EFFFFFF, P - 2, P - 1)
ANY = (0, 1, 0xFFFF, 0x10000, P, 0x80000000, 0xFFFF0000, 0xFFFFFFFF)
"""Of words that need not be canonical: hashes, from which challenges are drawn."""


def calculating() -> list[tuple[int, int, Leaf]]:
    """A leaf of each shape."""
    found = {}
    for node, leaves in enumerate(tree().leaves):
        for number, leaf in enumerate(leaves):
            if leaf.chunk.steps[0].kind not in HASHING | CHECKS:
                found.setdefault(id(tree().shape(leaf)), (node, number, leaf))
    return list(found.values())


def committed(leaf: Leaf, rng: Random) -> dict[str, Digits]:
    """Edge values in what the leaf reads, and what it has to write for them."""
    steps, lowered = leaf.chunk.steps, tree().lowered
    free = {word for step in steps if step.kind is Kind.CHALLENGE for word in step.reads}
    same = rng.choice([None, *EDGES])
    memory = {}
    for word in chain(*(wire.words for wire in leaf.chunk.reads)):
        memory[word] = rng.choice(ANY if word in free else EDGES) if same is None else same
    for step in steps:
        memory.update(zip(step.out, run(step, memory, lowered)[0], strict=True))
    return {
        tree().name(wire, leaf.query): nibbles(b"".join(memory[w].to_bytes(4, "little") for w in wire.words))
        for wire in (*leaf.chunk.reads, *leaf.chunk.writes)
    }


def verdict(node: int, number: int, values: dict[str, Digits], hints: list[int]) -> ScriptError:
    names = tree().wire_names(tree().leaves[node][number])
    signed = [item for name in reversed(names) for item in sign(SEED, name.encode(), values[name])]
    items = [*(encode_number(hint) for hint in reversed(hints)), *signed]
    return verify_input(tapscript_spend(tree().leaf(node, number, KEYS), items), 0).error


def test_edge_values_convict_nobody_and_another_result_is_convicted() -> None:
    rng, tried = Random(7), 0
    for node, number, leaf in calculating():
        for _ in range(2):
            values = committed(leaf, rng)
            hints, wrong = hints_of(tree(), leaf, values)
            assert not wrong
            if hints is None:  # a division by zero: the leaf that checks the divisor convicts
                continue
            tried += 1
            assert verdict(node, number, values, hints) is ScriptError.EVAL_FALSE, tree().nodes[node].name
            written = tree().name(rng.choice(leaf.chunk.writes), leaf.query)
            digits = list(values[written])
            digits[rng.randrange(len(digits))] ^= rng.randrange(1, 16)
            values[written] = tuple(digits)
            assert verdict(node, number, values, hints) is ScriptError.OK, tree().nodes[node].name
    assert tried > 100
