"""Every scenario over the rollup's own proof: a real batch at shape small, all queries, 128 bits, Core's kernel."""

import pytest

from verifier.bridge.simulate.engine import SCENARIOS, playable, run
from verifier.bridge.simulate.lies import LIES, prove_falsely
from verifier.bridge.simulate.rollup import SHAPE, RollupCase
from verifier.bridge.simulate.worlds import World, rollup
from verifier.pipeline import identify, verify_proof
from verifier.stark.reasons import RejectReason, VerificationError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return rollup(tmp_path_factory.mktemp("slot"), lambda step, share: None)


@pytest.mark.parametrize("name", playable("rollup"))
def test_scenario(name: str, world: World) -> None:
    result = run(name, world.setup, world.case)
    assert result.passed, result.detail
    assert result.outcome == SCENARIOS[name][1]
    assert result.proven_bits is not None and result.proven_bits >= 128
    assert result.queries == 110
    assert result.max_stack <= 1_000
    assert result.max_leaf_bytes <= 390_000
    assert all(record.spending.tx.weight <= 400_000 for record in result.records)
    if name.startswith("07"):
        assert result.dispute_vbytes <= 200_000


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_is_hidden_from_all_but_the_queries(lie, world: World) -> None:
    """The verifier refuses it, at the last fold of its first query; every query alone would convict."""
    case = world.case
    assert isinstance(case, RollupCase)
    proof = prove_falsely(case.key, lie.tell(case.ledger, case.batch, SHAPE))
    with pytest.raises(VerificationError) as caught:
        verify_proof(identify(proof.encode()))
    assert caught.value.reason is RejectReason.FINAL_POLYNOMIAL
    replay, _ = case.told(lie)
    assert {query for query, _ in replay.faults} == set(range(case.queries))


def test_nodes_that_are_too_wide_are_constraints_or_transcript(world: World) -> None:
    """What no transaction can reveal today lies outside the queries."""
    nodes = world.case.tree.nodes
    wide = [nodes[index].name for index in world.setup.moves.graph.too_wide]
    assert all(name.startswith(("root/checks/constraints", "root/checks/transcript")) for name in wide)
