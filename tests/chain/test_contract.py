"""What every chain does alike: the embedded node, and a `bitcoind` where PEGPROOF_BITCOIND names one."""

import secrets
from collections.abc import Iterator

import pytest

from tests.chain.coins import SECRET, WITH_DUST, out_of, spend
from tests.real_node import bank, fill_treasury, needs_node, real_node, url, version
from verifier.bitcoin.transaction import OutPoint, TxOut
from verifier.chain.bitcoind import Bitcoind, NodeUnreachable, WrongNetwork, reason_of
from verifier.chain.chain import Follower, Refused, TestChain
from verifier.chain.mempool import Refusal
from verifier.chain.node import EmbeddedNode
from verifier.chain.policy import Reason
from verifier.chain.wallet import Wallet, key_script
from verifier.script.script import P2A

SCRIPT = key_script(SECRET)
CLUSTERS = 310_000
"""The version of Core from which a replacement may spend what waits; ours refuses what any version does."""


@pytest.fixture(params=["embedded", pytest.param("bitcoind", marks=needs_node)])
def chain(request: pytest.FixtureRequest) -> Iterator[TestChain]:
    if request.param == "bitcoind":
        node = real_node()
        node.mine()
        yield node
        node.mine()
        return
    with EmbeddedNode(rules=WITH_DUST) as embedded:
        fill_treasury(embedded)
        yield embedded


def fund(chain: TestChain, count: int = 3, value: int = 60_000) -> list[tuple[OutPoint, TxOut]]:
    """Confirmed coins of the tests' key, made for this test."""
    tx = bank(chain).pay([TxOut(value, SCRIPT)] * count, 1_000)
    chain.submit(tx)
    chain.mine()
    return [out_of(tx, i) for i in range(count)]


def refusal(chain: TestChain, *transactions: object) -> str:
    with pytest.raises(Refused) as caught:
        chain.submit(*transactions)  # type: ignore[arg-type]
    return caught.value.reason


def test_a_spend_waits_then_confirms(chain: TestChain) -> None:
    (coin,) = fund(chain, 1)
    tx = spend([coin])
    chain.submit(tx)
    chain.submit(tx)
    assert tx in chain.mempool()
    assert chain.confirmations(tx.txid) == 0
    seen = chain.spender(coin[0])
    assert seen is not None and (seen.tx, seen.height) == (tx, None)
    held = chain.utxo(coin[0])
    assert held is not None and held.output == coin[1] and held.height == chain.tip.height
    (block,) = chain.mine()
    assert tx in block.transactions
    assert chain.block(chain.tip.height) == block
    chain.mine(2)
    assert chain.confirmations(tx.txid) == 3
    assert chain.utxo(coin[0]) is None
    seen = chain.spender(coin[0])
    assert seen is not None and (seen.tx, seen.height) == (tx, chain.tip.height - 2)
    assert tx.outpoint(0) in [point for point, _ in chain.coins(SCRIPT)]
    chain.submit(tx)
    assert tx not in chain.mempool()
    assert chain.transaction(bytes(32)) is None and chain.spender(OutPoint(bytes(32), 1)) is None
    with pytest.raises(IndexError):
        chain.block(chain.tip.height + 1)


def test_refusals_have_the_same_names(chain: TestChain) -> None:
    coin, other = fund(chain, 2)
    assert refusal(chain, spend([coin], fee=5)) == Reason.FEE
    assert refusal(chain, spend([(OutPoint(b"\7" * 32, 0), coin[1])])) == Refusal.MISSING
    assert refusal(chain, spend([coin], locktime=chain.tip.height + 1)) == Refusal.NON_FINAL
    assert refusal(chain, spend([coin], sequence=5)) == Refusal.SEQUENCE
    assert refusal(chain, spend([coin]).with_witness(0, (bytes(64),))) == Reason.SCRIPT
    assert refusal(chain, spend([coin], version=4)) == Reason.VERSION
    assert refusal(chain, spend([coin], outputs=[TxOut(1_000, b"\x51\x52")])) == Reason.OUTPUT_KIND
    assert refusal(chain, spend([coin], outputs=[TxOut(0, P2A)])) == Reason.DUST_FEE
    assert refusal(chain, spend([coin], outputs=[TxOut(0, P2A)] * 2, fee=0)) == Reason.DUST_COUNT
    chain.submit(spend([coin], fee=2_000))
    assert refusal(chain, spend([coin], fee=1_900)) == Refusal.REPLACEMENT_FEE
    waiting = spend([other])
    chain.submit(waiting)
    dearer = spend([coin, out_of(waiting)], fee=9_000)
    if isinstance(chain, Bitcoind) and version() >= CLUSTERS:
        chain.submit(dearer)
    else:
        assert refusal(chain, dearer) == Refusal.NEW_UNCONFIRMED


def test_consensus_holds_against_a_careless_miner(chain: TestChain) -> None:
    (coin,) = fund(chain, 1)
    before = chain.tip
    for bad, word in (
        ([spend([coin], sequence=5)], "bad-txns-nonfinal"),
        ([spend([coin], fee=1), spend([coin], fee=2)], "bad-txns-inputs-missingorspent"),
    ):
        with pytest.raises(Refused, match=word):
            chain.mine_these(bad)
    assert chain.tip == before
    free = spend([coin], fee=0)
    assert free in chain.mine_these([free]).transactions


@pytest.mark.parametrize("depth", (1, 2, 6))
def test_a_reorg_is_followed(chain: TestChain, depth: int) -> None:
    (coin,) = fund(chain, 1)
    chain.mine(5 - min(depth, 5))
    tx = spend([coin])
    chain.submit(tx)
    chain.mine(min(depth, 5))
    if depth == 6:
        chain.mine()
    height = chain.tip.height
    follower = Follower(chain, height - 8)
    follower.poll()
    chain.reorg(depth)
    assert chain.tip.height == height + 1
    assert tx in chain.mempool()
    assert chain.confirmations(tx.txid) == 0 and chain.utxo(coin[0]) is not None
    changes = follower.poll()
    assert (changes.kept, changes.lost, len(changes.blocks)) == (height - depth, depth, depth + 1)
    chain.mine()
    assert chain.confirmations(tx.txid) == 1
    assert len(follower.poll().blocks) == 1


def test_the_other_branch_may_hold_the_rival(chain: TestChain) -> None:
    (coin,) = fund(chain, 1)
    tx, rival = spend([coin], fee=1_000), spend([coin], fee=2_000)
    chain.submit(tx)
    chain.mine(2)
    before = chain.tip
    with pytest.raises(Refused):
        chain.reorg(2, [tx, rival])
    assert chain.tip == before
    chain.reorg(2, [rival])
    assert tx not in chain.mempool()
    assert chain.confirmations(rival.txid) == 3 and chain.confirmations(tx.txid) is None


def test_a_wallet_bumps_by_child_and_by_replacement(chain: TestChain) -> None:
    secret = secrets.token_bytes(32)
    wallet = Wallet(secret, chain)
    (coin,) = fund(chain, 1)
    chain.submit(bank(chain).pay([TxOut(50_000, wallet.script)] * 3, 1_000))
    chain.mine()
    parent = spend([coin], fee=0, outputs=[TxOut(0, P2A)], version=3)
    assert refusal(chain, parent) == Reason.FEE
    child = wallet.bump(parent, 0, 3_000)
    chain.submit(parent, child)
    better = wallet.bump(parent, 0, 9_000)
    chain.submit(parent, better)
    waiting = set(chain.mempool())
    assert {parent, better} <= waiting and child not in waiting
    payment = wallet.pay([TxOut(5_000, SCRIPT)], 1_000)
    chain.submit(payment)
    dearer = wallet.replace(payment, 4_000)
    chain.submit(dearer)
    assert payment not in chain.mempool()
    chain.mine()
    assert all(chain.confirmations(tx.txid) == 1 for tx in (parent, better, dearer))


def test_version_3_limits_and_sibling_eviction(chain: TestChain) -> None:
    first, second, third = fund(chain)
    parent = spend([first], fee=300, outputs=[TxOut(330, SCRIPT)], version=3)
    pin = spend([out_of(parent, 1)], fee=1_000, version=3)
    chain.submit(parent)
    chain.submit(pin)
    bump = spend([out_of(parent), second], fee=9_000, version=3)
    chain.submit(bump)
    assert pin not in chain.mempool() and bump in chain.mempool()
    with pytest.raises(Refused):
        chain.submit(spend([out_of(bump)], version=3))
    with pytest.raises(Refused):
        chain.submit(spend([out_of(bump), third], version=2))


def test_replacements_in_a_cycle(chain: TestChain) -> None:
    shared, own, attackers = fund(chain)
    close = spend([shared, own], fee=2_000)
    chain.submit(close)
    opening, away = spend([shared, attackers], fee=4_000), spend([attackers], fee=8_000)
    chain.submit(opening)
    assert close not in chain.mempool()
    assert refusal(chain, close) == Refusal.REPLACEMENT_FEE
    chain.submit(away)
    chain.submit(close)
    assert {close, away} <= set(chain.mempool())
    chain.mine()
    assert chain.confirmations(close.txid) == 1


@needs_node
def test_the_real_node_is_asked_for_its_network() -> None:
    with pytest.raises(WrongNetwork):
        Bitcoind(url(), "signet")


@needs_node
def test_a_real_node_is_indexed_from_a_height() -> None:
    (coin,) = fund(real_node(), 1)
    real_node().mine(3)
    later = Bitcoind(url(), start=real_node().tip.height)
    held = later.utxo(coin[0])
    assert held is not None and held.output == coin[1] and held.height == later.tip.height - 3
    assert later.coins(SCRIPT) == ()
    assert later.block(5) == real_node().block(5)


def test_an_unreachable_node_is_a_typed_error() -> None:
    for address in ("http://user:secret@127.0.0.1:1", "http://127.0.0.1:18443", "nonsense"):
        with pytest.raises(NodeUnreachable):
            Bitcoind(address)


def test_cores_words_are_read() -> None:
    assert reason_of("min relay fee not met, 5 < 111") == Reason.FEE
    assert reason_of("insufficient fee, rejecting replacement 00, less fees") == Refusal.REPLACEMENT_FEE
    too_big = "TRUC-violation, version=3 child tx 00 (wtxid=00) is too big: 1100 > 1000 virtual bytes"
    assert reason_of(too_big) == Reason.TRUC_CHILD_SIZE
    assert (
        reason_of("TestBlockValidity failed: bad-txns-nonfinal, x")
        == "TestBlockValidity failed: bad-txns-nonfinal"
    )
