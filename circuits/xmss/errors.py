"""Why a key, a signature or a wallet operation is refused."""

from __future__ import annotations

from enum import StrEnum


class XmssReason(StrEnum):
    """Typed reasons; tests and callers compare these, never the text."""

    HEIGHT = "key height out of range"
    EPOCH = "epoch out of range"
    SEED = "seed is not 32 bytes"
    MALFORMED = "wrong length or element not canonical"
    OWNER_MISMATCH = "public key does not hash to the owner"
    ABORTED = "an element of the message hash is p - 1"
    TARGET_SUM = "digits of the message hash do not have the target sum"
    ROOT_MISMATCH = "chains and path do not end in the root"
    TRIES = "no randomness gave the target sum"
    LEAF_REUSED = "one leaf, two messages"
    TREE = "stored tree does not belong to the seed"


class XmssError(ValueError):
    """A refusal with its reason.

    Attributes:
        reason: The rule that was broken.
    """

    def __init__(self, reason: XmssReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
