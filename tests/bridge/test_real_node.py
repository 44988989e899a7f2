"""The same leaves and the same games in a third place: a real node, where PEGPROOF_BITCOIND names one.

The node must be a fresh regtest node (coins come from its first blocks). What is asked of it is also asked of one
embedded node that all games share, so that the tests themselves are run everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.bridge.slot import TREE, one_time_keys
from tests.bridge.test_moves import FALSE, HONEST, signatures
from tests.chain.test_contract import URL, needs_node
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import NUMS_KEY, balanced_tree, leaf_hash, taproot_output
from verifier.bitcoin.transaction import Transaction, TxIn, TxOut
from verifier.bridge.moves import sign_key_paths
from verifier.bridge.simulate.cases import ToyCase
from verifier.bridge.simulate.engine import SCENARIOS, run
from verifier.bridge.simulate.setup import BankCoin, make_setup, script_of, secret_of
from verifier.bridge.simulate.worlds import World
from verifier.chain.bitcoind import Bitcoind
from verifier.chain.block import COINBASE_MATURITY
from verifier.chain.chain import Refused, TestChain
from verifier.chain.kernel import KernelSpending
from verifier.chain.node import EmbeddedNode
from verifier.chain.wallet import Wallet
from verifier.script.spend import verify_input

CASE = ToyCase()
PLACES = ["embedded", pytest.param("bitcoind", marks=needs_node)]
GAMES = [
    *("02-unchallenged", "06g-last-block-race", "07-false-proof", "14-largest-leaf", "15a-reorg-each-step"),
    *("15b-fee-spike", "15c-cycled-close", "15d-bumped-answers", "15e-pinned-child", "18-redirected-penalty"),
    "20-three-places",
]
SLOW = {"15c-cycled-close", "15d-bumped-answers", "15e-pinned-child"}
COIN_SATS = 200_000_000


Place = tuple[TestChain, list[BankCoin]]


@cache
def place(name: str) -> Place:
    """A chain, and coins of the bank's for as many games as there are."""
    chain: TestChain = EmbeddedNode() if name == "embedded" else Bitcoind(URL or "")
    chain.mine(1, script_of("bank"))
    chain.mine(COINBASE_MATURITY)
    tx = Wallet(secret_of("bank"), chain).pay([TxOut(COIN_SATS, script_of("bank"))] * 20, 1_000)
    chain.submit(tx)
    chain.mine()
    return chain, [(tx.outpoint(i), tx.outputs[i]) for i in range(20)]


@pytest.fixture(params=PLACES)
def here(request: pytest.FixtureRequest) -> Iterator[Place]:
    chain, coins = place(request.param)
    yield chain, coins
    chain.mine()  # nothing waits for the next test


def taken(chain: TestChain, spending: Spending) -> bool:
    try:
        chain.submit(spending.tx)
    except Refused:
        return False
    return True


def test_every_leaf_has_one_verdict_in_three_places(here: Place) -> None:
    """True wires and false ones: our interpreter, the kernel, the node's mempool."""
    chain, coins = here
    keys = one_time_keys("slot")
    leaves = [(node.index, number) for node in TREE.nodes for number in range(node.num_leaves)]
    cases = [(at, wires) for at in leaves for wires in (signatures(HONEST), signatures(FALSE))]
    trees = [balanced_tree([leaf_hash(TREE.leaf(*at, keys))]) for at, _ in cases]
    outputs = [taproot_output(NUMS_KEY, one) for one in trees]
    coin = coins.pop()
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


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in GAMES])
def test_a_game_where_relay_replacement_or_reorgs_decide(name: str, here: Place, tmp_path: Path) -> None:
    chain, coins = here
    setup = make_setup(tmp_path, CASE.tree, size=2, coin=coins.pop())
    chain.submit(setup.bank)
    chain.mine()
    result = run(name, World("toy", CASE, setup), node=chain)
    assert result.passed, result.detail
    assert result.outcome == SCENARIOS[name][1]
