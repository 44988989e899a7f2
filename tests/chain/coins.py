"""Coins for the tests: a chain with ripe coinbases of a key of ours, and transactions that spend them."""

from collections.abc import Sequence
from pathlib import Path

from verifier.bitcoin.keys import sign_schnorr, xonly_key
from verifier.bitcoin.sighash import Spending, taproot_sighash
from verifier.bitcoin.taproot import output_secret, taproot_output
from verifier.bitcoin.transaction import FINAL_SEQUENCE, OutPoint, Transaction, TxIn, TxOut
from verifier.chain.block import COINBASE_MATURITY
from verifier.chain.node import EmbeddedNode
from verifier.chain.policy import Rules

SECRET = b"\1" * 32
SCRIPT = taproot_output(xonly_key(SECRET)).script
Spent = tuple[OutPoint, TxOut]
WITH_DUST = Rules(max_dust_outputs=1)
"""The strictest of Core 29 to 31: anchors of no value, under transactions without fee."""


def funded(count: int = 3, directory: Path | None = None) -> EmbeddedNode:
    """A node whose first `count` coinbases are ours and ripe."""
    node = EmbeddedNode(directory, WITH_DUST)
    node.mine(count, SCRIPT)
    node.mine(COINBASE_MATURITY)
    return node


def ripe(node: EmbeddedNode) -> list[Spent]:
    return [(point, coin.output) for point, coin in node.coins(SCRIPT)]


def out_of(tx: Transaction, index: int = 0) -> Spent:
    return tx.outpoint(index), tx.outputs[index]


def spend(
    coins: Sequence[Spent],
    fee: int = 1_000,
    *,
    outputs: Sequence[TxOut] | None = None,
    parts: int = 1,
    version: int = 2,
    sequence: int = FINAL_SEQUENCE - 1,
    locktime: int = 0,
) -> Transaction:
    """Spends coins of ours (or anchors, without witness); all but the fee goes to `parts` outputs of ours."""
    total = sum(output.value for _, output in coins) - fee
    if outputs is None:
        outputs = [TxOut(total // parts, SCRIPT)] * parts
    else:
        outputs = [*outputs, TxOut(total - sum(o.value for o in outputs), SCRIPT)]
    tx = Transaction(version, tuple(TxIn(point, sequence) for point, _ in coins), tuple(outputs), locktime)
    spending = Spending(tx, tuple(output for _, output in coins))
    for i, (_, output) in enumerate(coins):
        if output.script == SCRIPT:
            signature = sign_schnorr(output_secret(SECRET), taproot_sighash(spending, i), bytes(32))
            tx = tx.with_witness(i, (signature,))
    return tx
