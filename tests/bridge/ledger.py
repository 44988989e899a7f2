"""A chain in memory with the part of `Chain` that roles use: blocks are lists of transactions, no headers.

Every transaction passes the policy checker, relative locks, and Bitcoin Core's script verification; conflicts
follow the replacement rules. What it leaves out (headers, coinbases, block weight) the embedded node has.
"""

from __future__ import annotations

from collections.abc import Callable

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.chain.chain import Refused, Seen, Tip
from verifier.chain.kernel import KernelSpending
from verifier.chain.packages import check_package
from verifier.chain.policy import fee_of

_NO_LOCK = 1 << 31


class Ledger:
    """The chain; see the module."""

    def __init__(self) -> None:
        self._blocks: list[list[Spending]] = [[]]
        self._txs: dict[bytes, Seen] = {}
        self._spenders: dict[OutPoint, bytes] = {}
        self.pool: dict[bytes, Spending] = {}
        self.miner: Callable[[Spending], bool] = lambda spending: True
        """Whether the miners of today take a transaction; a scenario may censor."""
        self._minted: dict[OutPoint, tuple[TxOut, int]] = {}
        self._verified: set[bytes] = set()

    @property
    def height(self) -> int:
        return len(self._blocks) - 1

    @property
    def tip(self) -> Tip:
        return Tip(self.height, bytes(32))

    def transaction(self, txid: bytes) -> Seen | None:
        minted = [(p, m) for p, m in self._minted.items() if p.txid == txid]
        if minted:
            return Seen(Transaction(2, (), tuple(out for _, (out, _) in minted)), minted[0][1][1])
        return self._txs.get(txid)

    def spender(self, outpoint: OutPoint) -> Seen | None:
        txid = self._spenders.get(outpoint)
        return None if txid is None else self._txs[txid]

    def pay(self, outpoint: OutPoint, output: TxOut) -> None:
        """An output from nowhere, confirmed at the tip."""
        self._minted[outpoint] = (output, self.height)

    def submit(self, tx: Transaction) -> None:
        """Takes a transaction into the pool, replacing what it conflicts with if it pays more."""
        if tx.txid in self._txs or tx.txid in self.pool:
            return
        spending = Spending(tx, tuple(self._spent(tx, txin) for txin in tx.inputs))
        doomed = self._conflicts(spending)
        rest = [held for txid, held in self.pool.items() if txid not in doomed]
        violation = check_package([spending], rest)
        if violation is not None:
            raise Refused(violation.reason.value, violation.txid, violation.detail)
        self._check_replacement(spending, [self.pool[txid] for txid in doomed])
        if tx.wtxid not in self._verified:
            kernel = KernelSpending(spending)
            if not all(kernel.accepts(index) for index in range(len(tx.inputs))):
                raise Refused("script", tx.txid_hex, "the kernel")
            self._verified.add(tx.wtxid)
        for txid in doomed:
            del self.pool[txid]
        self.pool[tx.txid] = spending

    def _spent(self, tx: Transaction, txin: TxIn) -> TxOut:
        if txin.previous in self._minted and not self.spender(txin.previous):
            return self._minted[txin.previous][0]
        parent = self._txs.get(txin.previous.txid)
        made = parent.tx if parent else None
        if made is None and txin.previous.txid in self.pool:
            made = self.pool[txin.previous.txid].tx
        if made is None or txin.previous.index >= len(made.outputs) or self.spender(txin.previous):
            raise Refused("bad-txns-inputs-missingorspent", tx.txid_hex, str(txin.previous))
        if tx.version >= 2 and not txin.sequence & _NO_LOCK:
            age = self.height + 1 - parent.height if parent and parent.height is not None else 0
            if age < txin.sequence & 0xFFFF:
                raise Refused("non-BIP68-final", tx.txid_hex, f"{age} < {txin.sequence & 0xFFFF}")
        return made.outputs[txin.previous.index]

    def _conflicts(self, spending: Spending) -> set[bytes]:
        """What a transaction would replace, with all that hangs below it."""
        points = {txin.previous for txin in spending.tx.inputs}
        doomed: set[bytes] = set()
        for txid, held in self.pool.items():
            inputs = {txin.previous for txin in held.tx.inputs}
            if inputs & points or {point.txid for point in inputs} & doomed:
                doomed.add(txid)
        return doomed

    def _check_replacement(self, spending: Spending, doomed: list[Spending]) -> None:
        """BIP125's rules 3, 4 and 6."""
        paid = sum(map(fee_of, doomed))
        if not doomed:
            return
        if fee_of(spending) < paid + spending.tx.vbytes:
            raise Refused("insufficient fee", spending.tx.txid_hex, f"{fee_of(spending)} sat replace {paid}")
        for held in doomed:
            if fee_of(spending) * held.tx.vbytes <= fee_of(held) * spending.tx.vbytes:
                raise Refused("insufficient fee", spending.tx.txid_hex, "the rate is not higher")

    def mine(self, count: int = 1) -> None:
        """Blocks, the first one with all of the pool that miners take."""
        for number in range(count):
            taken: list[Spending] = []
            made: set[bytes] = set()
            for spending in [] if number and not self.pool else list(self.pool.values()):
                parents = {i.previous.txid for i in spending.tx.inputs if i.previous not in self._minted}
                if self.miner(spending) and all(p in self._txs or p in made for p in parents):
                    taken.append(spending)
                    made.add(spending.tx.txid)
            self._append(taken)

    def _append(self, block: list[Spending]) -> None:
        self._blocks.append(block)
        for spending in block:
            self._txs[spending.tx.txid] = Seen(spending.tx, self.height)
            self.pool.pop(spending.tx.txid, None)
            for txin in spending.tx.inputs:
                self._spenders[txin.previous] = spending.tx.txid
        self._drop_conflicts()

    def _drop_conflicts(self) -> None:
        for txid, spending in list(self.pool.items()):
            if any(self.spender(txin.previous) for txin in spending.tx.inputs):
                del self.pool[txid]

    def reorg(self, depth: int, keep: Callable[[Spending], bool] = lambda spending: False) -> None:
        """Takes the last blocks away and mines as many and one more.

        Args:
            depth: how many.
            keep: which of their transactions the first new block has again; the others are forgotten.
        """
        gone = [spending for block in self._blocks[len(self._blocks) - depth :] for spending in block]
        del self._blocks[len(self._blocks) - depth :]
        for spending in gone:
            del self._txs[spending.tx.txid]
            for txin in spending.tx.inputs:
                del self._spenders[txin.previous]
        self._append([spending for spending in gone if keep(spending)])
        for _ in range(depth):
            self._append([])
        self.pool = {}
