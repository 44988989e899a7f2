"""Which factor looks up the other, and what a chunk has on its stack by it."""

from dataclasses import replace
from itertools import chain

from tests.bridge.chunks import honest, replay, tree
from verifier.bridge.chunks.arithmetic import compile_chunk
from verifier.bridge.chunks.chunk import pattern
from verifier.bridge.chunks.evaluate import value
from verifier.bridge.chunks.opening import MAIN
from verifier.bridge.chunks.partition import CHECK_ITEMS
from verifier.bridge.chunks.pieces import Chunk
from verifier.bridge.chunks.relations import Relation, items, relations
from verifier.bridge.chunks.steps import Kind, Step


def calculating() -> list[tuple[Chunk, list[Relation]]]:
    """Chunks that calculate, each with its relations."""
    lowered = tree().lowered
    chunks = list(chain(*tree().partition.chunks))
    found = [(chunk, relations(chunk.steps, lowered)) for chunk in chunks]
    return [(chunk, [r for r in row if r]) for chunk, row in found if any(row)]


def test_the_count_of_items_bounds_what_the_compiler_counts():
    lowered = tree().lowered
    for chunk, row in calculating():
        shape = compile_chunk(chunk, lowered)
        assert shape.hints == sum(relation.num_hints for relation in row)
        read, written = ([wire.words for wire in wires] for wires in (chunk.reads, chunk.writes))
        links = sum(wire.links for wire in (*chunk.reads, *chunk.writes))
        counted = items(row, read, sum(map(len, written)), lowered)
        assert shape.peak_stack <= max(counted, shape.hints + 2 * links + CHECK_ITEMS) <= 1_000


def test_what_a_chunk_makes_is_split_only_where_both_factors_are_made():
    split = 0
    for chunk, row in calculating():
        made = {word for step in chunk.steps for word in step.out}
        for relation in row:
            assert set(relation.split) <= made & set(relation.digits)
            split += len(relation.split)
            if relation.split and relation.step.kind is not Kind.INVERSE:
                assert set(relation.columns) & made
    assert split


def test_steps_sum_to_what_they_write():
    """The relation's integers are the step's result mod p, in an honest run."""
    lowered, p = tree().lowered, 0x7F000001
    assert len(honest()) > 1_000
    for block, query in ((0, MAIN), (1, 0)):
        memory = replay().memory(query)
        for step in lowered.blocks[block]:
            (relation,) = relations([step], lowered)
            if relation is None or step.kind is Kind.INVERSE:
                continue
            columns, digits, addends = (
                [value(word, memory, lowered) for word in words]
                for words in (relation.columns, relation.digits, relation.addends)
            )
            totals = relation.spec.totals(columns, digits, addends)
            assert [total % p for total in totals] == [memory[word] for word in step.out]


def test_rows_of_queries_are_summed_four_values_a_step_with_powers_of_the_nodes_own():
    lowered, partition = tree().lowered, tree().partition
    windows = [s for s in lowered.blocks[1] if s.kind is Kind.HORNER and len(s.args) == 9]
    assert windows
    assert all(list(map(len, step.args)) == [6, 6, 1, 6, 1, 6, 1, 6, 1] for step in windows)
    common = {word for words in lowered.powers for word in words}
    assert common
    read = {word for chunk in chain(*partition.chunks) for step in chunk.steps for word in step.reads}
    assert not common & read
    assert common <= set(partition.copy_of.values())


def test_what_two_base_values_make_is_their_product_and_nothing_more():
    """An element of which all but a word are known to be 0 takes one word; the result has six all the same."""
    lowered = tree().lowered
    known = {w: v for w, v in lowered.constants.items() if v == 0}
    zero = (next(iter(known)),) * 5
    first, second, *out = (lowered.words + i for i in range(8))
    memory = {first: 3, second: 5}
    for kind, factors in (
        (Kind.PRODUCT, ((first, *zero), (second, *zero))),
        (Kind.SCALE, ((first, *zero), (second,))),
    ):
        step = Step(kind, tuple(out), factors)
        (relation,) = relations([step], lowered)
        columns, digits, addends = (
            [value(word, memory, lowered) for word in words]
            for words in (relation.columns, relation.digits, relation.addends)
        )
        assert relation.spec.totals(columns, digits, addends) == [15, 0, 0, 0, 0, 0]
        horner = replace(step, kind=Kind.HORNER, args=(*factors, (first, *zero)))
        (relation,) = relations([horner], lowered)
        columns, digits, addends = (
            [value(word, memory, lowered) for word in words]
            for words in (relation.columns, relation.digits, relation.addends)
        )
        assert relation.spec.totals(columns, digits, addends) == [18, 0, 0, 0, 0, 0]


def test_leaves_of_one_pattern_have_one_script():
    """The pattern alone decides which factor looks up the other, also among constants that are equal."""
    lowered, known = tree().lowered, {}
    for chunk, row in calculating():
        names: dict[int, int] = {}

        def name(word, names=names):
            return (
                (lowered.constants[word],)
                if word in lowered.constants
                else names.setdefault(word, len(names))
            )

        found = [
            (
                r.spec,
                r.shared,
                *(tuple(map(name, words)) for words in (r.columns, r.digits, r.addends, r.split)),
            )
            for r in row
        ]
        assert known.setdefault(pattern(chunk, lowered), found) == found
    assert len(known) < len(calculating())
