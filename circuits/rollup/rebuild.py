"""The state from genesis, published data and inbox events alone: no signature, no server.

What comes out is checked by roots: a batch's public values hold its data commitment and both state roots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.events import InboxEvent
from circuits.rollup.ledger import Ledger
from circuits.rollup.published import DataFile, read_inbox
from circuits.rollup.transition import Transition, replay


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A chain, rebuilt.

    Attributes:
        ledger: The ledger after the last batch.
        num_batches: Batches replayed.
        events_left: Inbox events that no batch has consumed yet.
    """

    ledger: Ledger
    num_batches: int
    events_left: int


def replay_all(data: bytes, events: Sequence[InboxEvent]) -> Iterator[Transition]:
    """Every batch of a data file, replayed in order.

    Raises:
        CodecError: The file is damaged, or there are fewer events than it consumes.
        BatchRefused: A batch breaks a rule.
    """
    source = DataFile(data)
    ledger = Ledger.of_cells(source.genesis, source.codes)
    consumed = 0
    for number, published in enumerate(source.batches()):
        taken = events[consumed : consumed + published.num_events]
        if len(taken) != published.num_events:
            raise CodecError(
                CodecReason.TRUNCATED, f"inbox, at batch {number}", published.num_events, len(taken)
            )
        consumed += len(taken)
        done = replay(ledger, published.batch(ledger, taken))
        ledger = done.ledger
        yield done


def rebuild(data: bytes, inbox: bytes) -> Rebuilt:
    """The ledger after a data file and an inbox file.

    Raises:
        CodecError: A file is damaged.
        BatchRefused: A batch breaks a rule.
    """
    events = read_inbox(inbox)
    source = DataFile(data)
    ledger = Ledger.of_cells(source.genesis, source.codes)
    number = 0
    before = ledger.inbox.count
    for done in replay_all(data, events):
        ledger = done.ledger
        number += 1
    return Rebuilt(ledger, number, len(events) - (ledger.inbox.count - before))
