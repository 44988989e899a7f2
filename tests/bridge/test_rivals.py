"""What an operator puts into mempools to keep a watcher's moves out, while blocks go by without it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.bridge.test_scenarios import CASE, setup  # noqa: F401
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction, TxIn, TxOut
from verifier.bridge.game.moves import sign_key_paths
from verifier.bridge.game.roles import Watcher, _combinations
from verifier.bridge.simulate import silence
from verifier.bridge.simulate.setup import SetUp, open_node, script_of, secret_of
from verifier.bridge.simulate.stage import Stage
from verifier.chain.fees import spending_of
from verifier.chain.policy import fee_of
from verifier.chain.rivals import Rival
from verifier.chain.wallet import Wallet

MARKET = 5
"""Satoshis a vbyte below which no block takes anything."""


@pytest.fixture
def stage(setup: SetUp) -> Iterator[Stage]:  # noqa: F811
    with open_node(setup) as node:
        made = Stage(setup, CASE, node)
        yield made
        made.close()


def blocks(stage: Stage, count: int = 1) -> None:
    """Blocks of whoever pays the market's rate."""
    for _ in range(count):
        held = stage.node.mempool()
        stage.node.mine_these([tx for tx in held if Rival.of(stage.node, tx).rate >= MARKET])
    stage.mine(0)


def false_start(stage: Stage, until: str) -> Watcher:
    """A false proof, and a watcher who has opened what leads to the fault."""
    silence._start(stage, silent_from=2)
    stage.play(until=lambda: until in stage.names)
    watcher = stage.watchers["watcher"]
    watcher.fee_rate = MARKET
    stage.sleep("watcher", "operator")
    return watcher


def all_but_query_1(stage: Stage) -> int:
    """What nobody opened is closed, query 1 is as old as its time-out asks for; its node."""
    windows, query = stage.graph.terms.windows, 4
    blocks(stage, windows.close - stage.view.age("R1.0"))
    close = stage.operators["operator"].sign("close/1")
    stage.mine_only(("close/1", close, "operator"))
    blocks(stage, windows.reveal_timeout - stage.view.age(f"R{query}.0"))
    return query


def test_a_reveal_that_waits_below_the_market_does_not_keep_its_time_out_out(stage: Stage) -> None:
    """At the fee of set-up's day it is never mined, and no time-out of the market's rate replaces it: until T3."""
    watcher = false_start(stage, "open/4")
    stage.send("reveal/4", stage.operators["operator"].sign("reveal/4"), "operator")
    all_but_query_1(stage)
    cheap = watcher.moves.penalty("open_timeout/4", watcher.reward, MARKET)
    stage.refused("open_timeout/4", cheap, "watcher", "insufficient fee")
    (sent,) = watcher.step(stage.node)
    assert (sent.name, sent.refusal) == ("open_timeout/4", None)
    blocks(stage)
    assert stage.view.penalised


def test_an_assertion_that_waits_below_the_market_is_timed_out(stage: Stage) -> None:
    watcher = false_start(stage, "challenge")
    stage.send("assert", stage.operators["operator"].sign("assert"), "operator")
    blocks(stage, stage.graph.terms.windows.assert_timeout - stage.view.age("K1.0"))
    (sent,) = watcher.step(stage.node)
    assert (sent.name, sent.refusal) == ("assert_timeout", None)
    blocks(stage)
    assert stage.view.penalised


def test_a_reveal_at_the_market_s_rate_is_left_to_the_miners(stage: Stage) -> None:
    watcher = false_start(stage, "open/4")
    reveal = stage.operators["operator"].sign("reveal/4")
    all_but_query_1(stage)
    stage.send("reveal/4", reveal, "operator")
    wallet = Wallet(secret_of("purse"), stage.node, [secret_of("operator")])
    child = wallet.bump(reveal.tx, len(reveal.tx.outputs) - 1, 1000 * MARKET)
    stage.send("bump", spending_of(stage.node, child), "operator")
    assert Rival.of(stage.node, reveal.tx).rate >= MARKET
    (sent,) = watcher.step(stage.node)
    assert sent.refusal == "insufficient fee"


def test_a_cheap_penalty_of_the_operators_does_not_keep_a_watcher_s_out(stage: Stage) -> None:
    """Many outputs at 2 sat/vB: more satoshis than a watcher's, and no block for it."""
    watcher = false_start(stage, "open/4")
    all_but_query_1(stage)
    plain = watcher.moves.penalty("open_timeout/4", script_of("operator"), 2)
    padding = tuple(TxOut(330, script_of("operator")) for _ in range(200))
    pot, rest = plain.tx.outputs
    value = rest.value - sum(out.value for out in padding) - 2 * 43 * len(padding)
    large = replace(plain.tx, outputs=(pot, replace(rest, value=value), *padding))
    stage.send("open_timeout/4", Spending(large, plain.spent), "operator")
    blocks(stage)
    assert not stage.view.penalised
    (sent,) = watcher.step(stage.node)
    assert sent.refusal is None
    blocks(stage)
    assert stage.view.penalised


def funded(stage: Stage, name: str, fee: int, coin: TxIn, spent: TxOut, outputs: int = 0) -> Spending:
    """The operator's own use of what it signed for everybody, with a coin of its choice."""
    base = stage.moves.paid(name)
    padding = tuple(TxOut(330, script_of("operator")) for _ in range(outputs))
    inputs, coins = (*base.tx.inputs, coin), (*base.spent, spent)
    paid = sum(out.value for out in (*base.tx.outputs, *padding)) + fee
    change = TxOut(sum(out.value for out in coins) - paid, script_of("operator"))
    tx = replace(base.tx, inputs=inputs, outputs=(*base.tx.outputs, *padding, change))
    return sign_key_paths(Spending(tx, coins), (1,), secret_of("purse"))


def test_an_opening_whose_parent_is_not_mined_opens_nothing(stage: Stage) -> None:
    """Its own rate is twice the market's; with its parent it is a fifth of it."""
    watcher = false_start(stage, "assert")
    point, coin = stage.wallet.coins()[-1]
    padding = tuple(TxOut(330, script_of("operator")) for _ in range(190))
    rest = coin.value - sum(out.value for out in padding) - 9_000
    own = TxOut(rest, script_of("purse"))
    parent = sign_key_paths(
        Spending(Transaction(3, (TxIn(point),), (own, *padding)), (coin,)), (0,), secret_of("purse")
    )
    stage.send("parent", parent, "operator")
    pin = funded(stage, "open/2", 2 * MARKET * 300, TxIn(parent.tx.outpoint(0)), own)
    stage.send("open/2", pin, "operator")
    assert fee_of(pin) > MARKET * pin.tx.vbytes
    blocks(stage)
    assert not stage.view.spent("C2")
    assert [each.name for each in watcher.step(stage.node) if each.refusal is None] == ["open/2"]
    blocks(stage)
    assert stage.view.spent("C2")


@pytest.mark.parametrize("name, until, coin", [("open/2", "assert", "C2"), ("challenge", "kickoff", "K0")])
def test_a_large_opening_below_the_market_opens_nothing(
    stage: Stage, name: str, until: str, coin: str
) -> None:
    watcher = false_start(stage, until)
    point, spent = stage.wallet.coins()[-1]
    pin = funded(stage, name, 20_000, TxIn(point), spent, 190)
    assert 2 < fee_of(pin) / pin.tx.vbytes < MARKET
    stage.send(name, pin, "operator")
    blocks(stage)
    assert not stage.view.spent(coin)
    sent = [each for each in watcher.step(stage.node) if each.name == name]
    assert [each.refusal for each in sent] == [None]
    assert fee_of(sent[0].spending) < fee_of(pin) + 1_000, "no more than it takes"
    blocks(stage)
    assert stage.view.spent(coin)


def test_an_opening_at_the_market_s_rate_serves_everybody(stage: Stage) -> None:
    watcher = false_start(stage, "assert")
    point, spent = stage.wallet.coins()[-1]
    stage.send("open/2", funded(stage, "open/2", 2 * MARKET * 300, TxIn(point), spent), "operator")
    assert watcher.step(stage.node) == []


# Wires signed twice


def test_every_wire_signed_twice_is_looked_at(setup: SetUp) -> None:  # noqa: F811
    """Of 20 wires with two values each, the one that convicts is the first; a million combinations lie before it."""
    versions = [[(b"%d" % i,), (b"other",)] for i in range(20)]
    tried = list(_combinations(versions))
    assert tried[0] == tuple(each[0] for each in versions)
    assert (versions[0][1], *tried[0][1:]) in tried
    assert all(
        sum(a != b for a, b in zip(tried[0], each, strict=True)) == 1 for each in tried[1 : 1 + len(versions)]
    )
    assert len(tried) < 100
    assert list(_combinations([[(b"1",)], []])) == []


# An operator's moves do not wait for each other


def test_an_empty_purse_keeps_no_answer_back(stage: Stage) -> None:
    """Opened everywhere in a fee spike: what cannot be lifted is sent all the same, and so is what comes after it."""
    operator = stage.kickoff(CASE.honest)
    stage.watch(challenge=True, guide=lambda view, node: view.graph.nodes[node].children)
    stage.play(until=lambda: {"open/1", "open/2"} <= set(stage.names))
    operator.wallet, operator.fee_rate = Wallet(b"\x44" * 32, stage.node, [secret_of("operator")]), 60
    sent = operator.step(stage.node)
    assert {each.name for each in sent if each.refusal is None} >= {"reveal/1", "reveal/2"}
    assert sum("insufficient fee funds" in str(each.refusal) for each in sent) == 2


def test_an_answer_that_is_lifted_once_is_not_lifted_again(stage: Stage) -> None:
    """A role steps at every block: a child of its own is no rival to outbid."""
    operator = stage.kickoff(CASE.honest)
    stage.watch(challenge=True)
    stage.play(until=lambda: "challenge" in stage.names)
    operator.wallet, operator.fee_rate = Wallet(secret_of("purse"), stage.node, [secret_of("operator")]), 60
    assert [each.name for each in operator.step(stage.node)] == ["assert", "bump assert"]
    before = stage.node.mempool()
    assert [each.name for each in operator.step(stage.node)] == ["assert"]
    assert stage.node.mempool() == before
    operator.fee_rate = 90
    assert [each.refusal for each in operator.step(stage.node)] == [None, None]
    assert stage.node.mempool() != before
