"""Every move is a standard transaction that Bitcoin Core accepts, and has the size that set-up predicted."""

from tests.bridge.slot import OPERATOR, POT, SEED, TREE, set_up
from verifier.bitcoin.sighash import Spending
from verifier.bridge.game.moves import wire_label
from verifier.bridge.toy import ToyAccuser, ToyExecution
from verifier.bridge.tree import Digits, Execution
from verifier.chain.kernel import KernelSpending
from verifier.chain.policy import check_transaction_policy
from verifier.script.winternitz import sign


def wires(execution: Execution) -> dict[str, Digits]:
    return {
        wire.name: value
        for node in TREE.nodes
        for group, values in zip(node.wires, execution.values(node.index), strict=True)
        for wire, value in zip(group, values, strict=True)
    }


HONEST = wires(ToyExecution.make(TREE))
FALSE = wires(ToyExecution.make(TREE, wrong_sum=1))


def signatures(values: dict[str, Digits]) -> dict[str, tuple[bytes, ...]]:
    return {name: sign(SEED, wire_label("slot", name), value) for name, value in values.items()}


def accept(spending: Spending) -> None:
    assert check_transaction_policy(spending) is None
    kernel = KernelSpending(spending)
    assert all(kernel.accepts(index) for index in range(len(spending.tx.inputs)))


def test_the_operators_moves() -> None:
    made = set_up()
    moves, graph = made.moves, made.moves.graph
    accept(moves.kickoff(OPERATOR))
    for node in range(len(graph.nodes)):
        spending = moves.commit(node, SEED, HONEST)
        accept(spending)
        zeros = sum(
            item == b""
            for txin in spending.tx.inputs
            for item in txin.witness[: -3 if len(txin.witness) > 1 else None]
        )
        template = graph.template("assert" if node == 0 else f"reveal/{node}")
        assert spending.tx.weight == template.max_weight - zeros
        assert spending.tx.txid == template.tx.txid
        if node:
            accept(moves.close(node, OPERATOR))
            assert moves.close(node, OPERATOR).tx.weight == graph.close(node).max_weight
    for kind in ("take1", "take2"):
        spending = moves.take(kind, made.deposit.vault)
        accept(spending)
        assert spending.tx.vbytes <= 400


def test_everybodys_moves() -> None:
    moves = set_up().moves
    for name in ("assert_timeout", "open_timeout/1", "open_timeout/5"):
        spending = moves.penalty(name, POT, 500)
        accept(spending)
        assert spending.tx.outputs[0].value == moves.graph.terms.amounts.penalty


def test_a_false_path_is_disproved_and_nothing_else_is() -> None:
    moves = set_up().moves
    accuser = ToyAccuser(TREE, moves.graph.keys)
    found = {node.index: accuser.disprove(node.index, signatures(FALSE)) for node in TREE.nodes}
    assert [node for node, spend in found.items() if spend] == [6]
    spend = found[6]
    assert spend is not None
    spending = moves.disprove(6, spend, POT, 500)
    accept(spending)
    assert spending.tx.vbytes <= moves.graph.largest_disprove_vbytes


def test_no_leaf_convicts_honest_wires() -> None:
    moves = set_up().moves
    accuser = ToyAccuser(TREE, moves.graph.keys)
    signed = signatures(HONEST)
    assert not any(accuser.disprove(node.index, signed) for node in TREE.nodes)
