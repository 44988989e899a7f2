"""False proofs, and true ones under every eye: scenarios 4, 5, 7, 8, 12, 14, 20."""

from __future__ import annotations

import random

from verifier.bridge.moves import Moves, wire_label
from verifier.bridge.roles import all_wires, open_at_random, open_towards
from verifier.bridge.simulate.setup import SLOT, script_of
from verifier.bridge.simulate.stage import Stage, expect
from verifier.bridge.tree import Execution, Spend
from verifier.chain.kernel import KernelSpending
from verifier.chain.policy import check_transaction_policy
from verifier.script.spend import verify_input
from verifier.script.winternitz import sign

Signed = dict[str, tuple[bytes, ...]]


def signed_wires(stage: Stage, execution: Execution) -> Signed:
    """Every wire of an execution, signed as a reveal would."""
    values = all_wires(stage.moves, execution)
    return {name: sign(stage.setup.seed, wire_label(SLOT, name), value) for name, value in values.items()}


def judge(moves: Moves, node: int, spend: Spend) -> bool:
    """Whether a leaf spends: the interpreter and Bitcoin Core must agree."""
    spending = moves.disprove(node, spend, script_of("watcher"), 2)
    kernel = KernelSpending(spending).accepts(1)
    expect(verify_input(spending, 1).accepted == kernel, f"node {node}, leaf {spend.leaf}: two verdicts")
    return kernel


def _leaves(stage: Stage) -> list[tuple[int, int]]:
    return [(node.index, leaf) for node in stage.graph.nodes for leaf in range(node.num_leaves)]


def _spend(stage: Stage, node: int, leaf: int, signed: Signed) -> Spend:
    """The witness of a leaf that takes no hints: the signatures of the wires that it reads."""
    names = reversed(stage.case.reads(node, leaf))
    return Spend(leaf, tuple(item for name in names for item in signed[name]))


def every_wire(stage: Stage) -> str:
    """4: each wire corrupted alone; exactly leaves that read it spend, and at least one does."""
    honest = signed_wires(stage, stage.case.honest)
    for node in stage.graph.nodes:
        for wire in (wire for group in node.wires for wire in group):
            wrong = signed_wires(stage, stage.case.corrupt(stage.case.honest, wire.name))
            mixed = {**honest, wire.name: wrong[wire.name]}
            convicting = []
            for at, leaf in _leaves(stage):
                reads = wire.name in stage.case.reads(at, leaf)
                if not reads:
                    continue
                if judge(stage.moves, at, _spend(stage, at, leaf, mixed)):
                    convicting.append((at, leaf))
            expect(bool(convicting), f"{wire.name} is wrong and nothing convicts")
    _play_false(stage, stage.case.corrupt(stage.case.honest, stage.graph.nodes[-1].wires[0][0].name))
    return stage.outcome


def _play_false(stage: Stage, execution: Execution) -> None:
    stage.kickoff(execution)
    stage.watch(challenge=True, guide=open_towards(stage.graph.nodes[-1].index))
    expect(stage.play() == "penalised", "a corrupted wire is paid")


def honest_everywhere(stage: Stage) -> str:
    """5: a true proof: no leaf of any node spends."""
    honest = signed_wires(stage, stage.case.honest)
    for node, leaf in _leaves(stage):
        expect(
            not judge(stage.moves, node, _spend(stage, node, leaf, honest)),
            f"node {node}, leaf {leaf} spends",
        )
    stage.kickoff(stage.case.honest)
    accuser = stage.case.accuser(stage.moves)
    expect(
        not any(accuser.disprove(node.index, honest) for node in stage.graph.nodes),
        "the accuser finds a leaf",
    )
    return stage.play()


def false_proof(stage: Stage) -> str:
    """7: a false proof; whoever has the data opens one path, and one leaf convicts."""
    execution, fault = stage.case.false
    stage.kickoff(execution)
    stage.watch(challenge=True, guide=open_towards(fault))
    outcome = stage.play()
    expect(stage.names[-1] == f"disprove/{fault}", f"the end is {stage.names[-1]}")
    opened = [name for name in stage.names if name.startswith("open/")]
    expect(len(opened) == stage.graph.level(fault), f"one opening a level: {opened}")
    return outcome


def corrupted_root(stage: Stage) -> str:
    """8: a wire of the root is not the proof's: the node below it cannot be true."""
    wire = stage.graph.nodes[0].wires[0][0].name
    readers = [node for node, leaf in _leaves(stage) if wire in stage.case.reads(node, leaf)]
    stage.kickoff(stage.case.corrupt(stage.case.honest, wire))
    stage.watch(challenge=True, guide=open_towards(readers[0]))
    return stage.play()


def other_statement(stage: Stage) -> str:
    """8b: the operator announces one statement and asserts a true proof of another: its two signatures convict it."""
    claim = stage.graph.tree.claim.name
    announced = signed_wires(stage, stage.case.honest)[claim]
    readers = [node for node, leaf in _leaves(stage) if claim in stage.case.reads(node, leaf)]
    stage.kickoff(stage.case.other)
    watcher = stage.watch(challenge=True, guide=open_towards(readers[0]))
    watcher.hear(announced)
    outcome = stage.play()
    expect(stage.names[-1] == f"disprove/{readers[0]}", f"the end is {stage.names[-1]}")
    return outcome


def data_withheld(stage: Stage) -> str:
    """12: nobody saw the proof, and a hash in it has no preimage: openings at random force it out."""
    execution, fault = stage.case.withheld
    stage.kickoff(execution)
    for seed in range(8):
        stage.watch(f"watcher {seed}", challenge=True, guide=open_at_random(random.Random(seed)))
    outcome = stage.play()
    expect(stage.names[-1] == f"disprove/{fault}", f"the end is {stage.names[-1]}")
    return outcome


def largest_leaf(stage: Stage) -> str:
    """14: the largest leaf of all relays under default policy, and is mined."""
    leaves = {at: len(stage.graph.disprove_leaf(*at)) for at in _leaves(stage)}
    node, leaf = max(leaves, key=lambda at: leaves[at])
    wire = stage.case.reads(node, leaf)[-1]
    execution = stage.case.corrupt(stage.case.honest, wire)
    spend = _spend(stage, node, leaf, signed_wires(stage, execution))
    stage.kickoff(execution)
    watcher = stage.watch(challenge=True, guide=open_towards(node))
    stage.play(until=lambda: stage.view.commitment(node) is not None)
    spending = watcher.moves.disprove(node, spend, script_of("watcher"), 2)
    violation = check_transaction_policy(spending)
    expect(violation is None, f"not standard: {violation}")
    expect(spending.tx.weight <= 400_000, f"{spending.tx.weight} weight units")
    stage.send(f"disprove/{node}", spending, "watcher")
    stage.mine()
    return stage.outcome


def three_places(stage: Stage) -> str:
    """20: the interpreter, the kernel and a node's block give one verdict on every leaf, true wires and false."""
    signed = {
        True: signed_wires(stage, stage.case.honest),
        False: signed_wires(stage, stage.case.false[0]),
    }
    verdicts = {
        (node, leaf, true): judge(stage.moves, node, _spend(stage, node, leaf, wires))
        for node, leaf in _leaves(stage)
        for true, wires in signed.items()
    }
    convicting = [at for at, spends in verdicts.items() if spends]
    expect([node for node, _, true in convicting if not true] == [stage.case.false[1]], f"{convicting}")
    expect(not any(true for _, _, true in convicting), "a leaf spends on true wires")
    stage.kickoff(stage.case.false[0])
    stage.watch(challenge=True, guide=open_towards(stage.case.false[1]))
    stage.play(until=lambda: stage.view.commitment(stage.case.false[1]) is not None)
    node = stage.case.false[1]
    for leaf in range(stage.graph.nodes[node].num_leaves):
        spending = stage.moves.disprove(
            node, _spend(stage, node, leaf, signed[False]), script_of("watcher"), 2
        )
        taken = stage.mines(f"disprove/{node}", spending, "watcher")
        expect(taken == verdicts[node, leaf, False], f"leaf {leaf}: the node and the kernel differ")
        if taken:
            break
    return stage.outcome
