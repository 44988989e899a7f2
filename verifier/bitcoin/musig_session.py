"""A committee signs many messages in one session: two messages a member, however many signatures.

Round one: each member sends `Member.nonces`. Round two: once it has them all, `Member.sign`. Anybody makes the
signatures of both (`combine`), or learns which member's share is wrong. With its shares a member says which nonces it
was sent (`Batch.views`): who sends different ones to different members makes honest shares look wrong, and that shows.
Secret nonces live in the member alone, sign once and are never stored: who stops between the rounds begins a new
session with a new batch of nonces, and so does everybody else.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from verifier.bitcoin.encoding import tagged_hash
from verifier.bitcoin.keys import public_key
from verifier.bitcoin.musig import (
    Aggregate,
    Contribution,
    InvalidContribution,
    MusigError,
    SecretNonce,
    Session,
    Tweak,
    aggregate_nonces,
)

ID_SIZE: Final = 32
NONCE_SIZE: Final = 66
PARTIAL_SIZE: Final = 32


class SessionSpent(MusigError):
    """The member has signed: its nonces are gone, and a new session must begin."""


_SPENT: Final = "this session has signed; begin a new one"


class OtherBatch(MusigError):
    """A member's message belongs to other keys or jobs.

    Attributes:
        member: its position among the keys.
    """

    def __init__(self, member: int) -> None:
        super().__init__(f"member {member}: its message is of another batch")
        self.member = member


class NoncesDiffer(MusigError):
    """Members signed for different nonces: shares that do not fit need not be their makers' fault.

    Either a sender told members different things, or a receiver says what it was not sent.

    Attributes:
        said: sender -> receiver -> digest of what it was sent (`digest_of`), where receivers were not sent the same;
            the receiver None is who combines.
    """

    def __init__(self, said: Mapping[int, Mapping[int | None, bytes]]) -> None:
        super().__init__("; ".join(_told(sender, views) for sender, views in said.items()))
        self.said = said


def _told(sender: int, views: Mapping[int | None, bytes]) -> str:
    groups: dict[bytes, list[str]] = {}
    for receiver, view in views.items():
        groups.setdefault(view, []).append("who combines" if receiver is None else f"member {receiver}")
    parts = (f"{view.hex()[:16]} to {', '.join(names)}" for view, names in groups.items())
    return f"member {sender} sent nonces {' and '.join(parts)}"


class WrongPartial(MusigError):
    """A partial signature that is not its member's.

    Attributes:
        member: its position among the keys.
        job: position in the batch.
    """

    def __init__(self, member: int, job: int) -> None:
        super().__init__(f"member {member}: wrong partial signature of job {job}")
        self.member = member
        self.job = job


@dataclass(frozen=True, slots=True)
class Job:
    """One signature.

    Attributes:
        message: 32 bytes, a sighash.
        tweaks: what makes the signing key of the committee's.
    """

    message: bytes
    tweaks: tuple[Tweak, ...] = ()


class Batch:
    """What is signed in one session, and by whom.

    Args:
        public_keys: compressed keys of the members, in the order agreed upon.
        jobs: the signatures, in the order agreed upon.

    Raises:
        InvalidContribution: a key that is not a compressed point.
        MusigError: no key or one twice, no job, a message that is not 32 bytes, or a tweak out of range.
    """

    def __init__(self, public_keys: Sequence[bytes], jobs: Sequence[Job]) -> None:
        if not jobs:
            raise MusigError("nothing to sign")
        if any(len(job.message) != 32 for job in jobs):
            raise MusigError("a message is not 32 bytes")
        if len(set(public_keys)) != len(public_keys):
            raise MusigError("a key comes twice")
        self.public_keys = tuple(public_keys)
        self.jobs = tuple(jobs)
        tweaks = dict.fromkeys(job.tweaks for job in self.jobs)
        kinds = {each: Aggregate(self.public_keys, each) for each in tweaks}
        self.aggregates = tuple(kinds[job.tweaks] for job in self.jobs)
        parts = [len(self.public_keys).to_bytes(4, "little"), *self.public_keys]
        for job, aggregate in zip(self.jobs, self.aggregates, strict=True):
            parts += (aggregate.point, job.message)
        self.id = tagged_hash("pegproof/batch", b"".join(parts))
        """Names keys, tweaks and messages, in order; every message of the session begins with it."""

    def sessions(self, nonces: Sequence[bytes]) -> tuple[Session, ...]:
        """Round two of every job.

        Args:
            nonces: each member's `Member.nonces`, in the order of the keys.

        Raises:
            OtherBatch: a member's message belongs to another batch.
            InvalidContribution: a message of the wrong length, or a malformed nonce.
        """
        split = self.split(nonces, NONCE_SIZE, Contribution.PUBLIC_NONCE)
        return tuple(
            aggregate.session(aggregate_nonces([member[i] for member in split]), job.message)
            for i, (aggregate, job) in enumerate(zip(self.aggregates, self.jobs, strict=True))
        )

    def split(
        self, messages: Sequence[bytes], size: int, what: Contribution, tail: int = 0
    ) -> list[list[bytes]]:
        """The items of each member's message, but for so many bytes at its end; see `sessions` for the errors."""
        if len(messages) != len(self.public_keys):
            raise MusigError(f"{len(messages)} messages of {len(self.public_keys)} members")
        found = []
        for member, message in enumerate(messages):
            if message[:ID_SIZE] != self.id:
                raise OtherBatch(member)
            end = ID_SIZE + size * len(self.jobs)
            if len(message) != end + tail:
                raise InvalidContribution(member, what)
            found.append([message[at : at + size] for at in range(ID_SIZE, end, size)])
        return found

    def views(self, nonces: Sequence[bytes]) -> bytes:
        """What a member says of the nonces that it was sent: a digest of each member's message."""
        return b"".join(map(digest_of, nonces))


def digest_of(nonces: bytes) -> bytes:
    """The digest of a member's `Member.nonces`."""
    return tagged_hash("pegproof/nonces", nonces)


class Member:
    """One member's part in one session; it signs once.

    Args:
        batch: what is signed.
        secret: of one of its keys.

    Raises:
        MusigError: the secret's key is not among the keys.
    """

    def __init__(self, batch: Batch, secret: bytes) -> None:
        own = public_key(secret)
        if own not in batch.public_keys:
            raise MusigError("the member's public key is not among the keys")
        self.index = batch.public_keys.index(own)
        self._batch = batch
        self._secret = secret
        self._lock = threading.Lock()
        self._nonces: list[SecretNonce] | None = [
            aggregate.nonce(secret, job.message, own)
            for aggregate, job in zip(batch.aggregates, batch.jobs, strict=True)
        ]
        self.nonces = batch.id + b"".join(nonce.public for nonce in self._nonces)
        """Round one's message: 32 bytes, and 66 a job."""

    def sign(self, nonces: Sequence[bytes]) -> bytes:
        """Round two's message: 32 bytes, 32 a job, and 32 a member that say which nonces it signs for.

        Args:
            nonces: round one's messages of all members, in the order of the keys.

        Raises:
            SessionSpent: it has signed before.
            OtherBatch: a member's message belongs to another batch.
            InvalidContribution: a malformed message, or one in our place that is not ours.
        """
        if self._nonces is None:
            raise SessionSpent(_SPENT)
        sessions = self._batch.sessions(nonces)
        if nonces[self.index] != self.nonces:
            raise InvalidContribution(self.index, Contribution.PUBLIC_NONCE)
        with self._lock:
            secret_nonces, self._nonces = self._nonces, None
        if secret_nonces is None:
            raise SessionSpent(_SPENT)
        shares = (
            session.sign(nonce, self._secret) for session, nonce in zip(sessions, secret_nonces, strict=True)
        )
        return self._batch.id + b"".join(shares) + self._batch.views(nonces)


def combine(batch: Batch, nonces: Sequence[bytes], partials: Sequence[bytes]) -> tuple[bytes, ...]:
    """The BIP340 signatures of a batch, each verified.

    Args:
        batch: what was signed.
        nonces: round one's messages, in the order of the keys.
        partials: round two's messages, in the same order.

    Raises:
        OtherBatch: a member's message belongs to another batch.
        InvalidContribution: a message of the wrong length, or a malformed nonce.
        WrongPartial: the first member's share that is wrong, of the first job where one is. It says that it was sent
            these nonces, or that its own were others than those it sent.
        NoncesDiffer: all shares that are wrong are of members who say that others sent them other nonces.
    """
    tail = len(batch.public_keys) * ID_SIZE
    split = batch.split(partials, PARTIAL_SIZE, Contribution.PARTIAL_SIGNATURE, tail)
    signatures = []
    for job, session in enumerate(batch.sessions(nonces)):
        shares = [member[job] for member in split]
        try:
            signatures.append(session.combine(shares))
        except MusigError as error:
            public = batch.split(nonces, NONCE_SIZE, Contribution.PUBLIC_NONCE)
            wrong = [
                member
                for member, share in enumerate(shares)
                if not session.check(member, public[member][job], share)
            ]
            views = [message[-tail:] for message in (*partials, batch.id + batch.views(nonces))]
            for member in wrong:
                own = slice(member * ID_SIZE, (member + 1) * ID_SIZE)
                if views[member] == views[-1] or views[member][own] != views[-1][own]:
                    raise WrongPartial(member, job) from error
            if wrong:
                raise NoncesDiffer(_differing(views)) from error
            raise
    return tuple(signatures)


def _differing(views: Sequence[bytes]) -> dict[int, dict[int | None, bytes]]:
    """The senders of whom receivers say different things, and what; the last view is of who combines."""
    receivers: list[int | None] = [*range(len(views) - 1), None]
    said = {
        at // ID_SIZE: {
            receiver: view[at : at + ID_SIZE] for receiver, view in zip(receivers, views, strict=True)
        }
        for at in range(0, len(views[0]), ID_SIZE)
    }
    return {sender: told for sender, told in said.items() if len(set(told.values())) > 1}
