"""The embedded mempool against a real node's: the same chain, the same random transactions, the same verdicts.

What ours takes, the node must take. Where ours alone refuses, the rule is one that only newer or older versions
of Core have. Of a transaction that breaks two rules, each may name another one.
The node should mine whatever it relays (`-blockmintxfee=0.00000001`; Knots also `-corepolicy`).
"""

import random
from collections import Counter
from dataclasses import replace

import pytest

from tests.chain import kinds
from tests.chain.coins import Spent, out_of, spend
from tests.chain.test_contract import CLUSTERS, SCRIPT, fund
from tests.real_node import bank, needs_node, real_node, rpc, version
from verifier.bitcoin.transaction import FINAL_SEQUENCE, Transaction, TxOut
from verifier.chain.chain import Chain, Refused
from verifier.chain.mempool import Refusal
from verifier.chain.node import EmbeddedNode
from verifier.chain.packages import check_package
from verifier.chain.policy import CORE_31, Reason, Rules, dust_threshold
from verifier.script.script import P2A

STRICTER = {Refusal.NEW_UNCONFIRMED, Refusal.REPLACEMENT_FEE, Refusal.PARENTS, Reason.CLUSTER_COUNT}
"""Rules of which ours keeps the older and the newer form both."""
EPHEMERAL_DUST = 290_000
"""The version of Core from which a transaction without fee may have an output that is dust."""
COINS, COIN_SATS = 250, 2_000_000
LOCKS = (FINAL_SEQUENCE - 1,) * 8 + (1, 3)


def verdict(chain: Chain, transactions: list[Transaction]) -> str | None:
    try:
        chain.submit(*transactions)
    except Refused as refused:
        return refused.reason
    return None


def follow(ours: EmbeddedNode, node: Chain) -> None:
    while ours.tip.height < node.tip.height:
        ours.add_block(node.block(ours.tip.height + 1))


class World:
    """Coins, confirmed or waiting, spent or not, and random spends of them."""

    def __init__(self, rng: random.Random, coins: list[Spent]) -> None:
        self.rng = rng
        self.known = coins

    def transaction(self, extra: list[Spent], version: int) -> Transaction:
        rng = self.rng
        coins = extra + rng.sample(self.known, rng.choice((1, 1, 1, 2)) if not extra else rng.randrange(2))
        coins = list(dict(coins).items())
        total = sum(output.value for _, output in coins)
        fee = min(rng.choice((0, 20, 60, 150, 400, 1_500, 6_000, 20_000)), total)
        padding = [TxOut(330, SCRIPT)] * rng.choice((2, 20, 40))
        outputs = rng.choice(([], [], [TxOut(0, P2A)], [TxOut(240, P2A)], [TxOut(330, SCRIPT)], padding))
        if rng.random() < 0.3:
            outputs = [*outputs, TxOut(total // 3, SCRIPT)]
        if total - fee - sum(output.value for output in outputs) < 3_000:
            fee, outputs = 0, []
        return spend(coins, fee, outputs=outputs, version=version, sequence=rng.choice(LOCKS))

    def forget_spent(self, chain: EmbeddedNode) -> None:
        """Leaves what a transaction may spend, or replace the spender of."""
        waiting = {tx.outpoint(i) for tx in chain.mempool() for i in range(len(tx.outputs))}
        self.known = [coin for coin in self.known if coin[0] in waiting or chain.utxo(coin[0])]

    def submission(self) -> list[Transaction]:
        rng = self.rng
        version = rng.choice((2, 3))
        parent = self.transaction([], version)
        if rng.random() < 0.5:
            return [parent]
        picked = [out_of(parent, i) for i in range(len(parent.outputs)) if rng.random() < 0.7]
        parents = [parent]
        if rng.random() < 0.2:
            parents.append(self.transaction([], version))
            picked.append(out_of(parents[1]))
        child = self.transaction(picked or [out_of(parent)], version if rng.random() < 0.9 else 5 - version)
        package = [*parents, child]
        if rng.random() < 0.1:
            rng.shuffle(package)
        return package if rng.random() < 0.95 else [*package[:-1], self.transaction([], version)]


def family(rng: random.Random, coins: list[Spent]) -> list[Transaction]:
    """Transactions that hang together, each at a rate of its own; parents first."""
    known, made = list(coins), list[Transaction]()
    for _ in range(rng.randrange(2, 9)):
        spent = rng.sample(known, rng.choice((1, 1, 2)))
        shape = rng.random()
        vbytes = sized(random.Random(shape), spent, 1_000).vbytes
        tx = sized(random.Random(shape), spent, rng.choice((1, 1, 2, 4, 10, 40)) * vbytes)
        ends = (out_of(tx, i) for i in (0, len(tx.outputs) - 1))
        known = [coin for coin in known if coin not in spent] + [
            end for end in ends if end[1].value > 400_000
        ]
        made.append(tx)
    return made


def sized(rng: random.Random, spent: list[Spent], fee: int) -> Transaction:
    """Two outputs of ours that may be spent on, and now and then a lot of bytes."""
    padding = rng.choice((0, 0, 0, 10, 40))
    half = sum(output.value for _, output in spent) // 3
    return spend(spent, fee, outputs=[TxOut(half, SCRIPT), *[TxOut(330, SCRIPT)] * padding])


def rules() -> Rules:
    """Those of the node's version."""
    relay_fee = round(rpc("getmempoolinfo")["minrelaytxfee"] * 100_000_000)
    if version() >= CLUSTERS:
        return replace(CORE_31, min_relay_fee=relay_fee)
    return Rules(relay_fee, max_dust_outputs=int(version() >= EPHEMERAL_DUST))


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_transactions_meet_the_same_verdict(seed: int) -> None:
    node = real_node()
    node.mine_these(node.mempool())  # also a parent without fee whose child was pushed out
    rng = random.Random(seed)
    world = World(rng, fund(node, 60))
    seen = Counter[str]()
    with EmbeddedNode(rules=rules()) as ours:
        for step in range(150):
            follow(ours, node)
            assert set(ours.mempool()) == set(node.mempool())
            if step % 15 == 14:
                node.mine()
                continue
            world.forget_spent(ours)
            transactions = world.submission()
            mine = verdict(ours, transactions)
            theirs = verdict(node, transactions)
            both = f"{mine} / {theirs}"
            seen[both] += 1
            if mine is None:
                assert theirs is None, (both, transactions)
                for tx in transactions:
                    world.known += [out_of(tx, i) for i in range(len(tx.outputs))]
            elif alone := set(node.mempool()) - set(ours.mempool()):
                # Core keeps a parent without its child; what it takes whole, ours refuses for a stricter rule.
                assert transactions[-1] not in alone or mine in STRICTER, (both, transactions)
                node.mine()
                follow(ours, node)
                for tx in ours.mempool():  # pushed out at the node by what ours refused
                    node.submit(tx)
    assert seen["None / None"] >= 20, seen


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_spends_of_every_kind_meet_the_same_verdict(seed: int) -> None:
    """Scripts, witnesses, outputs, versions, sizes and fees, each about the edge of a rule."""
    node = real_node()
    node.mine_these(node.mempool())
    rng = random.Random(seed)
    ours = rules()
    coins = [rng.choice(kinds.KINDS)(rng) for _ in range(COINS)]
    funding = bank(node).pay([TxOut(COIN_SATS, coin.script) for coin in coins], 1_000)
    node.submit(funding)
    node.mine()
    seen = Counter[str]()
    for index, coin in enumerate(coins):
        for _ in range(4):
            spending = kinds.transaction(
                rng, funding.outpoint(index), COIN_SATS, coin, ours.min_relay_fee, dust_threshold
            )
            found = check_package([spending], (), ours)
            (theirs,) = rpc("testmempoolaccept", [spending.tx.serialize().hex()], 0)
            reason = None if theirs["allowed"] else theirs["reject-reason"]
            seen[f"{found and found.reason} / {reason}"] += 1
            assert (found is None) == theirs["allowed"], (found, theirs, spending)
    assert seen["None / None"] >= COINS // 10, seen


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_replacements_meet_the_same_verdict(seed: int) -> None:
    """One that takes coins from a random family, dearer and dearer until both take it: ours never first."""
    node = real_node()
    rng = random.Random(seed)
    seen = Counter[str]()
    with EmbeddedNode(rules=rules()) as ours:
        for _ in range(25):
            coins = fund(node, 5, 4_000_000)
            follow(ours, node)
            members = family(rng, coins)
            for tx in members:
                assert (verdict(ours, [tx]), verdict(node, [tx])) == (None, None)
            taken = {txin.previous for tx in members for txin in tx.inputs}
            rivals = [coin for coin in coins if coin[0] in taken]
            chosen, shape = rng.sample(rivals, rng.randrange(1, len(rivals) + 1)), rng.random()
            fee, mine = 2_000, "not yet"
            while mine is not None:
                replacement = sized(random.Random(shape), chosen, fee)
                theirs, mine = verdict(node, [replacement]), verdict(ours, [replacement])
                seen[f"{mine} / {theirs}"] += 1
                assert mine is not None or theirs is None, (seed, fee, replacement, members)
                assert mine == theirs or (theirs is None and mine in STRICTER), (mine, theirs)
                if theirs is None and mine is not None:
                    break
                fee = fee * 21 // 20
            node.mine()
            follow(ours, node)
    assert seen["None / None"] >= 10, seen
