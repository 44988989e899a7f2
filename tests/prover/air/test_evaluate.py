import pytest

from circuits.statement import system
from prover.air.air import Air, AirError, Relation
from prover.air.columns import Columns, column
from prover.air.evaluate import count
from prover.air.expression import Op, Space, constant, variable
from prover.air.graph import Graph, air_graph, evaluate
from prover.field import P
from tests.oracles.integers import IntegerRing
from tests.small_system import Chain, Sink, Squares


def _direct(node, read):
    """The recursive definition."""
    if node.op is Op.CONST:
        return node.value
    if node.op is Op.VARIABLE:
        return read(node.space, node.index, node.offset)
    a, b = _direct(node.left, read), _direct(node.right, read)
    return {Op.ADD: a + b, Op.SUB: a - b, Op.MUL: a * b}[node.op] % P


def _read(space, index, offset):
    return (1000003 * (index + 1) + 77 * offset + 13 * space) % P


@pytest.mark.parametrize("air", [Chain(), Squares(), Sink()])
def test_graph_values_equal_the_recursive_definition(air):
    table = air_graph(air)
    values = evaluate(table.graph, IntegerRing(), _read, table.roots())
    for constraint, node in table.constraints:
        assert values[node] == _direct(constraint.expression, _read)
    for group in table.groups:
        for item in group:
            expected = [_direct(v, _read) for v in item.interaction.values]
            assert [values[v] for v in item.values] == expected
            assert values[item.multiplicity] == _direct(item.interaction.multiplicity, _read)


def test_equal_subexpressions_are_one_node_and_sums_commute():
    graph, seen = Graph(), {}
    x, y = (variable(Space.MAIN, i, 0) for i in range(2))
    first, second = (x + y) * (x - y), (variable(Space.MAIN, 1, 0) + variable(Space.MAIN, 0, 0)) * (x - y)
    assert graph.add(first, seen) == graph.add(second, seen)
    assert graph.add(x - y, seen) != graph.add(y - x, seen)


def test_a_deep_expression_needs_no_recursion():
    x = variable(Space.MAIN, 0, 0)
    deep = x
    for i in range(20_000):
        deep = deep + constant(i + 1)
    graph = Graph()
    root = graph.add(deep, {})
    expected = (5 + sum(range(1, 20_001))) % P
    assert evaluate(graph, IntegerRing(), lambda *_: 5, [root])[root] == expected


def test_counts_of_the_small_tables():
    chain, sink = count(Chain()), count(Sink())
    assert (chain.main, chain.periodic, chain.interaction) == (4, 2, 12)
    by_label = {c.label: c for c in chain.constraints}
    assert by_label["step"].degree == 2 and by_label["step"].reads == 4
    assert by_label["start"].degree == 2
    assert by_label["send step + look up square"].degree == 3
    assert sink.preprocessed == 1 and sink.max_degree == 3
    assert chain.max_reads == max(c.reads for c in chain.constraints)


class _One(Columns):
    x = column()


@pytest.mark.parametrize("rows", ["when_first_row", "when_last_row"])
def test_degree_four_with_its_selector_is_refused(rows):
    class Bad(Air):
        name, Main = "bad", _One

        def eval(self, builder, local, following):
            getattr(builder, rows)().assert_zero(local.x * local.x * local.x, "cube")

    with pytest.raises(AirError, match="degree"):
        Bad().record  # noqa: B018


def test_fingerprints_above_degree_two_are_refused():
    class Bad(Air):
        name, Main = "bad", _One

        def eval(self, builder, local, following):
            builder.send(Relation("r", 1, 1), [local.x * local.x * local.x], 1, "cube")

    with pytest.raises(AirError):
        Bad().record  # noqa: B018


def test_pairs_have_linear_fingerprints_and_quadratic_ones_stand_alone():
    for air in (Chain(), Squares(), Sink()):
        for group in air_graph(air).groups:
            assert len(group) in (1, 2)
            if len(group) == 2:
                assert all(item.interaction.degree <= 1 for item in group)
    assert any(item.interaction.degree == 2 for group in air_graph(Sink()).groups for item in group)


def test_longest_tuples_are_paired_with_the_shortest_and_the_lightest_group_is_last():
    for air in system().airs:
        groups = air.record.fraction_groups()
        sizes = [sum(len(i.values) for i in group) for group in groups]
        assert sizes == sorted(sizes, reverse=True)
        assert sorted(i.label for g in groups for i in g) == sorted(i.label for i in air.record.interactions)
        pairs = [sorted(len(i.values) for i in group) for group in groups if len(group) == 2]
        for short, long in pairs:
            for other_short, other_long in pairs:
                assert not (long > other_long and short > other_short), (air.name, pairs)
