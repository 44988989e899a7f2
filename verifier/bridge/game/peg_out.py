"""How a claim goes from the operator's directory to the watcher's, and what each then knows without being told again.

The operator makes proof and wires durable, pays the user with a note that names withdrawal, claim and slot, announces
the statement, and kicks off. The watcher takes the announcement in, with the proof if it has it, or computes itself
what the statement must be; which kickoff it challenges and what it opens follows from what its store then holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from verifier.bitcoin.transaction import Transaction, TxOut
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.announcement import Announcement, Payout
from verifier.bridge.game.claims import Claims, Statement
from verifier.bridge.game.graph import ROOT
from verifier.bridge.game.plans import first, open_by
from verifier.bridge.game.roles import Guide, Operator, Watcher, all_wires, open_nothing
from verifier.bridge.game.store import Store
from verifier.bridge.game.vault import payout_outputs
from verifier.bridge.game.view import SlotView
from verifier.bridge.tree import Digits
from verifier.chain.chain import Chain, Refused
from verifier.script.winternitz import from_nibbles, read

_PROOF: Final = "proof"
_ANNOUNCED: Final = "announced"
_PAYOUT: Final = "payout"
_EXPECTED: Final = "expected statement"


# The operator's


def commit(operator: Operator, claims: Claims, proof: bytes, unchecked: bool = False) -> None:
    """Makes a proof and its wires durable, all or nothing; from now on no other can be asserted.

    Args:
        operator: whose.
        claims: of its tree.
        proof: a proof file.
        unchecked: also one that is false: to rehearse a dispute.

    Raises:
        BridgeError: PROOF, and nothing is durable: whoever asserts it is convicted; EQUIVOCATION where another is.
    """
    execution = claims.execution(proof)
    if not unchecked:
        claims.check(proof)
    slot = operator.moves.graph.terms.slot
    operator.store.commit_wires(slot, all_wires(operator.moves, execution), {f"{_PROOF} {slot}": proof})


def _durable_proof(operator: Operator) -> bytes:
    proof = operator.store.meta(f"{_PROOF} {operator.moves.graph.terms.slot}")
    if proof is None:
        raise BridgeError(BridgeReason.ORDER, "no proof is durable; give one with --proof")
    return proof


def pay(
    operator: Operator, claims: Claims, chain: Chain, withdrawal: int, script: bytes, sats: int
) -> Transaction:
    """Pays a user from the operator's purse, once: the same again sends the same transaction.

    Raises:
        BridgeError: ORDER where no proof is durable; EQUIVOCATION where this withdrawal was paid otherwise.
        InsufficientFunds: nothing is signed then.
        Refused: the chain does not take it; it is forgotten if it was never sent before.
    """
    slot = operator.moves.graph.terms.slot
    claim = claims.claim(claims.statement(_durable_proof(operator)))
    outputs = payout_outputs(script, sats, withdrawal, claim, slot)
    key = _payout_key(slot, withdrawal)
    kept = operator.store.meta(key)
    if kept is not None:
        made = Transaction.parse(kept)
        if made.outputs[: len(outputs)] != outputs:
            raise BridgeError(
                BridgeReason.EQUIVOCATION, f"withdrawal {withdrawal} is paid by {made.txid_hex}"
            )
        chain.submit(made)
        return made
    if operator.wallet is None:
        raise BridgeError(BridgeReason.FUNDS, "the operator has no purse")
    made = operator.wallet.pay(outputs, 1000 * operator.fee_rate)
    operator.store.put_meta(key, made.serialize())
    try:
        chain.submit(made)
    except Refused:
        operator.store.erase_meta(key)
        raise
    return made


def _payout_key(slot: str, withdrawal: int | None = None) -> str:
    return f"{_PAYOUT} {slot} " + ("" if withdrawal is None else f"{withdrawal:020}")


def announce(operator: Operator, claims: Claims) -> Announcement:
    """What the operator publishes with its proof; the same every time, but for payouts made in between.

    Raises:
        BridgeError: ORDER where no proof is durable.
    """
    slot = operator.moves.graph.terms.slot
    statement = claims.statement(_durable_proof(operator))
    head = _payout_key(slot)
    payouts = [
        Payout(int(key[len(head) :]), Transaction.parse(raw).txid)
        for key, raw in sorted(operator.store.metas(head).items())
    ]
    return Announcement(slot, statement, operator.announce(), tuple(payouts))


# The watcher's


def hear(watcher: Watcher, claims: Claims, said: Announcement, proof: bytes | None = None) -> bool | None:
    """Keeps an announcement, and the proof that was published with it.

    Where the watcher expects nothing else yet, a proof that holds makes the statement the one that it expects.

    Returns:
        Whether the proof holds and starts from the known state; None without a proof.

    Raises:
        BridgeError: MESSAGE where it is of another slot or no statement of this tree; SIGNATURE where the statement
            is not what was signed; PROOF where the proof is of another shape or statement. Nothing is kept then.
    """
    graph = watcher.moves.graph
    slot, name = graph.terms.slot, graph.tree.claim.name
    if said.slot != slot:
        raise BridgeError(BridgeReason.MESSAGE, f"it is of {said.slot!r}, this is {slot!r}")
    claim = claims.claim(said.statement)
    if read(graph.keys[name], said.signature) != claim:
        raise BridgeError(
            BridgeReason.SIGNATURE, "the announced statement is not what was signed for this slot"
        )
    holds = None if proof is None else _holds(claims, said.statement, proof)
    watcher.hear(said.signature)
    kept = {_announced_key(slot, claim): said.encode()}
    if proof is not None:
        kept[_proof_key(slot, claim)] = proof
    if holds and watcher.store.meta(_expected_key(slot)) is None:
        kept[_expected_key(slot)] = json.dumps(said.statement).encode()
    if claim in heard(watcher):
        watcher.store.put_metas(kept)
    return holds


def _holds(claims: Claims, statement: Statement, proof: bytes) -> bool:
    if claims.statement(proof) != statement:
        raise BridgeError(BridgeReason.PROOF, "it is a proof of another statement than the announced one")
    claims.execution(proof)
    try:
        claims.check(proof)
    except BridgeError:
        return False
    return True


def _announced_key(slot: str, claim: Digits) -> str:
    return f"{_ANNOUNCED} {slot} {from_nibbles(claim).hex()}"


def _proof_key(slot: str, claim: Digits) -> str:
    return f"{_PROOF} {slot} {from_nibbles(claim).hex()}"


def _expected_key(slot: str) -> str:
    return f"{_EXPECTED} {slot}"


def expect(watcher: Watcher, claims: Claims, statement: Statement) -> None:
    """Tells the watcher which statement is true: a kickoff for another one is challenged.

    Raises:
        BridgeError: MESSAGE where it is none of this tree, or starts from another state than set-up knows.
    """
    claims.claim(statement)
    if not claims.is_known(statement):
        raise BridgeError(BridgeReason.MESSAGE, "it does not start from the ledger that set-up knows")
    watcher.store.put_meta(_expected_key(watcher.moves.graph.terms.slot), json.dumps(statement).encode())


def expected(store: Store, slot: str) -> Statement | None:
    """The statement that the watcher finds true."""
    raw = store.meta(_expected_key(slot))
    return None if raw is None else tuple(json.loads(raw))


def announcements(store: Store, slot: str) -> Iterator[Announcement]:
    """What was heard."""
    for raw in store.metas(f"{_ANNOUNCED} {slot} ").values():
        yield Announcement.decode(raw)


def heard(watcher: Watcher) -> set[Digits]:
    """Every claim of the slot that the watcher has a signature of, announced or asserted."""
    graph = watcher.moves.graph
    name = graph.tree.claim.name
    values = (read(graph.keys[name], each) for each in watcher.store.seen(graph.terms.slot).get(name, []))
    return {value for value in values if value is not None}


def inform(watcher: Watcher, claims: Claims, lot: bytes) -> None:
    """Gives a watcher what its store holds: what it doubts and what it opens follow from it.

    Args:
        watcher: that gets it.
        claims: of its tree.
        lot: a secret of the watcher's (`Claims.plan`), the same at every start.
    """
    statement = expected(watcher.store, watcher.moves.graph.terms.slot)
    if statement is None:
        watcher.challenge = True  # it has seen nothing that holds
    else:
        watcher.claim = claims.claim(statement)
    watcher.guide = guide_of(watcher, claims, lot)


def guide_of(watcher: Watcher, claims: Claims, lot: bytes) -> Guide:
    """What a watcher opens, by what it has heard.

    Towards the statement where the root commits another claim than was announced, or one whose statement starts from
    an unknown state, or one that nobody told: there a leaf convicts, or it shows. Nothing of a statement that the
    watcher finds true: of one statement there are many true proofs, and whoever compares one with another opens all
    that differs, at a price that the operator gets. Else by the proof as far as it fits what is asserted, or without
    data: what is drawn by lot, and no more (`search.py`).
    """
    slot, chosen = watcher.moves.graph.terms.slot, dict[Digits, Guide]()

    def choose(asserted: Digits) -> Guide:
        said = watcher.store.meta(_announced_key(slot, asserted))
        known = said is not None and claims.is_known(Announcement.decode(said).statement)
        if heard(watcher) - {asserted}:
            return open_all(claims.statement_nodes)
        if asserted == watcher.claim:
            return open_nothing
        if said is not None and not known:
            return open_all(claims.statement_nodes)
        plan = claims.plan(watcher.store.meta(_proof_key(slot, asserted)), lot)
        nodes = watcher.moves.graph.nodes
        return open_by(nodes, plan if known else first(nodes, claims.statement_nodes, plan))

    def guide(view: SlotView, node: int) -> Sequence[int]:
        name = view.graph.tree.claim.name
        asserted = read(view.graph.keys[name], view.wire_signatures(ROOT)[name])
        if asserted is None:
            return ()
        if asserted not in chosen:
            chosen[asserted] = choose(asserted)
        return chosen[asserted](view, node)

    return guide


def open_all(targets: Sequence[int]) -> Guide:
    """The ways to several nodes."""

    def guide(view: SlotView, node: int) -> Sequence[int]:
        ways = {each for target in targets for each in view.graph.ancestry(target)}
        return [child for child in view.graph.nodes[node].children if child in ways]

    return guide


def paid(view: SlotView, claims: Claims, said: Announcement, payout: Payout) -> str:
    """What the chain shows of an announced payout."""
    seen = view.chain.transaction(payout.txid)
    if seen is None:
        return "unknown"
    claim = claims.claim(said.statement)
    note: TxOut = payout_outputs(b"", 0, payout.withdrawal, claim, said.slot)[1]
    if note not in seen.tx.outputs:
        return "does not name this withdrawal, claim and slot"
    return "waits for a block" if seen.height is None else f"in block {seen.height}"
