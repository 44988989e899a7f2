"""Reorgs, fees, crashes, lost files, absent members: scenarios 15, 17, 19."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from verifier.bitcoin.musig_session import ID_SIZE
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction, TxIn, TxOut
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import commitment_coin
from verifier.bridge.game.moves import Moves, sign_key_paths
from verifier.bridge.game.params import MARGINS
from verifier.bridge.game.presign import Phase, check_complete, protect_requests
from verifier.bridge.game.roles import open_towards
from verifier.bridge.setup.committee import Batch, Member, sign_batch
from verifier.bridge.simulate.setup import SLOT, all_signatures, new_members, script_of, secret_of
from verifier.bridge.simulate.stage import ScenarioFailure, Stage, expect
from verifier.chain.fees import spending_of
from verifier.chain.policy import Reason, fee_of
from verifier.chain.wallet import Wallet
from verifier.script.script import P2A


def reorg_each_step(stage: Stage) -> str:
    """15a: after each new transaction the chain loses its last two blocks; every role takes up where the chain is."""
    execution, fault = stage.case.false
    stage.kickoff(execution)
    stage.watch(challenge=True, guide=open_towards(fault))
    done = set(stage.names)
    while not stage.outcome:
        stage.play_on()
        if new := set(stage.names) - done:
            done |= new
            stage.reorg(2)
            expect(not new & set(stage.names), f"{new} survived a reorg")
    stage.reorg(2)
    expect(not stage.outcome, "the end is reorganised as well")
    expect(done > {"challenge", "assert", f"disprove/{fault}"}, f"reorganised: {sorted(done)}")
    return stage.play()


def fee_spike(stage: Stage) -> str:
    """15b: miners ask for 100 sat/vB; the watcher replaces its disproof, which the stake pays for."""
    execution, fault = stage.case.false
    stage.kickoff(execution)
    watcher = stage.watch(challenge=True, guide=open_towards(fault))
    stage.play(until=lambda: stage.view.commitment(fault) is not None)
    stage.step()
    low = stage.node.mempool()
    expect([tx.txid for tx in low] != [], "the cheap disproof waits")
    for _ in range(10):
        stage.node.mine_these([])
    watcher.fee_rate = 100
    watcher.step(stage.node)
    stage.sleep("watcher", "operator")
    high = stage.node.mempool()
    expect(len(high) == 1 and high[0].txid != low[0].txid, "the dearer disproof replaces the cheap one")
    sent = [each for each in watcher.step(stage.node) if each.refusal is None]
    for each in sent:
        stage.offer(each.name, each.spending, "watcher")
    stage.mine()
    last = stage.records[-1]
    expect(last.name == f"disprove/{fault}", f"the end is {last.name}")
    expect(stage.fee(last) >= 100 * last.spending.tx.vbytes, f"{stage.fee(last)} sat for it")
    return stage.outcome


def bumped_answers(stage: Stage) -> str:
    """15d: the operator answers in the same spike: every transaction gets a child that lifts both to 60 sat/vB."""
    operator = stage.kickoff(stage.case.honest)
    operator.wallet = Wallet(secret_of("purse"), stage.node, [secret_of("operator")])
    operator.fee_rate = 60
    stage.watch(challenge=True, guide=open_towards(stage.case.scope[-1]))
    while not stage.outcome:
        before = len(stage.records)
        stage.play_on()
        new = stage.records[before:]
        for record in new:
            child = next((r for r in new if r.name == f"bump {record.name}"), None)
            if record.name.startswith(("assert", "reveal", "close", "take")):
                expect(child is not None, f"{record.name} has no child")
                pair = [record.spending, child.spending] if child else []
                fees, vbytes = sum(map(fee_of, pair)), sum(each.tx.vbytes for each in pair)
                expect(fees >= 60 * vbytes, f"{record.name}: {fees} sat for {vbytes} vB")
    return stage.outcome


def pinned_child(stage: Stage) -> str:
    """15e: the largest child that relays hangs on a close, at the lowest fee; the operator's own child pushes it out.

    Of an assertion nobody else can spend an output before it is mined: anchors are keyed, all others locked.
    """
    operator = stage.kickoff(stage.case.honest)
    operator.wallet = Wallet(secret_of("purse"), stage.node, [secret_of("operator")])
    stage.watch(challenge=True)
    stage.play(until=lambda: "challenge" in stage.names)
    assertion = operator.sign("assert")
    stage.send("assert", assertion, "operator")
    for index in range(len(assertion.tx.outputs)):
        stage.refused("pin", _pin(stage, assertion.tx, index, 1_000), "attacker")
    stage.mine()
    node = stage.graph.nodes[0].children[0]
    stage.mine(stage.graph.terms.windows.close - stage.view.age(commitment_coin(node, 0)))
    close = operator.sign(f"close/{node}")
    anchor = len(close.tx.outputs) - 1
    stage.send(f"close/{node}", close, "operator")
    stage.refused("pin", _pin(stage, close.tx, anchor, 1_100), "attacker", str(Reason.TRUC_CHILD_SIZE))
    pin = _pin(stage, close.tx, anchor, 1_000)
    expect(pin.tx.vbytes > 900, f"a pin of {pin.tx.vbytes} vB")
    stage.send("pin", pin, "attacker")
    child = spending_of(stage.node, operator.wallet.bump(close.tx, anchor, 60_000))
    stage.send(f"bump close/{node}", child, "operator")
    expect(not _waiting(stage, pin), "the pin is still there")
    fees, vbytes = fee_of(close) + fee_of(child), close.tx.vbytes + child.tx.vbytes
    expect(fees >= 60 * vbytes, f"{fees} sat for {vbytes} vB")
    expect(fee_of(child) < 60 * vbytes + 2_000, f"the pin made the child cost {fee_of(child)} sat")
    stage.mine()
    expect({f"close/{node}", f"bump close/{node}"} <= set(stage.names), "both are mined")
    return stage.play()


def _pin(stage: Stage, parent: Transaction, index: int, vbytes: int) -> Spending:
    """An attacker's child of about so many vbytes, at 1 sat/vB; what is not its own it signs as well as it can."""
    point, coin = stage.wallet.coins()[0]
    padding = tuple(TxOut(330, script_of("pot")) for _ in range((vbytes - 190) // 43))
    inputs = (TxIn(parent.outpoint(index)), TxIn(point))
    spent = (parent.outputs[index], coin)
    rest = sum(out.value for out in spent) - sum(out.value for out in padding) - vbytes
    tx = Transaction(parent.version, inputs, (*padding, TxOut(rest, script_of("attacker"))))
    own = (1,) if spent[0].script == P2A else (0, 1)
    return sign_key_paths(Spending(tx, spent), own, secret_of("purse"))


def cycled_close(stage: Stage) -> str:
    """15c: whenever the operator closes a node, somebody replaces the close by an opening that is never mined.

    144 blocks before the deadline the operator stops waiting and reveals, unpaid.
    """
    stage.kickoff(stage.case.honest)
    stage.watch(challenge=True)
    stage.play(until=lambda: stage.view.commitment(0) is not None)
    windows = stage.graph.terms.windows
    node = stage.graph.nodes[0].children[0]
    coin = commitment_coin(node, 0)
    watcher, operator = stage.watchers.pop("watcher"), stage.operators["operator"]
    stage.mine(windows.close - stage.view.age(coin))
    cycles = 0
    while not any(name == f"reveal/{node}" for name in operator.due(stage.node)):
        close = operator.sign(f"close/{node}")
        stage.send(f"close/{node}", close, "operator")
        paid = spending_of(stage.node, stage.wallet.fund(watcher.moves.paid(f"open/{node}"), 40_000))
        stage.send(f"open/{node}", paid, "attacker")
        for _ in range(24):
            stage.node.mine_these([])
        stage.send("cycle", _spend_again(paid), "attacker")
        expect(not _waiting(stage, close, paid), "both are gone from the mempool")
        for _ in range(24):
            stage.node.mine_these([])
        cycles += 1
    expect(cycles > 1, f"{cycles} cycles")
    expect(
        stage.view.age(coin) <= windows.reveal_timeout - MARGINS.lateness + 50, "the operator waits too long"
    )
    outcome = stage.play()
    expect(f"reveal/{node}" in stage.names, "the operator reveals")
    return outcome


def _spend_again(opening: Spending) -> Spending:
    """The attacker's own coin, spent elsewhere for a higher fee: the opening leaves the mempool with it."""
    coin, value = opening.tx.inputs[1], opening.spent[1].value
    out = TxOut(value - 90_000, opening.spent[1].script)
    tx = Transaction(2, (TxIn(coin.previous),), (out,))
    return sign_key_paths(Spending(tx, opening.spent[1:2]), (0,), secret_of("purse"))


def _waiting(stage: Stage, *spendings: Spending) -> bool:
    held = {tx.txid for tx in stage.node.mempool()}
    return any(spending.tx.txid in held for spending in spendings)


def lost_state(stage: Stage) -> str:
    """17: in mid-game the watcher's and the operator's directories are lost, and rebuilt from what others serve.

    A watcher needs what every committee member serves; an operator its seed, and the proof, whose wires are
    the same again.
    """
    execution, fault = stage.case.false
    stage.kickoff(execution)
    stage.watch(challenge=True, guide=open_towards(fault))
    level = stage.graph.ancestry(fault)[1]
    stage.play(until=lambda: stage.view.commitment(level) is not None)
    if stage.setup.members:
        served = Moves(stage.graph, all_signatures(stage.setup))
        check_complete(
            protect_requests(stage.graph), served.signatures, stage.graph.terms.committee, "what is served"
        )
        stage.moves = served
    for name in ("operator", "watcher"):
        shutil.rmtree(stage.directory / name)
    stage.watch(guide=open_towards(fault))
    stage.hire(execution)
    return stage.play_to(f"disprove/{fault}")


def absent_member(stage: Stage) -> str:
    """19: a member is offline, signs out of order, or sends a wrong share: a clear error, and nothing is locked."""
    with TemporaryDirectory() as directory:
        members = new_members(Path(directory), stage.case.tree)
        offer = stage.setup.offer
        if offer is None:
            raise ScenarioFailure("no committee has made this slot")
        deposit = stage.setup.deposits[0]
        for member in members:
            member.adopt(offer)
        protect, pay = Batch(Phase.PROTECT, SLOT), Batch(Phase.PAY, SLOT, deposit)
        _refuses(BridgeReason.ORDER, partial(sign_batch, members, pay))
        _refuses(BridgeReason.OFFLINE, partial(sign_batch, [*members[:-1], None], protect))
        _refuses(BridgeReason.ORDER, partial(members[0].shares, protect, []))
        _refuses(BridgeReason.SHARE, partial(sign_batch, [*members[:-1], Liar(members[-1])], protect))
        expect(not members[0].store.signatures(SLOT).keys() - offer.openings.keys(), "nothing is signed")
        sign_batch(members, protect)
        _refuses(BridgeReason.ORDER, partial(sign_batch, members, pay))
    expect(stage.node.utxo(deposit.outpoint) is None, "the deposit was never broadcast")
    expect(stage.node.utxo(stage.graph.coins["F"].outpoint) is not None, "the operator's outpoint is its own")
    return "refused"


class Liar(Member):
    """Sends another session's shares."""

    def __init__(self, member: Member) -> None:
        self.__dict__ = member.__dict__

    def shares(self, batch: Batch, nonces: Sequence[bytes]) -> bytes:
        """The right form, the wrong numbers."""
        share = super().shares(batch, nonces)
        return share[:ID_SIZE] + (bytes(31) + b"\1") * (len(share) // 32 - 1)


def _refuses(reason: BridgeReason, call: Callable[[], object]) -> None:
    try:
        call()
    except BridgeError as error:
        expect(error.reason is reason, f"{error.reason}, not {reason}")
        return
    expect(False, f"nobody refused: {reason}")
