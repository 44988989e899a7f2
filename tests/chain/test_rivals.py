"""What pushes a waiting transaction out: its whole fee, what hangs on it, and a better rate than each."""

from fractions import Fraction

from tests.chain.coins import SCRIPT, funded, out_of, ripe, spend
from verifier.bitcoin.transaction import TxOut
from verifier.chain.rivals import Rival, fee_over


def test_nothing_costs_nothing() -> None:
    assert fee_over([], 200) == 0


def test_what_hangs_on_a_rival_is_paid_for_as_well() -> None:
    assert fee_over([Rival((100, 100), (1_000, 2_000), Fraction(1))], 200) == 1_000 + 200


def test_several_rivals_are_paid_for_together() -> None:
    rivals = [Rival((n, 1_000), (n, 1_000), Fraction(1)) for n in (700, 900)]
    assert fee_over(rivals, 200) == 1_600 + 200


def test_the_rate_is_better_than_the_rivals_own_and_its_familys() -> None:
    assert fee_over([Rival((1_000, 100), (1_100, 1_100), Fraction(1))], 500) == 5_001
    assert fee_over([Rival((100, 100), (1_100, 200), Fraction(1))], 500) == 2_751


def test_two_children_lift_a_rival_that_neither_lifts_alone() -> None:
    with funded() as node:
        old = spend(ripe(node)[:1], fee=2_000, outputs=[TxOut(10_000, SCRIPT)] * 20)
        children = [spend([out_of(old, i)], fee=3_000) for i in (0, 1)]
        for tx in (old, *children):
            node.submit(tx)
        both = Fraction(8_000, old.vbytes + sum(child.vbytes for child in children))
        assert Rival.of(node, old).rate == both > Fraction(5_000, old.vbytes + children[0].vbytes)
