"""Money in and out when nobody lies: scenarios 1 to 3, 16."""

from __future__ import annotations

from verifier.bitcoin.keys import sign_schnorr
from verifier.bitcoin.sighash import Spending
from verifier.bridge.game.roles import open_towards
from verifier.bridge.game.scripts import delayed_key
from verifier.bridge.simulate.setup import secret_of
from verifier.bridge.simulate.stage import Stage, expect

EARLY = "non-BIP68-final"


def _refund(stage: Stage, number: int) -> Spending:
    template = stage.setup.deposits[number].refund()
    code = delayed_key(stage.setup.deposits[number].user, stage.graph.terms.windows.refund)
    raw = sign_schnorr(secret_of("user"), template.message(0), bytes(32))
    output = template.inputs[0].coin.output
    expect(output is not None, "a deposit has leaves")
    control = output.control_block(0) if output else b""
    return Spending(template.signed([(raw, code, control)]), template.spending.spent)


def pegin_and_refund(stage: Stage) -> str:
    """1: a peg-in becomes a vault; another deposit is not taken in, and its user has it back, not too early."""
    stage.pegin(0)
    expect(stage.view.spender(stage.setup.deposits[0].coin) is not None, "the deposit is in its vault")
    tx = stage.setup.deposit_txs[1]
    spent = (stage.setup.bank.outputs[tx.inputs[0].previous.index],)
    stage.send("deposit/1", Spending(tx, spent), "user")
    stage.mine()
    wait = stage.graph.terms.windows.refund
    stage.refused("refund/1", _refund(stage, 1), "user", EARLY)
    stage.mine(wait - 2)
    stage.refused("refund/1", _refund(stage, 1), "user", EARLY)
    stage.mine()
    stage.send("refund/1", _refund(stage, 1), "user")
    stage.mine()
    stage.refused("refund/0", _refund(stage, 0), "user")
    return "refunded"


def unchallenged(stage: Stage) -> str:
    """2: nobody objects; the operator is paid, not a block too early."""
    operator = stage.kickoff(stage.case.honest)
    take = f"take1/{stage.vault.name}"
    stage.refused(take, operator.sign(take), "operator", EARLY)
    stage.mine(stage.graph.terms.windows.take1 - 2)
    stage.refused(take, operator.sign(take), "operator", EARLY)
    stage.watch()
    outcome = stage.play()
    expect(stage.names[-2:] == ["kickoff", take], f"nothing but the kickoff and the take: {stage.names}")
    cost = sum(r.spending.tx.vbytes for r in stage.records if r.name.startswith(("kickoff", "take1")))
    expect(cost <= 1_500, f"an unchallenged peg-out of {cost} vB")
    return outcome


def challenged_honest(stage: Stage) -> str:
    """3: a challenge and openings down to a leaf; the operator answers, and takes, not too early."""
    operator = stage.kickoff(stage.case.honest)
    leaf = stage.case.scope[-1]
    stage.watch(challenge=True, guide=open_towards(leaf))
    path = [f"reveal/{node}" for node in stage.graph.ancestry(leaf)[1:]]
    stage.play(until=lambda: "assert" in stage.names)
    take = f"take2/{stage.vault.name}"
    stage.refused(take, operator.sign(take), "operator", EARLY)
    first = stage.view.commitment(0)
    expect(first is not None, "the assertion is there")
    last = (first.height if first else 0) + stage.graph.terms.windows.take2 - 2
    stage.play(until=lambda: stage.view.height >= last or (not stage.view.pending() and _jump(stage, last)))
    stage.refused(take, operator.sign(take), "operator", EARLY)
    outcome = stage.play()
    expect(all(name in stage.names for name in path), f"every opened node is revealed: {stage.names}")
    return outcome


def _jump(stage: Stage, height: int) -> bool:
    """Mines up to a height; true, for use in a condition."""
    stage.mine(max(0, height - stage.view.height))
    return True


def concurrent_pegins(stage: Stage) -> str:
    """16: two peg-ins at once; the slot takes one vault, and cannot take the other as well."""
    stage.pegin(1)
    operator = stage.kickoff(stage.case.honest)
    outcome = stage.play()
    other = stage.setup.deposits[1].vault
    for kind in ("take1", "take2"):
        stage.refused(f"{kind}/{other.name}", operator.moves.take(kind, other), "operator")
    expect(stage.view.spender(other) is None, "the other vault is untouched")
    return outcome
