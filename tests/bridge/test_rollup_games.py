"""Every scenario over the rollup's own proof: a real batch at shape small, all queries, 128 bits, Core's kernel."""

import pytest

from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import build_sample
from circuits.rollup.transition import apply
from circuits.witness import witness
from prover.prove import prove
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.game.announcement import Announcement
from verifier.bridge.game.peg_out import hear, inform
from verifier.bridge.setup.tree_name import TreeName
from verifier.bridge.simulate.engine import ONLY, SCENARIOS, playable, run
from verifier.bridge.simulate.faults import convict
from verifier.bridge.simulate.lies import LIES, prove_falsely
from verifier.bridge.simulate.rollup import SEED, SHAPE, TRANSFERS, RollupCase
from verifier.bridge.simulate.setup import SLOT, open_node
from verifier.bridge.simulate.stage import Stage
from verifier.bridge.simulate.worlds import World, make_world
from verifier.pipeline import DEFAULT_PRESET, identify, verify_proof
from verifier.stark.reasons import RejectReason, VerificationError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world("rollup", tmp_path_factory.mktemp("slot"))


@pytest.mark.parametrize("name", [name for name in playable("rollup") if ONLY.get(name) != "toy"])
def test_scenario(name: str, world: World) -> None:
    result = run(name, world)
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


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_that_nobody_hides_is_convicted_in_the_head(lie, world: World) -> None:
    """What a plain prover makes of the tables is false where lookups are added up, or in a constraint."""
    case, setup = world.case, world.setup
    assert isinstance(case, RollupCase)
    claim = lie.tell(case.ledger, case.batch, SHAPE)
    proof = prove(case.key, claim.tables, claim.public_values, check_self=False)
    replay = Replay(case.tree, proof.words, proof.public_values)
    fault = case.fault_of(replay)
    assert case.tree.nodes[fault].name.startswith(("root/constraints/", "root/statement"))
    with open_node(setup) as node:
        stage = Stage(setup, case, node)
        assert convict(stage, replay, fault) == "penalised"
        stage.close()


def from_another_ledger(case: RollupCase) -> tuple[Replay, tuple[int, ...]]:
    """A true proof of a batch that starts elsewhere than set-up knows, and what it says."""
    cells, batch = build_sample(TRANSFERS, SEED + 1)
    made = witness(apply(Ledger.of_cells(cells), batch))
    proof = prove(case.key, made.tables(SHAPE), made.public_values)
    return Replay(case.tree, proof.words, proof.public_values), tuple(proof.public_values)


@pytest.mark.parametrize("story", ["two statements", "unknown state"])
def test_what_a_watcher_has_heard_leads_to_the_statement(story: str, world: World) -> None:
    """As the commands do it: the watcher's file holds the announcement and no proof."""
    case, setup = world.case, world.setup
    assert isinstance(case, RollupCase)
    announced, said = case.honest, tuple(case.statement)
    asserted = case.other
    if story == "unknown state":
        announced, said = from_another_ledger(case)
        asserted = announced
    claims = TreeName.verifier(DEFAULT_PRESET, SHAPE, case.statement[:8]).claims(case.tree)
    with open_node(setup) as node:
        stage = Stage(setup, case, node)
        announcer = stage.open_operator("announcer")
        announcer.commit(announced)
        watcher = stage.watch()
        hear(watcher, claims, Announcement(SLOT, said, announcer.announce()))
        inform(watcher, claims, bytes(32))
        assert claims.is_known(said) == (story == "two statements")
        stage.kickoff(asserted)
        assert stage.play() == "penalised"
        opened = [name for name in stage.names if name.startswith("open/")]
        assert {int(name.partition("/")[2]) for name in opened} <= {
            at for node in claims.statement_nodes for at in stage.graph.ancestry(node)
        }
        assert int(stage.names[-1].removeprefix("disprove/")) in claims.statement_nodes
        stage.close()


def test_every_node_can_be_revealed(world: World) -> None:
    assert world.setup.moves.graph.too_wide == ()
