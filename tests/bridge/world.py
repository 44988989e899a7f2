"""A slot, its roles and a chain; `play` lets everybody act block by block until the game is over."""

from pathlib import Path

from tests.bridge.ledger import Ledger
from tests.bridge.slot import OPERATOR, SEED, TREE, set_up
from verifier.bitcoin.keys import xonly_key
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import taproot_output
from verifier.bitcoin.transaction import OutPoint, TxOut
from verifier.bridge.moves import Funds
from verifier.bridge.roles import Guide, Operator, Sent, Watcher, open_nothing
from verifier.bridge.store import Store
from verifier.bridge.toy import ToyAccuser
from verifier.bridge.tree import Execution
from verifier.bridge.view import SlotView

CHALLENGER = b"\6" * 32


class World:
    def __init__(self, directory: Path, execution: Execution) -> None:
        self.directory = directory
        self.chain = Ledger()
        made = set_up()
        graph = made.moves.graph
        self.chain.pay(graph.coins["F"].outpoint, graph.coins["F"].txout)
        self.chain.pay(made.deposit.vault.outpoint, made.deposit.vault.txout)
        self.moves, self.vault = made.moves, made.deposit.vault
        self.view = SlotView(self.chain, graph)
        self.operator = Operator(
            Store(directory / "operator", "operator", "regtest"), self.moves, OPERATOR, SEED, self.vault
        )
        self.operator.commit(execution)
        self.watchers: list[Watcher] = []
        self.sent: list[Spending] = []
        self.names: list[str] = []

    def watch(self, challenge: bool = False, guide: Guide = open_nothing) -> Watcher:
        name = f"watcher {len(self.watchers)}"
        store = Store(self.directory / name, "watcher", "regtest")
        reward = taproot_output(xonly_key(CHALLENGER)).script
        accuser = ToyAccuser(TREE, self.moves.graph.keys)
        watcher = Watcher(store, self.moves, accuser, self.funds, reward, challenge, guide)
        self.watchers.append(watcher)
        return watcher

    def funds(self) -> Funds:
        script = taproot_output(xonly_key(CHALLENGER)).script
        outpoint = OutPoint(len(self.sent).to_bytes(32, "big"), 7)
        self.chain.pay(outpoint, TxOut(400_000, script))
        return Funds(CHALLENGER, ((outpoint, 400_000),))

    def record(self, sent: list[Sent]) -> None:
        for each in sent:
            assert each.refusal is None, (each.name, each.refusal)
            self.names.append(each.name)
            self.sent.append(each.spending)

    def play(self, blocks: int = 6_000) -> None:
        self.record([self.operator.kickoff(self.chain)])
        self.chain.mine()
        for _ in range(blocks):
            before = self.chain.height
            for watcher in self.watchers:
                self.record(watcher.step(self.chain))
            if not self.chain.pool:
                self.record(self.operator.step(self.chain))
            self.chain.mine()
            if self.outcome:
                return
            assert self.chain.height > before

    @property
    def outcome(self) -> str:
        taken = self.view.spender(self.vault)
        if taken is not None:
            return "paid"
        for name in ("K2", "S"):
            spent = self.view.spent(name)
            if spent is not None and spent.tx.outputs[0].script == self.moves.graph.terms.pot:
                return "penalised"
        return ""
