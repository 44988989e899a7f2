"""The same leaves and the same games in a third place: a real node, where PEGPROOF_BITCOIND names one.

Each game has a slot of its own on the one chain that all share, paid by a coin of the bank's. What needs a mempool is
also played on one embedded node that all games share, so that the tests themselves are run everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.bridge.slot import TREE, one_time_keys
from tests.bridge.test_moves import FALSE, HONEST, signatures
from tests.real_node import bank_coin, fill_treasury, keep_time, needs_node, real_node
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import NUMS_KEY, balanced_tree, leaf_hash, taproot_output
from verifier.bitcoin.transaction import Transaction, TxIn, TxOut
from verifier.bridge.game.lazy import LazyGraph
from verifier.bridge.game.moves import sign_key_paths
from verifier.bridge.game.roles import open_towards
from verifier.bridge.simulate.cases import ToyCase
from verifier.bridge.simulate.engine import ONLY, SCENARIOS, playable, run
from verifier.bridge.simulate.on_demand import lazy_setup
from verifier.bridge.simulate.setup import make_setup, script_of, secret_of
from verifier.bridge.simulate.stage import Stage
from verifier.bridge.simulate.worlds import World, make_world
from verifier.bridge.tree import Node
from verifier.chain.chain import Refused, TestChain
from verifier.chain.kernel import KernelSpending
from verifier.chain.node import EmbeddedNode
from verifier.chain.policy import TRUC_MAX_VBYTES
from verifier.script.spend import verify_input

CASE = ToyCase()
EVERYWHERE = [
    *("02-unchallenged", "06g-last-block-race", "07-false-proof", "14-largest-leaf", "15a-reorg-each-step"),
    *("15b-fee-spike", "15c-cycled-close", "15d-bumped-answers", "15e-pinned-child", "18-redirected-penalty"),
    "20-three-places",
]
"""Where relay, replacement or reorgs decide."""
SLOW = {"15c-cycled-close", "15d-bumped-answers", "15e-pinned-child"}
REAL = pytest.param("bitcoind", marks=needs_node)
PLACES = ["embedded", REAL]
GAMES = [
    *(pytest.param(n, "embedded", marks=pytest.mark.slow if n in SLOW else ()) for n in EVERYWHERE),
    *(pytest.param(n, "bitcoind", marks=needs_node) for n in playable("toy")),
]
LARGE_GAMES = [
    *EVERYWHERE,
    "03-challenged-honest",
    *(name for name in SCENARIOS if ONLY.get(name) == "rollup"),
]
COIN_SATS, LARGE_COIN_SATS = 200_000_000, 1_000_000_000


@cache
def place(name: str) -> TestChain:
    """A chain, and coins of the bank's for as many games as there are."""
    if name == "bitcoind":
        return real_node()
    chain = EmbeddedNode()
    fill_treasury(chain)
    return chain


@pytest.fixture
def here(request: pytest.FixtureRequest) -> Iterator[TestChain]:
    chain = place(request.param)
    yield chain
    chain.mine()  # nothing waits for the next test
    if request.param == "bitcoind":
        keep_time()


def taken(chain: TestChain, spending: Spending) -> bool:
    try:
        chain.submit(spending.tx)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("here", PLACES, indirect=True)
def test_every_leaf_has_one_verdict_in_three_places(here: TestChain) -> None:
    """True wires and false ones: our interpreter, the kernel, the node's mempool."""
    chain = here
    keys = one_time_keys("slot")
    leaves = [(node.index, number) for node in TREE.nodes for number in range(node.num_leaves)]
    cases = [(at, wires) for at in leaves for wires in (signatures(HONEST), signatures(FALSE))]
    trees = [balanced_tree([leaf_hash(TREE.leaf(*at, keys))]) for at, _ in cases]
    outputs = [taproot_output(NUMS_KEY, one) for one in trees]
    coin = bank_coin(chain, COIN_SATS)
    rest = TxOut(COIN_SATS - 20_000 * len(cases) - 5_000, script_of("bank"))
    funding = Transaction(2, (TxIn(coin[0]),), (*(TxOut(20_000, out.script) for out in outputs), rest))
    chain.submit(sign_key_paths(Spending(funding, (coin[1],)), (0,), secret_of("bank")).tx)
    chain.mine()
    verdicts = []
    for index, (at, wires) in enumerate(cases):
        items = [item for name in reversed(TREE.reads(*at)) for item in wires[name]]
        witness = (*items, TREE.leaf(*at, keys), outputs[index].control_block(0))
        tx = Transaction(
            2, (TxIn(funding.outpoint(index), witness=witness),), (TxOut(1_000, script_of("bank")),)
        )
        spending = Spending(tx, (funding.outputs[index],))
        verdict = verify_input(spending, 0).accepted
        assert KernelSpending(spending).accepts(0) == verdict
        assert taken(chain, spending) == verdict
        verdicts.append(verdict)
    assert verdicts.count(True) == 1


@pytest.mark.parametrize(("name", "here"), GAMES, indirect=["here"])
def test_a_game_over_the_small_tree(name: str, here: TestChain, tmp_path: Path) -> None:
    setup = make_setup(tmp_path, CASE.tree, coin=bank_coin(here, COIN_SATS))
    here.submit(setup.bank)
    here.mine()
    passes(name, World("toy", CASE, setup), here)


def passes(name: str, world: World, chain: TestChain) -> None:
    result = run(name, world, node=chain)
    assert result.passed, result.detail
    assert result.outcome == SCENARIOS[name][1]


@pytest.fixture(scope="module")
def rollup(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world("rollup", tmp_path_factory.mktemp("slot"))


def moved(world: World, chain: TestChain) -> World:
    """The rollup's proof, and a slot of its own for one game on a chain."""
    graph = world.setup.moves.graph
    assert isinstance(graph, LazyGraph)
    setup = lazy_setup(graph, bank_coin(chain, LARGE_COIN_SATS))
    chain.submit(setup.bank)
    chain.mine()
    return replace(world, setup=setup)


@pytest.mark.slow
@pytest.mark.parametrize("here", [REAL], indirect=True)
@pytest.mark.parametrize("name", LARGE_GAMES)
def test_a_game_over_the_rollups_proof(name: str, here: TestChain, rollup: World) -> None:
    passes(name, moved(rollup, here), here)


@pytest.mark.slow
@pytest.mark.parametrize("here", [REAL], indirect=True)
def test_the_widest_assertion_and_reveal_relay(here: TestChain, rollup: World) -> None:
    """The largest transactions of a dispute, each through the mempool under default policy."""
    world = moved(rollup, here)
    stage = Stage(world.setup, world.case, here)
    widest = widest_node(stage)
    stage.kickoff(world.case.honest)
    stage.watch(challenge=True, guide=open_towards(widest))
    stage.play(until=lambda: stage.view.commitment(widest) is not None)
    stage.close()
    sizes = {record.name: record.spending.tx.vbytes for record in stage.records}
    assert TRUC_MAX_VBYTES < sizes["assert"] <= 100_000
    assert max(sizes.values()) == sizes[f"reveal/{widest}"] > 50_000, sizes
    assert not stage.refusals


def widest_node(stage: Stage) -> int:
    """Whose reveal is the largest; nodes of one shape have reveals of one size."""
    graph = stage.graph

    def shape(node: Node) -> tuple[object, ...]:
        groups = tuple(tuple(wire.digits for wire in group) for group in node.wires)
        return groups, node.num_leaves, tuple(len(graph.nodes[child].wires) for child in node.children)

    shapes = {shape(node): node.index for node in graph.nodes[1:]}
    return max(shapes.values(), key=lambda node: graph.reveal(node).max_vbytes)
