"""Operators, challengers and colluders who do what they can: scenarios 9 to 11, 13, 18."""

from __future__ import annotations

from dataclasses import replace

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import Transaction, TxIn, TxOut
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.moves import sign_key_paths, wire_label
from verifier.bridge.game.roles import Watcher, all_wires, open_towards
from verifier.bridge.game.view import SlotView
from verifier.bridge.simulate.faults import Signed, spend_of
from verifier.bridge.simulate.setup import OTHER_SLOT, SLOT, script_of, secret_of
from verifier.bridge.simulate.stage import Stage, expect
from verifier.bridge.tree import Spend
from verifier.chain.chain import Chain
from verifier.script.winternitz import sign

BAD = "bad-txns-inputs-missingorspent"


def double_claims(stage: Stage) -> str:
    """9: a second kickoff, a second take, and another slot's wires in this slot's assertion."""
    operator = stage.kickoff(stage.case.honest)
    again = Transaction(
        2, (TxIn(stage.graph.coins["F"].outpoint),), (TxOut(1_000_000, script_of("operator")),)
    )
    spent = (stage.graph.coins["F"].txout,)
    double = sign_key_paths(Spending(again, spent), (0,), secret_of("operator"))
    stage.refused("second kickoff", double, "operator", BAD)
    stage.watch(challenge=True)
    stage.play(until=lambda: "challenge" in stage.names)
    take1 = operator.sign(f"take1/{stage.vault.name}")
    stage.refused("take1", take1, "operator", BAD)
    true = operator.sign("assert")
    stage.refused("assert", _with_wires_of(stage, true, OTHER_SLOT), "operator", "script")
    outcome = stage.play()
    for kind in ("take1", "take2"):
        stage.refused(kind, operator.moves.take(kind, stage.setup.deposits[1].vault), "operator")
    stage.refused("take1", take1, "operator", BAD)
    return outcome


def _with_wires_of(stage: Stage, spending: Spending, slot: str) -> Spending:
    """An assertion whose wires are signed with another slot's one-time keys."""
    values = all_wires(stage.moves, stage.case.honest)
    tx = spending.tx
    for index, group in enumerate(stage.graph.nodes[0].wires):
        items = [
            item
            for wire in reversed(group)
            for item in sign(stage.setup.seed, wire_label(slot, wire.name), values[wire.name])
        ]
        tx = tx.with_witness(index, (*items, *tx.inputs[index].witness[-3:]))
    return Spending(tx, spending.spent)


def equivocation(stage: Stage) -> str:
    """10: an operator's store refuses a second value; one who signs two all the same is convicted after a reorg.

    The false reveal is mined and reorganised away; the same txid comes back with a true witness. The watcher has
    kept the false signature, and the leaf takes it.
    """
    execution, fault = stage.case.false
    operator = stage.kickoff(stage.case.honest)
    honest = all_wires(stage.moves, stage.case.honest)
    try:
        operator.commit(execution)
        expect(False, "a second value was made durable")
    except BridgeError as error:
        expect(error.reason is BridgeReason.EQUIVOCATION, str(error))
    expect(operator.store.wires(SLOT) == honest, "the store changed")
    stage.watch(challenge=True, guide=open_towards(fault))
    stage.play(until=lambda: f"open/{fault}" in stage.names)
    wrong = stage.case.corrupt(stage.case.honest, stage.graph.nodes[fault].wires[0][0].name)
    false = stage.moves.commit(fault, stage.setup.seed, all_wires(stage.moves, wrong))
    stage.sleep("operator", "watcher")
    stage.mine_only((f"reveal/{fault}", false, "operator"))
    stage.wake("watcher")
    stage.step()
    expect(stage.node.transaction(false.tx.txid) is not None, "the false reveal was mined")
    stage.node.reorg(1, [operator.sign(f"reveal/{fault}").tx])
    stage.wake("operator")
    return stage.play_to(f"disprove/{fault}")


def restarted_in_mid_reveal(stage: Stage) -> str:
    """10b: the operator is killed after each transaction that it sends; what it sends again is byte-identical."""
    fault = stage.case.scope[-1]
    stage.kickoff(stage.case.honest)
    stage.watch(challenge=True, guide=open_towards(fault))
    while not stage.outcome:
        operator = stage.operators["operator"]
        first = {name: operator.sign(name).tx.serialize() for name in operator.due(stage.node)}
        restarted = stage.open_operator()
        second = {name: restarted.sign(name).tx.serialize() for name in restarted.due(stage.node)}
        expect(first == second, f"after a restart other bytes: {sorted(first)}")
        stage.operators["operator"] = restarted
        stage.play_on()
    return stage.outcome


def malicious_challenger(stage: Stage) -> str:
    """11: malformed witnesses convict nobody; opening everything costs the challenger, and the operator is paid."""
    stage.kickoff(stage.case.honest)
    scope = set(stage.case.scope)
    watcher = stage.watch(
        challenge=True,
        guide=lambda view, node: [child for child in view.graph.nodes[node].children if child in scope],
    )
    stage.play(until=lambda: scope <= set(stage.view.revealed()))
    signed = Signed(stage, stage.case.honest)
    tried = 0
    for node in (stage.graph.nodes[at] for at in stage.case.scope):
        for leaf in range(min(node.num_leaves, 4)):
            items = spend_of(stage, node.index, leaf, signed).items
            for place in (*range(0, len(items), max(1, len(items) // 6)), len(items) - 1):
                for bad in (b"", b"\x10", b"\x81", b"\0", items[place] + b"\0", b"\x7f" * 5):
                    if bad != items[place]:
                        claim = Spend(leaf, (*items[:place], bad, *items[place + 1 :]))
                        spending = watcher.moves.disprove(node.index, claim, watcher.reward, 2)
                        stage.refused(f"disprove/{node.index}", spending, "watcher")
                        tried += 1
    expect(tried > 50, f"only {tried} malformed claims")
    outcome = stage.play()
    paid = [r for r in stage.records if r.name.startswith(("open/", "challenge"))]
    prices = (
        stage.graph.terms.amounts.open_price * (len(paid) - 1) + stage.graph.terms.amounts.challenge_price
    )
    to_operator = sum(r.spending.tx.outputs[0].value for r in paid)
    expect(to_operator == prices, f"{to_operator} sat for answers that cost {prices}")
    return outcome


def colluders_steer(stage: Stage) -> str:
    """13: all challengers but one collude and open harmless nodes first; the honest one still opens the false one."""
    execution, fault = stage.case.false
    stage.kickoff(execution)
    path = stage.graph.ancestry(fault)

    def elsewhere(view: SlotView, node: int) -> list[int]:
        """A few harmless nodes beside the path, and one below each: all of them would take a larger purse."""
        off = [child for child in view.graph.nodes[node].children if child not in path]
        return off[: 3 if node in path else 1]

    class Colluder(Watcher):
        """Opens what it is told to, and never disproves or times out."""

        def due(self, chain: Chain) -> list[str]:
            return [name for name in super().due(chain) if name.startswith(("challenge", "open/"))]

    for number in range(4):
        honest = stage.watch(f"colluder {number}", challenge=True, guide=elsewhere)
        stage.watchers[f"colluder {number}"] = Colluder(
            *(honest.store, honest.moves, honest.accuser, honest.wallet, honest.reward, True, elsewhere)
        )
    stage.watch("honest", guide=open_towards(fault))
    outcome = stage.play()
    expect(
        any(r.who == "honest" and r.name == f"disprove/{fault}" for r in stage.records), "the honest one wins"
    )
    return outcome


def redirected(stage: Stage) -> str:
    """18: a penalty's other outputs are free, output 0 is not; nobody burns a disprove output beside the stake.

    The operator front-runs its own disproof, and the pot is paid all the same.
    """
    execution, fault = stage.case.false
    stage.kickoff(execution)
    watcher = stage.watch(challenge=True, guide=open_towards(fault))
    stage.play(until=lambda: stage.view.commitment(fault) is not None)
    stage.sleep("watcher", "operator")
    signatures: dict[str, tuple[bytes, ...]] = {}
    for node in stage.graph.ancestry(fault):
        signatures |= stage.view.wire_signatures(node)
    spend = watcher.accuser.disprove(fault, signatures)
    if spend is None:
        expect(False, "the node is false")
        return ""
    spending = watcher.moves.disprove(fault, spend, watcher.reward, 2)
    outputs = spending.tx.outputs
    for changed in (
        (replace(outputs[0], script=script_of("operator")), *outputs[1:]),
        (replace(outputs[0], value=outputs[0].value - 1), *outputs[1:]),
        outputs[1:],
    ):
        stage.refused("disprove", Spending(replace(spending.tx, outputs=changed), spending.spent), "operator")
    expect(
        not stage.mines("burn", _burn(spending), "operator"), "a disprove output was spent beside the stake"
    )
    stolen = (outputs[0], replace(outputs[1], script=script_of("operator")))
    front = Spending(replace(spending.tx, outputs=stolen), spending.spent)
    stage.send(f"disprove/{fault}", front, "operator")
    stage.mine()
    pot = [out for out in front.tx.outputs if out.script == stage.graph.terms.pot]
    expect(sum(out.value for out in pot) == stage.graph.terms.amounts.penalty, "the pot has the penalty")
    stage.wake("operator")
    operator = stage.operators["operator"]
    stage.refused("take2", operator.sign(f"take2/{stage.vault.name}"), "operator")
    return stage.outcome


def _burn(spending: Spending) -> Spending:
    """The convicting leaf without the stake: it would leave the node's disproof nothing to spend."""
    out = TxOut(330, script_of("operator"))
    tx = replace(spending.tx, inputs=spending.tx.inputs[1:], outputs=(out,))
    return Spending(tx, spending.spent[1:])
