"""A forced exit from published data alone: the inbox event, the batch that carries it out, its leaf's path."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import OWNED_BY_CELL
from circuits.rollup.codec import elements_bytes
from circuits.rollup.errors import StoreError, StoreReason
from circuits.rollup.events import ForcedExit, InboxEvent
from circuits.rollup.files import read_file, sync_directory, write_atomic
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
        posted: The inbox holds it already.
        transition: What the batch does.
        index: Number of the exit in it; None if it takes only events that come before.
        pending: Inbox events that come before it.
        left: Events that the batch leaves to the next one.
    """

    event: ForcedExit
    posted: bool
    transition: Transition
    index: int | None
    pending: int
    left: int

    @property
    def msat(self) -> int:
        """What leaves."""
        return self.event.sats * MSAT_PER_SAT

    def figures(self) -> dict[str, object]:
        """For people and for the exit file; bytes in hexadecimal.

        The state root before is that of the last batch's proof, or the published data are not this chain's.
        """
        values = self.transition.public_values
        return {
            "event": self.event.encode().hex(),
            "posted": self.posted,
            "sats": self.event.sats,
            **self._leaf(),
            "batch": values.batch_number + 1,
            "state_root_before": elements_bytes(values.state_root_before).hex(),
            "state_root_after": elements_bytes(values.state_root_after).hex(),
            "pending_events": self.pending,
            "events_left": self.left,
        }

    def _leaf(self) -> dict[str, object]:
        if self.index is None:
            return dict.fromkeys(("exit_index", "exit_leaf", "exit_path", "exit_root"))
        tree = exit_tree().advance(self.transition.exit_update)
        return {
            "exit_index": self.index,
            "exit_leaf": elements_bytes(self.transition.exits[self.index]).hex(),
            "exit_path": [elements_bytes(node).hex() for node in tree.path(self.index)],
            "exit_root": elements_bytes(self.transition.public_values.exit_root).hex(),
        }


def forced_exit_batch(
    data: Path, inbox: Path, out: Path, cell: int, sats: int | None, script: str, *,
    txid: str | None, vout: int, height: int | None, slot: int | None, producer: int | None, take: int | None,
) -> ExitBatch:  # fmt: skip
    """Rebuild the ledger, and write a directory with the batch of an exit.

    Where the inbox holds the exit already (that of `txid` and `vout`; without a txid, one of this purse to this
    script), that one is meant and none is added.

    Raises:
        PipelineError: The purse cannot exit so, or the batch would not carry it out.
        StoreError: A file is missing, or the directory is not empty.
        CodecError: A file is damaged, or an argument has a wrong length.
        BatchRefused: A hook does not let this producer have this slot: say later heights, or another producer. Or
            the exits do not fit: take fewer events.
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
    try:
        paid_to, outpoint = bytes.fromhex(script), bytes.fromhex(txid or "00" * 32)
    except ValueError as error:
        raise PipelineError(f"hexadecimal is needed: {error}") from error
    amount = purse.balance // MSAT_PER_SAT if sats is None else sats
    now = ledger.inbox.bitcoin_height if height is None else height
    event = ForcedExit(now, outpoint, vout, cell, amount, purse.owner, *withdraw_script(paid_to))
    place = next((i for i, one in enumerate(pending) if _is(one, event, txid, sats)), len(pending))
    wanted = pending
    if place < len(pending):
        event = cast("ForcedExit", pending[place])
    else:
        wanted = (*pending, event)
        if not 0 < amount * MSAT_PER_SAT <= purse.balance:
            raise PipelineError(f"cell {cell} has {purse.balance // MSAT_PER_SAT:,} sats")

    def batch_of(taken: tuple[InboxEvent, ...]) -> Batch:
        header = Header(
            ledger.system.slot + 1 if slot is None else slot,
            cell if producer is None else producer, 0, now, ledger.inbox.count + len(taken),
        )  # fmt: skip
        return Batch(ledger.system.chain_id, header, taken, ())

    def exits(number: int) -> int:
        return len(apply(ledger, batch_of(wanted[:number])).exits)

    batch = batch_of(wanted[:take])
    done = apply(ledger, batch)
    index = exits(place) if place < len(batch.events) else None
    if index is not None and exits(place + 1) == index:
        raise PipelineError("events of the inbox that come before it leave too little in the purse")
    left = len(wanted) - len(batch.events)
    made = ExitBatch(event, len(wanted) == len(pending), done, index, place, left)
    with _whole(out) as draft:
        with Store.create(draft / STATE_FILE, source.genesis, source.codes) as store:
            for replayed in replay_all(published, events):
                store.commit(replayed)
        write_atomic(draft / BATCH_FILE, batch.encode())
        write_atomic(draft / EXIT_FILE, json.dumps(made.figures(), indent=1).encode())
    return made


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A directory to fill, which takes its name when it is full; nothing is left if it is not."""
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.parent / f".{out.name}.{os.getpid()}.tmp"
    draft.mkdir()
    try:
        yield draft
        os.replace(draft, out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync_directory(out.parent)


def _is(event: InboxEvent, wanted: ForcedExit, txid: str | None, sats: int | None) -> bool:
    """Whether an event of the inbox is the exit that is asked for."""
    if not isinstance(event, ForcedExit) or event.cell != wanted.cell or event.owner != wanted.owner:
        return False
    if txid is not None:
        return (event.txid, event.vout) == (wanted.txid, wanted.vout)
    script = (event.script, event.script_length) == (wanted.script, wanted.script_length)
    return script and sats in (None, event.sats)
