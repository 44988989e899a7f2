"""A committee member at set-up, and the session that makes one signature of everybody's shares.

A member trusts nobody: it rebuilds every script from the published one-time keys, makes the requests itself,
and releases a share only in the order of `Phase`. Afterwards it erases its key, and then nobody can ever sign
another transaction of the graph, as long as one member was honest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from verifier.bitcoin.keys import public_key, verify_schnorr
from verifier.bitcoin.musig import Aggregate, MusigError, sort_keys
from verifier.bitcoin.musig_session import ID_SIZE, Job, NoncesDiffer, combine
from verifier.bitcoin.musig_session import Batch as JobBatch
from verifier.bitcoin.musig_session import Member as SessionMember
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import SlotGraph, Terms
from verifier.bridge.game.node_scripts import NodeScripts
from verifier.bridge.game.params import MARGINS, Charter, Margins
from verifier.bridge.game.presign import (
    Phase,
    Request,
    Signatures,
    Slot,
    answer_requests,
    check_complete,
    pay_requests,
    pegin_requests,
    protect_requests,
)
from verifier.bridge.game.store import Store
from verifier.bridge.game.template import Signer
from verifier.bridge.game.vault import Deposit
from verifier.bridge.setup.key_book import all_links, common_head, first_repeat, heads_of
from verifier.bridge.tree import OpeningTree
from verifier.script.winternitz import WinternitzKey

_SECRET: Final = "committee secret"
_ACCEPTED: Final = "accepted"
_ADOPTED: Final = "adopted "
_HEADS: Final = "heads of links "
_VAULT: Final = "vault"


@dataclass(frozen=True, slots=True)
class Offer:
    """What an operator publishes before set-up.

    Attributes:
        terms: of its slot.
        keys: one-time public keys of all wires.
        digest: of the graph that it built (`SlotGraph.digest`).
        openings: its signatures of the challenge and of every opening.
    """

    terms: Terms
    keys: Mapping[str, WinternitzKey]
    digest: bytes
    openings: Mapping[Slot, bytes]


@dataclass(frozen=True, slots=True)
class Batch:
    """What is signed in one session.

    Attributes:
        phase: PAY is of one deposit.
        slot: whose transactions.
        deposit: for PAY.
        nodes: first and end of a run of them; None for the whole phase.
    """

    phase: Phase
    slot: str
    deposit: Deposit | None = None
    nodes: tuple[int, int] | None = None


class Member:
    """One member of the committee.

    Args:
        store: its directory; holds the secret until `erase`.
        public_keys: of all members.
        tree: the tree of the one proof shape that the bridge accepts.
        charter: what every slot of the bridge shares.
        secret: given once, at the first start.
        margins: see `SlotGraph`.
        allow_oversized: see `SlotGraph`; for rehearsal alone.

    Raises:
        BridgeError: STATE where there is no secret, or it is of nobody in the committee.
    """

    def __init__(
        self,
        store: Store,
        public_keys: Sequence[bytes],
        tree: OpeningTree,
        charter: Charter,
        secret: bytes | None = None,
        margins: Margins = MARGINS,
        allow_oversized: bool = False,
    ) -> None:
        if secret is not None and store.meta(_SECRET) is None:
            store.put_meta(_SECRET, secret)
        self.store, self.tree, self._margins = store, tree, margins
        self._charter = charter
        self._oversized = allow_oversized
        self.public_keys = sort_keys(public_keys)
        self.committee = Aggregate(self.public_keys).key
        self.graphs: dict[str, SlotGraph] = {}
        self._sessions: dict[Batch, SessionMember] = {}
        self._requests: dict[Batch, list[Request]] = {}
        self._complete: set[tuple[str, Phase]] = set()

    @cached_property
    def name(self) -> str:
        """How the others call it: the head of its public key."""
        return public_key(self._secret()).hex()[:8]

    def _secret(self) -> bytes:
        secret = self.store.meta(_SECRET)
        if secret is None:
            raise BridgeError(BridgeReason.STATE, "the committee key is erased")
        if public_key(secret) not in self.public_keys:
            raise BridgeError(BridgeReason.STATE, "this key is not of the committee")
        return secret

    def adopt(
        self, offer: Offer, scripts: Sequence[NodeScripts] | None = None, graph: SlotGraph | None = None
    ) -> SlotGraph:
        """Rebuilds an operator's graph from what it published.

        Args:
            offer: what it published.
            scripts: what the member itself has rebuilt of every node from these keys (`node_scripts`), where it
                did so before; None to do it now.
            graph: built by somebody else on this machine; it is taken if it stands on the same terms and the
                member's own scripts, instead of building an equal one.

        Raises:
            BridgeError: REBUILD where it comes to something else, uses a one-time key twice, or has the name of a
                slot that was another; SIGNATURE where an opening is not signed; and what `SlotGraph` refuses.
        """
        if offer.terms.committee != self.committee:
            raise BridgeError(BridgeReason.REBUILD, "the slot names another committee")
        if Charter(offer.terms.pot, offer.terms.amounts) != self._charter:
            raise BridgeError(
                BridgeReason.REBUILD, "the slot has another pot or other amounts than the bridge"
            )
        heads = self._check_links(offer)
        mine = graph is not None and graph.tree is self.tree and scripts is not None
        if graph is None or not mine or (graph.terms, graph.scripts) != (offer.terms, tuple(scripts or ())):
            graph = SlotGraph(offer.terms, self.tree, offer.keys, self._margins, scripts, self._oversized)
        if graph.digest != offer.digest:
            raise BridgeError(BridgeReason.REBUILD, f"{offer.terms.slot}: other txids")
        openings = check_openings(graph, offer.openings)
        self._once(_ADOPTED + offer.terms.slot, graph.digest, {_HEADS + offer.terms.slot: heads})
        self.store.save_signatures(offer.terms.slot, openings)
        self.graphs[offer.terms.slot] = graph
        return graph

    def _once(self, name: str, value: bytes, beside: Mapping[str, bytes] | None = None) -> None:
        """A name stands for one thing for ever: signatures are kept by slot and by vault, and serve nothing else.

        Args:
            name: of a slot or a vault.
            value: what it stands for.
            beside: entries that are written with it, the first time.

        Raises:
            BridgeError: REBUILD where it stood for another.
        """
        found = self.store.meta(name)
        if found not in (None, value):
            raise BridgeError(BridgeReason.REBUILD, f"{name} was another")
        if found is None:
            self.store.put_metas({name: value, **(beside or {})})

    def _check_links(self, offer: Offer) -> bytes:
        """No link serves twice, in this slot or with one that was ever adopted; what is kept of these."""
        links = all_links(offer.keys)
        link = first_repeat(links)
        if link is not None:
            raise BridgeError(BridgeReason.REBUILD, f"a one-time key is used twice: {link.hex()}")
        heads = heads_of(links)
        for name in self.store.metas(_ADOPTED):  # one after the other: 60 MB for each slot of the rollup
            other = name[len(_ADOPTED) :]
            kept = self.store.meta(_HEADS + other)
            if other == offer.terms.slot or kept is None:  # adopted before heads were kept
                continue
            if (head := common_head(heads, kept)) is not None:
                raise BridgeError(BridgeReason.REBUILD, f"a one-time key of {other} is used: {head.hex()}..")
        return heads

    def requests(self, batch: Batch) -> list[Request]:
        """What a batch signs, made from the member's own graph.

        Raises:
            BridgeError: ORDER where the slot is not adopted, an earlier phase is not complete, or there are no such
                nodes; REBUILD where the deposit is not one of this bridge, or has the name of another.
        """
        graph = self.graphs.get(batch.slot)
        if graph is None:
            raise BridgeError(BridgeReason.ORDER, f"{batch.slot} is not adopted")
        self._check_phases(graph, batch.phase)
        first, end = batch.nodes or (0, len(graph.nodes))
        if not 0 <= first < end <= len(graph.nodes):
            raise BridgeError(BridgeReason.ORDER, f"no nodes {first} to {end}")
        nodes = graph.nodes[first:end]
        if batch.phase is Phase.PROTECT:
            return list(protect_requests(graph, nodes))
        if batch.phase is Phase.ANSWER:
            return list(answer_requests(graph, nodes))
        if batch.deposit is None:
            raise BridgeError(BridgeReason.ORDER, "a payment is of a deposit")
        self._check_deposit(graph, batch.deposit)
        return [*pay_requests(graph, batch.deposit.vault), *pegin_requests(batch.deposit)]

    def _check_deposit(self, graph: SlotGraph, deposit: Deposit) -> None:
        """It becomes a vault of the bridge, and its name is of no other in this slot."""
        terms = graph.terms
        theirs = (deposit.committee, deposit.amounts, deposit.windows.refund)
        if theirs != (self.committee, terms.amounts, terms.windows.refund):
            raise BridgeError(BridgeReason.REBUILD, f"{deposit.name} is no deposit of this bridge")
        self._once(f"{_VAULT} {graph.digest.hex()} {deposit.name}", deposit.outpoint.serialize())

    def accepted(self, slot: str, phase: Phase) -> set[int]:
        """The nodes whose signatures of a phase the member has verified and keeps."""
        return set().union(*(range(*run) for run in self._accepted(slot, phase)))

    def _accepted(self, slot: str, phase: Phase) -> dict[tuple[int, int], int]:
        """Run of nodes -> how many signatures."""
        head = f"{_ACCEPTED} {phase.name} {self.graphs[slot].digest.hex()} "
        found = self.store.metas(head)
        return {
            (int(first), int(end)): int.from_bytes(number, "big")
            for key, number in found.items()
            for first, _, end in [key[len(head) :].partition("-")]
        }

    def _check_phases(self, graph: SlotGraph, phase: Phase) -> None:
        """Every phase before this one is complete."""
        for earlier in Phase:
            if earlier < phase:
                self._check_complete(graph, earlier)

    def _check_complete(self, graph: SlotGraph, phase: Phase) -> None:
        """A phase is complete once every node's signatures were verified, and all that were are still there."""
        slot = graph.terms.slot
        if (slot, phase) in self._complete:
            return
        missing = set(range(len(graph.nodes))) - self.accepted(slot, phase)
        if missing:
            raise BridgeError(BridgeReason.ORDER, f"{phase.name}: node {min(missing)} is not signed yet")
        found = self._accepted(slot, phase)
        expected = found.get((0, len(graph.nodes)), sum(found.values())) + len(
            graph.nodes
        )  # with the openings
        if self.store.count_signatures(slot) < expected:
            raise BridgeError(BridgeReason.STATE, f"{phase.name}: signatures are gone")
        self._complete.add((slot, phase))

    def nonces(self, batch: Batch) -> bytes:
        """Round one's message; a session that was cut off begins here again."""
        requests = self.requests(batch)
        jobs = JobBatch(self.public_keys, [Job(r.message, r.tweaks) for r in requests])
        self._sessions[batch] = SessionMember(jobs, self._secret())
        self._requests[batch] = requests
        return self._sessions[batch].nonces

    def shares(self, batch: Batch, nonces: Sequence[bytes]) -> bytes:
        """Round two's message; the nonces are gone afterwards.

        Args:
            batch: what is signed.
            nonces: round one's messages of all members.

        Raises:
            BridgeError: ORDER without round one.
        """
        session = self._sessions.pop(batch, None)
        if session is None:
            raise BridgeError(BridgeReason.ORDER, "round one is missing")
        return session.sign(nonces)

    def forget(self, batch: Batch) -> None:
        """Ends a session that is not over: its nonces are never used."""
        self._sessions.pop(batch, None)

    def accept(self, batch: Batch, signatures: Mapping[Slot, bytes]) -> None:
        """Keeps the signatures of a session, each verified.

        Raises:
            BridgeError: SIGNATURE or ORDER, and nothing is kept.
        """
        requests = self._requests.pop(batch, None) or self.requests(batch)
        check_complete(iter(requests), signatures, self.committee, batch.phase.name)
        mark = None
        if batch.phase is not Phase.PAY:
            graph = self.graphs[batch.slot]
            first, end = batch.nodes or (0, len(graph.nodes))
            mark = f"{_ACCEPTED} {batch.phase.name} {graph.digest.hex()} {first}-{end}"
        asked = {request.slot: signatures[request.slot] for request in requests}  # and nothing besides
        self.store.save_signatures(batch.slot, asked, mark)

    def erase(self) -> None:
        """Forgets the secret: nothing more of this committee can be signed."""
        self.store.erase_meta(_SECRET)
        self._sessions.clear()
        self._requests.clear()


def check_openings(graph: SlotGraph, signatures: Signatures) -> dict[Slot, bytes]:
    """The operator has signed the challenge and every opening: these signatures, and no others.

    Raises:
        BridgeError: SIGNATURE.
    """
    found: dict[Slot, bytes] = {}
    templates = [graph.challenge(), *(graph.open(node.index) for node in graph.nodes[1:])]
    for template in templates:
        raw = signatures.get(Slot(template.name, 0)) or b""
        if template.inputs[0].signer is not Signer.OPERATOR or not verify_schnorr(
            graph.terms.operator, template.message(0), raw
        ):
            raise BridgeError(BridgeReason.SIGNATURE, f"the operator's of {template.name}")
        found[Slot(template.name, 0)] = raw
    return found


def sign_batch(members: Sequence[Member | None], batch: Batch) -> dict[Slot, bytes]:
    """A whole session among members in one process: both rounds, and what everybody then holds.

    Args:
        members: in the order of their public keys; None for one that does not answer.
        batch: what to sign.

    Raises:
        BridgeError: OFFLINE or SHARE with the member's position; DIFFER with who was told what, where members sign
            other transactions or for other nonces. Nothing is signed then, all nonces are spent or forgotten, and
            whoever calls again begins with fresh ones.
    """
    present = [member for member in members if member is not None]
    if len(present) != len(members):
        missing = [position for position, member in enumerate(members) if member is None]
        raise BridgeError(BridgeReason.OFFLINE, f"members {missing}")
    requests = present[0].requests(batch)
    jobs = JobBatch(present[0].public_keys, [Job(r.message, r.tweaks) for r in requests])
    try:
        nonces = [member.nonces(batch) for member in present]
        _check_same(present, nonces)
        made = combine(jobs, nonces, [member.shares(batch, nonces) for member in present])
    except NoncesDiffer as error:
        raise BridgeError(BridgeReason.DIFFER, str(error)) from error
    except MusigError as error:
        raise BridgeError(BridgeReason.SHARE, str(error)) from error
    finally:
        for member in present:
            member.forget(batch)
    signatures = {request.slot: raw for request, raw in zip(requests, made, strict=True)}
    for member in present:
        member.accept(batch, signatures)
    return signatures


def _check_same(members: Sequence[Member], nonces: Sequence[bytes]) -> None:
    """All sign the same: else somebody published different things to them, and nobody's share would fit.

    Raises:
        BridgeError: DIFFER.
    """
    groups: dict[bytes, list[str]] = {}
    for position, message in enumerate(nonces):
        groups.setdefault(message[:ID_SIZE], []).append(f"{position}")
    if len(groups) > 1:
        parts = (f"members {', '.join(names)} sign batch {head.hex()[:16]}" for head, names in groups.items())
        raise BridgeError(BridgeReason.DIFFER, "; ".join(parts))
