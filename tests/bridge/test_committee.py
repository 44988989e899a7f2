"""What a member refuses of an operator, and of members who are all against it."""

import pickle
import re
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from tests.bridge.slot import (
    OPERATOR,
    POT,
    PUBLIC,
    SECRETS,
    TREE,
    deposit,
    graph,
    members,
    offer,
    one_time_keys,
    terms,
)
from verifier.bitcoin.keys import xonly_key
from verifier.bitcoin.musig_session import ID_SIZE, NoncesDiffer, digest_of
from verifier.bitcoin.transaction import OutPoint
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import SlotGraph
from verifier.bridge.game.moves import open_signatures
from verifier.bridge.game.params import Amounts, Charter, Windows
from verifier.bridge.game.presign import Phase, Slot, protect_requests
from verifier.bridge.game.store import Store
from verifier.bridge.setup.committee import Batch, Member, Offer, sign_batch
from verifier.bridge.toy import ToyTree

PROTECT, ANSWER = Batch(Phase.PROTECT, "slot"), Batch(Phase.ANSWER, "slot")


def offer_of(**changes: object) -> Offer:
    """An operator's offer on terms of its own."""
    keys = one_time_keys("slot")
    made = SlotGraph(terms(**changes), TREE, keys)
    return Offer(made.terms, keys, made.digest, open_signatures(made, OPERATOR))


def refuses(reason: BridgeReason, call: Callable[[], object]) -> None:
    with pytest.raises(BridgeError) as error:
        call()
    assert error.value.reason is reason


def adopted() -> list[Member]:
    everybody = members()
    for member in everybody:
        member.adopt(offer())
    return everybody


# What an operator chooses, and what it does not


@pytest.mark.parametrize(
    "changes",
    [
        {"pot": b"\x51\x20" + bytes(32)},
        {"committee": xonly_key(b"\x33" * 32)},
        {"amounts": Amounts(penalty=10_000_000)},
        {"amounts": Amounts(challenge_price=2_100_000_000, penalty=10**11)},
        {"amounts": Amounts(open_price=2_100_000_000, penalty=10**11)},
        {"amounts": Amounts(denomination=20_000)},
    ],
)
def test_pot_amounts_and_committee_are_the_bridges(changes: dict[str, Any]) -> None:
    refuses(BridgeReason.REBUILD, lambda: members()[0].adopt(offer_of(**changes)))


@pytest.mark.parametrize("name", ["take1", "assert_timeout"])
def test_a_delay_that_bip68_would_cut_off_is_refused(name: str) -> None:
    """An nSequence of 65,536 blocks waits for none: the operator would take at once."""
    longer = {"take1": 0x10000, "assert_timeout": 0x10000 + 432}
    windows = replace(Windows(), **({name: longer[name]} | ({} if name == "take1" else {"take1": 432})))
    if name == "take1":
        windows = replace(windows, assert_timeout=0x10000 + 432)
    refuses(BridgeReason.WINDOWS, lambda: windows.check(3, 0))
    refuses(BridgeReason.WINDOWS, lambda: offer_of(windows=windows))


# A slot's name is of one graph


def test_penalties_of_one_graph_do_not_open_the_way_to_anothers_takes() -> None:
    """The same slot offered again from another outpoint: its takes would be signed, and no penalty of it."""
    everybody, again = adopted(), offer_of(funding=OutPoint(b"\x77" * 32, 1))
    for batch in (PROTECT, ANSWER):
        sign_batch(everybody, batch)
    held = everybody[0].store.signatures("slot")
    for member in everybody:
        refuses(BridgeReason.REBUILD, lambda member=member: member.adopt(again))  # type: ignore[misc]
    assert everybody[0].store.signatures("slot") == held
    assert everybody[0].graphs["slot"].digest == graph().digest


def test_a_member_that_starts_again_remembers_what_it_adopted() -> None:
    store = Store(Path(mkdtemp()), "committee", "regtest")
    Member(store, PUBLIC, TREE, Charter(POT), SECRETS[0]).adopt(offer())
    again = Member(store, PUBLIC, TREE, Charter(POT))
    refuses(BridgeReason.REBUILD, lambda: again.adopt(offer_of(funding=OutPoint(b"\x77" * 32, 1))))
    again.adopt(offer())


@pytest.mark.parametrize("restarted", [False, True])
def test_a_one_time_key_of_another_slot_is_refused_also_after_a_restart(
    tmp_path: Path, restarted: bool
) -> None:
    """Two signatures by one key are two values that anybody may mix."""
    member = Member(Store(tmp_path, "committee", "regtest"), PUBLIC, TREE, Charter(POT), SECRETS[0])
    member.adopt(offer())
    if restarted:
        member = Member(Store(tmp_path, "committee", "regtest"), PUBLIC, TREE, Charter(POT))
        assert not member.graphs
    keys = {**one_time_keys("slot x"), "claim": one_time_keys("slot")["claim"]}
    made = SlotGraph(terms("slot x"), TREE, keys)
    again = Offer(made.terms, keys, made.digest, open_signatures(made, OPERATOR))
    refuses(BridgeReason.REBUILD, lambda: member.adopt(again))
    member.adopt(offer())
    member.adopt(offer("slot x"))


@pytest.mark.parametrize("name", ["slot ", "slot x", "slot 0-7"])
def test_what_is_signed_of_a_slot_is_not_signed_of_one_whose_name_begins_alike(name: str) -> None:
    everybody = adopted()
    keys = one_time_keys(name)
    other = SlotGraph(terms(name), TREE, keys)
    for member in everybody:
        member.adopt(Offer(other.terms, keys, other.digest, open_signatures(other, OPERATOR)))
    sign_batch(everybody, Batch(Phase.PROTECT, name))
    assert everybody[0].accepted("slot", Phase.PROTECT) == set()
    refuses(BridgeReason.ORDER, lambda: everybody[0].requests(ANSWER))


# What is handed to a member beside what it asked for


def test_signatures_that_were_not_asked_for_are_not_kept() -> None:
    """Else a penalty that was verified is overwritten while the operator's answers are signed."""
    everybody = adopted()
    penalties = sign_batch(everybody, PROTECT)
    victim = next(iter(penalties))
    answers = sign_batch(everybody, ANSWER)
    everybody[0].accept(ANSWER, {**answers, victim: bytes(64), Slot("spend", 0): bytes(64)})
    served = everybody[0].store.signatures("slot")
    assert served[victim] == penalties[victim]
    assert Slot("spend", 0) not in served
    everybody[0].adopt(replace(offer(), openings={**offer().openings, victim: bytes(64)}))
    assert everybody[0].store.signatures("slot")[victim] == penalties[victim]


@pytest.mark.parametrize("run", [(-1, 7), (0, 8), (3, 3), (5, 2), (7, 9)])
def test_only_nodes_that_are_there_are_signed(run: tuple[int, int]) -> None:
    member = adopted()[0]
    batch = replace(PROTECT, nodes=run)
    refuses(BridgeReason.ORDER, lambda: member.nonces(batch))
    refuses(BridgeReason.ORDER, lambda: member.accept(batch, {}))
    assert member.accepted("slot", Phase.PROTECT) == set()


def test_a_part_is_not_the_whole() -> None:
    everybody = adopted()
    sign_batch(everybody, replace(PROTECT, nodes=(0, 6)))
    refuses(BridgeReason.ORDER, lambda: everybody[0].requests(ANSWER))
    sign_batch(everybody, replace(PROTECT, nodes=(6, 7)))
    everybody[0].requests(ANSWER)


def test_a_deposit_is_one_of_the_bridge_and_keeps_its_name() -> None:
    everybody, good = adopted(), deposit()
    for batch in (PROTECT, ANSWER):
        sign_batch(everybody, batch)
    for odd in (
        replace(good, amounts=Amounts(denomination=20_000)),
        replace(good, windows=Windows(refund=200)),
        replace(good, committee=bytes(31) + b"\1"),
    ):
        refuses(BridgeReason.REBUILD, lambda odd=odd: sign_batch(everybody, Batch(Phase.PAY, "slot", odd)))  # type: ignore[misc]
    takes = sign_batch(everybody, Batch(Phase.PAY, "slot", good))
    same_name = replace(good, outpoint=OutPoint(b"\x78" * 32, 0))
    refuses(BridgeReason.REBUILD, lambda: sign_batch(everybody, Batch(Phase.PAY, "slot", same_name)))
    served = everybody[0].store.signatures("slot")
    assert all(served[slot] == raw for slot, raw in takes.items())
    sign_batch(everybody, Batch(Phase.PAY, "slot", replace(same_name, name="vault 1")))


# Malformed messages: who is blamed, and that a new session does


class Odd(Member):
    """A member's messages, changed on their way."""

    def __init__(self, member: Member, nonce: bytes | None, share: bytes | None) -> None:
        self.__dict__ = member.__dict__
        self.__dict__["odd"] = (nonce, share)

    def nonces(self, batch: Batch) -> bytes:
        made, odd = super().nonces(batch), self.__dict__["odd"][0]
        return made if odd is None else made[:ID_SIZE] + odd + made[ID_SIZE + len(odd) :]

    def shares(self, batch: Batch, nonces: Any) -> bytes:
        odd = self.__dict__["odd"][1]
        if self.__dict__["odd"][0] is not None:  # signs as if nothing were
            return bytes(ID_SIZE)
        made = super().shares(batch, nonces)
        return made if odd is None else made[:ID_SIZE] + odd + made[ID_SIZE + len(odd) :]


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize(
    "nonce, share",
    [
        (b"\x02" + b"\xff" * 32, None),  # no point
        (bytes(66), None),
        (None, b"\xff" * 32),  # above the order
        (None, bytes(32)),
        (None, b""),  # cut short below
    ],
)
def test_who_sends_what_is_malformed_is_named(
    position: int, nonce: bytes | None, share: bytes | None
) -> None:
    everybody = adopted()
    cut = share == b""
    odd: list[Member] = list(everybody)
    odd[position] = Odd(everybody[position], nonce, None if cut else share)
    if cut:
        honest = odd[position].shares
        odd[position].shares = lambda batch, nonces: honest(batch, nonces)[:-1]  # type: ignore[method-assign]
    with pytest.raises(BridgeError) as error:
        sign_batch(odd, PROTECT)
    assert error.value.reason is BridgeReason.SHARE
    blamed = str(error.value)
    assert f"signer {position}" in blamed or f"member {position}" in blamed, blamed
    assert everybody[0].accepted("slot", Phase.PROTECT) == set()
    for member in everybody:
        member.__dict__.pop("odd", None), member.__dict__.pop("shares", None)
    made = sign_batch(everybody, PROTECT)
    assert all(
        request.holds(everybody[0].committee, made[request.slot]) for request in protect_requests(graph())
    )


class Told(Member):
    """A member that is sent another message of somebody's first round than the others are."""

    def __init__(self, member: Member, sender: int, other: bytes) -> None:
        self.__dict__ = member.__dict__
        self.__dict__["told"] = (sender, other)

    def shares(self, batch: Batch, nonces: Any) -> bytes:
        sender, other = self.__dict__["told"]
        return super().shares(batch, [other if at == sender else each for at, each in enumerate(nonces)])


@pytest.mark.parametrize("sender, receivers", [(0, (1,)), (0, (1, 2)), (1, (0,)), (2, (0, 1)), (2, (1,))])
def test_who_sends_different_nonces_to_different_members_is_named(
    sender: int, receivers: tuple[int, ...]
) -> None:
    """The shares of those who were told otherwise are wrong, and not by their fault; the next session holds."""
    everybody = adopted()
    first = everybody[sender].nonces(PROTECT)
    second = everybody[sender].nonces(PROTECT)  # well-formed, of the same member and batch
    odd: list[Member] = [
        Told(member, sender, first) if at in receivers else member for at, member in enumerate(everybody)
    ]
    with pytest.raises(BridgeError) as error:
        sign_batch(odd, PROTECT)
    assert error.value.reason is BridgeReason.DIFFER
    said = str(error.value)
    assert said.count("sent nonces") == 1 and f"member {sender} sent nonces" in said
    told = digest_of(first).hex()[:16]
    assert f"{told} to {', '.join(f'member {at}' for at in receivers)}" in said
    assert isinstance(error.value.__cause__, NoncesDiffer)
    assert error.value.__cause__.said.keys() == {sender}
    views = error.value.__cause__.said[sender]
    assert {at for at, view in views.items() if view == digest_of(first)} == set(receivers)
    for member in everybody:
        assert member.accepted("slot", Phase.PROTECT) == set()
        assert member.store.signatures("slot").keys() == offer().openings.keys()
        refuses(BridgeReason.ORDER, lambda member=member: member.shares(PROTECT, []))  # type: ignore[misc]
        member.__dict__.pop("told", None)
    sent = [member.nonces(PROTECT) for member in everybody]
    assert digest_of(sent[sender]) not in {digest_of(first), digest_of(second), *views.values()}
    made = sign_batch(everybody, PROTECT)
    assert all(
        request.holds(everybody[0].committee, made[request.slot]) for request in protect_requests(graph())
    )


def test_a_wrong_share_is_its_makers_fault_also_where_nonces_differ() -> None:
    """Member 1 was told otherwise, member 2 sends garbage for what everybody was told."""
    everybody = adopted()
    first = everybody[0].nonces(PROTECT)
    odd = [everybody[0], Told(everybody[1], 0, first), Odd(everybody[2], None, bytes(31) + b"\1")]
    with pytest.raises(BridgeError) as error:
        sign_batch(odd, PROTECT)
    assert error.value.reason is BridgeReason.SHARE
    assert "member 2" in str(error.value)


def test_members_who_were_shown_different_transactions_are_told_apart() -> None:
    """One has adopted the same slot from another outpoint: nobody signs, and each side is named."""
    everybody = adopted()
    stranger = members()[1]
    stranger.adopt(offer_of(funding=OutPoint(b"\x77" * 32, 1)))
    with pytest.raises(BridgeError) as error:
        sign_batch([everybody[0], stranger, everybody[2]], PROTECT)
    assert error.value.reason is BridgeReason.DIFFER
    assert re.search(r"members 0, 2 sign batch \w{16}; members 1 sign batch \w{16}", str(error.value))
    for member in (*everybody, stranger):
        refuses(BridgeReason.ORDER, lambda member=member: member.shares(PROTECT, []))  # type: ignore[misc]
    sign_batch(everybody, PROTECT)


def test_an_error_of_a_session_travels_from_a_worker() -> None:
    error = BridgeError(BridgeReason.DIFFER, "member 0 sent nonces a to member 1 and b to member 2")
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, str(again)) == (error.reason, str(error))


def test_a_nonce_is_used_once_whatever_the_others_say() -> None:
    """A second request for shares of one session, with other nonces, is what gives a key away."""
    everybody = adopted()
    nonces = [member.nonces(PROTECT) for member in everybody]
    everybody[0].shares(PROTECT, nonces)
    other = [nonces[0], everybody[1].nonces(PROTECT), nonces[2]]
    refuses(BridgeReason.ORDER, lambda: everybody[0].shares(PROTECT, other))


# What a member keeps, and forgets


def test_what_does_not_hold_is_not_accepted() -> None:
    member = adopted()[0]
    requests = list(protect_requests(graph()))
    garbage = {request.slot: bytes(64) for request in requests}
    refuses(BridgeReason.SIGNATURE, lambda: member.accept(PROTECT, garbage))
    refuses(BridgeReason.ORDER, lambda: member.accept(PROTECT, {}))
    assert member.accepted("slot", Phase.PROTECT) == set()
    assert member.store.signatures("slot").keys() == offer().openings.keys()


def test_signatures_that_are_gone_are_missed() -> None:
    everybody = adopted()
    sign_batch(everybody, PROTECT)
    with everybody[0].store._transaction() as db:
        db.execute("DROP TRIGGER signatures_are_kept")
        db.execute("DELETE FROM signatures WHERE template = 'assert_timeout' AND input = 0")
    again = Member(everybody[0].store, PUBLIC, TREE, Charter(POT))
    again.adopt(offer())
    refuses(BridgeReason.STATE, lambda: again.requests(ANSWER))


def test_who_has_erased_its_key_does_not_end_a_session_that_it_began() -> None:
    everybody = adopted()
    nonces = [member.nonces(PROTECT) for member in everybody]
    everybody[0].erase()
    refuses(BridgeReason.ORDER, lambda: everybody[0].shares(PROTECT, nonces))


def test_a_graph_over_another_tree_is_not_taken_from_others() -> None:
    """Its digest is the same, and so are its scripts: leaves that it makes later need not be."""
    member, shared = members()[0], copy(graph())
    shared.tree = ToyTree(2)
    assert member.adopt(offer(), shared.scripts, shared) is not shared
    assert member.adopt(offer(), graph().scripts, graph()) is graph()
