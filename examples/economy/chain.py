"""A chain whose accounts' keys are all at hand: transactions wait in line until a producer makes the next batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import Purse
from circuits.rollup.execute import execute_batch
from circuits.rollup.ledger import Ledger
from circuits.rollup.published import BLANK_SIGNATURE
from circuits.rollup.signing import sign_batch
from circuits.rollup.transition import Transition
from circuits.rollup.types import Call, Calls, InboxEvent, SignedTransaction, Transaction
from circuits.xmss.scheme import SecretKey

GAS_LIMIT = 75_000
MAX_FEE = 10**10
"""Msat; what is not used comes back."""


@dataclass
class Chain:
    """The ledger so far, and what waits for the next batch.

    Attributes:
        ledger: After the last batch.
        keys: Secret key of each account's purse, by its cell.
        l1_rate: Msat per published byte.
        waiting: In order.
    """

    ledger: Ledger
    keys: Mapping[int, SecretKey]
    l1_rate: int
    waiting: list[Transaction] = field(default_factory=list)

    def balance(self, cell: int) -> int:
        """Of any purse."""
        purse = self.ledger.cells[cell]
        if not isinstance(purse, Purse):
            raise KeyError(f"cell {cell} is no purse")
        return purse.balance

    def send(self, signer: int, *calls: Call, tip: int = 0, gas_limit: int = GAS_LIMIT) -> None:
        """Queue a list of calls; nonce and leaf are set when the batch is made (as of all that waits)."""
        self.waiting.append(Calls(signer, 0, 0, calls, gas_limit, MAX_FEE, tip))

    def produce(self, slot: int, producer: int, height: int, events: Sequence[InboxEvent] = ()) -> Transition:
        """The next batch: all that waits, signed and executed.

        Raises:
            BatchRefused: Hooks do not let this producer have this slot, say.
        """
        header = Header(slot, producer, self.l1_rate, height, self.ledger.inbox.count + len(events))
        blank = Batch(self.ledger.system.chain_id, header, tuple(events), self._numbered())
        by_owner = {key.public_key.owner(): key for key in self.keys.values()}
        done = execute_batch(self.ledger, sign_batch(self.ledger, blank, by_owner), strict=True).transition
        self.ledger, self.waiting = done.ledger, []
        return done

    def _numbered(self) -> tuple[SignedTransaction, ...]:
        sent: Counter[int] = Counter()
        numbered = []
        for tx in self.waiting:
            purse = self.ledger.btc_purse(tx.signer)
            if purse is None:
                raise KeyError(f"signer {tx.signer} has no purse")
            nonce, leaf = purse.nonce + sent[tx.signer], purse.next_leaf + sent[tx.signer]
            sent[tx.signer] += 1
            known: Transaction = replace(tx, nonce=nonce, leaf=leaf)
            numbered.append(SignedTransaction(known, self.keys[tx.signer].public_key, BLANK_SIGNATURE))
        return tuple(numbered)
