"""Submissions at the edge of each rule between transactions, judged by the embedded node and by a real one.

Each case says what Core 31.0 answers and what ours does, so that the table holds without a node too. Where they
differ, ours keeps a rule of an older version.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.chain.coins import SCRIPT, WITH_DUST, Spent, out_of, spend
from tests.chain.test_contract import CLUSTERS, fund
from tests.real_node import fill_treasury, needs_node, real_node, version
from verifier.bitcoin.transaction import Transaction, TxOut
from verifier.chain.bitcoind import Bitcoind
from verifier.chain.chain import Refused, TestChain
from verifier.chain.mempool import Refusal
from verifier.chain.node import EmbeddedNode
from verifier.chain.policy import Reason
from verifier.script.script import P2A

Steps = list[list[Transaction]]
VALUE = 60_000
DUST = TxOut(0, P2A)


@dataclass(frozen=True)
class Case:
    """What is submitted, step by step, and the verdict on the last step; all before are taken.

    Attributes:
        build: from coins of 60,000 satoshis each.
        core: Core 31.0's reason, None if it takes it.
        ours: None stands for the same.
        coins: how many.
    """

    build: Callable[[list[Spent]], Steps]
    core: str | None = None
    ours: str | None = None
    coins: int = 4


def pair(first: Spent, second: Spent, *, fee: int, child_fee: int, version: int = 3) -> list[Transaction]:
    """A parent, and a child that spends its first output and a coin."""
    parent = spend([first], fee=fee, outputs=[TxOut(1_000, SCRIPT)], version=version)
    return [parent, spend([out_of(parent), second], fee=child_fee, version=version)]


def padded(coin: Spent, parts: int, *, fee: int, version: int = 2) -> Transaction:
    """43 vbytes for each part."""
    return spend([coin], fee=fee, outputs=[TxOut(330, SCRIPT)] * parts, version=version)


def a_rich_child_and_a_large_poor_one(coins: list[Spent]) -> Steps:
    """The replacement pays for all and has a better rate than the three together, but less than the best two."""
    old = spend(coins[:1], fee=200, parts=2)
    rich = spend([out_of(old)], fee=4_000)
    poor = padded(out_of(old, 1), 45, fee=2_200)
    return [[old], [rich], [poor], [padded(coins[0], 20, fee=7_500)]]


def as_before_with_enough(coins: list[Spent]) -> Steps:
    steps = a_rich_child_and_a_large_poor_one(coins)
    return [*steps[:-1], [padded(coins[0], 20, fee=16_000)]]


def cheap_parent_stays(coins: list[Spent]) -> Steps:
    """A sibling that is dearer in all, over the same parent that pays little."""
    parent = spend(coins[:1], fee=160, parts=2)
    old = spend([out_of(parent)], fee=2_000)
    return [[parent], [old], [spend([out_of(parent), coins[1]], fee=4_000)]]


def parents_that_depend(coins: list[Spent]) -> list[Transaction]:
    first = spend(coins[:1], parts=2)
    second = spend([out_of(first)])
    return [first, second, spend([out_of(first, 1), out_of(second)])]


def sibling_beside_conflict(coins: list[Spent]) -> Steps:
    """The better child of a version 3 parent also takes a coin that waits elsewhere."""
    parent = spend(coins[:1], fee=500, parts=2, version=3)
    other = spend(coins[1:2], fee=1_000)
    pin = spend([out_of(parent)], fee=1_000, version=3)
    better = spend([out_of(parent, 1), coins[1]], fee=9_000, version=3)
    return [[parent], [other], [pin], [better]]


def crowd(coins: list[Spent]) -> Steps:
    """34 families of three: 102 that leave, but 34 clusters."""
    steps: Steps = []
    for coin in coins[:34]:
        parent = spend([coin], fee=300, parts=2)
        steps += [[parent], [spend([out_of(parent)], fee=300)], [spend([out_of(parent, 1)], fee=300)]]
    return [*steps, [spend(coins[:34], fee=100_000)]]


def chain_of(coins: list[Spent], length: int) -> Steps:
    steps = [[spend(coins[:1], fee=300)]]
    while len(steps) < length:
        steps.append([spend([out_of(steps[-1][0])], fee=300)])
    return steps


def replace_chain(coins: list[Spent]) -> Steps:
    """Every level of a chain of 14 loses a second coin to the replacement: 14 leave, counted as 105."""
    tx = spend(coins[:2], fee=300)
    steps = [[tx]]
    for coin in coins[2:15]:
        tx = spend([out_of(tx), coin], fee=300)
        steps.append([tx])
    return [*steps, [spend(coins[1:15], fee=50_000)]]


def large_v3(coins: list[Spent], vbytes: int) -> Transaction:
    """Of the size asked for, to the vbyte."""
    return of_size(lambda outputs: spend(coins, fee=20_000, outputs=outputs, version=3), vbytes)


def of_size(make: Callable[[list[TxOut]], Transaction], vbytes: int) -> Transaction:
    """Filled with outputs of 43 vbytes, and a data output for the rest."""
    parts = (vbytes - 60 - make([]).vbytes) // 43
    outputs = [TxOut(330, SCRIPT)] * parts
    rest = vbytes - make([*outputs, TxOut(0, b"\x6a")]).vbytes
    return make([*outputs, TxOut(0, b"\x6a" + data_of(rest))])


def data_of(size: int) -> bytes:
    """Pushes of so many bytes."""
    return b"" if size == 0 else b"\0" if size == 1 else bytes([size - 1]) + bytes(size - 1)


def large_child(coins: list[Spent], vbytes: int) -> Steps:
    parent = spend(coins[:1], fee=500, version=3)
    child = of_size(lambda outputs: spend([out_of(parent)], fee=5_000, outputs=outputs, version=3), vbytes)
    return [[parent], [child]]


def dusty(coins: list[Spent], *, spends: bool) -> list[Transaction]:
    parent = spend(coins[:1], fee=0, outputs=[DUST], version=3)
    made = [out_of(parent, i) for i in ((0, 1) if spends else (1,))]
    return [parent, spend([*made, coins[1]], fee=2_000, version=3)]


def same_rate(coins: list[Spent]) -> Steps:
    """More than 10 satoshis a vbyte by less than one in a thousand vbytes, which Core rounded away until 30."""
    fees = [10 * padded(coins[0], parts, fee=1_000).vbytes for parts in (0, 30)]
    return [[padded(coins[0], 0, fee=fees[0])], [padded(coins[0], 30, fee=fees[1] + 1)]]


CASES = {
    "parent and child in the wrong order": Case(
        lambda c: [pair(c[0], c[1], fee=2_000, child_fee=2_000)[::-1]], Reason.SHAPE, Reason.ORDER
    ),
    "two that have nothing to do with each other": Case(
        lambda c: [[spend(c[:1]), spend(c[1:2])]], Reason.SHAPE
    ),
    "a transaction twice": Case(lambda c: [[(tx := spend(c[:1])), tx]], Reason.SHAPE, Reason.DUPLICATE),
    "two spends of a coin": Case(
        lambda c: [[(a := spend(c[:1], 900)), spend([*c[:1], out_of(a)])]], Reason.CONFLICT
    ),
    "parents that depend on each other": Case(lambda c: [parents_that_depend(c)], Reason.SHAPE),
    "26 in a package": Case(
        lambda c: [[*(ps := [spend([x]) for x in c[:25]]), spend([out_of(p) for p in ps])]],
        Reason.PACKAGE_COUNT,
        coins=25,
    ),
    "25 in a package": Case(
        lambda c: [[*(ps := [spend([x]) for x in c[:24]]), spend([out_of(p) for p in ps], 5_000)]], coins=24
    ),
    "26 in a line": Case(lambda c: chain_of(c, 26), None, Reason.CLUSTER_COUNT),
    "version 3 of no fee with its child": Case(lambda c: [pair(c[0], c[1], fee=0, child_fee=2_000)]),
    "version 3 of no fee with a poor child": Case(
        lambda c: [pair(c[0], c[1], fee=0, child_fee=20)], Reason.FEE
    ),
    "version 2 of no fee with its child": Case(
        lambda c: [pair(c[0], c[1], fee=0, child_fee=2_000, version=2)], None, Reason.FEE
    ),
    "version 3 of 10,000 vbytes": Case(lambda c: [[large_v3(c, 10_000)]], coins=4),
    "version 3 of 10,001 vbytes": Case(lambda c: [[large_v3(c, 10_001)]], Reason.TRUC_SIZE, coins=4),
    "a version 3 child of 1,000 vbytes": Case(lambda c: large_child(c, 1_000)),
    "a version 3 child of 1,001 vbytes": Case(lambda c: large_child(c, 1_001), Reason.TRUC_CHILD_SIZE),
    "dust under its child": Case(lambda c: [dusty(c, spends=True)]),
    "dust that stays": Case(lambda c: [dusty(c, spends=False)], Reason.DUST_UNSPENT),
    "a version 2 child of version 3": Case(
        lambda c: [[(p := spend(c[:1], version=3))], [spend([out_of(p)])]], Reason.TRUC_MIX
    ),
    "a version 3 grandchild": Case(
        lambda c: [
            [(p := spend(c[:1], version=3))],
            [(q := spend([out_of(p)], version=3))],
            [spend([out_of(q)], version=3)],
        ],
        Reason.TRUC_ANCESTORS,
    ),
    "a sibling beside a conflict": Case(sibling_beside_conflict),
    "a rich child and a large poor one": Case(a_rich_child_and_a_large_poor_one, Refusal.REPLACEMENT_FEE),
    "the same, paid for": Case(as_before_with_enough),
    "a cheap parent stays": Case(cheap_parent_stays),
    "102 leave in 34 clusters": Case(crowd, None, Refusal.TOO_MANY, coins=34),
    "14 leave, counted as 105": Case(replace_chain, None, Refusal.TOO_MANY, coins=15),
    "a replacement at the same rate, rounded": Case(same_rate, None, Refusal.REPLACEMENT_FEE),
}


@pytest.fixture(params=["embedded", pytest.param("bitcoind", marks=needs_node)])
def chain(request: pytest.FixtureRequest) -> Iterator[TestChain]:
    if request.param == "bitcoind":
        if version() < CLUSTERS:
            pytest.skip("the table says what Core 31 answers")
        yield real_node()
        real_node().mine()
        return
    with EmbeddedNode(rules=WITH_DUST) as embedded:
        fill_treasury(embedded)
        yield embedded


@pytest.mark.parametrize("name", CASES)
def test_the_last_step_meets_its_verdict(name: str, chain: TestChain) -> None:
    case = CASES[name]
    *before, last = case.build(fund(chain, case.coins, VALUE))
    for step in before:
        chain.submit(*step)
    expected = case.core if isinstance(chain, Bitcoind) else case.ours or case.core
    if expected is None:
        chain.submit(*last)
        assert set(last) <= set(chain.mempool())
        return
    with pytest.raises(Refused) as caught:
        chain.submit(*last)
    assert caught.value.reason == expected, caught.value
