"""The ten rules of the design: each holds, and what happens without it is shown by breaking it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.slot import (
    COMMITTEE,
    OPERATOR,
    POT,
    PUBLIC,
    SECRETS,
    SEED,
    TREE,
    graph,
    members,
    offer,
    one_time_keys,
    set_up,
    terms,
)
from tests.bridge.test_moves import FALSE, HONEST, accept, signatures
from verifier.bitcoin.encoding import hash160
from verifier.bitcoin.keys import public_key, sign_schnorr, xonly_key
from verifier.bitcoin.sighash import Sighash, Spending, taproot_sighash
from verifier.bitcoin.taproot import NUMS_KEY, balanced_tree, leaf_hash, output_secret, taproot_output
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import LARGE, PURSE_VBYTES, SMALL, SlotGraph
from verifier.bridge.game.moves import open_signatures
from verifier.bridge.game.params import MARGINS, PRICED_QUERIES, Amounts, Charter, Margins, Windows
from verifier.bridge.game.presign import Phase
from verifier.bridge.game.scripts import reveal_leaf
from verifier.bridge.game.store import Store
from verifier.bridge.game.template import Input, Signer
from verifier.bridge.setup.committee import Batch, Member, Offer, sign_batch
from verifier.bridge.toy import ToyAccuser, ToyTree
from verifier.bridge.tree import Node, Wire, query_openings
from verifier.chain.kernel import KernelSpending
from verifier.pipeline import DEFAULT_PRESET, verifying_key
from verifier.script import winternitz
from verifier.script.winternitz import LAST, LINK_BYTES


def refuses(reason: BridgeReason, call: Callable[[], object]) -> None:
    with pytest.raises(BridgeError) as error:
        call()
    assert error.value.reason is reason


@cache
def rollup_tree() -> ChunkTree:
    return ChunkTree.of(verifying_key(DEFAULT_PRESET, "small"))


def valid(spending: Spending) -> bool:
    kernel = KernelSpending(spending)
    return all(kernel.accepts(index) for index in range(len(spending.tx.inputs)))


# 1: fixed txids, prefunded outputs


def commitments() -> list[Spending]:
    return [set_up().moves.commit(node.index, SEED, HONEST) for node in TREE.nodes]


def test_rule_1_no_reveal_can_have_other_outputs_or_inputs() -> None:
    for spending in commitments():
        assert valid(spending)
        first, *rest = spending.tx.outputs
        stolen = replace(spending.tx, outputs=(replace(first, value=first.value - 1), *rest))
        assert not valid(Spending(stolen, spending.spent))
        unlocked = replace(spending.tx, locktime=0xFF)
        assert not valid(Spending(unlocked, spending.spent))


def test_rule_1_each_signature_covers_what_the_design_says() -> None:
    """Of the inputs in order: who signs, and what of the transaction."""
    everything, first, nothing = Sighash.DEFAULT, Sighash.SINGLE, Sighash.NONE
    paid = [(Signer.OPERATOR, Sighash.SINGLE_ANYONECANPAY)]
    wanted = {
        "kickoff": [(Signer.OPERATOR, everything)],
        "challenge": paid,
        "open": paid,
        "close": [(Signer.OPERATOR, everything), (Signer.COMMITTEE, everything)],
        "assert_timeout": [(Signer.COMMITTEE, first), (Signer.COMMITTEE, nothing)],
        "open_timeout": [(Signer.COMMITTEE, first), (Signer.COMMITTEE, nothing)],
        "disprove": [(Signer.COMMITTEE, first), (Signer.COMMITTEE, nothing)],
    }
    vault = set_up().deposit.vault
    for template in (*graph().templates(), graph().take1(vault), graph().take2(vault)):
        signed = [(each.signer, each.sighash) for each in template.inputs]
        whole = [(Signer.COMMITTEE, everything)] * len(signed)
        assert signed == wanted.get(template.kind, whole), template.name


def test_rule_1_broken_a_signature_of_no_outputs_lets_the_operator_change_them() -> None:
    template = graph().reveal(1)
    each = replace(template.inputs[0], sighash=Sighash.NONE)
    loose = replace(template, inputs=(each,))
    secret = b"\x11" * 32
    output = taproot_output(xonly_key(secret))
    loose = replace(loose, inputs=(replace(each, coin=replace(each.coin, output=output)),))
    raw = loose.signature(0, sign_schnorr(output_secret(secret), loose.message(0)))
    stolen = loose.signed([(raw,)])
    stolen = replace(stolen, outputs=(TxOut(1_000, POT),))
    assert valid(Spending(stolen, loose.spending.spent))


def test_rule_1_every_reveal_pays_for_its_outputs_and_itself() -> None:
    made = graph()
    for node in made.nodes:
        template = made.template("assert" if node.index == 0 else f"reveal/{node.index}")
        assert template.fee >= made.terms.amounts.fee(template.max_vbytes)
    poor = replace(made.reveal(1), outputs=(*made.reveal(1).outputs, TxOut(10_000, POT)))
    assert poor.fee < 0


# 2: windows


@pytest.mark.parametrize("name", ["take1", "assert_timeout", "close", "reveal_timeout", "take2", "refund"])
def test_rule_2_set_up_refuses_every_window_that_is_one_block_short(name: str) -> None:
    s, answer = MARGINS.lateness, MARGINS.answer
    least = Windows(s, s + answer, s, s + answer, 3 * (s + answer + s) + MARGINS.disprove, s)
    least.check(3, 1_000_000)
    short = replace(least, **{name: getattr(least, name) - 1})
    refuses(BridgeReason.WINDOWS, lambda: short.check(3, 1_000_000))


def test_rule_2_the_margins_are_those_of_the_design() -> None:
    """All windows are checked against them."""
    assert Margins() == MARGINS == Margins(lateness=144, answer=432, disprove=432)


def test_rule_2_a_wide_level_needs_time_and_a_deep_tree_needs_more() -> None:
    Windows().check(3, 72_000_000)
    refuses(BridgeReason.WINDOWS, lambda: Windows().check(3, 72_100_001))
    refuses(BridgeReason.WINDOWS, lambda: Windows().check(4, 1_000_000))
    refuses(
        BridgeReason.WINDOWS,
        lambda: SlotGraph(terms(windows=Windows(take2=3_023)), TREE, one_time_keys("slot")),
    )


def test_rule_2_each_lock_is_its_window() -> None:
    windows, made, vault = Windows(), graph(), set_up().deposit.vault
    locks = {
        template.name: {each.coin.name: each.csv for each in template.inputs if each.csv != 1}
        for template in (*made.templates(), made.take1(vault), made.take2(vault))
    }
    wanted = {
        "assert_timeout": {"K1.0": windows.assert_timeout},
        "take1/vault": dict.fromkeys(("K0", "K1.0", "K2"), windows.take1),
        "take2/vault": {"S": windows.take2},
        **{f"close/{n.index}": {f"R{n.index}.0": windows.close} for n in TREE.nodes[1:]},
        **{f"open_timeout/{n.index}": {f"R{n.index}.0": windows.reveal_timeout} for n in TREE.nodes[1:]},
    }
    assert {name: held for name, held in locks.items() if held} == wanted


def test_rule_2_a_graph_at_another_outpoint_keeps_the_rules() -> None:
    there = OutPoint(b"\x55" * 32, 3)
    assert graph().at(there, Windows(take1=400)).terms.windows.take1 == 400
    refuses(BridgeReason.WINDOWS, lambda: graph().at(there, Windows(take1=143)))


# 3: the order of set-up


def test_rule_3_no_share_of_a_take_before_every_penalty_is_held() -> None:
    everybody = members()
    for member in everybody:
        member.adopt(offer())
    pay = Batch(Phase.PAY, "slot", set_up().deposit)
    refuses(BridgeReason.ORDER, lambda: sign_batch(everybody, pay))
    sign_batch(everybody, Batch(Phase.PROTECT, "slot"))
    refuses(BridgeReason.ORDER, lambda: sign_batch(everybody, pay))
    sign_batch(everybody, Batch(Phase.ANSWER, "slot"))
    sign_batch(everybody, pay)


def test_rule_3_a_member_does_not_need_the_others_to_be_honest() -> None:
    """All but one skip the order: no take comes about, since the last one holds to it."""

    class Careless(Member):
        def _check_phases(self, graph: SlotGraph, phase: Phase) -> None:
            return None

    everybody = members()
    for member in everybody[:-1]:
        member.__class__ = Careless
    for member in everybody:
        member.adopt(offer())
    pay = Batch(Phase.PAY, "slot", set_up().deposit)
    refuses(BridgeReason.ORDER, lambda: sign_batch(everybody, pay))
    everybody[-1].__class__ = Careless  # broken: now nobody holds to it
    assert sign_batch(everybody, pay)


def test_rule_3_what_does_not_rebuild_is_refused() -> None:
    member, good = members()[0], offer()
    other = replace(good, digest=bytes(32))
    refuses(BridgeReason.REBUILD, lambda: member.adopt(other))
    wire = next(iter(good.keys))
    key = good.keys[wire]
    swapped = replace(good, keys={**good.keys, wire: replace(key, links=(bytes(20), *key.links[1:]))})
    refuses(BridgeReason.REBUILD, lambda: member.adopt(swapped))
    refuses(BridgeReason.SIGNATURE, lambda: member.adopt(replace(good, openings={})))
    elsewhere = replace(good, terms=replace(good.terms, committee=xonly_key(b"\x33" * 32)))
    refuses(BridgeReason.REBUILD, lambda: member.adopt(elsewhere))
    member.adopt(good)


def test_rule_3_an_erased_key_signs_nothing(tmp_path: Path) -> None:
    keys = [public_key(secret) for secret in SECRETS]
    member = Member(Store(tmp_path, "committee", "regtest"), keys, TREE, Charter(POT), SECRETS[0])
    member.adopt(offer())
    member.nonces(Batch(Phase.PROTECT, "slot"))
    member.erase()
    refuses(BridgeReason.STATE, lambda: member.nonces(Batch(Phase.PROTECT, "slot")))
    assert SECRETS[0] not in (tmp_path / "role.db").read_bytes()
    again = Member(Store(tmp_path, "committee", "regtest"), keys, TREE, Charter(POT))
    again.adopt(offer())
    refuses(BridgeReason.STATE, lambda: again.nonces(Batch(Phase.PROTECT, "slot")))


# 4: disprove outputs and penalties


def test_rule_4_nobody_signs_a_disprove_output_and_each_leaf_names_the_committee() -> None:
    made = graph()
    for node in made.nodes:
        if node.num_leaves:
            output = made.coins[f"D{node.index}"].output
            assert output is not None and output.internal_key == NUMS_KEY
            for leaf in range(node.num_leaves):
                assert made.disprove_leaf(node.index, leaf)[:34] == b"\x20" + COMMITTEE + b"\xad"


def test_rule_4_broken_a_leaf_without_the_guard_is_burnt_by_the_operator() -> None:
    spend = ToyAccuser(TREE, graph().keys).disprove(6, signatures(FALSE))
    assert spend is not None
    code = TREE.leaf(6, spend.leaf, graph().keys)
    output = taproot_output(NUMS_KEY, balanced_tree([leaf_hash(code)]))
    tx = Transaction(2, (TxIn(OutPoint(b"\4" * 32, 0), 1),), (TxOut(330, POT),))
    burn = tx.with_witness(0, (*spend.items, code, output.control_block(0)))
    assert valid(Spending(burn, (TxOut(400, output.script),)))
    guarded = set_up().moves.disprove(6, spend, POT, 2)
    alone = replace(guarded.tx, inputs=guarded.tx.inputs[1:], outputs=(TxOut(330, POT),))
    assert not valid(Spending(alone, guarded.spent[1:]))


def test_rule_4_only_output_0_is_the_penalty_and_the_stake_pays_500_sat_a_vbyte() -> None:
    moves = set_up().moves
    spend = ToyAccuser(TREE, moves.graph.keys).disprove(6, signatures(FALSE))
    assert spend is not None
    penalties = [
        moves.disprove(6, spend, POT, 500),
        moves.penalty("assert_timeout", POT, 500),
        moves.penalty("open_timeout/6", POT, 500),
    ]
    for spending in penalties:
        accept(spending)
        first, second = spending.tx.outputs
        assert first.script == POT and first.value == moves.graph.terms.amounts.penalty
        assert valid(Spending(replace(spending.tx, outputs=(first,)), spending.spent))
        assert not valid(Spending(replace(spending.tx, outputs=(second, first)), spending.spent))
    refuses(BridgeReason.FUNDS, lambda: moves.disprove(6, spend, POT, 5_000))


@pytest.mark.parametrize(
    "changes",
    [
        {"disprove_fee_rate": 499},
        {"penalty": 9_999_999},
        {"denomination": 12_000_001},
        {"denomination": 9_999},
        {"connector": 329},
        {"anchor": 329},
        {"free_anchor": 239},
        {"challenge_price": 329},
        {"open_price": 329},
        {"relay_rate": 99},
    ],
)
def test_rule_4_amounts_that_do_not_relay_or_make_theft_pay_are_refused(changes: dict[str, int]) -> None:
    Amounts().check()
    Amounts(penalty=10_000_000).check()
    refuses(BridgeReason.AMOUNTS, lambda: Amounts(**changes).check())
    refuses(
        BridgeReason.AMOUNTS,
        lambda: SlotGraph(terms(amounts=Amounts(**changes)), TREE, one_time_keys("slot")),
    )


def test_rule_4_openings_of_ten_full_queries_are_counted() -> None:
    """Of a query the node and all below it, of everything above it but the root one each."""

    def node(index: int, name: str, parent: int) -> Node:
        return Node(index, name, parent, (), (), 0)

    assert query_openings(ToyTree(2).nodes, 10) == 2 * 2 + 2
    assert query_openings(ToyTree(2).nodes, 1) == 2 + 2
    assert query_openings(ToyTree(24).nodes, 10) == 10 * 2 + 2
    assert query_openings([node(0, "root", -1), node(1, "root/queries 0 to 9", 0)], 10) == 0
    names = ["root", "root/a", "root/query 0", "root/a/query 1", "root/a/query 1/x", "root/a/query 1/x/y"]
    nodes = [
        node(i, name, parent) for i, (name, parent) in enumerate(zip(names, [-1, 0, 0, 1, 3, 4], strict=True))
    ]
    assert query_openings(nodes, 2) == 1 + 3 + 1
    assert query_openings(nodes, 1) == 3 + 1


@pytest.mark.slow
def test_rule_4_the_penalty_pays_for_ten_full_queries_of_the_rollups_tree() -> None:
    """28 nodes a query, and seven groups of queries: docs/reviews/0008."""
    openings = query_openings(rollup_tree().nodes, PRICED_QUERIES)
    assert openings == 10 * 28 + 7
    vbytes = graph().challenge().max_vbytes + PURSE_VBYTES
    price = Amounts().price_of(openings, vbytes)
    assert 11_580_000 < price < 11_680_000
    Amounts().check_penalty(price)


def test_rule_4_a_penalty_below_the_price_of_ten_full_queries_is_refused_with_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the small tree 6 openings and a challenge; by the operator's graph, and by a member that builds it."""
    keys = one_time_keys("slot")
    price = 100_000 + 6 * 2_000_000 + 7 * (graph().challenge().max_vbytes + PURSE_VBYTES)
    enough = Amounts(open_price=2_000_000, penalty=price)
    assert SlotGraph(terms(amounts=enough), TREE, keys).queries_sats == price
    short = replace(enough, penalty=price - 1)
    with pytest.raises(BridgeError) as error:
        SlotGraph(terms(amounts=short), TREE, keys)
    assert error.value.reason is BridgeReason.AMOUNTS
    assert str(price) in str(error.value) and str(price - 1) in str(error.value)
    with monkeypatch.context() as context:
        context.setattr(Amounts, "check_penalty", lambda *_: None)
        made = SlotGraph(terms(amounts=short), TREE, keys)
    cheap = Offer(made.terms, keys, made.digest, open_signatures(made, OPERATOR))
    member = Member(Store(tmp_path, "committee", "regtest"), PUBLIC, TREE, Charter(POT, short), SECRETS[0])
    refuses(BridgeReason.AMOUNTS, lambda: member.adopt(cheap))


# 5: one value a wire


def test_rule_5_a_store_keeps_one_value_of_a_wire(tmp_path: Path) -> None:
    store = Store(tmp_path, "operator", "regtest")
    store.commit_wires("slot", HONEST)
    store.commit_wires("slot", HONEST)
    refuses(BridgeReason.EQUIVOCATION, lambda: store.commit_wires("slot", FALSE))
    assert Store(tmp_path, "operator", "regtest").wires("slot") == HONEST


def test_rule_5_signing_again_is_byte_identical_and_two_values_convict() -> None:
    moves = set_up().moves
    assert moves.commit(6, SEED, HONEST).tx.serialize() == moves.commit(6, SEED, HONEST).tx.serialize()
    assert moves.commit(6, SEED, HONEST).tx.txid == moves.commit(6, SEED, FALSE).tx.txid
    mixed = {**signatures(HONEST), "path 1 block": signatures(FALSE)["path 1 block"]}
    spend = ToyAccuser(TREE, moves.graph.keys).disprove(6, mixed)
    assert spend is not None
    accept(moves.disprove(6, spend, POT, 2))


def test_rule_5_a_one_time_key_used_twice_is_refused() -> None:
    good = offer()
    first, second = "path 0 block", "path 1 block"
    keys = {**good.keys, second: good.keys[first]}
    made = SlotGraph(good.terms, TREE, keys)
    twice = Offer(good.terms, keys, made.digest, open_signatures(made, OPERATOR))
    refuses(BridgeReason.REBUILD, lambda: members()[0].adopt(twice))
    member = members()[0]
    member.adopt(good)
    other = SlotGraph(terms("other"), TREE, good.keys)
    replay = Offer(other.terms, good.keys, other.digest, open_signatures(other, OPERATOR))
    refuses(BridgeReason.REBUILD, lambda: member.adopt(replay))


# 6: a block between parent and child, and versions


def test_rule_6_every_input_waits_a_block_and_small_ones_are_version_3() -> None:
    made = set_up()
    takes = [made.moves.graph.take1(made.deposit.vault), made.moves.graph.take2(made.deposit.vault)]
    for template in (*made.moves.graph.templates(), *takes, made.deposit.pegin()):
        assert all(each.csv >= 1 for each in template.inputs), template.name
        assert template.version == (LARGE if template.kind in ("assert", "reveal", "disprove") else SMALL), (
            template.name
        )
        if template.version == SMALL:
            assert template.max_vbytes <= 10_000


def test_rule_6_a_small_transaction_above_10_000_vbytes_is_refused() -> None:
    """The kickoff has an output for each group of the root's wires."""

    @dataclass(frozen=True)
    class Wide:
        groups: int

        @property
        def nodes(self) -> tuple[Node, ...]:
            wires = tuple((Wire(f"{number}", 1),) for number in range(self.groups))
            return (Node(0, "root", -1, (), wires, 0),)

    def build(groups: int) -> SlotGraph:
        tree: Any = Wide(groups)
        return SlotGraph(terms(windows=Windows(take2=432)), tree, one_time_keys("slot", tree))

    assert build(60).kickoff().max_vbytes < 3_000
    refuses(BridgeReason.SHAPE, lambda: build(240))


@pytest.mark.parametrize("length", (LINK_BYTES, 81))
def test_rule_6_no_miner_lets_a_link_pass_that_a_disproof_could_not_repeat(length: int) -> None:
    """The operator begins a chain with what it likes and asks a miner to take the Reveal that shows it."""
    start, secret = bytes(length), b"\x11" * 32
    end = start
    for _ in range(LAST):
        end = hash160(end)
    key, items = winternitz.public_key(SEED, b"odd", 1), winternitz.sign(SEED, b"odd", [0])
    code = reveal_leaf(xonly_key(secret), [replace(key, links=(end, *key.links[1:]))])
    output = taproot_output(NUMS_KEY, balanced_tree([leaf_hash(code)]))
    coin = replace(graph().coins["R1.0"], output=output)
    template = graph().reveal(1)
    bound = Input(coin, 1, Signer.COMMITTEE, Sighash.DEFAULT, 0, leaf_hash(code))
    template = replace(template, inputs=(bound,))
    signature = sign_schnorr(secret, template.message(0))
    witness = (start, *items[1:], signature, code, output.control_block(0))
    assert valid(Spending(template.signed([witness]), template.spending.spent)) == (length == LINK_BYTES)


def test_rule_6_the_operators_leaves_hold_the_lock_themselves() -> None:
    moves = set_up().moves
    close = moves.close(1, OPERATOR)
    accept(close)
    template = moves.graph.close(1)
    hasty = replace(template, inputs=(replace(template.inputs[0], csv=0), template.inputs[1]))
    raw = sign_schnorr(OPERATOR, hasty.message(0), bytes(32))
    tx = hasty.signed([(raw, *close.tx.inputs[0].witness[1:]), close.tx.inputs[1].witness])
    assert not KernelSpending(Spending(tx, hasty.spending.spent)).accepts(0)


def test_rule_6_broken_a_key_path_of_the_operator_would_not_wait() -> None:
    output = taproot_output(xonly_key(OPERATOR))
    tx = Transaction(2, (TxIn(OutPoint(b"\4" * 32, 0), 0),), (TxOut(330, POT),))
    spending = Spending(tx, (TxOut(400, output.script),))
    raw = sign_schnorr(output_secret(OPERATOR), taproot_sighash(spending, 0))
    assert valid(Spending(tx.with_witness(0, (raw,)), spending.spent))
    assert graph().coins["C1"].output.internal_key == NUMS_KEY  # type: ignore[union-attr]


def test_rule_6_a_group_of_wires_fits_on_the_stack() -> None:
    """495 nibbles and 4 of checksum are 998 items; with another nibble 1,000 and the signature are too many."""

    @dataclass(frozen=True)
    class Long:
        digits: int

        @property
        def nodes(self) -> tuple[Node, ...]:
            return (Node(0, "root", -1, (), ((Wire("long", self.digits),),), 0),)

    def build(digits: int) -> SlotGraph:
        tree: Any = Long(digits)
        return SlotGraph(terms(windows=Windows(take2=432)), tree, one_time_keys("slot", tree))

    build(495)
    refuses(BridgeReason.SHAPE, lambda: build(496))


# 7: what a leaf reads


def readable(tree: ToyTree, node: int) -> set[str]:
    names: set[str] = set()
    while node >= 0:
        names |= {wire.name for group in tree.nodes[node].wires for wire in group}
        node = tree.nodes[node].parent
    return names


def test_rule_7_leaves_read_their_node_and_its_ancestors_only() -> None:
    for node in TREE.nodes:
        for leaf in range(node.num_leaves):
            code = TREE.leaf(
                node.index, leaf, {n: k for n, k in graph().keys.items() if n in readable(TREE, node.index)}
            )
            assert code
    with pytest.raises(KeyError):
        TREE.leaf(6, 0, {n: k for n, k in graph().keys.items() if n in readable(TREE, 5)})


# 8: a graph a slot, takes a vault


def test_rule_8_only_takes_depend_on_the_vault() -> None:
    made = set_up()
    other = replace(made.deposit, name="other", outpoint=OutPoint(b"\x0a" * 32, 0))
    assert graph().digest == SlotGraph(terms(), TREE, one_time_keys("slot")).digest
    assert made.moves.graph.take2(other.vault).tx.txid != made.moves.graph.take2(made.deposit.vault).tx.txid
    assert other.vault.value == made.deposit.vault.value == graph().terms.amounts.denomination
    assert other.vault.txout == made.deposit.vault.txout


def test_rule_8_every_member_serves_all_signatures() -> None:
    made = set_up()
    served = [member.store.signatures("slot") for member in made.members]
    assert all(each == served[0] for each in served)
    assert dict(made.moves.signatures) == served[0]


# 9: groups below the root


def flat(tree: ToyTree) -> list[Node]:
    """The same tree with its queries right below the root."""
    root, *rest = tree.nodes
    queries = [node.index for node in rest if node.parent in root.children]
    return [
        replace(root, children=tuple(queries)),
        *(replace(n, parent=0) if n.index in queries else n for n in rest),
    ]


def test_rule_9_closing_costs_the_groups_and_not_the_queries() -> None:
    tree = ToyTree(8)
    made = SlotGraph(terms("wide"), tree, one_time_keys("wide", tree))
    closing = sum(made.close(child).max_vbytes for child in tree.nodes[0].children)
    assert closing <= 4_000
    assert all(not tree.nodes[child].wires for child in tree.nodes[0].children)
    root = flat(tree)[0]
    assert sum(made.close(child).max_vbytes for child in root.children) == 4 * closing


@pytest.mark.slow
def test_rule_9_closing_the_rollups_root_costs_a_few_transactions() -> None:
    """Its groups commit query indices (decision 0006); each is closed by one transaction all the same."""
    nodes = rollup_tree().nodes
    names = [nodes[child].name for child in nodes[0].children]
    assert sum("/queries " in name for name in names) == 7
    assert not any("/query " in name for name in names)
    assert len(names) * graph().close(1).max_vbytes <= 4_000


# 10: one proof shape


def test_rule_10_another_shape_is_refused() -> None:
    tree = ToyTree(4)
    keys = one_time_keys("slot", tree)
    made = SlotGraph(terms(), tree, keys)
    other = Offer(made.terms, keys, made.digest, open_signatures(made, OPERATOR))
    refuses(BridgeReason.SHAPE, partial(members()[0].adopt, other))
    good: dict[str, Any] = one_time_keys("slot")
    few = dict(list(good.items())[1:])
    refuses(BridgeReason.SHAPE, lambda: SlotGraph(terms(), TREE, few))
    for wire, key in good.items():
        for other in (replace(key, digits=key.digits - 1), replace(key, links=key.links[1:])):
            refuses(BridgeReason.SHAPE, partial(SlotGraph, terms(), TREE, {**good, wire: other}))


def test_rule_10_digests_are_32_bytes() -> None:
    digests = [wire for group in TREE.nodes[0].wires for wire in group if "digest" in wire.name]
    assert digests and all(wire.digits == 64 for wire in digests)


def test_no_template_is_signed_by_nobody() -> None:
    for template in graph().templates():
        assert {each.signer for each in template.inputs} <= {Signer.COMMITTEE, Signer.OPERATOR}
