"""False proofs, and true ones under every eye: scenarios 4, 5, 7, 8, 12, 14, 20."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import copy

from verifier.bridge.game.moves import Moves, wire_label
from verifier.bridge.game.roles import all_wires, open_towards
from verifier.bridge.simulate.setup import SLOT, script_of
from verifier.bridge.simulate.stage import Stage, expect
from verifier.bridge.tree import Digits, Execution, Spend, values_of
from verifier.chain.kernel import KernelSpending
from verifier.chain.policy import check_transaction_policy
from verifier.script.spend import verify_input
from verifier.script.winternitz import sign


class Signed(dict[str, tuple[bytes, ...]]):
    """Wires of an execution as a reveal would sign them, each signed when it is looked at.

    Attributes:
        digits: of the wires of every node.
    """

    def __init__(self, stage: Stage, execution: Execution) -> None:
        super().__init__()
        self._seed = stage.setup.seed
        self.digits = all_wires(stage.moves, execution)

    def __missing__(self, name: str) -> tuple[bytes, ...]:
        self[name] = sign(self._seed, wire_label(SLOT, name), self.digits[name])
        return self[name]

    def but(self, name: str, value: Digits) -> Signed:
        """The same with one wire's value another."""
        out = copy(self)
        out.digits = {**self.digits, name: value}
        out.pop(name, None)
        return out


def judge(moves: Moves, node: int, spend: Spend) -> bool:
    """Whether a leaf spends: the interpreter and Bitcoin Core must agree."""
    spending = moves.disprove(node, spend, script_of("watcher"), 2)
    kernel = KernelSpending(spending).accepts(1)
    expect(verify_input(spending, 1).accepted == kernel, f"node {node}, leaf {spend.leaf}: two verdicts")
    return kernel


def leaves_of(stage: Stage) -> list[tuple[int, int]]:
    """The leaves that scenarios try one by one: node, number."""
    nodes = stage.graph.nodes
    return [(node, leaf) for node in stage.case.scope for leaf in range(nodes[node].num_leaves)]


def spend_of(stage: Stage, node: int, leaf: int, signed: Signed) -> Spend:
    """A leaf's witness: hints, and the signatures of the wires that it reads."""
    hints = stage.case.hints(node, leaf, signed.digits)
    names = reversed(stage.case.reads(node, leaf))
    return Spend(leaf, (*hints, *(item for name in names for item in signed[name])))


def every_wire(stage: Stage) -> str:
    """4: each wire corrupted alone; exactly leaves that read it spend, and at least one does.

    Over the rollup's tree: the wires of the false node of scenario 7; `make disprove` does all others.
    """
    honest = Signed(stage, stage.case.honest)
    readers: dict[str, list[tuple[int, int]]] = {}
    for at, leaf in leaves_of(stage):
        for name in stage.case.reads(at, leaf):
            readers.setdefault(name, []).append((at, leaf))
    whole = len(stage.case.scope) == len(stage.graph.nodes)
    last = stage.graph.nodes[stage.case.scope[-1]]
    tried = stage.graph.nodes if whole else [last]
    for holder, wire in ((node, wire) for node in tried for group in node.wires for wire in group):
        wrong = values_of(holder, stage.case.corrupt(stage.case.honest, wire.name))
        mixed = honest.but(wire.name, wrong[wire.name])
        convicting = [
            at for at in readers[wire.name] if judge(stage.moves, at[0], spend_of(stage, *at, mixed))
        ]
        expect(bool(convicting), f"{wire.name} is wrong and nothing convicts")
    _play_false(stage, stage.case.corrupt(stage.case.honest, last.wires[0][0].name), last.index)
    return stage.outcome


def _play_false(stage: Stage, execution: Execution, node: int) -> None:
    stage.kickoff(execution)
    stage.watch(challenge=True, guide=open_towards(node))
    expect(stage.play() == "penalised", "a corrupted wire is paid")
    expect(stage.names[-1].startswith("disprove/"), f"the end is {stage.names[-1]}")


def honest_everywhere(stage: Stage) -> str:
    """5: a true proof: no leaf of any node spends."""
    honest = Signed(stage, stage.case.honest)
    for node, leaf in leaves_of(stage):
        expect(
            not judge(stage.moves, node, spend_of(stage, node, leaf, honest)),
            f"node {node}, leaf {leaf} spends",
        )
    stage.kickoff(stage.case.honest)
    accuser = stage.case.accuser(stage.moves)
    expect(
        not any(accuser.disprove(node, honest) for node in stage.case.scope),
        "the accuser finds a leaf",
    )
    return stage.play()


def false_proof(stage: Stage) -> str:
    """7: a false proof; whoever has the data opens one path, and one leaf convicts."""
    execution, fault = stage.case.false
    return convict(stage, execution, fault)


def convict(stage: Stage, execution: Execution, fault: int) -> str:
    """A watcher who has the proof bisects: one opening a level, and the first false node is the last revealed."""
    stage.kickoff(execution)
    stage.watch(challenge=True, guide=stage.case.guide(execution))
    outcome = stage.play_to(f"disprove/{fault}")
    opened = [name for name in stage.names if name.startswith("open/")]
    expect(len(opened) == stage.graph.level(fault), f"one opening a level: {opened}")
    operator, take = stage.operators["operator"], f"take2/{stage.vault.name}"
    stage.refused(take, operator.sign(take), "operator")
    expect(stage.view.spender(stage.vault) is None, "the vault is untouched")
    return outcome


def corrupted_root(stage: Stage) -> str:
    """8: a wire of the root is not the proof's: the node below it cannot be true."""
    root = {wire.name for group in stage.graph.nodes[0].wires for wire in group}
    uses = ((node, wire) for node, leaf in leaves_of(stage) for wire in stage.case.reads(node, leaf))
    node, wire = next((node, wire) for node, wire in uses if node and wire in root)
    stage.kickoff(stage.case.corrupt(stage.case.honest, wire))
    stage.watch(challenge=True, guide=open_towards(node))
    outcome = stage.play()
    expect(stage.names[-1].startswith("disprove/"), f"the end is {stage.names[-1]}")
    return outcome


def other_statement(stage: Stage) -> str:
    """8b: the operator announces one statement and asserts a true proof of another: its two signatures convict it."""
    claim = stage.graph.tree.claim.name
    announced = Signed(stage, stage.case.honest)[claim]
    reader = next(node for node, leaf in _playable(stage) if claim in stage.case.reads(node, leaf))
    stage.kickoff(stage.case.other)
    watcher = stage.watch(challenge=True, guide=open_towards(reader))
    watcher.hear(announced)
    return stage.play_to(f"disprove/{reader}")


def data_withheld(stage: Stage) -> str:
    """12: nobody saw the proof, and a hash in it has no preimage: openings at random force it out."""
    execution, fault = stage.case.withheld
    stage.kickoff(execution)
    for seed in range(8 if fault is not None else 1):
        guide = stage.case.random_guide(random.Random(seed))
        stage.watch(f"watcher {seed}", challenge=True, guide=guide)
    outcome = stage.play()
    convicting = [name for name in stage.names if name.startswith("disprove/")]
    expect(len(convicting) == 1, f"the end is {stage.names[-1]}")
    expect(fault is None or convicting == [f"disprove/{fault}"], f"{convicting[-1]}, not node {fault}")
    return outcome


def _playable(stage: Stage) -> Iterator[tuple[int, int]]:
    """Leaves on whose way no node is too wide for a transaction."""
    wide = set(stage.graph.too_wide)
    for node in stage.graph.nodes:
        if not wide & set(stage.graph.ancestry(node.index)):
            yield from ((node.index, leaf) for leaf in range(node.num_leaves))


def largest_leaf(stage: Stage) -> str:
    """14: the largest leaf of all relays under default policy, and is mined."""
    leaves = {at: stage.case.tree.leaf_bytes(*at) for at in _playable(stage)}
    node, leaf = max(leaves, key=lambda at: leaves[at])
    for wire in stage.case.reads(node, leaf):
        execution = stage.case.corrupt(stage.case.honest, wire)
        spend = spend_of(stage, node, leaf, Signed(stage, execution))
        if judge(stage.moves, node, spend):
            break
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
        True: Signed(stage, stage.case.honest),
        False: Signed(stage, stage.case.false[0]),
    }
    verdicts = {
        (node, leaf, true): judge(stage.moves, node, spend_of(stage, node, leaf, wires))
        for node, leaf in leaves_of(stage)
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
            node, spend_of(stage, node, leaf, signed[False]), script_of("watcher"), 2
        )
        taken = stage.mines(f"disprove/{node}", spending, "watcher")
        expect(taken == verdicts[node, leaf, False], f"leaf {leaf}: the node and the kernel differ")
        if taken:
            break
    return stage.outcome
