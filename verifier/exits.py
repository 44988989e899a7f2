"""A forced exit from published data alone: the inbox event, the batch that carries it out, its leaf's path."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import OWNED_BY_CELL
from circuits.rollup.codec import elements_bytes
from circuits.rollup.errors import StoreError, StoreReason
from circuits.rollup.events import ForcedExit
from circuits.rollup.files import read_file, write_atomic
from circuits.rollup.ledger import Ledger
from circuits.rollup.params import MSAT_PER_SAT
from circuits.rollup.published import DataFile, read_inbox
from circuits.rollup.rebuild import replay_all
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.transition import Transition, apply
from circuits.rollup.tree import exit_tree
from circuits.rollup.types import withdraw_script
from verifier.pipeline import PipelineError

EXIT_FILE = "exit.json"


@dataclass(frozen=True)
class ExitBatch:
    """What was made.

    Attributes:
        event: For Bitcoin.
        transition: What the batch does.
        index: Number of the exit in it.
        pending: Inbox events that come before it.
    """

    event: ForcedExit
    transition: Transition
    index: int
    pending: int

    @property
    def msat(self) -> int:
        """What leaves."""
        return self.event.sats * MSAT_PER_SAT

    def figures(self) -> dict[str, object]:
        """For people and for the exit file; bytes in hexadecimal."""
        tree = exit_tree().advance(self.transition.exit_update)
        return {
            "event": self.event.encode().hex(),
            "sats": self.event.sats,
            "exit_index": self.index,
            "exit_leaf": elements_bytes(self.transition.exits[self.index]).hex(),
            "exit_path": [elements_bytes(node).hex() for node in tree.path(self.index)],
            "exit_root": elements_bytes(self.transition.public_values.exit_root).hex(),
            "state_root_after": elements_bytes(self.transition.public_values.state_root_after).hex(),
            "pending_events": self.pending,
        }


def forced_exit_batch(
    data: Path, inbox: Path, out: Path, cell: int, sats: int | None, script: str, *,
    txid: str, vout: int, height: int | None, slot: int | None, producer: int | None,
) -> ExitBatch:  # fmt: skip
    """Rebuild the ledger, and write a directory with the batch of an exit.

    Raises:
        PipelineError: The purse cannot exit so, or the batch would not carry it out.
        StoreError: A file is missing, or the directory is not empty.
        CodecError: A file is damaged, or hexadecimal is not.
        BatchRefused: A hook does not let this producer have this slot: say later heights, or another producer.
    """
    if out.exists() and any(out.iterdir()):
        raise StoreError(StoreReason.EXISTS, str(out), "a new directory")
    published, events = read_file(data), read_inbox(read_file(inbox))
    source = DataFile(published)
    ledger = first = Ledger.of_cells(source.genesis, source.codes)
    for replayed in replay_all(published, events):
        ledger = replayed.ledger
    pending = events[ledger.inbox.count - first.inbox.count :]
    purse = ledger.btc_purse(cell)
    if purse is None or purse.owner[4:] == OWNED_BY_CELL:
        raise PipelineError(
            f"cell {cell} is no purse with a key: what programs hold comes home by their calls first"
        )
    amount = purse.balance // MSAT_PER_SAT if sats is None else sats
    if not 0 < amount * MSAT_PER_SAT <= purse.balance:
        raise PipelineError(f"cell {cell} has {purse.balance // MSAT_PER_SAT:,} sats")
    try:
        body, length = withdraw_script(bytes.fromhex(script))
        outpoint = bytes.fromhex(txid)
    except ValueError as error:
        raise PipelineError(f"hexadecimal is needed: {error}") from error
    now = ledger.inbox.bitcoin_height if height is None else height
    event = ForcedExit(now, outpoint, vout, cell, amount, purse.owner, body, length)
    taken = (*pending, event)
    header = Header(
        ledger.system.slot + 1 if slot is None else slot,
        cell if producer is None else producer, 0, now, ledger.inbox.count + len(taken),
    )  # fmt: skip
    batch = Batch(ledger.system.chain_id, header, taken, ())
    done = apply(ledger, batch)
    index = len(done.exits) - 1
    if index < 0 or done.exits[index] != event.exit_digest(index):
        raise PipelineError("events of the inbox that come before it leave too little in the purse")
    made = ExitBatch(event, done, index, len(pending))
    out.mkdir(parents=True, exist_ok=True)
    with Store.create(out / STATE_FILE, source.genesis, source.codes) as store:
        for replayed in replay_all(published, events):
            store.commit(replayed)
    write_atomic(out / BATCH_FILE, batch.encode())
    write_atomic(out / EXIT_FILE, json.dumps(made.figures(), indent=1).encode())
    return made
