"""Relay rules between transactions: packages, version 3, anchors, replacement, cycles of replacement."""

from tests.chain.coins import SCRIPT, Spent, funded, out_of, ripe, spend
from tests.chain.test_node import refusal
from verifier.bitcoin.transaction import Transaction, TxOut
from verifier.chain.mempool import MAX_REPLACED, Refusal
from verifier.chain.node import EmbeddedNode
from verifier.chain.policy import Reason
from verifier.script.script import P2A

ANCHOR = TxOut(0, P2A)
KEYED = 330


def waiting(node: EmbeddedNode) -> set[bytes]:
    return {tx.txid for tx in node.mempool()}


def v3_parent(coin: Spent) -> Transaction:
    """Version 3, no fee, an ephemeral anchor as its first output."""
    return spend([coin], fee=0, outputs=[ANCHOR], version=3)


def v3_child(parent: Transaction, coin: Spent, fee: int = 2_000) -> Transaction:
    return spend([out_of(parent, 0), coin], fee=fee, version=3)


def test_a_parent_without_fee_comes_with_its_child_only() -> None:
    with funded() as node:
        first, second, _ = ripe(node)
        parent = v3_parent(first)
        assert refusal(node, parent) == Reason.FEE
        assert refusal(node, parent, v3_child(parent, second, 200)) == Reason.FEE
        child = v3_child(parent, second)
        assert refusal(node, child) == Refusal.MISSING
        assert refusal(node, child, parent) == Reason.ORDER
        assert node.mempool() == ()
        node.submit(parent, child)
        node.submit(parent, child)
        assert node.mempool() == (parent, child)
        assert node.mine()[0].transactions[1:] == (parent, child)


def test_an_ephemeral_anchor_must_be_spent() -> None:
    with funded() as node:
        first, second, _ = ripe(node)
        parent = v3_parent(first)
        stray = spend([out_of(parent, 1), second], fee=2_000, version=3)
        assert refusal(node, parent, stray) == Reason.DUST_UNSPENT
        paying = spend([first], fee=500, outputs=[ANCHOR], version=3)
        assert refusal(node, paying, v3_child(paying, second)) == Reason.DUST_FEE


def test_a_version_2_parent_without_fee_is_refused_even_with_its_child() -> None:
    with funded() as node:
        first, second, _ = ripe(node)
        parent = spend([first], fee=0, outputs=[TxOut(KEYED, SCRIPT)])
        assert refusal(node, parent, spend([out_of(parent), second], fee=5_000)) == Reason.FEE


def test_a_keyed_anchor_pays_for_a_parent_that_pays_the_minimum() -> None:
    with funded() as node:
        first, second, third = ripe(node)
        parent = spend([first], fee=200, outputs=[TxOut(KEYED, SCRIPT)])
        rival = spend([third], fee=1_000)
        child = spend([out_of(parent), second], fee=5_000)
        node.submit(rival)
        node.submit(parent, child)
        assert node.mine()[0].transactions[1:] == (parent, child, rival)


def test_version_3_families_are_one_parent_and_one_child() -> None:
    with funded(4) as node:
        coins = ripe(node)
        parent = spend(coins[:1], version=3)
        node.submit(parent)
        assert refusal(node, spend([out_of(parent)], version=2)) == Reason.TRUC_MIX
        child = spend([out_of(parent)], version=3)
        node.submit(child)
        assert refusal(node, spend([out_of(child)], version=3)) == Reason.TRUC_ANCESTORS
        old = spend(coins[1:2], version=2)
        node.submit(old)
        assert refusal(node, spend([out_of(old)], version=3)) == Reason.TRUC_MIX
        large = [TxOut(1_000, SCRIPT)] * 30
        other = spend(coins[2:3], version=3)
        node.submit(other)
        assert (
            refusal(node, spend([out_of(other)], fee=9_000, outputs=large, version=3))
            == Reason.TRUC_CHILD_SIZE
        )


def test_a_better_sibling_pushes_the_pinning_child_out() -> None:
    """The other party spends its own output of a version 3 parent first; the anchor's child replaces it."""
    with funded() as node:
        first, second, _ = ripe(node)
        parent = spend([first], fee=300, outputs=[TxOut(KEYED, SCRIPT)], version=3)
        pin = spend([out_of(parent, 1)], fee=1_000, version=3)
        node.submit(parent, pin)
        assert refusal(node, spend([out_of(parent), second], fee=1_050, version=3)) == Refusal.REPLACEMENT_FEE
        bump = spend([out_of(parent), second], fee=4_000, version=3)
        node.submit(bump)
        assert waiting(node) == {parent.txid, bump.txid}


def test_a_replacement_pays_for_what_it_replaces_and_for_itself() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        old = spend([coin], fee=1_000)
        node.submit(old)
        needed = 1_000 + old.vbytes
        assert refusal(node, spend([coin], fee=needed - 1)) == Refusal.REPLACEMENT_FEE
        new = spend([coin], fee=needed)
        node.submit(new)
        assert node.mempool() == (new,)
        assert refusal(node, old) == Refusal.REPLACEMENT_FEE


def test_a_larger_replacement_must_also_have_the_higher_rate() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        node.submit(spend([coin], fee=5_000))
        larger = spend([coin], fee=8_000, parts=20)
        assert larger.vbytes < 3_000
        assert refusal(node, larger) == Refusal.REPLACEMENT_FEE


def test_descendants_are_replaced_and_paid_for() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        old = spend([coin], fee=500)
        child = spend([out_of(old)], fee=3_000)
        node.submit(old)
        node.submit(child)
        assert refusal(node, spend([coin], fee=3_400)) == Refusal.REPLACEMENT_FEE
        new = spend([coin], fee=3_800)
        node.submit(new)
        assert node.mempool() == (new,)


def test_a_replacement_must_be_the_better_bargain_for_the_miner() -> None:
    """It pays more in all, but a low rate over many bytes, against a small child of a high rate."""
    with funded() as node:
        coin = ripe(node)[0]
        old = spend([coin], fee=200)
        node.submit(old)
        node.submit(spend([out_of(old)], fee=4_000))
        large = spend([coin], fee=6_000, parts=30)
        assert 200 / old.vbytes < 6_000 / large.vbytes < 4_200 / 222 and large.vbytes + 4_200 < 6_000
        assert refusal(node, large) == Refusal.REPLACEMENT_FEE


def test_a_replacement_adds_no_unconfirmed_input_and_spends_nothing_that_leaves() -> None:
    with funded() as node:
        first, second, _ = ripe(node)
        old, other = spend([first]), spend([second])
        node.submit(old)
        node.submit(other)
        assert refusal(node, spend([first, out_of(other)], fee=5_000)) == Refusal.NEW_UNCONFIRMED
        assert refusal(node, spend([first, out_of(old)], fee=5_000)) == Refusal.SPENDS_CONFLICT


def test_no_more_than_a_hundred_transactions_are_replaced() -> None:
    with funded(1) as node:
        wide = spend(ripe(node), fee=10_000, parts=MAX_REPLACED + 1)
        node.submit(wide)
        node.mine()
        for i in range(MAX_REPLACED + 1):
            node.submit(spend([out_of(wide, i)]))
        everything = [out_of(wide, i) for i in range(MAX_REPLACED + 1)]
        assert refusal(node, spend(everything, fee=10**6)) == Refusal.TOO_MANY
        node.submit(spend(everything[1:], fee=10**6))
        assert len(node.mempool()) == 2


def test_a_package_replaces_a_package() -> None:
    with funded(4) as node:
        first, second, third, fourth = ripe(node)
        parent = v3_parent(first)
        node.submit(parent, v3_child(parent, second))
        rival = spend([first], fee=0, outputs=[ANCHOR, TxOut(5_000, SCRIPT)], version=3)
        assert refusal(node, rival, v3_child(rival, third, 2_200)) == Refusal.REPLACEMENT_FEE
        better = v3_child(rival, third, 4_000)
        node.submit(rival, better)
        assert node.mempool() == (rival, better)
        plain = spend([fourth])
        node.submit(plain)
        both = spend([fourth], fee=2_000)
        assert refusal(node, both, spend([out_of(both), out_of(better)])) == Refusal.PARENTS


def test_a_package_does_not_replace_a_larger_family() -> None:
    with funded() as node:
        first, second, _ = ripe(node)
        old = spend([first], parts=2)
        for tx in (old, spend([out_of(old)]), spend([out_of(old, 1)])):
            node.submit(tx)
        parent = spend([first], fee=1_000)
        child = spend([out_of(parent), second], fee=50_000)
        assert refusal(node, parent, child) == Refusal.PACKAGE_REPLACEMENT
        assert len(node.mempool()) == 3


def test_what_stands_alone_is_not_saved_by_its_package() -> None:
    """The parent is good by itself, so its child replaces by itself or not at all; nothing is kept."""
    with funded() as node:
        first, second, _ = ripe(node)
        old = spend([second])
        node.submit(old)
        parent = spend([first])
        child = spend([out_of(parent), second], fee=9_000)
        assert refusal(node, parent, child) == Refusal.NEW_UNCONFIRMED
        assert node.mempool() == (old,)


def test_a_package_does_not_replace_by_a_child_of_lower_rate() -> None:
    with funded() as node:
        first, second, _ = ripe(node)
        node.submit(spend([first], fee=1_000))
        parent = spend([first], fee=1_100)
        child = spend([out_of(parent), second], fee=900)
        assert refusal(node, parent, child) == Refusal.REPLACEMENT_FEE
        parent = spend([first], fee=1_500)
        node.submit(parent, spend([out_of(parent), second], fee=900))


def test_a_parent_without_fee_waits_once_its_child_is_pushed_out() -> None:
    with funded() as node:
        first, second, third = ripe(node)
        parent = v3_parent(first)
        node.submit(parent, v3_child(parent, second))
        node.submit(spend([second], fee=9_000))
        assert parent in node.mempool() and len(node.mempool()) == 2
        node.mine()
        assert node.mempool() == (parent,)
        node.submit(parent, v3_child(parent, third))
        node.mine()
        assert node.confirmations(parent.txid) == 1


def test_clusters_are_limited() -> None:
    with funded(1) as node:
        chain = [spend(ripe(node))]
        node.submit(chain[0])
        for _ in range(24):
            chain.append(spend([out_of(chain[-1])]))
            node.submit(chain[-1])
        assert refusal(node, spend([out_of(chain[-1])])) == Reason.CLUSTER_COUNT
        assert node.mine()[0].transactions[1:] == tuple(chain)


def test_the_best_rate_is_mined_first_but_parents_before_children() -> None:
    with funded(4) as node:
        coins = ripe(node)
        poor, middle = spend(coins[:1], fee=200), spend(coins[1:2], fee=700)
        parent = spend(coins[2:3], fee=200)
        child = spend([out_of(parent)], fee=3_000)
        for tx in (poor, middle, parent, child):
            node.submit(tx)
        assert node.mine()[0].transactions[1:] == (parent, child, middle, poor)


def test_a_confirmed_rival_takes_descendants_out_too() -> None:
    with funded() as node:
        coin = ripe(node)[0]
        old = spend([coin])
        node.submit(old)
        node.submit(spend([out_of(old)]))
        rival = spend([coin], fee=1)
        node.mine_these([rival])
        assert node.mempool() == ()
        assert node.confirmations(rival.txid) == 1


def test_a_package_known_in_part_is_completed() -> None:
    with funded() as node:
        first, second, third = ripe(node)
        parent = spend([first], fee=300, outputs=[TxOut(KEYED, SCRIPT)])
        node.submit(parent)
        node.submit(parent, spend([out_of(parent), second]))
        assert len(node.mempool()) == 2
        node.mine()
        node.submit(parent, spend([third]))
        assert len(node.mempool()) == 1


def test_a_cycle_of_replacements_leaves_the_victim_free_to_come_back() -> None:
    """Close is replaced through an input that it shares with Open, and Open is replaced through another.

    After the cycle neither waits, and Close's coins are free: handed over again, it is taken at its old fee.
    """
    with funded() as node:
        shared, own, attackers = ripe(node)
        close = spend([shared, own], fee=2_000)
        node.submit(close)
        for fee in (4_000, 40_000, 400_000):
            opening, away = spend([shared, attackers], fee=fee), spend([attackers], fee=2 * fee)
            node.submit(opening)
            assert waiting(node) == {opening.txid}
            assert refusal(node, close) == Refusal.REPLACEMENT_FEE
            node.submit(away)
            assert waiting(node) == {away.txid}
            node.submit(close)
            assert waiting(node) == {close.txid, away.txid}
        node.mine()
        assert node.confirmations(close.txid) == 1
