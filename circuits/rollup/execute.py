"""Execute a batch: load, check the signatures, run the transition, report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from circuits.rollup.batch import Batch
from circuits.rollup.codec import elements_bytes
from circuits.rollup.files import read_file
from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from circuits.rollup.signatures import check_claims, claims
from circuits.rollup.store import Store
from circuits.rollup.transition import Transition, apply


@dataclass(frozen=True, slots=True)
class Execution:
    """A batch that was executed.

    Attributes:
        transition: What it did.
        seconds: By step: `load`, `signatures`, `transition`.
    """

    transition: Transition
    seconds: dict[str, float]

    def figures(self) -> dict[str, object]:
        """The figures that `pegproof execute --json` reports (the tables' are the integrator's).

        Units: msat.
        """
        values = self.transition.public_values
        return {
            "state_root_before": elements_bytes(values.state_root_before).hex(),
            "state_root_after": elements_bytes(values.state_root_after).hex(),
            "supply_before_msat": values.supply_before,
            "supply_after_msat": values.supply_after,
            "deposits_msat": values.deposits,
            "withdrawals_msat": values.withdrawals,
            "fees_msat": {"base": values.base_fees, "tips": values.tips, "data": values.data_fees},
            "transactions": values.num_txs,
            "failed": values.num_failed,
            "failures": [
                {"transaction": receipt.position, "reason": receipt.failure.value, "detail": receipt.detail}
                for receipt in self.transition.receipts
                if receipt.failure is not None
            ],
            "deployed": [
                {"transaction": receipt.position, "program": receipt.program}
                for receipt in self.transition.receipts
                if receipt.program is not None
            ],
            "events": [
                {"transaction": receipt.position, "program": event.program, "values": list(event.values)}
                for receipt in self.transition.receipts
                for event in receipt.events
            ],
            "left_out": [
                {"transaction": left.position, "reason": left.reason.value}
                for left in self.transition.left_out
            ],
        }


def load(directory: Path, at: int | None = None) -> tuple[Ledger, Batch]:
    """Ledger and batch of a directory that `sample` wrote.

    Args:
        directory: Holds the state store and the batch file.
        at: Batch number to start from; the store's last one by default.

    Raises:
        StoreError: A file is missing, damaged or in use.
        CodecError: The batch file is not canonical.
    """
    batch = Batch.decode(read_file(directory / BATCH_FILE))
    with Store.open(directory / STATE_FILE) as store:
        return store.ledger(at), batch


def execute_batch(ledger: Ledger, batch: Batch, *, strict: bool = False) -> Execution:
    """Check the signatures of a batch and run it.

    Args:
        ledger: The ledger before.
        batch: The batch.
        strict: Refuse the batch where a transaction would be left out.

    Raises:
        BatchRefused: The batch breaks a rule.
    """
    start = time.perf_counter()
    valid = check_claims(claims(batch.chain_id, batch.transactions))
    checked = time.perf_counter()
    transition = apply(ledger, batch, valid=valid, strict=strict)
    done = time.perf_counter()
    return Execution(transition, {"signatures": checked - start, "transition": done - checked})


def execute(directory: Path, *, at: int | None = None, strict: bool = False) -> Execution:
    """Load a batch directory and execute its batch; nothing is written.

    Raises:
        StoreError: A file is missing, damaged or in use.
        CodecError: The batch file is not canonical.
        BatchRefused: The batch breaks a rule.
    """
    start = time.perf_counter()
    ledger, batch = load(directory, at)
    loaded = time.perf_counter() - start
    execution = execute_batch(ledger, batch, strict=strict)
    return Execution(execution.transition, {"load": loaded, **execution.seconds})
