"""The embedded node: mining, coins, refusals, locks, reorganisations, the same chain again."""

from pathlib import Path

import pytest

from tests.chain.coins import SCRIPT, funded, out_of, ripe, spend
from tests.disk import full_disk
from verifier.bitcoin.transaction import FINAL_SEQUENCE, OutPoint, TxOut
from verifier.chain import node as node_module
from verifier.chain.block import COINBASE_MATURITY, Block
from verifier.chain.block_log import BlockLog
from verifier.chain.chain import ChainError, Follower, Refused
from verifier.chain.locks import SECONDS
from verifier.chain.mempool import Refusal
from verifier.chain.node import EmbeddedNode
from verifier.chain.policy import Reason


def test_a_spend_waits_then_confirms() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        tx = spend([coin])
        node.submit(tx)
        node.submit(tx)
        assert node.mempool() == (tx,)
        assert node.confirmations(tx.txid) == 0
        assert node.utxo(coin[0]) is not None
        seen = node.spender(coin[0])
        assert seen is not None and seen.tx == tx and seen.height is None
        (block,) = node.mine()
        assert block.transactions[1:] == (tx,)
        assert node.block(node.tip.height) == block
        assert node.mempool() == ()
        assert node.confirmations(tx.txid) == 1
        assert node.utxo(coin[0]) is None
        made = node.utxo(tx.outpoint(0))
        assert made is not None and made.output == tx.outputs[0] and made.height == node.tip.height
        node.mine(5)
        assert node.confirmations(tx.txid) == 6
        node.submit(tx)
        assert node.mempool() == ()
        assert node.confirmations(bytes(32)) is None


def test_fees_go_to_the_miner() -> None:
    with funded() as node:
        node.submit(spend([ripe(node)[0]], fee=12_345))
        (block,) = node.mine()
        subsidy = node_module.SUBSIDY >> node.tip.height // node_module.HALVING
        assert block.transactions[0].outputs[0].value == subsidy + 12_345


def refusal(node: EmbeddedNode, *transactions: object) -> str:
    with pytest.raises(Refused) as caught:
        node.submit(*transactions)  # type: ignore[arg-type]
    return caught.value.reason


def test_refusals_name_their_rule() -> None:
    with funded(2) as node:
        first, second = ripe(node)
        assert refusal(node, spend([first], fee=10)) == Reason.FEE
        assert refusal(node, spend([first], outputs=[TxOut(100, SCRIPT)])) == Reason.DUST_FEE
        assert refusal(node, spend([(OutPoint(b"\7" * 32, 0), first[1])])) == Refusal.MISSING
        assert refusal(node, spend([first], locktime=node.tip.height + 1)) == Refusal.NON_FINAL
        wrong = spend([first]).with_witness(0, (bytes(64),))
        assert refusal(node, wrong) == Reason.SCRIPT
        node.submit(spend([second], locktime=node.tip.height))
        node.mine(1, SCRIPT)
        young = next(
            out
            for out in ripe(node)
            if out[0] not in (first[0], second[0])
            and out[1].value > 10**9
            and node.utxo(out[0]).height == node.tip.height
        )  # type: ignore[union-attr]
        node.mine(COINBASE_MATURITY - 2)
        assert refusal(node, spend([young])) == Refusal.IMMATURE
        node.mine()
        node.submit(spend([young]))


@pytest.mark.parametrize("lock", (1, 2, 10))
def test_a_relative_lock_in_blocks_is_kept_to_the_block(lock: int) -> None:
    """Refused one block early by the mempool and by the kernel, taken on time by both."""
    with funded() as node:
        parent = spend([ripe(node)[0]])
        node.submit(parent)
        child = spend([out_of(parent)], sequence=lock)
        assert refusal(node, child) == Refusal.SEQUENCE
        node.mine()
        if lock > 1:
            node.mine(lock - 2)
            assert refusal(node, child) == Refusal.SEQUENCE
            with pytest.raises(Refused, match="bad-txns-nonfinal"):
                node.mine_these([child])
            node.mine()
        node.submit(child)
        node.mine()
        assert node.confirmations(child.txid) == 1


def test_a_relative_lock_in_time_is_kept_to_the_block() -> None:
    with funded() as node:
        parent = spend([ripe(node)[0]])
        node.submit(parent)
        node.mine()
        child = spend([out_of(parent)], sequence=SECONDS | 3)  # 1,536 seconds: three blocks of 600
        for _ in range(2):
            assert refusal(node, child) == Refusal.SEQUENCE
            with pytest.raises(Refused, match="bad-txns-nonfinal"):
                node.mine_these([child])
            node.mine()
        node.submit(child)
        node.mine()
        assert node.confirmations(child.txid) == 1


def test_locks_without_meaning_hold_nothing() -> None:
    with funded() as node:
        parent = spend([ripe(node)[0]], parts=2)
        node.submit(parent)
        node.mine()
        node.submit(spend([out_of(parent, 0)], sequence=1 << 31 | 100))
        node.submit(spend([out_of(parent, 1)], sequence=100, version=1))
        assert len(node.mine()[0].transactions) == 3


def test_locktimes_in_time_are_measured_by_the_median() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        median = node.block(node.tip.height - 5).time
        assert refusal(node, spend([coin], locktime=median)) == Refusal.NON_FINAL
        with pytest.raises(Refused, match="bad-txns-nonfinal"):
            node.mine_these([spend([coin], locktime=median)])
        node.submit(spend([coin], locktime=median - 1))
        assert len(node.mine()[0].transactions) == 2


def test_consensus_refuses_what_a_careless_miner_tries() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        before = node.tip
        with pytest.raises(Refused, match="bad-txns-inputs-missingorspent"):
            node.mine_these([spend([coin], fee=1), spend([coin], fee=2)])
        with pytest.raises(Refused, match="script"):
            node.mine_these([spend([coin]).with_witness(0, (bytes(64),))])
        assert node.tip == before
        tx = spend([coin], fee=0)
        assert node.mine_these([tx]).transactions[1:] == (tx,)


def test_blocks_far_in_the_future_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_module, "BLOCK_SPACING", 2**30)
    with EmbeddedNode() as node, pytest.raises(ChainError, match="time-too-new"):
        node.mine()


@pytest.mark.parametrize("depth", range(1, 7))
def test_a_reorg_returns_transactions_to_the_mempool(depth: int) -> None:
    with funded(2) as node:
        first, second = ripe(node)
        parent = spend([first])
        node.submit(parent)
        node.mine()
        child = spend([out_of(parent)])
        node.submit(child)
        node.mine()
        node.mine(4)
        height, waiting = node.tip.height, spend([second])
        node.submit(waiting)
        follower = Follower(node, height - 9)
        assert len(follower.poll().blocks) == 10
        lost = [node.block(h).hash for h in range(height - depth + 1, height + 1)]
        node.reorg(depth)
        assert node.tip.height == height + 1
        assert not {node.block(h).hash for h in range(height - depth, height + 2)} & set(lost)
        expected = ((parent,) if depth == 6 else ()) + ((child,) if depth >= 5 else ()) + (waiting,)
        assert node.mempool() == expected
        assert (node.utxo(first[0]) is not None) == (depth == 6)
        assert node.utxo(child.outpoint(0)) is None or depth < 5
        changes = follower.poll()
        assert (changes.kept, changes.lost) == (height - depth, depth)
        assert [h for h, _ in changes.blocks] == list(range(height - depth + 1, height + 2))
        assert follower.poll().blocks == ()
        node.mine()
        assert node.confirmations(child.txid) and node.confirmations(waiting.txid) == 1


def test_the_other_branch_may_hold_the_rival() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        tx, rival = spend([coin], fee=1_000), spend([coin], fee=2_000)
        node.submit(tx)
        node.mine(2)
        node.reorg(2, [rival])
        assert node.mempool() == ()
        assert node.confirmations(tx.txid) is None
        assert node.confirmations(rival.txid) == 3


def test_a_reorg_to_an_invalid_branch_changes_nothing() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        node.mine(2)
        before = node.tip
        with pytest.raises(Refused, match="bad-txns-inputs-missingorspent"):
            node.reorg(2, [spend([coin], fee=1), spend([coin], fee=2)])
        assert node.tip == before
        node.mine()
        assert node.tip.height == before.height + 1


def test_a_coinbase_of_a_lost_branch_takes_its_children_along() -> None:
    with funded() as node:
        node.mine(1, SCRIPT)
        node.mine(99)
        young = max(ripe(node), key=lambda coin: node.utxo(coin[0]).height)  # type: ignore[union-attr]
        tx = spend([young])
        node.submit(tx)
        node.reorg(1)
        assert node.mempool() == (tx,)
        node.reorg(101)
        assert node.mempool() == ()
        assert node.utxo(young[0]) is None


def test_the_same_calls_make_the_same_chain() -> None:
    with funded() as one, funded() as two:
        for node in (one, two):
            node.submit(spend([ripe(node)[0]]))
            node.mine(3)
            node.reorg(2)
        assert one.tip == two.tip


def test_a_node_opened_again_is_where_it_was(tmp_path: Path) -> None:
    with funded(3, tmp_path) as node:
        first, second, third = ripe(node)
        node.submit(spend([first]))
        node.mine(4)
        node.reorg(3, [spend([second])])
        waiting = spend([third])
        node.submit(waiting)
        tip, coins = node.tip, ripe(node)
        with pytest.raises(ChainError, match="another process"):
            EmbeddedNode(tmp_path)
    with EmbeddedNode(tmp_path) as again:
        assert (again.tip, ripe(again), again.mempool()) == (tip, coins, (waiting,))
        again.mine()
        assert again.confirmations(waiting.txid) == 1


def test_a_kernel_that_cannot_start_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    with full_disk(100), pytest.raises(ChainError, match=r"the kernel does not start.* is the disk full"):
        EmbeddedNode(tmp_path / "node")
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["blocks.dat"]
    with EmbeddedNode(tmp_path / "node") as node:
        assert node.tip.height == 0


def test_exported_blocks_replay_in_another_kernel(tmp_path: Path) -> None:
    with funded() as node:
        node.submit(spend([ripe(node)[0]]))
        node.mine(3)
        node.reorg(2)
        path = node.export(tmp_path / "out")
        with BlockLog(path) as log, EmbeddedNode() as other:
            genesis, *blocks = map(Block.parse, log.replay())
            assert genesis == other.block(0)
            for block in blocks:
                other.add_block(block)
            assert other.tip == node.tip
            assert other.coins(SCRIPT) == node.coins(SCRIPT)


def test_a_block_holds_no_more_than_its_weight() -> None:
    with funded() as node:
        parent = spend([ripe(node)[0]], parts=25, fee=5_000)
        node.submit(parent)
        node.mine()
        filler = [TxOut(1_000, b"\x51\x20" + bytes(32))] * 2_200
        for i in range(25):
            node.submit(spend([out_of(parent, i)], fee=200_000 + i, outputs=filler))
        (block,) = node.mine()
        weight = 4 * 80 + sum(tx.weight for tx in block.transactions)
        assert 3_600_000 < weight <= 4_000_000
        assert len(node.mempool()) == 25 + 1 - len(block.transactions)
        node.mine(2)
        assert node.mempool() == ()


def test_final_sequences_ignore_the_locktime() -> None:
    with funded() as node:
        node.submit(spend([ripe(node)[0]], sequence=FINAL_SEQUENCE, locktime=10**6))
        assert len(node.mine()[0].transactions) == 2
