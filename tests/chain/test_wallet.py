"""Fees: sizes known before signing, children and replacements that reach their rate, money that does not do."""

import pytest

from tests.chain.coins import SCRIPT, SECRET, funded, out_of, ripe, spend
from verifier.bitcoin.keys import sign_schnorr
from verifier.bitcoin.sighash import Sighash, Spending, taproot_sighash
from verifier.bitcoin.taproot import output_secret
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.chain.chain import ChainError
from verifier.chain.fees import (
    KEY_PATH_WITNESS,
    NO_WITNESS,
    child_fee,
    estimated_vbytes,
    fee_at,
    replacement_fee,
    spending_of,
    witness_bytes,
)
from verifier.chain.node import EmbeddedNode
from verifier.chain.policy import fee_of
from verifier.chain.wallet import InsufficientFunds, Wallet, key_script
from verifier.script.script import P2A

MINE, ANCHOR_SECRET = b"\2" * 32, b"\3" * 32
OTHER = TxOut(40_000, b"\x51\x20" + bytes(range(32)))


def wallet_with(node: EmbeddedNode, *values: int) -> Wallet:
    """A wallet that holds these coins, confirmed."""
    wallet = Wallet(MINE, node, [ANCHOR_SECRET])
    node.submit(spend([ripe(node)[0]], outputs=[TxOut(value, wallet.script) for value in values]))
    node.mine()
    return wallet


def rate_of(node: EmbeddedNode, *transactions: Transaction) -> float:
    fees = sum(fee_of(spending_of(node, tx)) for tx in transactions)
    return 1000 * fees / sum(tx.vbytes for tx in transactions)


def test_sizes_are_known_before_signing() -> None:
    assert witness_bytes([64]) == KEY_PATH_WITNESS and witness_bytes([]) == NO_WITNESS
    assert witness_bytes([300]) == 1 + 3 + 300
    with funded() as node:
        tx = spend(ripe(node), parts=2)
        assert estimated_vbytes(tx, [KEY_PATH_WITNESS] * 3) == tx.vbytes
        bare = Transaction(2, (TxIn(OutPoint(bytes(32), 0)),), (OTHER,))
        assert estimated_vbytes(bare, [NO_WITNESS]) == bare.vbytes
        with pytest.raises(ValueError, match="witnesses"):
            estimated_vbytes(tx, [KEY_PATH_WITNESS])


def test_fees_are_rounded_up() -> None:
    assert (fee_at(1_000, 111), fee_at(1_001, 111), fee_at(999, 1)) == (111, 112, 1)
    assert child_fee([(0, 200)], 100, 2_000) == 600
    assert child_fee([(10_000, 200)], 100, 2_000) == 100
    assert replacement_fee(500, 100, 120, 0) == 620
    assert replacement_fee(500, 100, 1_200, 0) == 6_002
    assert replacement_fee(500, 100, 120, 50_000) == 6_000


def test_a_payment_reaches_its_rate_to_the_satoshi() -> None:
    with funded() as node:
        wallet = wallet_with(node, 100_000, 30_000, 60_000)
        for rate in (1_000, 2_345, 30_000):
            tx = wallet.pay([OTHER], rate)
            assert tx.outputs[0] == OTHER and tx.outputs[1].script == wallet.script
            assert fee_of(spending_of(node, tx)) == fee_at(rate, tx.vbytes)
            assert wallet.pay([OTHER], rate) == tx
        node.submit(tx)
        assert wallet.balance == 190_000 - 60_000
        node.mine()
        assert wallet.balance == 190_000 - 40_000 - fee_at(30_000, tx.vbytes)


def test_the_smallest_coin_that_does_is_taken_else_the_largest() -> None:
    with funded() as node:
        wallet = wallet_with(node, 100_000, 50_000, 60_000)
        assert [txin.previous.index for txin in wallet.pay([OTHER], 1_000).inputs] == [1]
        both = wallet.pay([TxOut(140_000, OTHER.script)], 1_000)
        assert [txin.previous.index for txin in both.inputs] == [0, 2]


def test_change_that_is_dust_goes_to_the_miner() -> None:
    with funded() as node:
        wallet = wallet_with(node, 50_000)
        tx = wallet.pay([TxOut(49_600, OTHER.script)], 1_000)
        assert tx.outputs == (TxOut(49_600, OTHER.script),)
        node.submit(tx)


def test_too_little_money_is_said_with_figures() -> None:
    with funded() as node:
        wallet = wallet_with(node, 20_000, 10_000)
        with pytest.raises(InsufficientFunds, match="insufficient fee funds") as caught:
            wallet.pay([OTHER], 1_000)
        assert caught.value.available == 30_000
        assert caught.value.needed == 40_000 + caught.value.needed % 1_000 and caught.value.needed > 40_000
        with pytest.raises(InsufficientFunds) as caught:
            Wallet(b"\7" * 32, node).pay([OTHER], 1_000)
        assert caught.value.needed > 40_000 and caught.value.available == 0


def test_unripe_and_unconfirmed_coins_are_left_alone() -> None:
    with funded() as node:
        wallet = wallet_with(node, 50_000)
        node.mine(1, wallet.script)
        assert wallet.balance == 50_000
        node.submit(spend([ripe(node)[0]], outputs=[TxOut(5_000, wallet.script)]))
        assert wallet.balance == 50_000
        node.mine(99)
        assert wallet.balance > 10**9


@pytest.mark.parametrize("version", (2, 3))
def test_an_anchors_child_lifts_the_package_to_the_rate(version: int) -> None:
    """Keyed anchor under a parent that pays the minimum; ephemeral anchor under one that pays nothing."""
    with funded() as node:
        wallet = wallet_with(node, 50_000, 50_000)
        anchor = TxOut(0, P2A) if version == 3 else TxOut(330, key_script(ANCHOR_SECRET))
        parent = spend([ripe(node)[0]], fee=0 if version == 3 else 200, outputs=[anchor], version=version)
        child = wallet.bump(parent, 0, 5_000)
        node.submit(parent, child)
        assert 5_000 <= rate_of(node, parent, child) < 5_010
        again = wallet.bump(parent, 0, 5_000)
        node.submit(parent, again)
        assert set(node.mempool()) == {parent, again}
        better = wallet.bump(parent, 0, 20_000)
        node.submit(parent, better)
        assert 20_000 <= rate_of(node, parent, better) < 20_010
        assert node.mine()[0].transactions[1:] == (parent, better)
        with pytest.raises(ChainError, match="confirmed"):
            wallet.bump(parent, 0, 30_000)


def test_a_pinning_sibling_is_outbid() -> None:
    with funded() as node:
        wallet = wallet_with(node, 50_000)
        parent = spend([ripe(node)[0]], fee=300, outputs=[TxOut(330, P2A)], version=3)
        node.submit(parent, spend([out_of(parent, 1)], fee=9_000, version=3))
        bump = wallet.bump(parent, 0, 1_000)
        node.submit(bump)
        assert set(node.mempool()) == {parent, bump}


def test_a_bump_beyond_the_money_is_refused() -> None:
    with funded() as node:
        wallet = wallet_with(node, 1_000)
        parent = spend([ripe(node)[0]], fee=0, outputs=[TxOut(0, P2A)], version=3)
        with pytest.raises(InsufficientFunds):
            wallet.bump(parent, 0, 50_000)


def test_a_replacement_reaches_the_rate_or_at_least_replaces() -> None:
    with funded() as node:
        wallet = wallet_with(node, 45_000, 30_000)
        first = wallet.pay([OTHER], 1_000)
        node.submit(first)
        for rate in (1_500, 1_000, 20_000, 60_000):
            previous = node.mempool()[0]
            tx = wallet.replace(previous, rate)
            node.submit(tx)
            assert node.mempool() == (tx,)
            assert tx.outputs[0] == OTHER
            assert rate_of(node, tx) >= rate
        assert len(tx.inputs) == 2
        with pytest.raises(InsufficientFunds):
            wallet.replace(tx, 500_000)


def test_coins_join_an_input_signed_for_anyone_to_add() -> None:
    """The other's SINGLE|ANYONECANPAY signature holds whatever coins and change come behind it."""
    with funded() as node:
        wallet = wallet_with(node, 50_000)
        point, output = ripe(node)[0]
        base = Transaction(2, (TxIn(point, 5),), (TxOut(output.value, SCRIPT),))
        kind = Sighash.SINGLE_ANYONECANPAY
        message = taproot_sighash(Spending(base, (output,)), 0, kind)
        signature = sign_schnorr(output_secret(SECRET), message) + bytes([kind])
        tx = wallet.fund(Spending(base.with_witness(0, (signature,)), (output,)), 3_000)
        assert rate_of(node, tx) >= 3_000
        node.submit(tx)
        dearer = wallet.replace(tx, 9_000)
        node.submit(dearer)
        assert node.mine()[0].transactions[1:] == (dearer,)
