"""The opening tree covers the Program, and its chunks read what their place allows."""

from itertools import chain

from tests.bridge.chunks import honest, replay, tree
from tests.proofs import decoded, public_values, small_key
from verifier.bridge.chunks.chunk import wires
from verifier.bridge.chunks.lower import lower
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.chunks.steps import Kind
from verifier.stark.interpreter import execute
from verifier.stark.program import INSTRUCTION_WORDS, Code, record

NAMES_ONLY = {Code.COPY, Code.EMBED, Code.BITS, Code.SELECT, Code.POWERS, Code.FOR_EACH}


def test_every_instruction_is_covered_by_a_chunk():
    """What no step comes of only names words anew, brings data, or hashes constants."""
    program, lowered = tree().program, tree().lowered
    for number, (block, chunks) in enumerate(zip(program.blocks, tree().partition.chunks, strict=True)):
        covered = {i for chunk in chunks for step in chunk.steps for i in (step.source, *step.merged)}
        for index in range(len(block)):
            line = block.code[INSTRUCTION_WORDS * index : INSTRUCTION_WORDS * (index + 1)]
            code, out, _, _, _, count, _, where = line
            if index in covered or code in NAMES_ONLY or code == Code.READ_WORDS:
                continue
            if code == Code.READ_ELEMENTS:
                assert program.labels[where].startswith("openings at zeta")  # checked in every node's copy
            elif code == Code.HASH:
                assert out in lowered.constants
            else:
                assert code in (Code.DOT, Code.EXT_DOT), (number, index, Code(code))
                assert count == 1  # the first power is 1: the product is the value


def test_every_step_is_in_exactly_one_chunk():
    lowered = lower(tree().program)
    for number, steps in enumerate(lowered.blocks):
        placed = [step.out for chunk in tree().partition.chunks[number] for step in chunk.steps if step.out]
        assert len(placed) == len(set(placed))
        assert {step.out for step in steps if step.out} - lowered.powers.keys() <= set(placed)
        checks = [s for chunk in tree().partition.chunks[number] for s in chunk.steps if not s.out]
        for kind in (Kind.EQUAL, Kind.ZERO, Kind.NOT_ALL_ZERO, Kind.CANONICAL):
            wanted = sum(step.kind is kind for step in steps)
            assert sum(step.kind is kind for step in checks) >= wanted


def test_out_of_domain_values_are_opened_where_they_are_read():
    opening, copies = tree().lowered.opening, tree().partition.copy_of
    leaves = {opening.leaf[copies[w]] for w in copies if copies[w] in opening.leaf}
    assert leaves == set(range(len(opening.leaves)))
    for chunk in chain.from_iterable(tree().partition.chunks):
        assert not [word for step in chunk.steps for word in step.reads if word in opening.leaf]


def test_steps_compute_what_the_program_computes():
    key = small_key().verifying_key
    program = record(key)
    run = execute(program, decoded().words, public_values())
    assert run.rejection is None
    lowered = tree().lowered
    assert replay().faults == []
    for step in lowered.blocks[0]:
        for word in step.out:
            if word < program.memory_words and run.memory[word]:
                assert replay().main[word] == run.memory[word]
    for query, written in enumerate(run.items[1]):
        memory = replay().memory(query)
        assert [word for word, value in written.items() if word in memory and memory[word] != value] == []


def test_leaves_read_wires_of_their_node_and_its_ancestors():
    nodes = tree().nodes
    names = [{wire.name for group in node.wires for wire in group} for node in nodes]
    assert sum(map(len, names)) == len(set().union(*names)) == len(honest())
    for node in nodes:
        allowed, at = set(), node.index
        while at >= 0:
            allowed |= names[at]
            at = nodes[at].parent
        for leaf in tree().leaves[node.index]:
            assert set(tree().wire_names(leaf)) <= allowed


def test_every_wire_is_read_by_a_leaf():
    read = {name for leaves in tree().leaves for leaf in leaves for name in tree().wire_names(leaf)}
    assert read == set(honest())


def test_nodes_stand_under_their_parents_and_groups_fit_an_input():
    for node in tree().nodes:
        assert node.parent < node.index
        for child in node.children:
            assert tree().nodes[child].parent == node.index
        for group in node.wires:
            links = sum(2 * (wire.digits + 3) for wire in group)
            assert links <= 999
    root_children = [tree().nodes[child] for child in tree().nodes[0].children]
    assert len(root_children) < 30


def test_the_tree_is_deterministic():
    again = ChunkTree.of(small_key().verifying_key)
    assert again.nodes == tree().nodes
    for mine, other in zip(chain(*tree().leaves), chain(*again.leaves), strict=True):
        assert tree().wire_names(mine) == again.wire_names(other)


def test_a_query_is_compiled_once():
    first = tree().leaves[next(n.index for n in tree().nodes if n.name.endswith("query 0/main path"))]
    other = tree().leaves[next(n.index for n in tree().nodes if n.name.endswith("query 3/main path"))]
    for a, b in zip(first, other, strict=True):
        assert a.chunk is b.chunk
        assert tree().shape(a) is tree().shape(b)
        assert len(wires(a.chunk)) == len(tree().wire_names(b))
